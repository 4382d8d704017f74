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


def kinds_of(needs: Sequence[Need] | None) -> list[str] | None:
    """Return the kinds of parts that a repair takes, each once; None when they are not known."""
    return None if needs is None else list(dict.fromkeys(need.kind for need in needs))


def supply(
    *,
    needs: Sequence[Need] | None,
    registry: Registry,
    subject: Subject,
    destination: str | None,
    gaps: Gaps,
) -> Supply:
    """Choose part numbers and warehouses.

    A part fits what it supersedes fits. Among parts of a kind that fit, those in stock go first; of these
    those that nothing supersedes; then those made for the model of the component itself; then the nearest,
    the tenant's own, the one made most closely for the model. Near is: the destination's country, then its
    customs territory, then anywhere.

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
    count = len({part.number for part in found.values() if part is not None})
    for need, part in found.items():
        if part is None:
            # What was found stands in parts[0] and so on; what was not would stand after it.
            gaps.add(f"parts[{count}]" if count else "parts", _why_none(need.kind, registry, subject))
            count += bool(count)
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
    fitting = [need.part] if need.part is not None else _fitting(need.kind, registry, subject)
    family = {part.number: part for first in fitting for part in _succession(first, registry, subject)}
    # What a superseding part fits is what it was made for, or what any part before it was made for.
    closeness = {number: _family_closeness(number, fitting, registry, subject) for number in family}
    ranked = sorted(
        family.values(),
        key=lambda part: _rank(
            _taste(part, closeness[part.number], registry, subject),
            [_nearness(stock, destination) for stock in _enough(registry, part, need.quantity)],
        ),
    )
    if not ranked:
        return None
    chosen, latest = ranked[0], _latest(ranked[0], registry, subject)
    if chosen.number not in {part.number for part in fitting}:
        older = ", ".join(part.number for part in fitting if chosen in _succession(part, registry, subject))
        gaps.chose("parts", f"{chosen.number} supersedes {older}")
    elif latest is not chosen:
        gaps.chose(
            "parts", f"{chosen.number} is taken as long as it is in stock; {latest.number} supersedes it"
        )
    preferred = min(ranked, key=lambda part: _taste(part, closeness[part.number], registry, subject))
    if (
        preferred is not chosen
        and latest is not preferred
        and not _enough(registry, preferred, need.quantity)
    ):
        gaps.chose("parts", f"{chosen.number} in place of {preferred.number}, which no warehouse has")
    return chosen


def _fitting(kind: str, registry: Registry, subject: Subject) -> list[Part]:
    of_kind = registry.parts_of_kind(kind, subject.id.tenant)
    return [part for part in of_kind if _closeness(part, subject) is not None]


def _succession(part: Part, registry: Registry, subject: Subject) -> list[Part]:
    """Return a part and those that supersede it one after the other; a circle ends where it began."""
    line = [part]
    while (number := line[-1].superseded_by) is not None:
        following = registry.parts.get(number)
        if following is None or following in line or following.tenant not in (None, subject.id.tenant):
            break
        line.append(following)
    return line


def _latest(part: Part, registry: Registry, subject: Subject) -> Part:
    return _succession(part, registry, subject)[-1]


def _family_closeness(number: str, fitting: Sequence[Part], registry: Registry, subject: Subject) -> int:
    return max(
        (
            _closeness(part, subject) or 0
            for part in fitting
            if any(one.number == number for one in _succession(part, registry, subject))
        ),
        default=0,
    )


#: What parts are sorted by when stock and distance do not matter, best first: whether it is superseded,
#: whether it is not made for the component itself; and where these leave a doubt, whether it serves all
#: tenants, how closely it is made for the model, its number.
Taste = tuple[tuple[bool, bool], tuple[bool, int, str]]


def _taste(part: Part, closeness: int, registry: Registry, subject: Subject) -> Taste:
    own = subject.component_model is not None and part.fit(subject.component_model) is not None
    superseded = _latest(part, registry, subject) is not part
    return (superseded, not own), (part.tenant is None, -closeness, part.number)


def _rank(taste: Taste, offers: Sequence[int]) -> tuple[bool, tuple[bool, bool], int, tuple[bool, int, str]]:
    """Return what parts that fit are sorted by, best first; `offers`: how near each warehouse is."""
    first, then = taste
    return (not offers, first, -max(offers, default=0), then)


def _closeness(part: Part, subject: Subject) -> int | None:
    return max((fit for fit in map(part.fit, subject.models) if fit is not None), default=None)


def _why_none(kind: str, registry: Registry, subject: Subject) -> str:
    of_kind = registry.parts_of_kind(kind, subject.id.tenant)
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
