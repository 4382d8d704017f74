"""Real brokers and gateways as child processes, for benchmarks; they end with the block."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.bench.machine import ONE_THREAD
from gateway.errors import OutsideError

_PATIENCE = 120.0
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def free_port() -> int:
    """Return a port that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float = _PATIENCE) -> None:
    """Wait until something is so.

    Raises:
        OutsideError: it is not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise OutsideError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.02)


def mosquitto_binary() -> str | None:
    """Return where mosquitto is, None where it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def mosquitto(folder: Path, *, extra: str = "") -> Iterator[int]:
    """Run mosquitto as it comes, but for a queue without an end, and yield its port.

    `extra` is appended to its configuration.

    Raises:
        OutsideError: it is not installed, or did not start.
    """
    binary = mosquitto_binary()
    if binary is None:
        raise OutsideError("mosquitto is not installed; on Debian: apt-get install mosquitto")
    port = free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n{extra}", encoding="utf-8"
    )
    with child([binary, "-c", str(configuration)], folder / "mosquitto.log"):
        wait_for(lambda: listens(port), "mosquitto listening")
        yield port


@contextmanager
def child(command: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[int]:
    """Run a program for as long as the block lasts, what it says in a file, and yield its process id."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  (programs of our own choice)
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    """Say whether somebody listens at a port of this machine."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """``forewarn run`` in a process of its own."""

    pid: int
    url: str

    def metrics(self) -> dict[str, float]:
        """Return its metrics, samples of one name added up, buckets apart."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:  # noqa: S310  (our own)
            lines = answer.read().decode().splitlines()
        samples: dict[str, float] = {}
        for line in lines:
            if line.startswith("forewarn_"):
                name, _, value = line.rpartition(" ")
                key = name if "_bucket" in name else name.partition("{")[0]
                samples[key] = samples.get(key, 0.0) + float(value)
        return samples

    def cpu_seconds(self) -> float:
        """Return the processor time that it used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_mb(self) -> float:
        """Return the most memory that it ever had resident, MB."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1000, 1)


@contextmanager
def gateway(
    folder: Path, broker: str, *, core: int | None = None, text: str = ""
) -> Iterator[RunningGateway]:
    """Run a gateway on one core with its data in a folder, and yield it once it answers.

    Args:
        folder: for configuration and data.
        broker: its URL.
        core: of the processor; any when None.
        text: appended to the configuration; begins with a table's header.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configuration, data = folder / "forewarn.toml", folder / "data"
    listen = f"127.0.0.1:{free_port()}"
    configuration.write_text(
        f'data_dir = "{data}"\n[broker]\nurl = "{broker}"\n[http]\nlisten = "{listen}"\n{text}',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "gateway.bench.pinned", str(-1 if core is None else core)]
    command += ["run", "--config", str(configuration)]
    with child(command, folder / "gateway.log", os.environ | ONE_THREAD) as pid:
        announced = data / "gateway.json"

        def said() -> bool:
            with suppress(OSError, ValueError):
                return bool(json.loads(announced.read_text(encoding="utf-8"))["pid"] == pid)
            return False

        wait_for(said, "the gateway answering")
        running = RunningGateway(pid, json.loads(announced.read_text(encoding="utf-8"))["url"])
        yield running


def is_ready(running: RunningGateway) -> bool:
    """Say whether a gateway is subscribed and recovered."""
    with suppress(OSError), urllib.request.urlopen(f"{running.url}/readyz", timeout=5):  # noqa: S310
        return True
    return False
