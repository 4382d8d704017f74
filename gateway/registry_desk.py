"""The registry as it is worked on while the gateway runs: row by row, with the rights of whoever does it.

What stands in the registry's CSV files is shown and cannot be changed here; everything else is read from and
written to the database. A row is checked as the import checks it, by the import.
"""

import base64
import binascii
import csv
import heapq
import io
import json
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from unicodedata import category

from diagnostics.orders.registry import DeviceEntry, Owner, Registry, SiteEntry
from gateway.csv_tables import LIST_SEPARATOR, Table
from gateway.errors import ForewarnError, UserError
from gateway.ledger.erasing import Erased, erase_from_ledger
from gateway.ports import Page
from gateway.registry import load_files, load_registry
from gateway.registry_database import RegistryDatabase
from gateway.registry_erasing import Belongings, belongings_of, erase_from_database, erase_from_file
from gateway.registry_import import Report, import_files
from gateway.registry_rows import KEY_COLUMNS, TABLES
from rules.symbols import DeviceId

#: Columns that name a row.
KEYS: Mapping[str, tuple[str, ...]] = {
    "owners": ("owner",),
    "sites": ("site",),
    "devices": ("tenant", "class", "device"),
    **{name.removesuffix(".csv"): columns for name, columns in KEY_COLUMNS.items()},
}
TABLE_NAMES = tuple(name.removesuffix(".csv") for name in TABLES)
#: Columns that hold personal data.
PERSONAL: Mapping[str, tuple[str, ...]] = {"owners": ("name", "contact"), "sites": ("address",)}

#: Rows that are read at a time, and that a page looks through at most for those that a filter keeps.
_AT_ONCE = 500
_LOOKED_THROUGH = 20_000

_UNIT = "\x1f"
_BIG = ("owners", "sites", "devices")

SortKey = tuple[str, ...]
Cells = dict[str, str]


class InFileError(ForewarnError):
    """A row stands in one of the registry's files, which go before the database."""


class ReferredError(ForewarnError):
    """Other rows refer to a row."""


