"""Means and spreads over a window, from sums that are kept bucket by bucket.

A bucket keeps its sums relative to its own first value and its own beginning, so that nothing cancels when
values are large and differ little; here they are put together around the mean of the whole window (Chan,
Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances, 1979).
"""

from dataclasses import dataclass

import numpy as np

from rules.batch import Float64
from rules.windows import WindowView, total

#: What `spread` needs, and `line` beside it.
SPREAD = frozenset({"count", "first", "dx", "dxx"})
LINE = frozenset({"count", "first", "dx", "dt", "dtt", "dtx"})


def spread(window: WindowView) -> Float64:
    """Return [N] float64: variance of the readings (of the population), nan without any."""
    n, mean, means = _centre(window)
    dx = window.buckets("dx")
    within = window.buckets("dxx") - dx * dx / n
    squares = total(np.where(window.inside, within + n * (means - mean) ** 2, 0.0))
    count = window.total("count")
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
    n, mean, means = _centre(window)
    count = window.total("count")
    dt = window.buckets("dt")
    times = window.starts() + dt / n
    middle = total(np.where(window.inside, n * times, 0.0)) / np.maximum(count, 1.0)
    apart_t = window.buckets("dtt") - dt * dt / n + n * (times - middle) ** 2
    apart_x = window.buckets("dtx") - dt * window.buckets("dx") / n + n * (times - middle) * (means - mean)
    square = total(np.where(window.inside, apart_t, 0.0))
    product = total(np.where(window.inside, apart_x, 0.0))
    known = (count >= 3) & (square > 0.0)
    slope = np.where(known, product / np.where(known, square, 1.0), np.nan)
    return Line(slope, mean, middle)


def _centre(window: WindowView) -> tuple[Float64, Float64, Float64]:
    """Return counts and means of the buckets [J, N], and the mean of all [N]."""
    n = np.where(window.inside, window.buckets("count"), 1.0)
    means = window.buckets("first") + window.buckets("dx") / n
    origin = window.oldest("first")
    count = np.maximum(window.total("count"), 1.0)
    offset = total(np.where(window.inside, n * (means - origin), 0.0)) / count
    return n, origin + offset, means
