"""What was imported into the registry: an SQLite file that is looked into when something is asked.

A million devices stand in it, and a gateway starts no later for them. Personal data stands in tables of its
own, ``persons`` (name, contact) and ``addresses``; all other tables hold technical facts.
"""

import sqlite3
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Generic, Self, TypeVar

from diagnostics.orders.registry import DeviceEntry, Owner, Registry, SiteEntry
from gateway.errors import StoreUnavailableError, UserError
from rules.symbols import DeviceId

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: Stands in the file, so that a file of another program or of a later forewarn is not touched.
APPLICATION = 0x46_57_52_47  # "FWRG"
VERSION = 1

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS owners (owner TEXT PRIMARY KEY, language TEXT, time_zone TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS persons (owner TEXT PRIMARY KEY, name TEXT, contact TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sites (site TEXT PRIMARY KEY, country TEXT, time_zone TEXT, postal_code TEXT)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS addresses (site TEXT PRIMARY KEY, address TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS devices (
  tenant TEXT, class TEXT, device TEXT, model TEXT, serial TEXT, firmware TEXT, parent TEXT, owner TEXT,
  site TEXT, bought TEXT, PRIMARY KEY (tenant, class, device)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS devices_of_owner ON devices (owner);
CREATE INDEX IF NOT EXISTS devices_of_site ON devices (site);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""


@dataclass(frozen=True, slots=True)
class _Queries(Generic[Key, Value]):
    """How a table is read: one row by its key, all keys in order, how many, and what rows become."""

    one: str
    keys: str
    count: str
    key: Callable[[Sequence[str]], Key]
    value: Callable[[Sequence[str]], Value]


def _device(row: Sequence[str]) -> DeviceEntry:
    tenant, device_class, device, model, serial, firmware, parent, owner, site, bought = row
    return DeviceEntry(
        DeviceId(tenant, device_class, device),
        model,
        serial,
        firmware,
        parent,
        owner,
        site,
        date.fromisoformat(bought) if bought else None,
    )


_OWNERS = _Queries(
    "SELECT owner, name, contact, language, time_zone FROM owners LEFT JOIN persons USING (owner)"
    " WHERE owner = ?",
    "SELECT owner FROM owners ORDER BY owner",
    "SELECT count(*) FROM owners",
    lambda row: row[0],
    lambda row: Owner(*row),
)
_SITES = _Queries(
    "SELECT site, address, country, time_zone, postal_code FROM sites LEFT JOIN addresses USING (site)"
    " WHERE site = ?",
    "SELECT site FROM sites ORDER BY site",
    "SELECT count(*) FROM sites",
    lambda row: row[0],
    lambda row: SiteEntry(*row),
)
_DEVICES = _Queries(
    "SELECT tenant, class, device, model, serial, firmware, parent, owner, site, bought FROM devices"
    " WHERE tenant = ? AND class = ? AND device = ?",
    "SELECT tenant, class, device FROM devices ORDER BY tenant, class, device",
    "SELECT count(*) FROM devices",
    lambda row: DeviceId(*row),
    _device,
)


class RegistryDatabase:
    """The file. Any thread may call any method.

    Args:
        path: made when it is not there.

    Raises:
        UserError: it is no registry, or one of a later forewarn.
        StoreUnavailableError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._speaking():
            self._connection = sqlite3.connect(
                path, timeout=30, check_same_thread=False, isolation_level=None
            )
            self._check()
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.executescript(_SCHEMA)

    @classmethod
    def open_present(cls, path: Path) -> Self | None:
        """Return the registry in a file, None when there is no file."""
        return cls(path) if path.exists() else None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def settle(self) -> None:
        """Bring everything into the file itself, so that what was erased stands nowhere beside it."""
        with self._speaking():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _check(self) -> None:
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise UserError(f"{self.path}: expected a registry of forewarn, got another database")
        if version > VERSION:
            raise UserError(f"{self.path}: expected a registry of version {VERSION} at most, got {version}")

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(f"{self.path}: {error}") from None
        except sqlite3.DatabaseError as error:
            raise UserError(f"{self.path}: expected a registry of forewarn, got: {error}") from None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written inside is kept, or, when it raises, none of it."""
        with self._speaking():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    # Writing

    def put_owners(self, owners: Sequence[Owner]) -> None:
        """Add owners or replace those of the same key; inside `writing`."""
        self._many(
            "INSERT OR REPLACE INTO owners VALUES (?, ?, ?)",
            [(o.id, o.language, o.time_zone) for o in owners],
        )
        self._many(
            "INSERT OR REPLACE INTO persons VALUES (?, ?, ?)", [(o.id, o.name, o.contact) for o in owners]
        )

    def put_sites(self, sites: Sequence[SiteEntry]) -> None:
        """Add sites or replace those of the same key; inside `writing`."""
        rows = [(s.id, s.country, s.time_zone, s.postal_code) for s in sites]
        self._many("INSERT OR REPLACE INTO sites VALUES (?, ?, ?, ?)", rows)
        self._many("INSERT OR REPLACE INTO addresses VALUES (?, ?)", [(s.id, s.address) for s in sites])

    def put_devices(self, devices: Sequence[DeviceEntry]) -> None:
        """Add devices or replace those of the same key; inside `writing`."""
        rows = [
            (
                *d.id,
                d.model,
                d.serial,
                d.firmware,
                d.parent,
                d.owner,
                d.site,
                d.bought.isoformat() if d.bought else None,
            )
            for d in devices
        ]
        self._many("INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _many(self, statement: str, rows: Sequence[tuple[str | None, ...]]) -> None:
        self._connection.executemany(statement, rows)

    def erase_person(self, owner: str) -> bool:
        """Remove name and contact of an owner; say whether there were any. Inside `writing`."""
        self._connection.execute("PRAGMA secure_delete = ON")
        return self._connection.execute("DELETE FROM persons WHERE owner = ?", (owner,)).rowcount > 0

    def erase_address(self, site: str) -> bool:
        """Remove the address of a site; say whether there was one. Inside `writing`."""
        self._connection.execute("PRAGMA secure_delete = ON")
        return self._connection.execute("DELETE FROM addresses WHERE site = ?", (site,)).rowcount > 0

    # Reading

    def one(self, query: str, values: Sequence[str] = ()) -> tuple[str, ...] | None:
        """Return a query's first row, None when it has none."""
        with self._speaking():
            found: tuple[str, ...] | None = self._connection.execute(query, values).fetchone()
        return found

    def all(self, query: str, values: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
        """Yield a query's rows."""
        with self._speaking():
            yield from self._connection.execute(query, values)

    def holds(self, table: str, key: Hashable) -> bool:
        """Say whether a key stands in a table, by the name of its CSV file."""
        if isinstance(key, DeviceId):
            return table == "devices.csv" and key in self.devices
        if table == "owners.csv":
            return key in self.owners
        return table == "sites.csv" and key in self.sites

    @property
    def owners(self) -> "Lookup[str, Owner]":
        """All owners."""
        return Lookup(self, _OWNERS)

    @property
    def sites(self) -> "Lookup[str, SiteEntry]":
        """All sites."""
        return Lookup(self, _SITES)

    @property
    def devices(self) -> "Lookup[DeviceId, DeviceEntry]":
        """All devices."""
        return Lookup(self, _DEVICES)

    def devices_of(self, owner: str) -> list[DeviceEntry]:
        """Return the devices of an owner."""
        query = "SELECT tenant, class, device FROM devices WHERE owner = ? ORDER BY tenant, class, device"
        return [self.devices[DeviceId(*row)] for row in self.all(query, (owner,))]

    def behind(self, registry: Registry) -> Registry:
        """Return a registry that knows what another knows and, where that knows nothing, what is in here."""
        return replace(
            registry,
            devices=Layered(registry.devices, self.devices),
            owners=Layered(registry.owners, self.owners),
            sites=Layered(registry.sites, self.sites),
        )


class Lookup(Mapping[Key, Value]):
    """A table as a mapping that reads a row when it is asked for it."""

    def __init__(self, database: RegistryDatabase, queries: _Queries[Key, Value]) -> None:
        self.database, self._queries = database, queries

    def __getitem__(self, key: Key) -> Value:
        values = tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)
        row = self.database.one(self._queries.one, values)
        if row is None:
            raise KeyError(key)
        return self._queries.value(row)

    def __iter__(self) -> Iterator[Key]:
        for row in self.database.all(self._queries.keys):
            yield self._queries.key(row)

    def __len__(self) -> int:
        row = self.database.one(self._queries.count)
        return int(row[0]) if row else 0


class Layered(Mapping[Key, Value]):
    """Two mappings of which the first goes before the second."""

    def __init__(self, first: Mapping[Key, Value], second: Mapping[Key, Value]) -> None:
        self.first, self.second = first, second

    def __getitem__(self, key: Key) -> Value:
        found = self.first.get(key)
        return self.second[key] if found is None else found

    def __iter__(self) -> Iterator[Key]:
        yield from self.first
        yield from (key for key in self.second if key not in self.first)

    def __len__(self) -> int:
        return len(self.second) + sum(key not in self.second for key in self.first)
