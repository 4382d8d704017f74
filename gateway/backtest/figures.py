"""What one rule set made of the history: counted while the effects of its pipeline come out."""

import hashlib
from collections.abc import Iterable

import msgspec

from diagnostics.orders.model import OrderState, ServiceOrder
from gateway.pipeline import Effects
from rules.times import parse_instant


class BacktestOrder(msgspec.Struct, frozen=True):
    """An order that would have been opened.

    Attributes:
        device: ``tenant/class/device``.
        component: ``""`` when the whole device is meant.
        opened_at: device time, ms, or arrival where a reply or a deadline decided.
        state: at the end of the span.
        why: what was seen and what confirmed it, in plain words.
        parts: how many are sent.
        value: of the parts in `currency`, None where the registry knows none.
        owner: a digest that tells owners apart, and tells nothing of them; None where unknown.
    """

    order_id: str
    case_id: str
    device: str
    component: str
    fault: str
    title: str
    severity: str
    rule: str
    opened_at: int
    state: str
    why: str
    parts: int
    value: float | None
    currency: str | None
    owner: str | None


class Figures(msgspec.Struct):
    """What came of one rule set; those of several shares of the devices can be added up.

    Attributes:
        orders: opened within the span, as they were at its end.
        cases: suspected within the span, by their state at its end.
        cases_by_rule: the same, by the rule that suspected first.
        no_orders: cases of these that have no order, by the reason.
        probes: self tests asked for within the span.
        answered: of these, by the device to this very question.
        assumed: of these, answered as the same test of the same part within a day of it.
        refused: words of people that spoke of no case that there would have been.
    """

    orders: list[BacktestOrder] = []
    cases: dict[str, int] = {}
    cases_by_rule: dict[str, int] = {}
    no_orders: dict[str, int] = {}
    probes: int = 0
    answered: int = 0
    assumed: int = 0
    refused: int = 0

    def add(self, other: "Figures") -> None:
        """Add what came of the same rules for other devices."""
        self.orders = [*self.orders, *other.orders]
        for mine, theirs in (
            (self.cases, other.cases),
            (self.cases_by_rule, other.cases_by_rule),
            (self.no_orders, other.no_orders),
        ):
            for name, number in theirs.items():
                mine[name] = mine.get(name, 0) + number
        self.probes += other.probes
        self.answered += other.answered
        self.assumed += other.assumed
        self.refused += other.refused


class _Seen(msgspec.Struct):
    """A case of the span as it was left."""

    state: str
    rule: str
    reason: str
    ordered: bool


class Tally:
    """Collects what a pipeline's effects come to; those before the span that counts leave only traces."""

    def __init__(self) -> None:
        self._orders: dict[str, tuple[ServiceOrder, str]] = {}
        self._rules: dict[str, str] = {}  # the rule that confirmed, by case
        self._cases: dict[str, _Seen | None] = {}  # None: of the span, not yet told how it stands
        self._refused = 0

    def take(self, effects: Effects, *, counts: bool) -> None:
        """Take what a batch led to."""
        write = effects.write
        for event in write.events:
            if event.event == "confirmed":
                self._rules.setdefault(event.case_id, event.rule)  # others agree later
            elif counts and event.event in ("suspected", "reopened"):
                self._cases.setdefault(event.case_id, None)
        for case in write.cases:
            if case.case_id in self._cases:
                self._cases[case.case_id] = _Seen(
                    case.state.value, case.rule, case.reason.value, case.order_id is not None
                )
        if not counts:
            return
        for order in write.orders:
            self._orders[order.order_id] = (order, self._rules.get(order.case_id, ""))
        for change in write.changes:
            if change.order_id in self._orders:
                order, rule = self._orders[change.order_id]
                self._orders[change.order_id] = (change.applied(order), rule)
        self._refused += len(effects.refused)

    def figures(self, *, probes: int, answered: int, assumed: int) -> Figures:
        """Return what was collected."""
        figures = Figures(
            orders=[_line(order, rule) for order, rule in self._orders.values()],
            probes=probes,
            answered=answered,
            assumed=assumed,
            refused=self._refused,
        )
        for seen in self._cases.values():
            if seen is None:
                continue
            _count(figures.cases, seen.state)
            _count(figures.cases_by_rule, seen.rule)
            if not seen.ordered:
                _count(figures.no_orders, seen.reason)
        return figures


def _count(numbers: dict[str, int], name: str) -> None:
    numbers[name] = numbers.get(name, 0) + 1


def _line(order: ServiceOrder, rule: str) -> BacktestOrder:
    device = order.device
    owner = order.customer.contact or order.customer.owner
    return BacktestOrder(
        order_id=order.order_id,
        case_id=order.case_id,
        device=f"{order.tenant}/{device.device_class}/{device.device}",
        component=device.component or "",
        fault=order.fault.code,
        title=order.fault.title,
        severity=order.fault.severity,
        rule=rule,
        opened_at=parse_instant(order.opened_at),
        state=order.state.value,
        why=order.diagnosis.explanation,
        parts=sum(part.quantity for part in order.parts),
        value=order.estimate.parts,
        currency=order.estimate.currency,
        owner=_digest(order.tenant, owner) if owner else None,
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def stands(order: BacktestOrder) -> bool:
    """Return whether an order was neither cancelled nor rejected by the end of the span."""
    return order.state not in (OrderState.CANCELLED, OrderState.REJECTED)


def owners_of(orders: Iterable[BacktestOrder]) -> int:
    """Return how many owners are contacted for orders, each counted once."""
    return len({order.owner for order in orders if order.owner is not None})
