"""The gate in front of all routes, pages and their sockets: nobody passes but through what is open to all.

What somebody may do beyond it is asked of their roles (`gateway.access.principal`).
"""

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.access import Access
from gateway.access.secrets import same
from gateway.access.visits import Visit, access_of, visit_of
from gateway.api.auditing import write_down
from gateway.api.callers import caller_of
from gateway.api.leases import OVER, Leases
from gateway.api.problems import problem_response

#: Whoever asks: health and counters for machines, the way in, and what the page of the way in is drawn with.
OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/login", "/api/v1/login", "/api/v1/openapi.json"})
#: Answers of repairers' systems are signed.
OPEN_BELOW = ("/login/", "/console/", "/api/v1/answers/")

#: Requests that change nothing (RFC 9110, 9.2.1).
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

#: What a login is good for whose password has to be changed first.
_TO_CHANGE = frozenset(
    {"/account", "/api/v1/me", "/api/v1/me/password", "/api/v1/logout", "/logout", "/favicon.ico"}
)
_TO_CHANGE_BELOW = ("/_nicegui", "/console/")

#: Sockets of pages, and the requests that stand in for them.
SOCKETS = "/_nicegui_ws/"

_NOBODY = "nobody is logged in: send a session cookie or `Authorization: Bearer TOKEN`"
_NO_ACCOUNT = (
    "there is no account yet: `forewarn accounts add NAME` on the gateway's machine makes the first, "
    "an admin of all tenants"
)


class Gate:
    """ASGI middleware behind `Identify`: refuses nobodies, and requests that a login did not mean."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket") or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if caller_of(connection) is None:
            await _refuse(scope, receive, send, await _why_nobody(connection))
            return
        visit, access = visit_of(connection), access_of(connection)
        if visit is None or access is None:  # where there are no accounts, there is nothing more to ask
            await self._app(scope, receive, send)
            return
        refusal = _refusal(connection, visit, access)
        if refusal is not None:
            await _refuse(scope, receive, send, refusal)
            return
        if scope["type"] == "websocket" or _lasts(scope["path"]):
            await Leases(self._app, access, visit)(scope, receive, send)
            return
        await self._app(scope, receive, _auditing(connection, visit, access, send))


class Refusal(NamedTuple):
    """Why a request is refused; `page` is where a browser is sent that asked for a page."""

    status: HTTPStatus
    detail: str
    page: str | None = None


def is_open(path: str) -> bool:
    """Say whether anybody may ask for a path."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def _lasts(path: str) -> bool:
    """Say whether an answer may take as long as it likes, and has to end with the login."""
    return path == "/api/v1/events" or path.startswith(SOCKETS)


async def _why_nobody(connection: HTTPConnection) -> Refusal:
    if connection.headers.get("authorization"):
        return Refusal(HTTPStatus.UNAUTHORIZED, "the token is unknown, revoked or expired")
    path, query = connection.url.path, connection.url.query
    login = f"/login?next={quote(f'{path}?{query}' if query else path, safe='')}"
    access = access_of(connection)
    nobody_yet = access is not None and await access.has_nobody()
    return Refusal(HTTPStatus.UNAUTHORIZED, _NO_ACCOUNT if nobody_yet else _NOBODY, login)


def _refusal(connection: HTTPConnection, visit: Visit, access: Access) -> Refusal | None:
    """Return why a known caller's request is refused, None when it is not."""
    path = connection.url.path
    method = connection.scope.get("method", "GET")
    if visit.kind == "token":
        pages = not path.startswith("/api/")
        detail = "tokens are for /api/ only: pages need a login"
        return Refusal(HTTPStatus.UNAUTHORIZED, detail) if pages else None
    if path.startswith(SOCKETS) and (page := connection.query_params.get("client_id")):
        owner = access.page_owner(page)
        if owner is not None and not visit.is_same(owner):
            return Refusal(HTTPStatus.FORBIDDEN, "this page was opened by somebody else")
    if visit.must_change and path not in _TO_CHANGE and not path.startswith(_TO_CHANGE_BELOW):
        detail = "the password has to be changed first: `PUT /api/v1/me/password`"
        return Refusal(HTTPStatus.FORBIDDEN, detail, "/account")
    if method not in SAFE and not _is_meant(connection.headers, visit):
        detail = "expected the header X-CSRF-Token with the `csrf_token` of /api/v1/me"
        return Refusal(HTTPStatus.FORBIDDEN, detail)
    return None


def _is_meant(headers: Headers, visit: Visit) -> bool:
    """Say whether a request comes from whom the cookie, or this machine's built-in session, belongs to.

    Either it carries what only they can read, or the browser itself vouches that one of our own pages sent
    it (Fetch Metadata; `Guard` has compared an ``Origin``). A program without a browser needs the former only
    where it uses a login's cookie.
    """
    site = headers.get("sec-fetch-site")
    if site in ("cross-site", "same-site"):
        return False
    if visit.kind != "login":
        return True
    if (token := headers.get("x-csrf-token")) is not None:
        return same(token, visit.csrf)
    return site in ("same-origin", "none") or headers.get("origin") is not None


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": OVER, "reason": "log in again"})
        return
    if refusal.page is not None and _is_page(scope):
        await RedirectResponse(refusal.page, HTTPStatus.SEE_OTHER)(scope, receive, send)
        return
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status is HTTPStatus.UNAUTHORIZED else None
    response = problem_response(scope["path"], refusal.status, refusal.detail, headers=headers)
    await response(scope, receive, send)


def _is_page(scope: Scope) -> bool:
    internal = scope["path"].startswith(("/api/", "/_nicegui"))
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and not internal


def _auditing(connection: HTTPConnection, visit: Visit, access: Access, send: Send) -> Send:
    """Return a `send` that writes a change down before the answer to it goes out."""
    if connection.scope["method"] in SAFE:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] < HTTPStatus.BAD_REQUEST:
            await write_down(connection, visit, access)
        await send(message)

    return sending
