"""avg(x, w): arithmetic mean of the readings in the window."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the mean, nan without readings."""
    count = window.readings.total("count")
    return np.where(count > 0, window.readings.total("sum") / np.maximum(count, 1.0), np.nan)


AVG = WindowFunction("avg", frozenset({"count", "sum"}), evaluate)
