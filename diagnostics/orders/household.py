"""Whose device it is and where it stands."""

from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import Customer, Site
from diagnostics.orders.registry import DeviceEntry, Owner, Registry, SiteEntry
from diagnostics.orders.subject import NOT_REGISTERED


def owner_of(entry: DeviceEntry | None, registry: Registry, gaps: Gaps) -> Customer:
    """Return the customer's section; what is unknown is None and noted."""
    owner, why = Owner(""), NOT_REGISTERED
    if entry is not None:
        if entry.owner is None:
            why = "the registry names no owner of the device"
        elif (found := registry.owners.get(entry.owner)) is None:
            why = f"the registry has no owner {entry.owner}"
        else:
            owner, why = found, f"the registry does not have it for owner {found.id}"
    gaps.require("customer.owner", owner.name, why)
    gaps.require("customer.contact", owner.contact, why)
    gaps.require("customer.language", owner.language, why)
    gaps.require("customer.time_zone", owner.time_zone, why)
    return Customer(
        owner=owner.name, contact=owner.contact, language=owner.language, time_zone=owner.time_zone
    )


def site_of(entry: DeviceEntry | None, registry: Registry, gaps: Gaps) -> SiteEntry:
    """Return where the device stands; what is unknown is None and noted."""
    site, why = SiteEntry(""), NOT_REGISTERED
    if entry is not None:
        if entry.site is None:
            why = "the registry names no site of the device"
        elif (found := registry.sites.get(entry.site)) is None:
            why = f"the registry has no site {entry.site}"
        else:
            site, why = found, f"the registry does not have it for site {found.id}"
    gaps.require("site.address", site.address, why)
    gaps.require("site.country", site.country, why)
    return site


def site_section(site: SiteEntry) -> Site:
    """Return the site's section of the order."""
    return Site(address=site.address, country=site.country)
