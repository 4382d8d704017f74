"""The registry's tables from files into its database, with every line that is refused."""

import gc
import json
from collections.abc import Callable, Container, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from diagnostics.orders.registry import Coverage, Registry
from gateway.csv_tables import LIST_SEPARATOR, Columns, Row, Table
from gateway.errors import OutsideError, UserError
from gateway.registry_bulk import Bulk, putting
from gateway.registry_database import RegistryDatabase
from gateway.registry_rows import TABLES, RegistryReader, key_of

Record = TypeVar("Record")

#: What can be imported, those first that others refer to.
IMPORTED = tuple(name.removesuffix(".csv") for name in TABLES)
SUFFIXES = (".csv", ".json", ".jsonl")

_BATCH = 5_000


@dataclass
class Report:
    """What an import did.

    Attributes:
        taken: rows that were taken, by table.
        refused: how many were not.
        problems: one line each, ``file:line: column: expected ..., got ...``.
    """

    taken: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    problems: list[str] = field(default_factory=list)


def table_of(path: Path) -> str:
    """Return which table a file is of, by its name.

    Raises:
        UserError: by none, or it is not there.
    """
    if path.stem not in IMPORTED or path.suffix not in SUFFIXES:
        expected = f"a file named one of {', '.join(IMPORTED)}, ending in {', '.join(SUFFIXES)}"
        raise UserError(f"{path}: expected {expected}, got {path.name!r}")
    if not path.is_file():
        raise UserError(f"{path}: expected a file, there is none")
    return path.stem


class Known:
    """What stands in the registry's own files and in its database, for those who refer to it."""

    def __init__(self, files: Registry, database: RegistryDatabase) -> None:
        self._database = database
        self._files: dict[str, Container[Hashable]] = {
            "owners.csv": files.owners,
            "sites.csv": files.sites,
            "devices.csv": files.devices,
            "parts.csv": files.parts,
        }

    def holds(self, table: str, key: Hashable) -> bool:
        """Say whether a key stands in a table, by the name of its CSV file."""
        return key in self._files.get(table, ()) or self._database.holds(table, key)

    def rows(self, table: str, scope: str = "") -> Iterator[tuple[str, int, dict[str, str]]]:
        """Yield what was imported of a table, with key and place."""
        return self._database.rows(table, scope)


def import_files(
    paths: Sequence[Path],
    database: RegistryDatabase,
    files: Registry,
    *,
    keep: bool = True,
    anew: bool = False,
    told: Callable[[str, int], None] = lambda _table, _rows: None,
) -> Report:
    """Take the good rows of files; a row with a key that is there already replaces it.

    All of it is one transaction: an import that is broken off has taken nothing.

    Args:
        paths: named by their tables; several of one table are allowed.
        database: where they go.
        files: the registry's own files, to which rows may refer.
        keep: false: only report.
        anew: whether the tables that files are named after are emptied first.
        told: is told the table and how many rows were read since.

    Raises:
        UserError: a file's name is of no table, or it is not there.
        OutsideError: a file cannot be read, or the database cannot be written.
    """
    report = Report()
    ordered = sorted(paths, key=lambda path: IMPORTED.index(table_of(path)))
    reader = RegistryReader(Path(), Known(files, database))
    reader.problems = report.problems
    taking = _Taking(report, keep, told)
    with database.writing(), database.in_bulk(), _without_collections():
        for table in dict.fromkeys(path.stem for path in ordered if anew and keep):
            database.clear(f"{table}.csv")
        for path in ordered:
            _import_file(path, reader, database, taking)
        if keep:
            report.problems += database.settle_homes(database.regions_of(files), files)
    if keep and database.has_regions:
        database.settle()  # what was brought into a region stands nowhere else
    return report


def _import_file(path: Path, reader: RegistryReader, database: RegistryDatabase, taking: "_Taking") -> None:
    if path.suffix == ".csv" and path.stem in ("owners", "sites", "devices"):
        taking.take_bulk(Bulk(path, reader), _reading(f"{path.stem}.csv", reader), database)
        return
    rows, table = _rows(path, reader.problems), f"{path.stem}.csv"
    if path.stem == "owners":
        taking.take(path.stem, map_rows(reader.owner, rows), database.put_owners)
    elif path.stem == "sites":
        taking.take(path.stem, map_rows(reader.site, rows), database.put_sites)
    elif path.stem == "devices":
        taking.take(path.stem, map_rows(reader.device, rows), database.put_devices)
    else:
        read = partial(_read_cells, table, _reading(table, reader))
        records = map_rows(read, rows)
        if path.stem == "parts":  # what supersedes one may stand further down
            records = iter(_whole(read, reader, list(rows)))
        taking.take(path.stem, records, partial(database.put_rows, table))


def _reading(table: str, reader: RegistryReader) -> Callable[[Row], object]:
    return {
        "tenants.csv": reader.tenant,
        "owners.csv": reader.owner,
        "sites.csv": reader.site,
        "devices.csv": reader.device,
        "parts.csv": reader.part,
        "stock.csv": reader.stock,
        "warranties.csv": reader.coverage,
        "repairers.csv": reader.repairer,
        "service_levels.csv": reader.service_level,
    }[table]


