"""Readings of the recent past, in buckets: what functions over windows are computed from.

A window of w ms is kept as buckets of w/60, at most 61 of which reach into it. A bucket is in the window
when its latest reading is, so the older edge is exact to w/60, and exact to the millisecond wherever
readings are further apart than that. Memory a lane: K buckets of (2 + accumulators) numbers of 8 bytes,
where K grows by doubling with the readings that do fall into the window, up to 64.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int64

BUCKETS = 60
_MOST_SLOTS = 64
_NEVER = np.iinfo(np.int64).min


def total(buckets: Float64) -> Float64:
    """Return [N] float64: the sums of [J, N] buckets."""
    return np.asarray(buckets.sum(axis=0))


class WindowView:
    """The buckets of N lanes as a function over a window (t - w, t] sees them.

    Attributes:
        inside: [N, K] bool, the bucket is in the window.
    """

    def __init__(self, window: "Window", lanes: Int64, t: Int64) -> None:
        self._window = window
        self._lanes = lanes
        self.inside: Bool = window.latest[lanes] > (t - window.window_ms)[:, None]
        self._oldest: npt.NDArray[np.intp] | None = None

    def any(self) -> Bool:
        """Return [N] bool: the window holds a reading."""
        return np.asarray(self.inside.any(axis=1))

    def buckets(self, name: str) -> Float64:
        """Return [N, K] float64: an accumulator of all buckets, those outside of the window, too."""
        return self._window.accumulators[name][self._lanes]

    def total(self, name: str) -> Float64:
        """Return [N] float64: the sum of an accumulator over the window."""
        return np.asarray(np.where(self.inside, self.buckets(name), 0.0).sum(axis=1))

    def oldest(self, name: str) -> Float64:
        """Return [N] float64: an accumulator of the oldest bucket in the window, nan without one."""
        if self._oldest is None:
            number = self._window.number[self._lanes]
            self._oldest = np.where(self.inside, number, np.iinfo(np.int64).max).argmin(axis=1)
        return self._at(self._oldest, name)

    def newest(self, name: str) -> Float64:
        """Return [N] float64: an accumulator of the newest bucket in the window, nan without one."""
        return self._at(self._window.head[self._lanes], name)

    def _at(self, slot: npt.NDArray[np.intp] | Int64, name: str) -> Float64:
        inside = self.inside[np.arange(len(slot)), slot]
        return np.where(inside, self._window.accumulators[name][self._lanes, slot], np.nan)


class Window:
    """The buckets of one signal and one length of window, for all lanes of a set."""

    def __init__(self, window_ms: int, accumulators: frozenset[str], capacity: int) -> None:
        self.window_ms = window_ms
        self.width_ms = max(1, window_ms // BUCKETS)
        self.number = np.full((capacity, 2), _NEVER, dtype=np.int64)
        self.latest = np.full((capacity, 2), _NEVER, dtype=np.int64)
        self.head = np.zeros(capacity, dtype=np.int64)
        self.previous = np.full(capacity, np.nan)
        self.accumulators = {name: np.zeros((capacity, 2)) for name in sorted(accumulators)}

    def grow(self, capacity: int) -> None:
        """Make room for more lanes."""
        more = capacity - len(self.head)
        self.number = np.pad(self.number, ((0, more), (0, 0)), constant_values=_NEVER)
        self.latest = np.pad(self.latest, ((0, more), (0, 0)), constant_values=_NEVER)
        self.head = np.pad(self.head, (0, more))
        self.previous = np.pad(self.previous, (0, more), constant_values=np.nan)
        for name, array in self.accumulators.items():
            self.accumulators[name] = np.pad(array, ((0, more), (0, 0)))

    def reshape(self, slots: int) -> None:
        """Give an empty window so many slots a lane, as many as a saved one has."""
        capacity = len(self.head)
        self.number = np.full((capacity, slots), _NEVER, dtype=np.int64)
        self.latest = np.full((capacity, slots), _NEVER, dtype=np.int64)
        self.accumulators = {name: np.zeros((capacity, slots)) for name in self.accumulators}

    def forget(self, lanes: Int64) -> None:
        """Start anew: the part behind these lanes was exchanged."""
        self.number[lanes] = _NEVER
        self.latest[lanes] = _NEVER
        self.previous[lanes] = np.nan

    def add(self, lanes: Int64, ts: Int64, value: Float64) -> None:
        """Take in one reading for each of N different lanes, none older than the lane's last."""
        number = ts // self.width_ms
        same = self.number[lanes, self.head[lanes]] == number
        fresh = ~same
        if fresh.any():
            self._open(lanes[fresh], number[fresh], ts[fresh])
        head = self.head[lanes]
        self.latest[lanes, head] = ts
        previous = self.previous[lanes]
        for name, array in self.accumulators.items():
            rule = _ACCUMULATORS[name]
            joined = rule.joined(array[lanes, head], previous, value)
            array[lanes, head] = np.where(fresh, rule.opened(previous, value), joined)
        self.previous[lanes] = value

    def _open(self, lanes: Int64, number: Int64, ts: Int64) -> None:
        """Give lanes a new bucket in the slot after their newest, in a larger ring where that is in use."""
        slots = self.number.shape[1]
        head = (self.head[lanes] + 1) % slots
        if slots < _MOST_SLOTS and (self.latest[lanes, head] > ts - self.window_ms).any():
            self._widen()
            head = (self.head[lanes] + 1) % self.number.shape[1]
        self.head[lanes] = head
        self.number[lanes, head] = number

    def _widen(self) -> None:
        """Double the slots. Each lane's ring is turned so that its newest bucket comes to slot K - 1."""
        lanes, slots = self.number.shape
        turn = (self.head[:, None] + 1 + np.arange(slots)) % slots
        rows = np.arange(lanes)[:, None]
        widen = ((0, 0), (0, slots))
        self.number = np.pad(self.number[rows, turn], widen, constant_values=_NEVER)
        self.latest = np.pad(self.latest[rows, turn], widen, constant_values=_NEVER)
        for name, array in self.accumulators.items():
            self.accumulators[name] = np.pad(array[rows, turn], widen)
        self.head[:] = slots - 1


