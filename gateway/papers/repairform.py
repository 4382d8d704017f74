"""The European Repair Information Form, filled in as far as an order goes.

Fields and their order are those of Directive (EU) 2024/1799, article 4(4) and Annex I. The form binds the
repairer once it is given (article 4(5): 30 calendar days at least), so price, time and conditions are the
repairer's to state: here they stay blank, with the reason, and what the order says of them stands beside.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from diagnostics.orders.model import ServiceOrder
from gateway.papers.dossier import Dossier
from gateway.papers.sheet import CLASSES, money
from gateway.papers.texts import Zone
from gateway.plainwords import shown, words_of

REPAIRER = "Identity and contact details of the repairer"
SERVICE = "The repair service"

_STATES = "the repairer's to state"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form; `value` None is a blank, `note` says why, or what the order says of it."""

    section: str
    name: str
    value: str | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RepairForm:
    """The form of an order."""

    order_id: str
    fields: tuple[Field, ...]
    footer: str


def repair_form(dossier: Dossier) -> RepairForm:
    """Return the form of an order, every text one line without control characters."""
    order, zone = dossier.order, dossier.zone
    fields = (*_repairer(order), *_service(order, zone))
    return RepairForm(
        shown(order.order_id),
        tuple(
            Field(one.section, one.name, one.value and shown(one.value), shown(one.note)) for one in fields
        ),
        f"Prepared {zone.words(dossier.printed_at)} by forewarn from the order {shown(order.order_id)}. "
        "It is no offer until the repairer completes and gives it.",
    )


def _repairer(order: ServiceOrder) -> Iterator[Field]:
    provider = order.service.provider
    why = next((gap.why for gap in order.missing if gap.field.startswith("service.provider")), _STATES)
    yield Field(REPAIRER, "Repairer", provider.name if provider else None, "" if provider else why)
    workshop = order.logistics.device.to if order.logistics.device else None
    yield Field(REPAIRER, "Geographical address", workshop, "" if workshop else _STATES)
    for name in ("Telephone number", "E-mail address"):
        yield Field(REPAIRER, name, None, _STATES)
    yield Field(REPAIRER, "Other means of online communication, if provided", None, _STATES)


def _service(order: ServiceOrder, zone: Zone) -> Iterator[Field]:
    service, estimate = order.service, order.estimate
    yield Field(SERVICE, "Good to be repaired", _good(order))
    lead = order.diagnosis.explanation.partition(". Seen")[0].rstrip(".")
    words = dict.fromkeys(text for text in (order.fault.title, lead, order.fault.symptom) if text)
    yield Field(SERVICE, "Description of the defect", "; ".join(words))
    repair = ", ".join(f"{part.quantity} x {part.title} ({part.part})" for part in order.parts)
    no_part = next((gap.why for gap in order.missing if gap.field == "parts"), "the order names no part")
    yield Field(
        SERVICE,
        "Type of repair suggested",
        f"Replacement of {repair}" if repair else None,
        "" if repair else f"{no_part}; {_STATES}",
    )
    told = money(estimate)
    by = estimate.payers if estimate.shares else f"the {estimate.payer}"
    payer = f"; the order has it paid by {by}" if estimate.payer else ""
    yield Field(
        SERVICE,
        "Price of the repair, or how it is calculated and the maximum price",
        None,
        f"{_STATES}, as it binds; the order's estimate: {told or 'none'}{payer}",
    )
    due = f"; the order asks for it by {zone.words(service.resolve_by)}" if service.resolve_by else ""
    yield Field(SERVICE, "Time needed to complete the repair", None, f"{_STATES}{due}")
    yield Field(SERVICE, "Availability and costs of a temporary replacement good", None, _STATES)
    place, why = _hand_over(order)
    yield Field(SERVICE, "Place where the consumer hands over the good", place, why)
    carried = estimate.transport
    cost = "" if carried is None else f"; the order's estimate: {carried:,.2f} {estimate.currency or ''}"
    yield Field(
        SERVICE, "Ancillary services (removal, installation, transport) and their costs", None, _STATES + cost
    )
    yield Field(
        SERVICE,
        "Period of validity of the form",
        None,
        f"{_STATES}, 30 calendar days at least (article 4(5))",
    )
    yield Field(SERVICE, "Additional information", order.links.console, "")


def _good(order: ServiceOrder) -> str:
    device = order.device
    names = (
        CLASSES.get(device.device_class, device.device_class),
        order.tenant,
        device.model,
        device.serial and f"serial number {device.serial}",
    )
    return ", ".join(name for name in names if name)


def _hand_over(order: ServiceOrder) -> tuple[str | None, str]:
    """Return where the good changes hands by the order's channel, or why that is not known."""
    channel = order.service.channel
    if channel == "on_site":
        address = order.site.address
        why = next((gap.why for gap in order.missing if gap.field.startswith("site")), _STATES)
        return (
            (f"At the consumer's: {address}, {order.site.country or ''}".rstrip(", "), "")
            if address
            else (None, why)
        )
    workshop = order.logistics.device.to if order.logistics.device else None
    if channel in ("carry_in", "mail_in") and workshop:
        return f"{workshop} ({words_of(channel)})", ""
    return None, _STATES
