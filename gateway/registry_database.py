"""What was imported into the registry: an SQLite file that is looked into when something is asked.

A million devices stand in it, and a gateway starts no later for them. Personal data stands in tables of its
own (`gateway.registry_persons`), in the file of its tenant's region where the tenant has one; all others hold
technical facts.
"""

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from diagnostics.orders.registry import Coverage, DeviceEntry, Owner, Registry, SiteEntry
from gateway.errors import UserError
from gateway.registry_lookup import DEVICES, OWNERS, SITES, Layered, Lookup
from gateway.registry_persons import SCHEMA as PERSONS_SCHEMA
from gateway.registry_persons import Cells, Persons, connect, speaking
from rules.symbols import DeviceId

#: Stands in the file, so that a file of another program or of a later forewarn is not touched.
APPLICATION = 0x46_57_52_47  # "FWRG"
VERSION = 2

_INDEXES = {
    "devices_of_owner": "CREATE INDEX IF NOT EXISTS devices_of_owner ON devices (owner)",
    "devices_of_site": "CREATE INDEX IF NOT EXISTS devices_of_site ON devices (site)",
}

#: `home` is the region in whose file the personal data stands; NULL: in this one. `rows` has the tables that
#: are small, as they were imported; of these only warranties may be many, and those of one device have it as
#: their scope.
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS owners (owner TEXT PRIMARY KEY, language TEXT, time_zone TEXT, home TEXT)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sites (
  site TEXT PRIMARY KEY, country TEXT, time_zone TEXT, postal_code TEXT, region TEXT, home TEXT)
  WITHOUT ROWID;
{PERSONS_SCHEMA}
CREATE TABLE IF NOT EXISTS devices (
  tenant TEXT, class TEXT, device TEXT, model TEXT, serial TEXT, firmware TEXT, parent TEXT, owner TEXT,
  site TEXT, bought TEXT, PRIMARY KEY (tenant, class, device)) WITHOUT ROWID;
{"".join(f"{statement};" for statement in _INDEXES.values())}
CREATE TABLE IF NOT EXISTS rows (
  name TEXT, scope TEXT, key TEXT, place INTEGER, cells TEXT, PRIMARY KEY (name, scope, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS homes (region TEXT PRIMARY KEY) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""

#: From the first version to the second.
_MIGRATION = """
ALTER TABLE owners ADD COLUMN home TEXT;
ALTER TABLE sites ADD COLUMN region TEXT;
ALTER TABLE sites ADD COLUMN home TEXT;
"""


class RegistryDatabase:
    """The file. Any thread may call any method.

    Args:
        path: made when it is not there.
        regions: folders in which the personal data of regions is kept; of others it is beside the file.

    Raises:
        UserError: it is no registry, or one of a later forewarn.
        StoreUnavailableError: it cannot be opened, or the file of a region is not there.
    """

    def __init__(self, path: Path, regions: Mapping[str, Path] | None = None) -> None:
        self.path = path
        self._folders = dict(regions or {})
        self._homes: dict[str, Persons] = {}
        with self._speaking():
            self._connection = connect(path)
            self._check()
            self._connection.executescript(_SCHEMA)
        self._persons = Persons(path, self._connection)
        for (region,) in list(self.all("SELECT region FROM homes")):
            self._homes[region] = Persons.of_region(self._path_of(region), make=False)

    @classmethod
    def open_present(cls, path: Path, regions: Mapping[str, Path] | None = None) -> Self | None:
        """Return the registry in a file, None when there is no file."""
        return cls(path, regions) if path.exists() else None

    def close(self) -> None:
        """Close the file and those of regions."""
        for persons in (self._persons, *self._homes.values()):
            persons.close()

    def settle(self) -> None:
        """Bring everything into the files themselves, so that what was erased stands nowhere beside them."""
        for persons in (self._persons, *self._homes.values()):
            persons.settle()

    def _path_of(self, region: str) -> Path:
        return self._folders.get(region, self.path.parent) / f"registry-persons-{region}.db"

    def _check(self) -> None:
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise UserError(f"{self.path}: expected a registry of forewarn, got another database")
        if version > VERSION:
            raise UserError(f"{self.path}: expected a registry of version {VERSION} at most, got {version}")
        if tables and version == 1:
            self._connection.executescript(_MIGRATION)

    def _speaking(self) -> AbstractContextManager[None]:
        return speaking(self.path)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written inside is kept, or, when it raises, none of it.

        The files of regions are committed first: should the machine fail between two of them, a person's data
        may stand in its region twice, and never outside of it.
        """
        with self._speaking():
            try:
                for persons in (*self._homes.values(), self._persons):
                    persons.connection.execute("BEGIN IMMEDIATE")
                yield
            except BaseException:
                for connection in (self._connection, *(p.connection for p in self._homes.values())):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise
            for persons in (*self._homes.values(), self._persons):
                persons.connection.execute("COMMIT")

    # Writing

    def put_owners(self, owners: Sequence[Owner]) -> None:
        """Add owners or replace those of the same key; inside `writing`."""
        self.put_owner_cells([(o.id, o.name, o.contact, o.language, o.time_zone) for o in owners])

    def put_owner_cells(self, rows: Sequence[Cells]) -> None:
        """Do so with rows of cells in the order of the table's columns."""
        if self._homes:
            self._leave_homes("persons", "owners", [str(row[0]) for row in rows])
        self._many(
            "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, NULL)",
            [(owner, language, zone) for owner, _, _, language, zone in rows],
        )
        self._persons.put("persons", [row[:3] for row in rows])

    def put_sites(self, sites: Sequence[SiteEntry]) -> None:
        """Add sites or replace those of the same key; inside `writing`."""
        self.put_site_cells(
            [(s.id, s.address, s.country, s.region, s.postal_code, s.time_zone) for s in sites]
        )

    def put_site_cells(self, rows: Sequence[Cells]) -> None:
        """Do so with rows of cells in the order of the table's columns."""
        if self._homes:
            self._leave_homes("addresses", "sites", [str(row[0]) for row in rows])
        told = [(site, country, zone, code, region) for site, _, country, region, code, zone in rows]
        self._many("INSERT OR REPLACE INTO sites VALUES (?, ?, ?, ?, ?, NULL)", told)
        self._persons.put("addresses", [row[:2] for row in rows])

    def put_rows(self, table: str, rows: Iterable[tuple[str, str, Mapping[str, str]]]) -> None:
        """Add rows of a small table, or replace those of the same scope and key, in their place.

        Inside `writing`.

        Args:
            table: name of its CSV file.
            rows: scope, key and cells; new ones go behind those that are there.
        """
        (last,) = self.one("SELECT coalesce(max(place), 0) FROM rows WHERE name = ?", (table,)) or (0,)
        self._many(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name, scope, key) DO UPDATE SET cells = excluded.cells",
            [
                (table, scope, key, int(last) + number, json.dumps(cells, ensure_ascii=False))
                for number, (scope, key, cells) in enumerate(rows, start=1)
            ],
        )

    def clear(self, table: str) -> None:
        """Remove all rows of a table, by the name of its CSV file; inside `writing`."""
        if table in ("owners.csv", "sites.csv"):
            personal = "persons" if table == "owners.csv" else "addresses"
            for persons in (self._persons, *self._homes.values()):
                persons.clear(personal)
        with self._speaking():
            if table in ("owners.csv", "sites.csv", "devices.csv"):
                self._connection.execute(f"DELETE FROM {table.removesuffix('.csv')}")  # noqa: S608
            else:
                self._connection.execute("DELETE FROM rows WHERE name = ?", (table,))

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
        self.put_device_cells(rows)

    def put_device_cells(self, rows: Sequence[Cells]) -> None:
        """Do so with rows of cells in the order of the table's columns."""
        self._many("INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def remove(self, table: str, key: Sequence[str], scope: str = "") -> bool:
        """Remove one row, by the name of its CSV file; say whether there was one. Inside `writing`.

        Args:
            table: name of its CSV file.
            key: of owner, site and device the cells that name it; of others the one text that names the row.
            scope: of a device's warranties.
        """
        columns = {
            "owners.csv": ("owner",),
            "sites.csv": ("site",),
            "devices.csv": ("tenant", "class", "device"),
        }
        if table == "owners.csv":
            self.erase_person(key[0])
        elif table == "sites.csv":
            self.erase_address(key[0])
        named = columns.get(table)
        with self._speaking():
            if named is None:
                statement = "DELETE FROM rows WHERE name = ? AND scope = ? AND key = ?"
                return self._connection.execute(statement, (table, scope, *key)).rowcount > 0
            which = " AND ".join(f"{column} = ?" for column in named)
            statement = f"DELETE FROM {table.removesuffix('.csv')} WHERE {which}"  # noqa: S608
            return self._connection.execute(statement, tuple(key)).rowcount > 0

    @contextmanager
    def in_bulk(self) -> Iterator[None]:
        """Inside, many devices may be put; where there are none yet, they are put in order at the end.

        Inside `writing`.
        """
        with self._speaking():
            # KiB: all that an index touches at a time.
            self._connection.execute("PRAGMA cache_size = -100000")
        empty = self.one("SELECT 1 FROM devices LIMIT 1") is None
        with self._speaking():
            for name in _INDEXES if empty else ():
                self._connection.execute(f"DROP INDEX IF EXISTS {name}")
        yield
        with self._speaking():
            for statement in _INDEXES.values() if empty else ():
                self._connection.execute(statement)

    def _many(self, statement: str, rows: Iterable[tuple[str | int | None, ...]]) -> None:
        with self._speaking():
            self._connection.executemany(statement, rows)

    # Personal data in its region

    @property
    def has_regions(self) -> bool:
        """Whether any personal data stands in the file of a region."""
        return bool(self._homes)

    def regions_of(self, files: Registry) -> dict[str, str]:
        """Return the regions of data of the tenants that have one, as files and database have them."""
        imported = {key: cells.get("region") for key, _, cells in self.rows("tenants.csv")}
        known = imported | {tenant.id: tenant.region for tenant in files.tenants.values()}
        return {tenant: region for tenant, region in known.items() if region}

    def settle_homes(self, regions: Mapping[str, str], files: Registry) -> list[str]:
        """Bring personal data into the region of the tenants whose devices it belongs to; inside `writing`.

        Args:
            regions: of tenants that have one.
            files: devices in files, whose owners may have been imported.

        Returns:
            What cannot be brought into one region, since devices of tenants of several belong to it; it
            stands in the first by name.
        """
        if not regions and not self._homes:
            return []
        return [
            *self._settle("persons", "owners", "owner", regions, files),
            *self._settle("addresses", "sites", "site", regions, files),
        ]

    def _settle(
        self, personal: str, table: str, column: str, regions: Mapping[str, str], files: Registry
    ) -> Iterator[str]:
        wanted: dict[str, set[str]] = {}
        pairs = f"SELECT DISTINCT {column}, tenant FROM devices WHERE {column} IS NOT NULL"  # noqa: S608
        for key, tenant in list(self.all(pairs)):
            if tenant in regions:
                wanted.setdefault(key, set()).add(regions[tenant])
        for device in files.devices.values():
            of: str | None = getattr(device, column)
            if of is not None and device.id.tenant in regions:
                wanted.setdefault(of, set()).add(regions[device.id.tenant])
        kept = f"SELECT {column}, home FROM {table} WHERE home IS NOT NULL"  # noqa: S608
        homes = {row[0]: row[1] for row in list(self.all(kept))}
        for key in sorted(wanted.keys() | homes.keys()):
            found = sorted(wanted.get(key, ()))
            if len(found) > 1:
                yield (
                    f"{table}.csv: {column} {key!r}: expected devices of tenants of one region of data, got "
                    f"{', '.join(found)}; its data is kept in {found[0]}"
                )
            home = found[0] if found else None
            if home != homes.get(key):
                self._move(personal, key, homes.get(key), home)
                with self._speaking():
                    statement = f"UPDATE {table} SET home = ? WHERE {column} = ?"  # noqa: S608
                    self._connection.execute(statement, (home, key))

    def _move(self, personal: str, key: str, before: str | None, after: str | None) -> None:
        cells = self._home(before).find(personal, key)
        if cells is not None:
            self._home(after).put(personal, [(key, *cells)])
        self._home(before).erase(personal, key)

    def _home(self, region: str | None) -> Persons:
        """Return where the data of a region stands; a region that is new begins a file."""
        if region is None:
            return self._persons
        if region not in self._homes:
            self._homes[region] = Persons.of_region(self._path_of(region), make=True)
            self._homes[region].connection.execute("BEGIN IMMEDIATE")
            self._many("INSERT OR IGNORE INTO homes VALUES (?)", [(region,)])
        return self._homes[region]

    def _leave_homes(self, personal: str, table: str, keys: Sequence[str]) -> None:
        """Erase what regions have of rows that are written anew; where it then belongs is settled after."""
        column = "owner" if table == "owners" else "site"
        for key in keys:
            row = self.one(f"SELECT home FROM {table} WHERE {column} = ?", (key,))  # noqa: S608
            if row is not None and row[0] is not None:
                self._home(row[0]).erase(personal, key)

    def erase_person(self, owner: str) -> bool:
        """Remove name and contact of an owner; say whether there were any. Inside `writing`."""
        return sum(one.erase("persons", owner) for one in (self._persons, *self._homes.values())) > 0

    def erase_address(self, site: str) -> bool:
        """Remove the address of a site; say whether there was one. Inside `writing`."""
        return sum(one.erase("addresses", site) for one in (self._persons, *self._homes.values())) > 0

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

    def rows(self, table: str, scope: str = "") -> Iterator[tuple[str, int, dict[str, str]]]:
        """Yield key, place and cells of a small table's rows in order; of a device's warranties by scope."""
        query = "SELECT key, place, cells FROM rows WHERE name = ? AND scope = ? ORDER BY place"
        for key, place, cells in self.all(query, (table, scope)):
            yield key, int(place), json.loads(cells)

    def every_row(self, table: str) -> Iterator[dict[str, str]]:
        """Yield the cells of all rows of a small table in order."""
        query = "SELECT cells FROM rows WHERE name = ? ORDER BY place"
        for (cells,) in self.all(query, (table,)):
            yield json.loads(cells)

    def holds(self, table: str, key: Hashable) -> bool:
        """Say whether a key stands in a table, by the name of its CSV file."""
        if isinstance(key, DeviceId):
            return table == "devices.csv" and key in self.devices
        if table == "owners.csv":
            return key in self.owners
        if table == "sites.csv":
            return key in self.sites
        query = "SELECT 1 FROM rows WHERE name = ? AND scope = '' AND key = ?"
        return self.one(query, (table, str(key))) is not None

    def personal(self, table: str, key: str, home: str | None) -> Cells | None:
        """Return a person's or an address's cells out of the file of a region."""
        if home is not None and home not in self._homes:  # another process has begun it
            self._homes[home] = Persons.of_region(self._path_of(home), make=False)
        return self._home(home).find(table, key)

    @property
    def owners(self) -> Lookup[str, Owner]:
        """All owners."""
        return Lookup(self, replace(OWNERS, value=self._owner))

    @property
    def sites(self) -> Lookup[str, SiteEntry]:
        """All sites."""
        return Lookup(self, replace(SITES, value=self._site))

    @property
    def devices(self) -> Lookup[DeviceId, DeviceEntry]:
        """All devices."""
        return Lookup(self, DEVICES)

    def devices_of(self, owner: str) -> list[DeviceEntry]:
        """Return the devices of an owner."""
        query = "SELECT tenant, class, device FROM devices WHERE owner = ? ORDER BY tenant, class, device"
        return [self.devices[DeviceId(*row)] for row in self.all(query, (owner,))]

    def _owner(self, row: Sequence[str]) -> Owner:
        owner, home = Owner(*row[:5]), row[5]
        if home is None:
            return owner
        name, contact = self.personal("persons", owner.id, home) or (None, None)
        return replace(owner, name=name, contact=contact)

    def _site(self, row: Sequence[str]) -> SiteEntry:
        site, home = SiteEntry(*row[:6]), row[6]
        if home is None:
            return site
        (address,) = self.personal("addresses", site.id, home) or (None,)
        return replace(site, address=address)

    def behind(
        self, registry: Registry, coverages: Callable[[DeviceId], Sequence[Coverage]] | None = None
    ) -> Registry:
        """Return a registry that knows what another knows and, where that knows nothing, what is in here.

        Args:
            registry: goes before.
            coverages: looks up what covers a device.
        """
        return replace(
            registry,
            coverages_elsewhere=coverages,
            devices=Layered(registry.devices, self.devices),
            owners=Layered(registry.owners, self.owners),
            sites=Layered(registry.sites, self.sites),
        )