def _step(previous: Float64, value: Float64) -> Float64:
    """Return what a counter grew by: after a reset, a smaller value, it counts from zero."""
    step = np.where(value < previous, value, value - previous)
    return np.where(np.isnan(previous), 0.0, step)


def _changed(previous: Float64, value: Float64) -> Float64:
    """Return 1 where a reading differs from the one before it, 0 where there was none before."""
    return np.where((value != previous) & ~np.isnan(previous), 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Accumulator:
    """How a number of a bucket follows from the reading before (`previous`) and the new one (`value`)."""

    opened: Callable[[Float64, Float64], Float64]  # the new one is the first of its bucket
    joined: Callable[[Float64, Float64, Float64], Float64]  # it joins a bucket that holds `current`


#: What happened on the way from the bucket before is kept apart (``entry_...``), because it is not inside
#: the window when the bucket is the window's oldest.
_ACCUMULATORS = {
    "count": _Accumulator(lambda _, value: np.ones_like(value), lambda current, _, __: current + 1.0),
    "sum": _Accumulator(lambda _, value: value, lambda current, _, value: current + value),
    "min": _Accumulator(lambda _, value: value, lambda current, _, value: np.minimum(current, value)),
    "max": _Accumulator(lambda _, value: value, lambda current, _, value: np.maximum(current, value)),
    "first": _Accumulator(lambda _, value: value, lambda current, _, __: current),
    "last": _Accumulator(lambda _, value: value, lambda _, __, value: value),
    "steps": _Accumulator(
        lambda _, value: np.zeros_like(value),
        lambda current, previous, value: current + _step(previous, value),
    ),
    "entry_steps": _Accumulator(_step, lambda current, _, __: current),
    "changes": _Accumulator(
        lambda _, value: np.zeros_like(value),
        lambda current, previous, value: current + _changed(previous, value),
    ),
    "entry_changes": _Accumulator(_changed, lambda current, _, __: current),
}
