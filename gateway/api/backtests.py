"""Routes of backtests: other rules over the stored history, as a job beside the gateway, one at a time."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.access.principal import Principal, Role
from gateway.api.callers import Caller
from gateway.api.problems import Problem, ProblemError
from gateway.api.rights import needs
from gateway.backtest.jobs import Backtests, BusyError, Job
from gateway.backtest.plan import USUAL_SPAN, Backtest, Labelled, parse_moment
from rules.times import parse_duration, to_rfc3339

#: Characters of all texts of a request together, and labelled faults of it.
MOST_TEXT = 2_000_000
MOST_LABELS = 100_000

_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such backtest, or no more", "model": Problem}
}

router = APIRouter(
    prefix="/api/v1/backtests",
    tags=["rules"],
    dependencies=[needs(Role.ENGINEER, everywhere=True)],
    responses={
        403: {"description": "Not for the caller", "model": Problem},
        422: {"description": "Something in the request is wrong", "model": Problem},
    },
)


def _moment(text: str) -> str:
    parse_moment(text, 0)
    return text


def _duration(text: str) -> str:
    parse_duration(text)
    return text


Moment = Annotated[str, AfterValidator(_moment)]
Duration = Annotated[str, AfterValidator(_duration)]


def may_change_rules(caller: Principal) -> bool:
    """Return whether somebody may try rules and put them in force: rules concern all tenants."""
    return caller.may(Role.ENGINEER)


class Label(BaseModel):
    """A fault that really was there."""

    model_config = ConfigDict(extra="forbid")

    device: str = Field(description="`tenant/class/device`")
    component: str | None = None
    fault: str
    onset: int = Field(description="ms since 1970 UTC")


class BacktestRequest(BaseModel):
    """What is to be tried."""

    model_config = ConfigDict(extra="forbid")

    packs: list[str] | None = Field(
        default=None, description="of the configuration's packs those to take; all when left out"
    )
    texts: dict[str, str] = Field(
        default={}, description="packs (YAML) by name; one of a file's name stands in that file's place"
    )
    start: Moment = Field(
        default=USUAL_SPAN, alias="from", description="RFC 3339, ms, or a span up to now such as `30d`"
    )
    to: Moment | None = Field(default=None, description="the same, exclusive; now when left out")
    warm_up: Duration | None = Field(
        default=None, description="reading begins so long before `from`; as the rules need, at most `7d`"
    )
    truth: list[Label] | None = Field(default=None, max_length=MOST_LABELS)


class ProgressDocument(BaseModel):
    """Messages worked on, of how many; both 0 while they are counted."""

    done: int
    total: int


class BacktestDocument(BaseModel):
    """A backtest. `result` is there when it is `done`, `error` when it `failed`."""

    id: str
    state: str
    began: str
    by: str
    progress: ProgressDocument
    result: dict[str, Any] | None = None
    error: str | None = None

    @classmethod
    def of(cls, job: Job) -> "BacktestDocument":
        """Return the document of a job."""
        return cls(
            id=job.id,
            state=job.state,
            began=to_rfc3339(job.began),
            by=job.by,
            progress=ProgressDocument(done=job.progress.done, total=job.progress.total),
            result=None if job.result is None else msgspec.to_builtins(job.result),
            error=job.error,
        )


def _backtests(request: Request) -> Backtests:
    found: Backtests | None = request.app.state.backtests
    if found is None:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no gateway is at work here")
    return found


Jobs = Annotated[Backtests, Depends(_backtests)]


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses={409: {"description": "Another one is running", "model": Problem}},
)
def begin_backtest(
    backtests: Jobs, caller: Caller, response: Response, asked: BacktestRequest
) -> BacktestDocument:
    """Begin a backtest; `Location` says where its progress and its result are."""
    if sum(map(len, asked.texts.values())) > MOST_TEXT:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"texts: expected at most {MOST_TEXT:,} characters in all"
        )
    configured = backtests.pack_names()
    unknown = [pack for pack in asked.packs or [] if pack not in configured]
    if unknown:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"packs: expected some of {', '.join(configured)}, got {unknown[0]!r}",
        )
    now = backtests.now()
    plan = Backtest(
        today=backtests.packs(),
        candidate=backtests.candidate(asked.packs, asked.texts),
        since=parse_moment(asked.start, now),
        to=now if asked.to is None else parse_moment(asked.to, now),
        warm_up_ms=None if asked.warm_up is None else parse_duration(asked.warm_up),
        truth=None
        if asked.truth is None
        else tuple(Labelled(one.device, one.component, one.fault, one.onset) for one in asked.truth),
    )
    try:
        job = backtests.begin(plan, by=caller.name)
    except BusyError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from None
    response.headers["Location"] = f"/api/v1/backtests/{job.id}"
    return BacktestDocument.of(job)


@router.get("/{backtest_id}", responses=_NOT_FOUND)
def show_backtest(backtests: Jobs, backtest_id: str) -> BacktestDocument:
    """Show how far a backtest is, and its result once it is done. The latest twenty are kept."""
    job = backtests.job(backtest_id)
    if job is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no backtest {backtest_id}")
    return BacktestDocument.of(job)


@router.delete("/{backtest_id}", status_code=HTTPStatus.ACCEPTED, responses=_NOT_FOUND)
def cancel_backtest(backtests: Jobs, backtest_id: str) -> BacktestDocument:
    """Let a backtest leave off; one that is over stays as it is."""
    job = backtests.cancel(backtest_id)
    if job is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no backtest {backtest_id}")
    return BacktestDocument.of(job)
