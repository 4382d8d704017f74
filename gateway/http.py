"""The HTTP server on the gateway's own loop; who ends the gateway ends it."""

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

#: Seconds that open requests get at the end.
_GRACE_SECONDS = 1
_FALL_SECONDS = 0.5


class _Server(uvicorn.Server):
    """A server that leaves signals to the gateway."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


class HttpServer:
    """Serves an application on one address.

    Attributes:
        url: where it answers.
    """

    def __init__(self, host: str, port: int) -> None:
        """Take the address; with port 0 a free one.

        Raises:
            OSError: it is taken, or not ours.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        self._server: _Server | None = None

    async def serve(self, app: ASGIApp) -> None:
        """Answer until stopped. The caller begins and ends the application's lifespan."""
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # whom a proxy may speak for is `access.trusted_proxies`
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = _Server(config)
        await self._server.serve(sockets=[self._socket])

    async def stop(self, serving: "asyncio.Task[None]") -> None:
        """End, giving open requests a moment; once it has ended, nothing more happens."""
        try:
            if self._server is not None:
                self._server.should_exit = True
                await asyncio.wait({serving}, timeout=_GRACE_SECONDS + 1)
        finally:
            serving.cancel()
            await asyncio.wait({serving}, timeout=_FALL_SECONDS)
            self.close()

    def close(self) -> None:
        """Give the address back."""
        self._socket.close()
