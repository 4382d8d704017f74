"""What browsers may not do: rebind names, come from foreign origins, frame pages, run outside code."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.origins import is_loopback
from gateway.api.problems import problem_response

#: Pages come with inline start-up code of the console's framework, whose templates are compiled in the
#: browser; everything else has to come from this very host.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware in front of API, console and their WebSocket.

    A stranger's page that resolves its own name to 127.0.0.1 sends that name as ``Host``; while the gateway
    listens on loopback, only names of loopback, the listen address and the console's public name are
    answered. Requests that a browser marks with a foreign ``Origin`` are refused: no one else's page talks
    to the gateway.
    """

    def __init__(self, app: ASGIApp, *, listen_host: str, console_url: str | None = None) -> None:
        self._app = app
        self._any_host = not is_loopback(listen_host)
        self._names = {listen_host}
        if console_url and (name := urlsplit(console_url).hostname):
            self._names.add(name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, with security headers on its answer, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not (self._any_host or self._answers_to(host)):
            detail = (
                f"the gateway listens on loopback and does not answer to the host {host!r}; "
                "http.console_url names the address that a proxy uses"
            )
            await _refuse(scope, receive, send, 421, detail)
            return
        origin = headers.get("origin")
        if origin is not None and not _same_host(origin, host):
            await _refuse(scope, receive, send, 403, f"requests from the origin {origin!r} are not taken")
            return
        await self._app(scope, receive, _with_headers(scope["path"], send))

    def _answers_to(self, host: str) -> bool:
        name = _host_name(host)
        return name in self._names or is_loopback(name)


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same_host(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "not from this host"})
        return
    await problem_response(scope["path"], status, detail)(scope, receive, send)


def _with_headers(path: str, send: Send) -> Send:
    data = path.startswith(("/api/", "/metrics", "/healthz", "/readyz"))

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", DATA_POLICY if data else PAGE_POLICY)
            if data:
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
