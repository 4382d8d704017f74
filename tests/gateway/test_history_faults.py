"""What the history does when the machine does not play along: kills, full disks, locks, foreign files."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from gateway.errors import StoreUnavailableError, UserError
from gateway.history.duckdb_store import DuckDbHistory
from gateway.ports import Notice
from rules.batch import ReadingBatch
from rules.symbols import DeviceId, Symbols

DEVICE = DeviceId("acme", "server", "srv-1")

MIB = 1 << 20


def messages(symbols: Symbols, first: int, count: int, readings_each: int = 2) -> ReadingBatch:
    """Messages whose times and values count on from `first`, so that a gap or a double shows."""
    device = symbols.devices.intern(DEVICE)
    channels = [symbols.channel(f"fan.rpm@{n}") for n in range(readings_each)]
    ts = np.arange(first, first + count, dtype=np.int64)
    return ReadingBatch(
        device=np.full(count, device, dtype=np.int32),
        ts=ts,
        arrival=ts,
        message=np.repeat(np.arange(count, dtype=np.int32), readings_each),
        channel=np.tile(np.array(channels, dtype=np.int32), count),
        value=np.repeat(ts.astype(np.float64), readings_each),
        kind=np.zeros(count * readings_each, dtype=np.int8),
    )


def times_of(history: DuckDbHistory) -> list[int]:
    times: list[int] = []
    sequence, more = 0, True
    while more:
        inbound, end = history.since(Symbols(), sequence, 50_000)
        times += inbound.readings.ts.tolist()
        more, sequence = end != sequence, end
    return times


APPEND_FOREVER = """
import sys
from dataclasses import replace
from pathlib import Path
from gateway.history.duckdb_store import DuckDbHistory
from gateway.ports import Notice
from rules.symbols import Symbols
from test_history_faults import messages

history = DuckDbHistory(Path(sys.argv[1]), keep_free=0, checkpoint_bytes=int(sys.argv[2]))
symbols = Symbols()
first = int(sys.argv[3])
size = 1
while True:
    history.append(symbols, messages(symbols, first, size), ())
    first += size
    print(first, flush=True)
    size = size % 700 + 37
