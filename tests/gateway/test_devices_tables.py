"""All tables of the registry go in and come out; personal data goes where its tenant's region is."""

import csv
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from registry_files import GOOD
from typer.testing import CliRunner, Result

from diagnostics.orders.registry import Registry
from gateway.cli.devices import devices_app
from gateway.errors import StoreUnavailableError, UserError
from gateway.registry import load_registry
from gateway.registry_rows import TABLES
from rules.symbols import DeviceId

TABLE_NAMES = [name.removesuffix(".csv") for name in TABLES]
WASHER = DeviceId("acme", "appliance", "wm-7")
OF_ONE_DEVICE = "acme,contract,appliance,wm-7,,2024-01-01,,,Plan,PP-7,,,,,,,,\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in", GOOD | {"warranties.csv": GOOD["warranties.csv"] + OF_ONE_DEVICE})
    return tmp_path


def write(place: Path, tables: dict[str, str]) -> None:
    place.mkdir(exist_ok=True, parents=True)
    for name, text in tables.items():
        (place / name).write_text(text, encoding="utf-8")


def forewarn(*arguments: str) -> Result:
    return CliRunner().invoke(devices_app, list(arguments))


def imported(*tables: str, options: tuple[str, ...] = ()) -> Result:
    result = forewarn("import", *(f"in/{name}.csv" for name in tables or TABLE_NAMES), *options)
    assert result.exit_code == 0, result.exception
    return result


def registry(folder: Path) -> Registry:
    data = folder / "forewarn-data"
    return load_registry(data / "registry", data / "registry.db")


def test_all_tables_say_the_same_as_files_and_as_what_was_imported(folder: Path) -> None:
    assert imported().stdout.startswith(
        "taken: 1 tenants, 1 owners, 1 sites, 2 devices, 4 warranties, 1 parts"
    )
    found, files = registry(folder), load_registry(folder / "in")
    for name in ("parts", "stock", "repairers", "service_levels", "tenants"):
        assert getattr(found, name) == getattr(files, name), name
    assert len(found.coverages) == 2, "those of single devices are looked up"
    assert found.coverages_of(WASHER, "W900") == files.coverages_of(WASHER, "W900")
    for table in TABLE_NAMES:
        out = csv.DictReader(forewarn("export", table).stdout.splitlines())
        into = csv.DictReader((folder / "in" / f"{table}.csv").read_text().splitlines())
        assert sorted(map(str, map(sorted, map(dict.items, out)))) == sorted(
            map(str, map(sorted, map(dict.items, into)))
        ), table


def test_what_goes_out_as_json_comes_in_again_and_again(folder: Path) -> None:
    imported()
    before = {table: forewarn("export", table, "--json").stdout for table in TABLE_NAMES}
    (folder / "forewarn-data" / "registry.db").unlink()
    for table, text in before.items():
        (folder / "in" / f"{table}.jsonl").write_text(text)
    for _ in range(2):
        result = forewarn("import", *(f"in/{table}.jsonl" for table in TABLE_NAMES))
        assert result.exit_code == 0, result.exception
        assert {table: forewarn("export", table, "--json").stdout for table in TABLE_NAMES} == before


def test_a_row_is_replaced_in_its_place_and_a_table_only_when_asked_for(folder: Path) -> None:
    header, row = GOOD["repairers.csv"].splitlines()
    write(folder / "in", {"repairers.csv": "\n".join([header, row, row.replace("R1,Vogt", "R2,Seidel")])})
    imported()
    write(folder / "in", {"repairers.csv": "\n".join([header, row.replace("R1,Vogt", "R1,Keller")])})
    imported("repairers")
    assert [(one.id, one.name) for one in registry(folder).repairers] == [("R1", "Keller"), ("R2", "Seidel")]
    imported("repairers", options=("--replace",))
    assert [one.id for one in registry(folder).repairers] == ["R1"]
    assert len(registry(folder).devices) == 2
    assert forewarn("import", "in/repairers.csv", "--replace", "--check").exit_code == 0
    assert len(registry(folder).repairers) == 1


def test_each_refused_line_is_told_with_its_table(folder: Path) -> None:
    imported()
    write(
        folder / "in",
        {
            "stock.csv": "warehouse,country,part,quantity\nW,DE,P-1,1\nW,DE,P-9,1\nW,DE,P-1,2\n",
            "parts.csv": "part,title,kind,models,superseded_by\n"
            "P-2,A,fan,*,P-3\nP-3,B,fan,*,\nP-4,C,fan,*,P-5\n",
            "warranties.csv": "tenant,kind,class,device,months\nacme,warranty,server,nobody,24\n",
        },
    )
    result = forewarn("import", "in/stock.csv", "in/parts.csv", "in/warranties.csv")
    assert str(result.exception).splitlines() == [
        "in/warranties.csv:2: device: expected one that stands in devices.csv, got 'nobody'",
        "in/parts.csv:4: superseded_by: expected one that stands in parts.csv, got 'P-5'",
        "in/stock.csv:3: part: expected one that stands in parts.csv, got 'P-9'",
        "in/stock.csv:4: part: expected each key once, it stands in in/stock.csv:2, got 'P-1'",
    ]
    assert result.stdout == "taken: 0 warranties, 2 parts, 1 stock; refused: 4\n"
    assert registry(folder).parts.keys() == {"P-1", "P-2", "P-3"}


