"""The order's page as plain texts in their places, before anything is drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from diagnostics.naming import part_words
from diagnostics.orders.model import Estimate, OrderEvidence, ServiceOrder
from gateway.papers.dossier import Dossier
from gateway.papers.texts import Zone
from gateway.plainwords import (
    NONE,
    action_words,
    shown,
    signal_words,
    unit_of,
    upper_first,
    with_unit,
    words_of,
)
from rules.signals import Catalogue

#: Stands in a field of which nothing is known; why, stands under `Missing`.
UNKNOWN = "not known"

CLASSES = {"phone": "Phone", "pc": "PC", "server": "Server", "appliance": "Appliance"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; `noun` is what the rows are, for saying how many were left out."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    noun: str
    empty: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """The page of an order.

    Attributes:
        lead: the fault in one sentence.
        reasons: what the sentence rests on: rule, confirmation.
        link: address of the order in the console, None without one.
    """

    title: str
    severity: str
    state: str
    order_id: str
    opened: str
    danger: bool
    lead: str
    reasons: str
    link: str | None
    device: tuple[Fact, ...]
    place: tuple[Fact, ...]
    evidence: Table
    probes: tuple[str, ...]
    parts: Table
    work: str
    before: tuple[str, ...]
    pays: tuple[Fact, ...]
    sent: tuple[Fact, ...]
    missing: tuple[Fact, ...]
    footer: str


def sheet_of(dossier: Dossier) -> Sheet:
    """Return the page of an order in its site's time; every text is one line without control characters."""
    order, zone = dossier.order, dossier.zone
    lead, _, reasons = order.diagnosis.explanation.partition(". Seen")
    rule = reasons.rfind(" Rule ")
    return Sheet(
        title=shown(order.fault.title),
        severity=order.fault.severity,
        state=words_of("in progress" if order.state == "inProgress" else order.state.value),
        order_id=shown(order.order_id),
        opened=zone.words(order.opened_at),
        danger=order.fault.danger,
        lead=shown(f"{lead.rstrip('.')}."),
        reasons=shown(reasons[rule:] if rule >= 0 else ""),
        link=order.links.console,
        device=tuple(_device(order)),
        place=tuple(_place(order, zone)),
        evidence=_evidence(order.diagnosis.evidence, dossier.catalogue, zone),
        probes=tuple(
            shown(f"{upper_first(action_words(probe.action))}: {probe.state}, {zone.words(probe.at)}")
            for probe in order.diagnosis.probes
        ),
        parts=_parts(order),
        work=_work(order),
        before=tuple(
            shown(f"{upper_first(remedy.action)} ({words_of(remedy.state)})")
            for remedy in order.diagnosis.remedies
        ),
        pays=tuple(_pays(order)),
        sent=tuple(_sent(order)),
        missing=tuple(_missing(order)),
        footer=shown(f"Printed {zone.words(dossier.printed_at)}. All times: {zone.name}."),
    )


def _fact(name: str, value: object) -> Fact:
    return Fact(name, shown(str(value)) if value else UNKNOWN)


def _device(order: ServiceOrder) -> Iterator[Fact]:
    device = order.device
    yield _fact("Device", f"{CLASSES.get(device.device_class, device.device_class)} {device.device}")
    yield _fact("Brand", order.tenant)
    yield _fact("Model", device.model)
    yield _fact("Serial", device.serial)
    yield _fact("Firmware", device.firmware)
    if device.component:
        signals = (one.signal for one in order.diagnosis.evidence)
        yield _fact("Faulty", part_words(device.component, signals))
    if device.part is not None:
        names = (device.part.model, device.part.serial and f"serial {device.part.serial}")
        yield _fact("Its part", ", ".join(name for name in names if name))
    if device.parent:
        yield _fact("Part of", device.parent)


