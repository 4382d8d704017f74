"""Who speaks to the gateway, and how what they say gets there and is answered."""

import asyncio
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from diagnostics.case import Case
from diagnostics.instruction import Instruction, Verb
from diagnostics.naming import derived
from gateway.api.guard import is_loopback
from gateway.api.problems import Problem, ProblemError
from gateway.api.queries import Queries
from gateway.api.views import Instructed, Word
from gateway.errors import OutsideError
from rules.symbols import DeviceId

#: Seconds after which a request is answered though its words are not kept yet.
KEPT_WITHIN = 10.0
#: Who it was when nobody says.
NOBODY_SAID = "engineer"

#: What a route may answer by which people act.
ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such thing", "model": Problem},
    409: {"description": "Not as things stand; the detail says what is possible", "model": Problem},
    422: {"description": "Something in the request is wrong", "model": Problem},
    503: {"description": "Not kept; say it again after `Retry-After` seconds", "model": Problem},
}

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4_000, pattern=r"^[^\x00]*$")]
Said = Annotated[Text, Field(min_length=1)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Body(BaseModel):
    """What a request says; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


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

    async def say(self, case: Case, verb: Verb, body: Body) -> None:
        """Have something done with a case, and return once it is kept.

        Raises:
            ProblemError: 409: not as things stand. 503: it is not kept, or nobody can say.
        """
        (refused,) = await self.tell([self.word(case, verb, body)])
        if refused is not None:
            raise ProblemError(HTTPStatus.CONFLICT, refused)

    def word(self, case: Case, verb: Verb, body: Body) -> Word:
        """Return what is said about a case, as the gateway takes it."""
        instruction = Instruction(
            verb=verb,
            case_id=case.case_id,
            component=case.component,
            fault=case.fault,
            who=self.who,
            instruction_id=self.identifier(verb.value, case.case_id, body, once=verb is Verb.COMMENT),
            **body.model_dump(),  # its keys are those of an instruction
        )
        return Word(DeviceId(case.tenant, case.device_class, case.device), instruction)

    async def tell(self, words: Sequence[Word]) -> list[str | None]:
        """Have things done, and return once they are kept; of each why it was refused, None where not.

        Raises:
            ProblemError: 503: it is not kept, or nobody can say.
        """
        if self._instructed is None:
            raise _later("no gateway is at work here")
        try:
            async with asyncio.timeout(KEPT_WITHIN):
                return await self._instructed.instruct(words)
        except TimeoutError:
            raise _later(f"not kept within {KEPT_WITHIN:g} s; it may be yet") from None
        except OutsideError as error:
            raise _later(str(error)) from None

    def identifier(self, verb: str, about: str, body: BaseModel, *, once: bool = False) -> str:
        """Return what tells a request from others, and not from its own repetition.

        States come and go, so only its key says whether a request for one is a new one; `once` are words
        that mean the same each time they are said.
        """
        said = (about, verb, self.who, body.model_dump_json())
        if self._key is not None:
            return derived("I-", self._key, *said)
        return derived("I-", *said) if once else f"I-{uuid.uuid4().hex[:16]}"


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