"""


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    places = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
    )


@pytest.mark.server
@pytest.mark.parametrize("checkpoint_bytes", [20_000, 300_000, 1 << 30])
def test_sigkill_loses_nothing_that_append_returned_for(tmp_path: Path, checkpoint_bytes: int) -> None:
    path = tmp_path / "h.duckdb"
    stored = 0
    for appends in (1, 17, 40, 5):
        writer = child(APPEND_FOREVER, path, checkpoint_bytes, stored)
        assert writer.stdout is not None
        assert writer.stderr is not None
        confirmed = stored
        for _ in range(appends):
            line = writer.stdout.readline()
            assert line, writer.stderr.read()
            confirmed = int(line)
        writer.send_signal(signal.SIGKILL)
        confirmed = max([confirmed, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])
        writer.wait()
        writer.stdout.close()
        writer.stderr.close()
        reader = DuckDbHistory.open_readonly(path)
        times = times_of(reader)
        assert times == list(range(len(times)))
        assert len(times) >= confirmed
        assert [reading.ts for reading in reader.telemetry(DEVICE, signal="fan.rpm@1")] == times
        reader.close()
        stored = len(times)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip() or 'not root'}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def free_on(disk: Path) -> int:
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize


def fill(disk: Path, leave: int) -> None:
    (disk / "filler").write_bytes(b"x" * (free_on(disk) - leave))


def empty(disk: Path) -> None:
    (disk / "filler").unlink()


@pytest.mark.server
def test_a_full_disk_is_said_and_the_same_call_works_when_there_is_room(small_disk: Path) -> None:
    history = DuckDbHistory(small_disk / "h.duckdb", keep_free=0, checkpoint_bytes=1 << 30)
    symbols = Symbols()
    end = history.append(symbols, messages(symbols, 0, 1_000), ())
    fill(small_disk, leave=200_000)
    with pytest.raises(StoreUnavailableError, match="No space left on device"):
        history.append(symbols, messages(symbols, 1_000, 20_000), ())
    assert times_of(history) == list(range(1_000))
    with pytest.raises(StoreUnavailableError):
        history.append(symbols, messages(symbols, 1_000, 20_000), ())
    assert history.known(symbols, messages(symbols, 999, 2)) == [True, True, False, False]
    empty(small_disk)
    assert history.append(symbols, messages(symbols, 1_000, 20_000), ()) > end
    assert times_of(history) == list(range(21_000))
    history.close()
    again = DuckDbHistory.open_readonly(small_disk / "h.duckdb")
    assert times_of(again) == list(range(21_000))
    again.close()


@pytest.mark.server
def test_new_names_of_a_failed_append_are_written_with_the_next(small_disk: Path) -> None:
    path = small_disk / "h.duckdb"
    history = DuckDbHistory(path, keep_free=0)
    fill(small_disk, leave=4_096)
    symbols = Symbols()
    with pytest.raises(StoreUnavailableError):
        history.append(symbols, messages(symbols, 0, 20_000, readings_each=3), ())
    empty(small_disk)
    history.append(symbols, messages(symbols, 0, 5, readings_each=3), ())
    history.close()
    again = DuckDbHistory.open_readonly(path)
    assert len(again.telemetry(DEVICE, signal="fan.rpm@2")) == 5
    again.close()


@pytest.mark.server
def test_a_checkpoint_without_room_loses_nothing_and_stops_nothing(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = DuckDbHistory(small_disk / "h.duckdb", keep_free=0, checkpoint_bytes=500_000)
    # As if the disk had filled up between the look at it and the checkpoint.
    monkeypatch.setattr("gateway.history.file.HistoryFile._free", lambda _: 1 << 40)
    symbols = Symbols()
    history.append(symbols, messages(symbols, 0, 4_000), ())
    fill(small_disk, leave=450_000)
    history.append(symbols, messages(symbols, 4_000, 3_500), ())
    assert (small_disk / "h.duckdb.wal").stat().st_size > 500_000, "the checkpoint was to fail"
    assert times_of(history) == list(range(7_500))
    empty(small_disk)
    history.append(symbols, messages(symbols, 7_500, 10), ())
    assert times_of(history) == list(range(7_510))
    history.close()
    assert not (small_disk / "h.duckdb.wal").exists()
    again = DuckDbHistory.open_readonly(small_disk / "h.duckdb")
    assert times_of(again) == list(range(7_510))
    again.close()


@pytest.mark.server
def test_nothing_is_taken_below_the_room_that_is_kept_back(small_disk: Path) -> None:
    history = DuckDbHistory(small_disk / "h.duckdb", keep_free=4 * MIB)
    symbols = Symbols()
    history.append(symbols, messages(symbols, 0, 10), ())
    fill(small_disk, leave=3 * MIB)
    with pytest.raises(StoreUnavailableError, match=r"3\.0 MiB free on its disk, 4\.0 MiB are kept back"):
        history.append(symbols, messages(symbols, 10, 10), ())
    assert times_of(history) == list(range(10))
    empty(small_disk)
    history.append(symbols, messages(symbols, 10, 10), ())
    assert times_of(history) == list(range(20))
    history.close()


def test_no_commit_checkpoints_by_itself(tmp_path: Path) -> None:
    history = DuckDbHistory(tmp_path / "h.duckdb", keep_free=0, checkpoint_bytes=1 << 40)
    symbols = Symbols()
    for first in range(0, 400_000, 20_000):
        history.append(symbols, messages(symbols, first, 20_000), ())
    duckdbs_own_threshold = 16 * MIB
    assert (tmp_path / "h.duckdb.wal").stat().st_size > duckdbs_own_threshold
    history.close()


def test_after_a_fatal_error_the_file_is_opened_anew(tmp_path: Path) -> None:
    history = DuckDbHistory(tmp_path / "h.duckdb", keep_free=0)
    symbols = Symbols()
    history.append(symbols, messages(symbols, 0, 10), ())
    with pytest.raises(StoreUnavailableError), history._file.reading():
        raise duckdb.FatalException("FATAL Error: invalidated\nhint")
    # Rows of a commit that was reported as failed and had reached the log all the same.
    ghost = "INSERT INTO messages SELECT sequence + 10, * EXCLUDE (sequence) FROM messages"
    history._file._connection.execute(ghost)
    assert history.known(symbols, messages(symbols, 9, 2)) == [True, True, False, False]
    assert times_of(history) == list(range(10))
    assert history.append(symbols, messages(symbols, 10, 10), ()) == 20
    assert times_of(history) == list(range(20))
    history.close()


def test_reading_goes_on_while_another_thread_appends(tmp_path: Path) -> None:
    history = DuckDbHistory(tmp_path / "h.duckdb", keep_free=0, checkpoint_bytes=10_000)
    symbols = Symbols()
    done = threading.Event()
    seen: list[list[int]] = [[], []]
    faults: list[BaseException] = []

    def read(counts: list[int]) -> None:
        try:
            while not done.is_set():
                times = times_of(history)
                assert times == list(range(len(times)))
                counts.append(len(history.telemetry(DEVICE, signal="fan.rpm@0")))
        except BaseException as fault:
            faults.append(fault)

    readers = [threading.Thread(target=read, args=(counts,)) for counts in seen]
    for reader in readers:
        reader.start()
    for first in range(0, 6_000, 100):
        history.append(symbols, messages(symbols, first, 100), ())
    done.set()
    for reader in readers:
        reader.join(timeout=30)
    history.close()
    assert not faults
    assert all(counts and counts == sorted(counts) for counts in seen)


HOLD_OPEN = """
import sys
from dataclasses import replace
from pathlib import Path
from gateway.history.duckdb_store import DuckDbHistory
from gateway.ports import Notice

