"""The trouble tickets of orders, inside a transaction that the caller holds."""

from typing import Any

import sqlalchemy as sa

from gateway.ledger.tables import deliveries, orders, tickets
from gateway.ledger.writing import insert_into
from gateway.ports import Outcome, Ticket, TicketStanding

#: A ticket is read back while its order may still go on by a word of the repairer.
_FOLLOWED_WHILE = ("submitted", "acknowledged", "inProgress", "pending", "held", "resolved")


def keep_ticket(connection: sa.Connection, outcome: Outcome) -> None:
    """Keep what a target said of an order's ticket when it took an event."""
    if outcome.ticket is not None:
        owed = outcome.owed
        write_ticket(connection, owed.target, owed.order_id, outcome.ticket, outcome.at)


def write_ticket(connection: sa.Connection, target: str, order_id: str, ticket: Ticket, at: int) -> None:
    """Keep a ticket as its target has it since `at` (ms); what the order followed stays if it is not told."""
    row: dict[str, Any] = {"ticket_id": ticket.id, "state": ticket.state, "changed": at}
    row |= {
        name: value
        for name, value in (("followed", ticket.followed), ("followed_at", ticket.followed_at))
        if value is not None
    }
    statement = insert_into(connection, tickets).values(target=target, order_id=order_id, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=list(tickets.primary_key), set_=row))


def tickets_to_read(connection: sa.Connection, target: str, after: str, limit: int) -> list[TicketStanding]:
    """Return tickets of orders that may still go on, by order, but for those under way to the target."""
    on_its_way = sa.exists().where(
        deliveries.c.target == tickets.c.target,
        deliveries.c.order_id == tickets.c.order_id,
        deliveries.c.state == "waiting",
    )
    query = (
        sa.select(tickets, orders.c.state.label("order_state"))
        .join(orders, orders.c.order_id == tickets.c.order_id)
        .where(tickets.c.target == target, tickets.c.order_id > after)
        .where(orders.c.state.in_(_FOLLOWED_WHILE), ~on_its_way)
        .order_by(tickets.c.order_id)
        .limit(limit)
    )
    return [
        TicketStanding(
            order_id=row.order_id,
            order_state=row.order_state,
            ticket=Ticket(row.ticket_id, row.state, row.followed, row.followed_at),
            changed=row.changed,
        )
        for row in connection.execute(query)
    ]


def order_of_ticket(connection: sa.Connection, target: str, ticket_id: str) -> str | None:
    """Return the order of a target's ticket, None where there is none."""
    query = sa.select(tickets.c.order_id).where(tickets.c.target == target, tickets.c.ticket_id == ticket_id)
    found: str | None = connection.execute(query.limit(1)).scalar_one_or_none()
    return found
