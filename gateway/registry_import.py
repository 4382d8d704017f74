"""Owners, sites and devices from files into the registry's database, with every line that is refused."""

import gc
import json
from collections.abc import Callable, Container, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from diagnostics.orders.registry import Registry
from gateway.csv_tables import LIST_SEPARATOR, Columns, Row, Table
from gateway.errors import OutsideError, UserError
from gateway.registry import TABLES, RegistryReader
from gateway.registry_database import RegistryDatabase

Record = TypeVar("Record")

#: What can be imported, those first that others refer to.
IMPORTED = ("owners", "sites", "devices")
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


def import_files(
    paths: Sequence[Path],
    database: RegistryDatabase,
    files: Registry,
    *,
    keep: bool = True,
    told: Callable[[str, int], None] = lambda _table, _rows: None,
) -> Report:
    """Take the good rows of files; a row with a key that is there already replaces it.

    All of it is one transaction: an import that is broken off has taken nothing.

    Args:
        paths: named owners, sites or devices; several of one table are allowed.
        database: where they go.
        files: the registry's own files, whose owners and sites devices may refer to.
        keep: false: only report.
        told: is told the table and how many rows were read since.

    Raises:
        UserError: a file's name is of no table, or it is not there.
        OutsideError: a file cannot be read, or the database cannot be written.
    """
    report = Report()
    ordered = sorted(paths, key=lambda path: IMPORTED.index(table_of(path)))

    def elsewhere(table: str, key: Hashable) -> bool:
        held: Container[Hashable] = {"owners.csv": files.owners, "sites.csv": files.sites}.get(table, ())
        return key in held or database.holds(table, key)

    reader = RegistryReader(Path(), elsewhere)
    reader.problems = report.problems
    taking = _Taking(report, keep, told)
    with database.writing(), _without_collections():
        for path in ordered:
            rows = _rows(path, report.problems)
            if path.stem == "owners":
                taking.take(path.stem, map_rows(reader.owner, rows), database.put_owners)
            elif path.stem == "sites":
                taking.take(path.stem, map_rows(reader.site, rows), database.put_sites)
            else:
                taking.take(path.stem, map_rows(reader.device, rows), database.put_devices)
    return report


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
