"""What the page of the fleet asks, and the answers that its readers share for a moment."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from gateway.api.fleet import (
    DEFAULT_WINDOW,
    GROUPINGS,
    Ask,
    By,
    DelayBarDocument,
    DelayDocument,
    Fleet,
    HealthDocument,
    NoisyRuleDocument,
    OutcomeDocument,
)
from gateway.console.frame import Desk
from gateway.console.links import with_filters
from gateway.console.live import Shared
from rules.times import format_duration, parse_duration

T = TypeVar("T")

WINDOWS = ("7d", "30d", "90d", "365d")
#: Seconds for which an answer serves all who look: what is counted over months does not change faster.
FRESH_FOR = 10.0
#: Answers that are kept; each is of one choice of filters.
MOST_ANSWERS = 64


@dataclass(frozen=True)
class Filters:
    """What the reader chose; ``""`` is every brand."""

    by: By = "model"
    window: str = format_duration(DEFAULT_WINDOW)
    tenant: str = ""

    @classmethod
    def of(cls, *, by: str, window: str, tenant: str) -> "Filters":
        """Return the filters of an address; what it cannot mean is as if it were not there."""
        chosen = next((one for one in GROUPINGS if one == by), cls.by)
        return cls(chosen, window if window in WINDOWS else cls.window, tenant)

    @property
    def ask(self) -> Ask:
        """What is asked for."""
        return Ask(parse_duration(self.window), self.tenant or None)

    def address(self) -> str:
        """Return the page's address with the filters in it."""
        return with_filters("/fleet", by=self.by, window=self.window, tenant=self.tenant)

    def table(self, name: str) -> str:
        """Return where the API gives a table as CSV."""
        by = self.by if name == "health" else ""
        return with_filters(f"/api/v1/fleet/{name}.csv", by=by, window=self.window, tenant=self.tenant)


class Board:
    """Asks for figures, and keeps each answer for `FRESH_FOR` seconds. Calls block."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._answers: dict[Hashable, Shared[Any]] = {}

    @classmethod
    def of(cls, desk: Desk) -> "Board":
        """Return the board of a desk: pages of one reader share it."""
        if desk not in _boards:
            _boards[desk] = cls(Fleet(desk.queries))
        return _boards[desk]

    def health(self, filters: Filters) -> list[HealthDocument]:
        """Return devices by what makes them alike."""
        ask, by = filters.ask, filters.by
        return self._shared(("health", ask, by), lambda: self._fleet.health(ask, by))

    def rules(self, filters: Filters) -> list[NoisyRuleDocument]:
        """Return what became of cases by rule."""
        ask = filters.ask
        return self._shared(("rules", ask), lambda: self._fleet.rules(ask))

    def outcomes(self, filters: Filters) -> list[OutcomeDocument]:
        """Return what orders came to by fault."""
        ask = filters.ask
        return self._shared(("outcomes", ask), lambda: self._fleet.outcomes(ask))

    def delays(self, filters: Filters) -> tuple[list[DelayDocument], list[DelayBarDocument]]:
        """Return the time from first suspicion to order, by fault and as bars."""
        ask = filters.ask
        return self._shared(("delays", ask), lambda: (self._fleet.delays(ask), self._fleet.delay_bars(ask)))

    def _shared(self, key: Hashable, ask: Callable[[], T]) -> T:
        if key not in self._answers:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            self._answers[key] = Shared(ask, seconds=FRESH_FOR)
        answer: T = self._answers[key].get()
        return answer


_boards: WeakKeyDictionary[Desk, Board] = WeakKeyDictionary()
