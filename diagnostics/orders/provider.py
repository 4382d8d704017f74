"""Who goes, or where it is sent: the first repairer in the registry's order who can, and why that one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from diagnostics.faults import ServiceChannel
from diagnostics.orders.calendars import Calendar, WorkingHours
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.registry import Registry, Repairer, SiteEntry
from diagnostics.orders.sla import zone_of
from rules.times import DAY_MS, to_rfc3339

#: Ways on which someone travels to the other; only these ask how far away the site is.
TRAVELLED = frozenset({"on_site", "carry_in"})

#: So many repairers that were passed over are named with the reason.
_MOST_NAMED = 3

#: What takes longer than a working week is not looked for in anybody's hours.
_MOST_MINUTES = 2_400


@dataclass(frozen=True, slots=True)
class Assignment:
    """A channel and the repairer who serves by it."""

    channel: ServiceChannel | None
    repairer: Repairer | None


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, where and until when.

    Attributes:
        minutes: working time, None when it is not known.
        opened_at: ms since 1970 UTC.
        resolve_by: ms since 1970 UTC, None when it is not known.
        load: orders that repairers have open now, by their id.
    """

    tenant: str
    device_class: str
    channels: Sequence[ServiceChannel]
    skills: Sequence[str]
    minutes: int | None
    opened_at: int
    resolve_by: int | None
    load: Mapping[str, int] = field(default_factory=dict)


def promised_first(
    channels: Sequence[ServiceChannel], promised: Sequence[ServiceChannel]
) -> tuple[ServiceChannel, ...]:
    """Return the ways of service of a fault, those first that the coverage promises."""
    return (*(one for one in channels if one in promised), *(one for one in channels if one not in promised))


def note_promise(assignment: Assignment, promised: Sequence[ServiceChannel], gaps: Gaps) -> None:
    """Note whether the way of service is one that the coverage promises."""
    if not promised or assignment.channel is None:
        return
    words = " or ".join(promised)
    if assignment.channel in promised:
        gaps.chose("service.channel", f"{assignment.channel}, as the coverage promises {words}")
    else:
        gaps.chose("service.channel", f"{assignment.channel}, although the coverage promises {words}")


def assign(*, registry: Registry, site: SiteEntry, work: Work, gaps: Gaps) -> Assignment:
    """Return the best channel that has a repairer; the best channel and None when none has.

    A repairer can when authorised for tenant and country, in charge of the class, trained for all skills,
    serving by the channel and, where someone travels, in the site's postal area. Of those who can, the first
    goes whose working hours leave time for the repair until it is due and who has room for one more order.
    When there is none, it is the one against whom less speaks, and of those who are all full the one with the
    fewest open orders for what it takes.
    """
    if not work.channels:
        gaps.add("service.channel", "no way of service is known for this class of device")
        gaps.add("service.provider", "without a way of service no repairer can be chosen")
        return Assignment(None, None)
    if site.country is None:
        gaps.add("service.provider", "the country of the site is not known")
        return Assignment(work.channels[0], None)
    passed: dict[str, str] = {}
    able = [one for one in registry.repairers if _can(one, site.country, work, passed)]
    undecided: list[Repairer] = []
    for channel in work.channels:
        serving = [one for one in able if channel in one.channels]
        near = []
        for repairer in serving:
            reaches = channel not in TRAVELLED or repairer.serves_postal_code(site.country, site.postal_code)
            if reaches:
                near.append(repairer)
            elif reaches is None:
                undecided.append(repairer)
                passed[repairer.id] = "serves by postal area, and the postal code of the site is not known"
            else:
                passed[repairer.id] = f"does not serve postal code {site.postal_code or 'unknown'}"
        if near:
            repairer = _pick(near, work, passed)
            reasons = ", ".join(_reasons(repairer, channel, site, work))
            gaps.chose("service.provider", f"{repairer.id}: {reasons}{_named(registry, repairer, passed)}")
            return Assignment(channel, repairer)
    gaps.add("service.provider", _why_none(registry, site.country, work, able, undecided))
    return Assignment(work.channels[0], None)


def _can(repairer: Repairer, country: str, work: Work, passed: dict[str, str]) -> bool:
    """Whether a repairer may and is trained to; a reason against one who serves the country is noted."""
    if not _authorised(repairer, work.tenant, country):
        return False
    lacking = [skill for skill in work.skills if skill not in repairer.skills]
    if repairer.classes and work.device_class not in repairer.classes:
        passed[repairer.id] = f"does not serve class {work.device_class}"
    elif lacking:
        passed[repairer.id] = f"lacks {', '.join(lacking)}"
    elif not set(work.channels) & set(repairer.channels):
        passed[repairer.id] = f"does not serve by {' or '.join(work.channels)}"
    else:
        return True
    return False


def _authorised(repairer: Repairer, tenant: str, country: str) -> bool:
    return (not repairer.tenants or tenant in repairer.tenants) and country in repairer.countries


def _pick(near: Sequence[Repairer], work: Work, passed: dict[str, str]) -> Repairer:
    """Return the first against whom nothing speaks, else least; note what speaks against the earlier ones."""
    against = {one.id: _against(one, work) for one in near}

    def rank(repairer: Repairer) -> tuple[int, float]:
        reasons = against[repairer.id]
        return len(reasons), _fullness(repairer, work) if reasons else 0.0

    chosen = min(near, key=rank)
    for earlier in near[: near.index(chosen)]:
        passed[earlier.id] = " and ".join(against[earlier.id])
    return chosen


