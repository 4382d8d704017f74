"""``forewarn bench``: what forewarn costs on this machine, as one JSON object."""

import asyncio
import json
import os
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer

from gateway.errors import ForewarnError, UserError

bench_app = typer.Typer(help="Measure it on this machine; docs/benchmarks.md.", no_args_is_help=True)


@bench_app.callback()
def bench() -> None:
    """Measure it on this machine."""


@bench_app.command("rules")
def bench_rules(
    devices: Annotated[int, typer.Option(min=20, help="In the synthetic fleet.")] = 100_000,
    rules: Annotated[int, typer.Option(min=4, help="Shipped and generated.")] = 200,
    messages: Annotated[int, typer.Option(min=20, help="Measured, six values each.")] = 400_000,
    batch: Annotated[int, typer.Option(min=1, help="Messages that the engine takes at once.")] = 20_000,
    warmup: Annotated[int, typer.Option(min=4, help="Rounds of all devices before measuring.")] = 12,
    fill: Annotated[
        int, typer.Option(min=1, max=360, help="Rounds, spread over six hours, to fill the windows.")
    ] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is chance.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="This measurement; may be given again.")] = None,
    million: Annotated[bool, typer.Option(help="Also the memory of 1,000,000 devices.")] = False,
) -> None:
    """Measure the rules engine on one core: pace, memory, snapshot, worst order, other engines."""
    from gateway.bench.rules import MEASUREMENTS, Settings

    usual = [name for name, (_, is_usual) in MEASUREMENTS.items() if is_usual]
    chosen = _chosen(only, list(MEASUREMENTS), usual + (["million"] if million else []))
    if million and "million" not in chosen:
        chosen.append("million")
    settings = {
        "devices": devices,
        "rules": rules,
        "messages": messages,
        "batch": batch,
        "warmup": warmup,
        "fill": fill,
        "seed": seed,
    }
    Settings(**settings)
    _report("rules", chosen, settings)


@bench_app.command("ingest")
def bench_ingest(
    messages: Annotated[int, typer.Option(min=1_000, help="Of a backlog, six values each.")] = 300_000,
    large: Annotated[int, typer.Option(min=1_000, help="Of the backlog of --only memory.")] = 3_000_000,
    devices: Annotated[int, typer.Option(min=1, help="That send them.")] = 10_000,
    offered: Annotated[int, typer.Option(min=100, help="Messages a second, for detection.")] = 20_000,
    seconds: Annotated[int, typer.Option(min=1, max=600, help="How long they are offered.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is chance.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="This measurement; may be given again.")] = None,
) -> None:
    """Measure whole gateways on one core at real brokers: backlog, time to detection, memory."""
    from gateway.bench.ingest import MEASUREMENTS

    settings = {
        "messages": messages,
        "large": large,
        "devices": devices,
        "offered": offered,
        "seconds": seconds,
        "seed": seed,
    }
    usual = [name for name, (_, is_usual) in MEASUREMENTS.items() if is_usual]
    _report("ingest", _chosen(only, list(MEASUREMENTS), usual), settings)


@bench_app.command("backtest")
def bench_backtest(
    devices: Annotated[int, typer.Option(min=20, help="In the synthetic fleet.")] = 1_000,
    days: Annotated[int, typer.Option(min=1, help="That count.")] = 30,
    warm_up: Annotated[int, typer.Option(min=0, help="Days before them.")] = 7,
    every: Annotated[int, typer.Option(min=1, help="Minutes between two messages of a device.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is chance.")] = 1,
) -> None:
    """Measure a backtest over a month of a fleet; it writes the history itself, into a temporary folder."""
    settings = {"devices": devices, "days": days, "warm_up_days": warm_up, "every": every, "seed": seed}
    _report("backtest", ["month"], settings)


@bench_app.command("orders")
def bench_orders(
    orders: Annotated[int, typer.Option(min=10, help="That are measured.")] = 5_000,
    devices: Annotated[int, typer.Option(min=4, help="Of the fleet that the registry knows.")] = 2_000,
    batch: Annotated[int, typer.Option(min=1, help="Orders of one commit.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the invented registry.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="This measurement; may be given again.")] = None,
) -> None:
    """Measure orders a second on one core: pre-fill, then ledger and outbox in one commit."""
    from gateway.bench.orders import MEASUREMENTS

    settings = {"orders": orders, "devices": devices, "batch": batch, "seed": seed}
    usual = [name for name, (_, is_usual) in MEASUREMENTS.items() if is_usual]
    _report("orders", _chosen(only, list(MEASUREMENTS), usual), settings)


def _chosen(only: list[str] | None, names: list[str], usual: list[str]) -> list[str]:
    """Return the measurements to run, in their usual order.

    Raises:
        UserError: there is no measurement of that name.
    """
    unknown = set(only or ()) - set(names)
    if unknown:
        raise UserError(f"--only: expected one of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    return [name for name in names if name in (only or usual)]


def _report(suite: str, chosen: list[str], settings: dict[str, int]) -> None:
    """Run measurements and print their figures as one JSON object."""
    from gateway.bench.machine import describe_machine

    report: dict[str, Any] = {
        "forewarn": version("forewarn"),
        "machine": describe_machine(),
        "settings": settings,
    }
    for name in chosen:
        report[name] = asyncio.run(_measured(suite, name, settings))
    print(json.dumps(report, indent=2))


async def _measured(suite: str, name: str, settings: dict[str, int]) -> dict[str, Any]:
    """Run one measurement in a fresh process, which ends with us; its progress goes to standard error."""
    from gateway.bench.machine import ONE_THREAD
    from gateway.leash import LeashedProgram

    command = [sys.executable, "-m", "gateway.bench", suite, name, json.dumps(settings)]
    program = await LeashedProgram.start(command, stdout=asyncio.subprocess.PIPE, env=os.environ | ONE_THREAD)
    assert program.stdout is not None
    printed = await program.stdout.read()
    if status := await program.wait():
        raise MeasurementError(f"measuring {name} ended with status {status}; what it said stands above")
    figures: dict[str, Any] = json.loads(printed)
    return figures


class MeasurementError(ForewarnError):
    """A measurement broke off."""

    exit_status = 3
