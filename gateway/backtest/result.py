"""The result of a backtest: both sides, what differs between them, and how they stand against the truth."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

import msgspec

from gateway.backtest.figures import BacktestOrder, Figures, owners_of, stands
from gateway.backtest.frames import Report
from gateway.backtest.lookback import Lookback
from gateway.backtest.plan import Backtest, Labelled
from gateway.history.span import Span
from gateway.rulechange import RuleChange
from rules.fingerprint import fingerprint
from rules.loader import RuleSet
from rules.model import Rule
from rules.times import to_rfc3339

DifferenceKind = Literal["only_today", "only_candidate", "moved"]


class Score(msgspec.Struct, frozen=True):
    """How orders hit the truth.

    Attributes:
        injected: labelled faults that began within the span.
        ordered: of these, those with an order.
        true_orders: orders that a labelled fault explains which had begun.
        false_orders: the others.
        precision: share of orders that are true; None without orders.
        recall: share of faults with an order; None without faults.
        median_delay_s: from onset to first order, of faults within the span; None without any.
    """

    injected: int
    ordered: int
    true_orders: int
    false_orders: int
    precision: float | None
    recall: float | None
    median_delay_s: float | None


class Probes(msgspec.Struct, frozen=True):
    """Self tests that the rules would have asked for, by what is known of their answers.

    Attributes:
        asked: in all.
        answered: the device answered this very question.
        assumed: taken to have come out as the same test did within a day of it.
        unanswered: nobody knows; taken as not answered.
    """

    asked: int
    answered: int
    assumed: int
    unanswered: int


class SideResult(msgspec.Struct, frozen=True):
    """What came of one rule set.

    Attributes:
        rules: how many.
        cases: suspected within the span, by state at its end.
        cases_by_rule: the same, by the rule that suspected first.
        no_orders: cases of these without an order, by reason.
        orders: opened within the span.
        cancelled: of these, cancelled again by its end.
        orders_by_fault: codes, most first.
        parts: sent.
        value: of the parts, by currency.
        unpriced: orders with parts whose value is not known.
        owners: contacted, each once.
        probes: self tests.
        refused: words of people that were about no case that there would have been.
        score: against the truth, where there is one.
    """

    rules: int
    cases: dict[str, int]
    cases_by_rule: dict[str, int]
    no_orders: dict[str, int]
    orders: int
    cancelled: int
    orders_by_fault: dict[str, int]
    orders_by_rule: dict[str, int]
    parts: int
    value: dict[str, float]
    unpriced: int
    owners: int
    probes: Probes
    refused: int
    score: Score | None = None


class Difference(msgspec.Struct, frozen=True):
    """An order that only one side has, or that both have at different times.

    Attributes:
        device: ``tenant/class/device``.
        today: when it is opened under today's rules, RFC 3339.
        candidate: the same under the others.
        moved_s: seconds by which it comes later under the others; negative: earlier.
        why: what was seen and what confirmed it, on the side that has it; the candidate's where both do.
        rule: that confirmed it there.
    """

    kind: DifferenceKind
    device: str
    component: str
    fault: str
    title: str
    rule: str
    today: str | None
    candidate: str | None
    moved_s: float | None
    why: str


class BacktestResult(msgspec.Struct, frozen=True):
    """What a backtest found out. Instants are RFC 3339.

    Attributes:
        start: from here on counts, by arrival; so is `to`, excluded.
        warm_up_from: reading began here.
        messages: read, those of the warm-up among them.
        devices: that spoke.
        evaluated: rules that were evaluated, each that both sides have once.
        looked_further: rules that look back further than the warm-up, with seconds.
        added: ids of rules that only the candidate has; `changed` and `removed` likewise.
    """

    start: str = msgspec.field(name="from")
    to: str
    warm_up_from: str
    messages: int
    warm_up_messages: int
    devices: int
    evaluated: int
    looked_further: dict[str, float]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    today: SideResult
    candidate: SideResult
    differences: list[Difference]


def compare(
    asked: Backtest,
    span: Span,
    back: Lookback,
    rulesets: tuple[RuleSet, RuleSet],
    reports: Sequence[Report],
) -> BacktestResult:
    """Return the result of what the processes came to."""
    sides = Figures(), Figures()
    for report in reports:
        assert report.sides is not None
        for whole, part in zip(sides, report.sides, strict=True):
            whole.add(part)
    for side in sides:
        side.orders.sort(key=_in_time)
    change = RuleChange.between(*({rule.id: _says(rule) for rule in ruleset.rules} for ruleset in rulesets))
    results = [
        _side(figures, len(ruleset.rules), asked.truth, asked.since, asked.to)
        for figures, ruleset in zip(sides, rulesets, strict=True)
    ]
    return BacktestResult(
        start=to_rfc3339(asked.since),
        to=to_rfc3339(asked.to),
        warm_up_from=to_rfc3339(_reading_began(asked, span, back)),
        messages=span.messages,
        warm_up_messages=span.before,
        devices=len(span.by_device),
        evaluated=max(report.rules for report in reports),
        looked_further={rule: ms / 1000 for rule, ms in sorted(back.further.items())},
        added=change.added,
        changed=change.changed,
        removed=change.removed,
        today=results[0],
        candidate=results[1],
        differences=differences(sides[0].orders, sides[1].orders),
    )


def _reading_began(asked: Backtest, span: Span, back: Lookback) -> int:
    """Return the beginning of the warm-up, or the history's where that is later, ms."""
    first = asked.since if span.first_arrival is None else span.first_arrival
    return max(asked.since - back.warm_up_ms, min(first, asked.since))


