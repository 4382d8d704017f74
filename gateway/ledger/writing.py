"""Writing to the ledger, inside a transaction that the caller holds; every write may be repeated."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from functools import cache

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from diagnostics.case import Case, CaseEvent
from diagnostics.decision import Decision
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import ServiceOrder
from diagnostics.silences import Silence
from gateway.ledger.queueing import case_row
from gateway.ledger.tables import (
    case_events,
    cases,
    counters,
    decisions,
    devices,
    order_changes,
    orders,
    outbox,
    quarantine,
    silences,
)
from gateway.ports import DeviceRecord, Rejected
from rules.times import parse_instant

OPENED = "com.forewarn.order.opened"
UPDATED = "com.forewarn.order.updated"
CLOSED = "com.forewarn.order.closed"

TAKEN = "quarantine_taken"
DROPPED = "quarantine_dropped"


def write_devices(connection: sa.Connection, records: Sequence[DeviceRecord]) -> None:
    """Keep what is known of devices; what was heard later wins."""
    if not records:
        return
    statement = insert_into(connection, devices)
    statement = statement.on_conflict_do_update(
        index_elements=list(devices.primary_key),
        set_={name: statement.excluded[name] for name in ("facts", "online", "last_seen")},
        where=devices.c.last_seen <= statement.excluded.last_seen,
    )
    rows = [
        {
            **record.id._asdict(),
            "facts": msgspec.json.encode(record.facts).decode(),
            "online": record.online,
            "last_seen": record.last_seen,
        }
        for record in records
    ]
    connection.execute(statement, rows)


def write_cases(connection: sa.Connection, written: Sequence[Case]) -> None:
    """Keep the present state of cases; what was updated later wins."""
    if not written:
        return
    statement = insert_into(connection, cases)
    changing = [column.name for column in cases.columns if not column.primary_key]
    statement = statement.on_conflict_do_update(
        index_elements=[cases.c.case_id],
        set_={name: statement.excluded[name] for name in changing},
        where=cases.c.updated <= statement.excluded.updated,
    )
    connection.execute(statement, [case_row(case) for case in written])


def write_silences(connection: sa.Connection, written: Sequence[Silence]) -> None:
    """Keep silences; one that was ended stays so."""
    if not written:
        return
    statement = insert_into(connection, silences)
    statement = statement.on_conflict_do_update(
        index_elements=[silences.c.silence_id],
        set_={name: statement.excluded[name] for name in ("over_at", "document")},
        where=silences.c.over_at >= statement.excluded.over_at,
    )
    rows = [
        {name: getattr(silence, name) for name in ("silence_id", "tenant", "starts", "over_at", "created_at")}
        | {"document": silence.model_dump_json()}
        for silence in written
    ]
    connection.execute(statement, rows)


def write_events(connection: sa.Connection, events: Sequence[CaseEvent]) -> None:
    """Keep steps of cases, each once."""
    if not events:
        return
    rows = [
        {
            "case_id": event.case_id,
            "at": event.at,
            "event": event.event,
            "rule": event.rule,
            "reason": event.reason.value,
            "document": event.model_dump_json(),
        }
        for event in events
    ]
    connection.execute(insert_into(connection, case_events).on_conflict_do_nothing(), rows)


def write_decisions(connection: sa.Connection, written: Sequence[Decision]) -> None:
    """Keep decisions, each once."""
    if not written:
        return
    names = ("decision_id", "case_id", "tenant", "device_class", "device", "fault", "at")
    rows = [
        {name: getattr(decision, name) for name in names} | {"document": decision.model_dump_json()}
        for decision in written
    ]
    connection.execute(insert_into(connection, decisions).on_conflict_do_nothing(), rows)


def write_orders(connection: sa.Connection, written: Sequence[ServiceOrder], now: int) -> list[ServiceOrder]:
    """Keep orders that are not there yet and return these; an order that has ended ends the one kept.

    An open order is not kept while another open one stands for its fault. Each change leaves an event in the
    outbox, created at `now`.
    """
    new = []
    statement = _once(connection.dialect.name, orders)
    for order in written:
        row = _order_row(order)
        if connection.execute(statement, row).rowcount:
            new.append(order)
            _owe(connection, OPENED if order.is_open else CLOSED, row, now)
        elif not order.is_open:
            ending = sa.update(orders).where(orders.c.order_id == order.order_id, orders.c.is_open)
            if connection.execute(ending.values(_without_key(row))).rowcount:
                _owe(connection, CLOSED, row, now)
    return new


def write_order_changes(connection: sa.Connection, changes: Sequence[OrderChange], now: int) -> None:
    """Keep changes of orders, each once, and bring the orders to where they lead; those of no order wait.

    What other systems see of an order leaves an event in the outbox where it has changed, created at `now`.
    """
    for told in changes:
        kept = sa.select(orders.c.document).where(orders.c.order_id == told.order_id)
        document = connection.execute(kept).scalar_one_or_none()
        if document is None:
            continue
        before = ServiceOrder.model_validate_json(document)
        change = told.against(before)
        row = {
            "change_id": change.change_id,
            "order_id": change.order_id,
            "at": change.at,
            "document": change.model_dump_json(),
        }
        statement = insert_into(connection, order_changes).values(row).on_conflict_do_nothing()
        if not connection.execute(statement).rowcount:
            continue
        order = change.applied(before)
        changed = _order_row(order)
        if order.is_open and not before.is_open and _has_open_order(connection, changed):
            continue  # of a gateway that this one knows nothing of; two open ones there must not be
        if changed["document"] != document:
            changing = sa.update(orders).where(orders.c.order_id == order.order_id)
            connection.execute(changing.values(_without_key(changed)))
            _owe(connection, _kind(before, order), changed, now, of=change.change_id)


def _kind(before: ServiceOrder, after: ServiceOrder) -> str:
    """Return what a change of an order is to other systems: between `opened` and `closed` it is open."""
    if before.is_open == after.is_open:
        return UPDATED
    return OPENED if after.is_open else CLOSED


def _has_open_order(connection: sa.Connection, order: dict[str, object]) -> bool:
    """Return whether an open order stands for the fault of another order's row."""
    names = ("tenant", "device_class", "device", "component", "fault")
    same = [orders.c[name] == order[name] for name in names]
    # In the index's own words: SQLite takes "is_open = 1" for another condition and reads all orders.
    query = sa.select(orders.c.order_id).where(*same, sa.text("is_open"))
    return connection.execute(query).first() is not None


