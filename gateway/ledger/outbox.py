"""The outbox: which events are owed to whom, what was delivered, and what was given up."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from diagnostics.orders.changes import OrderChange
from diagnostics.orders.lifecycle import Actor
from gateway.clock import SystemClock
from gateway.ledger.opening import open_engine, open_engine_readonly, speaking, writing
from gateway.ledger.paging import page
from gateway.ledger.tables import deliveries, dispatch_targets, order_changes, orders, outbox, tickets
from gateway.ledger.ticketing import keep_ticket, order_of_ticket, tickets_to_read, write_ticket
from gateway.ledger.writing import insert_into
from gateway.ports import Delivery, DeliveryState, Outcome, Owed, Page, Ticket, TicketStanding

ALL_TENANTS = "*"

#: SQL takes a bounded number of values in a list.
_NUMBERS_AT_ONCE = 500

_EVENT = (
    deliveries.c.number,
    deliveries.c.target,
    deliveries.c.attempts,
    outbox.c.event_id,
    outbox.c.number.label("sequence"),
    outbox.c.type,
    outbox.c.payload,
    outbox.c.created,
    orders.c.order_id,
    orders.c.tenant,
    tickets.c.ticket_id,
    tickets.c.state.label("ticket_state"),
    tickets.c.followed,
    tickets.c.followed_at,
    order_changes.c.document.label("change"),
)


class SqlOutbox:
    """The outbox of a ledger; fulfils `gateway.ports.Outbox` and `Deliveries`. Any thread may call it.

    Args:
        url: of the ledger, ``sqlite:///PATH``.

    Raises:
        UserError: the URL is none, or what is there is not a ledger, or one of a newer forewarn.
        StoreUnavailableError: the database cannot be reached, or its disk refuses.
    """

    def __init__(self, url: str) -> None:
        self._start(open_engine(url))

    @classmethod
    def open_readonly(cls, url: str) -> "SqlOutbox":
        """Open for reading, also while a gateway writes to it.

        Raises:
            UserError: there is none, or what is there is not a ledger of this version.
            StoreUnavailableError: the database cannot be reached, or its disk refuses.
        """
        found = cls.__new__(cls)
        found._start(open_engine_readonly(url))
        return found

    @classmethod
    def open_present(cls, url: str) -> "SqlOutbox":
        """Open one that is there and of this version for reading and writing, beside a running gateway.

        Raises:
            UserError: there is none, or what is there is not a ledger of this version.
            StoreUnavailableError: the database cannot be reached, or its disk refuses.
        """
        open_engine_readonly(url).dispose()
        return cls(url)

    def _start(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._writer = writing(engine)
        self._clock = SystemClock()

    def share_out(self, targets: Mapping[str, str]) -> None:
        """Owe the events since the last call to each target, by name and tenant, ``*`` for all tenants."""
        with speaking(self._engine), self._engine.begin() as connection:
            known = _shared(connection)
            head = _head(connection)
        if all(known.get(name) == head for name in targets):
            return
        with speaking(self._engine), self._writer.begin() as connection:
            known = _shared(connection)
            head = _head(connection)
            for name, tenant in targets.items():
                if name in known:
                    _owe(connection, name, tenant, known[name], head)
                statement = insert_into(connection, dispatch_targets).values(name=name, since=head)
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=[dispatch_targets.c.name], set_={"since": head}
                    )
                )

    def due(self, now: int, room: Mapping[str, int], busy: Collection[tuple[str, str]]) -> list[Owed]:
        """Return what may be sent at `now` (ms): up to so many by target, of each order the earliest only."""
        earlier, later = deliveries.alias("earlier"), deliveries.alias("later")
        waits_for = sa.exists().where(
            *_same_order(earlier), earlier.c.state == "waiting", earlier.c.event < deliveries.c.event
        )
        overtaken = sa.exists().where(
            *_same_order(later), later.c.state == "delivered", later.c.event > deliveries.c.event
        )
        query = (
            _joined(sa.select(*_EVENT, overtaken.label("overtaken")))
            .where(deliveries.c.state == "waiting", deliveries.c.due <= now, ~waits_for)
            .order_by(deliveries.c.due, deliveries.c.event)
        )
        found: list[Owed] = []
        with speaking(self._engine), self._engine.begin() as connection:
            for target, number in room.items():
                if number <= 0:
                    continue
                under_way = {order for name, order in busy if name == target}
                some = query.where(deliveries.c.target == target).limit(number + len(under_way))
                owed = [_owed(row) for row in connection.execute(some)]
                found += [one for one in owed if one.order_id not in under_way][:number]
        return found

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what became of attempts; an event that no target waits for any more counts as delivered."""
        if not outcomes:
            return
        with speaking(self._engine), self._writer.begin() as connection:
            for outcome in outcomes:
                connection.execute(
                    sa.update(deliveries)
                    .where(deliveries.c.number == outcome.owed.number)
                    .values(
                        state=outcome.state,
                        attempts=outcome.attempts,
                        due=outcome.due,
                        changed=outcome.at,
                        detail=outcome.detail,
                    )
                )
                keep_ticket(connection, outcome)
                if outcome.state in ("delivered", "overtaken"):
                    _note_delivered(connection, outcome)

    def tickets_to_read(self, target: str, after: str, limit: int) -> list[TicketStanding]:
        """Return tickets of orders after `after` that may still go on, in order, but for those under way."""
        with speaking(self._engine), self._engine.begin() as connection:
            return tickets_to_read(connection, target, after, limit)

    def keep_ticket(self, target: str, order_id: str, ticket: Ticket, at: int) -> None:
        """Keep how a ticket was found at `at` (ms); `followed` None leaves what it was."""
        with speaking(self._engine), self._writer.begin() as connection:
            write_ticket(connection, target, order_id, ticket, at)

    def order_of_ticket(self, target: str, ticket_id: str) -> str | None:
        """Return the order of a target's ticket, None where there is none."""
        with speaking(self._engine), self._engine.begin() as connection:
            return order_of_ticket(connection, target, ticket_id)

    def deliveries(
        self,
        *,
        target: str | None = None,
        state: DeliveryState | None = None,
        order_id: str | None = None,
        tenants: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Delivery]:
        """Return deliveries, the latest first; `tenants` None is all of them.

        Raises:
            UserError: no page gave that cursor.
        """
        query = _listed(tenants)
        if target is not None:
            query = query.where(deliveries.c.target == target)
        if state is not None:
            query = query.where(deliveries.c.state == state)
        if order_id is not None:
            query = query.where(deliveries.c.order_id == order_id)
        with speaking(self._engine), self._engine.begin() as connection:
            return page(
                connection,
                query,
                [deliveries.c.number],
                newest_first=True,
                cursor=cursor,
                limit=limit,
                item=_delivery,
            )

    def delivery(self, number: int, *, tenants: Collection[str] | None = None) -> Delivery | None:
        """Return one delivery, None when there is none of these tenants."""
        query = _listed(tenants).where(deliveries.c.number == number)
        with speaking(self._engine), self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _delivery(row)

    def retry(
        self,
        *,
        numbers: Sequence[int] | None = None,
        target: str | None = None,
        order_id: str | None = None,
        tenants: Collection[str] | None = None,
    ) -> tuple[int, list[int]]:
        """Let dead letters be tried again as if for the first time: those of numbers, target, order, tenants.

        Returns:
            how many will be, and the numbers that no dead letter has.
        """
        meant = [deliveries.c.state == "dead"]
        if target is not None:
            meant.append(deliveries.c.target == target)
        if order_id is not None:
            meant.append(deliveries.c.order_id == order_id)
        if tenants is not None:
            theirs = sa.select(orders.c.order_id).where(orders.c.tenant.in_(tenants))
            meant.append(deliveries.c.order_id.in_(theirs))
        anew = {"state": "waiting", "attempts": 0, "due": 0, "changed": self._clock.now()}
        with speaking(self._engine), self._writer.begin() as connection:
            if numbers is None:
                return connection.execute(sa.update(deliveries).where(*meant).values(anew)).rowcount, []
            found: set[int] = set()
            wanted = sorted(set(numbers))
            for begin in range(0, len(wanted), _NUMBERS_AT_ONCE):
                some = deliveries.c.number.in_(wanted[begin : begin + _NUMBERS_AT_ONCE])
                there = sa.select(deliveries.c.number).where(*meant, some)
                found.update(connection.scalars(there))
                connection.execute(sa.update(deliveries).where(*meant, some).values(anew))
        return len(found), [number for number in wanted if number not in found]

    def close(self) -> None:
        """Release the files."""
        self._engine.dispose()