def _says(rule: Rule) -> str:
    """Return all that a rule says, also what decides on no state."""
    return repr((fingerprint(rule), rule.title, rule.evidence, rule.parts))


def _side(figures: Figures, rules: int, faults: Sequence[Labelled] | None, since: int, to: int) -> SideResult:
    orders = figures.orders
    value: dict[str, float] = {}
    for order in orders:
        if order.value is not None and order.currency is not None:
            value[order.currency] = value.get(order.currency, 0.0) + order.value
    unanswered = figures.probes - figures.answered - figures.assumed
    return SideResult(
        rules=rules,
        cases=_ranked(figures.cases),
        cases_by_rule=_ranked(figures.cases_by_rule),
        no_orders=_ranked(figures.no_orders),
        orders=len(orders),
        cancelled=sum(not stands(order) for order in orders),
        orders_by_fault=_counted([order.fault for order in orders]),
        orders_by_rule=_counted([order.rule for order in orders]),
        parts=sum(order.parts for order in orders),
        value={currency: round(amount, 2) for currency, amount in sorted(value.items())},
        unpriced=sum(order.parts > 0 and order.value is None for order in orders),
        owners=owners_of(orders),
        probes=Probes(figures.probes, figures.answered, figures.assumed, unanswered),
        refused=figures.refused,
        score=None if faults is None else score(orders, faults, since, to),
    )


def score(orders: Sequence[BacktestOrder], faults: Sequence[Labelled], since: int, to: int) -> Score:
    """Hold orders against labelled faults.

    An order hits a fault of the same device and code, of the same component where the label names one, that
    began before the order was opened. Of one that began before the span the order may have come before it,
    too: it makes orders true, and is not missed.
    """
    begun = [fault for fault in faults if fault.onset < to]
    within = [fault for fault in begun if fault.onset >= since]
    first = [
        min((order.opened_at for order in orders if _hits(order, fault)), default=None) for fault in within
    ]
    delays = [(at - fault.onset) / 1000 for at, fault in zip(first, within, strict=True) if at is not None]
    by_device: dict[str, list[Labelled]] = defaultdict(list)
    for fault in begun:
        by_device[fault.device].append(fault)
    true = sum(any(_hits(order, fault) for fault in by_device[order.device]) for order in orders)
    return Score(
        injected=len(within),
        ordered=len(delays),
        true_orders=true,
        false_orders=len(orders) - true,
        precision=round(true / len(orders), 4) if orders else None,
        recall=round(len(delays) / len(within), 4) if within else None,
        median_delay_s=median(delays) if delays else None,
    )


