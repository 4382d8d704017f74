"""What a function over a window is."""

from collections.abc import Callable
from dataclasses import dataclass

from rules.batch import Float64
from rules.windows import WindowView


@dataclass(frozen=True, slots=True)
class WindowFunction:
    """A function over the readings in a window.

    Attributes:
        name: as rules spell it.
        needs: the accumulators that it is computed from, names that `rules.windows` knows.
        evaluate: from a view of N lanes and the window in ms to [N] float64, nan where unknown.
        takes_text: whether it makes sense over a text signal.
    """

    name: str
    needs: frozenset[str]
    evaluate: Callable[[WindowView, int], Float64]
    takes_text: bool = False
