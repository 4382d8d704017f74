"""The routes of silences: for so long, of what fits, nothing is ordered and nobody is told."""

import asyncio
import glob
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field, StringConstraints, model_validator

from diagnostics.case import Case
from diagnostics.naming import derived
from diagnostics.silences import LONGEST_MS, Silence, SilenceMatch, SilenceWord, said_at
from gateway.access.principal import Role
from gateway.api.acting import answer_case
from gateway.api.casefile import CaseFileDocument, SilenceDocument
from gateway.api.desk import ACTS, ANSWERS, Acts, Body, Desk, Said, Text
from gateway.api.documents import PageDocument
from gateway.api.parameters import Cursor, DurationParameter, InstantParameter, Limit
from gateway.api.problems import ProblemError
from gateway.api.rights import needed_in
from gateway.api.routes import LOOKS
from gateway.api.views import Word
from rules.times import format_duration

router = APIRouter(prefix="/api/v1", responses=ANSWERS)

Tenant = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Matcher = Literal["class", "device", "component", "rule", "fault", "model", "site"]


class SpanBody(Body):
    """How long a silence lasts, and why."""

    length: DurationParameter | None = Field(
        default=None, alias="for", description="from its start on: `30m`, `4h`, `7d`"
    )
    until: InstantParameter | None = Field(default=None, description="instead of `for`: RFC 3339 or ms")
    starts: InstantParameter | None = Field(default=None, description="now, unless it says otherwise")
    note: Said = Field(description="why")
    maintenance: bool = Field(
        default=False, description="somebody is at work there: the reason is `in_maintenance` then"
    )

    @model_validator(mode="after")
    def _ends_once(self) -> "SpanBody":
        if (self.length is None) == (self.until is None):
            raise ValueError("expected one of for and until")
        return self


class SilenceBody(SpanBody):
    """A silence: all patterns of `match` must fit; each is a name or a glob."""

    tenant: Tenant
    match: SilenceMatch


class CaseSilenceBody(SpanBody):
    """A silence that is asked for at a case; `by` says which of its names must fit."""

    by: list[Matcher] = Field(default=["device", "component", "fault"], min_length=1)


class EndBody(Body):
    """Why a silence ends early."""

    note: Text = ""


@router.post("/cases/{case_id}/silence", tags=["silences"], dependencies=[ACTS])
async def silence_case(desk: Acts, case_id: str, body: CaseSilenceBody) -> CaseFileDocument:
    """Silence what a case is about: it is watched and confirmed, and its order waits for the end.

    If the fault still stands then, the order opens. An order that is open already goes on.
    """
    case = await asyncio.to_thread(desk.case, case_id)
    await _begin(desk, body, case.tenant, _match_of(case, body.by), case.case_id)
    return await answer_case(desk, case_id)


@router.post("/silences", tags=["silences"], dependencies=[ACTS], status_code=HTTPStatus.CREATED)
async def add_silence(desk: Acts, body: SilenceBody) -> SilenceDocument:
    """Silence what fits: a device, a component, a rule, a fault, a model, a site, or several of these."""
    needed_in(desk.caller, Role.ENGINEER, body.tenant)
    silence_id = await _begin(desk, body, body.tenant, body.match, None)
    return await _answer(desk, silence_id)


@router.get("/silences", tags=["silences"], dependencies=[LOOKS])
def list_silences(
    *,
    desk: Acts,
    state: Literal["pending", "active", "expired"] | None = None,
    tenant: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageDocument[SilenceDocument]:
    """List silences, newest first, also those that are over: who asked for them, and who ended them."""
    tenants = None if tenant is None else [tenant]
    page = desk.reads.silences(state=state, tenants=tenants, cursor=cursor, limit=limit)
    now = desk.reads.now()
    return PageDocument(items=[SilenceDocument.of(item, now) for item in page.items], next=page.next)


@router.get("/silences/{silence_id}", tags=["silences"], dependencies=[LOOKS])
async def show_silence(desk: Acts, silence_id: str) -> SilenceDocument:
    """Show one silence."""
    return await _answer(desk, silence_id)


@router.delete("/silences/{silence_id}", tags=["silences"], dependencies=[ACTS])
async def end_silence(
    desk: Acts,
    silence_id: str,
    note: Annotated[Text, Query(description="why")] = "",
) -> SilenceDocument:
    """End a silence now; what waited for its end goes on. One that is over stays as it is."""
    silence = await _silence(desk, silence_id)
    if silence.state(desk.reads.now()) != "expired":
        body = EndBody(note=note)
        word = SilenceWord(
            verb="end_silence",
            instruction_id=desk.identifier("end_silence", silence_id, body),
            who=desk.who,
            silence_id=silence_id,
            note=note,
        )
        await _tell(desk, Word(said_at(silence.tenant), word))
    return await _answer(desk, silence_id)


async def _begin(desk: Desk, body: SpanBody, tenant: str, match: SilenceMatch, case_id: str | None) -> str:
    """Have a silence begun, and return its id once that is kept.

    Raises:
        ProblemError: 422: it would be over before it began, or last too long.
    """
    now = desk.reads.now()
    starts = now if body.starts is None else body.starts
    ends = body.until if body.until is not None else starts + (body.length or 0)
    if ends <= max(starts, now):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "until: expected an instant after its start and now"
        )
    if ends - starts > LONGEST_MS:
        longest = format_duration(LONGEST_MS)
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"expected a silence of at most {longest}")
    said = desk.identifier("silence", case_id or tenant, body)
    silence = Silence(
        silence_id=derived("S-", said),
        tenant=tenant,
        match=match,
        maintenance=body.maintenance,
        starts=starts,
        ends=ends,
        note=body.note,
        case_id=case_id,
        created_at=now,
        created_by=desk.who,
    )
    word = SilenceWord(verb="silence", instruction_id=said, who=desk.who, silence=silence)
    await _tell(desk, Word(said_at(tenant), word))
    return silence.silence_id


async def _tell(desk: Desk, word: Word) -> None:
    (refused,) = await desk.tell([word])
    if refused is not None:
        raise ProblemError(HTTPStatus.CONFLICT, refused)


def _match_of(case: Case, names: list[Matcher]) -> SilenceMatch:
    """Return the patterns by which exactly the names of a case fit.

    Raises:
        ProblemError: 409: the case has none of a name.
    """
    of_case: dict[str, str | None] = {
        "class": case.device_class,
        "device": case.device,
        "component": case.component or None,
        "rule": case.rule,
        "fault": case.fault,
        "model": case.model,
        "site": case.site,
    }
    wanted = {name: of_case[name] for name in names if name != "component" or case.component}
    for name, value in wanted.items():
        if value is None:
            raise ProblemError(HTTPStatus.CONFLICT, f"by: the {name} of the device is not known")
    return SilenceMatch.model_validate({name: glob.escape(value or "") for name, value in wanted.items()})


async def _silence(desk: Desk, silence_id: str) -> Silence:
    silence = await asyncio.to_thread(desk.reads.silence, silence_id)
    if silence is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no silence {silence_id}")
    return silence


async def _answer(desk: Desk, silence_id: str) -> SilenceDocument:
    return SilenceDocument.of(await _silence(desk, silence_id), desk.reads.now())