Cells = tuple[str, str, dict[str, str]]


def _read_cells(table: str, read: Callable[[Row], object], row: Row) -> Cells:
    """Return scope, key and cells of a row, which are kept as they are once they were found good."""
    found = read(row)
    device = found.device if isinstance(found, Coverage) else None
    cells = {column: cell for column, cell in row.cells.items() if cell}
    return "/".join(device) if device else "", key_of(table, cells), cells


def _whole(
    read: Callable[[Row], "Cells"], reader: RegistryReader, rows: Sequence[Row | None]
) -> list["Cells | None"]:
    """Return what is read of the rows of a table that refers to itself; None of those that are refused."""
    records = [None if row is None else (row, read(row)) for row in rows]
    reader.check_successors([row for row in rows if row is not None])
    return [None if record is None or not record[0].good else record[1] for record in records]


@contextmanager
def _without_collections() -> Iterator[None]:
    """Leave out the search for circles of garbage: rows have none, and there are millions of them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def map_rows(read: Callable[[Row], Record], rows: Iterator[Row | None]) -> Iterator[Record | None]:
    """Yield what is read of rows; None of those that are refused."""
    for row in rows:
        record = None if row is None else read(row)
        yield record if row is not None and row.good else None


@dataclass(frozen=True, slots=True)
class _Taking:
    """Puts records away in batches and counts them."""

    report: Report
    keep: bool
    told: Callable[[str, int], None]

    def take(
        self,
        table: str,
        records: Iterator[Record | None],
        put: Callable[[Sequence[Record]], None],
    ) -> None:
        """Take the records of one file."""
        taken = self.report.taken.get(table, 0)
        while piece := list(islice(records, _BATCH)):
            good = [record for record in piece if record is not None]
            if self.keep:
                put(good)
            taken += len(good)
            self.report.refused += len(piece) - len(good)
            self.told(table, len(piece))
        self.report.taken[table] = taken

    def take_bulk(self, bulk: Bulk, read: Callable[[Row], object], database: RegistryDatabase) -> None:
        """Take the records of one file that has many."""
        table = bulk.path.stem
        put = putting(database, table)
        columns = TABLES[f"{table}.csv"].all
        taken = self.report.taken.get(table, 0)
        for piece in bulk.pieces():
            for row in piece.rows:
                read(row)
            good = [tuple(map(row.text, columns)) for row in piece.rows if row.good] or piece.cells
            if self.keep:
                put(good)
            taken += len(good)
            self.report.refused += len(piece) - len(good)
            self.told(table, len(piece))
        self.report.taken[table] = taken


def _rows(path: Path, problems: list[str]) -> Iterator[Row | None]:
    """Yield a file's rows; None for one that is none, with its problem noted."""
    columns = TABLES[f"{path.stem}.csv"]
    if path.suffix == ".csv":
        before = len(problems)
        for found in Table(path, columns, problems).rows():
            # What was noted since and is not of this row is of lines before it, which were none.
            broken = sum(not problem.startswith(f"{found.line}:") for problem in problems[before:])
            yield from [None] * broken
            yield found
            before = len(problems)
        yield from [None] * (len(problems) - before)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected UTF-8, got byte {error.object[error.start]:#04x}") from None
    except OSError as error:
        raise OutsideError(f"{path}: {error.strerror}") from None
    for line, document in _lines(text) if path.suffix == ".jsonl" else _elements(text):
        row = _row(path, line, document, columns, problems)
        if row is None:
            said = document.problem if isinstance(document, _Broken) else json.dumps(document)[:60]
            problems.append(f"{path}:{line}: row: expected a JSON object, got {said}")
        yield row


@dataclass(frozen=True, slots=True)
class _Broken:
    """A piece of a file that is no JSON."""

    problem: str


def _lines(text: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, _Broken(str(error))


def _elements(text: str) -> Iterator[tuple[int, object]]:
    """Yield the elements of a JSON list, each with the line on which it begins."""
    decoder = json.JSONDecoder()
    position, line = _blank(text, 0), 1
    if text[position : position + 1] != "[":
        yield 1, _Broken("something else than a list")
        return
    line += text.count("\n", 0, position)
    position += 1
    while True:
        start = _blank(text, position)
        line += text.count("\n", position, start)
        if text[start : start + 1] == "]":
            return
        try:
            element, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            yield line, _Broken(str(error))
            return
        yield line, element
        after = _blank(text, end)
        line += text.count("\n", start, after)
        if text[after : after + 1] not in (",", "]"):
            yield line, _Broken("a list that does not end")
            return
        position = after + (text[after] == ",")


def _blank(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _row(path: Path, line: int, document: object, columns: Columns, problems: list[str]) -> Row | None:
    if not isinstance(document, dict):
        return None
    row = Row(path, line, {key: _cell(value).strip() for key, value in document.items()}, problems)
    for key, value in document.items():
        if key not in columns.all:
            row.wrong(key, f"one of {', '.join(columns.all)}", repr(key))
        elif isinstance(value, dict):
            row.wrong(key, "a text or a number", "an object")
    row.require(columns.required)
    return row


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return LIST_SEPARATOR.join(map(_cell, value)) if isinstance(value, list) else str(value)
