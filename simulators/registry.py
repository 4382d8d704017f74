"""An invented registry for a simulated fleet: owners, sites, coverage, parts, stock, repairers as CSV files.

Everything in it is made up and ends in example.com or example.org. Up to one field in a hundred is not known,
as in real registries: devices that nobody registered, owners without a contact, parts that are out of stock.
"""

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.random import Generator

from rules.symbols import DeviceId
from simulators.makes import MAKES
from simulators.registry_data import (
    COUNTRIES,
    PART_KINDS,
    PART_WEIGHTS,
    SERVICE_LEVELS,
    WAREHOUSES,
    WORKSHOPS,
    Country,
    PartKind,
)

Facts = Mapping[str, object]
Record = dict[str, object]

#: Sorts of appliances, as their facts may name them; another appliance may have the parts of all.
APPLIANCE_SORTS = ("washer", "fridge", "ac")

#: How often something is not known or not there.
NOT_REGISTERED = 0.005
NO_CONTACT = 0.03
NO_PURCHASE_DATE = 0.01
OUT_OF_STOCK = 0.006
NO_TARIFF_NUMBER = 0.03
NO_REPAIRER = 0.02
_LARGE_COUNTRY = 10  # share of the owners, from which on repairers are found for everybody

#: Orders that a repairer can have open at once.
CAPACITY = 25

_DEVICES_PER_ROOM = 8

_KIND_OF_MODEL = {make.model: kind for (_, kind), makes in MAKES.items() for make in makes}

#: How components are named, and the kind of part that replaces them.
_COMPONENT_KINDS = (
    (r"nvme\d+", "nvme_ssd"),
    (r"sd[a-z]+", "drive"),
    (r"psu\d*", "power_supply"),
    (r"battery", "battery"),
    (r"[A-Z]\d+", "memory_module"),
    (r"\d+", "fan"),
)


def write_registry(devices: Sequence[tuple[DeviceId, Facts]], folder: Path, seed: int, today: date) -> None:
    """Write the CSV files of a registry that knows a fleet.

    The same arguments write the same bytes.

    Args:
        devices: names and facts (`model`, `serial`, `firmware`, `parent`, `components`).
        folder: where the files are written; made when it is not there.
        seed: of everything that is chance in it.
        today: warranties are in force or over in relation to it.
    """
    tables = _Tables(np.random.default_rng(seed), today)
    for device, facts in devices:
        tables.add_device(device, facts)
    tables.add_coverage_of_models()
    tables.add_parts(devices)
    tables.add_repairers(sorted({device.tenant for device, _ in devices}))
    tables.add_service_levels()
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in tables.records.items():
        _write(folder / name, records)


def _write(path: Path, records: Sequence[Record]) -> None:
    columns = list(dict.fromkeys(column for record in records for column in record))
    if not columns:
        path.unlink(missing_ok=True)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


