"""The readings of a column that a part of a batch brings, and what windows need of them."""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int64
from rules.buckets import Buckets, Grouped
from rules.functions.counter import steps
from rules.lanes import NEVER, Column
from rules.points import Points
from rules.windows import Window


class Series:
    """The readings of a column, by lane and then by message.

    Attributes:
        lane: [E] int64.
        message: [E] int64, of the part.
        t: [E] int64.
        arrival: [E] int64.
        value: [E] float64.
        retained: [E] bool, of a message that the broker had kept; None where none is.
    """

    def __init__(
        self,
        lane: Int64,
        message: Int64,
        *,
        t: Int64,
        arrival: Int64,
        value: Float64,
        retained: Bool | None = None,
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
            retained: of messages that the broker had kept.
            span: more than there are messages.
            once: each lane is known to stand here once.
        """
        self.lane = lane
        self.message = message
        self.t = t
        self.arrival = arrival
        self.value = value
        self.retained = retained
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
            retained=None if self.retained is None else self.retained[chosen],
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
    """The readings of a column that were no null, with what windows and silences need of them.

    Attributes:
        heard: [E] int64, arrival of the latest of the readings up to this one that was live, which one that
            the broker had kept is not.
        since: [E] int64, time of the first of the readings that equal this one without a break.
        step: [E] int64, the place of the last step up to this reading among the steps, -1 without one.
    """

    def __init__(self, column: Column, series: Series) -> None:
        known = ~np.isnan(series.value)
        self.series = series if known.all() else series.take(known)
        self._column = column
        self._grouped: dict[int, Grouped] = {}
        self.heard = self._live(column) if column.listens else self.series.arrival
        if not column.windows:
            return
        own, kept = self.series, column.arrays
        if own.once:
            self._before_value, self._before_time = column.known(own.lane)
            same = own.value == self._before_value
            self._stepped = ~same & ~np.isnan(self._before_value)
            self.since = (
                np.where(same, equal_since(kept, own.lane), own.t) if "equal_since" in kept else own.t
            )
            self.step = np.where(self._stepped, np.cumsum(self._stepped) - 1, -1)
            return
        self._look_back(own, kept)

    def _live(self, column: Column) -> Int64:
        """Return `heard`."""
        own = self.series
        if own.retained is None:
            return own.arrival
        heard = own.arrival.copy()
        unheard = own.begins & own.retained
        heard[unheard] = column.arrays["heard"][own.lane[unheard]]
        # The last reading that was live, or begins the lane here.
        places = np.where(own.retained & ~own.begins, 0, np.arange(len(heard)))
        return heard[np.maximum.accumulate(places)]

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
        since[begins & same] = equal_since(kept, own.lane[begins & same])
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
            column.arrays["heard"][lanes] = self.heard[last]
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


def equal_since(kept: dict[str, npt.NDArray[Any]], lanes: Int64) -> Int64:
    """Return since when readings of lanes have been equal; NEVER where nobody asks."""
    found = kept.get("equal_since")
    return np.full(len(lanes), NEVER, dtype=np.int64) if found is None else found.take(lanes)