history = DuckDbHistory(Path(sys.argv[1]), keep_free=0)
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.server
def test_a_running_gateway_is_named(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    holder = child(HOLD_OPEN, path)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "open\n"
        for attempt in (DuckDbHistory, DuckDbHistory.open_readonly):
            with pytest.raises(StoreUnavailableError, match=f"in use by another process.* PID {holder.pid}"):
                attempt(path)
    finally:
        holder.kill()
        holder.communicate()
    DuckDbHistory.open_readonly(path).close()


def test_reading_only_admits_no_append(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    DuckDbHistory(path, keep_free=0).close()
    history = DuckDbHistory.open_readonly(path)
    symbols = Symbols()
    with pytest.raises(StoreUnavailableError, match="reading only"):
        history.append(symbols, messages(symbols, 0, 1), ())
    history.close()


def test_after_close_every_call_says_so(tmp_path: Path) -> None:
    history = DuckDbHistory(tmp_path / "h.duckdb", keep_free=0)
    history.close()
    symbols = Symbols()
    with pytest.raises(StoreUnavailableError, match="is closed"):
        history.append(symbols, messages(symbols, 0, 1), ())
    with pytest.raises(StoreUnavailableError, match="is closed"):
        history.telemetry(DEVICE)


def test_a_missing_history_is_the_users_to_find(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no history at .*nowhere\.duckdb"):
        DuckDbHistory.open_readonly(tmp_path / "nowhere.duckdb")


@pytest.mark.parametrize(
    "content", [b"SQLite format 3\0" + bytes(4_096), b"hello", b"\0" * 8 + b"DUCK" + b"\0" * 9_000]
)
def test_a_file_that_is_no_duckdb_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "h.duckdb"
    path.write_bytes(content)
    for attempt in (DuckDbHistory, DuckDbHistory.open_readonly):
        with pytest.raises(UserError, match=r"h\.duckdb: .*move it away"):
            attempt(path)
    assert path.read_bytes() == content


def test_an_empty_file_is_a_history_that_never_began(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    path.touch()
    history = DuckDbHistory(path, keep_free=0)
    symbols = Symbols()
    assert history.append(symbols, messages(symbols, 0, 2), ()) == 2
    history.close()


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE sales (n INTEGER)")
    with pytest.raises(UserError, match=r"expected a history of forewarn, found .*sales"):
        DuckDbHistory(path)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (1,)


def test_another_schema_version_says_which(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    DuckDbHistory(path, keep_free=0).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE forewarn_history SET version = 99")
    for attempt in (DuckDbHistory, DuckDbHistory.open_readonly):
        with pytest.raises(UserError, match="expected a history of schema version 3, found 99"):
            attempt(path)


#: The tables of the first version, with a message of two readings, one of a text and an unknown, one of none.
FIRST_VERSION = """
CREATE TABLE devices (number INTEGER, tenant VARCHAR, class VARCHAR, device VARCHAR);
CREATE TABLE channels (number INTEGER, signal VARCHAR, component VARCHAR);
CREATE TABLE readings (sequence BIGINT, item INTEGER, device INTEGER, channel INTEGER, ts BIGINT,
    arrival BIGINT, value DOUBLE, text VARCHAR, kind TINYINT);
CREATE TABLE notices (sequence BIGINT, device INTEGER, arrival BIGINT, kind VARCHAR, body VARCHAR);
CREATE TABLE forewarn_history (version INTEGER);
CREATE VIEW telemetry AS SELECT * FROM readings;
INSERT INTO forewarn_history VALUES (1);
INSERT INTO devices VALUES (0, 'acme', 'server', 'srv-1');
INSERT INTO channels VALUES (0, 'fan.rpm', '0'), (1, 'psu.ok', ''), (2, 'error.code', '');
INSERT INTO readings VALUES (1, 0, 0, 0, 7, 70, 4200, NULL, 0), (1, 1, 0, 1, 7, 70, 1, NULL, 1),
    (3, 0, 0, 2, 8, 80, NULL, 'E18', 2), (3, 1, 0, 0, 8, 80, NULL, NULL, 3),
    (4, 0, 0, NULL, 9, 90, NULL, NULL, NULL);
INSERT INTO notices VALUES (2, 0, 75, 'facts', '{"model": "M1"}');
"""


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(FIRST_VERSION)
    with pytest.raises(UserError, match="has schema version 1, expected 3: start the gateway once"):
        DuckDbHistory.open_readonly(path)
    history, symbols = DuckDbHistory(path, keep_free=0), Symbols()
    device = symbols.devices.intern(DeviceId("acme", "server", "srv-1"))
    later = replace(messages(symbols, 10, 1), retained=np.array([True]))
    history.append(symbols, later, [Notice("facts", 1, device, 9, {"model": "M2"}, retained=True)])
    told = history.telemetry(DeviceId("acme", "server", "srv-1"), end=10)
    assert [(r.ts, r.signal, r.component, r.value) for r in told] == [
        (7, "fan.rpm", "0", 4200.0),
        (7, "psu.ok", "", True),
        (8, "error.code", "", "E18"),
        (8, "fan.rpm", "0", None),
    ]
    history.close()
    history = DuckDbHistory.open_readonly(path)
    inbound, _ = history.since(Symbols(), 0, 100)
    history.close()
    assert inbound.readings.ts.tolist() == [7, 8, 9, 10]
    assert inbound.readings.message.tolist() == [0, 0, 1, 1, 3, 3]
    assert inbound.readings.kind.tolist() == [0, 1, 2, 3, 0, 0]
    assert inbound.readings.retained.tolist() == [False, False, False, True]
    assert [(n.body["model"], n.retained, n.position) for n in inbound.notices] == [
        ("M1", False, 1),
        ("M2", True, 4),
    ]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match=r"Not a directory|File exists"):
        DuckDbHistory(tmp_path / "file" / "h.duckdb")


def test_people_may_query_the_file_with_sql(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    history = DuckDbHistory(path, keep_free=0)
    symbols = Symbols()
    history.append(symbols, messages(symbols, 7, 1, readings_each=1), ())
    history.close()
    with duckdb.connect(str(path), read_only=True) as connection:
        query = "SELECT tenant, class, device, signal, component, ts, value, kind FROM telemetry"
        assert connection.execute(query).fetchall() == [(*DEVICE, "fan.rpm", "0", 7, 7.0, "number")]
