"""The registry as it is known at a start: its folder of CSV files, and behind them what was imported."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from diagnostics.orders.registry import Coverage, Registry
from gateway.csv_tables import Row
from gateway.errors import UserError
from gateway.registry_database import RegistryDatabase
from gateway.registry_rows import TABLES, RegistryReader
from rules.symbols import DeviceId

__all__ = ["TABLES", "load_files", "load_registry"]

_WARRANTIES = "warranties.csv"


def load_registry(
    folder: Path, database: Path | None = None, regions: Mapping[str, Path] | None = None
) -> Registry:
    """Read a registry; a folder or a file that is not there is empty.

    Args:
        folder: CSV files, read whole.
        database: what was imported. Devices, owners, sites and the warranties of single devices are looked up
            when they are asked for, the rest is read whole; the files go before it. None: files only.
        regions: folders in which the personal data of regions is kept; of others it is beside the database.

    Raises:
        UserError: one line for every problem, ``file:line: column: expected ..., got ...``.
        OutsideError: a file is there and cannot be read.
    """
    imported = RegistryDatabase.open_present(database, regions) if database is not None else None
    registry, reader = _read(folder, imported)
    if reader.problems:
        raise UserError("\n".join(reader.problems))
    if imported is None:
        return registry
    in_files = frozenset(reader.keys_in_files[_WARRANTIES])
    return imported.behind(registry, _Warranties(imported, in_files))


def load_files(folder: Path, imported: RegistryDatabase) -> Registry:
    """Read what is good of a registry's CSV files, and what is small of what was imported.

    What is wrong with them is for `load_registry` to tell: they may refer to what is about to be imported.

    Raises:
        UserError: the folder is a file.
        OutsideError: a file is there and cannot be read.
    """
    return _read(folder, imported)[0]


def _read(folder: Path, imported: RegistryDatabase | None) -> tuple[Registry, RegistryReader]:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: expected a folder of CSV files, got a file")
    reader = RegistryReader(folder, imported)
    return reader.read(), reader


class _Warranties:
    """Looks up what was imported of the warranties of one device."""

    def __init__(self, imported: RegistryDatabase, in_files: frozenset[str]) -> None:
        self._imported, self._in_files = imported, in_files

    def __call__(self, device: DeviceId) -> Sequence[Coverage]:
        found = list(self._imported.rows(_WARRANTIES, "/".join(device)))
        if not found:
            return ()
        reader = RegistryReader(Path(), self._imported)
        rows = (
            Row(_WARRANTIES, place, cells, []) for key, place, cells in found if key not in self._in_files
        )
        return [reader.coverage(row) for row in rows]
