"""Where the leaves of a rule's expressions find their values in the lane sets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int64
from rules.devices import DeviceTable
from rules.expression.compile import Condition, Mode, compile_condition
from rules.expression.tree import Absent, FactValue, PeerDistance, SignalValue, TimesTrue, WindowValue, walk
from rules.functions import WINDOW_FUNCTIONS, definition
from rules.lanes import NEVER, LaneSet
from rules.part import Part
from rules.peers import Asked, PeerBook
from rules.points import Points
from rules.symbols import Interner
from rules.windows import Unkept, WindowView

#: Cells of a window's buckets that are looked at together; more are taken in turns.
_MOST_CELLS = 1 << 21


@dataclass(frozen=True, slots=True)
class Source:
    """The columns of a signal: the lane's own, and the device's, which serves while the own is empty."""

    own: int | None
    outer: int | None


@dataclass(frozen=True, slots=True)
class WindowSource:
    """A function over a window of a signal."""

    source: Source
    window_ms: int
    parameter: float
    function: definition.WindowFunction


@dataclass(frozen=True, slots=True)
class Silence:
    """A signal whose absence for so long of arrival time matters."""

    source: Source
    window_ms: int


@dataclass(frozen=True, slots=True)
class Counted:
    """A condition that is looked at whenever one of its signals is read, and how often it was true.

    Attributes:
        column: of the rule's lane set, where its truths are kept as readings of 1 and 0.
        own: columns of the rule's lane set whose readings count.
        outer: columns of the devices' set whose readings count.
    """

    column: int
    condition: Condition
    own: tuple[int, ...]
    outer: tuple[int, ...]
    window_ms: int
    least: int


class Bindings:
    """The leaves of one rule over one lane set; a `rules.expression.compile.Binder`."""

    def __init__(
        self, lanes: LaneSet, devices: DeviceTable, peers: PeerBook, texts: Interner[str], owner: str
    ) -> None:
        self.lanes = lanes
        self.devices = devices
        self.book = peers
        self._texts = texts
        self._owner = owner
        self.sources: list[Source] = []
        self.windows: list[WindowSource] = []
        self.silences: list[Silence] = []
        self.counted: list[Counted] = []
        self.peers: list[Source] = []
        self.facts: list[str] = []

    def source(self, signal: str, component: str) -> Source:
        """Return the columns of a signal, declared to the lane sets."""
        outer = self.devices.lanes
        if self.lanes.parent is None or component:
            return Source(None, outer.column(signal, component))
        return Source(self.lanes.column(signal, None), outer.column(signal, ""))

    def bind_signal(self, node: SignalValue) -> int:
        """Return the handle of a signal."""
        return _placed(self.sources, self.source(node.signal, node.component))

    def bind_window(self, node: WindowValue) -> int:
        """Return the handle of a function over a window."""
        source = self.source(node.signal, node.component)
        for lanes, column in self._columns(source):
            lanes.window(column, node.window_ms, node.function)
        function = WINDOW_FUNCTIONS[node.function]
        return _placed(self.windows, WindowSource(source, node.window_ms, node.parameter, function))

    def bind_times_true(self, node: TimesTrue) -> int:
        """Return the handle of a condition whose readings are counted."""
        condition = compile_condition(node.condition, self, self._texts)
        parts = [part for part in walk(node.condition) if isinstance(part, SignalValue | WindowValue)]
        sources = [self.source(part.signal, part.component) for part in parts]
        own = tuple(sorted({source.own for source in sources if source.own is not None}))
        outer = tuple(sorted({source.outer for source in sources if source.outer is not None}))
        column = self.lanes.derive(f"{self._owner}/{len(self.counted)}", node.window_ms)
        self.counted.append(Counted(column, condition, own, outer, node.window_ms, node.least))
        return len(self.counted) - 1

    def bind_peers(self, node: PeerDistance) -> int:
        """Return the handle of a distance from peers."""
        source = self.source(node.signal, node.component)
        self.devices.know("model")
        self.book.follow(self.lanes.kind, node.signal, node.component)
        self.peers.append(source)
        return len(self.peers) - 1

    def bind_absent(self, node: Absent) -> int:
        """Return the handle of a silence."""
        source = self.source(node.signal, node.component)
        for lanes, column in self._columns(source):
            lanes.listen(column)
        return _placed(self.silences, Silence(source, node.window_ms))

    def bind_fact(self, node: FactValue) -> int:
        """Return the handle of a fact."""
        self.devices.know(node.name)
        return _placed(self.facts, node.name)

    def read(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the columns whose readings a rule is evaluated for: of its lane set, and of the devices'."""
        sources = [
            *self.sources,
            *self.peers,
            *(window.source for window in self.windows),
            *(silence.source for silence in self.silences),
        ]
        own = {source.own for source in sources if source.own is not None}
        outer = {source.outer for source in sources if source.outer is not None}
        return tuple(sorted(own)), tuple(sorted(outer))

    def _columns(self, source: Source) -> list[tuple[LaneSet, int]]:
        pairs = ((self.lanes, source.own), (self.devices.lanes, source.outer))
        return [(lanes, column) for lanes, column in pairs if column is not None]

    def heard(self, silence: Silence, part: Part, points: Points) -> Int64:
        """Return [N] int64: arrival of the last reading of a signal, or of the lane's first message."""
        heard = self.lanes.first_heard[points.lane]
        if silence.source.own is not None:
            heard = np.maximum(heard, part.heard(self.lanes, silence.source.own, points))
        if silence.source.outer is not None:
            outer = self.devices.lanes
            there = above(self.lanes, points)
            heard = np.maximum(heard, part.heard(outer, silence.source.outer, there))
        return heard


