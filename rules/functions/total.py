"""sum(x, w): sum of the readings in the window."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the sum, nan without readings."""
    return np.where(window.any(), window.readings.total("sum"), np.nan)


SUM = WindowFunction("sum", frozenset({"sum"}), evaluate)
