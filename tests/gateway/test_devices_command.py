"""``forewarn devices``: into the registry, out of it, what it lacks, and a person out of it."""

import json
import sqlite3
from pathlib import Path

import pytest
from orders_world import FAULTS, OPENED_AT, WASHER, case_of
from typer.testing import CliRunner, Result

from diagnostics.decision import Decision
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.filling import Filled
from diagnostics.orders.lifecycle import Actor
from diagnostics.orders.model import OrderState, ServiceOrder
from diagnostics.orders.prefill import prefill
from diagnostics.orders.registry import Owner
from gateway.cli.devices import devices_app
from gateway.errors import UserError
from gateway.ledger.erasing import Erased
from gateway.ledger.store import SqlLedger
from gateway.ports import DeviceRecord, LedgerWrite
from gateway.registry import load_registry
from gateway.registry_database import RegistryDatabase
from rules.symbols import DeviceId

OWNERS = (
    "owner,name,contact,language,time_zone\n"
    "anna,Anna Weber,anna@example.org,de,Europe/Berlin\n"
    "ben,Ben Vogt,ben@example.org,de,Europe/Berlin\n"
)
SITES = (
    "site,address,country,region,postal_code,time_zone\n"
    'h1,"Lindenweg 3, 34117 Kassel",DE,DE-HE,34117,Europe/Berlin\n'
    'h2,"Am Markt 1, 34117 Kassel",DE,,34117,Europe/Berlin\n'
)
DEVICES = (
    "tenant,class,device,model,serial,firmware,parent,owner,site,bought\n"
    "acme,appliance,wm-7,W900,W-55,1.4,,anna,h1,2024-06-01\n"
    "acme,phone,ph-1,Lumo 7,L-1,14,,anna,h2,2025-06-01\n"
    "acme,phone,ph-2,Lumo 7,L-2,14,,ben,h2,2025-06-01\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name, text in (("owners", OWNERS), ("sites", SITES), ("devices", DEVICES)):
        (tmp_path / "in" / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def forewarn(*arguments: str) -> Result:
    return CliRunner().invoke(devices_app, list(arguments))


def imported() -> Result:
    return forewarn("import", "in/devices.csv", "in/owners.csv", "in/sites.csv")


def registry(folder: Path):
    data = folder / "forewarn-data"
    return load_registry(data / "registry", data / "registry.db")


def test_what_is_imported_is_found_by_its_keys_and_comes_out_as_it_went_in(folder: Path) -> None:
    result = imported()
    assert result.exit_code == 0, result.output
    assert result.stdout == "taken: 2 owners, 2 sites, 3 devices; refused: 0\n"
    found = registry(folder)
    assert len(found.devices) == 3
    assert found.devices[WASHER].serial == "W-55"
    assert found.owners["anna"].contact == "anna@example.org"
    assert found.sites["h1"].postal_code == "34117"
    assert found.devices.get(DeviceId("acme", "phone", "none")) is None
    for table, text in (("owners", OWNERS), ("sites", SITES), ("devices", DEVICES)):
        assert sorted(forewarn("export", table).stdout.splitlines()) == sorted(text.splitlines())
    assert imported().stdout == result.stdout  # again changes nothing
    assert len(registry(folder).devices) == 3


def test_what_goes_out_as_json_comes_in_again(folder: Path) -> None:
    imported()
    for table in ("owners", "sites", "devices"):
        (folder / "in" / f"{table}.jsonl").write_text(forewarn("export", table, "--json").stdout)
    before = {table: forewarn("export", table).stdout for table in ("owners", "sites", "devices")}
    (folder / "forewarn-data" / "registry.db").unlink()
    again = forewarn("import", *(f"in/{table}.jsonl" for table in before))
    assert again.exit_code == 0, again.exception
    assert {table: forewarn("export", table).stdout for table in before} == before


def refused(folder: Path, name: str, text: str) -> list[str]:
    (folder / "in" / name).write_text(text, encoding="utf-8")
    result = forewarn("import", f"in/{name}")
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception).splitlines()


def test_each_refused_line_is_told_and_the_others_are_taken(folder: Path) -> None:
    imported()
    text = (
        "tenant,class,device,owner,bought\n"
        "acme,toaster,t-1,anna,\n"
        "acme,phone,ph-8,nobody,\n"
        "acme,phone\n"
        "acme,phone,ph-9,anna,yesterday\n"
        "acme,phone,ph-10,anna,2025-01-01\n"
        "acme,phone,ph-10,ben,2025-01-01\n"
        ",phone,ph-11,,\n"
    )
    assert refused(folder, "devices.csv", text) == [
        "in/devices.csv:2: class: expected one of phone, pc, server, appliance, got 'toaster'",
        "in/devices.csv:3: owner: expected one that stands in owners.csv, got 'nobody'",
        "in/devices.csv:4: row: expected 5 cells, got 2",
        "in/devices.csv:5: bought: expected a date such as 2026-01-31, got 'yesterday'",
        "in/devices.csv:7: device: expected each key once, it stands in in/devices.csv:6, got 'ph-10'",
        "in/devices.csv:8: tenant: expected a value, got ''",
    ]
    result = forewarn("import", "in/devices.csv", "--report", "refused.txt")
    assert result.stdout == "taken: 1 devices; refused: 6\n"
    assert len((folder / "refused.txt").read_text().splitlines()) == 6
    assert registry(folder).devices[DeviceId("acme", "phone", "ph-10")].owner == "anna"


def test_json_is_refused_with_its_line_too(folder: Path) -> None:
    imported()
    text = '[\n {"owner": "c",\n  "name": 7},\n {"owner": "d", "colour": "red"},\n 3,\n {"owner": {}}\n]\n'
    assert refused(folder, "owners.json", text) == [
        "in/owners.json:4: colour: expected one of owner, name, contact, language, time_zone, got 'colour'",
        "in/owners.json:5: row: expected a JSON object, got 3",
        "in/owners.json:6: owner: expected a text or a number, got an object",
    ]
    assert registry(folder).owners["c"].name == "7"
    assert "expected a JSON object, got" in refused(folder, "owners.json", '[{"owner": "e"}')[0]
    assert "in/owners.jsonl:2: row" in refused(folder, "owners.jsonl", '{"owner": "f"}\n{"owner": \n')[0]


def test_to_check_changes_nothing(folder: Path) -> None:
    result = forewarn("import", "in/owners.csv", "in/sites.csv", "in/devices.csv", "--check")
    assert result.stdout.startswith("would be taken: 2 owners")
    assert len(registry(folder).devices) == 0


def test_files_of_another_name_are_a_users_mistake(folder: Path) -> None:
    (folder / "in" / "people.csv").write_text("x")
    for name in ("in/people.csv", "in/owners.xls", "in/none/owners.csv"):
        assert isinstance(forewarn("import", name).exception, UserError)


def test_another_database_is_not_touched(folder: Path) -> None:
    path = folder / "forewarn-data" / "registry.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    assert "got another database" in str(imported().exception)
    path.write_bytes(b"no database at all, but long enough to be looked at" * 10)
    assert "expected a registry of forewarn" in str(imported().exception)


def test_files_of_the_registry_go_before_what_was_imported(folder: Path) -> None:
    imported()
    files = folder / "forewarn-data" / "registry"
    files.mkdir()
    (files / "devices.csv").write_text(
        "tenant,class,device,serial,owner\nacme,appliance,wm-7,NEW,anna\nacme,pc,pc-1,P,\n"
    )
    assert imported().exit_code == 0  # files whose owner was imported are in nobody's way
    found = registry(folder)
    assert found.devices[WASHER].serial == "NEW"
    assert len(found.devices) == len(list(found.devices)) == 4


def test_readiness_says_who_would_lack_what(folder: Path) -> None:
    imported()
    result = forewarn("readiness", "--json")
    assert result.exit_code == 0, result.exception
    found = {line["device"]: line for line in map(json.loads, result.stdout.splitlines())}
    assert found.keys() == {"acme/appliance/wm-7", "acme/phone/ph-1", "acme/phone/ph-2"}
    assert {"entitlement", "service.provider", "parts"} <= {
        one["field"] for one in found["acme/phone/ph-2"]["lacks"]
    }
    assert "customer.contact" not in {one["field"] for one in found["acme/phone/ph-2"]["lacks"]}
    forewarn("erase", "ben", "--yes")
    lacks = json.loads(forewarn("readiness", "--json").stdout.splitlines()[-1])["lacks"]
    assert {"field": "customer.contact", "why": "the registry does not have it for owner ben"} in lacks
    table = forewarn("readiness").stdout
    assert table.startswith("3 devices, 0 of them lack nothing")
    assert "customer.contact" in table


def test_what_devices_said_of_themselves_is_looked_at(folder: Path) -> None:
    (folder / "in" / "devices.csv").write_text("tenant,class,device\nacme,server,s-1\nacme,server,s-2\n")
    (folder / "in" / "parts.csv").write_text("part,title,kind,models\nD-1,Drive,drive,ST4*\n")
    forewarn("import", "in/devices.csv", "in/parts.csv")
    device = DeviceId("acme", "server", "s-1")
    drives = {"sda": {"model": "ST4000", "serial": "Z1"}, "sdb": {"model": "WD1"}}
    facts = {"model": "R740", "serial": "S1", "firmware": "1", "components": drives}
    ledger = SqlLedger(f"sqlite:///{folder / 'forewarn-data' / 'ledger.db'}")
    ledger.commit(LedgerWrite(devices=[DeviceRecord(device, facts, online=True, last_seen=OPENED_AT)]))
    ledger.close()
    lines = [json.loads(line) for line in forewarn("readiness", "--json").stdout.splitlines()]
    spoke, silent = ({one["field"]: one["why"] for one in line["lacks"]} for line in lines)
    assert "device.model" in silent
    assert not {"device.model", "device.serial", "device.firmware"} & spoke.keys()
    assert spoke["device.part.serial"] == "the device did not say the serial number of sdb"
    assert "device.part.serial" not in silent


def test_devices_that_are_alike_are_told_in_their_own_names(folder: Path) -> None:
    (folder / "in" / "owners.csv").write_text("owner,name\na,A\nb,B\n")
    (folder / "in" / "devices.csv").write_text(
        "tenant,class,device,owner\nacme,phone,p-1,a\nacme,phone,p-2,b\nacme,phone,p-3,b\n"
    )
    forewarn("import", "in/owners.csv", "in/devices.csv")
    lines = [json.loads(line) for line in forewarn("readiness", "--json").stdout.splitlines()]
    whys = [next(one["why"] for one in line["lacks"] if one["field"] == "customer.contact") for line in lines]
    assert whys == [f"the registry does not have it for owner {owner}" for owner in "abb"]


def order_of_anna(folder: Path):
    return prefill(
        case=case_of(WASHER, "washer.not_draining"),
        confirmed_by="",
        explanation="The water did not fall.",
        confidence=None,
        facts={},
        registry=registry(folder),
        faults=FAULTS,
        opened_at=OPENED_AT,
        reason="confirmed",
        console_url=None,
    )


def change_of(order, why: str) -> OrderChange:
    submitted = OrderState.SUBMITTED
    return OrderChange(
        change_id="OC-1",
        order_id=order.order_id,
        at=OPENED_AT,
        who="moreau",
        by="repairer",
        before=submitted,
        after=submitted,
        why=why,
    )


def decision_of(order, text: str) -> Decision:
    return Decision(
        decision_id="D-1",
        case_id=order.case_id,
        tenant=order.tenant,
        device_class=order.device.device_class,
        device=order.device.device,
        component="",
        fault=order.fault.code,
        rule="",
        at=OPENED_AT,
        outcome="note",
        reason="commented",
        text=text,
        values={},
    )


@pytest.mark.parametrize("written", ["+49 171 1234567", "0171/1234567", "(0171) 123-45-67"])
def test_a_telephone_number_is_found_however_it_is_written(written: str) -> None:
    erased = Erased("Li Wei", "+49 171 1234567", frozenset(), ())
    pattern = erased.pattern()
    assert pattern is not None
    assert pattern.sub("-", f"ring {written} at 2026-01-31, ask for Wei") == "ring - at 2026-01-31, ask for -"


def test_an_erased_person_stands_nowhere_and_the_history_does(folder: Path) -> None:
    imported()
    files = folder / "forewarn-data" / "registry"
    files.mkdir()
    (files / "owners.csv").write_text(OWNERS, encoding="utf-8")
    order = order_of_anna(folder)
    url = f"sqlite:///{folder / 'forewarn-data' / 'ledger.db'}"
    ledger = SqlLedger(url)
    said = "rang Mrs Weber (anna@example.org), she is at home; Lindenweg 3, 34117 Kassel, second door"
    ledger.commit(
        LedgerWrite(
            orders=[order],
            changes=[filled_in(order), change_of(order, said)],
            decisions=[decision_of(order, f"anna: {said}")],
        )
    )
    ledger.close()

    result = forewarn("erase", "anna", "--yes")
    assert result.exit_code == 0, result.exception
    assert "1 orders lost name" in result.stdout
    assert "kept: the addresses of h2, where others' devices stand" in result.stdout

    for path in (folder / "forewarn-data").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in (b"Anna Weber", b"Weber", b"anna@example.org", b"Lindenweg"):
                assert secret not in content, (path.name, secret)
    ledger = SqlLedger(url)
    (kept,) = ledger.orders().items
    *_, change = ledger.order_changes(order.order_id)
    (decision,) = ledger.decisions(case_id=order.case_id)
    ledger.close()
    assert change.why == "rang Mrs [erased] ([erased]), she is at home; [erased], second door"
    assert decision.text == f"[erased]: {change.why}"
    assert kept.device == order.device
    assert kept.diagnosis == order.diagnosis
    assert kept.parts == order.parts
    gone = {entry.field: entry.why for entry in kept.missing}
    assert gone["customer.contact"] == gone["site.address"] == "erased on the person's request"
    found = registry(folder)
    assert found.devices[WASHER].serial == "W-55"
    assert (found.owners["anna"].name, found.owners["anna"].language) == (None, "de")
    assert found.owners["ben"].contact == "ben@example.org"
    assert found.sites["h2"].address is not None


def filled_in(order: ServiceOrder) -> OrderChange:
    """A word of an engineer by which an order came to hold what a person said."""
    said = {"customer.contact": "anna@example.org", "site.address": order.site.address}
    return OrderChange(
        change_id="OC-0",
        order_id=order.order_id,
        at=1,
        who="bert",
        by=Actor.ENGINEER,
        before=OrderState.SUBMITTED,
        after=OrderState.SUBMITTED,
        why="she called",
        filled=[Filled(field=field, value=value) for field, value in said.items()],
    )


def test_nobody_is_erased_by_mistake(folder: Path) -> None:
    imported()
    assert "no owner 'eve'" in str(forewarn("erase", "eve", "--yes").exception)
    assert CliRunner().invoke(devices_app, ["erase", "anna"], input="n\n").exit_code != 0
    assert registry(folder).owners["anna"].name == "Anna Weber"


def put_and_fail(database: RegistryDatabase) -> None:
    with database.writing():
        database.put_owners([Owner("x")])
        raise RuntimeError


def test_an_import_that_breaks_off_has_taken_nothing(tmp_path: Path) -> None:
    database = RegistryDatabase(tmp_path / "r.db")
    with pytest.raises(RuntimeError):
        put_and_fail(database)
    assert len(database.owners) == 0
    database.close()
