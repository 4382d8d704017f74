"""The hand-over of a device's own data: what is in the archive, that it is whole, and whose it is."""

import csv
import io
import json
import stat
import zipfile

import pytest
from orders_world import SERVER, drive_case
from paper_orders import drive_order, events, readings

from gateway.errors import UserError
from gateway.ledger.store import SqlLedger
from gateway.papers.handover import check_archive, collected, write_archive
from gateway.papers.signing import SigningKey, is_signed
from gateway.ports import DeviceRecord, LedgerWrite, StoredReading
from rules.signals import load_catalogue

WHOLE = "disk.pending_sectors@sda"


@pytest.fixture
def archive(tmp_path):
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    record = DeviceRecord(SERVER, {"model": "R740", "serial": "SRV0001"}, True, 1)
    order = drive_order(customer={"owner": "Erika Mustermann"}, site={"address": "Heidestraße 17, Köln"})
    ledger.commit(LedgerWrite(cases=[drive_case()], events=events(), orders=[order], devices=[record]))
    stored = [
        *readings(SERVER, signal=WHOLE, start=0, end=2**60),
        StoredReading(2**45, "error.code", "", 'E21,"x"\n', 0),
        StoredReading(2**45 + 1, "vendor.thing", "", None, 0),
    ]
    found = collected(SERVER, ledger, stored)
    ledger.close()
    path = tmp_path / "srv-1.zip"
    key = SigningKey.of(tmp_path)
    write_archive(found, load_catalogue(), key, path, made_at=1_767_226_200_000)
    return path


def read(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode("utf-8")


def rewritten(path, changes, *, added=()):
    """Write the archive anew with other contents under some names; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= changes
    target = path.with_name("other.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in [*contents.items(), *added]:
            if data is not None:
                archive.writestr(name, data)
    return target


def test_all_readings_are_there_as_devices_spell_them(archive):
    rows = list(csv.reader(io.StringIO(read(archive, "telemetry.csv"))))
    assert rows[0] == ["ts", "signal", "component", "value"]
    assert len(rows) == 1 + 60 + 2
    assert rows[-3][1:] == ["disk.pending_sectors", "sda", "29"]
    assert rows[-2][1:] == ["error.code", "", 'E21,"x"\n']
    assert rows[-1][3] == ""


def test_signals_come_with_their_meaning_and_unit(archive):
    signals = json.loads(read(archive, "signals.json"))
    assert signals["disk.pending_sectors"]["title"]
    assert signals["vendor.thing"] == {"title": "the device's own", "unit": ""}


def test_facts_cases_and_orders_are_there(archive):
    assert json.loads(read(archive, "facts.json"))["serial"] == "SRV0001"
    (case,) = map(json.loads, read(archive, "cases.jsonl").splitlines())
    assert [event["event"] for event in case["events"]] == ["suspected", "confirmed"]
    (order,) = map(json.loads, read(archive, "orders.jsonl").splitlines())
    assert order["fault"]["code"] == "disk.media_wear"
    assert order["parts"][0]["part"] == "ACME-HDD-4T"


def test_no_people_are_in_it(archive):
    with zipfile.ZipFile(archive) as opened:
        everything = "".join(opened.read(name).decode("utf-8", "replace") for name in opened.namelist())
    for personal in ("Mustermann", "Heidestraße", "Biel/Bienne", "uhrwerk", "SV-4711"):
        assert personal not in everything


def test_a_whole_archive_is_found_whole_by_its_key_and_by_the_sender_s(archive, tmp_path):
    key = SigningKey.of(tmp_path)
    manifest = check_archive(archive, key.public_pem)
    assert manifest == check_archive(archive)
    assert manifest["device"] == "acme/server/srv-1"
    assert manifest["readings"] == 62
    assert manifest["made_at"] == "2026-01-01T00:10:00Z"


@pytest.mark.parametrize(
    "name", ["telemetry.csv", "signals.json", "facts.json", "cases.jsonl", "orders.jsonl"]
)
def test_one_changed_byte_is_found_with_its_file(archive, name):
    data = bytearray(read(archive, name).encode())
    data[len(data) // 2] ^= 1
    with pytest.raises(UserError, match=rf"{name}: was changed"):
        check_archive(rewritten(archive, {name: bytes(data)}))


@pytest.mark.parametrize(
    ("changes", "added", "said"),
    [
        ({"orders.jsonl": None}, (), r"differ: orders\.jsonl"),
        ({}, [("more.txt", b"x")], r"differ: more\.txt"),
        ({"manifest.sig": bytes(64)}, (), "not that of the key"),
        ({"manifest.sig": b""}, (), "not that of the key"),
        ({"public_key.pem": b"none"}, (), "not that of the key"),
        ({"manifest.json": None}, (), "expected one manifest.json, got 0"),
    ],
)
def test_what_else_can_be_wrong_is_said(archive, changes, added, said):
    with pytest.raises(UserError, match=said):
        check_archive(rewritten(archive, changes, added=added))


def test_a_forger_s_own_key_passes_only_where_the_sender_s_is_not_asked_for(archive, tmp_path):
    (tmp_path / "forger").mkdir()
    forger = SigningKey.of(tmp_path / "forger")
    text = read(archive, "manifest.json").replace("srv-1", "srv-2").encode()
    forged = rewritten(
        archive,
        {"manifest.json": text, "manifest.sig": forger.sign(text), "public_key.pem": forger.public_pem},
    )
    assert check_archive(forged)["device"] == "acme/server/srv-2"
    with pytest.raises(UserError, match="not that of the key"):
        check_archive(forged, SigningKey.of(tmp_path).public_pem)


def test_what_is_no_archive_is_said(tmp_path):
    path = tmp_path / "x.zip"
    with pytest.raises(UserError, match="No such file"):
        check_archive(path)
    path.write_bytes(b"PK not at all")
    with pytest.raises(UserError, match="expected a zip archive"):
        check_archive(path)


def test_a_file_that_is_there_is_not_written_over(archive, tmp_path):
    before = archive.read_bytes()
    found = collected(SERVER, SqlLedger(f"sqlite:///{tmp_path}/other.db"), [])
    with pytest.raises(UserError, match="is there already"):
        write_archive(found, load_catalogue(), SigningKey.of(tmp_path), archive, made_at=0)
    assert archive.read_bytes() == before


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path):
    first = SigningKey.of(tmp_path)
    assert stat.S_IMODE((tmp_path / "handover.key").stat().st_mode) == 0o600
    assert SigningKey.of(tmp_path).public_pem == first.public_pem
    assert is_signed(first.public_pem, SigningKey.of(tmp_path).sign(b"x"), b"x")
    assert not is_signed(first.public_pem, first.sign(b"x"), b"y")
    assert [path.name for path in tmp_path.iterdir()] == ["handover.key"]


def test_a_key_that_is_none_is_said_with_its_file(tmp_path):
    (tmp_path / "handover.key").write_text("nothing")
    with pytest.raises(UserError, match=r"handover\.key: expected an Ed25519"):
        SigningKey.of(tmp_path)
