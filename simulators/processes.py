"""Small stochastic and physical processes that the device models are put together from."""

import math

from numpy.random import Generator


def relax(value: float, target: float, dt_s: float, tau_s: float) -> float:
    """Return where a first-order system that starts at `value` stands after `dt_s` seconds.

    Exact for any step, so a long step never overshoots.

    >>> round(relax(20.0, 60.0, 300.0, 300.0), 1)
    45.3
    """
    return target + (value - target) * math.exp(-dt_s / tau_s)


def clamp(value: float, low: float, high: float) -> float:
    """Return the value, or the bound that it passed."""
    return low if value < low else high if value > high else value


def events(rng: Generator, rate_per_hour: float, dt_s: float) -> int:
    """Return how many events of a Poisson process of that rate happen in `dt_s` seconds."""
    return int(rng.poisson(rate_per_hour * dt_s / 3600)) if rate_per_hour > 0 else 0


class Wander:
    """A quantity that wanders about its mean: an Ornstein-Uhlenbeck process, exact for any step.

    Attributes:
        value: where it stands now.
        mean: what it returns to; may be moved.
        spread: standard deviation in the long run.
        tau_s: how long it remembers, in seconds.
    """

    def __init__(self, rng: Generator, *, mean: float, spread: float, tau_s: float) -> None:
        self._rng = rng
        self.mean = mean
        self.spread = spread
        self.tau_s = tau_s
        self.value = mean + spread * float(rng.standard_normal())

    def advance(self, dt_s: float) -> float:
        """Let time pass and return the new value."""
        kept = math.exp(-dt_s / self.tau_s)
        push = self.spread * math.sqrt(1 - kept * kept)
        self.value = self.mean + (self.value - self.mean) * kept + push * float(self._rng.standard_normal())
        return self.value


class Habit:
    """What somebody does for a while before doing something else: one of several levels, drawn anew.

    Attributes:
        level: the present one.
    """

    def __init__(self, rng: Generator, *, levels: dict[float, float], mean_s: float) -> None:
        """Draw the first level.

        Args:
            rng: source of chance.
            levels: level -> how often it is chosen, relative to the others.
            mean_s: how long one lasts on average, in seconds.
        """
        self._rng = rng
        total = sum(levels.values())
        self._levels = [(level, weight / total) for level, weight in levels.items()]
        self._mean_s = mean_s
        self._left_s = 0.0
        self.level = 0.0
        self._draw()

    def advance(self, dt_s: float) -> float:
        """Let time pass and return the level."""
        self._left_s -= dt_s
        if self._left_s <= 0:
            self._draw()
        return self.level

    def _draw(self) -> None:
        at = float(self._rng.random())
        for level, share in self._levels:
            self.level = level
            at -= share
            if at < 0:
                break
        self._left_s = float(self._rng.exponential(self._mean_s))