class RowError(ForewarnError):
    """A row is wrong.

    Attributes:
        problems: ``column: expected ..., got ...``.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """A row of a table.

    Attributes:
        id: names it in its table, and in addresses.
        values: cells by column, those that are filled in.
        in_file: it stands in a file, and is changed there.
        tenants: whose it is; None concerns all, none is nobody's yet.
    """

    table: str
    id: str
    values: Cells
    in_file: bool
    tenants: frozenset[str] | None


class RegistryDesk:
    """Reads and writes rows; any thread may call any method.

    Args:
        folder: the registry's CSV files.
        path: its database; made with the first row that is written.
        regions: folders in which the personal data of regions is kept.
        ledger_url: of the ledger from whose orders a person is erased; None: there is none.
        on_change: is told when something has changed that is not looked up whenever it is needed: small
            tables, files, and that there is a database now.
    """

    def __init__(
        self,
        folder: Path,
        path: Path,
        regions: Mapping[str, Path] | None = None,
        *,
        ledger_url: str | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder, self._path, self._regions = folder, path, dict(regions or {})
        self._ledger_url = ledger_url
        self._on_change = on_change
        self._lock = (
            threading.RLock()
        )  # one connection, on which a writer's rows are seen before they are kept
        self._opened: RegistryDatabase | None = None
        self._files: tuple[object, Registry] | None = None

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    # Reading

    def find(self, table: str, row_id: str) -> RegistryRow | None:
        """Return one row, None when there is none of that id."""
        with self._lock:
            key = _key_of(table, row_id)
            if key is None:
                return None
            for place, cells in self._in_files(table):
                if place == _sort_key(table, key):
                    return self._row(table, cells, in_file=True)
            for _place, cells in islice(self._stored_at(table, key), 1):
                return self._row(table, cells, in_file=False)
        return None

    def find_by_key(self, table: str, key: Sequence[str]) -> RegistryRow | None:
        """Return the row that the cells of its key columns name, None when there is none."""
        return self.find(table, _id_of(table, key))

    def cells_of(self, values: Mapping[str, object]) -> Cells:
        """Return the cells of a row as the import reads them."""
        return {column: _cell(value) for column, value in values.items()}

    def id_of(self, table: str, cells: Mapping[str, str]) -> str:
        """Return what names a row in addresses."""
        return _id_of(table, [cells.get(column, "") for column in KEYS[table]])

    def page(
        self,
        table: str,
        *,
        tenants: Collection[str] | None,
        cursor: str | None,
        limit: int,
        keep: Callable[[RegistryRow], bool] = lambda _row: True,
    ) -> Page[RegistryRow]:
        """Return rows by their keys: those that concern some tenants (None: all), and that a filter keeps.

        A page may be short of `limit`, or empty, where a filter keeps few; it has a next one all the same.

        Raises:
            UserError: no page gave that cursor.
        """
        after = None if cursor is None else _decoded(cursor, len(KEYS[table]) if table in _BIG else 2)
        found: list[RegistryRow] = []
        with self._lock:
            last: SortKey | None = None
            for number, (place, cells, in_file) in enumerate(self._merged(table, after, tenants)):
                if len(found) == limit or number == _LOOKED_THROUGH:
                    return Page(found, None if last is None else _encoded(last))
                last = place
                row = self._row(table, cells, in_file=in_file)
                seen = tenants is None or row.tenants is None or not row.tenants.isdisjoint(tenants)
                if seen and keep(row):
                    found.append(row)
        return Page(found)

    def _merged(
        self, table: str, after: SortKey | None, tenants: Collection[str] | None
    ) -> Iterator[tuple[SortKey, Cells, bool]]:
        files = sorted(
            ((place, cells, True) for place, cells in self._in_files(table)), key=lambda one: one[0]
        )
        later = (one for one in files if after is None or one[0] > after)
        stored = ((place, cells, False) for place, cells in self._stored(table, after, tenants))
        previous: SortKey | None = None
        for place, cells, in_file in heapq.merge(later, stored, key=lambda one: one[0]):
            if place != previous:
                yield place, cells, in_file
            previous = place

    def _in_files(self, table: str) -> Iterator[tuple[SortKey, Cells]]:
        if table in _BIG:
            for entry in self._entries(table):
                cells = _cells(entry)
                yield tuple(cells[column] for column in KEYS[table]), cells
            return
        name = f"{table}.csv"
        for row in Table(self._folder / name, TABLES[name], []).rows():
            cells = {column: cell for column, cell in row.cells.items() if cell}
            yield _sort_key(table, [cells.get(column, "") for column in KEYS[table]]), cells

    def _entries(self, table: str) -> Collection[Owner | SiteEntry | DeviceEntry]:
        files = self._registry_of_files()
        if table == "owners":
            return files.owners.values()
        return files.sites.values() if table == "sites" else files.devices.values()

    def _stored_at(self, table: str, key: Sequence[str]) -> Iterator[tuple[SortKey, Cells]]:
        database = self._database(make=False)
        if database is None:
            return
        place = _sort_key(table, key)
        if table == "owners" and (owner := database.owners.get(key[0])):
            yield place, _cells(owner)
        elif table == "sites" and (site := database.sites.get(key[0])):
            yield place, _cells(site)
        elif table == "devices" and (device := database.devices.get(DeviceId(*key))):
            yield place, _cells(device)
        elif table not in _BIG:
            query = "SELECT cells FROM rows WHERE name = ? AND scope = ? AND key = ?"
            for (cells,) in database.all(query, (f"{table}.csv", *place)):
                yield place, json.loads(cells)

    def _stored(
        self, table: str, after: SortKey | None, tenants: Collection[str] | None
    ) -> Iterator[tuple[SortKey, Cells]]:
        """Yield what the database has after a key; of owners, sites and devices those of tenants alone."""
        database = self._database(make=False)
        if database is None:
            return
        width = len(KEYS[table]) if table in _BIG else 2
        place = after or ("",) * width
        while True:
            query, values = _query(table, place, tenants)
            piece = list(database.all(query, values))
            for row in piece:
                place = tuple(row[:width])
                if table in _BIG:
                    yield from self._stored_at(table, place)
                else:
                    yield place, json.loads(row[2])
            if len(piece) < _AT_ONCE:
                return

    def _row(self, table: str, cells: Cells, *, in_file: bool) -> RegistryRow:
        key = [cells.get(column, "") for column in KEYS[table]]
        return RegistryRow(table, _id_of(table, key), cells, in_file, self.tenants_of(table, cells))

    def tenants_of(self, table: str, cells: Mapping[str, str]) -> frozenset[str] | None:
        """Return whose a row is: None where it concerns all tenants, none where no device refers to it."""
        if table in PERSONAL:
            return self._tenants_of_devices(KEYS[table][0], cells[KEYS[table][0]])
        column = "tenants" if table == "repairers" else "tenant"
        named = (one.strip() for one in cells.get(column, "").split(LIST_SEPARATOR))
        return frozenset(one for one in named if one) or None

    def _tenants_of_devices(self, column: str, key: str) -> frozenset[str]:
        with self._lock:
            devices = self._registry_of_files().devices.values()
            found = {device.id.tenant for device in devices if getattr(device, column) == key}
            database = self._database(make=False)
            if database is not None:
                query = f"SELECT DISTINCT tenant FROM devices WHERE {column} = ?"  # noqa: S608
                found |= {row[0] for row in database.all(query, (key,))}
            return frozenset(found)

    # Writing

    def put(self, table: str, values: Mapping[str, object]) -> RegistryRow:
        """Add a row, or replace the one that has its key; return it.

        Raises:
            RowError: it is wrong; nothing is kept.
            InFileError: it stands in a file.
            OutsideError: the database cannot be written.
        """
        _refuse_unwritable(values)
        with self._lock:
            self._refuse_in_file(table, values)
            content = json.dumps([dict(values)], ensure_ascii=False).encode()
            report = self._import(table, "json", content, keep=True)
            if not report.taken.get(table):
                raise RowError([problem.partition(": ")[2] for problem in report.problems])
            cells = {column: _cell(value) for column, value in values.items()}
            key = [cells.get(column, "") for column in KEYS[table]]
            found = self.find(table, _id_of(table, key))
        assert found is not None
        return found

    def delete(self, row: RegistryRow) -> None:
        """Remove a row.

        Raises:
            InFileError: it stands in a file.
            ReferredError: others refer to it.
            OutsideError: the database cannot be written.
        """
        if row.in_file:
            raise self._in_file(row.table)
        with self._lock:
            key = [row.values.get(column, "") for column in KEYS[row.table]]
            self._refuse_referred(row, key)
            database = self._database(make=True)
            assert database is not None
            place = _sort_key(row.table, key)
            with database.writing():
                if row.table in _BIG:
                    database.remove(f"{row.table}.csv", key)
                else:
                    database.remove(f"{row.table}.csv", place[1:], scope=place[0])
            if row.table in PERSONAL:
                database.settle()
            self._changed(row.table)

    def read_rows(self, table: str, suffix: str, content: bytes) -> list[Cells]:
        """Return the rows of a file as far as they can be read, to see whose they are.

        Raises:
            UserError: it is no file of its kind at all.
        """
        try:
            text = content.decode("utf-8-sig")
            if suffix == "csv":
                found: list[object] = list(csv.DictReader(io.StringIO(text), restkey=""))
            elif suffix == "jsonl":
                found = [json.loads(line) for line in text.split("\n") if line.strip()]
            else:
                found = json.loads(text)
        except (ValueError, RecursionError, csv.Error) as error:
            raise UserError(f"{table}.{suffix}: expected rows, got {error}") from None
        rows = found if isinstance(found, list) else []
        return [
            {str(k).strip(): _cell(v) for k, v in row.items() if k} for row in rows if isinstance(row, dict)
        ]

    def import_rows(self, table: str, suffix: str, content: bytes, *, keep: bool) -> Report:
        """Take the good rows of a file, as ``forewarn devices import`` does; report the others.

        Raises:
            UserError: it cannot be read.
            OutsideError: the database cannot be written.
        """
        with self._lock:
            return self._import(table, suffix, content, keep=keep)

    def _import(self, table: str, suffix: str, content: bytes, *, keep: bool) -> Report:
        is_new = not self._path.exists()
        database = self._database(make=True)
        assert database is not None
        with tempfile.TemporaryDirectory(prefix="forewarn-") as folder:
            path = Path(folder) / f"{table}.{suffix}"
            path.write_bytes(content)
            try:
                report = import_files([path], database, self._registry_of_files(), keep=keep)
            except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON can spell
                raise UserError(f"{path.name}: expected text, got {error.object[error.start]!r}") from None
            report.problems = [problem.replace(f"{path.parent}/", "") for problem in report.problems]
        if keep:
            self._changed(table, anyway=is_new)
        return report

    def _changed(self, table: str, *, anyway: bool = False) -> None:
        if anyway or table not in _BIG:
            self._files = None  # it holds small tables of the database too
            self._on_change()

    def erase(self, owner: str) -> tuple[Belongings, int]:
        """Erase a person's name, contact and addresses from registry and orders.

        Returns:
            What was theirs, and how many orders were changed.

        Raises:
            UserError: the registry has no such owner.
            OutsideError: something cannot be written.
        """
        with self._lock:
            registry = load_registry(self._folder, self._path, self._regions)
            person = registry.owners.get(owner)
            if person is None:
                raise UserError(f"the registry has no owner {owner!r}")
            theirs = belongings_of(owner, registry)
            found = (registry.sites[site].address for site in theirs.sites if site in registry.sites)
            addresses = tuple(address for address in found if address is not None)
            erased = Erased(person.name, person.contact, frozenset(theirs.devices), addresses)
            orders = 0 if self._ledger_url is None else erase_from_ledger(self._ledger_url, erased)
            sites = frozenset(theirs.sites)
            erase_from_file(self._folder / "owners.csv", "owner", frozenset({owner}), ("name", "contact"))
            erase_from_file(self._folder / "sites.csv", "site", sites, ("address",))
            if (database := self._database(make=False)) is not None:
                erase_from_database(database, owner, theirs.sites)
            self._changed("owners", anyway=True)  # files may have been rewritten
        return theirs, orders

    def _refuse_in_file(self, table: str, values: Mapping[str, object]) -> None:
        key = [_cell(values.get(column)) for column in KEYS[table]]
        found = self.find(table, _id_of(table, key))
        if found is not None and found.in_file:
            raise self._in_file(table)

    def _in_file(self, table: str) -> InFileError:
        return InFileError(f"the row stands in {table}.csv of the registry's folder, and is changed there")

    def _refuse_referred(self, row: RegistryRow, key: Sequence[str]) -> None:
        if row.table in PERSONAL and row.tenants:
            raise ReferredError(f"devices of {', '.join(sorted(row.tenants))} refer to {row.id}")
        if row.table == "parts":
            for other, column in (("stock", "part"), ("parts", "superseded_by")):
                if any(cells.get(column) == key[0] for _place, cells in self._everything(other)):
                    raise ReferredError(f"{column} of rows in {other} refers to {row.id}")

    def _everything(self, table: str) -> Iterator[tuple[SortKey, Cells]]:
        yield from self._in_files(table)
        yield from self._stored(table, None, None)

    # What is open

    def _database(self, *, make: bool) -> RegistryDatabase | None:
        if self._opened is None and (make or self._path.exists()):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._opened = RegistryDatabase(self._path, self._regions)
        return self._opened

    def _registry_of_files(self) -> Registry:
        """Return what the files hold; read again once a file or the database has changed."""
        database = self._database(make=False)
        stats = ((path, path.stat()) for path in sorted(self._folder.glob("*.csv")))
        state = (
            tuple((path.name, stat.st_mtime_ns, stat.st_size) for path, stat in stats),
            None if database is None else database.one("PRAGMA data_version"),
        )
        if self._files is None or self._files[0] != state:
            files = load_registry(self._folder) if database is None else load_files(self._folder, database)
            self._files = (state, files)
        return self._files[1]


def _refuse_unwritable(values: Mapping[str, object]) -> None:
    """Refuse cells with characters that no file and no paper can have."""
    problems = []
    for column, value in values.items():
        text = f"{column}{_cell(value)}"
        if any(category(character) in ("Cc", "Cs") and character not in "\n\t" for character in text):
            problems.append(f"{column[:40]!r}: expected text without control characters, got {text[:80]!r}")
    if problems:
        raise RowError(problems)


def _query(table: str, after: SortKey, tenants: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    """Return what asks for the next keys of a table, those of tenants alone."""
    among = sorted(tenants) if tenants is not None else []
    marks = ", ".join("?" * len(among))
    if table not in _BIG:
        query = (
            "SELECT scope, key, cells FROM rows WHERE name = ? AND (scope, key) > (?, ?) ORDER BY scope, key"
        )
        return f"{query} LIMIT {_AT_ONCE}", (f"{table}.csv", *after)
    columns = ", ".join(KEYS[table])
    of = ""
    if tenants is not None and table == "devices":
        of = f" AND tenant IN ({marks})"
    elif tenants is not None:
        here = f"{table}.{columns}"
        of = f" AND EXISTS (SELECT 1 FROM devices d WHERE d.{columns} = {here} AND d.tenant IN ({marks}))"  # noqa: S608
    after_marks = ", ".join("?" * len(after))
    query = f"SELECT {columns} FROM {table} WHERE ({columns}) > ({after_marks}){of} ORDER BY {columns}"  # noqa: S608
    return f"{query} LIMIT {_AT_ONCE}", (*after, *among)


def _cells(entry: Owner | SiteEntry | DeviceEntry) -> Cells:
    """Return the cells of an entry that are filled in, by the columns of its table."""
    if isinstance(entry, DeviceEntry):
        found = {"tenant": entry.id.tenant, "class": entry.id.device_class, "device": entry.id.device}
        others = {name: getattr(entry, name) for name in TABLES["devices.csv"].optional if name != "bought"}
        found |= others | {"bought": entry.bought.isoformat() if entry.bought else None}
    else:
        table, key = ("owners.csv", "owner") if isinstance(entry, Owner) else ("sites.csv", "site")
        found = {key: entry.id} | {name: getattr(entry, name) for name in TABLES[table].optional}
    return {column: cell for column, cell in found.items() if cell}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return LIST_SEPARATOR.join(map(_cell, value))
    return str(value).strip()


def _sort_key(table: str, key: Sequence[str]) -> SortKey:
    """Return where a row stands among those of its table; of small tables as the database names it."""
    if table in _BIG:
        return tuple(key)
    named = dict(zip(KEYS[table], key, strict=True))
    device = named.get("device", "") if table == "warranties" else ""
    scope = "/".join((named["tenant"], named["class"], device)) if device else ""
    return scope, _UNIT.join(key)


def _id_of(table: str, key: Sequence[str]) -> str:
    """Return what names a row in addresses: its key where that is one name or a device's, else opaque."""
    if len(key) == 1 or table == "devices":
        return "/".join(key)
    return base64.urlsafe_b64encode(_UNIT.join(key).encode()).decode().rstrip("=")


def _key_of(table: str, row_id: str) -> list[str] | None:
    columns = KEYS[table]
    if len(columns) == 1:
        return [row_id]
    if table == "devices":
        key = row_id.split("/")
    else:
        try:
            padded = row_id.encode("ascii") + b"=" * (-len(row_id) % 4)
            key = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split(_UNIT)
        except (UnicodeError, binascii.Error):
            return None
    return key if len(key) == len(columns) else None


def _encoded(place: SortKey) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _decoded(cursor: str, width: int) -> SortKey:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError):
        place = None
    if not isinstance(place, list) or len(place) != width or not all(isinstance(one, str) for one in place):
        raise UserError(f"cursor: expected one that a page of this list gave, got {cursor!r}")
    return tuple(place)
