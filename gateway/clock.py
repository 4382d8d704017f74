"""Clocks: the gateway's own time, which stamps arrivals and ends waiting. Device time is in the messages."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the gateway reads the time of arrival."""

    def now(self) -> int:
        """Return ms since 1970 UTC; never less than at the call before."""
        ...


class SystemClock:
    """The machine's clock, held where it is while the machine's is set back."""

    def __init__(self) -> None:
        self._latest = 0

    def now(self) -> int:
        """Return ms since 1970 UTC."""
        self._latest = max(self._latest, time.time_ns() // 1_000_000)
        return self._latest


class ScaledClock:
    """A clock that runs `speed` times as fast as the wall's from a common origin.

    Processes that are given the same origin and speed agree on the time; the demo's gateway and fleet do.

    Attributes:
        origin: ms since 1970 UTC at which scaled and wall time are equal.
    """

    def __init__(self, origin: int, speed: float) -> None:
        self.origin = origin
        self.speed = speed
        self._wall = SystemClock()

    def now(self) -> int:
        """Return scaled ms since 1970 UTC."""
        return self.origin + round((self._wall.now() - self.origin) * self.speed)

    def wall_seconds(self, scaled_ms: float) -> float:
        """Return how many seconds of wall time so many scaled ms take."""
        return scaled_ms / self.speed / 1000


class ManualClock:
    """A clock that is moved by hand: tests and replays."""

    def __init__(self, now: int = 0) -> None:
        self._now = now

    def now(self) -> int:
        """Return ms since 1970 UTC."""
        return self._now

    def move_to(self, instant: int) -> None:
        """Move on; never back."""
        self._now = max(self._now, instant)
