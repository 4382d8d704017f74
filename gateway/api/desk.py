"""Who speaks to the gateway, and how what they say gets there and is answered."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from weakref import WeakValueDictionary

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from diagnostics.case import Case
from diagnostics.instruction import Instruction, Verb
from diagnostics.naming import derived
from gateway.access.principal import BUILT_IN, Principal, Role
from gateway.api.callers import Caller
from gateway.api.etags import IfMatch, etag_of, unchanged
from gateway.api.problems import Problem, ProblemError, later
from gateway.api.queries import Queries
from gateway.api.rights import needs
from gateway.api.views import Instructed, Word
from gateway.errors import OutsideError
from rules.symbols import DeviceId

#: Seconds after which a request is answered though its words are not kept yet.
KEPT_WITHIN = 10.0

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


#: Whoever acts is an engineer in the tenant of what they act on.
ACTS = needs(Role.ENGINEER)


class Body(BaseModel):
    """What a request says; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


Shown = TypeVar("Shown", bound=BaseModel)


class Turns:
    """Who says what they have seen acts after others who said so of the same thing, one at a time."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, object_id: str) -> asyncio.Lock:
        """Return the lock of a thing, for as long as anyone holds it."""
        return self._locks.setdefault(object_id, asyncio.Lock())


class Desk:
    """Takes what people say to the gateway."""

    def __init__(
        self,
        *,
        request: Request,
        response: Response,
        caller: Caller,
        user: Annotated[
            str | None,
            Header(alias="X-Forewarn-User", description="who it is; read in the built-in session only"),
        ] = None,
        key: Annotated[
            str | None,
            Header(alias="Idempotency-Key", description="the same for a request that is sent again"),
        ] = None,
        wanted: IfMatch = None,
    ) -> None:
        queries = request.app.state.queries
        assert isinstance(queries, Queries)
        self.reads = queries.seen_by(caller)
        self.caller = caller
        self.who = _who(caller, user)
        self._key = key
        self._wanted = wanted
        self._response = response
        self._turns: Turns = request.app.state.turns
        self._instructed: Instructed | None = request.app.state.instructed

    @asynccontextmanager
    async def turn(self, object_id: str, read: Callable[[], BaseModel | None]) -> AsyncIterator[None]:
        """Act on what the caller has seen, after others who act on the same thing.

        Raises:
            ProblemError: 412: it is another than ``If-Match`` says.
        """
        if self._wanted is None:
            yield
            return
        async with self._turns.of(object_id):
            now = await asyncio.to_thread(read)
            if now is not None:
                unchanged(self._wanted, now)
            yield

    def told(self, document: Shown) -> Shown:
        """Return the answer to an act, with its tag in the headers."""
        self._response.headers["ETag"] = etag_of(document)
        return document

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
            raise later("no gateway is at work here")
        try:
            async with asyncio.timeout(KEPT_WITHIN):
                return await self._instructed.instruct(words)
        except TimeoutError:
            raise later(f"not kept within {KEPT_WITHIN:g} s; it may be yet") from None
        except OutsideError as error:
            raise later(str(error)) from None

    def identifier(self, verb: str, about: str, body: BaseModel, *, once: bool = False) -> str:
        """Return what tells a request from others, and not from its own repetition.

        States come and go, so only its key says whether a request for one is a new one; `once` are words
        that mean the same each time they are said.
        """
        said = (about, verb, self.who, body.model_dump_json())
        if self._key is not None:
            return derived("I-", self._key, *said)
        return derived("I-", *said) if once else f"I-{uuid.uuid4().hex[:16]}"


def _who(caller: Principal, user: str | None) -> str:
    """Return the name of who acts; in the built-in session whoever they say."""
    if caller != BUILT_IN or user is None:
        return caller.name
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


Acts = Annotated[Desk, Depends(Desk)]
