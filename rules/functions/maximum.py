"""max(x, w): largest reading in the window."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the maximum, nan without readings."""
    buckets = window.readings
    largest = np.where(buckets.inside, buckets.values("max"), -np.inf).max(axis=1)
    return np.where(window.any(), largest, np.nan)


MAX = WindowFunction("max", frozenset({"max"}), evaluate)
