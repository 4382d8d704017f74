"""delta(x, w): the last reading in the window less the first."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the difference, nan without readings, 0 with one."""
    return np.where(window.any(), window.newest() - window.readings.oldest("first"), np.nan)


DELTA = WindowFunction("delta", frozenset({"first"}), evaluate)
