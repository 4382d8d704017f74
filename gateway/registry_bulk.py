"""Owners, sites and devices by the hundred thousand: checked column by column, a piece of a file at a time.

In a piece of a file most cells are alike: a column is judged by its different values, each of them once. A
piece in which anything is wrong is read again row by row by `gateway.registry_rows`, which says what it is.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from gateway.csv_tables import Row, Table, is_name
from gateway.registry_database import RegistryDatabase
from gateway.registry_rows import CLASSES, TABLES, RegistryReader

#: Rows of a piece: many enough that judging a column costs little for each, few enough to stay in the cache.
PIECE = 10_000

Column = Sequence[str]
Cells = tuple[str | None, ...]

_CHECKS: dict[str, Callable[[Row, str], object]] = {
    "tenant": Row.name,
    "class": lambda row, column: row.choice(column, CLASSES),
    "bought": Row.day,
    "country": Row.country,
    "region": Row.region,
    "postal_code": Row.postal_code,
    "language": Row.language,
    "time_zone": Row.time_zone,
}

#: The columns that together are a row's key, and those that refer to other tables.
_KEYS = {"owners.csv": ("owner",), "sites.csv": ("site",), "devices.csv": ("tenant", "class", "device")}
_REFERENCES = {"owner": "owners.csv", "site": "sites.csv"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file.

    Attributes:
        cells: its rows in the order of the table's columns, empty cells as None, when all of it is good.
        rows: else its rows as they are.
        broken: how many lines were no rows.
    """

    cells: list[Cells]
    rows: list[Row]
    broken: int

    def __len__(self) -> int:
        return len(self.cells) + len(self.rows) + self.broken


@dataclass
class Bulk:
    """Reads one CSV file.

    Args:
        path: named owners, sites or devices.
        reader: knows the keys of the files before, and reads what is not plain.
    """

    path: Path
    reader: RegistryReader
    _good: dict[str, set[str]] = field(default_factory=dict)

    def pieces(self) -> Iterator[Piece]:
        """Yield the file piece by piece.

        Raises:
            OutsideError: it cannot be read.
        """
        name = f"{self.path.stem}.csv"
        table = Table(self.path, TABLES[name], self.reader.problems)
        before = len(self.reader.problems)
        broken = 0
        for lines, records in table.pieces(PIECE):
            columns = [list(map(str.strip, column)) for column in zip(*records, strict=True)]
            cells = self._plain(name, dict(zip(table.header, columns, strict=True)), lines) if columns else []
            rows = []
            if cells is None:
                # Empty lines, as spreadsheets write them, have all their cells and nothing in them.
                found = zip(lines, zip(*columns, strict=True), strict=True)
                rows = [table.row(line, values) for line, values in found if any(values)]
            yield Piece(cells or [], rows, table.broken - broken)
            broken = table.broken
            self.reader.problems[before:] = sorted(self.reader.problems[before:], key=self._line_of)
            before = len(self.reader.problems)
        if table.broken > broken:  # its header, or what is no text
            yield Piece([], [], table.broken - broken)

    def _line_of(self, problem: str) -> int:
        return int(problem.removeprefix(f"{self.path}:").partition(":")[0])

    def _plain(self, name: str, columns: Mapping[str, Column], lines: Sequence[int]) -> list[Cells] | None:
        """Return a piece's rows of cells, None when anything is wrong with it."""
        if not all(all(columns[column]) for column in TABLES[name].required):
            return None
        if not all(self._judge(name, column, values) for column, values in columns.items()):
            return None
        if "region" in columns and not self._regions_fit(columns):
            return None
        keys: Sequence[Hashable]
        named = _KEYS[name]
        keys = (
            columns[named[0]] if len(named) == 1 else list(zip(*(columns[one] for one in named), strict=True))
        )
        if not self.reader.note_keys(name, keys, list(zip(repeat(self.path), lines, strict=False))):
            return None
        empty: Sequence[None] = [None] * len(lines)
        filled = [
            [cell or None for cell in columns[column]] if column in columns else empty
            for column in TABLES[name].all
        ]
        return list(zip(*filled, strict=True))

    def _judge(self, table: str, column: str, values: Column) -> bool:
        """Say whether all cells of a column are right."""
        if column == "device":
            return all(map(is_name, values))
        if table == "devices.csv" and column in _REFERENCES:
            return self.reader.knows_all(_REFERENCES[column], set(values) - {""})
        check = _CHECKS.get(column)
        if check is None:
            return True
        good = self._good.setdefault(column, {""})
        for value in set(values) - good:
            row = Row("", 0, {column: value}, [])
            check(row, column)
            if not row.good:
                return False
            good.add(value)
        return True

    def _regions_fit(self, columns: Mapping[str, Column]) -> bool:
        countries: Column = columns.get("country", [""] * len(columns["region"]))
        pairs = set(zip(columns["region"], countries, strict=True))
        return all(not region or region.startswith(f"{country}-") for region, country in pairs)


def putting(database: RegistryDatabase, table: str) -> Callable[[Sequence[Cells]], None]:
    """Return what puts rows of cells of a table away."""
    return {
        "owners": database.put_owner_cells,
        "sites": database.put_site_cells,
        "devices": database.put_device_cells,
    }[table]
