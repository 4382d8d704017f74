"""Means and spreads over a window, from sums that are kept bucket by bucket.

A bucket keeps its sums relative to its own first value and its own beginning, so that nothing cancels when
values are large and differ little; here they are put together around the mean of the whole window (Chan,
Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances, 1979).
"""

from dataclasses import dataclass

import numpy as np

from rules.batch import Float64
from rules.bucketview import BucketView
from rules.windows import WindowView

#: What `spread` needs, and `line` beside it.
SPREAD = frozenset({"count", "first", "dx", "dxx"})
LINE = frozenset({"count", "first", "dx", "dt", "dtt", "dtx"})


def spread(window: WindowView) -> Float64:
    """Return [N] float64: variance of the readings (of the population), nan without any."""
    buckets = window.readings
    n, mean, means = _centre(buckets)
    dx = buckets.values("dx")
    within = buckets.values("dxx") - dx * dx / n
    squares = buckets.sum(within + n * (means - mean[:, None]) ** 2)
    count = buckets.total("count")
    return np.where(count > 0, np.maximum(squares, 0.0) / np.maximum(count, 1.0), np.nan)


@dataclass(frozen=True, slots=True)
class Line:
    """The least-squares line through the readings of N windows.

    Attributes:
        slope: [N] float64, a ms; nan below three readings, or when they are of one moment.
        mean: [N] float64, value at `middle`.
        middle: [N] float64, ms relative to the moment of evaluation.
    """

    slope: Float64
    mean: Float64
    middle: Float64


def line(window: WindowView) -> Line:
    """Fit a line through the readings of each window."""
    buckets = window.readings
    n, mean, means = _centre(buckets)
    count = buckets.total("count")
    dt = buckets.values("dt")
    times = buckets.starts() + dt / n
    middle = buckets.sum(n * times) / np.maximum(count, 1.0)
    away = times - middle[:, None]
    apart_t = buckets.values("dtt") - dt * dt / n + n * away**2
    apart_x = buckets.values("dtx") - dt * buckets.values("dx") / n + n * away * (means - mean[:, None])
    square, product = buckets.sum(apart_t), buckets.sum(apart_x)
    known = (count >= 3) & (square > 0.0)
    slope = np.where(known, product / np.where(known, square, 1.0), np.nan)
    return Line(slope, mean, middle)


def _centre(buckets: BucketView) -> tuple[Float64, Float64, Float64]:
    """Return counts and means of the buckets [N, K], and the mean of all [N]."""
    n = np.where(buckets.inside, buckets.values("count"), 1.0)
    means = buckets.values("first") + buckets.values("dx") / n
    origin = buckets.oldest("first")
    count = np.maximum(buckets.total("count"), 1.0)
    offset = buckets.sum(n * (means - origin[:, None])) / count
    return n, origin + offset, means
