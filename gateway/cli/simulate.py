"""``forewarn simulate``: a fleet with injected faults against any broker."""

import signal
import sys
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.cli.entry import leave
from gateway.cli.logs import configure_logs
from gateway.cli.running import ENDS
from gateway.errors import OutsideError, UserError
from rules.times import parse_duration, to_rfc3339

if TYPE_CHECKING:
    from simulators.connection import Broker
    from simulators.fleet import Fleet
    from simulators.truth import Truth

_LOOK_SECONDS = 0.2


def simulate(
    broker: Annotated[str, typer.Option(help="mqtt://[USER:PASSWORD@]HOST:PORT or mqtts://...")],
    devices: Annotated[int, typer.Option(min=1, max=5_000, help="How many simulated devices.")] = 200,
    speed: Annotated[
        float, typer.Option(min=1.0, max=1_000.0, help="Device time to wall time; above 1 with --for.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is chance.")] = 1,
    run_for: Annotated[
        str | None, typer.Option("--for", help="Wall time such as 2m; else until Ctrl-C.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Write what is injected here, JSON Lines.")] = None,
    root: Annotated[str, typer.Option(help="First levels of the topics.")] = "fw",
) -> None:
    """Simulate a fleet with injected faults, each device on its own connection, against any broker."""
    from simulators.fleet import Fleet, FleetSettings
    from simulators.plan import plan_fleet
    from simulators.truth import truth_of, write_truth

    for_ms = _duration(run_for)
    if speed > 1 and for_ms is None:
        raise typer.BadParameter(
            "--speed: above 1 it needs --for: device time then begins in the past and catches up with the "
            "clock at the end; readings from the future are refused by gateways"
        )
    address = _address(broker)
    now = time.time_ns() // 1_000_000
    end = None if for_ms is None else now + for_ms
    origin = now if end is None or for_ms is None else end - round(for_ms * speed)
    plan = plan_fleet(devices, seed, origin, end)
    entries = truth_of(plan)
    try:
        if truth is not None:
            write_truth(entries, truth)
    except OSError as error:
        raise UserError(f"--truth: {truth}: {error.strerror}") from None
    try:
        fleet = Fleet(plan, FleetSettings(address, origin, speed, root, meeting_ms=end))
    except OSError as error:
        raise UserError(f"--devices: {error}") from None
    injected = [entry for entry in entries if entry.kind == "fault"]
    configure_logs()
    print(
        f"{devices} simulated devices on {address.host}:{address.port}, {len(injected)} faults to come. "
        f"Device time begins at {to_rfc3339(origin)}, {speed:g} times as fast as yours."
    )
    ran = _Run(fleet, injected, None if for_ms is None else for_ms / 1000)
    ran.until_it_ends()
    print(f"{fleet.published:,} messages, {ran.begun} faults begun; device time {to_rfc3339(fleet.now_ms)}.")
    if not fleet.published and not ran.told_to_end:
        raise OutsideError(f"{address.host}:{address.port}: no device was ever connected")


def _duration(text: str | None) -> int | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"--for: {error}") from None


def _address(url: str) -> "Broker":
    from simulators.connection import Broker

    try:
        return Broker.parse(url)
    except ValueError as error:
        raise UserError(f"--broker: {error}") from None


class _Run:
    """A running fleet, and what is told of it.

    Attributes:
        begun: faults that have begun.
    """

    def __init__(self, fleet: "Fleet", injected: "list[Truth]", seconds: float | None) -> None:
        self.begun = 0
        self._fleet = fleet
        self._injected = injected
        self._seconds = seconds
        self._stop = Event()

    @property
    def told_to_end(self) -> bool:
        """Whether SIGTERM or Ctrl-C ended it before its time."""
        return self._stop.is_set()

    def until_it_ends(self) -> None:
        """Run until the time is over, SIGTERM or Ctrl-C."""
        for number in ENDS:
            signal.signal(number, lambda *_: self._stop.set())
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        console = Console(stderr=True)
        try:
            with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
                task = bar.add_task("connecting")
                deadline = None if self._seconds is None else time.monotonic() + self._seconds

                next_look = 0.0

                def stopped() -> bool:
                    nonlocal next_look
                    now = time.monotonic()
                    if now >= next_look:
                        next_look = now + _LOOK_SECONDS
                        bar.update(task, description=self._look())
                    return self._stop.is_set() or (deadline is not None and now >= deadline)

                self._fleet.run(stopped)
        finally:
            for number in ENDS:
                signal.signal(number, leave)

    def _look(self) -> str:
        """Tell of faults that have begun since the last look; return how things stand."""
        fleet = self._fleet
        now = fleet.now_ms
        while self.begun < len(self._injected) and self._injected[self.begun].onset_ms <= now:
            fault = self._injected[self.begun]
            part = f" {fault.component}" if fault.component else ""
            print(f"{fault.onset}  {fault.device}{part}: {fault.fault} begins", flush=True)
            self.begun += 1
        return (
            f"{fleet.connected} connected, {fleet.published:,} messages, "
            f"{self.begun} of {len(self._injected)} faults begun"
        )
