"""The measurements of ``forewarn bench ingest``: whole gateways at real brokers, everything stored."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.bench import nodered, stages
from gateway.bench.processes import RunningGateway, gateway, is_ready, mosquitto, wait_for
from gateway.bench.traffic import (
    ROUND_MS,
    Say,
    Traffic,
    drain,
    drain_with_paho,
    publish,
    subscribe,
    unsubscribe,
)
from gateway.errors import OutsideError
from gateway.mqtt.embedded import EmbeddedBroker

_VALUES = 6  # a message
_LOOK = 0.05  # seconds between two looks at the metrics


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose.

    Attributes:
        messages: of a backlog.
        large: of the backlog that shows how memory is bounded.
        devices: that send them.
        offered: messages a second of the detection measurement.
        seconds: how long it lasts.
        seed: of everything that is chance.
    """

    messages: int = 300_000
    large: int = 3_000_000
    devices: int = 10_000
    offered: int = 20_000
    seconds: int = 30
    seed: int = 1

    def traffic(self, *, messages: int | None = None) -> Traffic:
        """Return the fleet; the last of so many messages, `messages` of them when None, is of now."""
        rounds = (self.messages if messages is None else messages) // self.devices + 1
        return Traffic(self.devices, int(time.time() * 1000) - rounds * ROUND_MS, self.seed)


def _cores() -> tuple[int | None, int | None]:
    """Return the core of the gateway and that of everything else; None where there is but one."""
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return cores[-1], cores[0]


@contextmanager
def _at_mosquitto(core: int | None) -> Iterator[tuple[Path, int]]:
    """Run mosquitto, and us, on a core that is not the gateway's; yield a folder and the broker's port."""
    with TemporaryDirectory() as name:
        if core is not None:
            os.sched_setaffinity(0, {core})
        with mosquitto(Path(name)) as port:
            yield Path(name), port


def _leave_session(folder: Path, broker: str) -> None:
    """Let a gateway subscribe and go, so that what is published waits for it."""
    with gateway(folder, broker) as running:
        wait_for(lambda: is_ready(running), "readiness")


def _done(samples: dict[str, float]) -> float:
    names = ("processed", "duplicate", "quarantined")
    return sum(samples.get(f"forewarn_messages_{name}_total", 0.0) for name in names)


def _drained(running: RunningGateway, number: int) -> dict[str, Any]:
    """Watch a gateway take a backlog and return its figures."""
    begun, cpu = time.perf_counter(), running.cpu_seconds()
    deadline = begun + 600
    while True:
        samples = running.metrics()
        now = time.perf_counter()
        if not samples.get("forewarn_messages_received_total"):
            begun, cpu = now, running.cpu_seconds()  # it has not begun
        elif _done(samples) >= number:
            break
        if now > deadline:
            raise OutsideError(f"{_done(samples):,.0f} of {number:,} messages in 600 s")
        time.sleep(_LOOK)
    seconds, used = now - begun, running.cpu_seconds() - cpu
    return {
        "messages": number,
        "messages_per_second": round(number / seconds),
        "readings_per_second": round(number * _VALUES / seconds),
        "seconds": round(seconds, 2),
        "cpu_us_per_message": round(used / number * 1e6, 2),
        "stored_readings": round(samples["forewarn_readings_total"]),
        "commits": round(samples["forewarn_commit_seconds_count"]),
        "peak_mb": running.peak_mb(),
    }


def measure_mosquitto(settings: Settings, say: Say) -> dict[str, Any]:
    """Drain a backlog from mosquitto, after paho-mqtt and a bare reader have drained the same."""
    core, rest = _cores()
    with _at_mosquitto(rest) as (folder, port):
        broker = f"mqtt://127.0.0.1:{port}"
        _leave_session(folder, broker)
        for client in ("bare", "paho"):
            subscribe(port, client, "fw/#", version=5)
        say(f"publishing {settings.messages:,} messages to mosquitto")
        publish(port, settings.traffic().messages(settings.messages))
        if core is not None:
            os.sched_setaffinity(0, {core})
        say("draining with paho-mqtt")
        paho = drain_with_paho(port, "paho", settings.messages)
        bare = drain(port, "bare", settings.messages, version=5)
        if rest is not None:
            os.sched_setaffinity(0, {rest})
        say("draining with forewarn")
        with gateway(folder, broker, core=core) as running:
            figures = _drained(running, settings.messages)
    rate = figures["messages_per_second"]
    return {
        **figures,
        "paho_messages_per_second": round(paho),
        "times_paho": round(rate / paho, 2),
        "bare_messages_per_second": round(bare),
    }


def measure_embedded(settings: Settings, say: Say) -> dict[str, Any]:
    """Drain a backlog from the embedded nats-server, after a bare reader has drained the same."""
    return asyncio.run(_measure_embedded(settings, say))