def write_quarantine(connection: sa.Connection, rejected: Sequence[Rejected], limit: int) -> int:
    """Keep what could not be used; past `limit` rows the oldest go, are counted, and how many is returned."""
    if not rejected:
        return 0
    statement = insert_into(connection, quarantine).on_conflict_do_nothing()
    taken = connection.execute(statement, _quarantine_rows(rejected)).rowcount
    excess = _count(connection, TAKEN, taken) - _count(connection, DROPPED, 0) - limit
    if excess <= 0:
        return 0
    oldest = sa.select(quarantine.c.number).order_by(quarantine.c.number).limit(excess)
    gone = connection.execute(sa.delete(quarantine).where(quarantine.c.number.in_(oldest))).rowcount
    _count(connection, DROPPED, gone)
    return gone


def _order_row(order: ServiceOrder) -> dict[str, object]:
    return {
        "order_id": order.order_id,
        "case_id": order.case_id,
        "tenant": order.tenant,
        "device_class": order.device.device_class,
        "device": order.device.device,
        "component": order.device.component or "",
        "fault": order.fault.code,
        "state": order.state.value,
        "is_open": order.is_open,
        "opened_at": parse_instant(order.opened_at),
        "document": order.model_dump_json(by_alias=True),
    }


def _without_key(order: dict[str, object]) -> dict[str, object]:
    """Return what may change of an order's row.

    Its key set to what it is would make the database look through the whole outbox, which refers to it.
    """
    return {name: value for name, value in order.items() if name != "order_id"}


def _owe(
    connection: sa.Connection, kind: str, order: dict[str, object], now: int, of: str | None = None
) -> None:
    """Leave an event for other systems; `of` tells events of one kind apart that an order has several of."""
    row = {
        "event_id": f"{order['order_id']}/{kind}" + ("" if of is None else f"/{of}"),
        "type": kind,
        "subject": order["order_id"],
        "payload": order["document"],
        "created": now,
    }
    connection.execute(_once(connection.dialect.name, outbox), row)


@cache
def _once(dialect: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return the insert that leaves a row that is there; to build it takes longer than to run it."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def _quarantine_rows(rejected: Sequence[Rejected]) -> list[dict[str, object]]:
    """Return rows with keys that are the same when the same list is written again, and differ within it."""
    rows = []
    seen: Counter[bytes] = Counter()
    for message in rejected:
        topic, detail = _storable(message.topic), _storable(message.detail)
        # One that comes from the quarantine and goes there again is another row than it was.
        origin = [message.resubmitted] if message.resubmitted else []
        about = json.dumps([topic, message.reason, message.arrival, *origin]).encode() + message.payload
        seen[about] += 1
        rows.append(
            {
                "key": hashlib.sha256(about + seen[about].to_bytes(8)).hexdigest(),
                "topic": topic,
                "reason": message.reason,
                "detail": detail,
                "payload": message.payload,
                "arrival": message.arrival,
                "truncated": message.truncated,
                "retained": message.retained,
            }
        )
    return rows


def _storable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which no database takes and bad input may bring."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _count(connection: sa.Connection, name: str, more: int) -> int:
    """Add to a counter and return where it stands."""
    statement = insert_into(connection, counters).values(name=name, value=more)
    statement = statement.on_conflict_do_update(
        index_elements=[counters.c.name], set_={"value": counters.c.value + statement.excluded.value}
    )
    connection.execute(statement)
    total: int = connection.execute(sa.select(counters.c.value).where(counters.c.name == name)).scalar_one()
    return total


def insert_into(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert that can say what is to be done on conflict; both dialects say it alike."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
