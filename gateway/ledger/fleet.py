"""Counting over the whole fleet, in SQL: what comes out is as long as there are models, rules and faults.

Documents are opened by SQLite's own JSON functions. `type_coerce` and not `cast`: to SQLite JSON is text.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from diagnostics.case import OPEN_CASE_STATES, CaseState
from diagnostics.decision import Reason
from diagnostics.orders.lifecycle import OrderOutcome
from diagnostics.orders.model import ENDED_ORDER_STATES, OrderState
from gateway.fleetfigures import (
    REDO_SPANS,
    DeviceFault,
    FactName,
    Group,
    GroupCount,
    GroupFault,
    OutcomeCount,
    RuleCount,
    Window,
)
from gateway.ledger.tables import cases, decisions, devices, order_changes, orders
from rules.symbols import DeviceId

_OPEN = sorted(state.value for state in OPEN_CASE_STATES)
_ENDED = sorted(state.value for state in ENDED_ORDER_STATES)
#: A confirmed case that came to one of these was no fault after all.
_NONE_AFTER_ALL = (CaseState.DISMISSED.value, CaseState.REFUTED.value)


class SqlFleet:
    """Counts through connections that `reading` opens."""

    def __init__(self, reading: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._reading = reading

    def tenants(self) -> list[str]:
        """Return the tenants of the devices that ever spoke, by name."""
        # Each step jumps over one tenant's devices in the primary key.
        first = sa.select(sa.func.min(devices.c.tenant).label("tenant")).cte("every", recursive=True)
        after = sa.select(sa.func.min(devices.c.tenant)).where(devices.c.tenant > first.c.tenant)
        every = first.union_all(sa.select(after.scalar_subquery()).where(first.c.tenant.is_not(None)))
        query = sa.select(every.c.tenant).where(every.c.tenant.is_not(None))
        with self._reading() as connection:
            return list(connection.scalars(query))

    def groups(self, window: Window, *, by: FactName) -> list[GroupCount]:
        """Count devices by what they say of themselves, and those of them on which a case is open."""
        keys = _group_keys(by)
        whole = sa.select(*keys, sa.func.count()).where(*_of_tenants(devices, window)).group_by(*keys)
        opened = (
            sa.select(*keys, sa.func.count(sa.distinct(devices.c.device)))
            .select_from(cases.join(devices, _same_device(cases, devices)))
            .where(cases.c.state.in_(_OPEN), *_of_tenants(cases, window))
            .group_by(*keys)
        )
        with self._reading() as connection:
            open_by_group = {_group(row[:-1]): row[-1] for row in connection.execute(opened)}
            rows = connection.execute(whole).all()
        return [
            GroupCount(group, number, open_by_group.get(group, 0))
            for *key, number in rows
            for group in [_group(key)]
        ]

    def group_faults(self, window: Window, *, by: FactName) -> list[GroupFault]:
        """Count confirmed faults with an onset in the window by the same groups."""
        keys = _group_keys(by)
        fault = _text(cases.c.document, "fault")
        query = (
            sa.select(*keys, fault, sa.func.count())
            .select_from(cases.join(devices, _same_device(cases, devices)))
            .where(*_confirmed(window))
            .group_by(*keys, fault)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [GroupFault(_group(row[: len(keys)]), row[-2], row[-1]) for row in rows]

    def device_faults(self, window: Window) -> list[DeviceFault]:
        """Count confirmed faults with an onset in the window by device."""
        names = [cases.c[name] for name in DeviceId._fields]
        fault = _text(cases.c.document, "fault")
        query = sa.select(*names, fault, sa.func.count()).where(*_confirmed(window)).group_by(*names, fault)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [DeviceFault(DeviceId(*row[:3]), row[3], row[4]) for row in rows]

    def devices_with_open_cases(self, window: Window) -> list[DeviceId]:
        """Return the devices on which a case is open."""
        names = [cases.c[name] for name in DeviceId._fields]
        query = sa.select(*names).distinct().where(cases.c.state.in_(_OPEN), *_of_tenants(cases, window))
        with self._reading() as connection:
            return [DeviceId(*row) for row in connection.execute(query)]

    def parts_of(self, device: DeviceId, limit: int) -> list[DeviceId]:
        """Return the devices that name this one, of the same tenant, as their parent."""
        names = [devices.c[name] for name in DeviceId._fields]
        query = sa.select(*names).where(
            devices.c.tenant == device.tenant, _text(devices.c.facts, "parent") == device.device
        )
        with self._reading() as connection:
            return [DeviceId(*row) for row in connection.execute(query.order_by(*names).limit(limit))]

    def alike_with_open_cases(self, device: DeviceId, model: str, limit: int) -> list[tuple[DeviceId, int]]:
        """Return other devices of a model, tenant and class with how many cases are open on each."""
        names = [devices.c[name] for name in DeviceId._fields]
        number = sa.func.count()
        query = (
            sa.select(*names, number)
            .select_from(cases.join(devices, _same_device(cases, devices)))
            .where(
                cases.c.state.in_(_OPEN),
                devices.c.tenant == device.tenant,
                devices.c.device_class == device.device_class,
                devices.c.device != device.device,
                _text(devices.c.facts, "model") == model,
            )
            .group_by(*names)
            .order_by(number.desc(), *names)
            .limit(limit)
        )
        with self._reading() as connection:
            return [(DeviceId(*row[:3]), row[3]) for row in connection.execute(query)]

    def rules(self, window: Window) -> list[RuleCount]:
        """Count cases with an onset in the window by the rule that suspected first."""
        flapped = sa.exists().where(
            decisions.c.case_id == cases.c.case_id,
            _text(decisions.c.document, "reason") == Reason.FLAPPING.value,
        )
        raised = (
            sa.select(
                _text(cases.c.document, "rule").label("rule"),
                cases.c.state,
                cases.c.order_id,
                _number(cases.c.document, "confirmed_at").label("confirmed_at"),
                _text(cases.c.document, "order", "outcome").label("outcome"),
                flapped.label("flapped"),
            )
            .where(*_in_window(cases.c.onset, window), *_of_tenants(cases, window))
            .cte("raised")
        )
        c = raised.c
        never = c.confirmed_at.is_(None)
        query = sa.select(
            c.rule,
            sa.func.count(),
            _sum(c.confirmed_at.is_not(None)),
            _sum(c.state == CaseState.DISMISSED.value),
            _sum(c.state == CaseState.REFUTED.value),
            _sum(sa.and_(c.state == CaseState.CLEARED.value, never)),
            _sum(c.flapped),
            _sum(c.order_id.is_not(None)),
            _sum(c.outcome == OrderOutcome.NO_FAULT_FOUND.value),
        ).group_by(c.rule)
        with self._reading() as connection:
            return [RuleCount(*row) for row in connection.execute(query)]

    def outcomes(self, window: Window, now: int) -> list[OutcomeCount]:
        """Count orders closed in the window by fault, and the repairs among them that did not hold."""
        closed = _closed(window)
        c = closed.c
        of = {outcome: _sum(c.outcome == outcome.value) for outcome in OrderOutcome}
        repaired = c.outcome == OrderOutcome.REPAIRED.value
        old = [sa.and_(repaired, c.at <= now - span) for span in REDO_SPANS]
        back = _comes_back(closed)
        redone = [
            sa.and_(is_old, back.c.at <= c.at + span) for is_old, span in zip(old, REDO_SPANS, strict=True)
        ]
        query = (
            sa.select(
                c.fault,
                of[OrderOutcome.REPAIRED],
                of[OrderOutcome.NO_FAULT_FOUND],
                of[OrderOutcome.OTHER_FAULT],
                of[OrderOutcome.CANCELLED],
                *map(_sum, old),
                *map(_sum, redone),
            )
            .select_from(closed.outerjoin(back, back.c.number == c.number))
            .group_by(c.fault)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        spans = len(REDO_SPANS)
        return [
            OutcomeCount(fault, repaired, nothing, other, cancelled, tuple(rest[:spans]), tuple(rest[spans:]))
            for fault, repaired, nothing, other, cancelled, *rest in rows
        ]

    def delays(self, window: Window) -> list[tuple[str, int]]:
        """Return fault and ms from first suspicion to order, for each order opened in the window."""
        query = (
            sa.select(orders.c.fault, orders.c.opened_at - cases.c.onset)
            .select_from(orders.join(cases, cases.c.case_id == orders.c.case_id))
            .where(*_in_window(orders.c.opened_at, window), *_of_tenants(orders, window))
        )
        with self._reading() as connection:
            return [(fault, max(0, delay)) for fault, delay in connection.execute(query)]


def _closed(window: Window) -> sa.CTE:
    """Return what orders were closed with in the window: each time that it happened is a row."""
    outcome = _text(order_changes.c.document, "outcome")
    names = ("tenant", "device_class", "device", "component", "fault")
    return (
        sa.select(
            order_changes.c.number,
            order_changes.c.order_id,
            order_changes.c.at,
            outcome.label("outcome"),
            *(orders.c[name] for name in names),
        )
        .select_from(order_changes.join(orders, orders.c.order_id == order_changes.c.order_id))
        .where(*_in_window(order_changes.c.at, window), *_of_tenants(orders, window), outcome.is_not(None))
        .cte("closed")
    )


def _comes_back(closed: sa.CTE) -> sa.CTE:
    """Return when the same fault was ordered again after each closing, where it was.

    It comes back as the same order, submitted again, or as a later order for the same fault of the same
    component.
    """
    after = _text(order_changes.c.document, "after")
    before = _text(order_changes.c.document, "before")
    again = (
        sa.select(order_changes.c.order_id, order_changes.c.at)
        .where(after == OrderState.SUBMITTED.value, before.in_(_ENDED))
        .cte("again")
    )
    same_order = sa.select(closed.c.number, again.c.at).join(again, again.c.order_id == closed.c.order_id)
    same_fault = [
        orders.c[name] == closed.c[name]
        for name in ("tenant", "device_class", "device", "component", "fault")
    ]
    later = sa.select(closed.c.number, orders.c.opened_at.label("at")).join(orders, sa.and_(*same_fault))
    both = sa.union_all(
        same_order.where(again.c.at > closed.c.at), later.where(orders.c.opened_at > closed.c.at)
    ).cte("back")
    return sa.select(both.c.number, sa.func.min(both.c.at).label("at")).group_by(both.c.number).cte("first")


def _confirmed(window: Window) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a fault: confirmed, its onset in the window, and not found to be none."""
    outcome = _text(cases.c.document, "order", "outcome")
    return [
        *_in_window(cases.c.onset, window),
        *_of_tenants(cases, window),
        cases.c.state.not_in(_NONE_AFTER_ALL),
        _number(cases.c.document, "confirmed_at").is_not(None),
        sa.func.coalesce(outcome, "") != OrderOutcome.NO_FAULT_FOUND.value,
    ]


