"""Which parts, and out of which warehouse: kinds become part numbers that fit the model and are in stock."""

from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics.faults import Fault, FaultCatalogue
from diagnostics.orders.borders import customs_border
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import OrderPart
from diagnostics.orders.registry import Part, Registry, Stock
from diagnostics.orders.subject import Subject


@dataclass(frozen=True, slots=True)
class SupplyLine:
    """A part that was chosen.

    Attributes:
        stock: the warehouse's stock that it comes from, None when none has enough or none can be chosen.
        in_stock: None when no warehouse says anything of the part.
    """

    part: Part
    quantity: int
    stock: Stock | None
    in_stock: bool | None

    def section(self) -> OrderPart:
        """Return its section of the order."""
        return OrderPart(
            part=self.part.number,
            title=self.part.title,
            quantity=self.quantity,
            warehouse=self.stock.warehouse if self.stock else None,
            in_stock=self.in_stock,
        )


@dataclass(frozen=True, slots=True)
class Supply:
    """All parts of an order.

    Attributes:
        lines: those that were found.
        complete: whether every kind that is needed was found; true when none is needed.
    """

    lines: tuple[SupplyLine, ...]
    complete: bool

    @property
    def warehouses(self) -> list[str]:
        """The warehouses that parts come from, each once."""
        return list(dict.fromkeys(line.stock.warehouse for line in self.lines if line.stock))


@dataclass(frozen=True, slots=True)
class Need:
    """A part that the repair takes: a kind, or a certain part that the rule names."""

    kind: str
    quantity: int = 1
    part: Part | None = None


def needs_of(
    *, fault: Fault | None, hints: Sequence[str], faults: FaultCatalogue, registry: Registry, tenant: str
) -> list[Need] | None:
    """Return what the repair takes: what the rule names where it names anything, else the catalogue's kinds.

    None: neither says anything, so that it is not known; an empty list: no part.

    A rule names part numbers of the registry or kinds in its own words; quantities are the catalogue's.
    """
    if fault is None and not hints:
        return None
    usual = {need.kind: Need(need.kind, need.quantity) for need in (fault.parts if fault else ())}
    if not hints:
        return list(usual.values())
    needs: dict[str, Need] = {}
    for hint in hints:
        part = registry.parts.get(hint)
        if part is not None and part.tenant in (None, tenant):
            needs[part.number] = Need(part.kind, part=part)
        else:
            kind = faults.kind_of(hint, fault)
            needs[kind] = usual.get(kind, Need(kind))
    return list(needs.values())


def supply(
    *,
    needs: Sequence[Need] | None,
    registry: Registry,
    subject: Subject,
    destination: str | None,
    gaps: Gaps,
) -> Supply:
    """Choose part numbers and warehouses.

    Among parts of a kind that fit, those in stock go first; of these those made for the model of the
    component itself; then the nearest, the tenant's own, the one made most closely for the model. Near is:
    the destination's country, then its customs territory, then anywhere.

    Args:
        needs: what the repair takes, None when that is not known.
        registry: parts and stock.
        subject: whose model the parts must fit.
        destination: country that the parts are sent to.
        gaps: where a kind without part and a part without stock are noted.
    """
    if needs is None:
        gaps.add("parts", "the fault is not in the fault catalogue and its rule names no parts")
        return Supply((), complete=False)
    found = {need: _choose(need, registry, subject, destination, gaps) for need in needs}
    merged: dict[str, tuple[Part, int]] = {}  # a rule may name a part and, in other words, its kind
    for need, part in found.items():
        if part is not None:
            _, earlier = merged.get(part.number, (part, 0))
            merged[part.number] = (part, max(need.quantity, earlier))
    chosen = list(merged.values())
    served = [stock.warehouse for part, quantity in chosen for stock in _enough(registry, part, quantity)]
    lines = []
    for number, (part, quantity) in enumerate(chosen):
        # Nearest first; of equally near warehouses the one that has most of the order.
        offers = sorted(
            _enough(registry, part, quantity),
            key=lambda stock: (
                -_nearness(stock, destination),
                -served.count(stock.warehouse),
                stock.warehouse,
            ),
        )
        lines.append(
            _line(
                part=part,
                quantity=quantity,
                offers=offers,
                reports=registry.stock_of(part.number),
                nowhere=destination is None,
                path=f"parts[{number}]",
                gaps=gaps,
            )
        )
    return Supply(tuple(lines), complete=None not in found.values())


def _choose(
    need: Need, registry: Registry, subject: Subject, destination: str | None, gaps: Gaps
) -> Part | None:
    if need.part is not None:
        return need.part
    of_kind = registry.parts_of_kind(need.kind, subject.id.tenant)
    fitting = [part for part in of_kind if _closeness(part, subject) is not None]
    if fitting:
        return min(fitting, key=lambda part: _rank(part, need, registry, subject, destination))
    gaps.add("parts", _why_none(need.kind, of_kind, subject))
    return None


def _rank(
    part: Part, need: Need, registry: Registry, subject: Subject, destination: str | None
) -> tuple[bool, bool, int, bool, int, str]:
    """Return what parts that fit are sorted by, best first."""
    offers = [_nearness(stock, destination) for stock in _enough(registry, part, need.quantity)]
    own = subject.component_model is not None and part.fit(subject.component_model) is not None
    return (
        not offers,
        not own,
        -max(offers, default=0),
        part.tenant is None,
        -(_closeness(part, subject) or 0),
        part.number,
    )


def _closeness(part: Part, subject: Subject) -> int | None:
    return max((fit for fit in map(part.fit, subject.models) if fit is not None), default=None)


def _why_none(kind: str, of_kind: Sequence[Part], subject: Subject) -> str:
    if not of_kind:
        return f"the registry has no part of kind {kind} for {subject.id.tenant}"
    models = [model for model in dict.fromkeys(subject.models) if model is not None]
    if not models:
        return f"the model is not known, so no part of kind {kind} can be chosen"
    return f"no part of kind {kind} fits model {' or '.join(models)}"


def _line(
    *,
    part: Part,
    quantity: int,
    offers: Sequence[Stock],
    reports: Sequence[Stock],
    nowhere: bool,
    path: str,
    gaps: Gaps,
) -> SupplyLine:
    if nowhere and len(offers) > 1:
        gaps.add(f"{path}.warehouse", "several have it, and the country that it is sent to is not known")
        return SupplyLine(part, quantity, None, in_stock=True)
    if offers:
        return SupplyLine(part, quantity, offers[0], in_stock=True)
    if reports:
        gaps.add(f"{path}.warehouse", f"no warehouse has {quantity} of part {part.number} in stock")
        return SupplyLine(part, quantity, None, in_stock=False)
    why = f"no warehouse says whether it has part {part.number}"
    gaps.add(f"{path}.warehouse", why)
    gaps.add(f"{path}.in_stock", why)
    return SupplyLine(part, quantity, None, in_stock=None)


def _enough(registry: Registry, part: Part, quantity: int) -> list[Stock]:
    return [stock for stock in registry.stock_of(part.number) if stock.quantity >= quantity]


def _nearness(stock: Stock, destination: str | None) -> int:
    if destination is None:
        return 0
    if stock.country == destination:
        return 2
    return 0 if customs_border(stock.country, destination) else 1
