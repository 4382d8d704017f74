"""What people fill in on an order: which fields, checked as the form is, and what becomes of `missing`."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from diagnostics.orders.countries import COUNTRIES
from diagnostics.orders.model import Choice, Entitlement, Missing, OrderPart, ServiceOrder
from rules.times import parse_instant, to_rfc3339

JsonValue = dict[str, Any] | list[Any] | str | float | int | bool | None

#: BCP 47: a language, perhaps a script, a region.
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")


class Filled(BaseModel):
    """A field and what it is to hold; None empties it. `before` is what it held, once that is known."""

    model_config = ConfigDict(frozen=True)

    field: str
    value: JsonValue = None
    before: JsonValue = None


class NotFillableError(Exception):
    """There is no such field to fill in, or it cannot hold the value; what was expected, in a sentence."""


class _Part(BaseModel):
    """A part as people name it; title and stock of one that the registry has are the registry's."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    part: str = Field(min_length=1, max_length=100)
    title: str | None = Field(default=None, max_length=200)
    quantity: int = Field(default=1, ge=1, le=1_000)
    warehouse: str | None = Field(default=None, max_length=100)
    in_stock: bool | None = None


class _Provider(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    id: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=200)


class _Entitlement(Entitlement):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    coverage: str | None = None
    ends: str | None = Field(default=None, pattern=r"^\d{4}-\d\d-\d\d$")
    contract: str | None = None


class _Leg(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, serialize_by_alias=True)

    origin: str = Field(alias="from", min_length=1, max_length=500)
    to: str = Field(min_length=1, max_length=500)


