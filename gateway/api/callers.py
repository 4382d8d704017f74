"""Whose request it is: found once, before any route, for the API, the console's pages and their WebSocket."""

from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import Depends, Request
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.access.origins import is_loopback
from gateway.access.principal import BUILT_IN, Principal
from gateway.api.problems import ProblemError, problem_response
from gateway.errors import StoreUnavailableError

#: Where the caller stands in the state of a connection.
_STATE = "caller"


class Callers(Protocol):
    """Tells who somebody is."""

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """Return whose request it is, by its token or session cookie; None when it is nobody's."""
        ...


class Loopback:
    """Everybody on this machine is the built-in engineer, and nobody else is anyone."""

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """Return the built-in engineer for connections of this machine."""
        client = connection.client
        return BUILT_IN if client is not None and is_loopback(client.host) else None


class Identify:
    """ASGI middleware that finds out whose request it is; who may do what is asked later."""

    def __init__(self, app: ASGIApp, *, callers: Callers) -> None:
        self._app = app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, with its caller in its state."""
        if scope["type"] in ("http", "websocket"):
            connection = HTTPConnection(scope)
            try:
                caller = await self._callers.identify(connection)
            except StoreUnavailableError as error:
                await _unknowable(scope, receive, send, error)
                return
            setattr(connection.state, _STATE, caller)
        await self._app(scope, receive, send)


async def _unknowable(scope: Scope, receive: Receive, send: Send, error: StoreUnavailableError) -> None:
    """Answer while it cannot be found out who asks."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1013, "reason": "try again later"})
        return
    detail = f"the store cannot be read: {error}"
    response = problem_response(scope["path"], 503, detail, headers={"Retry-After": "5"})
    await response(scope, receive, send)


def caller_of(connection: HTTPConnection) -> Principal | None:
    """Return whose connection it is, None when it is nobody's."""
    caller: Principal | None = getattr(connection.state, _STATE, None)
    return caller


def known(request: Request) -> Principal:
    """Return whose request it is.

    Raises:
        ProblemError: 401: nobody's.
    """
    caller = caller_of(request)
    if caller is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "nobody is logged in: send a session cookie or `Authorization: Bearer TOKEN`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return caller


#: The caller of a route; nobody's request is answered with 401.
Caller = Annotated[Principal, Depends(known)]