def _against(repairer: Repairer, work: Work) -> list[str]:
    """Return what speaks against a repairer who can: the hours, or that there is no room."""
    reasons = []
    if _in_time(repairer, work) is False:
        reasons.append("does not work long enough before it is due")
    has = work.load.get(repairer.id, 0)
    if repairer.capacity is not None and has >= repairer.capacity:
        reasons.append(f"has {_orders(has)} and takes {repairer.capacity}")
    elif repairer.jobs_a_day is not None and work.resolve_by is not None:
        needed = has // repairer.jobs_a_day + 1 if repairer.jobs_a_day else 1
        days = _working_days(repairer, work.opened_at, work.resolve_by, needed)
        if has >= repairer.jobs_a_day * days:
            left = "1 working day" if days == 1 else f"{days} working days"
            reasons.append(
                f"has {_orders(has)}, gets {repairer.jobs_a_day} a day done and has {left} until it is due"
            )
    return reasons


def _orders(count: int) -> str:
    return "1 open order" if count == 1 else f"{count} open orders"


def _fullness(repairer: Repairer, work: Work) -> float:
    """Return open orders for each one that it takes, or gets done in a day; what is not known counts as 1."""
    takes = repairer.capacity if repairer.capacity is not None else repairer.jobs_a_day
    return work.load.get(repairer.id, 0) / (takes or 1)


def _working_days(repairer: Repairer, start: int, end: int, enough: int) -> int:
    """Return on how many days a repairer works between two instants; without hours on every day."""
    zone = zone_of(repairer.time_zone)
    if repairer.hours is None or zone is None:
        return min(max(-(-(end - start) // DAY_MS), 0), enough)
    return _calendar(repairer, repairer.hours, zone).days_between(start, end, enough)


def _calendar(repairer: Repairer, hours: WorkingHours, zone: ZoneInfo) -> Calendar:
    return Calendar(hours, zone, repairer.country, repairer.region)


def _reasons(repairer: Repairer, channel: ServiceChannel, site: SiteEntry, work: Work) -> Iterator[str]:
    yield f"authorised for {work.tenant} in {site.country}"
    if work.skills:
        yield f"trained for {', '.join(work.skills)}"
    if channel in TRAVELLED and repairer.postal_areas:
        yield f"serves postal code {site.postal_code}"
    in_time = _in_time(repairer, work)
    if in_time is not None and work.resolve_by is not None:
        until = to_rfc3339(work.resolve_by)
        yield f"{'works' if in_time else 'but does not work'} {work.minutes} min or more until {until}"
    has = work.load.get(repairer.id, 0)
    if repairer.capacity is not None:
        yield f"{'has' if has < repairer.capacity else 'but has'} {_orders(has)} of {repairer.capacity}"
    if repairer.jobs_a_day is not None:
        yield f"has {_orders(has)} and gets {repairer.jobs_a_day} a day done"


def _named(registry: Registry, repairer: Repairer, passed: dict[str, str]) -> str:
    """Say which repairers before the chosen one were passed over and why, the first few of them."""
    place = next(place for place, one in enumerate(registry.repairers) if one is repairer)
    before = [one.id for one in registry.repairers[:place] if one.id in passed]
    if not before:
        return ""
    named = [f"{one} {passed[one]}" for one in before[:_MOST_NAMED]]
    if len(before) > _MOST_NAMED:
        named.append(f"{len(before) - _MOST_NAMED} more")
    return f"; passed over: {'; '.join(named)}"


def _in_time(repairer: Repairer, work: Work) -> bool | None:
    """Say whether a repairer's hours leave time for the work; None: not known."""
    zone = zone_of(repairer.time_zone)
    if repairer.hours is None or zone is None or work.resolve_by is None or work.minutes is None:
        return None
    needed = min(work.minutes, _MOST_MINUTES)
    calendar = _calendar(repairer, repairer.hours, zone)
    return calendar.minutes_between(work.opened_at, work.resolve_by, needed) >= needed


def _why_none(
    registry: Registry, country: str, work: Work, able: Sequence[Repairer], undecided: Sequence[Repairer]
) -> str:
    place = f"for {work.tenant} in {country}"
    if undecided:
        ids = ", ".join(dict.fromkeys(one.id for one in undecided))
        return f"the postal code of the site is not known, and {ids} serve by postal area"
    authorised = [one for one in registry.repairers if _authorised(one, work.tenant, country)]
    in_charge = [one for one in authorised if not one.classes or work.device_class in one.classes]
    skilled = [one for one in in_charge if set(work.skills) <= set(one.skills)]
    lacking = (
        (registry.repairers, "the registry has no repairers"),
        (authorised, f"no repairer is authorised {place}"),
        (in_charge, f"no repairer {place} serves class {work.device_class}"),
        (skilled, f"no repairer {place} has the skills {', '.join(work.skills)}"),
        (able, f"no repairer {place} with these skills serves by {' or '.join(work.channels)}"),
    )
    return next(
        (why for found, why in lacking if not found),
        f"no repairer {place} with these skills serves the site's postal code",
    )
