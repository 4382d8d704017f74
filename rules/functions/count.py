"""count(x, w): how many readings the window holds; 0 without any, never unknown."""

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the number of readings."""
    return window.readings.total("count")


COUNT = WindowFunction("count", frozenset({"count"}), evaluate, takes_text=True, unit="none")
