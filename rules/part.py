"""The messages of one class that an engine takes at once, and what was known at each of them.

Messages stand by device and then in their order, and so a column's readings are one sorted series: what a
lane knew at a moment is found in it, or else in what was kept before. Where no device speaks twice, there is
nothing to find: the readings are kept first, and what is kept is what was known.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int64
from rules.buckets import Buckets, Grouped
from rules.functions.counter import steps
from rules.lanes import NEVER, Column, LaneSet
from rules.windows import Latest, Window


class Points:
    """N evaluations: lanes at moments, by lane and then in their order.

    Attributes:
        lane: [N] int64.
        message: [N] int64, the last message of the part that is seen, -1 and below for none.
        series: what the points are the readings of, if they are just that.
    """

    def __init__(
        self,
        part: "Part",
        lane: Int64,
        message: Int64,
        *,
        series: "Series | None" = None,
        decided: "Decided | None" = None,
        asked: Bool | None = None,
    ) -> None:
        """Say where to look.

        Args:
            part: whose messages are seen.
            lane: lanes.
            message: the last message that each of them sees.
            series: the points are just its readings.
            decided: when and by what each is decided, where that is not the message that is seen.
            asked: evaluated whatever happened before; None is always, False only while a timer runs.
        """
        self._part = part
        self.lane = lane
        self.message = message
        self.series = series
        self._decided = decided
        self._asked = asked

    def __len__(self) -> int:
        return len(self.lane)

    @cached_property
    def t(self) -> Int64:
        """[N] int64, device time."""
        return self._part.t.take(self.message) if self._decided is None else self._decided.t

    @property
    def arrival(self) -> Int64:
        """[N] int64, arrival of what decides."""
        return self._part.arrival[self.message] if self._decided is None else self._decided.arrival

    @property
    def position(self) -> Int64:
        """[N] int64, row in the batch of what decides."""
        return self._part.position[self.message] if self._decided is None else self._decided.position

    @property
    def upto(self) -> Int64:
        """[N] int64, the last row of the batch that is seen of other devices."""
        return self.position if self._decided is None else self._decided.upto

    @property
    def asked(self) -> Bool:
        """[N] bool, evaluated whatever happened before; else only while a timer runs in the lane."""
        return np.ones(len(self.lane), dtype=np.bool_) if self._asked is None else self._asked

    def take(self, places: npt.NDArray[np.intp] | Bool) -> "Points":
        """Return some of them."""
        return Points(
            self._part,
            self.lane[places],
            self.message[places],
            decided=None if self._decided is None else self._decided.take(places),
            asked=None if self._asked is None else self._asked[places],
        )

    def of(self, lane: Int64) -> "Points":
        """Return the same moments in other lanes."""
        return Points(self._part, lane, self.message, decided=self._decided, asked=self._asked)


@dataclass(frozen=True, slots=True)
class Decided:
    """When and by what N points are decided; [N] int64 each."""

    t: Int64
    arrival: Int64
    position: Int64
    upto: Int64

    def take(self, places: npt.NDArray[np.intp] | Bool) -> "Decided":
        """Return some of them."""
        return Decided(self.t[places], self.arrival[places], self.position[places], self.upto[places])


class Series:
    """The readings of a column, by lane and then by message.

    Attributes:
        lane: [E] int64.
        message: [E] int64, of the part.
        t: [E] int64.
        arrival: [E] int64.
        value: [E] float64.
    """

    def __init__(
        self,
        lane: Int64,
        message: Int64,
        *,
        t: Int64,
        arrival: Int64,
        value: Float64,
        span: int,
        once: bool,
    ) -> None:
        """Take readings.

        Args:
            lane: ascending.
            message: ascending in each lane.
            t: device time.
            arrival: ms.
            value: nan where it is unknown.
            span: more than there are messages.
            once: each lane is known to stand here once.
        """
        self.lane = lane
        self.message = message
        self.t = t
        self.arrival = arrival
        self.value = value
        self.once = once or bool((lane[1:] != lane[:-1]).all())
        self._span = span

    @cached_property
    def _key(self) -> Int64:
        return self.lane * self._span + self.message

    def upto(self, points: Points) -> Int64:
        """Return [N] int64: the place of the lane's last reading up to each point, -1 without one."""
        if points.series is self:
            return np.arange(len(self.lane))
        if not len(self.lane):
            return np.full(len(points), -1, dtype=np.int64)
        key = points.lane * self._span + np.clip(points.message, -1, self._span - 1)
        place = np.searchsorted(self._key, key, side="right") - 1
        return np.where((place >= 0) & (self.lane[place] == points.lane), place, -1)

    def take(self, chosen: Bool) -> "Series":
        """Return some of the readings."""
        return Series(
            self.lane[chosen],
            self.message[chosen],
            t=self.t[chosen],
            arrival=self.arrival[chosen],
            value=self.value[chosen],
            span=self._span,
            once=self.once,
        )

    @cached_property
    def last(self) -> npt.NDArray[np.intp] | slice:
        """The place of each lane's last reading."""
        return slice(None) if self.once else np.flatnonzero(np.append(self.lane[1:] != self.lane[:-1], True))

    @cached_property
    def begins(self) -> Bool:
        """[E] bool, the reading is its lane's first here."""
        return np.append(True, self.lane[1:] != self.lane[:-1])[: len(self.lane)]


