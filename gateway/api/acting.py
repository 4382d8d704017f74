"""The routes by which people act on cases and orders. What they say goes the way of every message.

An answer comes once it is kept. The same request again, with the same ``Idempotency-Key`` or not, leaves
things as they are: a state that is reached already is not reached twice, the same comment of the same person
is one comment.
"""

import asyncio
import uuid
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from diagnostics.case import Case
from diagnostics.instruction import Instruction, RefusedError, Verb
from diagnostics.naming import derived
from diagnostics.orders.changes import PartUsed
from diagnostics.orders.lifecycle import OrderOutcome
from gateway.access.origins import is_loopback
from gateway.api.documents import CaseFileDocument
from gateway.api.orderfile import OrderFileDocument
from gateway.api.problems import Problem, ProblemError
from gateway.api.queries import Queries
from gateway.api.views import Instructed
from gateway.errors import OutsideError
from rules.symbols import DeviceId

#: Seconds after which a request is answered though its words are not kept yet.
KEPT_WITHIN = 10.0
#: Who it was when nobody says.
NOBODY_SAID = "engineer"

router = APIRouter(
    prefix="/api/v1",
    responses={
        404: {"description": "There is no such thing", "model": Problem},
        409: {"description": "Not as things stand; the detail says what is possible", "model": Problem},
        422: {"description": "Something in the request is wrong", "model": Problem},
        503: {"description": "Not kept; say it again after `Retry-After` seconds", "model": Problem},
    },
)

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4_000, pattern=r"^[^\x00]*$")]
Said = Annotated[Text, Field(min_length=1)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


def _part(value: object) -> object:
    return {"part": value} if isinstance(value, str) else value


Part = Annotated[PartUsed, BeforeValidator(_part)]


class Body(BaseModel):
    """What a request says; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


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


class Desk:
    """Takes what people say to the gateway."""

    def __init__(
        self,
        request: Request,
        user: Annotated[
            str | None,
            Header(alias="X-Forewarn-User", description="who it is; read from loopback only"),
        ] = None,
        key: Annotated[
            str | None,
            Header(alias="Idempotency-Key", description="the same for a request that is sent again"),
        ] = None,
    ) -> None:
        queries = request.app.state.queries
        assert isinstance(queries, Queries)
        self.reads = queries
        self.who = _who(request, user)
        self._key = key
        self._instructed: Instructed | None = request.app.state.instructed

    def case(self, case_id: str) -> Case:
        """Return a case that there is.

        Raises:
            ProblemError: 404.
        """
        case = self.reads.ledger.case(case_id)
        if case is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no case {case_id}")
        return case

    async def say(self, case: Case, verb: Verb, body: NoteBody | CommentBody | DismissBody) -> None:
        """Have something done, and return once it is kept.

        Raises:
            ProblemError: 409: not as things stand. 503: it is not kept, or nobody can say.
        """
        instruction = Instruction(
            verb=verb,
            case_id=case.case_id,
            component=case.component,
            fault=case.fault,
            who=self.who,
            instruction_id=self._identifier(case, verb, body),
            **body.model_dump(),  # its keys are those of an instruction
        )
        if self._instructed is None:
            raise _later("no gateway is at work here")
        device = DeviceId(case.tenant, case.device_class, case.device)
        try:
            async with asyncio.timeout(KEPT_WITHIN):
                await self._instructed.instruct(device, instruction)
        except RefusedError as error:
            raise ProblemError(HTTPStatus.CONFLICT, str(error)) from None
        except TimeoutError:
            raise _later(f"not kept within {KEPT_WITHIN:g} s; it may be yet") from None
        except OutsideError as error:
            raise _later(str(error)) from None

    def _identifier(self, case: Case, verb: Verb, body: BaseModel) -> str:
        """Return what tells a request from others, and not from its own repetition.

        States come and go, so only its key says whether a request for one is a new one.
        """
        said = (case.case_id, verb.value, self.who, body.model_dump_json())
        if self._key is not None:
            return derived("I-", self._key, *said)
        return derived("I-", *said) if verb is Verb.COMMENT else f"I-{uuid.uuid4().hex[:16]}"


def _who(request: Request, user: str | None) -> str:
    """Return the name of who acts: there is no login yet, so a name is believed on this machine alone."""
    if user is None or request.client is None or not is_loopback(request.client.host):
        return NOBODY_SAID
    try:
        name = user.encode("latin-1").decode("utf-8").strip()  # headers come as bytes, read as Latin-1
    except UnicodeError:
        name = user.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"X-Forewarn-User: expected a name of 1 to 100 printable characters, got {name[:100]!r}",
        )
    return name


def _later(why: str) -> ProblemError:
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why, headers={"Retry-After": "5"})


Acts = Annotated[Desk, Depends(Desk)]


async def _on_case(
    desk: Desk, case_id: str, verb: Verb, body: NoteBody | CommentBody | DismissBody
) -> CaseFileDocument:
    await desk.say(await asyncio.to_thread(desk.case, case_id), verb, body)
    file = await asyncio.to_thread(desk.reads.case_file, case_id)
    assert file is not None
    return CaseFileDocument.of_file(file.case, file.events, file.decisions)


@router.post("/cases/{case_id}/acknowledge", tags=["cases"])
async def acknowledge_case(desk: Acts, case_id: str, body: NoteBody | None = None) -> CaseFileDocument:
    """Say that you have seen an open case; the first who says so stays."""
    return await _on_case(desk, case_id, Verb.ACKNOWLEDGE, body or NoteBody())


@router.post("/cases/{case_id}/assign", tags=["cases"])
async def assign_case(desk: Acts, case_id: str, body: AssignBody) -> CaseFileDocument:
    """Give an open case to somebody who looks after it."""
    return await _on_case(desk, case_id, Verb.ASSIGN, body)


@router.post("/cases/{case_id}/comment", tags=["cases"])
async def comment_case(desk: Acts, case_id: str, body: CommentBody) -> CaseFileDocument:
    """Add a remark to the ledger of a case."""
    return await _on_case(desk, case_id, Verb.COMMENT, body)


@router.post("/cases/{case_id}/dismiss", tags=["cases"])
async def dismiss_case(desk: Acts, case_id: str, body: DismissBody) -> CaseFileDocument:
    """End an open case in which there is no fault; no order is opened, and one that is open is cancelled."""
    return await _on_case(desk, case_id, Verb.DISMISS, body)


@router.post("/cases/{case_id}/confirm", tags=["cases"])
async def confirm_case(desk: Acts, case_id: str, body: NoteBody | None = None) -> CaseFileDocument:
    """Confirm an open case: an order is opened, also where a policy held it, or opened again.

    A rule whose `confirm` asks for an engineer and for something else besides still waits for that.
    """
    return await _on_case(desk, case_id, Verb.CONFIRM, body or NoteBody())


async def _on_order(desk: Desk, order_id: str, verb: Verb, body: StateBody | CloseBody) -> OrderFileDocument:
    order = await asyncio.to_thread(desk.reads.order, order_id)
    if order is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no order {order_id}")
    await desk.say(await asyncio.to_thread(desk.case, order.case_id), verb, body)
    document = await asyncio.to_thread(OrderFileDocument.read, desk.reads, order_id)
    assert document is not None
    return document


@router.post("/orders/{order_id}/state", tags=["orders"])
async def set_order_state(desk: Acts, order_id: str, body: StateBody) -> OrderFileDocument:
    """Bring an order to a state, as a repairer's system does; docs/orders.md draws which are possible."""
    return await _on_order(desk, order_id, Verb.STATE, body)


@router.post("/orders/{order_id}/close", tags=["orders"])
async def close_order(desk: Acts, order_id: str, body: CloseBody) -> OrderFileDocument:
    """Close an order with what it came to; `cancelled` cancels it."""
    return await _on_order(desk, order_id, Verb.CLOSE, body)
