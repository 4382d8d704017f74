"""changes(x, w): how often the value changed from one reading in the window to the next."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the number of changes, nan without readings, 0 with one."""
    return np.where(window.any(), window.steps.total("changes"), np.nan)


CHANGES = WindowFunction("changes", frozenset({"changes"}), evaluate, takes_text=True, unit="none")
