"""How far rules look back, and how long before a span reading begins so that they see it."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.rulechange import conditions
from rules.expression.tree import Absent, TimesTrue, WindowValue, walk
from rules.model import HeldWay, Rule
from rules.times import DAY_MS

#: The longest warm-up that is chosen by itself. Shipped rules have windows of a year, over counters that
#: nearly never move; a year would be read to fill them for a month that is asked about.
LONGEST_WARM_UP_MS = 7 * DAY_MS
#: How long a value counts whose signal declares no period (contract, section 9).
_FRESHNESS_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class Lookback:
    """What there is before a span.

    Attributes:
        warm_up_ms: how long before it reading begins.
        further: ids of rules that look back further than that, with how far, ms; they see what has come since
            reading began, as if the gateway had been new then.
    """

    warm_up_ms: int
    further: dict[str, int]


def lookback(rules: Iterable[Rule], chosen_ms: int | None) -> Lookback:
    """Return how long a warm-up rules get; `chosen_ms` in place of what is worked out."""
    needs = {rule.id: reach_of(rule) for rule in rules}
    longest = max([_FRESHNESS_MS, *needs.values()])
    warm_up_ms = min(longest, LONGEST_WARM_UP_MS) if chosen_ms is None else chosen_ms
    return Lookback(warm_up_ms, {rule: reach for rule, reach in needs.items() if reach > warm_up_ms})


def reach_of(rule: Rule) -> int:
    """Return how far before a moment a rule's state depends on, ms: its longest window, hold or wait."""
    spans = [rule.hold_ms, rule.clear_hold_ms]
    spans += [
        node.window_ms
        for tree in conditions(rule)
        for node in walk(tree)
        if isinstance(node, WindowValue | TimesTrue | Absent)
    ]
    if rule.flapping is not None:
        spans.append(rule.flapping.window_ms)
    if rule.confirm is not None:
        spans += [way.duration_ms for way in rule.confirm.ways if isinstance(way, HeldWay)]
    return max(spans)
