"""What counters do between two readings: they grow, go on from zero after a reset, or wrap."""

import numpy as np

from rules.batch import Float64

#: A counter that falls from the uppermost to the lowest quarter of its range has wrapped, not been reset.
_UPPER, _LOWER = 0.75, 0.25


def steps(before: Float64, after: Float64, wraps: float | None) -> Float64:
    """Return [N] float64: what counters grew by from one reading to the next, never below zero.

    Args:
        before: [N] float64.
        after: [N] float64; a smaller value is a reset, after which it counts from zero.
        wraps: value at which the counter goes on from zero, None when it does not.
    """
    grown = np.where(after >= before, after - before, np.maximum(after, 0.0))
    if wraps is None:
        return grown
    wrapped = (after < before) & (before >= _UPPER * wraps) & (after < _LOWER * wraps)
    return np.where(wrapped, after - before + wraps, grown)