def _place(order: ServiceOrder, zone: Zone) -> Iterator[Fact]:
    service, customer, site = order.service, order.customer, order.site
    yield _fact("Customer", customer.owner)
    yield _fact("Contact", customer.contact)
    yield _fact("Language", customer.language)
    yield _fact("Address", ", ".join(part for part in (site.address, site.country) if part))
    yield _fact("How", service.channel and words_of(service.channel))
    yield _fact("Repairer", service.provider and service.provider.name)
    yield _fact("Respond by", service.respond_by and zone.words(service.respond_by))
    yield _fact("Resolve by", service.resolve_by and zone.words(service.resolve_by))


def _evidence(evidence: Sequence[OrderEvidence], catalogue: Catalogue, zone: Zone) -> Table:
    return Table(
        ("Measured", "Value", "Limit", "At"),
        [
            (
                shown(upper_first(signal_words(catalogue, one.signal))),
                shown(with_unit(one.value, unit_of(catalogue, one.signal))),
                NONE if one.limit is None else shown(with_unit(one.limit, unit_of(catalogue, one.signal))),
                zone.words(one.at),
            )
            for one in evidence
        ],
        "values",
        "No single value was noted.",
    )


def _parts(order: ServiceOrder) -> Table:
    why = next((gap.why for gap in order.missing if gap.field == "parts"), "none is needed")
    return Table(
        ("No.", "Part", "Number", "Warehouse", "Stock"),
        [
            (
                str(part.quantity),
                shown(part.title),
                shown(part.part),
                shown(part.warehouse or UNKNOWN),
                {True: "in stock", False: "not in stock", None: UNKNOWN}[part.in_stock],
            )
            for part in order.parts
        ],
        "parts",
        shown(f"No part: {why}."),
    )


def _work(order: ServiceOrder) -> str:
    service = order.service
    words = [
        f"about {service.minutes} min of work" if service.minutes else "",
        f"skills: {', '.join(service.skills)}" if service.skills else "",
    ]
    return shown(upper_first("; ".join(word for word in words if word)))


def _pays(order: ServiceOrder) -> Iterator[Fact]:
    entitlement, estimate = order.entitlement, order.estimate
    yield _fact("Payer", estimate.payers)
    yield _fact("Coverage", words_of(entitlement.status))
    if entitlement.coverage:
        yield _fact("By", entitlement.coverage)
    if entitlement.contract:
        yield _fact("Contract", entitlement.contract)
    if entitlement.ends:
        yield _fact("Ends", entitlement.ends)
    yield _fact("Estimate", money(estimate))


def money(estimate: Estimate) -> str | None:
    """Return an estimate in one line: what is known of it, each amount with its name; None without any."""
    amounts = {name: getattr(estimate, name) for name in ("parts", "labour", "transport")}
    known = [f"{name} {amount:,.2f}" for name, amount in amounts.items() if amount is not None]
    if not known or estimate.currency is None:
        return None
    return f"{', '.join(known)} {estimate.currency}"


def _sent(order: ServiceOrder) -> Iterator[Fact]:
    logistics = order.logistics
    if logistics.outbound is not None:
        leg = logistics.outbound
        yield _fact("Parts", f"{leg.origin or UNKNOWN} to {leg.to or UNKNOWN}")
    if logistics.device is not None:
        leg = logistics.device
        yield _fact("Device", f"{leg.origin or UNKNOWN} to {leg.to or UNKNOWN}")
    if logistics.return_leg is not None:
        back = logistics.return_leg
        yield _fact("Old part", f"back to {back.to or UNKNOWN}" if back.required else "stays")
    if logistics.customs is not None:
        customs = logistics.customs
        value = f", value {customs.value:,.2f} {customs.currency or ''}" if customs.value is not None else ""
        tariff = customs.tariff_number or "no tariff number"
        yield _fact("Customs", f"{tariff}, from {customs.origin_country or UNKNOWN}{value}")


def _missing(order: ServiceOrder) -> Iterator[Fact]:
    """Give what is missing with its reason, the fields of one reason together."""
    fields: dict[str, list[str]] = {}
    for gap in order.to_ask:
        fields.setdefault(gap.why, []).append(words_of(gap.field))
    for why, names in fields.items():
        yield Fact(shown(upper_first(", ".join(names))), shown(why))
