"""What functions over windows see: the readings of lanes up to a moment, each lane at its own."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rules.batch import Bool, Float64, Int64
from rules.buckets import Buckets, Grouped
from rules.bucketview import BucketView

#: Into how many parts a window is cut, contract section 9.
BUCKETS = 60
#: Accumulators that are joined from steps between successive readings; a step that changes nothing says
#: nothing, so counters that stand still cost no bucket.
STEPS = frozenset({"increase", "changes"})
#: What a column keeps of its latest reading, for any window.
_OF_LATEST = frozenset({"run"})


class Window:
    """What is kept for the functions over one length of window of a signal.

    Attributes:
        readings: joined from readings, by their time; None when no function asks for it.
        steps: joined from steps, by the time of the reading before the step: a step is between two readings
            in the window when the earlier one is in it.
        runs: whether a function asks since when readings have been equal.
    """

    def __init__(self, window_ms: int, parts: int, needs: frozenset[str]) -> None:
        self.window_ms = window_ms
        self.runs = "run" in needs
        self.readings: Buckets | None = None
        self.steps: Buckets | None = None
        if of_readings := needs - STEPS - _OF_LATEST:
            self.readings = Buckets(window_ms, parts, of_readings)
        if of_steps := needs & STEPS:
            self.steps = Buckets(window_ms, parts, of_steps)

    @property
    def kept(self) -> tuple[tuple[str, Buckets], ...]:
        """The buckets that there are, by name."""
        pairs = (("readings", self.readings), ("steps", self.steps))
        return tuple((name, buckets) for name, buckets in pairs if buckets is not None)


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest known readings of N lanes of a column, each at its moment.

    Attributes:
        value: [N] float64, nan where there was none.
        time: [N] int64.
        since: [N] int64, time of the first of the readings that equal it without a break.
        entry: [N] int64, its place among the readings of the batch, -1 where it was kept before.
        stepped: [N] int64, the place of the last step up to it among the steps of the batch, or -1.
    """

    value: Float64
    time: Int64
    since: Int64
    entry: Int64
    stepped: Int64

    def part(self, places: slice) -> "Latest":
        """Return some of the lanes."""
        return Latest(
            self.value[places],
            self.time[places],
            self.since[places],
            self.entry[places],
            self.stepped[places],
        )


@dataclass(frozen=True, slots=True)
class Unkept:
    """What a part brings to a window and is not kept yet, joined into buckets; None where nothing is."""

    readings: Grouped | None = None
    steps: Grouped | None = None


class WindowView:
    """N lanes as a function over a window (t - w, t] sees them.

    Attributes:
        t: [N] int64, the moments.
    """

    def __init__(self, window: Window, lanes: Int64, t: Int64, latest: Latest, unkept: Unkept) -> None:
        self._window = window
        self._lanes = lanes
        self.t = t
        self._latest = latest
        self._unkept = unkept

    @cached_property
    def readings(self) -> BucketView:
        """The buckets of readings."""
        assert self._window.readings is not None
        return BucketView(
            self._window.readings, self._lanes, self.t, self._unkept.readings, self._latest.entry
        )

    @cached_property
    def steps(self) -> BucketView:
        """The buckets of steps."""
        assert self._window.steps is not None
        return BucketView(self._window.steps, self._lanes, self.t, self._unkept.steps, self._latest.stepped)

    def any(self) -> Bool:
        """Return [N] bool: the window holds a reading."""
        return np.asarray(self._latest.time > self.t - self._window.window_ms)

    def newest(self) -> Float64:
        """Return [N] float64: the latest reading."""
        return self._latest.value

    def equal_since(self) -> Int64:
        """Return [N] int64: time of the first of the readings that equal the latest without a break."""
        return self._latest.since
