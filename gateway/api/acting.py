"""The routes by which people act on cases and orders. What they say goes the way of every message.

An answer comes once it is kept. The same request again, with the same ``Idempotency-Key`` or not, leaves
things as they are: a state that is reached already is not reached twice, the same comment of the same person
is one comment. The key gives the instruction its identifier, so that this holds also where the gateway was
killed before the answer to it was kept (gateway/api/repeating.py).
"""

import asyncio
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AliasChoices, BeforeValidator, Field

from diagnostics.instruction import Verb
from diagnostics.orders.changes import PartUsed
from diagnostics.orders.filling import Filled, JsonValue, NotFillableError, checked, has_place
from diagnostics.orders.lifecycle import OrderOutcome
from diagnostics.orders.model import ServiceOrder
from gateway.api.casefile import CaseFileDocument
from gateway.api.desk import ACTS, ANSWERS, Acts, Body, Desk, Name, Said, Text
from gateway.api.orderfile import OrderFileDocument
from gateway.api.problems import ProblemError

router = APIRouter(prefix="/api/v1", responses=ANSWERS)


def _part(value: object) -> object:
    return {"part": value} if isinstance(value, str) else value


Part = Annotated[PartUsed, BeforeValidator(_part)]


class NoteBody(Body):
    """A remark that is kept with what was done."""

    note: Text = ""


class CommentBody(Body):
    """A remark."""

    note: Said


class DismissBody(Body):
    """Why there is no fault."""

    note: Said


class AssignBody(NoteBody):
    """Who is to look after the case."""

    assignee: Name | None = Field(description="null for nobody")


class AskBody(NoteBody):
    """What the device is asked for: an `action` of those that `possible` of the case lists."""

    action: Name


class StateBody(NoteBody):
    """What a repairer's system says of an order."""

    state: Literal["acknowledged", "inProgress", "pending", "held", "resolved", "rejected", "cancelled"]
    by: Literal["engineer", "repairer"] = "repairer"


class CloseBody(NoteBody):
    """What an order came to."""

    outcome: OrderOutcome
    parts_used: list[Part] = Field(
        default=[],
        max_length=100,
        validation_alias=AliasChoices("parts_used", "parts"),
        description="parts that were built in: `{part, quantity}`, or the part's number alone",
    )
    by: Literal["engineer", "repairer"] = "engineer"


class FillBody(NoteBody):
    """What fields of an order are to hold, by their paths; null empties one."""

    fields: dict[str, JsonValue] = Field(
        min_length=1,
        max_length=50,
        examples=[{"customer.contact": "+49 30 123456", "site.country": "DE"}],
    )


class _FilledBody(NoteBody):
    """The same, checked, as the gateway takes it."""

    filled: list[Filled]


async def answer_case(desk: Desk, case_id: str) -> CaseFileDocument:
    """Return the document of a case as it now stands."""
    document = await asyncio.to_thread(CaseFileDocument.read, desk.reads, case_id)
    assert document is not None
    return document


async def _on_case(desk: Desk, case_id: str, verb: Verb, body: Body) -> CaseFileDocument:
    async with desk.turn(case_id, lambda: CaseFileDocument.read(desk.reads, case_id)):
        await desk.say(await asyncio.to_thread(desk.case, case_id), verb, body)
        document = await answer_case(desk, case_id)
    return desk.told(document)


@router.post("/cases/{case_id}/acknowledge", tags=["cases"], dependencies=[ACTS])
async def acknowledge_case(desk: Acts, case_id: str, body: NoteBody | None = None) -> CaseFileDocument:
    """Say that you have seen an open case; the first who says so stays."""
    return await _on_case(desk, case_id, Verb.ACKNOWLEDGE, body or NoteBody())


@router.post("/cases/{case_id}/unacknowledge", tags=["cases"], dependencies=[ACTS])
async def unacknowledge_case(desk: Acts, case_id: str, body: NoteBody | None = None) -> CaseFileDocument:
    """Take back that an open case was seen."""
    return await _on_case(desk, case_id, Verb.UNACKNOWLEDGE, body or NoteBody())


@router.post("/cases/{case_id}/assign", tags=["cases"], dependencies=[ACTS])
async def assign_case(desk: Acts, case_id: str, body: AssignBody) -> CaseFileDocument:
    """Give an open case to somebody who looks after it."""
    return await _on_case(desk, case_id, Verb.ASSIGN, body)


