"""min(x, w): smallest reading in the window."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the minimum, nan without readings."""
    buckets = window.readings
    smallest = np.where(buckets.inside, buckets.values("min"), np.inf).min(axis=1)
    return np.where(window.any(), smallest, np.nan)


MIN = WindowFunction("min", frozenset({"min"}), evaluate)
