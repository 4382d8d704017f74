"""Requests that are sent again: under the same ``Idempotency-Key`` the same request has the same answer.

What was done is kept for 24 h and told again without being done again; what was refused may be mended and
tried anew under its key. A key is its caller's: nobody meets somebody else's answer, nor their own of a time
when they had other rights.
"""

import asyncio
import hashlib
import json
from http import HTTPStatus
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.principal import Principal
from gateway.api.callers import caller_of
from gateway.api.problems import problem_response
from gateway.api.rights import note_no_deed
from gateway.clock import Clock
from gateway.errors import StoreUnavailableError
from gateway.events import Events
from gateway.ledger.answers import Answer

KEY = "idempotency-key"
#: Tells that an answer was given before.
REPLAYED = "idempotency-replayed"
LONGEST_KEY = 255
#: Larger answers are not kept; what acts do is known by other means then (gateway/api/acting.py).
MOST_BYTES = 262_144
#: Where answers hold passwords and tokens, which are kept nowhere: there a key is not heeded.
_SECRET = ("/api/v1/me", "/api/v1/accounts", "/api/v1/login", "/api/v1/logout")
#: Headers of an answer that are kept with it.
_KEPT_HEADERS = ("content-type", "etag", "location")


class Answers(Protocol):
    """Where answers are kept; `gateway.ledger.answers.SqlAnswers` fulfils it. Calls block."""

    def find(self, key: str, now: int) -> Answer | None:
        """Return what was answered under a key, None when nothing was within 24 h."""
        ...

    def keep(self, key: str, answer: Answer, now: int) -> None:
        """Keep an answer."""
        ...


class Repeating:
    """ASGI middleware behind `Identify`."""

    def __init__(self, app: ASGIApp, *, answers: Answers, clock: Clock, events: Events) -> None:
        self._app = app
        self._answers = answers
        self._clock = clock
        self._events = events
        self._busy: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it as before."""
        key = _key_of(scope)
        caller = None if key is None else caller_of(HTTPConnection(scope))
        if key is None or caller is None:
            await self._app(scope, receive, send)
            return
        problem = _problem_of(key)
        if problem is not None:
            await problem_response(scope["path"], 422, problem)(scope, receive, send)
            return
        name = _name(caller, key)
        if name in self._busy:
            detail = f"the request with the {KEY.title()} {key!r} is being worked on"
            refused = problem_response(scope["path"], 409, detail, headers={"Retry-After": "1"})
            await refused(scope, receive, send)
            return
        self._busy.add(name)
        try:
            await self._answer(name, key, scope, _Body(scope, receive), send)
        finally:
            self._busy.discard(name)

    async def _answer(self, name: str, key: str, scope: Scope, body: "_Body", send: Send) -> None:
        try:
            known = await asyncio.to_thread(self._answers.find, name, self._clock.now())
        except StoreUnavailableError as error:
            unknown = problem_response(scope["path"], 503, str(error), headers={"Retry-After": "5"})
            await unknown(scope, body.receive, send)
            return
        if known is None:
            telling = _Telling(send)
            await self._app(scope, body.receive, telling.send)
            await self._keep(name, telling, body)
            await telling.finish()
            return
        if await body.digest() != known.request:
            detail = f"{KEY.title()}: expected the request that came under {key!r} before, got another one"
            await problem_response(scope["path"], 422, detail)(scope, body.receive, send)
            return
        note_no_deed(HTTPConnection(scope))  # it was written down when it was done
        headers = {**known.headers, "content-length": str(len(known.body)), REPLAYED: "true"}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": known.status, "headers": raw})
        await send({"type": "http.response.body", "body": known.body})

    async def _keep(self, name: str, telling: "_Telling", body: "_Body") -> None:
        """Keep what was done, before it is told; what cannot be kept is done again if it is asked again."""
        if not telling.whole or not HTTPStatus.OK <= telling.status < HTTPStatus.MULTIPLE_CHOICES:
            return
        answer = Answer(await body.digest(), telling.status, telling.kept_headers(), bytes(telling.body))
        try:
            await asyncio.to_thread(self._answers.keep, name, answer, self._clock.now())
        except StoreUnavailableError as error:
            self._events.answer_not_kept(detail=str(error))


def _key_of(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith("/api/v1/"):
        return None
    return None if scope["path"].startswith(_SECRET) else Headers(scope=scope).get(KEY)


def _problem_of(key: str) -> str | None:
    if 1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable():
        return None
    return f"{KEY.title()}: expected 1 to {LONGEST_KEY} printable ASCII characters, got {key[:100]!r}"


def _name(caller: Principal, key: str) -> str:
    scopes = None if caller.scopes is None else sorted(caller.scopes)
    who = [caller.account, caller.name, sorted(caller.grants.items()), scopes, key]
    return hashlib.sha256(json.dumps(who).encode()).hexdigest()


class _Body:
    """The body of a request while it is read, and what it comes to with its address."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._more = True
        query: bytes = scope.get("query_string", b"")
        self._hash = hashlib.sha256(f"{scope['method']} {scope['path']}?".encode() + query + b"\n")

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._hash.update(message.get("body", b""))
            self._more = message.get("more_body", False)
        else:
            self._more = False
        return message

    async def digest(self) -> str:
        """Return the hash of all of it; what nobody has read is read now."""
        while self._more:
            await self.receive()
        return self._hash.hexdigest()


class _Telling:
    """Holds an answer back until it is kept; one that is too large goes on its way as it comes.

    Attributes:
        whole: all of it is held back.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self.body = bytearray()
        self.whole = False
        self._through = False

    @property
    def status(self) -> int:
        """Status of the answer, 0 before there is one."""
        return 0 if self._start is None else int(self._start["status"])

    def kept_headers(self) -> dict[str, str]:
        """Return those headers that belong to the answer itself."""
        headers = Headers(raw=self._start["headers"] if self._start else [])
        return {name: headers[name] for name in _KEPT_HEADERS if name in headers}

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        if self._through:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._start = message
        else:
            self.body += message.get("body", b"")
            self.whole = not message.get("more_body", False)
            if len(self.body) > MOST_BYTES:
                await self._let_go(more=not self.whole)
                self.whole = False

    async def finish(self) -> None:
        """Send what was held back."""
        if not self._through and self._start is not None:
            await self._let_go(more=False)

    async def _let_go(self, *, more: bool) -> None:
        self._through = True
        assert self._start is not None
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": bytes(self.body), "more_body": more})
