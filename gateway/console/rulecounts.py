"""Cases and orders of the last 30 days by rule, as one reader may see them."""

from dataclasses import dataclass, field

from gateway.api.queries import Queries
from rules.times import DAY_MS

DAYS = 30
_PAGE = 1_000
#: Cases that are gone through; a fleet that has more of them in 30 days has another trouble.
_MOST = 50_000


@dataclass(slots=True)
class RuleCounts:
    """By rule: cases that it suspected first, and those of them that came to an order.

    Attributes:
        more: there were more cases than are gone through; the counts are of the latest.
    """

    cases: dict[str, int] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    more: bool = False


def count_by_rule(queries: Queries) -> RuleCounts:
    """Count the cases that began within the last 30 days."""
    since = queries.now() - DAYS * DAY_MS
    counts, cursor, seen = RuleCounts(), None, 0
    while True:
        page = queries.cases(cursor=cursor, limit=_PAGE)
        for case in page.items:
            if case.onset < since:
                return counts
            counts.cases[case.rule] = counts.cases.get(case.rule, 0) + 1
            if case.order_id is not None:
                counts.orders[case.rule] = counts.orders.get(case.rule, 0) + 1
        seen += len(page.items)
        cursor = page.next
        if cursor is None:
            return counts
        if seen >= _MOST:
            counts.more = True
            return counts
