"""The brokers that the gateway is promised to work with: the real servers on free ports of the loopback."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import free_port, listens, start_mosquitto, wait_until

from gateway.mqtt.embedded import server_binary

#: Debian's own name for it takes root to the account `rabbitmq`, which cannot write to a test's folder.
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

#: Of mosquitto: refuses subscriptions, which its access list does not: it withholds the messages.
DYNAMIC_SECURITY = Path("/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so")

KINDS = ("mosquitto", "nats", "rabbitmq", "rumqttd")


@dataclass
class Broker:
    """A running broker, and how it is told to keep quiet.

    Attributes:
        kind: one of `KINDS`.
        url: of MQTT.
    """

    kind: str
    url: str


@contextlib.contextmanager
def broker(kind: str, folder: Path, *, extra: str = "") -> Iterator[Broker]:
    """Run a broker for as long as the block lasts; `extra` is appended to its configuration.

    A test that asks for one that is not installed is skipped, and says so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _STARTERS[kind](folder, extra) as port:
        yield Broker(kind, f"mqtt://127.0.0.1:{port}")


@contextlib.contextmanager
def _mosquitto(folder: Path, extra: str) -> Iterator[int]:
    running = start_mosquitto(folder, extra=extra)
    try:
        yield running.port
    finally:
        running.kill()


@contextlib.contextmanager
def _nats(folder: Path, extra: str) -> Iterator[int]:
    port = free_port()
    (folder / "nats.conf").write_text(
        f'server_name: brokers\nlisten: "127.0.0.1:-1"\nlog_file: {folder}/nats.log\n'
        f"jetstream {{ store_dir: {folder}/store }}\n"
        f'mqtt {{ host: 127.0.0.1, port: {port}, ack_wait: "10s", {extra or "max_ack_pending: 4096"} }}\n'
    )
    with _process([str(server_binary()), "-c", str(folder / "nats.conf")], port, folder):
        yield port


@contextlib.contextmanager
def _rabbitmq(folder: Path, extra: str) -> Iterator[int]:
    if not RABBITMQ.exists() or shutil.which("epmd") is None:
        pytest.skip("rabbitmq-server is not installed (make debian)")
    port, amqp, names, distribution = (free_port() for _ in range(4))
    (folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{amqp}\nmqtt.listeners.tcp.1 = 127.0.0.1:{port}\n"
        f"mqtt.prefetch = 1000\nmqtt.allow_anonymous = true\n{extra}\n"
    )
    environment = {
        "HOME": str(folder),  # Erlang's cookie
        "RABBITMQ_NODENAME": f"brokers{port}@localhost",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    # A node that finds no name server starts one that outlives it; this one ends with the test.
    server = [shutil.which("epmd") or "", "-port", str(names), "-address", "127.0.0.1"]
    with (
        _process(server, names, folder / "names"),
        _process([str(RABBITMQ)], port, folder, environment),
    ):
        yield port


@contextlib.contextmanager
def _rumqttd(folder: Path, extra: str) -> Iterator[int]:
    """Rumqttd comes as a library of Python's; its broker is a process of its own, configured by a file."""
    if importlib.util.find_spec("iotcore") is None:
        pytest.skip("iotcore, which brings rumqttd, is not installed (make dev)")
    port = free_port()
    (folder / "rumqttd.toml").write_text(
        "id = 0\n[router]\nid = 0\nmax_connections = 100\nmax_outgoing_packet_count = 200\n"
        "max_segment_size = 104857600\nmax_segment_count = 10\n"
        f'[v4.1]\nname = "v4-1"\nlisten = "127.0.0.1:{port}"\nnext_connection_delay_ms = 1\n'
        "[v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\n"
        f"max_inflight_count = 1000\ndynamic_filters = true\n{extra}\n"
    )
    command = [sys.executable, "-m", "iotcore", "--config", str(folder / "rumqttd.toml")]
    with _process(command, port, folder):
        yield port


_STARTERS = {"mosquitto": _mosquitto, "nats": _nats, "rabbitmq": _rabbitmq, "rumqttd": _rumqttd}


@contextlib.contextmanager
def _process(
    command: list[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a program that listens on a port, in a process group of its own that is ended with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output"
    with output.open("ab") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=folder,
            env=os.environ | dict(environment or {}),
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: listens(port) or process.poll() is not None,
            seconds=120,
            every=0.05,
            what=f"{command[0]} listening",
        )
        assert process.poll() is None, output.read_text(errors="replace")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
