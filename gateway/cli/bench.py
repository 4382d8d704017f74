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
    from gateway.bench.machine import describe_machine
    from gateway.bench.rules import MEASUREMENTS, Settings

    unknown = set(only or ()) - MEASUREMENTS.keys()
    if unknown:
        raise UserError(
            f"--only: expected one of {', '.join(MEASUREMENTS)}, got {', '.join(sorted(unknown))}"
        )
    chosen = [
        name
        for name, (_, usual) in MEASUREMENTS.items()
        if (name in only if only else usual) or (million and name == "million")
    ]
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
    report: dict[str, Any] = {
        "forewarn": version("forewarn"),
        "machine": describe_machine(),
        "settings": settings,
    }
    for name in chosen:
        report[name] = asyncio.run(_measured(name, settings))
    print(json.dumps(report, indent=2))


async def _measured(name: str, settings: dict[str, int]) -> dict[str, Any]:
    """Run one measurement in a fresh process, which ends with us; its progress goes to standard error."""
    from gateway.bench.machine import ONE_THREAD
    from gateway.leash import LeashedProgram

    command = [sys.executable, "-m", "gateway.bench", name, json.dumps(settings)]
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
