"""Functions over windows of readings, one a file; this table is all that the language knows of them."""

from rules.functions import (
    average,
    changes,
    count,
    delta,
    flatline,
    forecast,
    increase,
    maximum,
    median,
    minimum,
    quantile,
    rate,
    slope,
    stddev,
    total,
)
from rules.functions.definition import WindowFunction

WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    definition.name: definition
    for definition in (
        average.AVG,
        changes.CHANGES,
        count.COUNT,
        delta.DELTA,
        flatline.FLATLINE,
        forecast.FORECAST,
        increase.INCREASE,
        maximum.MAX,
        median.MEDIAN,
        minimum.MIN,
        quantile.QUANTILE,
        rate.RATE,
        slope.SLOPE,
        stddev.STDDEV,
        total.SUM,
    )
}
