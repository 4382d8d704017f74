"""The routes under /api/v1. They are plain functions: FastAPI runs each on a thread, as the stores block."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from diagnostics.orders.model import ServiceOrder
from gateway.access.principal import Role
from gateway.api.callers import Caller
from gateway.api.casefile import CaseFileDocument
from gateway.api.documents import (
    DeviceDocument,
    PageDocument,
    QuarantineDocument,
    ReadingDocument,
    ReloadDocument,
)
from gateway.api.etags import NOT_MODIFIED, IfNoneMatch, tagged
from gateway.api.orderfile import OrderFileDocument
from gateway.api.parameters import Cursor, DurationParameter, InstantParameter, Limit
from gateway.api.problems import Problem, ProblemError
from gateway.api.queries import Queries
from gateway.api.rights import needs
from gateway.api.scope import LOOK
from gateway.api.views import Changes, Reloads
from gateway.errors import OutsideError, UserError
from gateway.ports import StoredReading
from rules.symbols import DeviceId

_NOT_FOUND: dict[int | str, dict[str, object]] = {
    404: {"description": "There is no such thing", "model": Problem}
}

#: Whoever has any role may look at what their tenants have.
LOOKS = needs(Role.VIEWER)

router = APIRouter(
    prefix="/api/v1", responses={422: {"description": "Something in the request is wrong", "model": Problem}}
)


def reads_of(request: Request, caller: Caller) -> Queries:
    """Return what the caller may read."""
    queries = request.app.state.queries
    assert isinstance(queries, Queries)
    return queries.seen_by(caller)


def _changes(request: Request) -> Changes:
    changes: Changes = request.app.state.changes
    return changes


Reads = Annotated[Queries, Depends(reads_of)]
DeviceFilter = Annotated[str | None, Query(description="`tenant/class/device`, or a name that is unique")]
OrderStateFilter = Literal[
    "open",
    "submitted",
    "acknowledged",
    "inProgress",
    "pending",
    "held",
    "resolved",
    "closed",
    "cancelled",
    "rejected",
]


@router.get("/devices", tags=["devices"], dependencies=[LOOKS])
def list_devices(
    *,
    reads: Reads,
    tenant: str | None = None,
    device_class: Annotated[str | None, Query(alias="class")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageDocument[DeviceDocument]:
    """List the devices that ever spoke, by name."""
    page = reads.devices(tenant=tenant, device_class=device_class, cursor=cursor, limit=limit)
    return PageDocument(items=[DeviceDocument.of(record) for record in page.items], next=page.next)


@router.get(
    "/devices/{tenant}/{device_class}/{device}", tags=["devices"], dependencies=[LOOKS], responses=_NOT_FOUND
)
def show_device(reads: Reads, tenant: str, device_class: str, device: str) -> DeviceDocument:
    """Show what is known of one device."""
    name = DeviceId(tenant, device_class, device)
    record = reads.device(name)
    if record is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"no device {name} ever spoke")
    return DeviceDocument.of(record)


@router.get(
    "/devices/{tenant}/{device_class}/{device}/telemetry",
    tags=["devices"],
    dependencies=[LOOKS],
    responses=_NOT_FOUND,
    response_model=PageDocument[ReadingDocument],
)
def list_readings(
    *,
    reads: Reads,
    tenant: str,
    device_class: str,
    device: str,
    signal: Annotated[
        str | None, Query(description="`disk.temperature`, or with a component `disk.temperature@sda`")
    ] = None,
    start: Annotated[
        InstantParameter | None, Query(alias="from", description="not before; RFC 3339 or ms")
    ] = None,
    end: Annotated[InstantParameter | None, Query(alias="to", description="before; RFC 3339 or ms")] = None,
    step: Annotated[
        DurationParameter | None, Query(description="keep the last reading of every such span")
    ] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100_000, description="readings on a page")] = 10_000,
) -> Response:
    """List a device's readings in order of time: the latest `limit`; `next` leads to those before them."""
    name = DeviceId(tenant, device_class, device)
    if reads.device(name) is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"no device {name} ever spoke")
    page = reads.telemetry(name, signal=signal, start=start, end=end, step=step, cursor=cursor, limit=limit)
    # Ten thousand readings are encoded here, on the route's thread, and not by the framework on the loop.
    items = [_reading_fields(reading) for reading in page.items]
    return Response(msgspec.json.encode({"items": items, "next": page.next}), media_type="application/json")


def _reading_fields(reading: StoredReading) -> dict[str, object]:
    return {
        "ts": reading.ts,
        "signal": reading.signal,
        "component": reading.component or None,
        "value": reading.value,
        "arrival": reading.arrival,
    }


@router.get(
    "/cases/{case_id}",
    tags=["cases"],
    dependencies=[LOOKS],
    responses=_NOT_FOUND | NOT_MODIFIED,
    response_model=CaseFileDocument,
)
def show_case(request: Request, reads: Reads, case_id: str, _known: IfNoneMatch = None) -> Response:
    """Show a case with its evidence, self tests, timeline, ledger, and what is possible now."""
    document = CaseFileDocument.read(reads, case_id)
    if document is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no case {case_id}")
    return tagged(request, document)


