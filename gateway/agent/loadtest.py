"""``cpu.load_test``: all cores busy for a while, and whether the machine stays cool enough for it."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from gateway.agent.probes import Answer
from gateway.agent.sensors import processor_temperatures, throttle_count
from gateway.agent.sysfs import SYS

#: How long the load lasts, s: usually, and at least and at most when ``args.seconds`` says.
USUAL_SECONDS, SECONDS = 60, (1, 300)

#: A machine fails that is slowed down because of heat in more than this part of the test. Short of it, the
#: fans have yet to speed up. An engineering default.
THROTTLED_SHARE = 0.1

_BURN = Path(__file__).with_name("burn.py")
_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class _Watch:
    """What was seen during a test."""

    looks: int = 0
    throttled: int = 0
    hottest: float | None = None
    critical: float | None = None

    def look(self, sys: Path, before: int | None) -> int | None:
        """Read temperatures and the count of throttlings; return the count."""
        self.looks += 1
        for each in processor_temperatures(sys):
            if self.hottest is None or each.celsius > self.hottest:
                self.hottest, self.critical = each.celsius, each.critical
        count = throttle_count(sys)
        if count is not None and before is not None and count > before:
            self.throttled += 1
        return count


async def load_test(args: Mapping[str, object], *, sys: Path = SYS, cores: int | None = None) -> Answer:
    """Load all cores; failed when the processor got critically hot, or was throttled for too long.

    Unsupported where neither its temperature nor its throttling can be read: such a test sees nothing.
    """
    seconds = args.get("seconds", USUAL_SECONDS)
    low, high = SECONDS
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not low <= seconds <= high:
        return Answer("error", {"reason": f"args.seconds: expected a number from {low} to {high}"})
    if not processor_temperatures(sys) and throttle_count(sys) is None:
        return Answer("unsupported", {"reason": "neither temperature nor throttling can be read here"})
    watch = _Watch()
    async with _burning(cores or os.cpu_count() or 1, seconds):
        begun = time.monotonic()
        before = _processor_time()
        count = throttle_count(sys)
        while (left := begun + seconds - time.monotonic()) > 0:
            await asyncio.sleep(min(_LOOK_SECONDS, left))
            count = watch.look(sys, count)
        load = _load_between(before, _processor_time())
    return _judged(watch, seconds=seconds, load=load)


def _judged(watch: _Watch, *, seconds: float, load: float) -> Answer:
    share = watch.throttled / watch.looks
    numbers = {
        "seconds": seconds,
        "load": load,
        "max_temperature": watch.hottest,
        "critical_temperature": watch.critical,
        "throttled_share": round(share, 3),
    }
    result: dict[str, object] = {name: number for name, number in numbers.items() if number is not None}
    too_hot = watch.hottest is not None and watch.critical is not None and watch.hottest >= watch.critical
    return Answer("failed" if too_hot or share > THROTTLED_SHARE else "passed", result)


class _ProcessorTime(NamedTuple):
    """Time of all processors since the start of the machine, s."""

    busy: float
    all: float


def _processor_time() -> _ProcessorTime:
    times = psutil.cpu_times()
    idle = times.idle + times.iowait
    # The time of guests is part of user and nice: proc(5).
    total = sum(times) - times.guest - times.guest_nice
    return _ProcessorTime(total - idle, total)


def _load_between(before: _ProcessorTime, after: _ProcessorTime) -> float:
    """Return the load between two looks, %."""
    spent = after.all - before.all
    return round(100 * (after.busy - before.busy) / spent, 1) if spent > 0 else 0.0


@contextlib.asynccontextmanager
async def _burning(cores: int, seconds: float) -> AsyncIterator[None]:
    """Keep so many cores busy, at most for so long, and no longer than the block lasts."""
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_BURN),
            str(seconds),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(cores)
    ]
    try:
        yield
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
        for worker in workers:
            await worker.wait()
