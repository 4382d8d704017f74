"""The state is saved by a copy of the process: whole or not at all, whatever happens to either of the two."""

import asyncio
import gc
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from servers import is_running, wait_until
from story import Story

import gateway.saving as saving_module
from gateway.clock import SystemClock
from gateway.config import Config
from gateway.errors import StoreUnavailableError
from gateway.events import Events
from gateway.fresh import without
from gateway.history.duckdb_store import DuckDbHistory
from gateway.ledger.store import SqlLedger
from gateway.loading import build_decoder, build_pipeline, load_knowledge, load_packs
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.commands import MqttCommander
from gateway.mqtt.receiver import Receiver
from gateway.ports import Packet
from gateway.saving import Saving
from gateway.service import Parts, Service
from gateway.state import VERSION, SavedState, UnusableStateError, load_state, save_state
from rules.symbols import Symbols

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # on a machine that others use, too


def state(sequence=1, **arrays):
    return SavedState(sequence, 1_000, {name: np.asarray(array) for name, array in arrays.items()}, {"n": 1})


def save(path, what):
    Saving.begin(path, what).wait()


def same(one, other):
    return (one.sequence, one.alive_at, one.document) == (
        other.sequence,
        other.alive_at,
        other.document,
    ) and [
        (name, array.dtype, array.shape, array.tobytes()) for name, array in sorted(one.arrays.items())
    ] == [(name, array.dtype, array.shape, array.tobytes()) for name, array in sorted(other.arrays.items())]


