"""Which devices of the registry would lack what, were an order opened for them today."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from diagnostics.case import Case
from diagnostics.faults import Fault, FaultCatalogue
from diagnostics.orders.prefill import prefill
from diagnostics.orders.registry import DeviceEntry, Registry
from diagnostics.orders.subject import Identity
from rules.symbols import DeviceId


@dataclass(frozen=True, slots=True)
class Readiness:
    """A device and what orders for it would lack: field to the reason, over all faults that it may have."""

    device: DeviceEntry
    lacks: dict[str, str]


@dataclass
class Summary:
    """All devices together; `fields` counts the devices that lack a field."""

    devices: int = 0
    ready: int = 0
    fields: Counter[str] = field(default_factory=Counter)

    def add(self, found: Readiness) -> None:
        """Count a device."""
        self.devices += 1
        self.ready += not found.lacks
        self.fields.update(found.lacks.keys())


#: The family of faults that a component of such a name may have; how devices name them: contract, section 1.
_FAMILIES = (
    (re.compile(r"(sd[a-z]+|nvme\d+)(n\d+)?"), "disk"),
    (re.compile(r"psu\d*"), "psu"),
    (re.compile(r"battery\d*|BAT\d+"), "battery"),
    (re.compile(r"[A-Z]\d+"), "memory"),
    (re.compile(r"\d+"), "fan"),
)

#: What devices said of themselves: facts by device.
Told = Mapping[DeviceId, Mapping[str, object]]


def readiness(
    registry: Registry, faults: FaultCatalogue, at: int, told: Told | None = None
) -> Iterator[Readiness]:
    """Yield every registered device with what its orders would lack, as far as registry and facts decide it.

    What a device said of itself is used where it did. An order of a fault of drives, fans, memory, batteries
    or power supplies is filled in for each such component that it named, else for the device alone.

    Args:
        registry: what is known.
        faults: an order of each fault that opens one and that the device's class may have is filled in.
        at: ms since 1970 UTC, of the orders.
        told: facts of devices that spoke.
    """
    facts_of = told or {}
    by_class: dict[str, list[Fault]] = {}
    for fault in faults:
        for device_class in fault.classes if fault.order else ():
            by_class.setdefault(device_class, []).append(fault)
    # Orders of devices that are alike in all that decides lack the same; a fleet has few sorts of devices.
    known: dict[tuple[object, ...], Readiness] = {}
    for entry in registry.devices.values():
        facts = facts_of.get(entry.id, {})
        alike = (_alike(entry, registry, at), _told(facts))
        first = known.get(alike)
        if first is None:
            asked = _Asked(registry, faults, at, facts)
            lacks = _lacks(entry, by_class.get(entry.id.device_class, ()), asked)
            first = known[alike] = Readiness(entry, lacks)
        yield first if first.device is entry else _same(first, entry)


def _told(facts: Mapping[str, object]) -> tuple[object, ...]:
    """Return what of a device's facts decides what its orders lack."""
    if not facts:
        return ()
    said = Identity.told(facts)
    parts = [(name, Identity.told(named)) for name, named in _components(facts).items()]
    return (
        said.model,
        said.serial is None,
        said.firmware is None,
        *((name, part.model, part.serial is None) for name, part in sorted(parts, key=itemgetter(0))),
    )


def _components(facts: Mapping[str, object]) -> Mapping[str, object]:
    named = facts.get("components")
    return {str(name): said for name, said in named.items()} if isinstance(named, Mapping) else {}


def _concerned(fault: Fault, facts: Mapping[str, object]) -> list[str]:
    """Return the components that may have a fault; one without a name when it is the device itself."""
    family = fault.code.partition(".")[0]
    found = [
        name
        for name in _components(facts)
        if any(pattern.fullmatch(name) and family == of for pattern, of in _FAMILIES)
    ]
    return found or [""]


def _alike(entry: DeviceEntry, registry: Registry, at: int) -> tuple[object, ...]:
    """Return what decides what a device's orders lack; equal for devices that lack the same."""
    owner = registry.owners.get(entry.owner) if entry.owner else None
    site = registry.sites.get(entry.site) if entry.site else None
    zone = (site.time_zone if site else None) or (owner.time_zone if owner else None)
    day = datetime.fromtimestamp(at // 1000, UTC).date()
    # A day of purchase that is long past decides who pays, and not whether that is known.
    exact = zone is None or entry.bought is None or entry.bought >= day - timedelta(days=1)
    own = any(term.device is not None for term in registry.coverages_of(entry.id, None))
    return (
        *(entry.id if own else entry.id[:2]),
        entry.model,
        entry.serial is None,
        entry.firmware is None,
        entry.owner is None,
        owner and (owner.name is None, owner.contact is None, owner.language is None, owner.time_zone),
        entry.site is None,
        site and (site.address is None, site.country, site.postal_code, site.time_zone),
        entry.bought if exact else True,
    )


def _same(first: Readiness, entry: DeviceEntry) -> Readiness:
    """Return what a device lacks that is alike with another one, in its own owner's and site's names."""
    lacks = {}
    for missing, why in first.lacks.items():
        for word, theirs, own in (
            ("owner", first.device.owner, entry.owner),
            ("site", first.device.site, entry.site),
        ):
            if why.endswith(f" {word} {theirs}"):
                lacks[missing] = f"{why.removesuffix(str(theirs))}{own}"
                break
        else:
            lacks[missing] = why
    return Readiness(entry, lacks)


@dataclass(frozen=True, slots=True)
class _Asked:
    """From what an order is filled in, and when."""

    registry: Registry
    faults: FaultCatalogue
    at: int
    facts: Mapping[str, object]


def _lacks(entry: DeviceEntry, possible: Iterable[Fault], asked: _Asked) -> dict[str, str]:
    lacks: dict[str, str] = {}
    for fault in possible:
        for component in _concerned(fault, asked.facts):
            order = prefill(
                case=_case(entry, fault, component, asked.at),
                confirmed_by="",
                explanation="",
                confidence=None,
                facts=asked.facts,
                registry=asked.registry,
                faults=asked.faults,
                opened_at=asked.at,
                reason="confirmed",
                console_url=None,
            )
            for missing in order.to_ask:
                lacks.setdefault(missing.field, missing.why)
    return lacks


def _case(entry: DeviceEntry, fault: Fault, component: str, at: int) -> Case:
    return Case(
        case_id="",
        tenant=entry.id.tenant,
        device_class=entry.id.device_class,
        device=entry.id.device,
        component=component,
        fault=fault.code,
        title=fault.title,
        rule="",
        severity=fault.severity,
        onset=at,
        updated=at,
    )
