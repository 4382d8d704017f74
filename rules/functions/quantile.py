"""quantile(x, q, w): the value below which a part q of the readings lies, interpolated between two."""

import numpy as np

from rules.batch import Float64
from rules.functions.definition import WindowFunction
from rules.windows import WindowView

#: Readings are kept one by one; of several within a window's 4,000th part the last counts.
READINGS = 4000


def evaluate(window: WindowView, _window_ms: int, parameter: float) -> Float64:
    """Return the quantile `parameter`, nan without readings."""
    buckets = window.readings
    values = np.sort(np.where(buckets.inside, buckets.values("last"), np.inf), axis=1)
    rank = parameter * np.maximum(buckets.inside.sum(axis=1) - 1, 0)
    below, above = np.floor(rank).astype(np.int64), np.ceil(rank).astype(np.int64)
    lanes = np.arange(len(values))
    low, high = values[lanes, below], values[lanes, above]
    return np.where(window.any(), low + (high - low) * (rank - below), np.nan)


QUANTILE = WindowFunction("quantile", frozenset({"last"}), evaluate, parameter="quantile", buckets=READINGS)
