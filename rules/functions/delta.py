"""delta(x, w): the last reading in the window less the first."""

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the difference, nan without readings, 0 with one."""
    return window.newest("last") - window.oldest("first")


DELTA = WindowFunction("delta", frozenset({"first", "last"}), evaluate)
