"""What the registry knows of a device: owner, site, coverage, and what stands beside it. Calls may block."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date

from diagnostics.orders.registry import Coverage, DeviceEntry, Owner, Registry, SiteEntry
from diagnostics.orders.terms import Term, terms_of
from gateway.access.principal import Principal, Role
from gateway.access.trail import Trail
from gateway.api.masking import mask
from gateway.registry_lookup import Asked, Layered, Lookup
from rules.symbols import DeviceId

#: What a look at the owner of a device is called in the audit trail.
LOOK = "device.look"

_AT_SITE = "SELECT tenant, class, device FROM devices WHERE site = ? AND tenant = ? ORDER BY 1, 2, 3 LIMIT ?"
_PARTS_OF = (
    "SELECT tenant, class, device FROM devices WHERE tenant = ? AND parent = ? ORDER BY 1, 2, 3 LIMIT ?"
)
_BY_SITE = "SELECT tenant, site, count(*) FROM devices WHERE site IS NOT NULL GROUP BY tenant, site"


@dataclass(frozen=True, slots=True)
class Entry:
    """A device as the registry has it; owner and address as who asks may see them.

    Attributes:
        terms: what covers it, covered it or will, with its days.
        undated: coverages of which no days are known, and why.
        today: the day on which a term is in force or not.
    """

    device: DeviceEntry
    owner: Owner | None
    site: SiteEntry | None
    terms: tuple[Term, ...]
    undated: tuple[tuple[Coverage, str], ...]
    today: date


class Installed:
    """Reads the registry for somebody: a viewer sees personal data masked, looks of others are kept."""

    def __init__(self, registry: Registry, caller: Principal | None, trail: Trail) -> None:
        self._registry, self._caller, self._trail = registry, caller, trail

    def knows(self, device: DeviceId) -> bool:
        """Whether a device stands in the registry and its tenant is the caller's."""
        return self._sees(device.tenant) and device in self._registry.devices

    def entry(self, device: DeviceId, model: str | None, today: date) -> Entry | None:
        """Return what is known of a device, None where nothing is.

        Args:
            device: which.
            model: as it says of itself; None takes the registry's.
            today: on which a coverage runs or does not.
        """
        entry = self._registry.devices.get(device) if self._sees(device.tenant) else None
        if entry is None:
            return None
        owner = self._registry.owners.get(entry.owner) if entry.owner else None
        site = self._registry.sites.get(entry.site) if entry.site else None
        coverages = self._registry.coverages_of(device, model or entry.model)
        terms, undated = terms_of(coverages, entry, site.country if site else None)
        if self._caller is not None and not self._caller.may(Role.ENGINEER, device.tenant):
            owner, site = owner and _masked_owner(owner), site and _masked_site(site)
        elif self._caller is not None and _is_personal(owner, site):
            self._trail.looked(self._caller, LOOK, [(f"device:{device}", device.tenant)])
        return Entry(entry, owner, site, tuple(terms), tuple(undated), today)

    def at_site(self, site: str, tenant: str, limit: int) -> list[DeviceId]:
        """Return devices of a tenant at a site, by name."""
        return self._found(
            [d.id for d in self._files() if d.site == site and d.id.tenant == tenant],
            (_AT_SITE, (site, tenant, str(limit))),
            limit,
        )

    def parts_of(self, device: DeviceId, limit: int) -> list[DeviceId]:
        """Return the devices that have this one as their parent, by name."""
        return self._found(
            [d.id for d in self._files() if d.parent == device.device and d.id.tenant == device.tenant],
            (_PARTS_OF, (device.tenant, device.device, str(limit))),
            limit,
        )

    def _sees(self, tenant: str) -> bool:
        return self._caller is None or self._caller.may(Role.VIEWER, tenant)

    def _files(self) -> list[DeviceEntry]:
        devices = self._registry.devices
        return list((devices.first if isinstance(devices, Layered) else devices).values())

    def _found(
        self, in_files: list[DeviceId], query: tuple[str, tuple[str, ...]], limit: int
    ) -> list[DeviceId]:
        database = database_of(self._registry)
        stored = [] if database is None else [DeviceId(*row) for row in database.all(*query)]
        return sorted({*in_files, *stored})[:limit]


def database_of(registry: Registry) -> Asked | None:
    """Return what was imported, None where nothing was."""
    devices = registry.devices
    behind = devices.second if isinstance(devices, Layered) else devices
    return behind.database if isinstance(behind, Lookup) else None


def devices_by_site(registry: Registry) -> Counter[tuple[str, str]]:
    """Count the registry's devices by tenant and site."""
    devices = registry.devices
    files = devices.first if isinstance(devices, Layered) else devices
    counts: Counter[tuple[str, str]] = Counter()
    database = database_of(registry)
    if database is not None:
        counts.update({(tenant, site): int(number) for tenant, site, number in database.all(_BY_SITE)})
    imported = devices.second if isinstance(devices, Layered) else {}
    for entry in files.values():
        stored = imported.get(entry.id)
        if stored is not None and stored.site is not None:
            counts[stored.id.tenant, stored.site] -= 1  # the files go before what was imported
        if entry.site is not None:
            counts[entry.id.tenant, entry.site] += 1
    return +counts


def _is_personal(owner: Owner | None, site: SiteEntry | None) -> bool:
    return bool(owner and (owner.name or owner.contact)) or bool(site and site.address)


def _masked_owner(owner: Owner) -> Owner:
    name, contact = (text and mask(text) for text in (owner.name, owner.contact))
    return replace(owner, name=name, contact=contact)


def _masked_site(site: SiteEntry) -> SiteEntry:
    return replace(site, address=site.address and mask(site.address), postal_code=None)
