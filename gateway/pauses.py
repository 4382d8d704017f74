"""Pauses between attempts: they grow, and no two processes keep in step."""

import random

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds


class Pauses:
    """The pauses of one thing that is tried again until it succeeds."""

    def __init__(self, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> None:
        """Begin with `first` seconds; each further pause is twice as long, up to `longest`."""
        self._first = first
        self._longest = longest
        self._pause = first

    def take(self) -> float:
        """Return how many seconds to wait now: any time up to the pause, so that a thousand spread evenly.

        Full jitter: of the ways to spread attempts it makes the fewest of them (M. Brooker, "Exponential
        Backoff And Jitter", AWS Architecture Blog, 2015).
        """
        pause, self._pause = self._pause, min(2 * self._pause, self._longest)
        return _jittered(pause)

    def reset(self) -> None:
        """Begin anew: it succeeded."""
        self._pause = self._first


def pause_after(failed: int, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> float:
    """Return the pause (s) after so many failed attempts, 1 or more, where only these are counted."""
    return _jittered(min(first * 2.0 ** min(failed - 1, 64), longest))


def _jittered(pause: float) -> float:
    return random.uniform(0, pause)  # noqa: S311  (no secret; spreads attempts)
