"""The registry's folder of CSV files, described in docs/registry.md, into a `Registry`."""

from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Final, get_args

from diagnostics.faults import DeviceClass, ServiceChannel
from diagnostics.orders.calendars import WorkingHours
from diagnostics.orders.registry import (
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
)
from gateway.csv_tables import Columns, Row, Table
from gateway.errors import UserError
from gateway.registry_database import RegistryDatabase
from rules.model import Severity
from rules.symbols import DeviceId

TABLES: Final = {
    "owners.csv": Columns(("owner",), ("name", "contact", "language", "time_zone")),
    "sites.csv": Columns(("site",), ("address", "country", "postal_code", "time_zone")),
    "devices.csv": Columns(
        ("tenant", "class", "device"),
        ("model", "serial", "firmware", "parent", "owner", "site", "bought"),
    ),
    "warranties.csv": Columns(
        ("tenant", "kind"),
        ("class", "device", "model", "starts", "ends", "months", "coverage", "contract", "excludes"),
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
        ),
    ),
    "service_levels.csv": Columns(
        ("respond", "resolve"), ("tenant", "country", "severity", "hours", "holidays")
    ),
}

CLASSES: Final[tuple[DeviceClass, ...]] = get_args(DeviceClass)
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
KINDS: Final[tuple[CoverageKind, ...]] = get_args(CoverageKind)
CHANNELS: Final[tuple[ServiceChannel, ...]] = get_args(ServiceChannel)


def _nowhere(_table: str, _key: Hashable) -> bool:
    return False


def load_registry(folder: Path, database: Path | None = None) -> Registry:
    """Read a registry; a folder or a file that is not there is empty.

    Args:
        folder: CSV files, read whole.
        database: what was imported, looked up when it is asked for; the files go before it. None: files only.

    Raises:
        UserError: one line for every problem, ``file:line: column: expected ..., got ...``.
        OutsideError: a file is there and cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: expected a folder of CSV files, got a file")
    imported = RegistryDatabase.open_present(database) if database is not None else None
    reader = RegistryReader(folder, imported.holds if imported else _nowhere)
    registry = reader.read()
    if reader.problems:
        raise UserError("\n".join(reader.problems))
    return imported.behind(registry) if imported else registry


class RegistryReader:
    """Reads one folder, those files first that others refer to.

    Args:
        folder: with the CSV files.
        elsewhere: whether a key that is not in a file stands elsewhere, by the name of its table.
    """

    def __init__(self, folder: Path, elsewhere: Callable[[str, Hashable], bool] = _nowhere) -> None:
        self.folder = folder
        self._elsewhere = elsewhere
        self.problems: list[str] = []
        self._keys: dict[str, dict[Hashable, tuple[object, int]]] = {name: {} for name in TABLES}
        self._broken: set[str] = set()
        self._warehouse_country: dict[str, str] = {}

    def read(self) -> Registry:
        """Return the registry of what is right and note all problems."""
        for path in sorted(self.folder.glob("*.csv")):
            if path.name not in TABLES:
                self.problems.append(
                    f"{path}:1: file: expected one of {', '.join(TABLES)}, got {path.name!r}"
                )
        owners = [self.owner(row) for row in self._rows("owners.csv")]
        sites = [self.site(row) for row in self._rows("sites.csv")]
        devices = [self.device(row) for row in self._rows("devices.csv")]
        return Registry(
            owners={owner.id: owner for owner in owners},
            sites={site.id: site for site in sites},
            devices={device.id: device for device in devices},
            coverages=[self._coverage(row) for row in self._rows("warranties.csv")],
            parts=self._parts(),
            stock=[self._stock(row) for row in self._rows("stock.csv")],
            repairers=[self._repairer(row) for row in self._rows("repairers.csv")],
            service_levels=[self._service_level(row) for row in self._rows("service_levels.csv")],
        )

    def _rows(self, name: str) -> Iterator[Row]:
        table = Table(self.folder / name, TABLES[name], self.problems)
        yield from table.rows()
        if not table.whole:
            self._broken.add(name)

    def _key(self, table: str, row: Row, column: str, key: Hashable) -> None:
        """Note a record's key, which no other record of its table may have; half a key is none."""
        if not (all(key) if isinstance(key, tuple) else key):
            return
        earlier = self._keys[table].setdefault(key, row.place)
        if earlier != row.place:
            row.wrong(column, f"each key once, it stands in {earlier[0]}:{earlier[1]}")

    def _reference(self, row: Row, column: str, table: str, key: Hashable) -> None:
        """Check that a key stands in another table; not when that table itself could not be read whole."""
        known = table in self._broken or key in self._keys[table] or self._elsewhere(table, key)
        if not known:
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
        )

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

    def _coverage(self, row: Row) -> Coverage:
        tenant, model = row.name("tenant"), row.text("model")
        device = self._covered_device(row, tenant, model)
        starts, ends, months = row.day("starts"), row.day("ends"), row.count("months")
        kind = row.choice("kind", KINDS) or "warranty"
        if ends is not None and months is not None:
            row.wrong("months", "either ends or months")
        if row.text("ends") is None and row.text("months") is None and kind == "warranty":
            row.wrong("ends", "an end or months, a warranty has one")
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
        parts: dict[str, Part] = {}
        superseded: list[Row] = []
        for row in self._rows("parts.csv"):
            part = self._part(row)
            parts[part.number] = part
            if part.superseded_by is not None:
                superseded.append(row)
        for row in superseded:
            if row.text("superseded_by") == row.text("part"):
                row.wrong("superseded_by", "another part than itself")
            self._reference(row, "superseded_by", "parts.csv", row.text("superseded_by"))
        return parts

    def _part(self, row: Row) -> Part:
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

    def _stock(self, row: Row) -> Stock:
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

    def _repairer(self, row: Row) -> Repairer:
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
        )

    def _repairer_hours(self, row: Row) -> WorkingHours | None:
        if row.text("hours") is not None and row.text("time_zone") is None:
            row.wrong("time_zone", "the time zone of the hours")
        return row.hours("hours")

    def _service_level(self, row: Row) -> ServiceLevel:
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
