"""increase(x, w): what a counter grew by between the readings in the window; resets count from zero."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the sum of the positive steps, nan without readings, 0 with one."""
    grown = window.total("steps") + window.total("entry_steps") - window.oldest("entry_steps")
    return np.where(window.any(), grown, np.nan)


INCREASE = WindowFunction("increase", frozenset({"steps", "entry_steps"}), evaluate)
