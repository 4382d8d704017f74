"""What a function over a window is to the language."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rules.batch import Float64
from rules.windows import BUCKETS, WindowView


@dataclass(frozen=True, slots=True)
class WindowFunction:
    """A function of the language that looks at a window of readings.

    Attributes:
        name: as written in rules.
        needs: names of the accumulators that must be kept, see `rules.buckets`.
        evaluate: returns [N] float64 from the window, its length in ms and the parameter; nan when unknown.
        takes_text: whether it makes sense of text signals, too.
        type: of the result; booleans are 1.0 and 0.0.
        unit: of the result: that of the signal, none, or that of the signal a second or an hour.
        parameter: what it takes beside signal and window: ``quantile(x, 0.9, 1h)``, ``forecast(x, 1d, 7d)``.
        buckets: into how many parts the window is cut; the memory of a lane grows with those in use.
    """

    name: str
    needs: frozenset[str]
    evaluate: Callable[[WindowView, int, float], Float64]
    takes_text: bool = False
    type: Literal["number", "boolean"] = "number"
    unit: Literal["same", "none", "per second", "per hour"] = "same"
    parameter: Literal["quantile", "ahead"] | None = None
    buckets: int = BUCKETS
