"""Limits on how often somebody may ask: logins that fail pause, messages by HTTP draw from a bucket."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: Names and addresses that are remembered; the one that was longest quiet is forgotten first.
MOST_KEPT = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    until: float


class Pauses:
    """Who failed too often has to wait, twice as long with every further failure.

    Args:
        free: failures before the first pause.
        first: s of the first pause.
        longest: s of the longest one; after so long without a failure all is forgotten.
        now: tells the time, s.
    """

    def __init__(self, *, free: int, longest: float, now: Callable[[], float], first: float = 1.0) -> None:
        self._free = free
        self._first = first
        self._longest = longest
        self._now = now
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait(self, key: str) -> float:
        """Return for how many seconds a key has to wait; 0 when it may go on."""
        found = self._failures.get(key)
        return 0.0 if found is None else max(0.0, found.until - self._now())

    def attempt(self, key: str) -> None:
        """Count an attempt as failed until it is known not to have; so those at one time all count."""
        now = self._now()
        found = self._failures.pop(key, None)
        if found is None or now - found.last > self._longest:
            found = _Failures(0, now, now)
        found.count += 1
        found.last = now
        if found.count >= self._free:
            doublings = min(found.count - self._free, 30)
            found.until = now + min(self._longest, self._first * 2**doublings)
        self._failures[key] = found
        if len(self._failures) > MOST_KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    def take_back(self, key: str) -> None:
        """Let the last attempt not count."""
        if (found := self._failures.get(key)) is not None:
            found.count -= 1
            found.until = self._now()


class Buckets:
    """A bucket of permits for each key, filled at a steady rate (a token bucket).

    Args:
        rate: permits a second.
        burst: permits that a full bucket holds.
        now: tells the time, s.
    """

    def __init__(self, *, rate: float, burst: int, now: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._now = now
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take a permit and return 0, or return for how many seconds there is none."""
        now = self._now()
        level, since = self._levels.pop(key, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        wait = 0.0 if level >= 1 else (1 - level) / self._rate
        self._levels[key] = (level - 1 if wait == 0 else level, now)
        if len(self._levels) > MOST_KEPT:
            self._levels.popitem(last=False)
        return wait
