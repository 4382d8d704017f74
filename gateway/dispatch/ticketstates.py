"""What a trouble ticket of TMF621 says of its order: its state, what it came to, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from diagnostics.orders.lifecycle import OrderOutcome
from diagnostics.orders.model import ENDED_ORDER_STATES, OrderState
from gateway.dispatch.sending import shortened

#: Who an order's external identifier is by, in the tickets that the gateway makes.
OWNER = "forewarn"
#: The characteristic in which a ticket system says what an order came to.
OUTCOME = "outcome"

#: Characters of a status and of a reason that are kept, and of an id that can be one.
_MOST_STATUS, _MOST_WHY, _MOST_ID = 100, 1_000, 500


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


#: The states of an order, TMF621's. Systems write them each in its own way: `In Progress`, `IN_PROGRESS`.
_STATES = {_plain(state.value): state for state in OrderState} | {"canceled": OrderState.CANCELLED}
_OUTCOMES = {_plain(outcome.value): outcome for outcome in OrderOutcome}


@dataclass(frozen=True, slots=True)
class TicketNews:
    """What a ticket says.

    Attributes:
        ticket_id: None where it does not say.
        order_id: by the external identifier that the gateway gave it; None without one.
        status: in the words of its system.
        state: that these words mean; None where nobody knows.
        outcome: of a ticket that is closed or cancelled, where it says so.
        why: in their words, empty without any.
    """

    ticket_id: str | None
    order_id: str | None
    status: str
    state: OrderState | None
    outcome: OrderOutcome | None
    why: str


def state_of_status(status: str) -> OrderState | None:
    """Return the state that a ticket's status means, whatever its case and its word breaks; None if none.

    >>> state_of_status("IN_PROGRESS"), state_of_status("waiting for parts")
    (<OrderState.IN_PROGRESS: 'inProgress'>, None)
    """
    return _STATES.get(_plain(status))


def news_of(ticket: dict[str, Any]) -> TicketNews | None:
    """Return what a ticket says, None when it has no status."""
    status = ticket.get("status")
    status = shortened(status, _MOST_STATUS) if isinstance(status, str) else ""
    if not status:
        return None
    state = state_of_status(status)
    outcome = _outcome(ticket) if state in (OrderState.CLOSED, OrderState.CANCELLED) else None
    if outcome is not None and (outcome is OrderOutcome.CANCELLED) != (state is OrderState.CANCELLED):
        outcome = None  # it contradicts the status, which wins
    return TicketNews(
        ticket_id=_identity(ticket),
        order_id=_order_id(ticket),
        status=status,
        state=state,
        outcome=outcome,
        why=_why(ticket, state),
    )


def event_news(document: dict[str, Any]) -> TicketNews | None:
    """Return what a notification of a TMF621 hub says of its ticket, None when it is no such notification.

    The name of the event is not looked at: all of them carry the ticket as it now is.
    """
    event = document.get("event")
    if "eventType" not in document or not isinstance(event, dict):
        return None
    ticket = event.get("troubleTicket")
    return news_of(ticket) if isinstance(ticket, dict) else None


def _identity(named: dict[str, Any]) -> str | None:
    """Return an id that can be one."""
    identity = named.get("id")
    if isinstance(identity, str) and 0 < len(identity) <= _MOST_ID and identity.isprintable():
        return identity
    return None


def _objects(ticket: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    found = ticket.get(name)
    for each in found if isinstance(found, list) else []:
        if isinstance(each, dict):
            yield each


def _order_id(ticket: dict[str, Any]) -> str | None:
    for name in _objects(ticket, "externalIdentifier"):
        if name.get("owner") == OWNER:
            return _identity(name)
    return None


def _outcome(ticket: dict[str, Any]) -> OrderOutcome | None:
    for each in _objects(ticket, "troubleTicketCharacteristic"):
        if each.get("name") == OUTCOME and isinstance(each.get("value"), str):
            return _OUTCOMES.get(_plain(each["value"]))
    return None


def _why(ticket: dict[str, Any], state: OrderState | None) -> str:
    """Return the reason of the last change of status; of a ticket that has ended, else its last note."""
    reason = ticket.get("statusChangeReason")
    if isinstance(reason, str) and reason.strip():
        return shortened(reason, _MOST_WHY)
    if state not in ENDED_ORDER_STATES:
        return ""
    notes = [note for note in _objects(ticket, "note") if isinstance(note.get("text"), str)]
    latest = max(notes, key=lambda note: str(note.get("date") or ""), default={"text": ""})
    return shortened(str(latest["text"]), _MOST_WHY)
