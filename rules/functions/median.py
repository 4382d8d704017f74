"""median(x, w): the middle one of the readings in the window, or the mean of the middle two."""

from rules.batch import Float64
from rules.functions import quantile
from rules.functions.definition import WindowFunction
from rules.windows import WindowView


def evaluate(window: WindowView, window_ms: int, _parameter: float) -> Float64:
    """Return the median, nan without readings."""
    return quantile.evaluate(window, window_ms, 0.5)


MEDIAN = WindowFunction("median", quantile.QUANTILE.needs, evaluate, buckets=quantile.READINGS)
