"""What the ledger does when the machine does not play along: locks, full disks, kills, foreign files."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.errors import StoreUnavailableError, UserError
from gateway.ledger import opening
from gateway.ledger.opening import VERSION_TABLE
from gateway.ledger.store import SqlLedger
from gateway.ledger.tables import metadata
from gateway.ports import DeviceRecord, LedgerWrite, Rejected
from rules.symbols import DeviceId

DEVICE = DeviceId("acme", "pc", "a")


def heard(at: int, facts: dict[str, object] | None = None) -> LedgerWrite:
    return LedgerWrite(devices=[DeviceRecord(DEVICE, facts or {}, True, at)])


def bad(number: int) -> Rejected:
    return Rejected("fw/x", "json", "expected JSON", b"%d" % number, number)


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    places = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line.strip()


def test_the_tables_are_those_that_the_migrations_make(tmp_path: Path) -> None:
    ledger = SqlLedger(url_of(tmp_path / "ledger.db"))
    with ledger._engine.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
        made = {index["name"]: index for index in sa.inspect(connection).get_indexes("orders")}
        assert made["orders_one_open_for_a_fault"]["unique"]
        assert made["orders_one_open_for_a_fault"]["dialect_options"]
    ledger.close()


def test_settings_that_durability_rests_on(tmp_path: Path) -> None:
    ledger = SqlLedger(url_of(tmp_path / "ledger.db"))
    settings = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5_000}
    with ledger._engine.begin() as connection:
        for name, value in settings.items():
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value
    ledger.close()


def test_a_write_takes_its_lock_at_the_beginning(tmp_path: Path) -> None:
    """Else two that both read first, as migrations do, could not both go on."""
    path = tmp_path / "ledger.db"
    ledger = SqlLedger(url_of(path))
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    with ledger._writer.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()
    ledger.close()


READ = """
import sys
from gateway.ledger.store import SqlLedger

ledger = SqlLedger.open_readonly(sys.argv[1])
print("open", flush=True)
for _ in sys.stdin:
    print(ledger.devices().items[0].last_seen, flush=True)
"""


@pytest.mark.server
def test_another_process_reads_while_the_gateway_writes(tmp_path: Path) -> None:
    url = url_of(tmp_path / "ledger.db")
    ledger = SqlLedger(url)
    ledger.commit(heard(0))
    reader = child(READ, url)
    try:
        assert line_of(reader) == "open"
        assert reader.stdin is not None
        for at in range(1, 30):
            ledger.commit(heard(at))
            reader.stdin.write("\n")
            reader.stdin.flush()
            assert line_of(reader) == str(at)
    finally:
        reader.kill()
        reader.communicate()
        ledger.close()


COMMIT_FOREVER = """
import sys
from gateway.ledger.store import SqlLedger
from gateway.ports import LedgerWrite
from test_ledger_faults import bad, heard

ledger = SqlLedger(sys.argv[1])
at = int(sys.argv[2])
while True:
    at += 1
    ledger.commit(LedgerWrite(devices=heard(at).devices, rejected=[bad(at)]))
    print(at, flush=True)
