"""Whole gateways for tests: the installed command in child processes, devices that speak to it over MQTT."""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
from prometheus_client.parser import text_string_to_metric_families
from servers import is_running, wait_until

FOREWARN = Path(sys.executable).with_name("forewarn")

#: For what depends on how busy the machine is; nothing waits that long on a free one.
PATIENCE = 120.0


def crowded() -> float:
    """How many times slower than on a free machine things may go; the contract's times mean a free one."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def run_command(
    *arguments: str | Path, cwd: Path | None = None, stdin: str | None = None, **environment: str
):
    """Run ``forewarn`` to its end."""
    return subprocess.run(
        [FOREWARN, *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=os.environ | environment,
    )


def write_config(folder: Path, broker: str, text: str = "") -> Path:
    """Write a configuration whose data stand in the folder and whose HTTP port is any free one.

    `text` is appended; it begins with a table's header.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "forewarn.toml"
    path.write_text(
        f'data_dir = "{folder}/data"\n[broker]\nurl = "{broker}"\n[http]\nlisten = "127.0.0.1:0"\n{text}'
    )
    return path


@dataclass
class RunningGateway:
    """``forewarn run`` in a process of its own; may be started again with the same folder."""

    config: Path
    data: Path
    process: subprocess.Popen[bytes] | None = None
    errors: Path = field(init=False)
    _url: str | None = None

    def __post_init__(self) -> None:
        self.errors = self.config.with_suffix(".stderr")

    def start(self) -> None:
        assert self.process is None or self.process.poll() is not None
        self._url = None
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [FOREWARN, "run", "--config", self.config],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def url(self) -> str:
        """Where it answers, once it has said so."""
        if self._url is None:
            self._url = wait_until(self._announced, seconds=PATIENCE, what=f"an address\n{self.said()}")
        return self._url

    def _announced(self) -> str | None:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        with contextlib.suppress(OSError, ValueError):
            document = json.loads((self.data / "gateway.json").read_text())
            if document["pid"] == self.pid:
                return str(document["url"])
        return None

    def wait_ready(self) -> "RunningGateway":
        wait_until(self.ready, seconds=PATIENCE, every=0.05, what="readiness")
        return self

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        with contextlib.suppress(httpx.TransportError):
            return self.get("/readyz").status_code == httpx.codes.OK
        return False

    def get(self, path: str, **parameters: str) -> httpx.Response:
        return httpx.get(self.url + path, params=parameters, timeout=PATIENCE)

    def items(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """Return all items of a list of the API."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"/api/v1/{path}", **parameters).raise_for_status().json()
            found += page["items"]
            if page["next"] is None:
                return found
            parameters["cursor"] = page["next"]

    def metrics(self) -> dict[str, float]:
        """Return what /metrics shows: ``name`` or ``name{label}`` by value; labels without their names."""
        samples = {}
        for family in text_string_to_metric_families(self.get("/metrics").raise_for_status().text):
            for sample in family.samples:
                labels = f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""
                samples[sample.name + labels] = sample.value
        return samples

    def metric(self, name: str) -> float:
        return self.metrics().get(name, 0.0)

    def settled(self, metrics: dict[str, float] | None = None) -> float:
        """How many messages have become what they are: each is processed, a duplicate or quarantined."""
        counted = self.metrics() if metrics is None else metrics
        kinds = ("processed", "duplicate", "quarantined")
        return sum(
            value
            for name, value in counted.items()
            if name.partition("{")[0] in {f"forewarn_messages_{kind}_total" for kind in kinds}
        )

    def wait_settled(self, least: float) -> None:
        """Wait until so many messages are, and then until all that was received is."""
        what = f"{least} settled messages"
        wait_until(lambda: self.settled() >= least, seconds=PATIENCE, every=0.05, what=what)
        wait_until(self._balanced, seconds=PATIENCE, every=0.05, what="each message counted once")

    def _balanced(self) -> bool:
        counted = self.metrics()
        return counted["forewarn_messages_received_total"] == self.settled(counted)

    def wait_metric(self, name: str, least: float) -> None:
        try:
            wait_until(lambda: self.metric(name) >= least, seconds=PATIENCE, every=0.05, what=name)
        except AssertionError:
            raise AssertionError(f"{name} is {self.metric(name)}, {least} expected\n{self.said()}") from None

    def forewarn(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command with the same configuration."""
        return run_command(*arguments, "--config", self.config)

    def orders(self) -> list[dict[str, Any]]:
        """Return what ``forewarn orders list --json`` prints."""
        listed = self.forewarn("orders", "list", "--json")
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line) for line in listed.stdout.splitlines()]

    def telemetry(self, device: str) -> list[dict[str, str]]:
        """Return the rows of ``forewarn telemetry DEVICE --csv``."""
        told = self.forewarn("telemetry", device, "--csv")
        assert told.returncode == 0, told.stderr
        return list(csv.DictReader(io.StringIO(told.stdout)))

    def readings(self, device: str) -> list[tuple[int, str, object]]:
        """Return what the API has of a device, nothing of a stranger: (ts, signal@component, value)."""
        answer = self.get(f"/api/v1/devices/{device}/telemetry", limit="100000")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        return [
            (r["ts"], f"{r['signal']}@{r['component']}" if r["component"] else r["signal"], r["value"])
            for r in answer.raise_for_status().json()["items"]
        ]

    def terminate(self) -> float:
        """Send SIGTERM, wait for status 0 and return how many seconds it took."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.said()
        return time.monotonic() - begun

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def said(self) -> str:
        """Return all that was written to standard error so far, by all runs."""
        return self.errors.read_text(errors="replace") if self.errors.exists() else ""

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log about an event."""
        lines = [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]