# What stands in the file


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5.0),
        np.full((3, 4), 7, dtype=np.int16),
        np.full(3, np.nan),
        np.array([0.0, -0.0]),
        np.full(2, -0.0),
        np.zeros((0, 4)),
        np.array(3.5),
        np.zeros((2, 3), dtype=bool),
        np.arange(12).reshape(3, 4).T,
        np.array([b"ab", b"ab"]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_back_to_the_bit(tmp_path, array):
    path = tmp_path / "state.npz"
    save_state(path, state(a=array, **{"b/c": np.arange(3)}))
    assert same(load_state(path), state(a=array, **{"b/c": np.arange(3)}))


def test_arrays_that_are_alike_take_no_room(tmp_path):
    path = tmp_path / "state.npz"
    save_state(path, state(a=np.zeros(1_000_000), b=np.full(1_000_000, np.nan)))
    assert path.stat().st_size < 10_000


def test_none_is_there(tmp_path):
    assert load_state(tmp_path / "state.npz") is None


def test_a_file_that_is_damaged_anywhere_is_not_taken_for_another_state(tmp_path):
    path = tmp_path / "state.npz"
    kept = state(a=np.arange(3), b=np.zeros(2))
    save_state(path, kept)
    whole = path.read_bytes()
    cut = [whole[:length] for length in range(0, len(whole), 8)]
    flipped = [_flipped(whole, place, 1 << place % 8) for place in range(len(whole))]
    refused = 0
    for content in (*cut, *flipped):
        path.write_bytes(content)
        try:
            loaded = load_state(path)
        except UnusableStateError:
            refused += 1
        else:
            assert same(loaded, kept)
    assert refused > len(cut) + len(flipped) / 2


def _flipped(content, place, bit):
    changed = bytearray(content)
    changed[place] ^= bit
    return bytes(changed)


def of_another_version(path):
    """Rewrite a state as one of a version to come."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            told, other = f'"version": {VERSION}'.encode(), f'"version": {VERSION + 1}'.encode()
            assert len(told) == len(other)
            file.writestr(name, content.replace(told, other))


def test_another_version_is_named(tmp_path):
    path = tmp_path / "state.npz"
    save_state(path, state(a=np.arange(3)))
    of_another_version(path)
    with pytest.raises(UnusableStateError, match=f"expected version {VERSION}, got {VERSION + 1}"):
        load_state(path)


# The copy


def test_the_state_is_that_of_the_moment_although_the_gateway_goes_on(tmp_path):
    path, gate = tmp_path / "state.npz", tmp_path / "gate"
    os.mkfifo(gate)
    values = np.arange(300_000)

    def as_of_now():
        gate.read_text()  # until the gateway has gone on
        return state(values=values)

    saving = Saving.begin(path, as_of_now)
    before = values.copy()
    values[:] = -1
    gate.write_text("go on")
    saving.wait()
    assert same(load_state(path), state(values=before))


def test_no_zombie_and_nothing_else_is_left(tmp_path):
    path, told = tmp_path / "state.npz", tmp_path / "pid"
    files = len(os.listdir("/proc/self/fd"))
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def noted():
        told.write_text(str(os.getpid()))
        return state(a=np.arange(3))

    for what in (noted, _broken):
        saving = Saving.begin(path, what)
        try:
            saving.wait()
        except StoreUnavailableError:
            assert what is _broken
    assert not Path(f"/proc/{told.read_text()}").exists()
    assert set(tmp_path.iterdir()) == {path, told}
    assert len(os.listdir("/proc/self/fd")) == files
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == masked


def _broken():
    raise ValueError("no such lane")


def _killed():
    os.kill(os.getpid(), signal.SIGKILL)


def _on_a_disk_with_little_room():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    return state(a=np.random.default_rng(1).random(100_000))


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (_on_a_disk_with_little_room, "File too large: "),
        (_broken, r"ValueError\('no such lane'\)"),
        (_killed, "the writing process ended with -9"),
    ],
)
def test_a_failure_has_its_reason_and_leaves_the_old_state(tmp_path, what, reason):
    path = tmp_path / "state.npz"
    save(path, lambda: state(a=np.arange(3)))
    with pytest.raises(StoreUnavailableError, match=f"^state not saved: {reason}"):
        save(path, what)
    assert same(load_state(path), state(a=np.arange(3)))
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named(tmp_path):
    path = tmp_path / "state.npz"
    save(path, lambda: state(a=np.arange(3)))
    (tmp_path / "state.new").symlink_to("/dev/full")
    with pytest.raises(StoreUnavailableError, match=r"^state not saved: No space left on device: "):
        save(path, lambda: state(a=np.arange(4)))
    assert same(load_state(path), state(a=np.arange(3)))


def test_a_folder_that_is_gone_is_named(tmp_path):
    with pytest.raises(StoreUnavailableError, match=r"^state not saved: No such file or directory: "):
        save(tmp_path / "gone" / "state.npz", lambda: state(a=np.arange(3)))


def test_patience_ends(tmp_path, monkeypatch):
    path, gate, told = tmp_path / "state.npz", tmp_path / "gate", tmp_path / "pid"
    os.mkfifo(gate)
    monkeypatch.setattr(saving_module, "PATIENCE_SECONDS", 0.0)

    def hung():
        told.with_suffix(".new").write_text(str(os.getpid()))
        told.with_suffix(".new").rename(told)
        gate.read_text()

    saving = Saving.begin(path, hung)
    wait_until(told.exists, seconds=PATIENCE)
    with pytest.raises(StoreUnavailableError, match="still writing after 0 s"):
        saving.wait()
    assert not path.exists()
    assert not Path(f"/proc/{told.read_text()}").exists()


def test_the_copy_holds_open_nothing_of_the_gateways_and_clears_nothing_away(tmp_path):
    path = tmp_path / "state.npz"
    lock = tmp_path / "lock"

    def what_is_open():
        held = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        document = {"held": held, "gc": gc.isenabled(), "term": signal.SIGTERM in blocked}
        return SavedState(1, 1, {"a": np.arange(2)}, document)

    with lock.open("w"), socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        socket_link = os.path.realpath(f"/proc/self/fd/{port.fileno()}")
        save(path, what_is_open)
    document = load_state(path).document
    assert str(lock) not in document["held"]
    assert socket_link not in document["held"]
    assert (document["gc"], document["term"]) == (False, True)


@pytest.mark.slow
def test_other_threads_may_be_at_anything_meanwhile(tmp_path):
    """Locks that they hold at that moment stay held in the copy for ever: it must take none of them."""
    path = tmp_path / "state.npz"
    done = threading.Event()

    def busy():
        while not done.is_set():
            with (tmp_path / "other").open("w") as file:
                file.write("x" * 100_000)
            json.loads(json.dumps(list(range(1000))))
            gc.collect()

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(10):
            save(path, lambda number=number: state(number, a=np.arange(1000) + number))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert same(load_state(path), state(9, a=np.arange(1000) + 9))


# Processes of their own: what would not be good for this one

_PRELUDE = """
import os, resource, signal, sys
import numpy as np
from pathlib import Path
from gateway.errors import StoreUnavailableError
from gateway.saving import Saving
from gateway.state import SavedState
path = Path(sys.argv[1])

def state(n, size=3):
    return SavedState(n, 1, {"a": np.arange(size) + n}, {})
"""


def run(path, script):
    command = [sys.executable, "-c", _PRELUDE + script, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_gateway_that_was_started_with_child_signals_ignored_saves_all_the_same(tmp_path):
    path = tmp_path / "state.npz"
    told = run(
        path,
        """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
Saving.begin(path, lambda: state(7)).wait()
try:
    Saving.begin(path, lambda: os.kill(os.getpid(), signal.SIGKILL)).wait()
except StoreUnavailableError as error:
    print(error)
""",
    )
    assert told == "state not saved: the writing process ended with an unknown status\n"
    assert load_state(path).sequence == 7


def test_a_thousand_open_files_are_no_hindrance(tmp_path):
    path = tmp_path / "state.npz"
    run(
        path,
        """
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
Saving.begin(path, lambda: state(7)).wait()
""",
    )
    assert load_state(path).sequence == 7


def test_no_file_left_for_the_pipe_is_told_as_such(tmp_path):
    told = run(
        tmp_path / "state.npz",
        """
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, most))
try:
    Saving.begin(path, lambda: state(7))
