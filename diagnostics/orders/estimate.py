"""What it will cost: parts, labour and the visit or the device's shipment, when all are in one currency."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from diagnostics.orders.entitlement import Payer
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import Estimate
from diagnostics.orders.provider import Assignment
from diagnostics.orders.supply import Supply, SupplyLine


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency, ISO 4217."""

    amount: Decimal
    currency: str

    @property
    def rounded(self) -> float:
        """The amount to two decimals, halves away from zero."""
        return float(self.amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Cost:
    """A line of the estimate: money, nothing at all, or why it is not known."""

    money: Money | None = None
    why: str = ""

    @property
    def known(self) -> bool:
        """Whether the line can be filled in; nothing is known too."""
        return not self.why


def price_of(lines: Sequence[SupplyLine]) -> Money | None:
    """Return what parts cost; None when a price is not known or they are in several currencies."""
    currencies = {line.part.currency for line in lines}
    prices = [line.part.price * line.quantity for line in lines if line.part.price is not None]
    if len(currencies) != 1 or len(prices) != len(lines):
        return None
    (currency,) = currencies
    return None if currency is None else Money(sum(prices, Decimal(0)), currency)


def estimate(
    *,
    supply: Supply,
    assignment: Assignment,
    minutes: int | None,
    payer: Payer | None,
    gaps: Gaps,
) -> Estimate:
    """Return the estimate's section.

    Labour is the repairer's rate for the catalogue's minutes. Transport is the repairer's fee for the visit,
    or for the shipment of the device both ways; who brings it himself pays nothing for it. What the warehouse
    pays for sending parts is not in it.
    """
    costs = {
        "parts": _parts(supply),
        "labour": _labour(assignment, minutes),
        "transport": _transport(assignment),
    }
    currencies = {cost.money.currency for cost in costs.values() if cost.money}
    if len(currencies) > 1:
        prices = ", ".join(f"{name} in {cost.money.currency}" for name, cost in costs.items() if cost.money)
        for name in ("currency", *costs):
            gaps.add(f"estimate.{name}", f"prices are in several currencies: {prices}")
        return Estimate(currency=None, parts=None, labour=None, transport=None, payer=payer)
    for name, cost in costs.items():
        if not cost.known:
            gaps.add(f"estimate.{name}", cost.why)
    currency = next(iter(currencies), None)
    gaps.require("estimate.currency", currency, "no price is known")
    return Estimate(
        currency=currency,
        parts=_figure(costs["parts"]),
        labour=_figure(costs["labour"]),
        transport=_figure(costs["transport"]),
        payer=payer,
    )


def _figure(cost: Cost) -> float | None:
    if not cost.known:
        return None
    return cost.money.rounded if cost.money else 0.0


def _parts(supply: Supply) -> Cost:
    if not supply.complete:
        return Cost(why="not every part that is needed was found")
    if not supply.lines:
        return Cost()
    unpriced = [
        line.part.number for line in supply.lines if line.part.price is None or line.part.currency is None
    ]
    if unpriced:
        return Cost(why=f"the registry has no price of part {', '.join(unpriced)}")
    price = price_of(supply.lines)
    return Cost(price) if price else Cost(why="the parts are priced in several currencies")


def _labour(assignment: Assignment, minutes: int | None) -> Cost:
    repairer = assignment.repairer
    if minutes is None:
        return Cost(why="the fault catalogue does not say how long the repair takes")
    if repairer is None:
        return Cost(why="no repairer was found")
    if repairer.labour_rate is None or repairer.currency is None:
        return Cost(why=f"the registry has no labour rate of repairer {repairer.id}")
    return Cost(Money(repairer.labour_rate * minutes / 60, repairer.currency))


def _transport(assignment: Assignment) -> Cost:
    repairer = assignment.repairer
    if assignment.channel in ("carry_in", "remote", "parts_only"):
        return Cost()
    if repairer is None:
        return Cost(why="no repairer was found")
    mailed = assignment.channel == "mail_in"
    fee = repairer.shipping_fee if mailed else repairer.travel_fee
    if fee is None or repairer.currency is None:
        return Cost(
            why=f"the registry has no {'shipping' if mailed else 'travel'} fee of repairer {repairer.id}"
        )
    return Cost(Money(fee, repairer.currency))
