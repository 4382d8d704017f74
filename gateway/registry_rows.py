"""The registry's tables, described in docs/registry.md: their columns, and what a row of each becomes."""

from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Final, Protocol, get_args

from diagnostics.faults import DeviceClass, ServiceChannel
from diagnostics.orders.calendars import WorkingHours
from diagnostics.orders.registry import (
    CostItem,
    Coverage,
    CoverageKind,
    DeviceEntry,
    Owner,
    Part,
    Registry,
    Repairer,
    ServiceLevel,
    SiteEntry,
    Stock,
    Tenant,
)
from gateway.csv_tables import Columns, Row, Table
from rules.model import Severity
from rules.symbols import DeviceId

TABLES: Final = {
    "tenants.csv": Columns(("tenant",), ("name", "region")),
    "owners.csv": Columns(("owner",), ("name", "contact", "language", "time_zone")),
    "sites.csv": Columns(("site",), ("address", "country", "region", "postal_code", "time_zone")),
    "devices.csv": Columns(
        ("tenant", "class", "device"),
        ("model", "serial", "firmware", "parent", "owner", "site", "bought"),
    ),
    "warranties.csv": Columns(
        ("tenant", "kind"),
        (
            "class",
            "device",
            "model",
            "starts",
            "ends",
            "months",
            "coverage",
            "contract",
            "covers",
            "faults",
            "part_kinds",
            "excludes",
            "countries",
            "channels",
            "term",
            "extends",
        ),
    ),
    "parts.csv": Columns(
        ("part", "title", "kind", "models"),
        (
            "tenant",
            "price",
            "currency",
            "tariff_number",
            "origin_country",
            "return_required",
            "weight_kg",
            "superseded_by",
        ),
    ),
    "stock.csv": Columns(("warehouse", "country", "part", "quantity")),
    "repairers.csv": Columns(
        ("repairer", "name", "countries", "channels", "skills"),
        (
            "tenants",
            "country",
            "address",
            "currency",
            "labour_rate",
            "travel_fee",
            "shipping_fee",
            "postal_areas",
            "classes",
            "hours",
            "time_zone",
            "region",
            "capacity",
            "jobs_a_day",
        ),
    ),
    "service_levels.csv": Columns(
        ("respond", "resolve"), ("tenant", "country", "severity", "hours", "holidays")
    ),
}

CLASSES: Final[tuple[DeviceClass, ...]] = get_args(DeviceClass)
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
COSTS: Final[tuple[CostItem, ...]] = get_args(CostItem)
KINDS: Final[tuple[CoverageKind, ...]] = get_args(CoverageKind)
CHANNELS: Final[tuple[ServiceChannel, ...]] = get_args(ServiceChannel)


#: Columns whose cells together name a row, in tables whose rows have no object of their own in the database.
KEY_COLUMNS: Final = {
    "tenants.csv": ("tenant",),
    "parts.csv": ("part",),
    "stock.csv": ("warehouse", "part"),
    "repairers.csv": ("repairer",),
    "service_levels.csv": ("tenant", "country", "severity"),
    "warranties.csv": tuple(
        column
        for column in TABLES["warranties.csv"].all
        if column not in ("ends", "months", "coverage", "excludes", "channels")
    ),
}

_SEPARATOR = "\x1f"  # the unit separator of ASCII: no cell has it


def key_of(table: str, cells: Mapping[str, str]) -> str:
    """Return what names a row among all of its table."""
    return _SEPARATOR.join(cells.get(column, "") for column in KEY_COLUMNS[table])


class Imported(Protocol):
    """What stands in the database beside the files."""

    def holds(self, table: str, key: Hashable) -> bool:
        """Say whether a key stands in a table, by the name of its CSV file."""
        ...

    def rows(self, table: str, scope: str = "") -> Iterator[tuple[str, int, dict[str, str]]]:
        """Yield key, place and cells of a table's rows in order; of a device's warranties by its `scope`."""
        ...