"""


@pytest.mark.server
def test_sigkill_loses_nothing_that_commit_returned_for(tmp_path: Path) -> None:
    url = url_of(tmp_path / "ledger.db")
    stored = 0
    for commits in (1, 50, 200):
        writer = child(COMMIT_FOREVER, url, stored)
        confirmed = max(int(line_of(writer)) for _ in range(commits))
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        confirmed = max([confirmed, *(int(line) for line in rest.split("\n")[:-1])])
        ledger = SqlLedger.open_readonly(url)
        record = ledger.device(DEVICE)
        assert record is not None
        stored = record.last_seen
        assert stored >= confirmed
        arrivals = [row.message.arrival for row in ledger.quarantine(limit=10_000).items]
        assert arrivals == list(range(stored, 0, -1)), "device and quarantine go together or not at all"
        ledger.close()


def test_a_lock_that_does_not_end_is_said_and_the_same_call_works_after_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqlLedger(url_of(path))
    ledger.commit(heard(1))
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="database is locked"):
        ledger.commit(heard(2))
    record = ledger.device(DEVICE)
    assert record is not None
    assert record.last_seen == 1
    other.execute("ROLLBACK")
    other.close()
    ledger.commit(heard(2))
    record = ledger.device(DEVICE)
    assert record is not None
    assert record.last_seen == 2
    ledger.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip() or 'not root'}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.server
def test_a_full_disk_is_said_and_the_same_call_works_when_there_is_room(small_disk: Path) -> None:
    url = url_of(small_disk / "ledger.db")
    ledger = SqlLedger(url)
    ledger.commit(heard(1))
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (room.f_bavail * room.f_frsize - 50_000))
    large = LedgerWrite(rejected=[bad(1)], devices=heard(2, {"note": "x" * 200_000}).devices)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match=r"disk is full|disk I/O error"):
            ledger.commit(large)
    assert ledger.device(DEVICE) == DeviceRecord(DEVICE, {}, True, 1)
    assert ledger.quarantine().items == []
    (small_disk / "filler").unlink()
    ledger.commit(large)
    ledger.close()
    reader = SqlLedger.open_readonly(url)
    assert reader.device(DEVICE) == large.devices[0]
    assert [row.message for row in reader.quarantine().items] == large.rejected
    reader.close()


def test_reading_only_writes_nothing(tmp_path: Path) -> None:
    url = url_of(tmp_path / "ledger.db")
    SqlLedger(url).close()
    ledger = SqlLedger.open_readonly(url)
    with pytest.raises(StoreUnavailableError, match="reading only"):
        ledger.commit(heard(1))
    with pytest.raises(sa.exc.OperationalError), ledger._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM cases")
    ledger.close()


def test_after_close_every_call_says_so(tmp_path: Path) -> None:
    ledger = SqlLedger(url_of(tmp_path / "ledger.db"))
    ledger.close()
    ledger.close()
    with pytest.raises(StoreUnavailableError, match="is closed"):
        ledger.commit(heard(1))
    with pytest.raises(StoreUnavailableError, match="is closed"):
        ledger.devices()


def test_a_missing_ledger_is_the_users_to_find(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no ledger at .*nowhere\.db"):
        SqlLedger.open_readonly(url_of(tmp_path / "nowhere.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_signs_that_urls_mind(tmp_path: Path) -> None:
    url = url_of(tmp_path / "a b%20#" / "ledger.db")
    ledger = SqlLedger(url)
    ledger.commit(heard(1))
    reader = SqlLedger.open_readonly(url)
    assert reader.device(DEVICE) is not None
    reader.close()
    ledger.close()


@pytest.mark.parametrize("content", [b"hello, I am a letter" * 100, b"DUCK" * 1_000])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    for attempt in (SqlLedger, SqlLedger.open_readonly):
        with pytest.raises(UserError, match="expected an SQLite database, this file is something else"):
            attempt(url_of(path))
    assert path.read_bytes() == content


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sales.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE sales (n INTEGER)")
    other.close()
    for attempt in (SqlLedger, SqlLedger.open_readonly):
        with pytest.raises(
            UserError, match="expected a ledger of forewarn, found a database with tables sales"
        ):
            attempt(url_of(path))
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("sales",)]
    other.close()


def test_a_ledger_from_the_future(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    SqlLedger(url_of(path)).close()
    other = sqlite3.connect(path)
    with other:
        other.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    other.close()
    for attempt in (SqlLedger, SqlLedger.open_readonly):
        with pytest.raises(UserError, match=r"newer forewarn: its schema version is 9999.*update forewarn"):
            attempt(url_of(path))


def test_an_empty_file_becomes_a_ledger_but_not_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    with pytest.raises(UserError, match=r"has schema version none, expected .*: start the gateway once"):
        SqlLedger.open_readonly(url_of(path))
    ledger = SqlLedger(url_of(path))
    ledger.commit(heard(1))
    ledger.close()


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "oracle9://x/y", ""])
def test_a_url_that_names_no_ledger(url: str) -> None:
    with pytest.raises(UserError, match=r"ledger\.url: expected sqlite:///PATH, got"):
        SqlLedger(url)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match=r"Not a directory|File exists"):
        SqlLedger(url_of(tmp_path / "file" / "ledger.db"))


def test_cases_of_an_older_version_are_found_by_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    case = {
        "case_id": "C-1",
        "tenant": "acme",
        "device_class": "pc",
        "device": "Pc-1",
        "component": "",
        "fault": "disk.media_wear",
        "title": "Worn",
        "rule": "wear",
        "severity": "critical",
        "state": "confirmed",
        "onset": 1,
        "updated": 2,
        "reason": "confirmed",
        "order_id": "SO-1",
        "acknowledged_by": "anna",
    }
    columns = (
        "case_id",
        "tenant",
        "device_class",
        "device",
        "state",
        "severity",
        "onset",
        "updated",
        "order_id",
    )
    names = ", ".join((*columns, "document"))
    values = ", ".join(f":{name}" for name in (*columns, "document"))
    with engine.begin() as connection:
        command.upgrade(opening._migrations(connection), "0004")
        for number in range(1_001):
            document = case if number == 0 else case | {"case_id": f"C-1-{number}", "severity": "minor"}
            row = {name: document[name] for name in columns} | {"document": json.dumps(document)}
            connection.execute(sa.text(f"INSERT INTO cases ({names}) VALUES ({values})"), row)
        facts = {"t": "acme", "c": "pc", "d": "Pc-1", "f": json.dumps({"model": "M-1"})}
        connection.execute(sa.text("INSERT INTO devices VALUES (:t, :c, :d, :f, NULL, 1)"), facts)
    engine.dispose()
    ledger = SqlLedger(f"sqlite:///{path}")
    first, *_ = ledger.cases(
        order="urgency", state="open", model="M-1", acknowledged=True, find="PC-1 worn"
    ).items
    assert (first.case_id, first.model) == ("C-1", "M-1")
    assert ledger.count_cases(state="open").severity == {"minor": 1_000, "critical": 1}
    ledger.close()


def test_a_quarantine_of_the_first_version_says_what_was_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(opening._migrations(connection), "0001")
        rows = [("malformed_json", 10), ("malformed_json", 4_096), ("payload_too_large", 100)]
        for number, (reason, size) in enumerate(rows):
            statement = (
                "INSERT INTO quarantine (key, topic, reason, detail, payload, arrival)"
                " VALUES (:key, 't', :reason, '', :payload, 1)"
            )
            row = {"key": str(number), "reason": reason, "payload": b"x" * size}
            connection.execute(sa.text(statement), row)
    engine.dispose()
    with pytest.raises(UserError, match="start the gateway once"):
        SqlLedger.open_present(f"sqlite:///{path}")
    ledger = SqlLedger(f"sqlite:///{path}")
    assert [row.message.truncated for row in ledger.quarantine().items] == [True, True, False]
    assert ledger.request_retries().marked == 1
    ledger.close()
