"""Who goes, or where it is sent: the first repairer authorised for tenant, country, channel and skills."""

from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics.faults import ServiceChannel
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.registry import Registry, Repairer


@dataclass(frozen=True, slots=True)
class Assignment:
    """A channel and the repairer who serves by it."""

    channel: ServiceChannel | None
    repairer: Repairer | None


def assign(
    *,
    registry: Registry,
    tenant: str,
    country: str | None,
    channels: Sequence[ServiceChannel],
    skills: Sequence[str],
    gaps: Gaps,
) -> Assignment:
    """Return the best channel that has a repairer; the best channel and None when none has."""
    if not channels:
        gaps.add("service.channel", "no way of service is known for this class of device")
        gaps.add("service.provider", "without a way of service no repairer can be chosen")
        return Assignment(None, None)
    if country is None:
        gaps.add("service.provider", "the country of the site is not known")
        return Assignment(channels[0], None)
    authorised = [
        repairer
        for repairer in registry.repairers
        if (not repairer.tenants or tenant in repairer.tenants) and country in repairer.countries
    ]
    able = [repairer for repairer in authorised if set(skills) <= set(repairer.skills)]
    for channel in channels:
        for repairer in able:
            if channel in repairer.channels:
                return Assignment(channel, repairer)
    if not authorised:
        why = f"no repairer is authorised for {tenant} in {country}"
    elif not able:
        why = f"no repairer for {tenant} in {country} has the skills {', '.join(skills)}"
    else:
        why = f"no repairer for {tenant} in {country} with these skills serves by {' or '.join(channels)}"
    gaps.add("service.provider", why if registry.repairers else "the registry has no repairers")
    return Assignment(channels[0], None)
