"""Where the leaves of a rule's expressions find their values in the lane sets."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rules.batch import Float64, Int64
from rules.devices import DeviceTable
from rules.expression.compile import Mode
from rules.expression.tree import Absent, FactValue, SignalValue, WindowValue
from rules.functions import WINDOW_FUNCTIONS, definition
from rules.lanes import NEVER, LaneSet
from rules.windows import WindowView


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
    function: definition.WindowFunction


@dataclass(frozen=True, slots=True)
class Silence:
    """A signal whose absence for so long of arrival time matters."""

    source: Source
    window_ms: int


class Bindings:
    """The leaves of one rule over one lane set; a `rules.expression.compile.Binder`."""

    def __init__(self, lanes: LaneSet, devices: DeviceTable) -> None:
        self.lanes = lanes
        self.devices = devices
        self.sources: list[Source] = []
        self.windows: list[WindowSource] = []
        self.silences: list[Silence] = []
        self.facts: list[str] = []

    def source(self, signal: str, component: str) -> Source:
        """Return the columns of a signal, declared to the lane sets."""
        outer = self.devices.lanes
        if self.lanes.parent is None or component:
            return Source(None, outer.column(signal, component))
        return Source(self.lanes.column(signal, None), outer.column(signal, ""))

    def bind_signal(self, node: SignalValue) -> int:
        """Return the handle of a signal."""
        self.sources.append(self.source(node.signal, node.component))
        return len(self.sources) - 1

    def bind_window(self, node: WindowValue) -> int:
        """Return the handle of a function over a window."""
        source = self.source(node.signal, node.component)
        for lanes, column in self._columns(source):
            lanes.window(column, node.window_ms, node.function)
        self.windows.append(WindowSource(source, node.window_ms, WINDOW_FUNCTIONS[node.function]))
        return len(self.windows) - 1

    def bind_absent(self, node: Absent) -> int:
        """Return the handle of a silence."""
        source = self.source(node.signal, node.component)
        for lanes, column in self._columns(source):
            lanes.listen(column)
        self.silences.append(Silence(source, node.window_ms))
        return len(self.silences) - 1

    def bind_fact(self, node: FactValue) -> int:
        """Return the handle of a fact."""
        self.devices.know(node.name)
        self.facts.append(node.name)
        return len(self.facts) - 1

    def _columns(self, source: Source) -> list[tuple[LaneSet, int]]:
        pairs = ((self.lanes, source.own), (self.devices.lanes, source.outer))
        return [(lanes, column) for lanes, column in pairs if column is not None]

    def heard(self, silence: Silence, rows: Int64) -> Int64:
        """Return [N] int64: arrival of the last reading of a signal, or of the lane's first message."""
        heard = self.lanes.first_heard[rows]
        if silence.source.own is not None:
            heard = np.maximum(heard, self.lanes.heard[silence.source.own][rows])
        if silence.source.outer is not None:
            outer = self.devices.lanes.heard[silence.source.outer][self.lanes.parents[rows]]
            heard = np.maximum(heard, outer)
        return heard


class View:
    """N lanes of a rule at one evaluation; a `rules.expression.compile.LaneView`."""

    def __init__(self, bindings: Bindings, rows: Int64, t: Int64, arrival: Int64) -> None:
        self._bindings = bindings
        self._rows = rows
        self._parents = bindings.lanes.parents[rows]
        self._t = t
        self._views: dict[tuple[str, int, int], WindowView] = {}  # several functions look at one window
        self._arrival = arrival

    def __len__(self) -> int:
        return len(self._rows)

    def signal(self, handle: int) -> Float64:
        """Return the latest values, nan where unknown or no longer fresh."""
        source = self._bindings.sources[handle]
        return self._prefer_own(
            source,
            lambda lanes, column, rows: lanes.latest(column, rows, self._t),
        )

    def window(self, handle: int) -> Float64:
        """Return the values of a function over a window."""
        bound = self._bindings.windows[handle]

        def evaluate(lanes: LaneSet, column: int, rows: Int64) -> Float64:
            key = (lanes.kind, column, bound.window_ms)
            view = self._views.get(key)
            if view is None:
                view = WindowView(lanes.windows[(column, bound.window_ms)], rows, self._t)
                self._views[key] = view
            return bound.function.evaluate(view, bound.window_ms, 0.0)

        return self._prefer_own(bound.source, evaluate)

    def absent(self, handle: int) -> Float64:
        """Return 1 where the signal was silent for its window, else 0."""
        silence = self._bindings.silences[handle]
        heard = self._bindings.heard(silence, self._rows)
        return np.where(self._arrival - heard >= silence.window_ms, 1.0, 0.0)

    def fact(self, handle: int, mode: Mode) -> Float64:
        """Return a fact as a number or as a text's number, nan where it is the other or was never stated."""
        return self._bindings.devices.fact(self._bindings.facts[handle], mode)[self._parents]

    def _prefer_own(self, source: Source, read: Callable[[LaneSet, int, Int64], Float64]) -> Float64:
        """Read the lane's own column where it ever had a reading, else the device's."""
        lanes, devices = self._bindings.lanes, self._bindings.devices.lanes
        if source.own is None:
            assert source.outer is not None
            return read(devices, source.outer, self._parents)
        own = read(lanes, source.own, self._rows)
        if source.outer is None:
            return own
        never = lanes.times[source.own][self._rows] == NEVER
        if not never.any():
            return own
        return np.where(never, read(devices, source.outer, self._parents), own)
