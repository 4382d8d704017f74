"""Until when someone answers and until when it is mended: by service level, else by urgency."""

from contextlib import suppress
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from diagnostics.faults import FaultCatalogue, Urgency
from diagnostics.orders.calendars import Calendar, holidays_known, region_known
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.registry import Registry, ServiceLevel
from rules.model import Severity
from rules.times import MAX_INSTANT_MS, format_duration, to_rfc3339


@dataclass(frozen=True, slots=True)
class Due:
    """Instants, ms since 1970 UTC; None where they are not known."""

    respond: int | None
    resolve: int | None

    @property
    def respond_by(self) -> str | None:
        """As it stands in the order."""
        return None if self.respond is None else to_rfc3339(self.respond)

    @property
    def resolve_by(self) -> str | None:
        """As it stands in the order."""
        return None if self.resolve is None else to_rfc3339(self.resolve)


def due(
    *,
    registry: Registry,
    faults: FaultCatalogue,
    tenant: str,
    country: str | None,
    region: str | None,
    zone: str | None,
    severity: Severity,
    urgency: Urgency,
    opened_at: int,
    gaps: Gaps,
) -> Due:
    """Return until when an order opened at an instant is answered and mended.

    The most particular service level counts: the tenant's own before one for all, then the country's, then
    the severity's. Without any the catalogue's times for the urgency do.

    Args:
        registry: has the service levels.
        faults: has the times for each urgency.
        tenant: whose service level.
        country: of the site, None when it is not known; its public holidays do not count.
        region: of the site, ISO 3166-2; neither do its own ones.
        zone: IANA name of the site's time zone; service levels with business hours need it.
        severity: of the fault.
        urgency: of the fault.
        opened_at: ms since 1970 UTC.
        gaps: where an unknown date and the level that decides are noted.
    """
    fitting = [level for level in registry.service_levels if level.fits(tenant, severity)]
    if country is None and any(level.country is not None for level in fitting):
        return _unknown(gaps, "the country of the site is not known, and service levels differ by country")
    level = max(
        (one for one in fitting if one.country in (None, country)), key=ServiceLevel.rank, default=None
    )
    if level is None:
        times = faults.times(urgency)
        gaps.chose(
            "service.resolve_by",
            f"urgency {urgency}: answered within {times.respond}, mended within {times.resolve}",
        )
        return _plain(opened_at, times.respond_ms, times.resolve_ms)
    why = (
        f"service level {level.name}: answered within {format_duration(level.respond)}, "
        f"mended within {format_duration(level.resolve)}"
    )
    if level.hours is None:
        gaps.chose("service.resolve_by", f"{why}, at any hour")
        return _plain(opened_at, level.respond, level.resolve)
    place = zone_of(zone)
    if place is None:
        return _unknown(gaps, f"the time zone of the site is not known, and {level.name} has business hours")
    free = country if level.holidays else None
    calendar = Calendar(level.hours, place, free, region)
    found = Due(calendar.after(opened_at, level.respond), calendar.after(opened_at, level.resolve))
    gaps.require("service.respond_by", found.respond, "no such time passes within the business hours")
    gaps.require("service.resolve_by", found.resolve, "no such time passes within the business hours")
    if found.resolve is not None:
        gaps.chose(
            "service.resolve_by", f"{why}, within {level.hours.text} {zone}{_without(level, country, region)}"
        )
    return found


def zone_of(name: str | None) -> ZoneInfo | None:
    """Return a time zone by its name, None when it is not known."""
    if name is not None:
        with suppress(KeyError, ValueError, OSError):  # how ZoneInfo says that it knows no such zone
            return ZoneInfo(name)
    return None


def _without(level: ServiceLevel, country: str | None, region: str | None) -> str:
    if not level.holidays:
        return ""
    if country is None or not holidays_known(country):
        return f"; no public holidays of {country or 'the site'} are known, so none are left out"
    if region is None:
        return f" without public holidays of {country}"
    if not region_known(country, region):
        return f" without public holidays of {country}; no others of {region} are known"
    return f" without public holidays of {region}"


def _plain(opened_at: int, respond: int, resolve: int) -> Due:
    return Due(min(opened_at + respond, MAX_INSTANT_MS), min(opened_at + resolve, MAX_INSTANT_MS))


def _unknown(gaps: Gaps, why: str) -> Due:
    gaps.add("service.respond_by", why)
    gaps.add("service.resolve_by", why)
    return Due(None, None)