def _group_keys(by: FactName) -> list[sa.ColumnElement[Any]]:
    facts = ("model",) if by == "model" else ("model", "firmware")
    return [
        devices.c.tenant,
        devices.c.device_class,
        *(sa.func.coalesce(_text(devices.c.facts, name), "") for name in facts),
    ]


def _group(row: Sequence[Any]) -> Group:
    """Return the group of its keys; a fact may be a number."""
    return Group(*map(str, row))


def _text(column: sa.ColumnElement[str], *path: str) -> sa.ColumnElement[str]:
    text: sa.ColumnElement[str] = sa.type_coerce(column, sa.JSON)[
        path if len(path) > 1 else path[0]
    ].as_string()
    return text


def _number(column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[int]:
    number: sa.ColumnElement[int] = sa.type_coerce(column, sa.JSON)[name].as_integer()
    return number


def _sum(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _in_window(column: sa.ColumnElement[int], window: Window) -> list[sa.ColumnElement[bool]]:
    return [column >= window.since, column < window.until]


def _of_tenants(table: sa.Table, window: Window) -> list[sa.ColumnElement[bool]]:
    return [] if window.tenants is None else [table.c.tenant.in_(sorted(window.tenants))]


def _same_device(one: sa.Table, other: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(*(one.c[name] == other.c[name] for name in DeviceId._fields))