class _Customs(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    tariff_number: str = Field(min_length=1, max_length=20)
    origin_country: str = Field(pattern="^[A-Z]{2}$")
    value: float = Field(ge=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    weight_kg: float = Field(ge=0)


def _text(limit: int) -> Callable[[JsonValue], JsonValue]:
    def check(value: JsonValue) -> JsonValue:
        text = value.strip() if isinstance(value, str) else ""
        if not 1 <= len(text) <= limit or "\0" in text:
            raise ValueError(f"a text of 1 to {limit:,} characters")
        return text

    return check


def _one_of(
    words: Sequence[str] | frozenset[str] | set[str], expected: str
) -> Callable[[JsonValue], JsonValue]:
    def check(value: JsonValue) -> JsonValue:
        if not isinstance(value, str) or value.strip() not in words:
            raise ValueError(expected)
        return value.strip()

    return check


def _language(value: JsonValue) -> JsonValue:
    if not isinstance(value, str) or not LANGUAGE.fullmatch(value.strip()):
        raise ValueError("a language by BCP 47 such as de or pt-BR")
    return value.strip()


def _instant(value: JsonValue) -> JsonValue:
    try:
        return to_rfc3339(parse_instant(str(value)))
    except ValueError:
        raise ValueError("a date and time such as 2026-01-01T00:10:00Z") from None


def _minutes(value: JsonValue) -> JsonValue:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
        raise ValueError("whole minutes, 1 to 100000")
    return value


def _like(kind: Any, expected: str) -> Callable[[JsonValue], JsonValue]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def check(value: JsonValue) -> JsonValue:
        try:
            taken: JsonValue = adapter.dump_python(adapter.validate_python(value), mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{expected}; {place or 'it'}: {first['msg']}") from None
        return taken

    return check


def _amount(value: JsonValue) -> JsonValue:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
        raise ValueError("an amount from 0 on")
    return value


def _currency(value: JsonValue) -> JsonValue:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise ValueError("a currency by ISO 4217 such as EUR")
    return value


_COUNTRY = _one_of(COUNTRIES, "a country by ISO 3166 such as DE or GB")
_CHANNELS = ("on_site", "carry_in", "mail_in", "parts_only", "remote")
_PAYERS = ("brand", "customer", "contract")

#: The fields that people may fill in or change, and what each may hold.
FIELDS: Mapping[str, Callable[[JsonValue], JsonValue]] = {
    "customer.owner": _text(200),
    "customer.contact": _text(200),
    "customer.language": _language,
    "customer.time_zone": _one_of(available_timezones(), "a time zone such as Europe/Berlin"),
    "site.address": _text(500),
    "site.country": _COUNTRY,
    "device.model": _text(200),
    "device.serial": _text(200),
    "device.firmware": _text(200),
    "device.part.serial": _text(200),
    "entitlement": _like(_Entitlement, "a status with coverage, ends and contract"),
    "entitlement.coverage": _text(500),
    "service.channel": _one_of(_CHANNELS, f"one of {', '.join(_CHANNELS)}"),
    "service.provider": _like(_Provider, "a repairer with id and name"),
    "service.minutes": _minutes,
    "service.respond_by": _instant,
    "service.resolve_by": _instant,
    "parts": _like(list[_Part], "a list of parts with part, title and quantity"),
    "logistics.outbound": _like(_Leg, "an origin and a destination"),
    "logistics.outbound.from": _text(500),
    "logistics.outbound.to": _text(500),
    "logistics.return.to": _text(500),
    "logistics.device.from": _text(500),
    "logistics.device.to": _text(500),
    "logistics.customs": _like(_Customs, "what a declaration says"),
    "logistics.customs.tariff_number": _text(20),
    "logistics.customs.origin_country": _COUNTRY,
    "logistics.customs.value": _amount,
    "logistics.customs.currency": _currency,
    "logistics.customs.weight_kg": _amount,
    "estimate.currency": _currency,
    "estimate.parts": _amount,
    "estimate.labour": _amount,
    "estimate.transport": _amount,
    "estimate.payer": _one_of(_PAYERS, f"one of {', '.join(_PAYERS)}"),
    "fault.symptom": _text(500),
}

#: What a section holds of which nothing is known.
_EMPTY: Mapping[str, JsonValue] = {
    "parts": [],
    "entitlement": {"status": "unknown", "coverage": None, "ends": None, "contract": None},
}


def checked(field: str, value: JsonValue) -> JsonValue:
    """Return a value as a field may hold it; None, for one that is to be emptied, is let through.

    Raises:
        NotFillableError: there is no such field, or it holds other things.
    """
    check = FIELDS.get(field)
    if check is None:
        raise NotFillableError(f"{field}: expected one of {', '.join(FIELDS)}")
    if value is None:
        return None
    try:
        return check(value)
    except ValueError as error:
        raise NotFillableError(f"{field}: expected {error}, got {_short(value)}") from None


def _short(value: JsonValue) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def held(order: ServiceOrder, field: str) -> JsonValue:
    """Return what an order holds in a field; None where its section is not there."""
    value: Any = order.document()
    for name in field.split("."):
        value = None if value is None else value[name]
    found: JsonValue = value
    return found


def has_place(order: ServiceOrder, field: str, also: Sequence[str] = ()) -> bool:
    """Whether an order has the section that a field stands in, or is given it by what is filled in `also`."""
    section = field.rpartition(".")[0]
    value: Any = order.document()
    for name in section.split(".") if section else ():
        value = None if value is None else value[name]
    return value is not None or section in also


def filled_in(order: ServiceOrder, filled: Sequence[Filled], who: str, at: int) -> ServiceOrder:
    """Return an order with fields filled in by somebody, at `at` ms.

    What is filled in is missing no more; what is emptied is. A section that the order does not have, such as
    the faulty part's own names, stays away.
    """
    document: dict[str, Any] = order.document()
    missing = list(order.missing)
    choices = list(order.choices)
    day = datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
    for item in filled:
        place: Any = document
        *path, name = item.field.split(".")
        for step in path:
            place = place and place[step]
        if place is None:
            continue
        value = item.value
        missing = [entry for entry in missing if not _within(entry.field, item.field)]
        choices = [entry for entry in choices if not _within(entry.field, item.field)]
        if value is None:
            place[name] = _EMPTY.get(item.field)
            missing.append(Missing(field=item.field, why=f"emptied by {who} on {day}"))
            continue
        if item.field == "parts":
            value, gaps = _parts(value, who)
            missing += gaps
        place[name] = value
        if item.field == "entitlement" and value == _EMPTY["entitlement"]:
            missing.append(Missing(field="entitlement", why=f"not known to {who} either"))
        elif value:
            choices.append(Choice(field=item.field, why=f"filled in by {who} on {day}"))
    return ServiceOrder.model_validate(
        {
            **document,
            "missing": [m.model_dump() for m in missing],
            "choices": [c.model_dump() for c in choices],
        }
    )


def _within(field: str, whole: str) -> bool:
    """Whether a path such as ``parts[0].warehouse`` is another one or lies within it."""
    return field == whole or field.startswith((f"{whole}.", f"{whole}["))


def _parts(value: JsonValue, who: str) -> tuple[list[dict[str, Any]], list[Missing]]:
    """Return parts as an order holds them, and what of them is not known."""
    parts, gaps = [], []
    for number, item in enumerate(value if isinstance(value, list) else []):
        part = {**item, "title": item.get("title") or item["part"]}
        parts.append(OrderPart.model_validate(part).model_dump())
        gaps += [
            Missing(field=f"parts[{number}].{name}", why=f"{who} did not say")
            for name in ("warehouse", "in_stock")
            if part.get(name) is None
        ]
    if not parts:
        gaps.append(Missing(field="parts", why=f"{who} named none"))
    return parts, gaps