def test_files_go_before_what_was_imported(folder: Path) -> None:
    imported()
    header, row = GOOD["parts.csv"].splitlines()
    files = {"parts.csv": f"{header}\n{row.replace('32.50', '1.00')}\n"}
    write(folder / "forewarn-data" / "registry", files | {"warranties.csv": GOOD["warranties.csv"]})
    found = registry(folder)
    assert str(found.parts["P-1"].price) == "1.00"
    assert len(found.coverages) == 3
    assert len(found.coverages_of(WASHER, "W900")) == 3, "each once"


def test_files_may_refer_to_what_is_about_to_be_imported(folder: Path) -> None:
    write(folder / "forewarn-data" / "registry", {"devices.csv": GOOD["devices.csv"]})
    assert isinstance(forewarn("export", "devices").exception, UserError)
    imported("owners", "sites")
    assert registry(folder).devices[WASHER].owner == "anna"


# Regions of data


SECRETS = (b"Anna Weber", b"anna@example.org", b"Lindenweg")


def names_in(folder: Path) -> set[str]:
    """The files of the data folder in which something personal stands."""
    files = [path for path in folder.rglob("*.db*") if path.is_file()]
    return {
        path.name.removesuffix("-wal")
        for path in files
        if any(secret in path.read_bytes() for secret in SECRETS)
    }


def with_region(folder: Path) -> None:
    write(folder / "in", {"tenants.csv": "tenant,name,region\nacme,ACME,eu\nbell,Bell,us\n"})
    (folder / "f.toml").write_text(f'[regions]\neu = "{folder}/frankfurt"\n')


def in_region(*arguments: str) -> Result:
    result = forewarn(*arguments, "--config", "f.toml")
    assert result.exit_code == 0, result.exception
    return result


def test_personal_data_stands_in_the_file_of_its_tenants_region_and_nowhere_else(folder: Path) -> None:
    imported("owners", "sites", "devices")
    assert names_in(folder) == {"registry.db"}
    with_region(folder)
    in_region("import", "in/tenants.csv")
    assert names_in(folder) == {"registry-persons-eu.db"}
    assert (folder / "frankfurt" / "registry-persons-eu.db").exists()
    data = folder / "forewarn-data"
    found = load_registry(data / "registry", data / "registry.db", {"eu": folder / "frankfurt"})
    assert (found.owners["anna"].contact, found.owners["anna"].language) == ("anna@example.org", "de")
    assert found.sites["h1"].address == "Lindenweg 3, 34117 Kassel"
    in_region("import", "in/owners.csv", "in/sites.csv")  # again
    assert names_in(folder) == {"registry-persons-eu.db"}
    assert "Anna Weber" in in_region("export", "owners").stdout
    in_region("erase", "anna", "--yes")
    assert names_in(folder) == set()


def test_the_file_of_a_region_that_is_not_there_is_told_and_not_made_anew(folder: Path) -> None:
    with_region(folder)
    in_region("import", "in/tenants.csv", "in/owners.csv", "in/sites.csv", "in/devices.csv")
    result = forewarn("export", "owners")  # looks beside registry.db
    assert isinstance(result.exception, StoreUnavailableError)
    assert "registry-persons-eu.db: expected the personal data of a region" in str(result.exception)


def test_an_owner_of_two_regions_is_told(folder: Path) -> None:
    with_region(folder)
    write(folder / "in", {"devices.csv": GOOD["devices.csv"] + "bell,phone,ph-1,,,,,anna,,\n"})
    tables = ("tenants", "owners", "sites", "devices")
    result = forewarn("import", *(f"in/{table}.csv" for table in tables), "--config", "f.toml")
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == (
        "owners.csv: owner 'anna': expected devices of tenants of one region of data, got eu, us; "
        "its data is kept in eu"
    )


def test_a_registry_of_the_version_before_is_taken_over(folder: Path) -> None:
    path = folder / "forewarn-data" / "registry.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(
            "CREATE TABLE owners (owner TEXT PRIMARY KEY, language TEXT, time_zone TEXT) WITHOUT ROWID;"
            "CREATE TABLE persons (owner TEXT PRIMARY KEY, name TEXT, contact TEXT) WITHOUT ROWID;"
            "CREATE TABLE sites (site TEXT PRIMARY KEY, country TEXT, time_zone TEXT, postal_code TEXT)"
            " WITHOUT ROWID;"
            "CREATE TABLE addresses (site TEXT PRIMARY KEY, address TEXT) WITHOUT ROWID;"
            "INSERT INTO owners VALUES ('o', 'de', NULL); INSERT INTO persons VALUES ('o', 'Old', 'c');"
            "INSERT INTO sites VALUES ('s', 'DE', NULL, '1'); INSERT INTO addresses VALUES ('s', 'There');"
            f"PRAGMA application_id = {0x46575247}; PRAGMA user_version = 1;"
        )
    old.close()
    found = registry(folder)
    assert (found.owners["o"].name, found.sites["s"].address) == ("Old", "There")
    imported()
    assert replace(registry(folder).sites["h1"], address=None).region == "DE-HE"
    assert json.loads(forewarn("export", "tenants", "--json").stdout)["name"] == "ACME Hausgeräte"
