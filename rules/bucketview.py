"""Buckets as functions over windows see them: N lanes, each at a moment of its own."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int64
from rules.buckets import EMPTY, Buckets, Grouped, Pool


class BucketView:
    """The buckets of N lanes, each at a moment of its own.

    Attributes:
        inside: [N, K] bool, the bucket is in the window; the order of buckets means nothing.
    """

    def __init__(
        self, buckets: Buckets, lanes: Int64, t: Int64, grouped: Grouped | None, entry: Int64
    ) -> None:
        """Look at lanes at moments.

        Args:
            buckets: what is kept of them.
            lanes: [N] int64.
            t: [N] int64, moments.
            grouped: entries that are not kept yet.
            entry: [N] int64, the lane's last entry among them, -1 without one.
        """
        self._buckets = buckets
        self._t = t
        self._rings = buckets.rings(lanes)
        self._count = len(lanes)
        self._width = max((pool.size for _, pool, _ in self._rings), default=1)
        self._edge = t - buckets.window_ms
        latest: Int64 = self._of_rings(lambda pool: pool.latest, EMPTY)
        self._grouped = grouped if grouped is not None and bool((entry >= 0).any()) else None
        if self._grouped is not None:
            latest = self._joined(latest, self._grouped, entry)
        self.latest = latest
        self.inside: Bool = latest > self._edge[:, None]
        self._first: npt.NDArray[np.intp] | None = None

    def _of_rings(self, array: Callable[[Pool], npt.NDArray[Any]], fill: float) -> npt.NDArray[Any]:
        """Return [N, K] what stands in the lanes' rings."""
        if len(self._rings) == 1 and self._rings[0][0] is None:
            return array(self._rings[0][1]).take(self._rings[0][2], axis=0)
        example = array(self._rings[0][1]).dtype if self._rings else np.dtype(np.int64)
        found = np.full((self._count, self._width), fill, dtype=example)
        for places, pool, rows in self._rings:
            found[np.arange(self._count) if places is None else places, : pool.size] = array(pool).take(
                rows, axis=0
            )
        return found

    def _joined(self, latest: Int64, grouped: Grouped, entry: Int64) -> Int64:
        """Put the buckets of entries that are not kept yet beside those of the rings."""
        known = entry >= 0
        at = np.where(known, entry, 0)
        group = grouped.group[at]
        oldest = grouped.oldest[group]
        latest_of = grouped.time[grouped.last]
        # How many buckets each moment looks back on, within its window.
        back = np.where(known, group - oldest + 1, 0)
        depth = int(back.max())
        limit = self._buckets.window_ms // self._buckets.width_ms + 2
        depth = min(depth, limit)
        offsets = np.arange(depth)
        self._index = np.maximum(group[:, None] - offsets, 0)
        valid = offsets < back[:, None]
        theirs = np.where(valid, latest_of.take(self._index), EMPTY)
        theirs[:, 0] = np.where(known, grouped.time[at], EMPTY)
        # The lane's newest ring bucket goes on in the batch, so it is seen there.
        gone = np.flatnonzero(known & grouped.merged[oldest])
        for places, pool, rows in self._rings:
            chosen = np.arange(self._count) if places is None else places
            mine = np.isin(chosen, gone, assume_unique=True)
            latest[chosen[mine], pool.head[rows[mine]]] = EMPTY
        self._at = at
        self._newest = grouped.last.take(self._index)  # the entry in which each bucket stands at its end
        return np.concatenate([latest, theirs], axis=1)

    def values(self, name: str) -> Float64:
        """Return [N, K] float64: an accumulator of all buckets, those outside of the window, too."""
        found: Float64 = self._of_rings(lambda pool: pool.values[name], 0.0).astype(np.float64, copy=False)
        grouped = self._grouped
        if grouped is None:
            return found
        theirs = grouped.running[name].take(self._newest)
        theirs[:, 0] = grouped.running[name].take(self._at)
        return np.concatenate([found, theirs], axis=1)

    def total(self, name: str) -> Float64:
        """Return [N] float64: the sum of an accumulator over the window."""
        return self.sum(self.values(name))

    def sum(self, numbers: Float64) -> Float64:
        """Return [N] float64: the sums of what stands in buckets inside the window, of [N, K] numbers."""
        total: Float64 = np.einsum("nk,nk->n", numbers, self._weights)
        if not np.isfinite(total).all():
            # What is outside must not matter, and nothing times infinity is no number.
            total = np.where(self.inside, numbers, 0.0).sum(axis=1)
        return total

    @cached_property
    def _weights(self) -> Float64:
        return self.inside.astype(np.float64)

    def oldest(self, name: str) -> Float64:
        """Return [N] float64: an accumulator of the oldest bucket in the window, nan without one."""
        if self._first is None:
            self._first = np.where(self.inside, self.latest, np.iinfo(np.int64).max).argmin(axis=1)
        rows = np.arange(self._count)
        return np.where(self.inside[rows, self._first], self.values(name)[rows, self._first], np.nan)

    def starts(self) -> Float64:
        """Return [N, K] float64: when the buckets begin, ms relative to the moment of each lane."""
        width = self._buckets.width_ms
        begin = np.where(self.inside, self.latest // width * width, self._t[:, None])
        return np.asarray((begin - self._t[:, None]).astype(np.float64))
