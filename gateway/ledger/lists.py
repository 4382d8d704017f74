"""Pages of the lists of orders and devices, filtered and ordered in SQL."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

import sqlalchemy as sa

from diagnostics.case import OPEN_CASE_STATES
from diagnostics.orders.model import NOT_TO_ASK
from gateway.ledger.tables import cases, devices, orders
from gateway.listing import DeviceFilter, Found, OrderFilter
from rules.symbols import DeviceId
from rules.times import DAY_MS, to_rfc3339

_OPEN = sorted(state.value for state in OPEN_CASE_STATES)
#: Sorts behind every instant.
_NEVER = "9999"


class SqlLists:
    """Lists through connections that `reading` opens."""

    def __init__(self, reading: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._reading = reading

    def orders(self, wanted: OrderFilter, *, now: int, skip: int, limit: int) -> Found:
        """Return ids of orders: open ones by when they are to be resolved, then the others, newest first."""
        due = sa.func.coalesce(_text(orders.c.document, "service", "resolve_by"), _NEVER)
        conditions = [*_of(orders, wanted.tenants), *_words(_haystack(wanted), wanted.words)]
        if wanted.state in ("open", "ended"):
            conditions.append(orders.c.is_open if wanted.state == "open" else sa.not_(orders.c.is_open))
        elif wanted.state:
            conditions.append(orders.c.state == wanted.state)
        if wanted.due is not None:
            until = to_rfc3339(now if wanted.due == "overdue" else now + DAY_MS)
            conditions += [orders.c.is_open, due < until]
            if wanted.due == "soon":
                conditions.append(due >= to_rfc3339(now))
        if wanted.missing:
            conditions.append(_lacks_something())
        # Of those that are over the date says nothing any more.
        urgency = sa.case((orders.c.is_open, due), else_=_NEVER)
        ordering = [orders.c.is_open.desc(), urgency, orders.c.opened_at.desc(), orders.c.order_id]
        query = sa.select(orders.c.order_id).where(*conditions).order_by(*ordering)
        count = sa.select(sa.func.count()).select_from(orders).where(*conditions)
        with self._reading() as connection:
            found = list(connection.scalars(query.offset(skip).limit(limit)))
            return Found(found, connection.execute(count).scalar_one())

    def devices(self, wanted: DeviceFilter, *, skip: int, limit: int) -> tuple[list[DeviceId], int]:
        """Return devices by name, and how many there are in all."""
        names = [devices.c[name] for name in DeviceId._fields]
        path = devices.c.tenant + "/" + devices.c.device_class + "/" + devices.c.device
        conditions = [*_of(devices, wanted.tenants), *_words(path + " " + devices.c.facts, wanted.words)]
        if wanted.device_class:
            conditions.append(devices.c.device_class == wanted.device_class)
        if wanted.state in ("online", "offline"):
            conditions.append(devices.c.online.is_(wanted.state == "online"))
        elif wanted.state == "cases":
            same = [cases.c[name] == devices.c[name] for name in DeviceId._fields]
            conditions.append(sa.exists().where(*same, cases.c.state.in_(_OPEN)))
        query = sa.select(*names).where(*conditions).order_by(*names).offset(skip).limit(limit)
        count = sa.select(sa.func.count()).select_from(devices).where(*conditions)
        with self._reading() as connection:
            found = [DeviceId(*row) for row in connection.execute(query)]
            return found, connection.execute(count).scalar_one()

    def open_cases(self, devices: Collection[DeviceId]) -> dict[DeviceId, int]:
        """Count the open cases of some devices; those without any are left out."""
        if not devices:
            return {}
        names = [cases.c[name] for name in DeviceId._fields]
        query = (
            sa.select(*names, sa.func.count())
            .where(cases.c.state.in_(_OPEN), sa.tuple_(*names).in_([tuple(one) for one in devices]))
            .group_by(*names)
        )
        with self._reading() as connection:
            return {DeviceId(*row[:3]): row[3] for row in connection.execute(query)}


def _haystack(wanted: OrderFilter) -> sa.ColumnElement[str]:
    """Return the text of an order that words are looked for in; owners' names where they may be."""
    owner: sa.ColumnElement[str] = sa.func.coalesce(_text(orders.c.document, "customer", "owner"), "")
    if wanted.owners_of is not None:
        owner = sa.case((orders.c.tenant.in_(sorted(wanted.owners_of)), owner), else_="")
    parts: list[sa.ColumnElement[str]] = [
        orders.c.order_id,
        orders.c.tenant + "/" + orders.c.device_class + "/" + orders.c.device,
        orders.c.fault,
        sa.func.coalesce(_text(orders.c.document, "device", "serial"), ""),
        _text(orders.c.document, "fault", "title"),
        owner,
    ]
    haystack = parts[0]
    for part in parts[1:]:
        haystack = haystack + " " + part
    return haystack


def _lacks_something() -> sa.ColumnElement[bool]:
    """Return the condition that a field is missing about which someone can be asked."""
    entry = sa.func.json_each(orders.c.document, "$.missing").table_valued("value")
    field = sa.func.json_extract(entry.c.value, "$.field")
    return sa.exists(sa.select(1).select_from(entry).where(field.not_in(sorted(NOT_TO_ASK))))


def _words(haystack: sa.ColumnElement[str], words: Collection[str]) -> list[sa.ColumnElement[bool]]:
    return [sa.func.lower(haystack).contains(word.lower(), autoescape=True) for word in words]


def _of(table: sa.Table, tenants: Collection[str] | None) -> list[sa.ColumnElement[bool]]:
    return [] if tenants is None else [table.c.tenant.in_(sorted(tenants))]


def _text(column: sa.ColumnElement[str], *path: str) -> sa.ColumnElement[str]:
    text: sa.ColumnElement[str] = sa.type_coerce(column, sa.JSON)[path].as_string()
    return text