@contextlib.contextmanager
def gateway(folder: Path, broker: str, text: str = "", *, start: bool = True) -> Iterator[RunningGateway]:
    """Run a gateway for as long as the block lasts; whatever happened, it never wrote a traceback."""
    config = write_config(folder, broker, text)
    running = RunningGateway(config, folder / "data")
    try:
        if start:
            running.start()
            running.wait_ready()
        yield running
        assert "Traceback" not in running.said(), running.said()
        assert not [line for line in running.said().splitlines() if not line.startswith("{")], running.said()
    finally:
        if running.process is not None and running.process.poll() is None:
            running.kill()


class Device:
    """A device as a maker's firmware would have it: paho-mqtt, QoS 1, comes back by itself, answers probes.

    `answer` returns what is replied to a command: (state, result), or None for silence.
    """

    def __init__(
        self,
        broker: str,
        name: str,
        *,
        answer: Callable[[dict[str, Any]], tuple[str, dict[str, object]] | None] | None = None,
        root: str = "fw",
    ) -> None:
        self.name = name
        self.commands: list[dict[str, Any]] = []
        self.sent: set[int] = set()  # by MQTT's packet identifier
        self._taken: set[int] = set()
        self._topic = f"{root}/{name}"
        self._answer = answer
        self._subscribed = threading.Event()
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=name.replace("/", "-"), clean_session=False
        )
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._commanded
        self._client.on_publish = lambda _client, _data, mid, *_: self._taken.add(mid)
        host, _, port = broker.removeprefix("mqtt://").partition(":")
        self._client.connect(host, int(port))
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE)

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, leaf: str, document: object, *, retain: bool = False) -> None:
        """Publish a JSON document."""
        self.send(leaf, json.dumps(document).encode(), retain=retain)

    def send(self, leaf: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish bytes; while the broker is away they wait here."""
        self.sent.add(self._client.publish(f"{self._topic}/{leaf}", payload, qos=1, retain=retain).mid)

    def measure(self, ts: int, values: Mapping[str, object]) -> None:
        """Publish one message of telemetry."""
        self.say("telemetry", {"ts": ts, "values": values})

    @property
    def taken(self) -> int:
        """How many messages the broker has taken over (PUBACK)."""
        return len(self._taken)

    def wait_taken(self, every: float = 0.02) -> None:
        wait_until(
            lambda: self.taken == len(self.sent),
            seconds=PATIENCE,
            every=every,
            what=f"PUBACKs for {self.name}",
        )

    def wait_command(self, number: int = 1) -> dict[str, Any]:
        """Return the last of so many commands."""
        wait_until(lambda: len(self.commands) >= number, seconds=PATIENCE, what=f"command for {self.name}")
        return self.commands[number - 1]

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe(f"{self._topic}/command", qos=1)

    def _commanded(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        command = json.loads(message.payload)
        self.commands.append(command)
        reply = self._answer(command) if self._answer else None
        if reply is not None:
            state, result = reply
            self.say("reply", {"id": command["id"], "state": state, "result": result})


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def processes_naming(text: str) -> list[int]:
    """Return the processes that run with a text in their command line or their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid() or not is_running(int(pid)):
            continue
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            if text.encode() in words:
                found.append(int(pid))
    return found


def json_lines(text: str | Iterable[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (text.splitlines() if isinstance(text, str) else text)]
