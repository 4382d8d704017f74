"""Functions over windows of readings, one a file; this table is all that the language knows of them."""

from rules.functions import average, changes, count, delta, increase, maximum, minimum, rate, total
from rules.functions.definition import WindowFunction

WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    definition.name: definition
    for definition in (
        average.AVG,
        changes.CHANGES,
        count.COUNT,
        delta.DELTA,
        increase.INCREASE,
        maximum.MAX,
        minimum.MIN,
        rate.RATE,
        total.SUM,
    )
}
