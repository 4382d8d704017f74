"""Commands that run until they are told to end."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from gateway.app import running_gateway
from gateway.cli.entry import leave
from gateway.clock import SystemClock
from gateway.config import Config
from gateway.errors import OutsideError
from gateway.service import Service
from rules.loader import PackError

#: Seconds between being told to end and being cut off, and to fall after that; Ctrl-C ends all within 5 s.
GRACE_SECONDS = 4.0
FALL_SECONDS = 0.8

ENDS = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")


def run_until_signalled(
    main: Callable[[asyncio.Event], Coroutine[Any, Any, None]], ends: Sequence[signal.Signals] = ENDS
) -> None:
    """Run a coroutine whose event is set by the signals `ends`.

    Further signals change nothing: it ends within 5 s anyhow, and cut off it would not say its last words.
    """

    async def guarded() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in ends:
            loop.add_signal_handler(number, stop.set)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await _within_grace(stop, main(stop))
        finally:
            for number in ends:
                loop.remove_signal_handler(number)
                signal.signal(number, leave)

    asyncio.run(guarded())


async def _within_grace(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Await work that minds `stop` itself, and give it a bounded time to end."""
    working = asyncio.create_task(work)
    await _first(working, stop)
    if not working.done():
        await asyncio.wait({working}, timeout=GRACE_SECONDS)
    if not working.done():
        working.cancel()
        await asyncio.wait({working}, timeout=FALL_SECONDS)
    if working.done():
        await working


async def _first(working: "asyncio.Future[Any]", stop: asyncio.Event) -> None:
    """Wait until work is done or the end is asked for."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Await work; None when the end was asked for before it was done: it is broken off."""
    working = asyncio.create_task(work)
    try:
        await _first(working, stop)
    finally:
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    return None if working.cancelled() else working.result()


async def _reload_when_told(service: Service, told: asyncio.Event) -> None:
    """Let a service read its rule packs anew whenever the event is set; the service says what came of it."""
    while True:
        await told.wait()
        told.clear()
        with contextlib.suppress(PackError, OutsideError):
            await service.reload()


def run_gateway(config: Config) -> None:
    """Run a gateway until SIGINT or SIGTERM; SIGHUP lets it read its rule packs anew.

    Raises:
        ForewarnError: what the user gave is wrong, or something outside failed for good.
    """

    async def main(stop: asyncio.Event) -> None:
        async with contextlib.AsyncExitStack() as stack:
            reload = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.set)
            starting = stack.enter_async_context(running_gateway(config, clock=SystemClock()))
            gateway = await unless_stopped(stop, starting)
            if gateway is not None:
                reloading = asyncio.create_task(_reload_when_told(gateway.service, reload))
                stack.callback(reloading.cancel)
                await _first(gateway.failed, stop)
                if gateway.failed.done():
                    gateway.failed.result()

    run_until_signalled(main)