@router.post("/cases/{case_id}/comment", tags=["cases"], dependencies=[ACTS])
async def comment_case(desk: Acts, case_id: str, body: CommentBody) -> CaseFileDocument:
    """Add a remark to the ledger of a case."""
    return await _on_case(desk, case_id, Verb.COMMENT, body)


@router.post("/cases/{case_id}/dismiss", tags=["cases"], dependencies=[ACTS])
async def dismiss_case(desk: Acts, case_id: str, body: DismissBody) -> CaseFileDocument:
    """End an open case in which there is no fault; no order is opened, and one that is open is cancelled."""
    return await _on_case(desk, case_id, Verb.DISMISS, body)


@router.post("/cases/{case_id}/reopen", tags=["cases"], dependencies=[ACTS])
async def reopen_case(desk: Acts, case_id: str, body: NoteBody | None = None) -> CaseFileDocument:
    """Take back within a day that a case was dismissed: it goes on where it stood, and so does its order."""
    return await _on_case(desk, case_id, Verb.REOPEN, body or NoteBody())


@router.post("/cases/{case_id}/confirm", tags=["cases"], dependencies=[ACTS])
async def confirm_case(desk: Acts, case_id: str, body: NoteBody | None = None) -> CaseFileDocument:
    """Confirm an open case: an order is opened, also where a policy or a silence held it, or opened again.

    A rule whose `confirm` asks for an engineer and for something else besides still waits for that.
    """
    return await _on_case(desk, case_id, Verb.CONFIRM, body or NoteBody())


@router.post("/cases/{case_id}/probe", tags=["cases"], dependencies=[ACTS])
async def probe_case(desk: Acts, case_id: str, body: AskBody) -> CaseFileDocument:
    """Ask the device for a self test now. Its answer stands in `probes` of the case and goes to the rules."""
    return await _on_case(desk, case_id, Verb.PROBE, body)


@router.post("/cases/{case_id}/remedy", tags=["cases"], dependencies=[ACTS])
async def remedy_case(desk: Acts, case_id: str, body: AskBody) -> CaseFileDocument:
    """Tell the device to try a remedy now. Whether the fault is gone then is for the rules to say."""
    return await _on_case(desk, case_id, Verb.REMEDY, body)


async def _on_order(desk: Desk, order_id: str, verb: Verb, body: Body) -> OrderFileDocument:
    order = await _order(desk, order_id)
    async with desk.turn(order_id, lambda: OrderFileDocument.read(desk.reads, order_id)):
        await desk.say(await asyncio.to_thread(desk.case, order.case_id), verb, body)
        document = await asyncio.to_thread(OrderFileDocument.read, desk.reads, order_id)
    assert document is not None
    return desk.told(document)


async def _order(desk: Desk, order_id: str) -> ServiceOrder:
    order = await asyncio.to_thread(desk.reads.order, order_id)
    if order is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no order {order_id}")
    return order


@router.patch("/orders/{order_id}", tags=["orders"], dependencies=[ACTS])
async def fill_order(desk: Acts, order_id: str, body: FillBody) -> OrderFileDocument:
    """Fill in fields of an open order: what stands in `missing`, or what is wrong.

    A field that is filled in is missing no more; one that is emptied with null is. What people fill in is
    theirs: nothing that devices say later changes it.
    """
    order = await _order(desk, order_id)
    try:
        filled = [Filled(field=field, value=checked(field, value)) for field, value in body.fields.items()]
    except NotFillableError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    for item in filled:
        if not has_place(order, item.field, [other.field for other in filled]):
            section = item.field.rpartition(".")[0]
            raise ProblemError(
                HTTPStatus.CONFLICT, f"{item.field}: the order has no {section}; fill that in as a whole"
            )
    return await _on_order(desk, order_id, Verb.FILL, _FilledBody(note=body.note, filled=filled))


@router.post("/orders/{order_id}/state", tags=["orders"], dependencies=[ACTS])
async def set_order_state(desk: Acts, order_id: str, body: StateBody) -> OrderFileDocument:
    """Bring an order to a state, as a repairer's system does; docs/orders.md draws which are possible."""
    return await _on_order(desk, order_id, Verb.STATE, body)


@router.post("/orders/{order_id}/close", tags=["orders"], dependencies=[ACTS])
async def close_order(desk: Acts, order_id: str, body: CloseBody) -> OrderFileDocument:
    """Close an order with what it came to; `cancelled` cancels it."""
    return await _on_order(desk, order_id, Verb.CLOSE, body)