def _hits(order: BacktestOrder, fault: Labelled) -> bool:
    return (
        order.device == fault.device
        and order.fault == fault.fault
        and fault.component in (None, order.component)
        and fault.onset <= order.opened_at
    )


def differences(today: Sequence[BacktestOrder], candidate: Sequence[BacktestOrder]) -> list[Difference]:
    """Return what differs between orders; those of one fault of one part are paired by nearness in time."""
    mine, others = _by_subject(today), _by_subject(candidate)
    found: list[tuple[int, Difference]] = []
    for subject in mine.keys() | others.keys():
        ours, theirs = mine.get(subject, []), others.get(subject, [])
        for one, other in _matched(ours, theirs):
            if one is not None and other is not None:
                if one.opened_at != other.opened_at:
                    found.append((min(one.opened_at, other.opened_at), _difference("moved", one, other)))
            elif one is not None:
                found.append((one.opened_at, _difference("only_today", one, None)))
            elif other is not None:
                found.append((other.opened_at, _difference("only_candidate", None, other)))
    found.sort(key=lambda pair: (pair[0], pair[1].device, pair[1].component, pair[1].fault))
    return [difference for _, difference in found]


def _matched(
    ours: list[BacktestOrder], theirs: list[BacktestOrder]
) -> list[tuple[BacktestOrder | None, BacktestOrder | None]]:
    """Pair orders of one subject: those nearest in time first, each once."""
    pairs = sorted(
        (abs(one.opened_at - other.opened_at), i, j)
        for i, one in enumerate(ours)
        for j, other in enumerate(theirs)
    )
    left, right = set(range(len(ours))), set(range(len(theirs)))
    matched: list[tuple[BacktestOrder | None, BacktestOrder | None]] = []
    for _, i, j in pairs:
        if i in left and j in right:
            left.discard(i)
            right.discard(j)
            matched.append((ours[i], theirs[j]))
    matched += [(ours[i], None) for i in sorted(left)]
    matched += [(None, theirs[j]) for j in sorted(right)]
    return matched


def _difference(
    kind: DifferenceKind, today: BacktestOrder | None, candidate: BacktestOrder | None
) -> Difference:
    shown = candidate or today
    assert shown is not None
    moved = (candidate.opened_at - today.opened_at) / 1000 if today and candidate else None
    return Difference(
        kind=kind,
        device=shown.device,
        component=shown.component,
        fault=shown.fault,
        title=shown.title,
        rule=shown.rule,
        today=to_rfc3339(today.opened_at) if today else None,
        candidate=to_rfc3339(candidate.opened_at) if candidate else None,
        moved_s=moved,
        why=shown.why,
    )


def _by_subject(orders: Sequence[BacktestOrder]) -> dict[tuple[str, str, str], list[BacktestOrder]]:
    found: dict[tuple[str, str, str], list[BacktestOrder]] = defaultdict(list)
    for order in orders:
        found[(order.device, order.component, order.fault)].append(order)
    return found


def _in_time(order: BacktestOrder) -> tuple[int, str]:
    return order.opened_at, order.order_id


def _counted(names: Sequence[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for name in names:
        numbers[name] = numbers.get(name, 0) + 1
    return _ranked(numbers)


def _ranked(numbers: Mapping[str, int]) -> dict[str, int]:
    """Return counts, most first, those alike by name."""
    return dict(sorted(numbers.items(), key=lambda item: (-item[1], item[0])))