except StoreUnavailableError as error:
    print(error)
""",
    )
    assert told == "state not saved: Too many open files: pipe\n"


_KILLED = """
old = state(1, 2_000_000)
Saving.begin(path, lambda: old).wait()

def told():
    os.write(1, f"{os.getpid()}\\n".encode())
    MOMENT
    return state(2, 2_000_000)

Saving.begin(path, told).wait()
signal.pause()
"""


@pytest.mark.parametrize("moment", ["signal.pause()", "pass"], ids=["before it writes", "while it writes"])
def test_a_gateway_that_is_killed_takes_the_copy_with_it(tmp_path, moment):
    path = tmp_path / "state.npz"
    command = [sys.executable, "-c", _PRELUDE + _KILLED.replace("MOMENT", moment), str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        copy = int(process.stdout.readline())
        process.kill()
    wait_until(lambda: not is_running(copy), seconds=PATIENCE, what="the end of the copy")
    kept = load_state(path)
    expected = (1,) if moment != "pass" else (1, 2)
    assert kept.sequence in expected
    assert np.array_equal(kept.arrays["a"], np.arange(2_000_000) + kept.sequence)
    save_state(path, state(3, a=np.arange(3)))
    assert load_state(path).sequence == 3
    assert list(tmp_path.iterdir()) == [path]


# The service


def service_over(folder):
    """Return a service as `running_gateway` makes it, without a broker, and its parts."""
    config = Config(data_dir=folder)
    knowledge, symbols, events = load_knowledge(config), Symbols(), Events()
    address = BrokerAddress.of("mqtt://127.0.0.1:1", username=None, password=None)
    parts = Parts(
        symbols=symbols,
        pipeline=build_pipeline(config, knowledge, symbols, None),
        decoder=build_decoder(config, knowledge, symbols),
        history=DuckDbHistory(config.history_path),
        ledger=SqlLedger(f"sqlite:///{config.ledger_path}"),
        receiver=Receiver(address, client_id="t", filters=[], clock=SystemClock(), events=events),
        commander=MqttCommander(address, client_id="t", root="fw", events=events),
        clock=SystemClock(),
        events=events,
        feed=None,
        state_path=folder / "state.npz",
        max_batch=1000,
        packs=lambda: load_packs(config),
    )
    return Service(parts), parts


@pytest.fixture
def lived(tmp_path):
    """A data folder whose history has half an hour of a device in it, and a state that says so."""
    _, parts = service_over(tmp_path)
    story = Story()
    for minute in range(30):
        values = {"leak.detected": minute > 20, "water.level": 5.0}
        body = msgspec.json.encode({"ts": story.clock + minute * 60_000, "values": values})
        packet = Packet("fw/acme/appliance/wm/telemetry", body, story.clock + minute * 60_000)
        inbound = parts.decoder.decode([packet])
        parts.pipeline.push(inbound)
        readings, notices = without(
            inbound.readings, inbound.notices, np.zeros(len(inbound.readings), dtype=bool)
        )
        sequence = parts.history.append(parts.symbols, readings, notices)
    save(tmp_path / "state.npz", lambda: SavedState(sequence, story.clock, *parts.pipeline.snapshot()))
    parts.history.close()
    parts.ledger.close()
    return tmp_path


def knows(folder):
    """Let a service take up what a folder holds; return whether it is at work and what it then knows."""
    service, parts = service_over(folder)
    try:
        asyncio.run(service.recover(asyncio.Event()))
        _, document = parts.pipeline.snapshot()
        cases = parts.ledger.cases(cursor=None, limit=10).items
    finally:
        parts.history.close()
        parts.ledger.close()
    return service.ready()[1], document["now"], [(case.fault, case.state) for case in cases]


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("harm", [cut_in_half, of_another_version, Path.unlink])
def test_the_service_goes_on_from_the_history(lived, harm):
    before = knows(lived)
    harm(lived / "state.npz")
    ready, now, cases = knows(lived)
    assert ready.startswith("not subscribed at the broker")  # recovered, that is
    assert now == before[1]
    assert cases == [("appliance.leak", "suspected")]
