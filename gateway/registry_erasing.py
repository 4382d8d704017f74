"""Takes a person out of the registry: its database and its CSV files; devices and sites stay."""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diagnostics.orders.registry import Registry
from gateway.errors import OutsideError
from gateway.registry_database import RegistryDatabase
from rules.symbols import DeviceId


@dataclass(frozen=True, slots=True)
class Belongings:
    """What is a person's: devices, sites where nobody else's device stands, sites that are shared."""

    devices: tuple[DeviceId, ...]
    sites: tuple[str, ...]
    shared: tuple[str, ...]


def belongings_of(owner: str, registry: Registry) -> Belongings:
    """Return what an owner has; reads all devices."""
    devices: list[DeviceId] = []
    own: set[str] = set()
    others: set[str] = set()
    for entry in registry.devices.values():
        if entry.owner == owner:
            devices.append(entry.id)
        if entry.site is not None:
            (own if entry.owner == owner else others).add(entry.site)
    return Belongings(tuple(devices), tuple(sorted(own - others)), tuple(sorted(own & others)))


def erase_from_database(database: RegistryDatabase, owner: str, sites: tuple[str, ...]) -> tuple[bool, int]:
    """Remove a person and the addresses of sites; return whether there was one, and how many addresses."""
    with database.writing():
        person = database.erase_person(owner)
        addresses = sum(map(database.erase_address, sites))
    database.settle()
    return person, addresses


def erase_from_file(path: Path, key: str, keys: frozenset[str], columns: tuple[str, ...]) -> int:
    """Empty cells of the rows of a CSV file that have one of the keys; return how many rows that were.

    The file is replaced whole or not at all.

    Raises:
        OutsideError: it cannot be read or written.
    """
    if not path.exists():
        return 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        changed = _empty(rows, key, keys.__contains__, columns)
        if changed:
            beside = path.with_name(f".{path.name}.new")
            with beside.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
    except OSError as error:
        raise OutsideError(f"{path}: {error.strerror}") from None
    return changed


def _empty(rows: list[list[str]], key: str, wanted: Callable[[str], bool], columns: tuple[str, ...]) -> int:
    header = [cell.strip() for cell in rows[0]] if rows else []
    if key not in header:
        return 0
    places = [header.index(column) for column in columns if column in header]
    changed = 0
    for row in rows[1:]:
        if len(row) == len(header) and wanted(row[header.index(key)].strip()):
            changed += any(row[place].strip() for place in places)
            for place in places:
                row[place] = ""
    return changed