class _Tables:
    """The tables as they grow; each choice is drawn from one stream, in the order of the calls."""

    def __init__(self, rng: Generator, today: date) -> None:
        self._rng = rng
        self._today = today
        self._models: dict[tuple[str, str, str], str] = {}  # tenant, class, model -> sort
        self._households: list[tuple[str, str]] = []  # owner, site
        self._rooms: dict[str, list[tuple[str, str]]] = {}  # tenant -> owner, site of its server rooms
        self._servers: dict[str, int] = {}
        self.records: dict[str, list[Record]] = {
            name: []
            for name in (
                "owners.csv",
                "sites.csv",
                "devices.csv",
                "warranties.csv",
                "parts.csv",
                "stock.csv",
                "repairers.csv",
                "service_levels.csv",
            )
        }

    def _chance(self, probability: float) -> bool:
        return bool(self._rng.random() < probability)

    def _one_of(self, values: Sequence[str]) -> str:
        return values[int(self._rng.integers(len(values)))]

    def _days_ago(self, youngest: int, oldest: int) -> date:
        return self._today - timedelta(days=int(self._rng.integers(youngest, oldest)))

    def add_device(self, device: DeviceId, facts: Facts) -> None:
        """Register a device with owner, site and coverage; a few are left out."""
        model = _text(facts, "model")
        if model:
            self._models.setdefault((device.tenant, device.device_class, model), _sort(device, facts))
        owner, site = self._room(device.tenant) if device.device_class == "server" else self._household()
        if self._chance(NOT_REGISTERED):
            return
        bought = self._days_ago(20, 1500)
        self.records["devices.csv"].append(
            {
                "tenant": device.tenant,
                "class": device.device_class,
                "device": device.device,
                "model": model,
                "serial": _text(facts, "serial"),
                "firmware": _text(facts, "firmware"),
                "parent": _text(facts, "parent"),
                "owner": owner,
                "site": site,
                "bought": "" if self._chance(NO_PURCHASE_DATE) else bought.isoformat(),
            }
        )
        self._cover(device, bought)

    def _cover(self, device: DeviceId, bought: date) -> None:
        """Give servers and some others a contract of their own."""
        server = device.device_class == "server"
        if not server and not self._chance(0.12):
            return
        months = int(self._rng.choice([36, 60])) if server else 48
        self.records["warranties.csv"].append(
            {
                "tenant": device.tenant,
                "kind": "contract",
                "class": device.device_class,
                "device": device.device,
                "starts": bought.isoformat(),
                "months": months,
                "coverage": "On-site repair with parts, all days"
                if server
                else "Protection plan, parts and labour",
                "contract": f"{'SV' if server else 'PP'}-{int(self._rng.integers(10**6, 10**7))}",
            }
        )

    def add_coverage_of_models(self) -> None:
        """Give every model its maker's warranty from the day of purchase."""
        for tenant, device_class, model in self._models:
            months = 36 if device_class == "server" else 24
            self.records["warranties.csv"].append(
                {
                    "tenant": tenant,
                    "kind": "warranty",
                    "model": model,
                    "months": months,
                    "coverage": f"Maker's warranty of {months} months, parts and labour",
                    "excludes": "battery.worn" if device_class in ("phone", "pc") else "",
                }
            )

    def _household(self) -> tuple[str, str]:
        """Return a person's home: one that has devices already, or a new one."""
        if self._households and self._chance(0.3):
            return self._households[int(self._rng.integers(len(self._households)))]
        number = len(self._households) + 1
        owner, site = f"P{number:04d}", f"H{number:04d}"
        country = self._country()
        first, last = self._one_of(country.first), self._one_of(country.last)
        mailbox = f"{_plain(first)}.{_plain(last)}.{number}@example.org"
        self._add_owner(owner, f"{first} {last}", mailbox, country)
        self._add_site(site, "", country)
        self._households.append((owner, site))
        return owner, site

    def _room(self, tenant: str) -> tuple[str, str]:
        """Return the server room that the next server of a tenant stands in."""
        rooms = self._rooms.setdefault(tenant, [])
        placed = self._servers.get(tenant, 0)
        self._servers[tenant] = placed + 1
        if placed // _DEVICES_PER_ROOM < len(rooms):
            return rooms[-1]
        number = sum(map(len, self._rooms.values())) + 1
        owner, site = f"C{number:03d}", f"R{number:03d}"
        country = self._country()
        company = self._one_of(country.companies)
        self._add_owner(owner, company, f"it-service@{_plain(company.split()[0])}.example.com", country)
        self._add_site(site, f"{company}, server room, ", country)
        rooms.append((owner, site))
        return rooms[-1]

    def _country(self) -> Country:
        shares = np.array([country.share for country in COUNTRIES])
        return COUNTRIES[int(self._rng.choice(len(COUNTRIES), p=shares / shares.sum()))]

    def _add_owner(self, owner: str, name: str, contact: str, country: Country) -> None:
        self.records["owners.csv"].append(
            {
                "owner": owner,
                "name": name,
                "contact": "" if self._chance(NO_CONTACT) else contact,
                "language": country.language,
                "time_zone": country.time_zone,
            }
        )

    def _add_site(self, site: str, prefix: str, country: Country) -> None:
        address = self._address(country)
        self.records["sites.csv"].append(
            {
                "site": site,
                "address": prefix + address,
                "country": country.code,
                "postal_code": _postal_code(address.rpartition(", ")[2]),
                "time_zone": country.time_zone,
            }
        )

    def _address(self, country: Country) -> str:
        street, number = self._one_of(country.streets), int(self._rng.integers(1, 120))
        house = f"{number} {street}" if country.number_first else f"{street} {number}"
        return f"{house}, {self._one_of(country.towns)}"

    def add_parts(self, devices: Sequence[tuple[DeviceId, Facts]]) -> None:
        """Give every model the parts of its sort, and drives and memory also by their own model."""
        models: dict[tuple[str, str], dict[str, None]] = {}  # tenant, kind -> models
        for (tenant, _, model), sort in self._models.items():
            for kind, part in PART_KINDS.items():
                if sort in part.sorts or (sort == "appliance" and set(part.sorts) & set(APPLIANCE_SORTS)):
                    models.setdefault((tenant, kind), {})["*" if part.universal else model] = None
        for device, facts in devices:
            for component, model in _component_models(facts):
                if replaced := _component_kind(component, device.device_class):
                    models.setdefault((device.tenant, replaced), {})[model] = None
        for (tenant, kind), fitting in models.items():
            for number, model in enumerate(fitting, start=1):
                self._add_part(tenant, kind, number, model, PART_KINDS[kind])

    def _add_part(self, tenant: str, kind: str, number: int, model: str, part: PartKind) -> None:
        key = f"{_plain(tenant)[:4].upper()}-{kind.upper().replace('_', '-')}-{number:02d}"
        price = part.price * float(self._rng.uniform(0.85, 1.3))
        self.records["parts.csv"].append(
            {
                "part": key,
                "title": part.title if part.universal else f"{part.title} for {model}",
                "kind": kind,
                "models": model,
                "tenant": tenant,
                "price": f"{price:.2f}",
                "currency": "EUR",
                "tariff_number": "" if self._chance(NO_TARIFF_NUMBER) else part.tariff,
                "origin_country": self._one_of(("CN", "DE", "PL", "IT", "MY", "TR")),
                "return_required": part.returned,
                "weight_kg": f"{PART_WEIGHTS[kind]:.2f}",
            }
        )
        empty = self._chance(OUT_OF_STOCK)
        for place, (warehouse, country, likely) in enumerate(WAREHOUSES):
            # Each part is known to one warehouse at least, which may have run out of it.
            if place == 0 or self._chance(likely):
                quantity = 0 if empty else int(self._rng.integers(2, 30))
                self.records["stock.csv"].append(
                    {"warehouse": warehouse, "country": country, "part": key, "quantity": quantity}
                )

    def add_repairers(self, tenants: Sequence[str]) -> None:
        """Give every tenant repairers in every country; in small ones here and there one is wanting."""
        for country in COUNTRIES:
            for number, workshop in enumerate(WORKSHOPS):
                wanting = NO_REPAIRER if country.share < _LARGE_COUNTRY else 0
                missing = {tenant for tenant in tenants if self._chance(wanting)}
                town = self._one_of(country.towns)
                served = [tenant for tenant in tenants if tenant not in missing]
                if not served:
                    continue
                self.records["repairers.csv"].append(
                    {
                        "repairer": f"{country.code}-{number + 1}",
                        "name": f"{self._one_of(country.last)} {workshop.name} {_town(town)}",
                        "countries": country.code,
                        "channels": ";".join(workshop.channels),
                        "skills": ";".join(workshop.skills),
                        "tenants": ";".join(served) if missing else "",
                        "country": country.code,
                        "address": self._address(country),
                        "currency": "EUR",
                        "labour_rate": workshop.rate,
                        "travel_fee": "" if workshop.travel is None else workshop.travel,
                        "shipping_fee": "" if workshop.shipping is None else workshop.shipping,
                        "capacity": CAPACITY,
                    }
                )

    def add_service_levels(self) -> None:
        """Promise the same to all tenants and countries."""
        for severity, respond, resolve, hours in SERVICE_LEVELS:
            self.records["service_levels.csv"].append(
                {"severity": severity, "respond": respond, "resolve": resolve, "hours": hours}
            )


