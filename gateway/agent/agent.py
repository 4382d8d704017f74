"""The agent: readings at each interval, drives seldom, tests when asked, until it is told to end."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from gateway.agent.drives import Drives
from gateway.agent.identity import machine_facts
from gateway.agent.loadtest import load_test
from gateway.agent.probes import Answer, Prober
from gateway.agent.publishing import Link, Publisher, encode
from gateway.agent.readings import Readings
from gateway.agent.selftest import self_test
from gateway.agent.sysfs import Values
from gateway.errors import OutsideError
from gateway.wire.topics import Leaf, format_topic
from rules.symbols import DeviceId

log = structlog.get_logger("forewarn.agent")

#: How long the load is measured when there is no time before to measure it over, s.
_FIRST_LOOK_SECONDS = 1.0
#: How long a single report may take to reach the broker, s.
_ONCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Periods:
    """How often things are read, s."""

    readings: float
    drives: float


class Agent:
    """One machine as a device."""

    def __init__(self, periods: Periods) -> None:
        """Begin to measure."""
        self._periods = periods
        self._readings = Readings()
        self._drives = Drives()
        self._drives_read = asyncio.Event()
        self._drives_due = asyncio.Event()

    async def run(self, link: Link, stop: asyncio.Event) -> None:
        """Report until `stop` is set, then say that the device is offline."""
        loop = asyncio.get_running_loop()

        publisher = Publisher(link, on_command=lambda payload: _tell(loop, lambda: prober.take(payload)))

        def reply(identifier: str, answer: Answer) -> None:
            publisher.say(Leaf.REPLY, {"id": identifier, "state": answer.state, "result": answer.result})

        prober = Prober(
            {
                "disk.self_test": lambda command: self._test_drive(command.component),
                "cpu.load_test": lambda command: load_test(command.args),
            },
            reply,
            _now,
        )
        publisher.state(self._facts())
        log.info("agent_started", device=str(link.device), broker=link.address.url)
        publisher.start()
        working = [
            asyncio.create_task(work)
            for work in (prober.run(), self._read_always(publisher), self._read_drives_always(publisher))
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait({*working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for ended in done - {stopping}:
                ended.result()  # none of them ends but by a fault
        finally:
            for task in (*working, stopping):
                task.cancel()
            await asyncio.wait([*working, stopping])
            await asyncio.to_thread(publisher.leave)
        log.info("agent_ended", device=str(link.device))

    async def report_once(self, link: Link, stop: asyncio.Event, patience: float = _ONCE_SECONDS) -> None:
        """Send one report and leave, within `patience` seconds; presence is not spoken of.

        Raises:
            OutsideError: the broker does not take it.
        """
        loop, taken = asyncio.get_running_loop(), asyncio.Event()
        publisher = Publisher(link, on_idle=lambda: _tell(loop, taken.set))
        for leaf, document in await self._report():
            publisher.say(leaf, document)
        publisher.start()
        waiting = [asyncio.create_task(event.wait()) for event in (taken, stop)]
        try:
            await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            trouble = publisher.trouble
            await asyncio.to_thread(publisher.leave)
        if not taken.is_set() and not stop.is_set():
            raise OutsideError(f"{link.address.url}: {trouble or 'no acknowledgement'}")

    async def lines(self, root: str, device: DeviceId) -> Iterator[str]:
        """Return one report as topics and payloads, one a line."""
        return (
            f"{format_topic(root, device, leaf)} {encode(document).decode()}"
            for leaf, document in await self._report()
        )

    async def _report(self) -> list[tuple[Leaf, dict[str, object]]]:
        drives = await self._drives.read()
        await asyncio.sleep(_FIRST_LOOK_SECONDS)
        return [
            (Leaf.FACTS, self._facts()),
            (Leaf.TELEMETRY, _telemetry(await self._readings.read() | drives)),
        ]

    async def _read_always(self, publisher: Publisher) -> None:
        await asyncio.sleep(min(_FIRST_LOOK_SECONDS, self._periods.readings))
        due = time.monotonic()
        while True:
            publisher.say(Leaf.TELEMETRY, _telemetry(await self._readings.read()))
            due = max(due + self._periods.readings, time.monotonic())  # after a sleep none is made up for
            await asyncio.sleep(due - time.monotonic())

    async def _read_drives_always(self, publisher: Publisher) -> None:
        while True:
            facts = self._facts()
            values = await self._drives.read()
            self._drives_read.set()
            if values:
                publisher.say(Leaf.TELEMETRY, _telemetry(values))
            if self._facts() != facts:
                publisher.state(self._facts())
            self._drives_due.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._periods.drives):
                    await self._drives_due.wait()

    async def _test_drive(self, component: str) -> Answer:
        await self._drives_read.wait()  # a command may come with the connection, before we know our drives
        answer = await self_test(self._drives, component)
        self._drives_due.set()  # what the drive says of itself may have changed
        return answer

    def _facts(self) -> dict[str, object]:
        facts = machine_facts()
        components = facts.get("components")
        merged = {**(components if isinstance(components, dict) else {}), **self._drives.facts}
        return {**facts, "components": merged} if merged else facts


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Have something called in the loop, from another thread."""
    with contextlib.suppress(RuntimeError):  # it has ended
        loop.call_soon_threadsafe(what)


def _telemetry(values: Values) -> dict[str, object]:
    return {"ts": _now(), "values": values}


def _now() -> int:
    return time.time_ns() // 1_000_000