class KnownSeries:
    """The readings of a column that were no null, with what windows need of them.

    Attributes:
        since: [E] int64, time of the first of the readings that equal this one without a break.
        step: [E] int64, the place of the last step up to this reading among the steps, -1 without one.
    """

    def __init__(self, column: Column, series: Series) -> None:
        known = ~np.isnan(series.value)
        self.series = series if known.all() else series.take(known)
        self._column = column
        self._grouped: dict[int, Grouped] = {}
        if not column.windows:
            return
        own, kept = self.series, column.arrays
        if own.once:
            self._before_value, self._before_time = column.known(own.lane)
            same = own.value == self._before_value
            self._stepped = ~same & ~np.isnan(self._before_value)
            self.since = np.where(same, _since(kept, own.lane), own.t) if "equal_since" in kept else own.t
            self.step = np.where(self._stepped, np.cumsum(self._stepped) - 1, -1)
            return
        self._look_back(own, kept)

    def _look_back(self, own: Series, kept: dict[str, npt.NDArray[Any]]) -> None:
        """Work out what was before each reading, where lanes have several here."""
        begins = own.begins
        before_value = np.append(np.nan, own.value[:-1])
        before_time = np.append(NEVER, own.t[:-1])
        first = own.lane[begins]
        before_value[begins], before_time[begins] = self._column.known(first)
        self._before_value, self._before_time = before_value, before_time
        same = own.value == before_value
        self._stepped = ~same & ~np.isnan(before_value)
        places = np.arange(len(own.lane))
        # The last reading that differs from the one before it, or begins the lane here.
        turned = np.maximum.accumulate(np.where(same & ~begins, 0, places))
        since = own.t.copy()
        since[begins & same] = _since(kept, own.lane[begins & same])
        self.since = since[turned]
        number = np.cumsum(self._stepped) - 1
        none_before = number - self._stepped  # of the steps before the lane's first reading
        lane_begin = np.maximum.accumulate(np.where(begins, places, 0))
        self.step = np.where(number > none_before[lane_begin], number, -1)

    def grouped(self, window: Window, buckets: Buckets) -> Grouped:
        """Return the readings, or the steps, joined into buckets."""
        found = self._grouped.get(id(buckets))
        if found is None:
            found = self._grouped[id(buckets)] = buckets.group(*self._entries(window, buckets))
        return found

    def _entries(self, window: Window, buckets: Buckets) -> tuple[Int64, Int64, Float64, dict[str, Float64]]:
        """Return lane, time, value and terms of what buckets are made from."""
        own = self.series
        if buckets is window.readings:
            return own.lane, own.t, own.value, {}
        return self._steps

    @cached_property
    def _steps(self) -> tuple[Int64, Int64, Float64, dict[str, Float64]]:
        """Lane, time of the reading before, value and terms of the steps."""
        stepped = self._stepped
        value, before = self.series.value[stepped], self._before_value[stepped]
        grown = steps(before, value, self._column.wraps)
        terms = {"increase": grown, "changes": np.ones(len(value))}
        return self.series.lane[stepped], self._before_time[stepped], value, terms

    def commit(self) -> None:
        """Keep them."""
        own, column = self.series, self._column
        if not len(own.lane):
            return
        last = own.last
        lanes = own.lane[last]
        if column.listens:
            column.arrays["heard"][lanes] = own.arrival[last]
        if not column.windows:
            return
        for window in column.windows.values():
            for _, buckets in window.kept:
                entries = self._entries(window, buckets)
                if not len(entries[0]):
                    continue
                if own.once:
                    buckets.add(*entries)
                else:
                    buckets.commit(self.grouped(window, buckets))
        brought = {"known_value": own.value, "known_time": own.t, "equal_since": self.since}
        for name, array in brought.items():
            if name in column.arrays:
                column.arrays[name][lanes] = array[last]


