"""Commands that run until they are told to end."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.app import running_gateway
from gateway.clock import SystemClock
from gateway.config import Config


def run_until_signalled(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine whose event is set by the first SIGINT or SIGTERM; the second one ends it hard."""

    async def guarded() -> None:
        stop = asyncio.Event()
        task = asyncio.current_task()
        assert task is not None

        def signalled() -> None:
            if stop.is_set():
                task.cancel()
            stop.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, signalled)
        with contextlib.suppress(asyncio.CancelledError):
            await _unless(stop, main(stop))

    asyncio.run(guarded())


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Await work that minds `stop` itself once it has started up, and give it a bounded time to end."""
    working: asyncio.Future[Any] = asyncio.create_task(work)
    stopping: asyncio.Future[Any] = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await asyncio.wait({working}, timeout=GRACE_SECONDS)
            working.cancel()
        await working
    finally:
        stopping.cancel()


#: Seconds between being told to end and being cut off; Ctrl-C ends everything within 5 s.
GRACE_SECONDS = 4.0


def run_gateway(config: Config) -> None:
    """Run a gateway until SIGINT or SIGTERM.

    Raises:
        ForewarnError: what the user gave is wrong, or something outside failed for good.
    """

    async def main(stop: asyncio.Event) -> None:
        async with running_gateway(config, clock=SystemClock()) as gateway:
            stopping = asyncio.create_task(stop.wait())
            ends: set[asyncio.Future[Any]] = {stopping, gateway.failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if gateway.failed.done():
                gateway.failed.result()

    run_until_signalled(main)
