"""What is written to the customer and to the technician, in the customer's language."""

from collections.abc import Callable
from datetime import UTC, datetime

from diagnostics.faults import Fault
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import (
    Customer,
    Entitlement,
    Estimate,
    Logistics,
    OrderDevice,
    OrderFault,
    OrderPart,
    Service,
    Site,
    Texts,
)
from diagnostics.orders.sla import zone_of
from diagnostics.orders.translations import ENGLISH, catalogue_of, language_of
from rules.times import parse_instant

#: All sentences, which are the keys of the catalogues, too.
GREETING = "Good day {name},"
GREETING_UNKNOWN = "Good day,"
DATE = "{year}-{month}-{day}"
REPORTS = "your device {device} reports a fault: {fault}."
DANGER = "Danger: {advice}"
ADVICE = "Until the repair: {advice}"
COMES = {
    "on_site": "{provider} repairs it at your address.",
    "mail_in": "{provider} repairs it; please send it to: {to}.",
    "carry_in": "{provider} repairs it; please bring it to: {to}.",
    "remote": "{provider} looks after it from a distance.",
    "parts_only": "The part is sent to you.",
}
NOBODY = "Who repairs it is still to be settled."
UNTIL = "It is to be repaired by {date}."
WARRANTY = "The warranty pays for the repair."
CONTRACT = "Service contract {contract} pays for the repair."
CONTRACT_UNNAMED = "The service contract pays for the repair."
PRICED = "The repair is not covered. Estimate: {amount} {currency}."
UNPRICED = "The repair is not covered. Its price is not known yet."
SHARED = "The repair is covered in part. Your share of the estimate: {amount} {currency}."
SHARED_UNPRICED = "The repair is covered in part. Your share of the price is not known yet."
JOINTLY = "Warranty and service contract pay for the repair together."
UNSETTLED = "Who pays for the repair is still to be settled."
ORDER = "Order {order}: {fault}."
DEVICE = "Device: {device}."
DEVICE_SERIAL = "Device: {device}, serial number {serial}."
COMPONENT = "Faulty part: {component}."
PARTS = "Parts: {parts}."
NO_PART = "No part is needed."
PART_UNKNOWN = "Which part is needed is still to be settled."
PART_WANTING = "Not every part was found; see what is missing."
OUT_OF_STOCK = "{part} is out of stock."
MINUTES = "Working time: {minutes} min."
WHERE = "Where: {address}."
CONTACT = "Contact: {contact}."
RETURN = "The faulty part goes back to {to}."

SENTENCES = (
    GREETING,
    GREETING_UNKNOWN,
    DATE,
    REPORTS,
    DANGER,
    ADVICE,
    *COMES.values(),
    NOBODY,
    UNTIL,
    WARRANTY,
    CONTRACT,
    CONTRACT_UNNAMED,
    PRICED,
    UNPRICED,
    SHARED,
    SHARED_UNPRICED,
    JOINTLY,
    UNSETTLED,
    ORDER,
    DEVICE,
    DEVICE_SERIAL,
    COMPONENT,
    PARTS,
    NO_PART,
    PART_UNKNOWN,
    PART_WANTING,
    OUT_OF_STOCK,
    MINUTES,
    WHERE,
    CONTACT,
    RETURN,
)

Say = Callable[..., str]


