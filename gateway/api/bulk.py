"""The route by which people act on many cases at once; of each it is said what became of it."""

import asyncio
from typing import Annotated, Literal, Self

from fastapi import APIRouter
from pydantic import Field, StringConstraints, model_validator

from diagnostics.instruction import Verb
from gateway.access.principal import Role
from gateway.api.acting import AssignBody, NoteBody
from gateway.api.desk import ACTS, ANSWERS, Acts, Body, Name, Text
from gateway.api.documents import Document

router = APIRouter(prefix="/api/v1", responses=ANSWERS)

#: So many cases a request, and so many of them in one turn: between turns the gateway takes in messages.
#: 100 dismissals with their orders take half a second of one core.
AT_ONCE = 500
IN_A_TURN = 100

BulkAction = Literal["acknowledge", "unacknowledge", "assign", "comment", "dismiss", "reopen", "confirm"]
CaseId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class BulkBody(Body):
    """What is to be done with which cases."""

    action: BulkAction
    case_ids: list[CaseId] = Field(min_length=1, max_length=AT_ONCE)
    note: Text = Field(default="", description="`comment` and `dismiss` need one")
    assignee: Name | None = Field(default=None, description="for `assign`; null for nobody")

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.action in ("comment", "dismiss") and not self.note:
            raise ValueError(f"note: expected one, {self.action} needs it")
        return self


class DoneDocument(Document):
    """What became of it for one case: `why` says why it was refused, or that there is no such case."""

    case_id: str
    result: Literal["done", "refused", "unknown"]
    why: str | None = None


class BulkDocument(Document):
    """What became of it, in the order of the request; a case that is named twice stands here once."""

    done: int
    refused: int
    items: list[DoneDocument]


@router.post("/cases/actions", tags=["cases"], dependencies=[ACTS])
async def act_on_cases(desk: Acts, body: BulkBody) -> BulkDocument:
    """Do the same with up to 500 cases. What can be done is, whatever becomes of the others.

    After a 503 some may be done; said again, they are done already.
    """
    ids = list(dict.fromkeys(body.case_ids))
    cases = {case.case_id: case for case in await asyncio.to_thread(desk.reads.cases_of, ids)}
    verb = Verb(body.action)
    said = (
        AssignBody(note=body.note, assignee=body.assignee)
        if verb is Verb.ASSIGN
        else NoteBody(note=body.note)
    )
    mine = {case.case_id: case for case in cases.values() if desk.caller.may(Role.ENGINEER, case.tenant)}
    why: dict[str, str | None] = {
        case.case_id: f"{desk.caller.name} is no engineer in the tenant {case.tenant}"
        for case in cases.values()
        if case.case_id not in mine
    }
    words = [desk.word(case, verb, said) for case in mine.values()]
    refusals: list[str | None] = []
    for begin in range(0, len(words), IN_A_TURN):
        refusals += await desk.tell(words[begin : begin + IN_A_TURN])
    why |= dict(zip(mine, refusals, strict=True))
    items = [
        DoneDocument(case_id=case_id, result="unknown", why=f"there is no case {case_id}")
        if case_id not in cases
        else DoneDocument(case_id=case_id, result="refused" if why[case_id] else "done", why=why[case_id])
        for case_id in ids
    ]
    done = sum(item.result == "done" for item in items)
    return BulkDocument(done=done, refused=len(items) - done, items=items)
