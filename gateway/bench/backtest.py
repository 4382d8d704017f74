"""The measurement of ``forewarn bench backtest``: a month of a fleet, both rule sets, by the wall clock."""

import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.backtest.plan import Backtest, PackFiles, Progress
from gateway.backtest.running import run_backtest
from gateway.bench.fleet import START, Fleet
from gateway.config import Config
from gateway.errors import UserError
from gateway.history.duckdb_store import DuckDbHistory
from rules.loader import read_packs
from rules.symbols import Symbols
from rules.times import DAY_MS, MINUTE_MS

Say = Callable[[str], None]

#: Room that a message takes on the disk while it is written, and some to spare, bytes.
_BYTES_A_MESSAGE = 130


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose.

    Attributes:
        devices: in the fleet.
        days: that count.
        warm_up_days: before them.
        every: minutes between two messages of a device; each brings six values.
        seed: of everything that is chance.
    """

    devices: int = 1_000
    days: int = 30
    warm_up_days: int = 7
    every: int = 5
    seed: int = 1


def measure_month(settings: Settings, say: Say) -> dict[str, Any]:
    """Write a history of its own into a temporary folder, run a backtest over it, and return the figures.

    Raises:
        UserError: the folder has no room for so many messages.
    """
    rounds = (settings.days + settings.warm_up_days) * DAY_MS // (settings.every * MINUTE_MS)
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as folder:
        _require_room(Path(folder), rounds * settings.devices)
        path = Path(folder) / "history.duckdb"
        say(f"writing {rounds * settings.devices:,} messages of {settings.devices:,} devices")
        _write(path, settings, rounds)
        history = DuckDbHistory.open_readonly(path)
        try:
            return {"history_bytes": path.stat().st_size} | _measure(history, settings, say, Path(folder))
        finally:
            history.close()


def _require_room(folder: Path, messages: int) -> None:
    free, needed = shutil.disk_usage(folder).free, messages * _BYTES_A_MESSAGE
    if free < needed:
        raise UserError(
            f"{folder}: {messages:,} messages want {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free"
        )


def _write(path: Path, settings: Settings, rounds: int) -> None:
    symbols = Symbols()
    fleet = Fleet(settings.devices, settings.seed, symbols)
    fleet.introduce()
    history = DuckDbHistory(path)
    try:
        for number in range(rounds):
            begin = START + number * settings.every * MINUTE_MS
            for batch, _ in fleet.round(number, begin, settings.devices):
                history.append(symbols, batch, [])
    finally:
        history.close()


def _candidate(today: PackFiles) -> PackFiles:
    """Return the shipped packs with one rule that asks for more, as an engineer would try it."""
    before = b"increase(disk.pending_sectors, 365d) > 0"
    return [(name, content.replace(before, before[:-1] + b"2")) for name, content in today]


def _measure(history: DuckDbHistory, settings: Settings, say: Say, folder: Path) -> dict[str, Any]:
    today = read_packs(["builtin"])
    since = START + settings.warm_up_days * DAY_MS
    asked = Backtest(
        today,
        _candidate(today),
        since,
        since + settings.days * DAY_MS,
        warm_up_ms=settings.warm_up_days * DAY_MS,
    )
    told = time.monotonic()

    def progress(step: Progress) -> None:
        nonlocal told
        if step.done and time.monotonic() - told > 5:
            told = time.monotonic()
            say(f"{step.done:,} of {step.total:,} messages")

    begun, cpu = time.monotonic(), _cpu_seconds()
    result = run_backtest(asked, history, Config(data_dir=folder), progress=progress)
    seconds, cpu = time.monotonic() - begun, _cpu_seconds() - cpu
    return {
        "messages": result.messages,
        "of_warm_up": result.warm_up_messages,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "us_a_message": round(cpu * 1e6 / result.messages, 2),
        "messages_a_second": round(result.messages / seconds),
        "rules": [result.today.rules, result.candidate.rules],
        "rules_evaluated": result.evaluated,
        "orders": [result.today.orders, result.candidate.orders],
        "differences": len(result.differences),
    }


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


MEASUREMENTS = {"month": (measure_month, True)}