def _text(facts: Facts, key: str) -> str:
    value = facts.get(key)
    return value if isinstance(value, str) else ""


def _sort(device: DeviceId, facts: Facts) -> str:
    """Return what a device is: its class, or the sort of appliance that its model or its facts name."""
    if device.device_class != "appliance":
        return device.device_class
    said = [_KIND_OF_MODEL.get(_text(facts, "model")), *facts.values()]
    return next((sort for sort in APPLIANCE_SORTS if sort in said), "appliance")


def _component_models(facts: Facts) -> list[tuple[str, str]]:
    components = facts.get("components")
    if not isinstance(components, Mapping):
        return []
    return [
        (str(name), model)
        for name, said in components.items()
        if isinstance(said, Mapping) and (model := _text(said, "model"))
    ]


def _component_kind(component: str, device_class: str) -> str | None:
    """Return the kind of part that a component of that name is, where the name tells."""
    for pattern, kind in _COMPONENT_KINDS:
        if re.fullmatch(pattern, component):
            return "fan_module" if kind == "fan" and device_class == "server" else kind
    return None


def _plain(text: str) -> str:
    """Return a text's letters and digits in ASCII, lower case, for addresses and part numbers."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ł", "l"))
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalnum()).lower()


def _postal_code(line: str) -> str:
    """Return the postal code of a line with a town."""
    town = _town(line).split()
    return " ".join(word for word in line.split() if word not in town)


def _town(line: str) -> str:
    """Return the town of a line with its postal code."""
    return " ".join(
        word for word in line.split() if not any(map(str.isdigit, word)) and word not in ("AB", "CD")
    )
