"""The registry: what is known of devices, owners, sites, coverage, parts, stock and repairers.

Pure values; `gateway.registry` reads them from files. An empty registry is a good registry: orders say what
is missing.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from diagnostics.faults import DeviceClass, ServiceChannel
from diagnostics.orders.calendars import WorkingHours
from rules.model import Severity
from rules.symbols import DeviceId

CoverageKind = Literal["warranty", "contract", "extension"]

#: What a repair costs, and what a coverage may cover of it apart; transport is the technician's visit or the
#: shipment of the device.
CostItem = Literal["parts", "labour", "transport"]


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device as the registry has it; what the device says of itself goes before it.

    Attributes:
        parent: name of the device that it is a part of or connected through.
        owner: key of `Registry.owners`.
        site: key of `Registry.sites`.
        bought: date of purchase, from which coverage by model counts.
    """

    id: DeviceId
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    parent: str | None = None
    owner: str | None = None
    site: str | None = None
    bought: date | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose device it is.

    Attributes:
        contact: an address or a number, as a person would use it.
        language: BCP 47 tag.
        time_zone: IANA name.
    """

    id: str
    name: str | None = None
    contact: str | None = None
    language: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """Where devices stand; `country` is ISO 3166-1 alpha-2, `time_zone` an IANA name.

    `postal_code` decides on repairers that serve postal areas, `region` (ISO 3166-2, such as ``DE-BY``) on
    public holidays that are not those of the whole country.
    """

    id: str
    address: str | None = None
    country: str | None = None
    time_zone: str | None = None
    postal_code: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A brand; `region` names where the personal data of its customers is kept, None: with all other data."""

    id: str
    name: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """A warranty, a service contract or a bought extension, of one device or of a model from its purchase.

    Attributes:
        kind: an extension begins when the warranty that it prolongs has ended, and owes what that owed.
        device: of this device; None when by model.
        model: of models that match this glob; None when by device.
        starts: first day; None: the date of purchase.
        ends: last day that is covered; None: after `months`, without those until cancelled.
        months: length from the first day.
        text: what is covered, in plain words.
        contract: number to quote.
        excludes: globs of fault codes and of kinds of parts that are not covered: ``battery.worn``,
            ``battery``.
        faults: globs of the fault codes that alone are covered; empty: all.
        part_kinds: globs of the kinds of parts that alone are covered, with the labour of replacing them;
            empty: all.
        covers: what of the cost is covered; empty: all of it.
        countries: of the sites at which it is valid; empty: everywhere. Among rows that are alike else, one
            that names the site's country stands in for one that names none.
        channels: ways of service that it promises; empty: as the fault catalogue says.
        term: its name, by which an extension may refer to it.
        extends: of an extension: the `term` that it prolongs; None: every warranty of the device.
    """

    kind: CoverageKind
    tenant: str
    device: DeviceId | None = None
    model: str | None = None
    starts: date | None = None
    ends: date | None = None
    months: int | None = None
    text: str | None = None
    contract: str | None = None
    excludes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    part_kinds: tuple[str, ...] = ()
    covers: tuple[CostItem, ...] = ()
    countries: tuple[str, ...] = ()
    channels: tuple[ServiceChannel, ...] = ()
    term: str | None = None
    extends: str | None = None

    def admits_fault(self, fault: str) -> bool:
        """Whether a fault is covered."""
        return _among(fault, self.faults) and not (self.excludes and _among(fault, self.excludes))

    def admits_kind(self, kind: str) -> bool:
        """Whether parts of a kind, and the work of replacing them, are covered."""
        return _among(kind, self.part_kinds) and not (self.excludes and _among(kind, self.excludes))

    def alike(self) -> tuple[object, ...]:
        """What rows have in common that say the same thing for several countries."""
        scope = (self.faults, self.part_kinds, self.covers)
        return (self.kind, self.device, self.model, self.contract, self.term, self.extends, *scope)


