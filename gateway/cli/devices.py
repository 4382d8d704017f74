"""``forewarn devices``: the registry of devices, owners and sites."""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from diagnostics.orders.registry import Registry
from gateway.cli.handover import HELP
from gateway.cli.provision import provision
from gateway.config import Config, load_config
from gateway.csv_cells import cell
from gateway.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.readiness import Readiness, Summary
    from gateway.registry_database import RegistryDatabase
    from rules.symbols import DeviceId

devices_app = typer.Typer(help=HELP, no_args_is_help=True)
devices_app.command()(provision)

WIDEST = 250

#: So many refused lines are shown; `--report` has all.
MOST_SHOWN = 50

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
TenantOption = Annotated[str | None, typer.Option(help="Only this tenant's devices.")]


@devices_app.command("import")
def import_devices(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Named by their tables, each .csv, .json or .jsonl."),
    ],
    check: Annotated[bool, typer.Option("--check", help="Only say what would be refused.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Empty the tables that the files are named after first.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write every refused line into this file.")] = None,
    config: ConfigOption = None,
) -> None:
    """Take tables into the registry; what is refused is told line by line."""
    from gateway.registry import load_files
    from gateway.registry_database import RegistryDatabase
    from gateway.registry_import import import_files, table_of

    loaded = load_config(config)
    total = sum(_lines(path) for path in files if table_of(path))
    loaded.data_dir.mkdir(parents=True, exist_ok=True)
    database = RegistryDatabase(loaded.registry_path, loaded.regions)
    console = Console(stderr=True)
    try:
        with Progress(*_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("importing", total=total)
            found = import_files(
                files,
                database,
                load_files(loaded.registry_dir, database),
                keep=not check,
                anew=replace,
                told=lambda table, rows: bar.update(task, advance=rows, description=table),
            )
    finally:
        database.close()
    if report is not None:
        report.write_text("".join(f"{problem}\n" for problem in found.problems), encoding="utf-8")
    taken = ", ".join(f"{count:,} {table}" for table, count in found.taken.items())
    print(f"{'would be taken' if check else 'taken'}: {taken}; refused: {found.refused:,}")
    if found.problems:
        shown = found.problems if len(found.problems) <= MOST_SHOWN else found.problems[:MOST_SHOWN]
        more = len(found.problems) - len(shown)
        rest = [f"... and {more:,} more; --report FILE writes all"] if more else []
        raise UserError("\n".join([*shown, *rest]))


@devices_app.command("export")
def export_devices(
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="Such as devices, owners, parts.")
    ] = "devices",
    tenant: TenantOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write a table of the registry, files and database together, in the form that import takes."""
    from gateway.registry_export import export_rows
    from gateway.registry_rows import TABLES

    loaded = load_config(config)
    tables = [name.removesuffix(".csv") for name in TABLES]
    if table not in tables:
        raise typer.BadParameter(f"TABLE: expected one of {', '.join(tables)}, got {table!r}")
    if tenant is not None and table != "devices":
        raise typer.BadParameter("--tenant: expected it for devices only")
    columns = TABLES[f"{table}.csv"].all
    rows = export_rows(table, _registry(loaded), loaded.registry_dir, _imported(loaded), tenant)
    if as_json:
        for row in rows:
            kept = {name: value for name, value in zip(columns, row, strict=True) if value is not None}
            print(json.dumps(kept, ensure_ascii=False))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(map(cell, row) for row in rows)


@devices_app.command("readiness")
def show_readiness(
    tenant: TenantOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a device and line.")] = False,
    config: ConfigOption = None,
) -> None:
    """Say for the whole registry which devices would lack what, were an order opened now."""
    from diagnostics.faults import load_faults
    from gateway.clock import SystemClock
    from gateway.readiness import Summary, readiness

    loaded = load_config(config)
    registry, told = _registry(loaded), _told(loaded)
    summary = Summary()
    examples: dict[str, tuple[str, str]] = {}
    console = Console(stderr=True)
    # The lines of --json are what is asked for; a bar would write between them.
    quiet = as_json or not console.is_terminal
    bar = Progress(*_COLUMNS, console=console, transient=True, disable=quiet)
    devices = readiness(registry, load_faults(), SystemClock().now(), told)
    with bar:
        each = bar.track(devices, len(registry.devices), description="devices")
        _tell_readiness(each, tenant, summary, examples, as_json)
    if as_json:
        return
    print(f"{summary.devices:,} devices, {summary.ready:,} of them lack nothing")
    sheet = Table(box=None, pad_edge=False)
    for heading in ("devices", "lack", "such as", "because"):
        sheet.add_column(heading, no_wrap=heading != "because")
    for field, count in summary.fields.most_common():
        sheet.add_row(f"{count:,}", field, *examples[field])
    if sheet.row_count:
        Console(width=WIDEST, markup=False, highlight=False).print(sheet)


def _tell_readiness(
    devices: "Iterable[Readiness]",
    tenant: str | None,
    summary: "Summary",
    examples: dict[str, tuple[str, str]],
    as_json: bool,
) -> None:
    """Count devices, note an example of each gap, and print a line for each where that is asked for."""
    for found in devices:
        if tenant not in (None, found.device.id.tenant):
            continue
        summary.add(found)
        name = "/".join(found.device.id)
        for field, why in found.lacks.items():
            examples.setdefault(field, (name, why))
        if as_json:
            lacks = [{"field": field, "why": why} for field, why in found.lacks.items()]
            print(json.dumps({"device": name, "ready": not lacks, "lacks": lacks}, ensure_ascii=False))


def _told(config: Config) -> "dict[DeviceId, dict[str, object]]":
    """Return what devices said of themselves, as the ledger has it; nothing where there is none."""
    from gateway.ledger.store import SqlLedger

    if not config.ledger_path.exists():
        return {}
    ledger = SqlLedger.open_readonly(f"sqlite:///{config.ledger_path}")
    try:
        return dict(ledger.facts())
    finally:
        ledger.close()


@devices_app.command("erase")
def erase_person(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Its key in the registry.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Erase a person's name, contact and addresses from registry and orders; devices and history stay."""
    from gateway.ledger.erasing import Erased, erase_from_ledger
    from gateway.registry_erasing import belongings_of, erase_from_database, erase_from_file

    loaded = load_config(config)
    registry = _registry(loaded)
    person = registry.owners.get(owner)
    if person is None:
        raise UserError(f"the registry has no owner {owner!r}")
    theirs = belongings_of(owner, registry)
    if not yes:
        typer.confirm(f"Erase {person.name or owner} for good?", abort=True, err=True)
    addresses = [registry.sites[site].address for site in theirs.sites if site in registry.sites]
    orders = 0
    if loaded.ledger_path.exists():
        known = tuple(address for address in addresses if address is not None)
        erased = Erased(person.name, person.contact, frozenset(theirs.devices), known)
        orders = erase_from_ledger(f"sqlite:///{loaded.ledger_path}", erased)
    folder, sites = loaded.registry_dir, frozenset(theirs.sites)
    rows = erase_from_file(folder / "owners.csv", "owner", frozenset({owner}), ("name", "contact"))
    places = erase_from_file(folder / "sites.csv", "site", sites, ("address",))
    if (database := _imported(loaded)) is not None:
        erase_from_database(database, owner, theirs.sites)
        database.close()
    print(f"{owner}: name and contact erased; {len(theirs.sites):,} sites lost their address")
    print(f"{orders:,} orders lost name, contact, addresses and texts")
    print(f"kept: {len(theirs.devices):,} devices with serial numbers, readings, cases and repairs")
    if theirs.shared:
        print(f"kept: the addresses of {', '.join(theirs.shared)}, where others' devices stand")
    if rows or places:
        print("CSV files were changed: a gateway that runs knows the old ones until it starts again")


def _registry(config: Config) -> Registry:
    from gateway.registry import load_registry

    return load_registry(config.registry_dir, config.registry_path, config.regions)


def _imported(config: Config) -> "RegistryDatabase | None":
    from gateway.registry_database import RegistryDatabase

    return RegistryDatabase.open_present(config.registry_path, config.regions)


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))
