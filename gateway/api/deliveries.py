"""The routes over what became of events that are owed to other systems, and of dead letters once more."""

import json
from http import HTTPStatus
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, model_validator

from gateway.access.principal import Principal, Role
from gateway.api.callers import Caller
from gateway.api.desk import ACTS, Body
from gateway.api.documents import Document, Instant, PageDocument
from gateway.api.parameters import Cursor, Limit
from gateway.api.problems import Problem, ProblemError
from gateway.api.routes import LOOKS, Reads
from gateway.api.scope import LOOK
from gateway.events import Events
from gateway.ports import Deliveries, Delivery, DeliveryState

#: No row has a greater number.
_GREATEST = 2**63 - 1

_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such thing", "model": Problem}
}
_ACTS: dict[int | str, dict[str, Any]] = {
    403: {"description": "An engineer may do this", "model": Problem},
    503: {"description": "No gateway is at work here", "model": Problem},
}

router = APIRouter(
    prefix="/api/v1",
    tags=["deliveries"],
    responses={422: {"description": "Something in the request is wrong", "model": Problem}},
)

Number = Annotated[int, Path(ge=1, le=_GREATEST, description="`number` of the delivery")]


class DeliveryDocument(Document):
    """An event of an order on its way to a target."""

    number: int
    target: str
    state: DeliveryState
    event_id: str
    type: str
    order_id: str
    tenant: str
    created: Instant
    changed: Instant = Field(description="when it came to where it stands")
    attempts: int = Field(description="that failed so far")
    due: Instant | None = Field(description="of one that waits: not tried before")
    detail: str | None = Field(description="why the last attempt failed")
    behind: int = Field(description="later events of the order that wait for this one")
    ticket: str | None = Field(description="what the target calls the order, where it has said so")
    ticket_state: str | None = Field(description="the last status that the target said, in its words")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return the document of a delivery."""
        return cls(**_fields(delivery))


class DeliveryFileDocument(DeliveryDocument):
    """A delivery with what it carries."""

    order: dict[str, Any] | None = Field(
        description="the order as it was; null for those who may not see personal data"
    )


class RetryBody(Body):
    """Which dead letters are sent again: by number, or those of a target, of an order, or all."""

    numbers: list[Annotated[int, Field(ge=1, le=_GREATEST)]] | None = Field(
        None, min_length=1, max_length=10_000
    )
    target: str | None = None
    order: str | None = None
    everything: bool = Field(False, alias="all")

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        filtered = self.target is not None or self.order is not None
        if (self.numbers is not None) + filtered + self.everything != 1:
            raise ValueError("expected numbers of dead letters, or target and order, or all")
        return self


class RetryDocument(Document):
    """How many dead letters are sent again; `missing` are numbers that no dead letter has."""

    marked: int
    missing: list[int]


def _fields(delivery: Delivery) -> dict[str, Any]:
    owed = delivery.owed
    return {
        "number": owed.number,
        "target": owed.target,
        "state": delivery.state,
        "event_id": owed.event_id,
        "type": owed.type,
        "order_id": owed.order_id,
        "tenant": owed.tenant,
        "created": owed.created,
        "changed": delivery.changed,
        "attempts": owed.attempts,
        "due": delivery.due if delivery.state == "waiting" else None,
        "detail": delivery.detail,
        "behind": delivery.behind,
        "ticket": None if owed.ticket is None else owed.ticket.id,
        "ticket_state": None if owed.ticket is None else owed.ticket.state,
    }


@router.get("/deliveries", dependencies=[LOOKS])
def list_deliveries(
    *,
    reads: Reads,
    state: DeliveryState | None = None,
    target: str | None = None,
    order: Annotated[str | None, Query(description="the order's id")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageDocument[DeliveryDocument]:
    """List what became of events on their way to other systems, the latest first. `dead` are given up."""
    page = reads.deliveries(state=state, target=target, order_id=order, cursor=cursor, limit=limit)
    return PageDocument(items=[DeliveryDocument.of(each) for each in page.items], next=page.next)


@router.get("/deliveries/{number}", dependencies=[LOOKS], responses=_NOT_FOUND)
def show_delivery(reads: Reads, caller: Caller, number: Number) -> DeliveryFileDocument:
    """Show one delivery with what it carries."""
    found = _delivery(reads.delivery(number), number)
    owed = found.owed
    order = None
    if caller.may(Role.ENGINEER, owed.tenant):
        reads.trail.looked(caller, LOOK, [(f"order:{owed.order_id}", owed.tenant)])
        order = json.loads(owed.payload)
    return DeliveryFileDocument(**_fields(found), order=order)


@router.get("/orders/{order_id}/deliveries", dependencies=[LOOKS], responses=_NOT_FOUND)
def list_deliveries_of_order(
    reads: Reads, order_id: str, cursor: Cursor = None, limit: Limit = 100
) -> PageDocument[DeliveryDocument]:
    """List where an order's events went and what became of them, the latest first."""
    if reads.order(order_id) is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no order {order_id}")
    page = reads.deliveries(order_id=order_id, cursor=cursor, limit=limit)
    return PageDocument(items=[DeliveryDocument.of(each) for each in page.items], next=page.next)


@router.post("/deliveries/retry", dependencies=[ACTS], responses=_ACTS)
def retry_deliveries(request: Request, caller: Caller, body: RetryBody) -> RetryDocument:
    """Have dead letters sent again, as if for the first time. One that was overtaken meanwhile is not."""
    outbox = _outbox(request)
    marked, missing = outbox.retry(
        numbers=body.numbers, target=body.target, order_id=body.order, tenants=_tenants(caller)
    )
    _tell(request, marked, caller)
    return RetryDocument(marked=marked, missing=missing)


@router.post(
    "/deliveries/{number}/retry",
    dependencies=[ACTS],
    responses=_NOT_FOUND | _ACTS | {409: {"description": "It is no dead letter", "model": Problem}},
)
def retry_delivery(request: Request, reads: Reads, caller: Caller, number: Number) -> DeliveryDocument:
    """Have one dead letter sent again."""
    outbox, tenants = _outbox(request), _tenants(caller)
    found = _delivery(reads.delivery(number), number)
    marked, _ = outbox.retry(numbers=[number], tenants=tenants)
    if not marked:
        detail = f"delivery {number} is {found.state}: expected a dead letter of a tenant that you act for"
        raise ProblemError(HTTPStatus.CONFLICT, detail)
    _tell(request, marked, caller)
    return DeliveryDocument.of(_delivery(reads.delivery(number), number))


def _delivery(found: Delivery | None, number: int) -> Delivery:
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no delivery {number}")
    return found


def _outbox(request: Request) -> Deliveries:
    outbox: Deliveries | None = request.app.state.deliveries
    if outbox is None:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no gateway is at work here")
    return outbox


def _tenants(caller: Principal) -> frozenset[str] | None:
    """Return the tenants whose dead letters somebody may have sent again, None for all of them."""
    return caller.tenants(Role.ENGINEER)


def _tell(request: Request, marked: int, caller: Principal) -> None:
    events = request.app.state.events
    assert isinstance(events, Events)
    if marked:
        events.dead_letters_retried(number=marked, who=caller.name)