def write_texts(
    *,
    number: str,
    device: OrderDevice,
    fault: OrderFault,
    known: Fault | None,
    customer: Customer,
    site: Site,
    zone: str | None,
    entitlement: Entitlement,
    service: Service,
    parts: list[OrderPart],
    parts_complete: bool,
    logistics: Logistics,
    estimate: Estimate,
    gaps: Gaps,
) -> Texts:
    """Return both texts.

    Args:
        number: the order's.
        known: the fault's entry in the catalogue, whose title and advice are translated; None: it has none.
        zone: IANA name of the site's time zone; without it the date is UTC's.
        parts_complete: whether every part that is needed was found.
        gaps: where is noted that the language is not the customer's.
        device: as in the order, and so all that follow.
        fault: its title.
        customer: name, contact and language.
        site: where a technician goes.
        entitlement: names the contract that pays.
        service: by whom and until when.
        parts: what to bring.
        logistics: where the device and the faulty part go.
        estimate: what it costs and who pays.
    """
    language = language_of(customer.language) or ENGLISH
    if customer.language is None:
        gaps.chose("texts.language", "English, since the customer's language is not known")
    elif language_of(customer.language) is None:
        gaps.chose("texts.language", f"English, since there are no texts in {customer.language}")
    translated = catalogue_of(language)
    if language != ENGLISH and fault.title not in translated:
        gaps.chose("texts.customer", "the fault's title is the rule's own and is not translated")

    def say(sentence: str, **values: object) -> str:
        return (
            translated.get(sentence, sentence).format_map(values)
            if values
            else translated.get(sentence, sentence)
        )

    advice = known.advice if known else None
    to_customer = [
        say(GREETING, name=customer.owner) if customer.owner else say(GREETING_UNKNOWN),
        say(REPORTS, device=device.model or device.device, fault=say(fault.title)),
        *([say(DANGER if fault.danger else ADVICE, advice=say(advice))] if advice else ()),
        _who(say, service, logistics),
        *([say(UNTIL, date=_date(say, service.resolve_by, zone))] if service.resolve_by else ()),
        _who_pays(say, entitlement, estimate),
    ]
    visited = service.channel == "on_site" and site.address and site.country
    named = device.model or device.device
    to_technician = [
        say(ORDER, order=number, fault=say(fault.title)),
        say(DEVICE_SERIAL, device=named, serial=device.serial)
        if device.serial
        else say(DEVICE, device=named),
        *([say(COMPONENT, component=_component(device))] if device.component else ()),
        *([say(DANGER, advice=say(advice))] if fault.danger and advice else ()),
        *_parts(say, parts, parts_complete),
        *([say(MINUTES, minutes=service.minutes)] if service.minutes else ()),
        *([say(WHERE, address=f"{site.address}, {site.country}")] if visited else ()),
        *([say(CONTACT, contact=customer.contact)] if customer.contact else ()),
    ]
    if logistics.return_leg is not None and logistics.return_leg.required and logistics.return_leg.to:
        to_technician.append(say(RETURN, to=logistics.return_leg.to))
    return Texts(language=language, customer="\n".join(to_customer), technician="\n".join(to_technician))


def _component(device: OrderDevice) -> str:
    names = ", ".join(filter(None, (device.part.model, device.part.serial))) if device.part else ""
    return f"{names} ({device.component})" if names else device.component or ""


def _who(say: Say, service: Service, logistics: Logistics) -> str:
    if service.channel == "parts_only":
        return say(COMES["parts_only"])
    to = logistics.device.to if logistics.device else None
    needs_address = service.channel in ("mail_in", "carry_in")
    if service.provider is None or service.channel is None or (needs_address and to is None):
        return say(NOBODY)
    return say(COMES[service.channel], provider=service.provider.name, to=to)


def _who_pays(say: Say, entitlement: Entitlement, estimate: Estimate) -> str:
    if estimate.shares:
        return _who_shares(say, estimate)
    if estimate.payer == "brand":
        return say(WARRANTY)
    if estimate.payer == "contract":
        return say(CONTRACT, contract=entitlement.contract) if entitlement.contract else say(CONTRACT_UNNAMED)
    if estimate.payer is None:
        return say(UNSETTLED)
    amounts = [estimate.parts, estimate.labour, estimate.transport]
    known = [amount for amount in amounts if amount is not None]
    if estimate.currency is None or len(known) < len(amounts):
        return say(UNPRICED)
    return say(PRICED, amount=f"{sum(known):.2f}", currency=estimate.currency)


def _who_shares(say: Say, estimate: Estimate) -> str:
    own = next((share for share in estimate.shares if share.payer == "customer"), None)
    if own is None:
        return say(JOINTLY)
    if own.amount is None or estimate.currency is None:
        return say(SHARED_UNPRICED)
    return say(SHARED, amount=f"{own.amount:.2f}", currency=estimate.currency)


def _parts(say: Say, parts: list[OrderPart], complete: bool) -> list[str]:
    if not parts:
        return [say(NO_PART if complete else PART_UNKNOWN)]
    lines = [say(PARTS, parts="; ".join(f"{one.quantity} x {one.title} ({one.part})" for one in parts))]
    lines += [say(OUT_OF_STOCK, part=one.part) for one in parts if one.in_stock is False]
    return lines if complete else [*lines, say(PART_WANTING)]


def _date(say: Say, instant: str, zone: str | None) -> str:
    moment = datetime.fromtimestamp(parse_instant(instant) // 1000, UTC)
    # The calendar's last days have no room for another zone.
    local = moment.astimezone(zone_of(zone) or UTC) if moment.year < 9999 else moment
    return say(DATE, year=f"{local.year:04d}", month=f"{local.month:02d}", day=f"{local.day:02d}")