def _among(word: str, patterns: Sequence[str]) -> bool:
    """Whether a word matches one of several globs; every word does where there are none."""
    return not patterns or any(fnmatchcase(word, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Part:
    """A spare part.

    Attributes:
        kind: as in the fault catalogue: ``drain_pump``.
        models: globs of the models that it fits, of the device or of the component that it replaces.
        tenant: None when it serves all.
        price: of one, in `currency`.
        tariff_number: of the Harmonized System, for customs.
        origin_country: where it was made, ISO 3166-1 alpha-2.
        return_required: whether the faulty one must come back; None: as the fault catalogue says.
        weight_kg: of one, packed.
        superseded_by: number of the part that has taken its place and fits what it fits.
    """

    number: str
    title: str
    kind: str
    models: tuple[str, ...]
    tenant: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    tariff_number: str | None = None
    origin_country: str | None = None
    return_required: bool | None = None
    weight_kg: Decimal | None = None
    superseded_by: str | None = None

    def fit(self, model: str | None) -> int | None:
        """Say how closely the part is made for a model: letters matched literally; None when it does not fit.

        A part for every model (``*``) fits an unknown one too. Upper and lower case are alike.
        """
        closeness = [
            len(pattern) - pattern.count("*") - pattern.count("?")
            for pattern in self.models
            if pattern == "*" or (model is not None and fnmatchcase(model.casefold(), pattern.casefold()))
        ]
        return max(closeness, default=None)


@dataclass(frozen=True, slots=True)
class Stock:
    """How many of a part a warehouse has; `country` is the warehouse's."""

    warehouse: str
    country: str
    part: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Repairer:
    """An authorised service provider.

    Attributes:
        tenants: brands that it may work for; empty: all.
        countries: where it serves.
        country: where its workshop is, ISO 3166-1 alpha-2.
        address: of the workshop, where devices and parts are sent to.
        labour_rate: an hour, in `currency`.
        travel_fee: of one visit.
        shipping_fee: of a device that is mailed in, both ways.
        postal_areas: where it goes or is gone to, such as ``34000-34999``, ``69*`` or ``DE:34*``; empty:
            everywhere in its countries.
        classes: of devices that it serves; empty: all.
        hours: when it works, in `time_zone`; None: not known.
        region: of its workshop, ISO 3166-2; decides on its public holidays.
        capacity: orders that it can have open at once; None: no limit is known.
        jobs_a_day: orders that it gets done on a working day; None: not known.
    """

    id: str
    name: str
    countries: tuple[str, ...]
    channels: tuple[ServiceChannel, ...]
    skills: tuple[str, ...]
    tenants: tuple[str, ...] = ()
    country: str | None = None
    address: str | None = None
    currency: str | None = None
    labour_rate: Decimal | None = None
    travel_fee: Decimal | None = None
    shipping_fee: Decimal | None = None
    postal_areas: tuple[str, ...] = ()
    classes: tuple[DeviceClass, ...] = ()
    hours: WorkingHours | None = None
    time_zone: str | None = None
    region: str | None = None
    capacity: int | None = None
    jobs_a_day: int | None = None

    def serves_postal_code(self, country: str, postal_code: str | None) -> bool | None:
        """Say whether a postal code lies in its areas; None when that cannot be told without the code."""
        areas = [area for prefix, area in map(_split_area, self.postal_areas) if prefix in ("", country)]
        if not self.postal_areas:
            return True
        if postal_code is None:
            return None if areas else False
        return any(_in_area(area, _plain_code(postal_code)) for area in areas)


def _split_area(area: str) -> tuple[str, str]:
    country, _, rest = area.rpartition(":")
    return country, rest


def _plain_code(code: str) -> str:
    return code.replace(" ", "").replace("-", "").upper()


def _in_area(area: str, code: str) -> bool:
    """Say whether a code is in ``34000-34999`` (compared as text of the same length) or ``69*``."""
    if area.endswith("*"):
        return code.startswith(_plain_code(area[:-1]))
    first, _, last = area.partition("-")
    last = last or first
    return len(first) <= len(code) and first <= code[: len(first)] and code[: len(last)] <= last


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What is promised for a tenant, a country and a severity; None in one of these means all.

    Attributes:
        respond: ms until someone answers; whole days are working days where there are `hours`.
        resolve: ms until it is mended, likewise.
        hours: business hours at the site; None: around the clock.
        holidays: whether the public holidays of the site's country and region are off.
    """

    respond: int
    resolve: int
    tenant: str | None = None
    country: str | None = None
    severity: Severity | None = None
    hours: WorkingHours | None = None
    holidays: bool = True

    def fits(self, tenant: str, severity: str) -> bool:
        """Whether it is for a tenant and a severity, whatever the country."""
        return self.tenant in (None, tenant) and self.severity in (None, severity)

    def rank(self) -> tuple[bool, bool, bool]:
        """How particular it is; the most particular one counts."""
        return self.tenant is not None, self.country is not None, self.severity is not None

    @property
    def name(self) -> str:
        """What it is for, in plain words."""
        return ", ".join(filter(None, (self.tenant, self.country, self.severity))) or "for all"


@dataclass(frozen=True)
class Registry:
    """All of it, with the indexes that filling in an order needs.

    Attributes:
        repairers: in order of preference.
        coverages_elsewhere: looks up what covers one device beside `coverages`, where there is too much of it
            to be held.
    """

    devices: Mapping[DeviceId, DeviceEntry] = field(default_factory=dict)
    owners: Mapping[str, Owner] = field(default_factory=dict)
    sites: Mapping[str, SiteEntry] = field(default_factory=dict)
    coverages: Sequence[Coverage] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)
    stock: Sequence[Stock] = ()
    repairers: Sequence[Repairer] = ()
    service_levels: Sequence[ServiceLevel] = ()
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    coverages_elsewhere: Callable[[DeviceId], Sequence[Coverage]] | None = field(default=None, compare=False)

    @property
    def is_looked_up(self) -> bool:
        """Whether a part of it is read from somewhere when it is asked for, which may fail."""
        return self.coverages_elsewhere is not None

    def coverages_of(self, device: DeviceId, model: str | None) -> list[Coverage]:
        """Return what covers a device or its model, past and future included, in the registry's order."""
        named, by_model = self._coverages
        return [
            *named.get(device, ()),
            *(self.coverages_elsewhere(device) if self.coverages_elsewhere else ()),
            *(
                term
                for term in by_model.get(device.tenant, ())
                if model is not None
                and term.model is not None
                and fnmatchcase(model.casefold(), term.model.casefold())
            ),
        ]

    def parts_of_kind(self, kind: str, tenant: str) -> list[Part]:
        """Return the parts of a kind that serve a tenant."""
        return [part for part in self._parts_by_kind.get(kind, ()) if part.tenant in (None, tenant)]

    def stock_of(self, number: str) -> Sequence[Stock]:
        """Return what the warehouses say of a part."""
        return self._stock_by_part.get(number, ())

    @cached_property
    def _coverages(self) -> tuple[dict[DeviceId, list[Coverage]], dict[str, list[Coverage]]]:
        named: dict[DeviceId, list[Coverage]] = defaultdict(list)
        by_model: dict[str, list[Coverage]] = defaultdict(list)
        for term in self.coverages:
            if term.device is not None:
                named[term.device].append(term)
            else:
                by_model[term.tenant].append(term)
        return dict(named), dict(by_model)

    @cached_property
    def _parts_by_kind(self) -> dict[str, list[Part]]:
        kinds: dict[str, list[Part]] = defaultdict(list)
        for part in self.parts.values():
            kinds[part.kind].append(part)
        return dict(kinds)

    @cached_property
    def _stock_by_part(self) -> dict[str, list[Stock]]:
        parts: dict[str, list[Stock]] = defaultdict(list)
        for stock in self.stock:
            parts[stock.part].append(stock)
        return dict(parts)
