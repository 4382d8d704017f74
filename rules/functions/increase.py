"""increase(x, w): what a counter grew by between the readings in the window; resets count from zero."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the sum of the positive steps, nan without readings, 0 with one."""
    return np.where(window.any(), window.steps.total("increase"), np.nan)


INCREASE = WindowFunction("increase", frozenset({"increase"}), evaluate)
