"""Real brokers for tests: started on free ports, stopped by process id."""

import contextlib
import getpass
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition, *, seconds: float = 15.0, every: float = 0.01, what: str = "the condition"):
    """Return the condition's first true value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(every)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass
class Mosquitto:
    """A running mosquitto that keeps its sessions in `folder` and may be started again there."""

    folder: Path
    port: int
    process: subprocess.Popen

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        """SIGTERM: sessions are written to disk."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what was not yet written is lost."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.process = _run_mosquitto(self.folder, self.port)

    def _end(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(10)


def start_mosquitto(folder: Path, port: int | None = None, *, extra: str = "") -> Mosquitto:
    """Start mosquitto with persistence in a folder; `extra` is appended to its configuration."""
    if mosquitto_binary() is None:
        pytest.skip("mosquitto is not installed (make debian)")
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    user = getpass.getuser()  # started as root, mosquitto would become a user that cannot write here
    (folder / "mosquitto.conf").write_text(
        f"user {user}\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
        f"persistence_location {folder}/\nautosave_interval 1\nautosave_on_changes false\n"
        f"log_dest file {folder}/mosquitto.log\nmax_queued_messages 0\n{extra}\n"
    )
    return Mosquitto(folder, port, _run_mosquitto(folder, port))


def mosquitto_binary() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def _run_mosquitto(folder: Path, port: int) -> subprocess.Popen:
    process = subprocess.Popen(
        [mosquitto_binary(), "-c", str(folder / "mosquitto.conf")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: listens(port) or process.poll() is not None, what="mosquitto listening")
    assert process.poll() is None, (folder / "mosquitto.log").read_text()
    return process


IDENTIFIERS = 30_000


def publish(url: str, messages, *, qos: int = 1, retain: bool = False) -> None:
    """Publish (topic, payload) pairs as a device would and wait until the broker has them."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    host, _, port = url.removeprefix("mqtt://").partition(":")
    client.connect(host, int(port))
    client.loop_start()
    try:
        # Identifiers have 16 bits: paho silently mixes up more messages than that at a time.
        messages = list(messages)
        for begin in range(0, len(messages), IDENTIFIERS):
            some = messages[begin : begin + IDENTIFIERS]
            sent = [client.publish(topic, payload, qos=qos, retain=retain) for topic, payload in some]
            for info in sent:
                info.wait_for_publish(30)
                assert info.is_published()
    finally:
        client.disconnect()
        client.loop_stop()