def distinct(numbers: Int64) -> Int64:
    """Return the different ones of numbers, ascending; for our sizes this is faster than `np.unique`."""
    ranked = np.sort(numbers)
    found: Int64 = ranked[np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)]]
    return found


def _since(kept: dict[str, npt.NDArray[Any]], lanes: Int64) -> Int64:
    """Return since when readings of lanes have been equal; NEVER where nobody asks."""
    found = kept.get("equal_since")
    return np.full(len(lanes), NEVER, dtype=np.int64) if found is None else found.take(lanes)


class Part:
    """The messages of one class that are taken at once, N of them.

    Attributes:
        row: [N] int64, the device's row, ascending.
        t: [N] int64, device time, never decreasing for a device.
        arrival: [N] int64.
        position: [N] int64, row in the batch, ascending for a device.
        newer: [N] bool, device time has moved on since the device's message before.
        kept: whether the readings are in the lane sets already.
    """

    def __init__(self, row: Int64, t: Int64, arrival: Int64, position: Int64, newer: Bool) -> None:
        self.row = row
        self.t = t
        self.arrival = arrival
        self.position = position
        self.newer = newer
        self.kept = False
        self.series: dict[tuple[str, int], Series] = {}
        self._known: dict[tuple[str, int], KnownSeries] = {}
        self._points: dict[tuple[str, tuple[int, ...], tuple[int, ...]], Points | None] = {}
        self._shared: dict[tuple[str, tuple[int, ...], tuple[int, ...]], dict[tuple[Any, ...], Any]] = {}
        self._whole: dict[str, Points] = {}
        self._member_from: dict[str, dict[int, int]] = {}

    @classmethod
    def nothing(cls) -> "Part":
        """Return a part without messages: what is known is what is kept."""
        none = np.empty(0, dtype=np.int64)
        part = cls(none, none, none, none, np.empty(0, dtype=np.bool_))
        part.kept = True
        return part

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def begins(self) -> npt.NDArray[np.intp]:
        """The first message of each device."""
        return np.flatnonzero(np.append(True, self.row[1:] != self.row[:-1])[: len(self.row)])

    @cached_property
    def ends(self) -> npt.NDArray[np.intp]:
        """After the last message of each device."""
        return np.append(self.begins[1:], len(self.row))[: len(self.begins)]

    @cached_property
    def rows(self) -> Int64:
        """The devices that speak, ascending."""
        return self.row[self.begins]

    @cached_property
    def single(self) -> bool:
        """Whether no device speaks twice."""
        return len(self.begins) == len(self.row)

    # Readings

    def read(self, lanes: LaneSet, column: int, lane: Int64, message: Int64, value: Float64) -> None:
        """Note readings of a column, by lane and then by message; those that repeat a time are left out."""
        own = lanes.columns[column]
        if own.empty:
            own.begin(lanes.capacity)
        t, arrival = self.t.take(message), self.arrival.take(message)
        series = Series(
            lane, message, t=t, arrival=arrival, value=value, span=len(self) + 1, once=self.single
        )
        if not own.derived:
            before = own.arrays["times"].take(lane)
            if not series.once:
                before = np.where(series.begins, before, np.append(NEVER, series.t[:-1]))
            new = series.t != before
            if not new.all():
                series = series.take(new)
        if not len(series.lane):
            return
        if not own.derived and np.isnan(series.value).any():
            own.part_known()
        self.series[(lanes.kind, column)] = series

    def joins(self, kind: str, lanes: Int64, messages: Int64) -> None:
        """Note since which message lanes belong to a kind."""
        self._member_from.setdefault(kind, {}).update(zip(lanes.tolist(), messages.tolist(), strict=True))

    def has_joined(self, kind: str) -> bool:
        """Return whether lanes of a kind began to belong to it here."""
        return kind in self._member_from

    def joins_before(self, kind: str, lanes: Int64, messages: Int64) -> None:
        """Note messages of lanes that may be before those since which they were known to belong to a kind."""
        joined = self._member_from[kind]
        for lane, message in zip(lanes.tolist(), messages.tolist(), strict=True):
            if message < joined.get(lane, -1):
                joined[lane] = message

    def known(self, lanes: LaneSet, column: int) -> KnownSeries | None:
        """Return the readings of a column that were no null, None where it has none here."""
        key = (lanes.kind, column)
        series = self.series.get(key)
        if series is None:
            return None
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = KnownSeries(lanes.columns[column], series)
        return found

    def keep(self, sets: dict[str, LaneSet]) -> None:
        """Put all readings that were noted so far and are not kept yet into the lane sets."""
        for kind, index in list(self.series):
            self.keep_column(sets[kind], index)

    def keep_column(self, lanes: LaneSet, index: int) -> None:
        """Put the readings of a column into its lane set."""
        column = lanes.columns[index]
        known = self.known(lanes, index) if column.windows or column.listens else None
        if known is not None:
            known.commit()
        if not column.derived:
            series = self.series[(lanes.kind, index)]
            lanes_here = series.lane[series.last]
            column.arrays["values"][lanes_here] = series.value[series.last]
            column.arrays["times"][lanes_here] = series.t[series.last]

    # What was known

    def latest(self, lanes: LaneSet, column: int, points: Points) -> tuple[Float64, Int64]:
        """Return values and times of a column's latest readings at points; nan and NEVER without one."""
        value, time = lanes.latest(column, points.lane)
        series = None if self.kept else self.series.get((lanes.kind, column))
        if series is None:
            return value, time
        place = series.upto(points)
        here = place >= 0
        return np.where(here, series.value[place], value), np.where(here, series.t[place], time)

    def heard(self, lanes: LaneSet, column: int, points: Points) -> Int64:
        """Return the arrivals of a column's latest known readings at points; NEVER without one."""
        arrays = lanes.columns[column].arrays
        if not arrays:
            return np.full(len(points), NEVER, dtype=np.int64)
        heard: Int64 = arrays["heard"][points.lane]
        known = None if self.kept else self.known(lanes, column)
        if known is None:
            return heard
        place = known.series.upto(points)
        return np.where(place >= 0, np.append(known.series.arrival, NEVER)[place], heard)

    def latest_known(self, lanes: LaneSet, column: int, points: Points) -> Latest:
        """Return a column's latest known readings at points."""
        own = lanes.columns[column]
        value, time = own.known(points.lane)
        since = _since(own.arrays, points.lane)
        nowhere = np.full(len(points), -1, dtype=np.int64)
        known = None if self.kept else self.known(lanes, column)
        if known is None or not len(known.series.lane):
            return Latest(value, time, since, nowhere, nowhere)
        series = known.series
        place = series.upto(points)
        here = place >= 0
        return Latest(
            np.where(here, series.value[place], value),
            np.where(here, series.t[place], time),
            np.where(here, known.since[place], since),
            place,
            np.where(here, known.step[place], -1),
        )

    # Where rules look

    def points(self, lanes: LaneSet, own: tuple[int, ...], outer: tuple[int, ...]) -> Points | None:
        """Return where messages bring a reading of one of these columns, None where none does.

        Args:
            lanes: the set whose lanes look.
            own: columns of this set.
            outer: columns of the devices' set; all lanes of a device look at them.
        """
        key = (lanes.kind, own, outer)
        if key not in self._points:
            self._points[key] = self._find(lanes, own, outer)
        return self._points[key]

    def shared(
        self, lanes: LaneSet, own: tuple[int, ...], outer: tuple[int, ...]
    ) -> dict[tuple[Any, ...], Any]:
        """Return where rules that look at the same points keep what they worked out there."""
        return self._shared.setdefault((lanes.kind, own, outer), {})

    def _find(self, lanes: LaneSet, own: tuple[int, ...], outer: tuple[int, ...]) -> Points | None:
        mine = [s for s in (self.series.get((lanes.kind, column)) for column in own) if s is not None]
        theirs = [s for s in (self.series.get(("", column)) for column in outer) if s is not None]
        if lanes.parent is None:
            mine, theirs = theirs, []
        if not mine and not theirs:
            return None
        if len(mine) == 1 and not theirs:
            return self._members(lanes, Points(self, mine[0].lane, mine[0].message, series=mine[0]))
        if lanes.parent is None:
            brings = np.zeros(len(self), dtype=np.bool_)
            for series in mine:
                brings[series.message] = True
            messages = np.flatnonzero(brings)
            return Points(self, self.row[messages], messages)
        span = len(self) + 1
        keys = [series.lane * span + series.message for series in mine]
        if theirs:
            brings = np.zeros(len(self), dtype=np.bool_)
            for series in theirs:
                brings[series.message] = True
            messages = np.flatnonzero(brings)
            children, places = lanes.children(self.row[messages])
            keys.append(children * span + messages[places])
        key = distinct(np.concatenate(keys))
        if not len(key):
            return None
        return self._members(lanes, Points(self, key // span, key % span))

    def everywhere(self, lanes: LaneSet) -> Points:
        """Return `whole` of all lanes of the devices that speak."""
        found = self._whole.get(lanes.kind)
        if found is None:
            children, _ = lanes.children(self.rows)
            found = self._whole[lanes.kind] = self.whole(lanes, np.sort(children))
        return found

    def whole(self, lanes: LaneSet, rows: Int64) -> Points:
        """Return all messages in some lanes of devices that speak, ascending.

        Those of messages at which time did not move on are left out.
        """
        places = np.searchsorted(self.rows, lanes.parents[rows])
        begin, count = self.begins[places], (self.ends - self.begins)[places]
        lane = np.repeat(rows, count)
        message = np.arange(len(lane)) - np.repeat(np.cumsum(count) - count - begin, count)
        newer = self.newer[message]
        if not newer.all():
            lane, message = lane[newer], message[newer]
        return self._members(lanes, Points(self, lane, message))

    def of_devices(self, lanes: LaneSet, rows: Int64) -> Int64:
        """Return those of N lanes, ascending, whose device speaks."""
        parents = lanes.parents[rows]
        places = np.minimum(np.searchsorted(self.rows, parents), len(self.rows) - 1)
        found: Int64 = rows[self.rows[places] == parents]
        return found

    def join(self, points: Points, whole: Points) -> Points:
        """Return the points of both, by lane and in order; those of `whole` alone are not asked for."""
        if not len(whole):
            return points
        span = len(self) + 1
        keys = points.lane * span + points.message
        key = distinct(np.concatenate([keys, whole.lane * span + whole.message]))
        places = np.minimum(np.searchsorted(keys, key), max(len(keys) - 1, 0))
        asked = keys[places] == key if len(keys) else np.zeros(len(key), dtype=np.bool_)
        return Points(self, key // span, key % span, asked=asked)

    def _members(self, lanes: LaneSet, points: Points) -> Points:
        """Leave out lanes that are of another kind, and moments before a lane was there."""
        if lanes.parent is None:
            return points
        keep = lanes.member[points.lane]
        joined = self._member_from.get(lanes.kind)
        if joined and not self.single:
            keep = keep & np.array(
                [
                    joined.get(lane, -1) <= at
                    for lane, at in zip(points.lane.tolist(), points.message.tolist(), strict=True)
                ],
                dtype=np.bool_,
            )
        return points if keep.all() else points.take(keep)
