"""flatline(x, w): the readings have been equal for at least w, the last of them within w."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, window_ms: int, _parameter: float) -> Float64:
    """Return 1 where the value has stood still since t - w or longer, else 0; nan without readings."""
    stood = window.t - window.equal_since()
    return np.where(window.any(), np.where(stood >= window_ms, 1.0, 0.0), np.nan)


FLATLINE = WindowFunction("flatline", frozenset({"run"}), evaluate, True, "boolean", "none")