class RegistryReader:
    """Reads one folder and what was imported, those tables first that others refer to.

    Args:
        folder: with the CSV files, which go before what was imported.
        imported: None: nothing was.
    """

    def __init__(self, folder: Path, imported: Imported | None = None) -> None:
        self.folder = folder
        self._imported = imported
        self.problems: list[str] = []
        self._keys: dict[str, dict[Hashable, tuple[object, int]]] = {name: {} for name in TABLES}
        self._broken: set[str] = set()
        self.keys_in_files: dict[str, set[str]] = {}
        self._warehouse_country: dict[str, str] = {}

    def read(self) -> Registry:
        """Return the registry of what is right and note all problems."""
        for path in sorted(self.folder.glob("*.csv")):
            if path.name not in TABLES:
                self.problems.append(
                    f"{path}:1: file: expected one of {', '.join(TABLES)}, got {path.name!r}"
                )
        tenants = [self.tenant(row) for row in self._rows("tenants.csv")]
        owners = [self.owner(row) for row in self._rows("owners.csv")]
        sites = [self.site(row) for row in self._rows("sites.csv")]
        devices = [self.device(row) for row in self._rows("devices.csv")]
        coverages = self._coverages()
        registry = Registry(
            tenants={tenant.id: tenant for tenant in tenants},
            owners={owner.id: owner for owner in owners},
            sites={site.id: site for site in sites},
            devices={device.id: device for device in devices},
            coverages=coverages,
            parts=self._parts(),
            stock=[self.stock(row) for row in self._rows("stock.csv")],
            repairers=[self.repairer(row) for row in self._rows("repairers.csv")],
            service_levels=[self.service_level(row) for row in self._rows("service_levels.csv")],
        )
        self._check_residence(registry)
        return registry

    def _coverages(self) -> list[Coverage]:
        """Read all coverages; what extensions prolong may stand further down, or have been imported."""
        coverages: list[Coverage] = []
        extensions: list[tuple[Row, Coverage]] = []
        for row in self._rows("warranties.csv"):
            coverages.append(self.coverage(row))
            if coverages[-1].extends is not None:
                extensions.append((row, coverages[-1]))
        terms = {(coverage.tenant, coverage.term) for coverage in coverages}
        for row, extension in extensions if self._imported is None else ():
            if row.good and (extension.tenant, extension.extends) not in terms:
                row.wrong("extends", "the term of another row")
        return coverages

    def _check_residence(self, registry: Registry) -> None:
        """Note people in files whose data is to be kept in a region: files are kept with all other data."""
        told: set[tuple[str, str]] = set()
        for device in registry.devices.values():
            tenant = registry.tenants.get(device.id.tenant)
            if tenant is None or tenant.region is None:
                continue
            owner, site = registry.owners.get(device.owner or ""), registry.sites.get(device.site or "")
            if owner is not None and (owner.name or owner.contact):
                told.add(("owners.csv", owner.id))
            if site is not None and site.address:
                told.add(("sites.csv", site.id))
        for table, key in sorted(told):
            place = self._keys[table].get(key)
            if place is not None:
                file, line = place
                self.problems.append(
                    f"{file}:{line}: {table.removesuffix('s.csv')}: expected it imported, since its tenant "
                    f"keeps personal data in a region, got {key!r} in a file"
                )

    def _rows(self, name: str) -> Iterator[Row]:
        table = Table(self.folder / name, TABLES[name], self.problems)
        if name not in KEY_COLUMNS:
            yield from table.rows()
        else:
            keys = self.keys_in_files.setdefault(name, set())
            for row in table.rows():
                keys.add(key_of(name, row.cells))
                yield row
            if self._imported is not None:
                for key, place, cells in self._imported.rows(name):
                    if key not in keys:
                        yield Row(f"imported {name}", place, cells, self.problems)
        if not table.whole:
            self._broken.add(name)

    def _key(self, table: str, row: Row, column: str, key: Hashable) -> None:
        """Note a record's key, which no other record of its table may have; half a key is none."""
        if not (all(key) if isinstance(key, tuple) else key):
            return
        earlier = self._keys[table].setdefault(key, row.place)
        if earlier != row.place:
            row.wrong(column, f"each key once, it stands in {earlier[0]}:{earlier[1]}")

    def note_keys(self, table: str, keys: Sequence[Hashable], places: Sequence[tuple[object, int]]) -> bool:
        """Note the keys of many records at once; false, and none noted, when one of them is there already."""
        known = self._keys[table]
        if len(set(keys)) < len(keys) or not known.keys().isdisjoint(keys):
            return False
        known.update(zip(keys, places, strict=True))
        return True

    def knows_all(self, table: str, keys: Set[Hashable]) -> bool:
        """Say whether keys all stand in a table, in a file or imported."""
        known = self._keys[table]
        missing = [key for key in keys if key not in known]  # a difference of sets would go through all known
        return table in self._broken or all(self.knows(table, key) for key in missing)

    def knows(self, table: str, key: Hashable) -> bool:
        """Say whether a key stands in a table, in a file or imported."""
        return key in self._keys[table] or (self._imported is not None and self._imported.holds(table, key))

    def _reference(self, row: Row, column: str, table: str, key: Hashable) -> None:
        """Check that a key stands in another table; not when that table itself could not be read whole."""
        if table not in self._broken and not self.knows(table, key):
            row.wrong(column, f"one that stands in {table}")

    def owner(self, row: Row) -> Owner:
        """Read a row of owners.csv."""
        owner = row.text("owner") or ""
        self._key("owners.csv", row, "owner", owner)
        return Owner(
            id=owner,
            name=row.text("name"),
            contact=row.text("contact"),
            language=row.language("language"),
            time_zone=row.time_zone("time_zone"),
        )

    def site(self, row: Row) -> SiteEntry:
        """Read a row of sites.csv."""
        site = row.text("site") or ""
        self._key("sites.csv", row, "site", site)
        return SiteEntry(
            id=site,
            address=row.text("address"),
            country=row.country("country"),
            time_zone=row.time_zone("time_zone"),
            postal_code=row.postal_code("postal_code"),
            region=self._region(row),
        )

    def _region(self, row: Row) -> str | None:
        region = row.region("region")
        if region is not None and not region.startswith(f"{row.text('country')}-"):
            row.wrong("region", "a region of the country, which stands beside it")
        return region

    def tenant(self, row: Row) -> Tenant:
        """Read a row of tenants.csv."""
        tenant = row.name("tenant")
        self._key("tenants.csv", row, "tenant", tenant)
        return Tenant(id=tenant, name=row.text("name"), region=row.residence("region"))

    def device(self, row: Row) -> DeviceEntry:
        """Read a row of devices.csv."""
        device = DeviceId(row.name("tenant"), row.choice("class", CLASSES) or "", row.name("device"))
        self._key("devices.csv", row, "device", device)
        owner, site = row.text("owner"), row.text("site")
        if owner is not None:
            self._reference(row, "owner", "owners.csv", owner)
        if site is not None:
            self._reference(row, "site", "sites.csv", site)
        return DeviceEntry(
            id=device,
            model=row.text("model"),
            serial=row.text("serial"),
            firmware=row.text("firmware"),
            parent=row.text("parent"),
            owner=owner,
            site=site,
            bought=row.day("bought"),
        )

    def coverage(self, row: Row) -> Coverage:
        """Read a row of warranties.csv."""
        tenant, model = row.name("tenant"), row.text("model")
        device = self._covered_device(row, tenant, model)
        starts, ends, months = row.day("starts"), row.day("ends"), row.count("months")
        kind = row.choice("kind", KINDS) or "warranty"
        if ends is not None and months is not None:
            row.wrong("months", "either ends or months")
        if row.text("ends") is None and row.text("months") is None and kind != "contract":
            row.wrong("ends", f"an end or months, {'a' if kind == 'warranty' else 'an'} {kind} has one")
        term, extends = row.text("term"), row.text("extends")
        if extends is not None and kind != "extension":
            row.wrong("extends", "nothing, only an extension prolongs something")
        if starts is not None and ends is not None and ends < starts:
            row.wrong("ends", f"a day not before {starts.isoformat()}")
        return Coverage(
            kind=kind,
            tenant=tenant,
            device=device,
            model=model,
            starts=starts,
            ends=ends,
            months=months,
            text=row.text("coverage"),
            contract=row.text("contract"),
            excludes=row.several("excludes"),
            faults=row.several("faults"),
            part_kinds=row.several("part_kinds"),
            covers=row.choices("covers", COSTS),
            countries=row.countries("countries"),
            channels=row.choices("channels", CHANNELS),
            term=term,
            extends=extends,
        )

    def _covered_device(self, row: Row, tenant: str, model: str | None) -> DeviceId | None:
        """Return the device that a coverage names; exactly one of device and model must be named."""
        if row.text("device") is None:
            if model is None:
                row.wrong("device", "a device or a model")
            if row.text("class") is not None:
                row.wrong("class", "no class without a device")
            return None
        if model is not None:
            row.wrong("model", "either a device or a model")
        if row.text("class") is None:
            row.wrong("class", f"the device's class, one of {', '.join(CLASSES)}")
            return None
        device = DeviceId(tenant, row.choice("class", CLASSES) or "", row.name("device"))
        if all(device):
            self._reference(row, "device", "devices.csv", device)
        return device

    def _parts(self) -> dict[str, Part]:
        """Read all parts; what supersedes them may stand further down."""
        rows = list(self._rows("parts.csv"))
        parts = [self.part(row) for row in rows]
        self.check_successors(rows)
        return {part.number: part for part in parts}

    def check_successors(self, rows: Sequence[Row]) -> None:
        """Check that what supersedes parts is a part, once all of them have been read."""
        for row in rows:
            if (successor := row.text("superseded_by")) is None:
                continue
            if successor == row.text("part"):
                row.wrong("superseded_by", "another part than itself")
            self._reference(row, "superseded_by", "parts.csv", successor)

    def part(self, row: Row) -> Part:
        """Read a row of parts.csv."""
        number = row.text("part") or ""
        self._key("parts.csv", row, "part", number)
        price, currency = row.amount("price"), row.currency("currency")
        if row.text("price") is not None and row.text("currency") is None:
            row.wrong("currency", "a currency beside the price")
        return Part(
            number=number,
            title=row.text("title") or "",
            kind=row.kind("kind"),
            models=row.several("models"),
            tenant=row.name("tenant") or None,
            price=price,
            currency=currency,
            tariff_number=row.tariff("tariff_number"),
            origin_country=row.country("origin_country"),
            return_required=row.truth("return_required"),
            weight_kg=row.amount("weight_kg", "a weight such as 0.85"),
            superseded_by=row.text("superseded_by"),
        )

    def stock(self, row: Row) -> Stock:
        """Read a row of stock.csv."""
        warehouse, country, part = (
            row.text("warehouse") or "",
            row.country("country") or "",
            row.text("part") or "",
        )
        self._key("stock.csv", row, "part", (warehouse, part))
        if part:
            self._reference(row, "part", "parts.csv", part)
        known = self._warehouse_country.setdefault(warehouse, country)
        if country and known != country:
            row.wrong("country", f"{known} as in the warehouse's other rows")
        return Stock(warehouse=warehouse, country=country, part=part, quantity=row.count("quantity") or 0)

    def repairer(self, row: Row) -> Repairer:
        """Read a row of repairers.csv."""
        repairer = row.text("repairer") or ""
        self._key("repairers.csv", row, "repairer", repairer)
        rate, travel, shipping = (row.amount(name) for name in ("labour_rate", "travel_fee", "shipping_fee"))
        if row.text("currency") is None and any(
            row.text(fee) for fee in ("labour_rate", "travel_fee", "shipping_fee")
        ):
            row.wrong("currency", "a currency beside rates and fees")
        return Repairer(
            id=repairer,
            name=row.text("name") or "",
            countries=row.countries("countries"),
            channels=row.choices("channels", CHANNELS),
            skills=row.several("skills"),
            tenants=row.names("tenants"),
            country=row.country("country"),
            address=row.text("address"),
            currency=row.currency("currency"),
            labour_rate=rate,
            travel_fee=travel,
            shipping_fee=shipping,
            postal_areas=row.postal_areas("postal_areas"),
            classes=row.choices("classes", CLASSES),
            hours=self._repairer_hours(row),
            time_zone=row.time_zone("time_zone"),
            region=self._region(row),
            capacity=row.count("capacity"),
            jobs_a_day=row.count("jobs_a_day"),
        )

    def _repairer_hours(self, row: Row) -> WorkingHours | None:
        if row.text("hours") is not None and row.text("time_zone") is None:
            row.wrong("time_zone", "the time zone of the hours")
        return row.hours("hours")

    def service_level(self, row: Row) -> ServiceLevel:
        """Read a row of service_levels.csv."""
        tenant, country, severity = (
            row.name("tenant") or None,
            row.country("country"),
            row.choice("severity", SEVERITIES),
        )
        for_whom = (tenant or "all", country or "all", severity or "all")
        self._key("service_levels.csv", row, "tenant", for_whom)
        respond, resolve = row.duration("respond") or 0, row.duration("resolve") or 0
        if 0 < resolve < respond:
            row.wrong("resolve", "a time not before the answer")
        if row.text("holidays") is not None and row.text("hours") is None:
            row.wrong("holidays", "nothing without business hours")
        return ServiceLevel(
            respond=respond,
            resolve=resolve,
            tenant=tenant,
            country=country,
            severity=severity,
            hours=row.hours("hours"),
            holidays=row.choice("holidays", ("off", "worked")) != "worked",
        )
