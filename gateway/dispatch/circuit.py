"""The circuit of a target: one that fails again and again is only probed now and then."""

from gateway.pauses import Pauses

#: Seconds between probes: the first pause and the longest.
FIRST_PROBE, LONGEST_PROBE = 5.0, 300.0


class Circuit:
    """Says how many deliveries may be under way to one target.

    Args:
        most: deliveries at a time while all is well.
        failures: in a row after which it opens.
        pauses: between probes.
    """

    def __init__(self, most: int, failures: int, pauses: Pauses) -> None:
        self._most = most
        self._limit = failures
        self._pauses = pauses
        self._failures = 0
        self._not_before = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it is only probed."""
        return self._failures >= self._limit

    def room(self, now: float, under_way: int) -> int:
        """Return how many more may begin at `now` (s, of any origin): one probe where it is open."""
        if now < self._not_before:
            return 0
        return max((1 if self.is_open else self._most) - under_way, 0)

    def answered(self) -> bool:
        """The target answered, be it that it refuses an event; returns whether that closes the circuit."""
        was_open = self.is_open
        self._failures = 0
        self._pauses.reset()
        return was_open

    def failed(self, now: float) -> float | None:
        """It failed; returns the pause (s) until the next probe when that opens the circuit or keeps it so.

        None for failures that do not: too few yet, or of deliveries that began before it was opened.
        """
        self._failures += 1
        if not self.is_open or now < self._not_before:
            return None
        pause = self._pauses.take()
        self._not_before = now + pause
        return pause

    def hold(self, now: float, seconds: float) -> None:
        """Leave the target alone for so long: it asked for that."""
        self._not_before = max(self._not_before, now + seconds)
