"""The ways of parts and device, and what customs ask."""

from collections.abc import Iterable
from dataclasses import dataclass

from diagnostics.faults import Fault
from diagnostics.orders.borders import customs_border
from diagnostics.orders.estimate import price_of
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import Customs, Leg, Logistics, Return
from diagnostics.orders.provider import Assignment
from diagnostics.orders.registry import SiteEntry
from diagnostics.orders.supply import Supply, SupplyLine


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is sent; `why` says why a part of it is not known."""

    name: str | None
    country: str | None
    why: str


def place_of_site(site: SiteEntry) -> Place:
    """Return the place where the device stands."""
    name = ", ".join(filter(None, (site.address, site.country))) if site.address else None
    return Place(name, site.country, "the address of the site is not known")


def destination_of(assignment: Assignment, site: SiteEntry) -> Place:
    """Return where the parts are needed: at the site, or at the repairer to whom the device comes."""
    if assignment.channel not in ("mail_in", "carry_in"):
        return place_of_site(site)
    repairer = assignment.repairer
    if repairer is None:
        return Place(None, None, "no repairer was found to send it to")
    if repairer.address is None:
        return Place(None, repairer.country, f"the registry has no address of repairer {repairer.id}")
    name = ", ".join(filter(None, (repairer.name, repairer.address, repairer.country)))
    return Place(name, repairer.country, f"the registry has no country of repairer {repairer.id}")


def route(
    *,
    supply: Supply,
    needed: bool,
    fault: Fault | None,
    assignment: Assignment,
    site: SiteEntry,
    destination: Place,
    gaps: Gaps,
) -> Logistics:
    """Return the logistics' section.

    Args:
        supply: the parts that were found.
        needed: whether the repair takes any parts.
        fault: says whether its part comes back, where the part itself does not say.
        assignment: how and by whom it is served.
        site: where the device stands.
        destination: where the parts are sent.
        gaps: where unknown ends of a way are noted.
    """
    return Logistics.model_validate(
        {
            "outbound": _outbound(supply, needed, destination, gaps),
            "return": _return(supply, needed, fault, gaps),
            "customs": _customs(supply, destination, gaps),
            "device": _device_leg(assignment, site, destination, gaps),
        }
    )


def returns_part(line: SupplyLine, fault: Fault | None) -> bool:
    """Whether the faulty counterpart of a part must come back: as the part says, else as the fault says."""
    if line.part.return_required is not None:
        return line.part.return_required
    return fault is not None and fault.returns


def _outbound(supply: Supply, needed: bool, destination: Place, gaps: Gaps) -> Leg | None:
    if not needed:
        return None
    if not supply.lines:
        gaps.add("logistics.outbound", "no part was found that could be sent")
        return None
    origin = "; ".join(supply.warehouses) or None
    gaps.require("logistics.outbound.from", origin, "no warehouse could be chosen for the parts")
    gaps.require("logistics.outbound.to", destination.name, destination.why)
    return Leg.model_validate({"from": origin, "to": destination.name})


def _return(supply: Supply, needed: bool, fault: Fault | None, gaps: Gaps) -> Return | None:
    if not needed:
        return Return(required=False, to=None)
    if not supply.lines:
        required = fault is not None and fault.returns
        if required:
            gaps.add("logistics.return.to", "no part was found, so it is not known who wants the faulty one")
        return Return(required=required, to=None)
    coming_back = [line for line in supply.lines if returns_part(line, fault)]
    if not coming_back:
        return Return(required=False, to=None)
    warehouses = list(dict.fromkeys(line.stock.warehouse for line in coming_back if line.stock))
    to = "; ".join(warehouses) or None
    gaps.require(
        "logistics.return.to", to, "no warehouse could be chosen for the parts that it could go back to"
    )
    return Return(required=True, to=to)


def _customs(supply: Supply, destination: Place, gaps: Gaps) -> Customs | None:
    """Return what a declaration of the parts that cross a border needs; None when none does."""
    if not supply.lines:
        return None
    sent = [(line, line.stock) for line in supply.lines if line.stock is not None]
    country = destination.country
    if country is None:
        gaps.add(
            "logistics.customs",
            "the country that the parts are sent to is not known, so neither is whether customs ask",
        )
        return None
    crossing = [line for line, stock in sent if customs_border(stock.country, country)]
    if len(sent) < len(supply.lines):
        # Half a declaration is none.
        asked = "customs ask, and for a part that crosses the border" if crossing else "for a part"
        unsure = "" if crossing else ", so it is not known whether customs ask"
        gaps.add("logistics.customs", f"{asked} no warehouse could be chosen{unsure}")
        return None
    if not crossing:
        return None
    unknown = ", ".join(line.part.number for line in crossing if line.part.tariff_number is None)
    if unknown:
        gaps.add("logistics.customs.tariff_number", f"the registry has none of part {unknown}")
    unknown = ", ".join(line.part.number for line in crossing if line.part.origin_country is None)
    if unknown:
        gaps.add("logistics.customs.origin_country", f"the registry has none of part {unknown}")
    unknown = ", ".join(line.part.number for line in crossing if line.part.weight_kg is None)
    if unknown:
        gaps.add("logistics.customs.weight_kg", f"the registry has none of part {unknown}")
    price = price_of(crossing)
    for name in ("value", "currency"):
        why = "a part has no price, or the parts have several currencies"
        gaps.require(f"logistics.customs.{name}", price, why)
    return Customs(
        tariff_number=_listed(line.part.tariff_number for line in crossing),
        origin_country=_listed(line.part.origin_country for line in crossing),
        value=price.rounded if price else None,
        currency=price.currency if price else None,
        weight_kg=_weight(crossing),
    )


def _weight(lines: Iterable[SupplyLine]) -> float | None:
    weights = [None if line.part.weight_kg is None else line.part.weight_kg * line.quantity for line in lines]
    known = [weight for weight in weights if weight is not None]
    return float(sum(known)) if len(known) == len(weights) else None


def _listed(values: Iterable[str | None]) -> str | None:
    """Join the distinct values; None when one is not known, for half a declaration is none."""
    known = list(dict.fromkeys(values))
    return None if None in known else "; ".join(filter(None, known))


def _device_leg(assignment: Assignment, site: SiteEntry, destination: Place, gaps: Gaps) -> Leg | None:
    """Return the device's own way, where it is brought or mailed to the repairer."""
    if assignment.channel not in ("mail_in", "carry_in"):
        return None
    origin = place_of_site(site)
    gaps.require("logistics.device.from", origin.name, origin.why)
    gaps.require("logistics.device.to", destination.name, destination.why)
    return Leg.model_validate({"from": origin.name, "to": destination.name})
