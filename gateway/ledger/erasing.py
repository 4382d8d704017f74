"""Takes a person out of the orders that are kept; what was wrong with the device stays."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import ValidationError

from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import Leg, Missing, ServiceOrder
from gateway.ledger.opening import open_engine, open_engine_readonly, speaking, writing
from gateway.ledger.tables import answers, decisions, order_changes, orders, outbox
from rules.symbols import DeviceId

#: Why a field is empty that was filled in once.
WHY = "erased on the person's request"
#: Fields that people may fill in and that say who somebody is or where they live.
_PERSONAL = ("customer.owner", "customer.contact", "site.address", "logistics.")

#: What stands in a note in place of what was erased.
GONE = "[erased]"

#: A word of a name that is shorter, such as "de", would take too much else with it.
_SHORTEST_WORD = 3
#: So many last digits tell a telephone number, however it is written.
_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Erased:
    """Who is erased: name and contact as orders may hold them, the devices, and the sites' addresses."""

    name: str | None
    contact: str | None
    devices: frozenset[DeviceId]
    addresses: tuple[str, ...]

    def pattern(self) -> re.Pattern[str] | None:
        """Return what finds the person in a note: name or a word of it, contact, addresses; None: nothing."""
        words = [word for word in re.findall(r"\w+", self.name or "") if len(word) >= _SHORTEST_WORD]
        digits = re.sub(r"\D", "", self.contact or "")[-_DIGITS:]
        pieces = [
            *map(re.escape, filter(None, (self.contact, *self.addresses))),
            *(rf"\b{re.escape(word)}\b" for word in words),
            *([rf"(?:[+(\d][\d /().-]*)?{'[ /().-]*'.join(digits)}"] if len(digits) == _DIGITS else []),
        ]
        return re.compile("|".join(pieces), re.IGNORECASE) if pieces else None

    def concerns(self, order: ServiceOrder) -> bool:
        """Whether an order names the person, or is of a device and address of theirs."""
        owner, contact = order.customer.owner, order.customer.contact
        if (owner is not None and owner == self.name) or (contact is not None and contact == self.contact):
            return True
        device = DeviceId(order.tenant, order.device.device_class, order.device.device)
        return device in self.devices and order.site.address in self.addresses


def erase_from_ledger(url: str, person: Erased) -> int:
    """Empty the personal fields of orders and outgoing events that concern a person; return how many orders.

    Raises:
        UserError: there is no ledger of this version.
        StoreUnavailableError: the database cannot be reached, or its disk refuses.
    """
    open_engine_readonly(url).dispose()
    engine = writing(open_engine(url))
    changed = 0
    try:
        with speaking(engine), engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            for number, document in connection.execute(sa.select(orders.c.order_id, orders.c.document)).all():
                order = ServiceOrder.model_validate_json(document)
                if person.concerns(order):
                    changed += 1
                    row = sa.update(orders).where(orders.c.order_id == number)
                    connection.execute(row.values(document=_text(without(order, person))))
                    _erase_from_changes(connection, number)
            _erase_from_outbox(connection, person)
            connection.execute(sa.delete(answers))  # they repeat orders, and live for a day
            _erase_from_notes(connection, person)
    finally:
        engine.dispose()
    return changed


def _erase_from_changes(connection: sa.Connection, order_id: str) -> None:
    """Take out of an order's changes what people had filled in of a person, now and before."""
    query = sa.select(order_changes.c.number, order_changes.c.document)
    for number, document in connection.execute(query.where(order_changes.c.order_id == order_id)).all():
        change = OrderChange.model_validate_json(document)
        filled = [
            item.model_copy(update={"value": None, "before": None})
            if item.field.startswith(_PERSONAL)
            else item
            for item in change.filled
        ]
        if filled != change.filled:
            text = change.model_copy(update={"filled": filled}).model_dump_json()
            row = sa.update(order_changes).where(order_changes.c.number == number)
            connection.execute(row.values(document=text))


def _erase_from_outbox(connection: sa.Connection, person: Erased) -> None:
    for number, payload in connection.execute(sa.select(outbox.c.number, outbox.c.payload)).all():
        try:
            order = ServiceOrder.model_validate_json(payload)
        except ValidationError:
            continue  # not an order, so none of its fields
        if person.concerns(order):
            row = sa.update(outbox).where(outbox.c.number == number)
            connection.execute(row.values(payload=_text(without(order, person))))


def _erase_from_notes(connection: sa.Connection, person: Erased) -> None:
    """Take the person out of what people wrote of orders and cases of their devices."""
    pattern = person.pattern()
    if pattern is None:
        return
    of_orders = sa.select(order_changes.c.number, order_changes.c.document).join(
        orders, orders.c.order_id == order_changes.c.order_id
    )
    of_cases = sa.select(decisions.c.number, decisions.c.document)
    for device in sorted(person.devices):
        for key, kept, query, named in (
            ("why", order_changes, of_orders, orders),
            ("text", decisions, of_cases, decisions),
        ):
            same = zip((named.c.tenant, named.c.device_class, named.c.device), device, strict=True)
            theirs = query.where(*(column == name for column, name in same))
            for number, document in connection.execute(theirs).all():
                cleaned = _cleaned(document, key, pattern)
                if cleaned != document:
                    row = sa.update(kept).where(kept.c.number == number)
                    connection.execute(row.values(document=cleaned))


def _cleaned(document: str, key: str, pattern: re.Pattern[str]) -> str:
    """Return a document in one of whose texts nobody is found any more."""
    fields = json.loads(document)
    if not isinstance(fields.get(key), str) or not pattern.search(fields[key]):
        return document
    return json.dumps({**fields, key: pattern.sub(GONE, fields[key])}, ensure_ascii=False)


def _text(order: ServiceOrder) -> str:
    return order.model_dump_json(by_alias=True)


def without(order: ServiceOrder, person: Erased) -> ServiceOrder:
    """Return an order without name, contact, addresses and texts; `missing` says that they were erased."""
    gone: list[str] = []
    if order.customer.owner is not None:
        gone.append("customer.owner")
    if order.customer.contact is not None:
        gone.append("customer.contact")
    addresses = {*person.addresses, *([order.site.address] if order.site.address else ())}
    if order.site.address is not None:
        gone.append("site.address")
    outbound = _leg("logistics.outbound", order.logistics.outbound, addresses, gone)
    device = _leg("logistics.device", order.logistics.device, addresses, gone)
    return order.model_copy(
        update={
            "customer": order.customer.model_copy(update={"owner": None, "contact": None}),
            "site": order.site.model_copy(update={"address": None}),
            "logistics": order.logistics.model_copy(update={"outbound": outbound, "device": device}),
            "texts": None,
            "choices": [
                choice
                for choice in order.choices
                if not choice.field.startswith("texts") and choice.field not in gone
            ],
            "missing": [*order.missing, *(Missing(field=field, why=WHY) for field in gone)],
        }
    )


def _leg(path: str, leg: Leg | None, addresses: Iterable[str], gone: list[str]) -> Leg | None:
    if leg is None:
        return None
    ends = {}
    for name, place in (("from", leg.origin), ("to", leg.to)):
        hit = place is not None and any(address in place for address in addresses)
        ends[name] = None if hit else place
        if hit:
            gone.append(f"{path}.{name}")
    return Leg.model_validate(ends)
