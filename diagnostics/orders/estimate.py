"""What it will cost: parts, labour and the visit or the device's shipment, and who pays what of it.

Amounts are given when all of them are in one currency.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from diagnostics.orders.entitlement import Decided, Entitled, Payer
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import Estimate, Share
from diagnostics.orders.provider import Assignment
from diagnostics.orders.supply import Supply, SupplyLine

#: Ways of service on which nobody travels and nothing is sent at a cost.
_NO_TRANSPORT = frozenset({"carry_in", "remote", "parts_only"})

_ASKED_FIRST: tuple[Payer, ...] = ("customer", "contract", "brand")


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
    entitled: Entitled,
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
    bills = list(_bills(costs, supply, assignment, entitled))
    payer = _payer(bills, entitled, gaps)
    currencies = {cost.money.currency for cost in costs.values() if cost.money}
    if len(currencies) > 1:
        prices = ", ".join(f"{name} in {cost.money.currency}" for name, cost in costs.items() if cost.money)
        for name in ("currency", *costs):
            gaps.add(f"estimate.{name}", f"prices are in several currencies: {prices}")
        shares = _shares(bills, payer, priced=False)
        return Estimate(currency=None, parts=None, labour=None, transport=None, payer=payer, shares=shares)
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
        shares=_shares(bills, payer, priced=True),
    )


@dataclass(frozen=True, slots=True)
class Bill:
    """A part of the cost and who pays for it; `amount` None when it is not known."""

    of: str
    decided: Decided
    amount: Decimal | None


def _bills(
    costs: dict[str, Cost], supply: Supply, assignment: Assignment, entitled: Entitled
) -> Iterator[Bill]:
    """Yield what there is to pay for."""
    by_kind = {one.claim.kind: one for one in entitled.decided if one.claim.item == "parts"}
    others = {one.claim.item: one for one in entitled.decided if one.claim.item != "parts"}
    payers = {one.payer for one in by_kind.values()}
    if len(payers) == 1:
        yield Bill("parts", next(iter(by_kind.values())), _money(costs["parts"]))
    else:
        lines = {line.part.kind: line for line in supply.lines}
        for kind, decided in by_kind.items():
            line = lines.get(kind)
            price = price_of([line]) if line else None
            name = f"part {line.part.number}" if line else str(decided.claim)
            yield Bill(name, decided, price.amount if price else None)
    yield Bill("labour", others["labour"], _money(costs["labour"]))
    if assignment.channel not in _NO_TRANSPORT:
        yield Bill("transport", others["transport"], _money(costs["transport"]))


def _money(cost: Cost) -> Decimal | None:
    if not cost.known:
        return None
    return cost.money.amount if cost.money else Decimal(0)


def _payer(bills: Sequence[Bill], entitled: Entitled, gaps: Gaps) -> Payer | None:
    """Return who pays; of several the one who is asked first."""
    unknown = [bill for bill in bills if bill.decided.payer is None]
    if unknown and entitled.section.status != "unknown":
        what = ", ".join(bill.of for bill in unknown)
        gaps.add("estimate.payer", f"who pays for {what} is not known: {unknown[0].decided.why}")
    if unknown:
        return None
    payers = {bill.decided.payer for bill in bills}
    if len(payers) > 1:
        gaps.chose("estimate.payer", "; ".join(_reasons(bills, entitled)))
    return next(payer for payer in _ASKED_FIRST if payer in payers)


def _reasons(bills: Sequence[Bill], entitled: Entitled) -> Iterator[str]:
    said: dict[str, list[str]] = {}
    for bill in bills:
        said.setdefault(f"{bill.decided.payer} ({entitled.clause(bill.decided)})", []).append(bill.of)
    for why, what in said.items():
        yield f"{' and '.join(what)}: {why}"


def _shares(bills: Sequence[Bill], payer: Payer | None, *, priced: bool) -> list[Share]:
    """Return who pays what; nothing when one pays all of it, or it is not known."""
    if payer is None or len({bill.decided.payer for bill in bills}) == 1:
        return []
    shares = []
    for one in _ASKED_FIRST:
        theirs = [bill for bill in bills if bill.decided.payer == one]
        amounts = [bill.amount for bill in theirs if bill.amount is not None]
        whole = priced and len(amounts) == len(theirs)
        amount = Money(sum(amounts, Decimal(0)), "").rounded if whole else None
        if theirs:
            shares.append(Share(payer=one, of=[bill.of for bill in theirs], amount=amount))
    return shares


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
    if assignment.channel in _NO_TRANSPORT:
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
