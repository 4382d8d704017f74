"""The route by which repairers answer: a webhook that is signed with a secret of their target.

Nobody logs in here; the signature (Standard Webhooks) says who it is, and is looked at before anything else
that they say.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel
from standardwebhooks import Webhook, WebhookVerificationError

from diagnostics.instruction import RefusedError
from diagnostics.naming import derived
from diagnostics.orders.model import OrderState
from gateway.answering import Answer, Answering, NoSuchOrderError
from gateway.api.answerforms import AnswerBody, answer_schema, said_in
from gateway.api.bodies import read_body
from gateway.api.problems import Problem, ProblemError, later
from gateway.api.rights import open_to_all
from gateway.dispatch.targets import Target
from gateway.dispatch.ticketstates import TicketNews
from gateway.errors import OutsideError
from gateway.events import Events

#: Bytes of an answer.
MOST_BYTES = 65_536
#: Seconds in which a body has to be whole.
READ_WITHIN = 10.0
#: Answers that are worked on at one time, over all targets.
MOST_AT_WORK = 64
#: Answers without a good signature that a target is told of one by one, in a span of s; the rest only count.
MOST_FAILURES, FAILURES_SPAN = 20, 60.0

_FORMS = ("application/json", "application/cloudevents+json")

router = APIRouter(prefix="/api/v1", tags=["answers"])


class AnswerTaken(BaseModel):
    """The order after an answer; `repeated` when the same webhook had been taken before."""

    order_id: str
    state: OrderState
    repeated: bool


@dataclass
class Failures:
    """Counts answers without a good signature, by target, in spans of time (s)."""

    most: int = MOST_FAILURES
    span: float = FAILURES_SPAN
    _spans: dict[str, tuple[float, int]] = field(default_factory=dict)

    def another(self, target: str, now: float) -> float | None:
        """Count one at `now` (s); return how long the span still lasts when there were too many in it."""
        begun, number = self._spans.get(target, (now, 0))
        if now - begun >= self.span:
            begun, number = now, 0
        self._spans[target] = (begun, number + 1)
        return None if number < self.most else begun + self.span - now


class AnswerDesk:
    """Takes answers from the targets of a configuration.

    Args:
        targets: who may answer.
        answering: lets an answer have its effect.
        events: counters and log.
        order_of_ticket: returns the order of a target's ticket, by their names, None where there is none.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        answering: Answering,
        events: Events,
        order_of_ticket: Callable[[str, str], str | None],
    ) -> None:
        self._targets = {target.name: target for target in targets}
        self._answering = answering
        self._events = events
        self._order_of_ticket = order_of_ticket
        self._failures = Failures()
        self._at_work = 0
        for target in targets:
            events.answering_target(target.name)

    async def take(self, name: str, request: Request) -> AnswerTaken:
        """Let the answer in a request have its effect; returns once that is kept.

        Raises:
            ProblemError: it has none; the detail says why.
        """
        target = self._targets.get(name)
        if target is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no target {name!r}")
        if self._at_work >= MOST_AT_WORK:
            raise later(f"{self._at_work} answers are being worked on already")
        self._at_work += 1
        try:
            body = await self._whole(target, request)
            self._verify(target, body, request.headers)
            return await self._taken(target, await self._read(target, body, request.headers["webhook-id"]))
        finally:
            self._at_work -= 1

    async def _whole(self, target: Target, request: Request) -> bytes:
        try:
            return await _body(request)
        except ProblemError as error:
            told = self._failures.another(target.name, time.monotonic()) is None
            self._events.answer(target=target.name, result="malformed", detail=error.detail, told=told)
            raise

    def _verify(self, target: Target, body: bytes, headers: Mapping[str, str]) -> None:
        """Let a body pass that a secret of the target signed.

        A good signature passes however many bad ones came before: nobody can shut a repairer out.
        """
        for news in target.credentials.look():
            self._events.secret_reread(target=target.name, path=str(news.path), problem=news.problem)
        why = "the target has no secret, so nobody can sign for it"
        for secret in target.credentials.secrets:
            try:
                Webhook(secret).verify(body, dict(headers), json_parse=False)
            except WebhookVerificationError as error:
                why = str(error)
            except ValueError:  # the headers or the body are not even text of their form
                why = "the signature cannot be read"
            else:
                return
        seconds = self._failures.another(target.name, time.monotonic())
        self._events.answer(target=target.name, result="unsigned", detail=why, told=seconds is None)
        if seconds is not None:
            detail = "too many answers without a good signature"
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(int(seconds) + 1)}
            )
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            f"expected a signature of Standard Webhooks by a secret of the target {target.name}, "
            f"at most 5 minutes old: {why}",
            headers={"WWW-Authenticate": "Webhook"},
        )

    async def _read(self, target: Target, body: bytes, webhook_id: str) -> Answer:
        """Return what a signed body says."""
        key = derived("I-", "answer", target.name, webhook_id)
        try:
            said = said_in(body)
            if isinstance(said, TicketNews):
                return await self._of_ticket(target, said, key)
        except ValueError as error:
            self._events.answer(target=target.name, result="malformed", detail=str(error))
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return _answer(target, said, key)

    async def _of_ticket(self, target: Target, news: TicketNews, key: str) -> Answer:
        order_id = news.order_id
        if order_id is None and news.ticket_id is not None:
            order_id = await asyncio.to_thread(self._order_of_ticket, target.name, news.ticket_id)
        if order_id is None:
            raise ValueError(f"event.troubleTicket: no order has the ticket {news.ticket_id!r}")
        if news.state is None:
            raise ValueError(f"event.troubleTicket.status: expected a state of TMF621, got {news.status!r}")
        return Answer(key, order_id, target.name, news.state, news.outcome, note=news.why)

    async def _taken(self, target: Target, answer: Answer) -> AnswerTaken:
        def told(result: str, detail: str) -> None:
            self._events.answer(target=target.name, result=result, detail=detail, order_id=answer.order_id)

        try:
            answered = await self._answering.take(answer, tenant=target.tenant)
        except NoSuchOrderError as error:
            told("unknown", str(error))
            raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from None
        except RefusedError as error:
            told("refused", str(error))
            raise ProblemError(HTTPStatus.CONFLICT, str(error)) from None
        except TimeoutError:
            told("failed", "not kept in time")
            raise later("not kept in time; it may be yet") from None
        except OutsideError as error:
            told("failed", str(error))
            raise later(str(error)) from None
        told("repeated" if answered.repeated else "taken", answer.note)
        return AnswerTaken(
            order_id=answered.order.order_id, state=answered.order.state, repeated=answered.repeated
        )


