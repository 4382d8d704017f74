from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from registry_files import GOOD

from diagnostics.orders.calendars import parse_hours
from diagnostics.orders.registry import (
    Coverage,
    DeviceEntry,
    Owner,
    Part,
    Registry,
    Repairer,
    ServiceLevel,
    SiteEntry,
    Stock,
    Tenant,
)
from gateway.errors import UserError
from gateway.registry import TABLES, load_registry
from rules.symbols import DeviceId
from rules.times import DAY_MS, HOUR_MS

OFFICE = parse_hours("Mon-Fri 08:00-17:00")
WASHER = DeviceId("acme", "appliance", "wm-7")


def folder_of(tmp_path: Path, **changes: str) -> Path:
    """Write the good files, or others in their place: owners="..." is owners.csv."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name, text in (GOOD | {f"{table}.csv": text for table, text in changes.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def problems_of(tmp_path: Path, **changes: str) -> list[str]:
    folder = folder_of(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        load_registry(folder)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{folder}/") for line in lines)
    return [line.replace(f"{folder}/", "") for line in lines]


def test_every_cell_arrives(tmp_path: Path) -> None:
    registry = load_registry(folder_of(tmp_path))
    server = DeviceId("acme", "server", "srv-1")
    assert registry == Registry(
        devices={
            WASHER: DeviceEntry(WASHER, "W900", "W-55", "1.4", None, "anna", "h1", date(2024, 6, 1)),
            server: DeviceEntry(server),
        },
        owners={"anna": Owner("anna", "Anna Weber", "anna@example.org", "de", "Europe/Berlin")},
        sites={"h1": SiteEntry("h1", "Lindenweg 3, 34117 Kassel", "DE", "Europe/Berlin", "34117", "DE-HE")},
        coverages=[
            Coverage(
                "warranty",
                "acme",
                model="W9*",
                months=24,
                text="Parts and labour",
                excludes=("battery.worn", "washer.unbalance"),
                faults=("washer.*",),
                part_kinds=("drain_pump",),
                covers=("parts", "labour"),
                countries=("DE", "AT"),
                channels=("on_site",),
                term="base",
            ),
            Coverage(
                "contract",
                "acme",
                device=server,
                starts=date(2024, 5, 1),
                ends=date(2027, 4, 30),
                text="On site",
                contract="SV-1",
            ),
            Coverage(
                "extension",
                "acme",
                model="W9*",
                months=12,
                text="One year more",
                contract="EXT-1",
                extends="base",
            ),
        ],
        parts={
            "P-1": Part(
                "P-1",
                "Drain pump",
                "drain_pump",
                ("W900", "W91?"),
                "acme",
                Decimal("32.50"),
                "EUR",
                "8413.70",
                "IT",
                return_required=False,
                weight_kg=Decimal("0.62"),
            )
        },
        stock=[Stock("WH-Kassel", "DE", "P-1", 3)],
        repairers=[
            Repairer(
                "R1",
                "Vogt",
                ("DE", "AT"),
                ("on_site",),
                ("appliance", "refrigeration"),
                ("acme",),
                "DE",
                "Gartenstraße 9",
                "EUR",
                Decimal(66),
                Decimal("45.5"),
                None,
                ("DE:34*", "AT:*"),
                ("appliance",),
                OFFICE,
                "Europe/Berlin",
                "DE-HE",
                12,
                4,
            )
        ],
        service_levels=[ServiceLevel(4 * HOUR_MS, 2 * DAY_MS, "acme", "DE", "major", OFFICE, holidays=False)],
        tenants={"acme": Tenant("acme", "ACME Hausgeräte")},
    )


def test_a_folder_that_is_not_there_is_an_empty_registry(tmp_path: Path) -> None:
    assert load_registry(tmp_path / "nowhere") == Registry(
        coverages=[], stock=[], repairers=[], service_levels=[]
    )


@pytest.mark.parametrize("kept", sorted(TABLES))
def test_each_file_is_optional(tmp_path: Path, kept: str) -> None:
    folder = folder_of(tmp_path)
    (folder / kept).unlink()
    referred = {"owners.csv", "sites.csv", "devices.csv", "parts.csv"}
    if kept in referred:
        with pytest.raises(UserError, match=f"expected one that stands in {kept}"):
            load_registry(folder)
    else:
        load_registry(folder)


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda text: text.encode("utf-8-sig"), id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="Windows line ends"),
        pytest.param(lambda text: text.rstrip("\n").encode(), id="no last line end"),
        pytest.param(lambda text: (text + "\n,,,,\n\n").encode(), id="empty lines"),
        pytest.param(lambda text: text.replace(",", " , ").encode(), id="spaces around cells"),
    ],
)
def test_files_as_spreadsheets_write_them(tmp_path: Path, rewrite) -> None:
    folder = folder_of(tmp_path)
    path = folder / "owners.csv"
    path.write_bytes(rewrite(GOOD["owners.csv"]))
    assert load_registry(folder).owners["anna"].contact == "anna@example.org"


def test_columns_may_stand_in_any_order_and_optional_ones_be_left_out(tmp_path: Path) -> None:
    registry = load_registry(folder_of(tmp_path, owners="contact,owner\nanna@example.org,anna\n"))
    assert registry.owners["anna"] == Owner("anna", contact="anna@example.org")


def test_a_separator_that_unicode_calls_a_line_end_stays_in_its_cell(tmp_path: Path) -> None:
    registry = load_registry(folder_of(tmp_path, owners="owner,name\nanna,Anna\u2028Weber\n"))
    assert registry.owners["anna"].name == "Anna\u2028Weber"


ONE_PROBLEM = {
    "unknown column": (
        {"owners": "owner,nmae\nanna,A\n"},
        "owners.csv:1: nmae: expected one of owner, name, contact, language, time_zone, got 'nmae'",
    ),
    "missing column": (
        {"stock": "warehouse,part,quantity\nW,P-1,1\n"},
        "stock.csv:1: country: expected this column, got warehouse, part, quantity",
    ),
    "column twice": (
        {"owners": "owner,name,name\nanna,A,B\n"},
        "owners.csv:1: name: expected each column once, got 2",
    ),
    "empty file": (
        {"stock": ""},
        "stock.csv:1: header: expected warehouse, country, part, quantity, got an empty line or file",
    ),
    "semicolons": (
        {"owners": "owner;name\nanna;A\n"},
        "owners.csv:1: header: expected columns separated by commas, got semicolons",
    ),
    "bad date": (
        {"devices": "tenant,class,device,bought\nacme,server,s,01.06.2024\nacme,server,srv-1,\n"},
        "devices.csv:2: bought: expected a date such as 2026-01-31, got '01.06.2024'",
    ),
    "no such day": (
        {"devices": "tenant,class,device,bought\nacme,server,srv-1,2023-02-29\n"},
        "devices.csv:2: bought: expected a date such as 2026-01-31, got '2023-02-29'",
    ),
    "unknown owner": (
        {"devices": "tenant,class,device,owner\nacme,server,srv-1,bob\n"},
        "devices.csv:2: owner: expected one that stands in owners.csv, got 'bob'",
    ),
    "unknown site": (
        {"devices": "tenant,class,device,site\nacme,server,srv-1,h9\n"},
        "devices.csv:2: site: expected one that stands in sites.csv, got 'h9'",
    ),
    "unknown class": (
        {"devices": "tenant,class,device\nacme,server,srv-1\nacme,toaster,t\n"},
        "devices.csv:3: class: expected one of phone, pc, server, appliance, got 'toaster'",
    ),
    "slash in a name": (
        {"devices": "tenant,class,device\nacme,server,srv-1\nacme,server,a/b\n"},
        "devices.csv:3: device: expected 1 to 64 of letters, digits and _.:-, got 'a/b'",
    ),
    "device twice": (
        {"devices": "tenant,class,device\nacme,server,srv-1\nacme,server,srv-1\n"},
        "devices.csv:3: device: expected each key once, it stands in devices.csv:2, got 'srv-1'",
    ),
    "owner twice": (
        {"owners": "owner\nanna\nanna\n"},
        "owners.csv:3: owner: expected each key once, it stands in owners.csv:2, got 'anna'",
    ),
    "part twice": (
        {"parts": "part,title,kind,models\nP-1,A,fan,*\nP-1,B,fan,*\n"},
        "parts.csv:3: part: expected each key once, it stands in parts.csv:2, got 'P-1'",
    ),
    "stock twice": (
        {"stock": "warehouse,country,part,quantity\nW,DE,P-1,1\nW,DE,P-1,2\n"},
        "stock.csv:3: part: expected each key once, it stands in stock.csv:2, got 'P-1'",
    ),
    "warehouse in two countries": (
        {
            "parts": "part,title,kind,models\nP-1,A,fan,*\nP-2,B,fan,*\n",
            "stock": "warehouse,country,part,quantity\nW,DE,P-1,1\nW,FR,P-2,2\n",
        },
        "stock.csv:3: country: expected DE as in the warehouse's other rows, got 'FR'",
    ),
    "stock of no part": (
        {"stock": "warehouse,country,part,quantity\nW,DE,P-9,1\n"},
        "stock.csv:2: part: expected one that stands in parts.csv, got 'P-9'",
    ),
    "negative quantity": (
        {"stock": "warehouse,country,part,quantity\nW,DE,P-1,-1\n"},
        "stock.csv:2: quantity: expected a whole number, got '-1'",
    ),
    "required cell empty": (
        {"stock": "warehouse,country,part,quantity\nW,DE,P-1,\n"},
        "stock.csv:2: quantity: expected a value, got ''",
    ),
    "the United Kingdom": (
        {"sites": "site,country\nh1,UK\n"},
        "sites.csv:2: country: expected a country by ISO 3166 such as DE or GB, got 'UK'",
    ),
    "time zone": (
        {"sites": "site,time_zone\nh1,Berlin\n"},
        "sites.csv:2: time_zone: expected a time zone such as Europe/Berlin, got 'Berlin'",
    ),
    "language": (
        {"owners": "owner,language\nanna,German language\n"},
        "owners.csv:2: language: expected a language by BCP 47 such as de or pt-BR, got 'German language'",
    ),
    "decimal comma": (
        {"parts": 'part,title,kind,models,price,currency\nP-1,A,fan,*,"12,50",EUR\n'},
        "parts.csv:2: price: expected an amount such as 12.50, got '12,50'",
    ),
    "price without currency": (
        {"parts": "part,title,kind,models,price\nP-1,A,fan,*,12.50\n"},
        "parts.csv:2: currency: expected a currency beside the price, got ''",
    ),
    "kind": (
        {"parts": "part,title,kind,models\nP-1,A,Drain pump,*\n"},
        "parts.csv:2: kind: expected a kind such as drain_pump, got 'Drain pump'",
    ),
    "tariff number": (
        {"parts": "part,title,kind,models,tariff_number\nP-1,A,fan,*,84\n"},
        "parts.csv:2: tariff_number: expected a tariff number of 6 to 12 digits such as 8413.70, got '84'",
    ),
    "neither yes nor no": (
        {"parts": "part,title,kind,models,return_required\nP-1,A,fan,*,maybe\n"},
        "parts.csv:2: return_required: expected one of yes, no, got 'maybe'",
    ),
    "rate without currency": (
        {"repairers": "repairer,name,countries,channels,skills,labour_rate\nR,N,DE,on_site,pc,60\n"},
        "repairers.csv:2: currency: expected a currency beside rates and fees, got ''",
    ),
    "channel": (
        {"repairers": "repairer,name,countries,channels,skills\nR,N,DE,on_site;by_post,pc\n"},
        "repairers.csv:2: channels: expected any of on_site, carry_in, mail_in, parts_only, remote, "
        "several separated by ;, got 'on_site;by_post'",
    ),
    "warranty of nothing": (
        {"warranties": "tenant,kind,months\nacme,warranty,24\n"},
        "warranties.csv:2: device: expected a device or a model, got ''",
    ),
    "warranty of both": (
        {"warranties": "tenant,kind,class,device,model,months\nacme,warranty,server,srv-1,R*,24\n"},
        "warranties.csv:2: model: expected either a device or a model, got 'R*'",
    ),
    "warranty without a class": (
        {"warranties": "tenant,kind,device,months\nacme,warranty,srv-1,24\n"},
        "warranties.csv:2: class: expected the device's class, one of phone, pc, server, appliance, got ''",
    ),
    "warranty of a stranger": (
        {"warranties": "tenant,kind,class,device,months\nacme,warranty,server,srv-9,24\n"},
        "warranties.csv:2: device: expected one that stands in devices.csv, got 'srv-9'",
    ),
    "warranty without end": (
        {"warranties": "tenant,kind,model\nacme,warranty,R*\n"},
        "warranties.csv:2: ends: expected an end or months, a warranty has one, got ''",
    ),
    "warranty with two ends": (
        {"warranties": "tenant,kind,model,ends,months\nacme,warranty,R*,2027-01-01,24\n"},
        "warranties.csv:2: months: expected either ends or months, got '24'",
    ),
    "warranty backwards": (
        {"warranties": "tenant,kind,model,starts,ends\nacme,warranty,R*,2027-01-02,2027-01-01\n"},
        "warranties.csv:2: ends: expected a day not before 2027-01-02, got '2027-01-01'",
    ),
    "too few cells": (
        {"stock": "warehouse,country,part,quantity\nW,DE,P-1\n"},
        "stock.csv:2: row: expected 4 cells, got 3",
    ),
    "line after a cell with line ends": (
        {"sites": 'site,address,country\nh1,"Lindenweg 3\nKassel",DE\nh2,,XX\n'},
        "sites.csv:4: country: expected a country by ISO 3166 such as DE or GB, got 'XX'",
    ),
}


@pytest.mark.parametrize("name", list(ONE_PROBLEM))
def test_a_problem_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    changes, problem = ONE_PROBLEM[name]
    assert problem in problems_of(tmp_path, **changes)


NO_REFERENCES = {
    "devices": "tenant,class,device\nacme,server,srv-1\n",
    "stock": "warehouse,country,part,quantity\n",
}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (changes, _) in ONE_PROBLEM.items()
        if not {"devices", "stock"} & changes.keys() and "warehouse" not in name
    ],
)
def test_a_problem_is_told_alone(tmp_path: Path, name: str) -> None:
    changes, problem = ONE_PROBLEM[name]
    assert problems_of(tmp_path, **NO_REFERENCES, **changes) == [problem]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        owners="owner,language\nanna,de\nbob,d\n",
        sites="site,country\nh1,DE\nh2,EL\n",
        stock="warehouse,country,part,quantity\nW,DE,P-1,many\nW,DE,P-8,1\n",
    )
    places = [problem.split(": expected")[0] for problem in problems]
    assert places == [
        "owners.csv:3: language",
        "sites.csv:3: country",
        "stock.csv:2: quantity",
        "stock.csv:3: part",
    ]


def test_a_file_that_cannot_be_read_does_not_make_every_reference_wrong(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, owners="owner;name\nanna;A\n")
    assert problems == ["owners.csv:1: header: expected columns separated by commas, got semicolons"]


def test_bytes_that_are_not_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "owners.csv").write_bytes("owner,name\nanna,A\nbob,Müller\n".encode("latin-1"))
    with pytest.raises(UserError) as caught:
        load_registry(folder)
    assert str(caught.value) == f"{folder / 'owners.csv'}:3: file: expected UTF-8, got byte 0xfc"


@pytest.mark.parametrize("quoted", ['owner,name\nanna,"Anna" Weber\n', 'owner,name\nanna,"Anna\n'])
def test_quotes_that_never_close_are_told(tmp_path: Path, quoted: str) -> None:
    (problem,) = problems_of(tmp_path, owners=quoted)
    assert problem.startswith("owners.csv:2: row: expected CSV")


def test_a_file_of_another_name_is_a_slip_of_the_pen(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "device.csv").write_text("x\n", encoding="utf-8")
    with pytest.raises(
        UserError, match=r"device\.csv:1: file: expected one of tenants\.csv, .*got 'device\.csv'"
    ):
        load_registry(folder)


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "registry"
    path.write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="expected a folder of CSV files"):
        load_registry(path)


def test_a_file_that_is_a_folder_is_told(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "owners.csv").unlink()
    (folder / "owners.csv").mkdir()
    with pytest.raises(UserError, match=r"owners\.csv:1: file: expected a file, got a folder"):
        load_registry(folder)


NEW_PROBLEMS = {
    "region of another country": (
        {"sites": "site,country,region\nh1,AT,DE-BY\n"},
        "sites.csv:2: region: expected a region of the country, which stands beside it, got 'DE-BY'",
    ),
    "region without a country": (
        {"sites": "site,region\nh1,BY\n"},
        "sites.csv:2: region: expected a region by ISO 3166-2 such as DE-BY, got 'BY'",
    ),
    "region of data": (
        {"tenants": "tenant,region\nacme,Europe West\n"},
        "tenants.csv:2: region: expected a region of data such as eu, got 'Europe West'",
    ),
    "person in a file": (
        {"tenants": "tenant,region\nacme,eu\n"},
        "owners.csv:2: owner: expected it imported, since its tenant keeps personal data in a region, "
        "got 'anna' in a file",
    ),
    "what is covered": (
        {"warranties": "tenant,kind,model,months,covers\nacme,warranty,W9*,24,labor\n"},
        "warranties.csv:2: covers: expected any of parts, labour, transport, several separated by ;, "
        "got 'labor'",
    ),
    "extension without end": (
        {"warranties": "tenant,kind,model\nacme,extension,R*\n"},
        "warranties.csv:2: ends: expected an end or months, an extension has one, got ''",
    ),
    "extension of nothing": (
        {"warranties": "tenant,kind,model,months,extends\nacme,extension,R*,12,base\n"},
        "warranties.csv:2: extends: expected the term of another row, got 'base'",
    ),
    "a warranty that extends": (
        {"warranties": "tenant,kind,model,months,extends\nacme,warranty,R*,12,base\n"},
        "warranties.csv:2: extends: expected nothing, only an extension prolongs something, got 'base'",
    ),
    "postal code": (
        {"sites": "site,postal_code\nh1,#1\n"},
        "sites.csv:2: postal_code: expected a postal code of letters and digits, got '#1'",
    ),
    "range backwards": (
        {"repairers": "repairer,name,countries,channels,skills,postal_areas\nR,N,DE,on_site,pc,39-34\n"},
        "repairers.csv:2: postal_areas: expected postal areas such as 34000-34999, 69* or DE:34*, "
        "several separated by ;, got '39-34'",
    ),
    "hours": (
        {
            "repairers": "repairer,name,countries,channels,skills,hours,time_zone\n"
            "R,N,DE,on_site,pc,8-17,UTC\n"
        },
        "repairers.csv:2: hours: expected working hours such as Mon-Fri 08:00-17:00;Sat 09:00-12:00, "
        "got '8-17'",
    ),
    "hours without a time zone": (
        {"repairers": "repairer,name,countries,channels,skills,hours\nR,N,DE,on_site,pc,Mon 08:00-17:00\n"},
        "repairers.csv:2: time_zone: expected the time zone of the hours, got ''",
    ),
    "superseded by a stranger": (
        {"parts": "part,title,kind,models,superseded_by\nP-1,A,fan,*,P-9\n"},
        "parts.csv:2: superseded_by: expected one that stands in parts.csv, got 'P-9'",
    ),
    "superseded by itself": (
        {"parts": "part,title,kind,models,superseded_by\nP-1,A,fan,*,P-1\n"},
        "parts.csv:2: superseded_by: expected another part than itself, got 'P-1'",
    ),
    "weight": (
        {"parts": "part,title,kind,models,weight_kg\nP-1,A,fan,*,light\n"},
        "parts.csv:2: weight_kg: expected a weight such as 0.85, got 'light'",
    ),
    "duration": (
        {"service_levels": "respond,resolve\nsoon,2d\n"},
        "service_levels.csv:2: respond: expected a duration such as 4h or 2d, of a year at most, got 'soon'",
    ),
    "mended before anyone answers": (
        {"service_levels": "respond,resolve\n4h,2h\n"},
        "service_levels.csv:2: resolve: expected a time not before the answer, got '2h'",
    ),
    "two service levels for the same": (
        {"service_levels": "respond,resolve,tenant\n4h,8h,acme\n2h,8h,acme\n"},
        "service_levels.csv:3: tenant: expected each key once",
    ),
    "holidays without hours": (
        {"service_levels": "respond,resolve,holidays\n4h,8h,off\n"},
        "service_levels.csv:2: holidays: expected nothing without business hours, got 'off'",
    ),
}


@pytest.mark.parametrize("name", list(NEW_PROBLEMS))
def test_a_problem_of_levels_areas_and_successors_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    changes, problem = NEW_PROBLEMS[name]
    assert any(told.startswith(problem) for told in problems_of(tmp_path, **changes))


def test_a_part_may_be_superseded_by_one_further_down(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, parts="part,title,kind,models,superseded_by\nP-1,A,fan,*,P-2\nP-2,B,fan,*,\n", stock=""
    )
    (folder / "stock.csv").unlink()
    assert load_registry(folder).parts["P-1"].superseded_by == "P-2"
