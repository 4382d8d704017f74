"""Tables of the registry as rows of cells, in the form that import takes."""

from collections.abc import Iterator
from pathlib import Path

from diagnostics.orders.registry import DeviceEntry, Registry
from gateway.csv_tables import Table
from gateway.registry_database import RegistryDatabase
from gateway.registry_rows import KEY_COLUMNS, TABLES, key_of

Cells = tuple[str | None, ...]


def export_rows(
    table: str, registry: Registry, folder: Path, imported: RegistryDatabase | None, tenant: str | None
) -> Iterator[Cells]:
    """Yield the rows of a table, files and database together, in the order of its columns.

    Args:
        table: name of its file, without the ending.
        registry: files and database together.
        folder: the registry's CSV files.
        imported: the database, None when there is none.
        tenant: of devices: only this tenant's; None: all.
    """
    if table == "owners":
        yield from ((o.id, o.name, o.contact, o.language, o.time_zone) for o in registry.owners.values())
    elif table == "sites":
        for s in registry.sites.values():
            yield (s.id, s.address, s.country, s.region, s.postal_code, s.time_zone)
    elif table == "devices":
        yield from (_device(d) for d in registry.devices.values() if tenant in (None, d.id.tenant))
    else:
        columns = TABLES[f"{table}.csv"].all
        for cells in _small(f"{table}.csv", folder, imported):
            yield tuple(cells.get(column) or None for column in columns)


def _device(entry: DeviceEntry) -> Cells:
    bought = entry.bought.isoformat() if entry.bought else None
    told = (entry.model, entry.serial, entry.firmware, entry.parent, entry.owner, entry.site)
    return (*entry.id, *told, bought)


def _small(name: str, folder: Path, imported: RegistryDatabase | None) -> Iterator[dict[str, str]]:
    assert name in KEY_COLUMNS
    in_files = set()
    for row in Table(folder / name, TABLES[name], []).rows():
        in_files.add(key_of(name, row.cells))
        yield row.cells
    for cells in imported.every_row(name) if imported is not None else ():
        if key_of(name, cells) not in in_files:
            yield cells
