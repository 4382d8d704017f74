"""What a ledger knows of how devices answered self tests."""

from gateway.backtest.answers import REACH_MS, KnownAnswer, known_answers
from gateway.ports import Ledger

_PAGE = 500


def answers_since(ledger: Ledger, start: int) -> list[KnownAnswer]:
    """Return the answers of cases that began a day before `start` (ms) or later."""
    found: list[KnownAnswer] = []
    cursor = None
    while True:
        page = ledger.cases(cursor=cursor, limit=_PAGE)
        found += known_answers(page.items)
        cursor = page.next
        if cursor is None or page.items[-1].onset < start - REACH_MS:
            return found