@router.get("/orders", tags=["orders"], dependencies=[LOOKS])
def list_orders(
    *,
    reads: Reads,
    state: OrderStateFilter | None = None,
    tenant: str | None = None,
    device: DeviceFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageDocument[ServiceOrder]:
    """List service orders, newest first. `open` is none of resolved, closed, cancelled, rejected."""
    page = reads.orders(state=state, tenant=tenant, device=device, cursor=cursor, limit=limit)
    return PageDocument(items=page.items, next=page.next)


@router.get(
    "/orders/{order_id}",
    tags=["orders"],
    dependencies=[LOOKS],
    responses=_NOT_FOUND | NOT_MODIFIED,
    response_model=OrderFileDocument,
)
def show_order(request: Request, reads: Reads, order_id: str, _known: IfNoneMatch = None) -> Response:
    """Show one service order with all that happened to it."""
    order = OrderFileDocument.read(reads, order_id)
    if order is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no order {order_id}")
    return tagged(request, order)


@router.get("/rules", tags=["rules"], dependencies=[LOOKS])
def list_rules(
    *,
    reads: Reads,
    pack: str | None = None,
    fault: Annotated[str | None, Query(description="a code of the fault catalogue")] = None,
    cursor: Cursor = None,
    limit: Limit = 1000,
) -> PageDocument[dict[str, object]]:
    """List the rules that are being evaluated, as their packs spell them."""
    wanted = {"pack": pack, "fault": fault}
    found = [
        rule
        for rule in reads.rules.rules()
        if all(value is None or rule.get(name) == value for name, value in wanted.items())
    ]
    begin = 0
    if cursor is not None:
        places = {str(rule["id"]): place for place, rule in enumerate(found)}
        if cursor not in places:
            raise UserError(f"cursor: expected one that a page of this list gave, got {cursor!r}")
        begin = places[cursor] + 1
    page = found[begin : begin + limit]
    return PageDocument(items=page, next=str(page[-1]["id"]) if begin + limit < len(found) else None)


@router.post(
    "/rules/reload",
    tags=["rules"],
    dependencies=[needs(Role.ENGINEER, everywhere=True)],
    responses={
        422: {"description": "A pack is wrong; the rules are those of before", "model": Problem},
        503: {"description": "The gateway is not at work", "model": Problem},
    },
)
async def reload_rules(request: Request) -> ReloadDocument:
    """Read the rule packs of the configuration anew and put them in force, all of them or none.

    Rules that stay the same go on where they stood. No message is skipped or taken twice.
    """
    reloads: Reloads | None = request.app.state.reloads
    if reloads is None:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no gateway is at work here")
    try:
        return ReloadDocument.of(await reloads.reload())
    except OutsideError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None


@router.get("/quarantine", tags=["quarantine"], dependencies=[LOOKS])
def list_quarantine(
    *,
    reads: Reads,
    reason: str | None = None,
    topic: Annotated[str | None, Query(description="an MQTT filter: `fw/acme/#`, `fw/+/pc/+/facts`")] = None,
    tenant: Annotated[str | None, Query(description="whose topic it came under")] = None,
    since: Annotated[InstantParameter | None, Query(description="not before; RFC 3339 or ms")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageDocument[QuarantineDocument]:
    """List what could not be used, newest first, each with its reason."""
    page = reads.quarantine(
        reason=reason, topic=topic, tenant=tenant, since=since, cursor=cursor, limit=limit
    )
    return PageDocument(items=[QuarantineDocument.of(row) for row in page.items], next=page.next)


@router.get("/events", tags=["events"], dependencies=[LOOKS], response_class=EventSourceResponse)
async def follow_events(
    request: Request,
    caller: Caller,
    last: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="`id` of the last event that was heard", max_length=100),
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow changes as server-sent events: `case` and `order` carry the document as it now stands.

    A reader who comes back with `Last-Event-ID` hears what it missed. `lagged` says that something is missing
    all the same: it was too slow, or away for too long, or the gateway has been started anew; `missed` is how
    many changes, null where nobody knows. It should read the lists anew.
    """
    changes = _changes(request)
    yield ServerSentEvent(comment="following", retry=2000, id=None if last else changes.here())
    seen: set[object] = set()
    async for change in changes.subscribe(caller, after=last):
        tenant = change.document.get("tenant")
        if change.event == "order" and tenant not in seen and caller.may(Role.ENGINEER, str(tenant)):
            seen.add(tenant)
            reads: Queries = request.app.state.queries
            await asyncio.to_thread(reads.trail.looked, caller, LOOK, [("order:*", str(tenant))])
        yield ServerSentEvent(event=change.event, data=change.document, id=change.id)
