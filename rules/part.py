"""The messages of one class that an engine takes at once, and what was known at each of them.

Messages stand by device and then in their order, and so a column's readings are one sorted series: what a
lane knew at a moment is found in it, or else in what was kept before. Where no device speaks twice, there is
nothing to find: the readings are kept first, and what is kept is what was known.
"""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int64
from rules.lanes import NEVER, LaneSet
from rules.points import Points
from rules.series import KnownSeries, Series, equal_since
from rules.windows import Latest


def distinct(numbers: Int64) -> Int64:
    """Return the different ones of numbers, ascending; for our sizes this is faster than `np.unique`."""
    ranked = np.sort(numbers)
    found: Int64 = ranked[np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)]]
    return found


class Part:
    """The messages of one class that are taken at once, N of them.

    Attributes:
        row: [N] int64, the device's row, ascending.
        t: [N] int64, device time, never decreasing for a device.
        arrival: [N] int64.
        position: [N] int64, row in the batch, ascending for a device.
        newer: [N] bool, device time has moved on since the device's message before.
        retained: [N] bool, the broker had kept the message: its device is not heard by it; None where no
            message was kept.
        kept: whether the readings are in the lane sets already, which is when no device speaks twice and no
            signal fell silent before a message.
    """

    def __init__(
        self,
        row: Int64,
        t: Int64,
        arrival: Int64,
        position: Int64,
        newer: Bool,
        *,
        retained: Bool | None = None,
    ) -> None:
        self.row = row
        self.t = t
        self.arrival = arrival
        self.position = position
        self.newer = newer
        self.retained = retained
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
            lane,
            message,
            t=t,
            arrival=arrival,
            value=value,
            retained=None if self.retained is None else self.retained[message],
            span=len(self) + 1,
            once=self.single,
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
        return np.where(place >= 0, np.append(known.heard, NEVER)[place], heard)

    def latest_known(self, lanes: LaneSet, column: int, points: Points) -> Latest:
        """Return a column's latest known readings at points."""
        own = lanes.columns[column]
        value, time = own.known(points.lane)
        since = equal_since(own.arrays, points.lane)
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
