"""The states of a service order and the doors between them, in one table.

The names are those of a trouble ticket, TMF621. An order begins as ``submitted``; it is open until it is
``resolved``, ``closed``, ``cancelled`` or ``rejected``. Beyond TMF621's own drawing, an order may be closed
from every open state (a technician's word comes once, after the work), and one that has ended may be
submitted again: its fault came back.
"""

from collections.abc import Mapping
from enum import StrEnum

from diagnostics.orders.model import OrderState

S = OrderState


class Actor(StrEnum):
    """Who causes a change of an order."""

    GATEWAY = "gateway"  # on evidence: it recovered, it was refuted, it came back
    ENGINEER = "engineer"  # of the support desk
    REPAIRER = "repairer"  # the company that repairs, or its system


class OrderOutcome(StrEnum):
    """What an order came to, contract section 4."""

    REPAIRED = "repaired"
    NO_FAULT_FOUND = "no_fault_found"
    OTHER_FAULT = "other_fault"
    CANCELLED = "cancelled"


ANYONE = frozenset(Actor)
PEOPLE = frozenset({Actor.ENGINEER, Actor.REPAIRER})
DESK = frozenset({Actor.GATEWAY, Actor.ENGINEER})
ENGINEER = frozenset({Actor.ENGINEER})

#: From each state the states that an order may pass to, and who may cause it. There is no other door.
DOORS: Mapping[OrderState, Mapping[OrderState, frozenset[Actor]]] = {
    S.SUBMITTED: {
        S.ACKNOWLEDGED: PEOPLE,
        S.IN_PROGRESS: PEOPLE,
        S.PENDING: PEOPLE,
        S.HELD: PEOPLE,
        S.RESOLVED: PEOPLE,
        S.CLOSED: PEOPLE,
        S.CANCELLED: ANYONE,
        S.REJECTED: PEOPLE,
    },
    S.ACKNOWLEDGED: {
        S.IN_PROGRESS: PEOPLE,
        S.PENDING: PEOPLE,
        S.HELD: PEOPLE,
        S.RESOLVED: PEOPLE,
        S.CLOSED: PEOPLE,
        S.CANCELLED: ANYONE,
        S.REJECTED: PEOPLE,
    },
    S.IN_PROGRESS: {
        S.PENDING: PEOPLE,
        S.HELD: PEOPLE,
        S.RESOLVED: PEOPLE,
        S.CLOSED: PEOPLE,
        S.CANCELLED: PEOPLE,
    },
    S.PENDING: {
        S.IN_PROGRESS: PEOPLE,
        S.HELD: PEOPLE,
        S.RESOLVED: PEOPLE,
        S.CLOSED: PEOPLE,
        S.CANCELLED: ANYONE,
    },
    S.HELD: {
        S.IN_PROGRESS: PEOPLE,
        S.PENDING: PEOPLE,
        S.RESOLVED: PEOPLE,
        S.CLOSED: PEOPLE,
        S.CANCELLED: ANYONE,
    },
    S.RESOLVED: {
        S.IN_PROGRESS: PEOPLE,
        S.CLOSED: ANYONE,
        S.SUBMITTED: DESK,
    },
    S.CLOSED: {S.SUBMITTED: DESK},
    S.CANCELLED: {S.SUBMITTED: ENGINEER},
    S.REJECTED: {S.SUBMITTED: ENGINEER},
}

#: Nobody has left for the device yet.
BEFORE_LEAVING = frozenset({S.SUBMITTED, S.ACKNOWLEDGED})


class ImpossibleChangeError(Exception):
    """An order cannot pass from one state to another, or not by this actor.

    Attributes:
        possible: the states that this actor may bring it to.
    """

    def __init__(self, before: OrderState, after: OrderState, by: Actor) -> None:
        self.possible = possible(before, by)
        listed = ", ".join(self.possible) or "none"
        super().__init__(
            f"an order that is {before} cannot become {after} by a word of the {by}; possible: {listed}"
        )


def possible(before: OrderState, by: Actor) -> list[OrderState]:
    """Return the states that an actor may bring an order to, in the table's order."""
    return [after for after, actors in DOORS[before].items() if by in actors]


def check(before: OrderState, after: OrderState, by: Actor) -> None:
    """Let a change pass that the table has.

    Raises:
        ImpossibleChangeError: it has no such door for this actor.
    """
    if by not in DOORS[before].get(after, frozenset()):
        raise ImpossibleChangeError(before, after, by)


def state_of(outcome: OrderOutcome) -> OrderState:
    """Return the state that an order ends in by its outcome."""
    return S.CANCELLED if outcome is OrderOutcome.CANCELLED else S.CLOSED