async def _measure_embedded(settings: Settings, say: Say) -> dict[str, Any]:
    core, rest = _cores()
    with TemporaryDirectory() as name:
        folder = Path(name)
        if rest is not None:
            os.sched_setaffinity(0, {rest})
        async with EmbeddedBroker(folder) as broker:
            port = int(broker.url.rpartition(":")[2])

            def measured() -> dict[str, Any]:
                # One after the other: the last to acknowledge a message makes the broker delete it.
                subscribe(port, "bare", "fw/#")
                say(f"publishing {settings.messages:,} messages to the embedded nats-server, twice")
                publish(port, settings.traffic().messages(settings.messages))
                bare = drain(port, "bare", settings.messages)
                unsubscribe(port, "bare")
                _leave_session(folder / "gateway", broker.url)
                publish(port, settings.traffic().messages(settings.messages))
                say("draining with forewarn")
                with gateway(folder / "gateway", broker.url, core=core) as running:
                    figures = _drained(running, settings.messages)
                share = figures["messages_per_second"] / bare
                return {
                    **figures,
                    "bare_messages_per_second": round(bare),
                    "of_bare": round(share, 2),
                }

            return await asyncio.to_thread(measured)


def measure_inflight(settings: Settings, say: Say) -> dict[str, Any]:
    """Drain a short backlog on MQTT 3.1.1, where mosquitto's default of 20 in flight rules, and on MQTT 5."""
    number = min(settings.messages, 20_000)
    core, rest = _cores()
    figures: dict[str, Any] = {}
    for protocol in ("3.1.1", "5"):
        with _at_mosquitto(rest) as (folder, port):
            broker = f'mqtt://127.0.0.1:{port}"\nprotocol = "{protocol}'
            _leave_session(folder, broker)
            publish(port, settings.traffic(messages=number).messages(number))
            say(f"draining with MQTT {protocol}")
            with gateway(folder, broker, core=core) as running:
                drained = _drained(running, number)
                drained["messages_per_commit"] = round(number / drained["commits"])
                drained["ms_per_commit"] = round(drained["seconds"] / drained["commits"] * 1000, 2)
                figures[f"mqtt_{protocol}"] = drained
    return figures


def measure_memory(settings: Settings, say: Say) -> dict[str, Any]:
    """Drain a backlog that is ten times as large, and look at the memory."""
    core, rest = _cores()
    with _at_mosquitto(rest) as (folder, port):
        broker = f"mqtt://127.0.0.1:{port}"
        _leave_session(folder, broker)
        say(f"publishing {settings.large:,} messages to mosquitto")
        publish(port, settings.traffic(messages=settings.large).messages(settings.large))
        say("draining with forewarn")
        with gateway(folder, broker, core=core) as running:
            return _drained(running, settings.large)


def measure_detection(settings: Settings, say: Say) -> dict[str, Any]:
    """Offer messages at a steady rate, some of drives that fail, and look at how soon their orders stand."""
    core, rest = _cores()
    number = settings.offered * settings.seconds
    with (
        _at_mosquitto(rest) as (folder, port),
        gateway(folder, f"mqtt://127.0.0.1:{port}", core=core) as running,
    ):
        wait_for(lambda: is_ready(running), "readiness")
        fleet = settings.devices
        say(f"letting {fleet:,} devices be heard for the first time")
        warm = settings.traffic(messages=number + fleet)
        publish(port, warm.messages(fleet), rate=settings.offered)
        wait_for(lambda: _done(running.metrics()) >= fleet, "the first messages")
        failing = min(1_000, number // 100)
        say(f"offering {settings.offered:,} messages a second for {settings.seconds} s")
        later = Traffic(fleet, warm.start + ROUND_MS, settings.seed + 1, failing)
        before = running.metrics()
        _, seconds = publish(port, later.messages(number), rate=settings.offered)
        wait_for(lambda: _done(running.metrics()) >= fleet + number, "all messages")
        after = running.metrics()
    buckets = {
        float(key.partition('le="')[2].partition('"')[0]): after[key] - before.get(key, 0.0)
        for key in after
        if key.startswith("forewarn_detection_seconds_bucket") and "+Inf" not in key
    }
    orders = after["forewarn_detection_seconds_count"] - before.get("forewarn_detection_seconds_count", 0)
    commits = after["forewarn_commit_seconds_count"] - before.get("forewarn_commit_seconds_count", 0)
    return {
        "offered_per_second": round(number / seconds),
        "failing_drives": failing,
        "orders": round(orders),
        "p50_ms": _quantile(buckets, orders, 0.5),
        "p99_ms": _quantile(buckets, orders, 0.99),
        "share_within_100_ms": round(buckets.get(0.1, 0.0) / orders, 4) if orders else None,
        "messages_per_commit": round(number / commits),
    }


def _quantile(buckets: dict[float, float], total: float, share: float) -> float | None:
    """Return a quantile of a histogram in ms, as Prometheus would: even within a bucket."""
    wanted, below, edge = total * share, 0.0, 0.0
    for limit in sorted(buckets):
        if buckets[limit] >= wanted and total:
            inside = buckets[limit] - below
            return round((edge + (limit - edge) * ((wanted - below) / inside if inside else 0)) * 1000, 1)
        below, edge = buckets[limit], limit
    return None


#: Name -> (what it does, whether it belongs to a usual run).
MEASUREMENTS: dict[str, tuple[Callable[[Settings, Say], dict[str, Any]], bool]] = {
    "mosquitto": (measure_mosquitto, True),
    "embedded": (measure_embedded, True),
    "detection": (measure_detection, True),
    "memory": (measure_memory, False),
    "inflight": (measure_inflight, False),
    "stages": (stages.measure, False),
    "node-red": (nodered.measure, False),
}
