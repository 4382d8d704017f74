"""A memory module with error correction: single flips happen to all, a weak row keeps flipping."""

from numpy.random import Generator

from simulators.device import Values, Verdict, verdict
from simulators.processes import events

#: Corrected errors an hour of a module whose weak row is at its worst.
_STORM_PER_HOUR = 200.0
#: Single flips an hour of a sound module (cosmic rays): about one a month.
_BACKGROUND_PER_HOUR = 1 / 720


class Dimm:
    """One module.

    Attributes:
        corrected: errors corrected since the machine was made.
        weakness: 0 to 1, how bad its weak row is.
    """

    def __init__(self, rng: Generator, name: str, *, flips_per_hour: float = _BACKGROUND_PER_HOUR) -> None:
        self._rng = rng
        self.name = name
        self._flips_per_hour = flips_per_hour
        self.weakness = 0.0
        self.corrected = int(rng.integers(0, 3))

    def advance(self, weakness: float, dt_s: float) -> None:
        """Run for a while."""
        self.weakness = weakness
        self.corrected += events(self._rng, self._flips_per_hour + _STORM_PER_HOUR * weakness, dt_s)

    def values(self) -> Values:
        """Return the counters by key."""
        return {
            f"memory.corrected_errors@{self.name}": self.corrected,
            f"memory.uncorrected_errors@{self.name}": 0,
        }

    def test(self) -> Verdict:
        """Write patterns and read them back for a while; a weak row flips in that time."""
        flips = round(_STORM_PER_HOUR * self.weakness / 10)
        return verdict(flips == 0, flipped_bits=flips)
