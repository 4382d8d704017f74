"""What lasts for as long as somebody is logged in: sockets of open pages, streams of events."""

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.access import Access
from gateway.access.visits import Visit
from gateway.errors import StoreUnavailableError

#: Seconds between two looks whether a caller still stands.
LOOKED_AFTER = 1.0

#: WebSocket close code of our own (RFC 6455, 7.4.2): log in again.
OVER = 4401

#: How a page's socket tells what its reader did; what it sends by itself looks otherwise.
_ACT = '42["event"'


class Leases:
    """Runs an application for one caller's socket or stream, and ends it when their login is over."""

    def __init__(self, app: ASGIApp, access: Access, visit: Visit) -> None:
        self._app = app
        self._access = access
        self._visit = visit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, until the other side leaves or the caller is nobody any more."""
        started = asyncio.Event()

        async def sending(message: Message) -> None:
            started.set()
            await send(message)

        work = asyncio.create_task(self._run(scope, self._noticing(receive), sending))
        watch = asyncio.create_task(self._until_over())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                return
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            await _end(scope, send, begun=started.is_set())
        finally:
            watch.cancel()
            work.cancel()
            await asyncio.gather(watch, work, return_exceptions=True)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _until_over(self) -> None:
        while True:
            await asyncio.sleep(LOOKED_AFTER)
            with contextlib.suppress(StoreUnavailableError):  # who was let in stays while it cannot be known
                if not await self._access.still_stands(self._visit):
                    return

    def _noticing(self, receive: Receive) -> Receive:
        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and str(message.get("text") or "").startswith(_ACT):
                self._access.was_used(self._visit)
            return message

        return receiving


async def _end(scope: Scope, send: Send, *, begun: bool) -> None:
    with contextlib.suppress(RuntimeError, OSError):  # the other side left at the same moment
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": OVER, "reason": "log in again"})
            return
        if not begun:
            await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
