"""forecast(x, w, ahead): value of the line of `slope` so long after the moment of evaluation."""

from rules.batch import Float64
from rules.functions import moments
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, _window_ms: int, parameter: float) -> Float64:
    """Return the value `parameter` ms ahead, nan below three readings."""
    line = moments.line(window)
    return line.mean + line.slope * (parameter - line.middle)


FORECAST = WindowFunction("forecast", moments.LINE, evaluate, parameter="ahead")
