"""``forewarn demo``: a broker, a gateway and a fleet with faults in it, in one process tree."""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.app import Gateway, running_gateway
from gateway.cli.demofolder import demo_folder
from gateway.cli.papers import order_lines, score_lines
from gateway.cli.running import unless_stopped
from gateway.clock import Clock, ScaledClock, SystemClock
from gateway.config import BrokerTable, Config, HttpTable
from gateway.errors import OutsideError, UserError
from gateway.leash import LeashedProgram
from rules.times import SECOND_MS
from simulators.plan import plan_fleet
from simulators.registry import write_registry
from simulators.scoring import score
from simulators.truth import Truth, truth_of

DEFAULT_PORT = 8080
_MOST_ORDERS = 1_000_000


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the command line says.

    Attributes:
        port: of the console; None for 8080 or, where that is taken, any free one.
        for_ms: wall time to run, ms; None until Ctrl-C.
        data_dir: where everything is kept; None for a folder that goes with the demo.
    """

    devices: int
    speed: float
    seed: int
    port: int | None
    for_ms: int | None
    as_json: bool
    data_dir: Path | None


async def demo(settings: DemoSettings, stop: asyncio.Event) -> None:
    """Run the demo until its time is over or `stop` is set, then print the score."""
    with contextlib.ExitStack() as stack:
        folder = settings.data_dir
        if folder is None:
            folder = stack.enter_context(demo_folder())
        elif folder.exists() and any(folder.iterdir()):
            raise UserError(f"--data-dir: expected a new or empty folder, {folder} is not")
        await _run(settings, folder, stop)


async def _run(settings: DemoSettings, folder: Path, stop: asyncio.Event) -> None:
    origin = SystemClock().now()
    clock = ScaledClock(origin, settings.speed)
    until = None if settings.for_ms is None else origin + round(settings.for_ms * settings.speed)
    plan = plan_fleet(settings.devices, settings.seed, origin, until)
    today = datetime.fromtimestamp(origin / SECOND_MS, UTC).date()
    write_registry([(d.id, d.facts) for d in plan], folder / "registry", settings.seed, today)
    config = Config(
        data_dir=folder,
        broker=BrokerTable(url="embedded"),
        http=HttpTable(listen=f"127.0.0.1:{_free_or(settings.port)}"),
    )
    show = _Printer(settings)
    async with contextlib.AsyncExitStack() as stack:
        gateway = await unless_stopped(stop, _ready_gateway(stack, config, clock))
        if gateway is None:  # nothing has begun, and the score says so
            show.score(truth_of(plan), [], clock.now())
            return
        printing = asyncio.create_task(_print_orders(gateway, show))
        stack.callback(printing.cancel)
        show.started(gateway, settings, origin)
        fleet = await _start_fleet(settings, gateway.broker_url, origin, until, folder)
        stack.push_async_callback(fleet.stop)
        await _wait_for_the_end(settings, gateway, fleet, printing, stop)
        ended = clock.now()
    orders = _orders(config)
    for order in orders:
        show.order(order)  # those that the last messages led to
    show.score(truth_of(plan), orders, ended)


async def _ready_gateway(stack: contextlib.AsyncExitStack, config: Config, clock: Clock) -> Gateway:
    gateway = await stack.enter_async_context(running_gateway(config, clock=clock, demo=True))
    await gateway.wait_ready()
    return gateway


def _free_or(port: int | None) -> int:
    """Return the port that was asked for, else 8080 where it is free, else 0 for any."""
    import socket

    if port is not None:
        return port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT


async def _start_fleet(
    settings: DemoSettings, broker_url: str, origin: int, until: int | None, folder: Path
) -> LeashedProgram:
    command = [sys.executable, "-m", "simulators", "--url", broker_url, "--detached"]
    command += ["--devices", str(settings.devices), "--seed", str(settings.seed)]
    command += ["--speed", str(settings.speed), "--origin-ms", str(origin)]
    command += ["--truth", str(folder / "truth.jsonl")]
    if until is not None:
        command += ["--until-ms", str(until)]
    with (folder / "fleet.log").open("wb") as log:
        return await LeashedProgram.start(command, grace=2.0, stdout=log, stderr=log)


async def _wait_for_the_end(
    settings: DemoSettings,
    gateway: Gateway,
    fleet: LeashedProgram,
    printing: "asyncio.Task[None]",
    stop: asyncio.Event,
) -> None:
    fleet_ended: asyncio.Future[int] = asyncio.create_task(fleet.wait())
    stopping: asyncio.Future[bool] = asyncio.create_task(stop.wait())
    ends: set[asyncio.Future[Any]] = {fleet_ended, stopping, printing, gateway.failed}
    seconds = None if settings.for_ms is None else settings.for_ms / SECOND_MS
    try:
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if gateway.failed.done():
            gateway.failed.result()
        if printing.done():
            printing.result()
        if fleet_ended.done() and not stop.is_set():
            raise OutsideError(f"the simulated fleet ended by itself with status {fleet_ended.result()}")
    finally:
        fleet_ended.cancel()
        stopping.cancel()


async def _print_orders(gateway: Gateway, show: "_Printer") -> None:
    async for change in gateway.feed.subscribe():
        if change.event == "order":
            show.order(change.document)


def _orders(config: Config) -> list[dict[str, object]]:
    from gateway.ledger.store import SqlLedger

    ledger = SqlLedger.open_readonly(f"sqlite:///{config.ledger_path}")
    try:
        newest_first = [order.document() for order in ledger.orders(limit=_MOST_ORDERS).items]
        return newest_first[::-1]
    finally:
        ledger.close()


class _Printer:
    """What the demo says: JSON a line for programs, a page for people."""

    def __init__(self, settings: DemoSettings) -> None:
        self._json = settings.as_json
        self._console = Console(highlight=False)
        self._shown: set[object] = set()

    def started(self, gateway: Gateway, settings: DemoSettings, origin: int) -> None:
        if self._json:
            return
        began = datetime.fromtimestamp(origin / SECOND_MS, UTC)
        self._console.print(
            f"[bold]forewarn demo[/]  {settings.devices} simulated devices on {gateway.broker_url}\n"
            f"Console  [link={gateway.http_url}]{gateway.http_url}[/link]\n"
            f"Device time began at {began:%Y-%m-%d %H:%M} UTC and runs {settings.speed:g} times as fast as "
            "yours. Ctrl-C ends it with a score.\n"
        )

    def order(self, document: dict[str, object]) -> None:
        if document["order_id"] in self._shown:
            return
        self._shown.add(document["order_id"])
        if self._json:
            self._line({"event": "order", "order": document})
        else:
            self._console.print("\n".join(order_lines(document)), soft_wrap=True)

    def score(self, truth: list[Truth], orders: list[dict[str, object]], ended: int) -> None:
        result = score(truth, orders, ended)
        if self._json:
            self._line(result.as_event())
        else:
            self._console.print("\n".join(score_lines(result)), soft_wrap=True)

    def _line(self, document: dict[str, object]) -> None:
        print(json.dumps(document, ensure_ascii=False), flush=True)