def _placed(known: list[Any], entry: Any) -> int:
    """Return where an entry stands in a list, appended where it does not."""
    if entry not in known:
        known.append(entry)
    return known.index(entry)


def above(lanes: LaneSet, points: Points) -> Points:
    """Return the points of the lanes' devices."""
    if lanes.parent is None:
        return points
    return points.of(lanes.parents[points.lane].astype(np.int64))


#: What rules share that look at the same points: values by what they are.
Shared = dict[tuple[Any, ...], Any]


class View:
    """N lanes of a rule at one evaluation each; a `rules.expression.compile.LaneView`."""

    def __init__(
        self,
        bindings: Bindings,
        limits: Callable[[str, Int64], Float64 | float],
        part: Part,
        points: Points,
        *,
        shared: Shared | None = None,
        whole: "tuple[View, npt.NDArray[np.intp]] | None" = None,
    ) -> None:
        """Look at points.

        Args:
            bindings: of the rule.
            limits: returns a threshold, by name, for rows of devices.
            part: what was known.
            points: lanes at moments.
            shared: what others worked out at just these points.
            whole: a view of more points, and the places of these among them: what was worked out there is
                not worked out again.
        """
        self._bindings = bindings
        self._limits = limits
        self._part = part
        self.points = points
        self._above: Points | None = None
        self._shared: Shared = {} if shared is None else shared
        self._whole = whole

    def __len__(self) -> int:
        return len(self.points)

    @property
    def _outer(self) -> Points:
        if self._above is None:
            self._above = above(self._bindings.lanes, self.points)
        return self._above

    def take(self, places: npt.NDArray[np.intp]) -> "View":
        """Return some of the lanes."""
        points = self.points.take(places)
        return View(self._bindings, self._limits, self._part, points, whole=(self, places))

    def signal(self, handle: int) -> Float64:
        """Return the latest values, nan where unknown or no longer fresh."""
        return self._fresh(self._bindings.sources[handle])

    def _fresh(self, source: Source) -> Float64:
        def read(lanes: LaneSet, column: int, points: Points) -> Float64:
            series = points.series
            if series is not None and self._part.series.get((lanes.kind, column)) is series:
                return series.value
            value, time = self._part.latest(lanes, column, points)
            fresh = lanes.columns[column].is_fresh(time, points.t)
            return value if fresh.all() else np.where(fresh, value, np.nan)

        return self._once(("signal", source), lambda: self._prefer_own(source, read))

    def _once(self, key: tuple[Any, ...], work: Callable[[], Float64]) -> Float64:
        found = self._found(key)
        if found is None:
            found = self._shared[key] = work()
        return found

    def _found(self, key: tuple[Any, ...]) -> Float64 | None:
        """Return what was worked out already, here or where these points are a part."""
        found: Float64 | None = self._shared.get(key)
        if found is None and self._whole is not None:
            view, places = self._whole
            found = view._found(key)
            if found is not None:
                found = self._shared[key] = found[places]
        return found

    def window(self, handle: int) -> Float64:
        """Return the values of a function over a window."""
        bound = self._bindings.windows[handle]

        def read(lanes: LaneSet, column: int, points: Points) -> Float64:
            if lanes.columns[column].empty:
                empty = 0.0 if bound.function.name == "count" else np.nan
                return np.full(len(points), empty)
            views = self._views(lanes, column, (bound.window_ms, bound.function.buckets), points)
            parts = [bound.function.evaluate(v, bound.window_ms, bound.parameter) for v in views]
            return parts[0] if len(parts) == 1 else np.concatenate(parts)

        key = ("window", bound.source, bound.window_ms, bound.parameter, bound.function.name)
        return self._once(key, lambda: self._prefer_own(bound.source, read))

    def _views(self, lanes: LaneSet, column: int, key: tuple[int, int], points: Points) -> list[WindowView]:
        """Return what several functions share: a window of a column at points, in pieces that fit a cache."""
        name = ("view", lanes.kind, column, key, points is self.points)
        found: list[WindowView] | None = self._shared.get(name)
        if found is not None:
            return found
        window = lanes.columns[column].windows[key]
        latest = self._part.latest_known(lanes, column, points)
        known = None if self._part.kept else self._part.known(lanes, column)
        readings = known.grouped(window, window.readings) if known and window.readings else None
        steps = known.grouped(window, window.steps) if known and window.steps else None
        unkept = Unkept(readings, steps)
        size = max(1, _MOST_CELLS // (key[1] + 4))
        cuts = [slice(begin, begin + size) for begin in range(0, max(1, len(points)), size)]
        found = self._shared[name] = [
            WindowView(window, points.lane[cut], points.t[cut], latest.part(cut), unkept) for cut in cuts
        ]
        return found

    def times_true(self, handle: int) -> tuple[Bool, Bool]:
        """Return where a condition was true often enough, and where it was known and was not."""
        bound = self._bindings.counted[handle]
        lanes = self._bindings.lanes
        column = lanes.columns[bound.column]
        if column.empty:
            nowhere = np.zeros(len(self), dtype=np.bool_)
            return nowhere, nowhere
        (key,) = column.windows
        views = self._views(lanes, bound.column, key, self.points)
        count = np.concatenate([view.readings.total("count") for view in views])
        true = np.concatenate([view.readings.total("sum") for view in views])
        return true >= bound.least, (count > 0) & (true < bound.least)

    def peers(self, handle: int) -> Float64:
        """Return the distances from the peers, nan where unknown."""
        source = self._bindings.peers[handle]
        lanes, devices = self._bindings.lanes, self._bindings.devices
        column = source.outer if source.own is None else source.own
        assert column is not None
        compared = Source(None, column) if source.own is None else Source(column, None)
        value = self._fresh(compared)
        known = np.flatnonzero(~np.isnan(value))
        found = np.full(len(value), np.nan)
        if len(known):
            points = self.points.take(known)
            owner = devices.lanes if source.own is None else lanes
            who = devices.lanes.ordinal[lanes.parents[points.lane]].astype(np.int64)
            asked = Asked(who, value[known], points.t, points.upto)
            found[known] = self._bindings.book.distances(lanes.kind, owner.columns[column], asked)
        return found

    def absent(self, handle: int) -> Bool:
        """Return where the signal was silent for its window."""
        silence = self._bindings.silences[handle]
        heard = self._bindings.heard(silence, self._part, self.points)
        return np.asarray(self.points.arrival - heard >= silence.window_ms)

    def fact(self, handle: int, mode: Mode) -> Float64:
        """Return a fact as a number or as a text's number, nan where it is the other or was never stated."""
        return self._bindings.devices.fact(self._bindings.facts[handle], mode)[self._outer.lane]

    def limit(self, name: str) -> Float64 | float:
        """Return a threshold of the rule."""
        return self._limits(name, self._outer.lane)

    def reported(self, source: Source) -> tuple[Float64, Int64, Bool]:
        """Return the latest values, fresh or not, their times, NEVER without one, and where it is the own."""
        lanes, devices = self._bindings.lanes, self._bindings.devices.lanes
        value, time = np.full(len(self), np.nan), np.full(len(self), NEVER, dtype=np.int64)
        if source.own is not None:
            value, time = self._part.latest(lanes, source.own, self.points)
        own = time != NEVER
        if source.outer is not None:
            outer, at = self._part.latest(devices, source.outer, self._outer)
            value, time = np.where(own, value, outer), np.where(own, time, at)
        return value, time, own

    def _prefer_own(self, source: Source, read: Callable[[LaneSet, int, Points], Float64]) -> Float64:
        """Read the lane's own column where it ever had a reading, else the device's."""
        lanes, devices = self._bindings.lanes, self._bindings.devices.lanes
        if source.own is None:
            assert source.outer is not None
            return read(devices, source.outer, self._outer)
        if source.outer is None or devices.columns[source.outer].empty:
            return read(lanes, source.own, self.points)
        if lanes.columns[source.own].empty:
            return read(devices, source.outer, self._outer)
        own = read(lanes, source.own, self.points)
        _, time = self._part.latest(lanes, source.own, self.points)
        return np.where(time != NEVER, own, read(devices, source.outer, self._outer))