def _answer(target: Target, said: AnswerBody, key: str) -> Answer:
    return Answer(
        key=key,
        order_id=said.order_id,
        who=f"{said.who} ({target.name})" if said.who else target.name,
        state=None if said.state is None else OrderState(said.state),
        outcome=said.outcome,
        parts_used=tuple(said.parts_used),
        note=said.note,
    )


@router.post(
    "/answers/{target}",
    dependencies=[open_to_all("the target's signature says who it is")],
    openapi_extra={
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        ],
        "requestBody": {
            "required": True,
            "description": "The answer, or a CloudEvent with it as `data`, or a TMF621 notification.",
            "content": {
                "application/json": {"schema": answer_schema()},
                "application/cloudevents+json": {"schema": {"type": "object"}},
            },
        },
    },
    responses={
        401: {"description": "No secret of the target signed it, or not of late", "model": Problem},
        404: {"description": "No such target, or no such order of its tenant", "model": Problem},
        408: {"description": "The body was not whole in time", "model": Problem},
        409: {"description": "Not as the order stands; the detail says what is possible", "model": Problem},
        413: {"description": "The body is too large", "model": Problem},
        415: {"description": "The body is not JSON", "model": Problem},
        422: {"description": "Something in the answer is wrong", "model": Problem},
        429: {"description": "Too many without a good signature", "model": Problem},
        503: {"description": "Not kept; send it again after `Retry-After` seconds", "model": Problem},
    },
)
async def take_answer(
    request: Request,
    target: Annotated[str, Path(description="`dispatch.name` of the target that answers")],
) -> AnswerTaken:
    """Take what a repairer answers: acknowledged, under way, or what the order came to.

    Signed by Standard Webhooks with a secret of the target. The same `webhook-id` has its effect once.
    """
    desk: AnswerDesk | None = request.app.state.answers
    if desk is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no target {target!r}")
    return await desk.take(target, request)


async def _body(request: Request) -> bytes:
    """Return the body; no more of it is read than an answer has."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in _FORMS:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected Content-Type {' or '.join(_FORMS)}, got {kind}"
        )
    try:
        async with asyncio.timeout(READ_WITHIN):
            return await read_body(request, MOST_BYTES)
    except TimeoutError:
        detail = f"expected a whole body within {READ_WITHIN:g} s"
        raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, detail) from None
