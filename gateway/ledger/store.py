"""The ledger in an SQL database: SQLite in one file, and nothing that PostgreSQL does not have."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Unpack

import sqlalchemy as sa

from diagnostics.case import OPEN_CASE_STATES, Case, CaseEvent
from diagnostics.decision import Decision
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import ServiceOrder
from diagnostics.silences import Silence, SilenceState
from gateway.clock import SystemClock
from gateway.errors import StoreUnavailableError
from gateway.ledger.fleet import SqlFleet
from gateway.ledger.lists import SqlLists
from gateway.ledger.opening import open_engine, open_engine_readonly, shown, speaking, writing
from gateway.ledger.paging import page
from gateway.ledger.quarantining import (
    conditions,
    mark_retried,
    request_retries,
    row_of,
    taken_by,
    to_retry,
)
from gateway.ledger.queueing import SORTED, case_conditions, count_cases, similar_cases
from gateway.ledger.tables import (
    case_events,
    cases,
    counters,
    decisions,
    devices,
    order_changes,
    orders,
    quarantine,
    silences,
)
from gateway.ledger.writing import (
    DROPPED,
    write_cases,
    write_decisions,
    write_devices,
    write_events,
    write_order_changes,
    write_orders,
    write_quarantine,
    write_silences,
)
from gateway.ports import (
    CaseCounts,
    CaseFilters,
    CaseOrder,
    DeviceRecord,
    LedgerWrite,
    Page,
    Quarantined,
    RetryRequest,
)
from rules.symbols import DeviceId

_OPEN_CASES = sorted(state.value for state in OPEN_CASE_STATES)


class SqlLedger:
    """Cases, orders, decisions, quarantine and devices.

    Any thread may call any method. Other processes may read meanwhile.

    Args:
        url: ``sqlite:///PATH``; the file is made, and its tables are brought up to date.
        quarantine_limit: rows of the quarantine; past it the oldest go.
        on_dropped: is told how many of them went with a commit, on the thread of the commit.

    Raises:
        UserError: the URL is none, or what is there is not a ledger, or one of a newer forewarn.
        StoreUnavailableError: the database cannot be reached, or its disk refuses.
    """

    def __init__(
        self,
        url: str,
        *,
        quarantine_limit: int = 100_000,
        on_dropped: Callable[[int], None] = lambda _count: None,
    ) -> None:
        self._start(open_engine(url), quarantine_limit, on_dropped)

    @classmethod
    def open_readonly(cls, url: str) -> "SqlLedger":
        """Open a ledger for reading, also while a gateway writes to it.

        Raises:
            UserError: there is none, or what is there is not a ledger of this version.
            StoreUnavailableError: the database cannot be reached, or its disk refuses.
        """
        ledger = cls.__new__(cls)
        ledger._start(open_engine_readonly(url), None)
        return ledger

    @classmethod
    def open_present(cls, url: str) -> "SqlLedger":
        """Open a ledger for reading and writing that is there and of this version, beside a running gateway.

        Raises:
            UserError: there is none, or what is there is not a ledger of this version.
            StoreUnavailableError: the database cannot be reached, or its disk refuses.
        """
        open_engine_readonly(url).dispose()
        return cls(url)

    def _start(
        self,
        engine: sa.Engine,
        quarantine_limit: int | None,
        on_dropped: Callable[[int], None] = lambda _count: None,
    ) -> None:
        self._engine = engine
        self._writer = writing(engine)
        self._quarantine_limit = quarantine_limit  # None: open for reading only
        self._on_dropped = on_dropped
        self._clock = SystemClock()
        self._closed = False

    def commit(self, write: LedgerWrite) -> list[ServiceOrder]:
        """Write all of it in one transaction and return the orders that are new.

        Rows are keyed by what they are about: writing the same again changes nothing. Of two states of a case
        or a device the later wins. An order whose fault has an open order already is not written; one that
        has ended ends the open one of the same id.

        Raises:
            StoreUnavailableError: nothing was written; the same call may be made again.
        """
        if self._quarantine_limit is None:
            raise StoreUnavailableError(f"ledger {shown(self._engine)} is open for reading only")
        if not write:
            return []
        with self._speaking(), self._writer.begin() as connection:
            write_devices(connection, write.devices)
            write_cases(connection, write.cases)
            write_silences(connection, write.silences)
            write_events(connection, write.events)
            write_decisions(connection, write.decisions)
            new = _write_orders_and_changes(connection, write, self._clock.now())
            dropped = write_quarantine(connection, write.rejected, self._quarantine_limit)
        if dropped:
            self._on_dropped(dropped)
        return new

    def devices(
        self,
        *,
        tenant: str | None = None,
        device_class: str | None = None,
        tenants: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[DeviceRecord]:
        """Return the devices that ever spoke, by name.

        Raises:
            UserError: no page gave that cursor.
        """
        query = sa.select(devices)
        if tenant is not None:
            query = query.where(devices.c.tenant == tenant)
        if tenants is not None:
            query = query.where(devices.c.tenant.in_(sorted(tenants)))
        if device_class is not None:
            query = query.where(devices.c.device_class == device_class)
        with self._reading() as connection:
            return page(
                connection,
                query,
                list(devices.primary_key),
                newest_first=False,
                cursor=cursor,
                limit=limit,
                item=_device_record,
            )

    def facts(self) -> Iterator[tuple[DeviceId, dict[str, object]]]:
        """Yield what all devices said of themselves, of those that said anything."""
        query = sa.select(devices.c.tenant, devices.c.device_class, devices.c.device, devices.c.facts)
        with self._reading() as connection:
            for *names, facts in connection.execute(query.where(devices.c.facts != "{}")):
                yield DeviceId(*names), json.loads(facts)

    def device(self, device: DeviceId) -> DeviceRecord | None:
        """Return one device, None when it never spoke."""
        query = sa.select(devices).where(*_of_device(devices, device))
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _device_record(row)

    def cases(
        self,
        *,
        order: CaseOrder = "newest",
        cursor: str | None = None,
        limit: int = 100,
        **filters: Unpack[CaseFilters],
    ) -> Page[Case]:
        """Return cases by falling onset, or by urgency: severity, then age. `state` may also be ``open``.

        Raises:
            UserError: no page gave that cursor.
        """
        key, falling = SORTED[order]
        query = sa.select(cases).where(*case_conditions(filters))
        with self._reading() as connection:
            return page(connection, query, key, newest_first=falling, cursor=cursor, limit=limit, item=_case)

    def count_cases(self, **filters: Unpack[CaseFilters]) -> CaseCounts:
        """Count the cases that filters let through."""
        with self._reading() as connection:
            return count_cases(connection, filters)

    def similar_cases(self, case: Case, limit: int) -> list[Case]:
        """Return up to so many earlier cases of the same fault, same model first, then same class."""
        with self._reading() as connection:
            return similar_cases(connection, case, limit)

    def silences(
        self,
        *,
        state: SilenceState | None = None,
        tenants: Collection[str] | None = None,
        now: int,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Silence]:
        """Return silences, newest first; where they stand is told at `now`, ms.

        Raises:
            UserError: no page gave that cursor.
        """
        query = sa.select(silences)
        if state is not None:
            over, begun = silences.c.over_at <= now, silences.c.starts <= now
            query = query.where({"expired": over, "active": ~over & begun, "pending": ~over & ~begun}[state])
        if tenants is not None:
            query = query.where(silences.c.tenant.in_(sorted(tenants)))
        with self._reading() as connection:
            return page(
                connection,
                query,
                [silences.c.created_at, silences.c.silence_id],
                newest_first=True,
                cursor=cursor,
                limit=limit,
                item=_silence,
            )

    def silence(self, silence_id: str) -> Silence | None:
        """Return one silence."""
        query = sa.select(silences).where(silences.c.silence_id == silence_id)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _silence(row)

    def case(self, case_id: str) -> Case | None:
        """Return one case."""
        query = sa.select(cases).where(cases.c.case_id == case_id)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _case(row)

    def cases_of(self, case_ids: Sequence[str]) -> list[Case]:
        """Return those of these cases that there are, in the same order."""
        query = sa.select(cases).where(cases.c.case_id.in_(case_ids))
        with self._reading() as connection:
            found = {row.case_id: _case(row) for row in connection.execute(query)}
        return [found[case_id] for case_id in case_ids if case_id in found]

    def open_cases(self) -> list[Case]:
        """Return all cases that are not at their end, and those whose order is still open, by onset."""
        opened = sa.select(orders.c.order_id).where(orders.c.is_open)
        leading = sa.select(orders.c.case_id).where(orders.c.is_open)
        query = sa.select(cases).where(
            cases.c.state.in_(_OPEN_CASES) | cases.c.order_id.in_(opened) | cases.c.case_id.in_(leading)
        )
        with self._reading() as connection:
            rows = connection.execute(query.order_by(cases.c.onset, cases.c.case_id)).all()
        return [_case(row) for row in rows]

    def events(self, case_id: str) -> list[CaseEvent]:
        """Return a case's events in order of time."""
        query = sa.select(case_events.c.document).where(case_events.c.case_id == case_id)
        with self._reading() as connection:
            documents = connection.scalars(query.order_by(case_events.c.at, case_events.c.number)).all()
        return [CaseEvent.model_validate_json(document) for document in documents]

    def decisions(
        self,
        *,
        case_id: str | None = None,
        device: DeviceId | None = None,
        fault: str | None = None,
    ) -> list[Decision]:
        """Return decisions in order of time."""
        query = sa.select(decisions.c.document)
        if case_id is not None:
            query = query.where(decisions.c.case_id == case_id)
        if device is not None:
            query = query.where(*_of_device(decisions, device))
        if fault is not None:
            query = query.where(decisions.c.fault == fault)
        with self._reading() as connection:
            documents = connection.scalars(query.order_by(decisions.c.at, decisions.c.number)).all()
        return [Decision.model_validate_json(document) for document in documents]

    def orders(
        self,
        *,
        state: str | None = None,
        tenant: str | None = None,
        device: str | None = None,
        tenants: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceOrder]:
        """Return orders, newest first. `state` may also be ``open``.

        Raises:
            UserError: no page gave that cursor.
        """
        query = sa.select(orders)
        if state is not None:
            query = query.where(orders.c.is_open if state == "open" else orders.c.state == state)
        if tenant is not None:
            query = query.where(orders.c.tenant == tenant)
        if tenants is not None:
            query = query.where(orders.c.tenant.in_(sorted(tenants)))
        if device is not None:
            query = query.where(*_of_device(orders, device))
        with self._reading() as connection:
            return page(
                connection,
                query,
                [orders.c.opened_at, orders.c.order_id],
                newest_first=True,
                cursor=cursor,
                limit=limit,
                item=_order,
            )

    def order(self, order_id: str) -> ServiceOrder | None:
        """Return one order."""
        query = sa.select(orders).where(orders.c.order_id == order_id)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _order(row)

    def orders_of(self, order_ids: Sequence[str]) -> list[ServiceOrder]:
        """Return those of these orders that there are, in the same order."""
        query = sa.select(orders).where(orders.c.order_id.in_(order_ids))
        with self._reading() as connection:
            found = {row.order_id: _order(row) for row in connection.execute(query)}
        return [found[order_id] for order_id in order_ids if order_id in found]

    def order_changes(self, order_id: str) -> list[OrderChange]:
        """Return what happened to an order since it was opened, in the order in which it was kept."""
        query = sa.select(order_changes.c.document).where(order_changes.c.order_id == order_id)
        with self._reading() as connection:
            documents = connection.scalars(query.order_by(order_changes.c.number)).all()
        return [OrderChange.model_validate_json(document) for document in documents]

    def quarantine(
        self,
        *,
        reason: str | None = None,
        topic: str | None = None,
        since: int | None = None,
        within: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Quarantined]:
        """Return what could not be used, newest first.

        Args:
            reason: only this one.
            topic: an MQTT filter.
            since: earliest arrival, ms.
            within: MQTT filters, of which one has to take the topic; None for all.
            cursor: of a page.
            limit: rows of a page.

        Raises:
            UserError: no page gave that cursor.
        """
        query = sa.select(quarantine).where(*conditions(reason=reason, topic=topic, since=since))
        if within is not None:
            query = query.where(taken_by(within))
        with self._reading() as connection:
            return page(
                connection,
                query,
                [quarantine.c.number],
                newest_first=True,
                cursor=cursor,
                limit=limit,
                item=row_of,
            )

    def request_retries(
        self,
        *,
        numbers: Sequence[int] | None = None,
        reason: str | None = None,
        topic: str | None = None,
        since: int | None = None,
    ) -> RetryRequest:
        """Ask that rows of the quarantine be submitted again: by their numbers, or all that filters find.

        Raises:
            StoreUnavailableError: nothing was written; the same call may be made again.
        """
        now = self._clock.now()
        with self._speaking(), self._writer.begin() as connection:
            return request_retries(connection, now, numbers=numbers, reason=reason, topic=topic, since=since)

    def to_retry(self, limit: int) -> list[Quarantined]:
        """Return the oldest rows of the quarantine that wait to be submitted again."""
        with self._reading() as connection:
            return to_retry(connection, limit)

    def mark_retried(self, numbers: Sequence[int]) -> None:
        """Note that rows of the quarantine were submitted again.

        Raises:
            StoreUnavailableError: nothing was written; the same call may be made again.
        """
        with self._speaking(), self._writer.begin() as connection:
            mark_retried(connection, numbers, self._clock.now())

    @property
    def fleet(self) -> SqlFleet:
        """What counts over the whole fleet."""
        return SqlFleet(self._reading)

    @property
    def lists(self) -> SqlLists:
        """What answers the lists of orders and devices."""
        return SqlLists(self._reading)

    def quarantine_dropped(self) -> int:
        """Return how many rows the quarantine has let go because it was full."""
        query = sa.select(counters.c.value).where(counters.c.name == DROPPED)
        with self._reading() as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def close(self) -> None:
        """Release the files."""
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._speaking(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailableError(f"ledger {shown(self._engine)} is closed")
        with speaking(self._engine):
            yield


def _write_orders_and_changes(connection: sa.Connection, write: LedgerWrite, now: int) -> list[ServiceOrder]:
    """Keep orders and what happened to them, and return the orders that are new.

    An order that ended makes room for the next one of its fault, within one write too.
    """
    new: list[ServiceOrder] = []
    while True:
        opened = write_orders(connection, write.orders, now)
        write_order_changes(connection, write.changes, now)
        if not opened:
            return new
        new += opened


def _of_device(table: sa.Table, device: DeviceId | str) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that rows are of a device, given as such or as ``tenant/class/device``."""
    names = device.split("/") if isinstance(device, str) else list(device)
    if len(names) != len(DeviceId._fields):
        return [sa.false()]
    return [table.c[column] == name for column, name in zip(DeviceId._fields, names, strict=True)]


def _device_record(row: sa.Row[tuple[object, ...]]) -> DeviceRecord:
    return DeviceRecord(
        id=DeviceId(row.tenant, row.device_class, row.device),
        facts=json.loads(row.facts),
        online=row.online,
        last_seen=row.last_seen,
    )


def _case(row: sa.Row[tuple[object, ...]]) -> Case:
    return Case.model_validate_json(row.document)


def _silence(row: sa.Row[tuple[object, ...]]) -> Silence:
    return Silence.model_validate_json(row.document)


def _order(row: sa.Row[tuple[object, ...]]) -> ServiceOrder:
    return ServiceOrder.model_validate_json(row.document)
