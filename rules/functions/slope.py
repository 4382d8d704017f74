"""slope(x, w): slope of the least-squares line through the readings, in units an hour."""

from rules.batch import Float64
from rules.functions import moments
from rules.functions.definition import WindowFunction
from rules.times import HOUR_MS
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, _parameter: float) -> Float64:
    """Return the slope, nan below three readings."""
    return moments.line(window).slope * HOUR_MS


SLOPE = WindowFunction("slope", moments.LINE, evaluate, unit="per hour")
