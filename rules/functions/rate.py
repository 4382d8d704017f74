"""rate(x, w): increase(x, w) a second of the window's length."""

from rules.batch import Float64
from rules.functions import increase
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, window_ms: int, parameter: float) -> Float64:
    """Return the increase a second, nan without readings."""
    return increase.evaluate(window, window_ms, parameter) * (1000.0 / window_ms)


RATE = WindowFunction("rate", increase.INCREASE.needs, evaluate, unit="per second")