def _shared(connection: sa.Connection) -> dict[str, int]:
    """Return how far the outbox has been shared out, by target."""
    rows = connection.execute(sa.select(dispatch_targets.c.name, dispatch_targets.c.since))
    return {row.name: row.since for row in rows}


def _head(connection: sa.Connection) -> int:
    """Return the number of the last event."""
    return connection.execute(sa.select(sa.func.max(outbox.c.number))).scalar_one() or 0


def _owe(connection: sa.Connection, name: str, tenant: str, since: int, head: int) -> None:
    events = (
        sa.select(
            sa.literal(name),
            outbox.c.number,
            outbox.c.subject,
            sa.literal("waiting"),
            sa.literal(0),
            outbox.c.created,
            outbox.c.created,
        )
        .join(orders, orders.c.order_id == outbox.c.subject)
        .where(outbox.c.number > since, outbox.c.number <= head)
    )
    if tenant != ALL_TENANTS:
        events = events.where(orders.c.tenant == tenant)
    columns = ["target", "event", "order_id", "state", "attempts", "due", "changed"]
    connection.execute(
        insert_into(connection, deliveries).from_select(columns, events.order_by(outbox.c.number))
    )


def _same_order(other: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    return [other.c.target == deliveries.c.target, other.c.order_id == deliveries.c.order_id]


def _joined(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.select_from(
        deliveries.join(outbox, outbox.c.number == deliveries.c.event)
        .join(orders, orders.c.order_id == deliveries.c.order_id)
        .outerjoin(
            tickets,
            (tickets.c.target == deliveries.c.target) & (tickets.c.order_id == deliveries.c.order_id),
        )
        # What an event tells of is the end of its id, but for that of an order's first.
        .outerjoin(
            order_changes,
            order_changes.c.change_id
            == sa.func.replace(outbox.c.event_id, outbox.c.subject + "/" + outbox.c.type + "/", ""),
        )
    )


def _listed(tenants: Collection[str] | None) -> sa.Select[Any]:
    """Return the query of deliveries as they are listed, of some tenants or of all."""
    behind = deliveries.alias("behind")
    count = (
        sa.select(sa.func.count())
        .where(*_same_order(behind), behind.c.state == "waiting", behind.c.event > deliveries.c.event)
        .scalar_subquery()
    )
    columns = (deliveries.c.state, deliveries.c.due, deliveries.c.changed, deliveries.c.detail)
    query = _joined(sa.select(*_EVENT, *columns, count.label("behind")))
    return query if tenants is None else query.where(orders.c.tenant.in_(tenants))


def _note_delivered(connection: sa.Connection, outcome: Outcome) -> None:
    event = outcome.owed.sequence
    open_ = sa.exists().where(deliveries.c.event == event, deliveries.c.state.in_(("waiting", "dead")))
    connection.execute(sa.update(outbox).where(outbox.c.number == event, ~open_).values(delivered=outcome.at))


def _owed(row: sa.Row[Any]) -> Owed:
    return Owed(
        number=row.number,
        target=row.target,
        event_id=row.event_id,
        sequence=row.sequence,
        type=row.type,
        order_id=row.order_id,
        tenant=row.tenant,
        payload=row.payload,
        created=row.created,
        attempts=row.attempts,
        ticket=_ticket(row),
        said_by=_repairer(row.change),
        overtaken=bool(row._mapping.get("overtaken", False)),
    )


def _repairer(change: str | None) -> str | None:
    if change is None:
        return None
    found = OrderChange.model_validate_json(change)
    return found.who if found.by is Actor.REPAIRER else None


def _ticket(row: sa.Row[Any]) -> Ticket | None:
    if row.ticket_id is None:
        return None
    return Ticket(row.ticket_id, row.ticket_state, row.followed, row.followed_at)


def _delivery(row: sa.Row[Any]) -> Delivery:
    return Delivery(_owed(row), row.state, row.due, row.changed, row.detail, row.behind)
