"""stddev(x, w): standard deviation of the readings in the window, of the population as in Prometheus."""

import numpy as np

from rules.batch import Float64
from rules.functions import moments
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the deviation, nan without readings, 0 with one."""
    return np.sqrt(moments.spread(window))


STDDEV = WindowFunction("stddev", moments.SPREAD, evaluate)
