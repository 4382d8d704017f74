"""Who owes the repair: warranty and contract on the day on which the order is opened, at the device's site.

A warranty in force goes before a contract, because then the brand owes the repair whatever else was agreed.
"""

import calendar
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import Literal
from zoneinfo import ZoneInfo

from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import Entitlement
from diagnostics.orders.registry import Coverage, DeviceEntry, Registry
from diagnostics.orders.subject import NOT_REGISTERED
from rules.symbols import DeviceId

Payer = Literal["brand", "customer", "contract"]
Status = Literal["in_warranty", "contract", "out_of_warranty", "unknown"]

_PAYERS: dict[Status, Payer] = {
    "in_warranty": "brand",
    "contract": "contract",
    "out_of_warranty": "customer",
}

#: The zones in which the day begins first and last; a site of unknown zone is somewhere between.
_EARLIEST, _LATEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


@dataclass(frozen=True, slots=True)
class Term:
    """A coverage with its days worked out; `starts` None: since ever, `ends` None: until cancelled."""

    coverage: Coverage
    starts: date | None
    ends: date | None

    def covers(self, day: date) -> bool:
        """Whether a day lies in it."""
        return (self.starts is None or self.starts <= day) and (self.ends is None or day <= self.ends)


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds on one day; `why` says why the status is unknown."""

    status: Status
    term: Term | None = None
    why: str = ""


def entitle(
    *,
    registry: Registry,
    device: DeviceId,
    model: str | None,
    fault: str,
    opened_at: int,
    zone: str | None,
    gaps: Gaps,
) -> tuple[Entitlement, Payer | None]:
    """Return the entitlement's section and who pays.

    Args:
        registry: has the warranties and contracts.
        device: whose.
        model: the device's, for coverage by model.
        fault: coverage may exclude it.
        opened_at: ms since 1970 UTC.
        zone: IANA name of the site's time zone; without it the day may be either of two, and when they differ
            in what they say the status is unknown.
        gaps: where an unknown status is noted.
    """
    days = _days(opened_at, zone)
    standings = [standing_on(day, registry, device, model, fault) for day in days]
    standing = standings[0]
    if any(other != standing for other in standings):
        standing = Standing(
            "unknown", why="the coverage changes on this day and the time zone of the site is not known"
        )
    payer = _PAYERS.get(standing.status)
    if standing.status == "unknown":
        gaps.add("entitlement", standing.why)
        gaps.add("estimate.payer", "who owes the repair is not known")
    term = standing.term
    if term is not None:
        gaps.chose("entitlement.status", _clause(term, fault, days[0]))
    if term is None:
        return Entitlement(status=standing.status, coverage=None, ends=None, contract=None), payer
    gaps.require("entitlement.coverage", term.coverage.text, "the registry does not say what is covered")
    return Entitlement(
        status=standing.status,
        coverage=_coverage_text(term.coverage, fault),
        ends=term.ends.isoformat() if term.ends else None,
        contract=term.coverage.contract,
    ), payer


def standing_on(day: date, registry: Registry, device: DeviceId, model: str | None, fault: str) -> Standing:
    """Return what covers a fault of a device on a day."""
    entry = registry.devices.get(device)
    terms, undated = _terms(registry.coverages_of(device, model), entry)
    running = [term for term in terms if term.covers(day)]
    covering = [term for term in running if not term.coverage.excluded(fault)]
    for kind, status in _STATUSES:
        for term in covering:
            if term.coverage.kind == kind:
                return Standing(status, term)
    if undated:
        return Standing("unknown", why=undated)
    if running:
        return Standing("out_of_warranty", running[0])
    past = [term for term in terms if term.ends is not None and term.ends < day]
    if past:
        return Standing("out_of_warranty", max(past, key=lambda term: term.ends or date.min))
    if terms:
        first = min(term.starts or date.min for term in terms)
        return Standing("unknown", why=f"its coverage begins only on {first.isoformat()}")
    return Standing("unknown", why=NOT_REGISTERED if entry is None else _NO_COVERAGE)


def _clause(term: Term, fault: str, day: date) -> str:
    """Return what decides, in plain words: which coverage, of what, from when until when."""
    coverage = term.coverage
    what = f"{coverage.kind} {coverage.contract}" if coverage.contract else coverage.kind
    of = f"model {coverage.model}" if coverage.model else "this device"
    begun = f" from {term.starts.isoformat()}" if term.starts else ""
    length = f" for {coverage.months} months" if coverage.months is not None and not coverage.ends else ""
    until = f" until {term.ends.isoformat()}" if term.ends else " until cancelled"
    words = f"{what} of {of}{begun}{length}{until}"
    if not term.covers(day):
        return f"{words}; over on {day.isoformat()}"
    pattern = next((one for one in coverage.excludes if fnmatchcase(fault, one)), None)
    return f"{words}; excludes {pattern}" if pattern else f"{words}; in force on {day.isoformat()}"


_STATUSES: tuple[tuple[str, Status], ...] = (("warranty", "in_warranty"), ("contract", "contract"))

_NO_COVERAGE = "the registry has no warranty and no contract, present or past, of the device or its model"


def _coverage_text(coverage: Coverage, fault: str) -> str | None:
    if coverage.text is None or not coverage.excluded(fault):
        return coverage.text
    return f"{coverage.text}; does not cover {fault}"


def _terms(coverages: Sequence[Coverage], entry: DeviceEntry | None) -> tuple[list[Term], str]:
    """Work out the days of coverages; the text says why one could not be, empty when all could."""
    terms, undated = [], ""
    bought = entry.bought if entry else None
    for coverage in coverages:
        if coverage.ends is not None or coverage.months is None:
            terms.append(Term(coverage, coverage.starts or bought, coverage.ends))
        elif coverage.starts is not None:
            # An agreed first day counts: twelve months from 1 January end on 31 December.
            last = months_later(coverage.starts, coverage.months) - timedelta(days=1)
            terms.append(Term(coverage, coverage.starts, last))
        elif bought is not None:
            # The day of an event does not count: regulation (EEC, Euratom) 1182/71, article 3.
            terms.append(Term(coverage, bought, months_later(bought, coverage.months)))
        else:
            undated = f"its coverage lasts {coverage.months} months from a date of purchase that is not known"
    return terms, undated


def months_later(day: date, months: int) -> date:
    """Return the day of the same number so many months on, the month's last where it has no such day.

    Past the year 9999 it is that year's last day.

    >>> months_later(date(2027, 12, 31), 2)
    datetime.date(2028, 2, 29)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _days(opened_at: int, zone: str | None) -> list[date]:
    """Return the day of an instant in a zone; the two that it may be when the zone is not known."""
    # The calendar ends with the year 9999; a day before its end there is room for every zone.
    moment = min(datetime.fromtimestamp(opened_at // 1000, UTC), datetime(9999, 12, 30, tzinfo=UTC))
    if zone is not None:
        with suppress(KeyError, ValueError, OSError):  # how ZoneInfo says that it knows no such zone
            return [moment.astimezone(ZoneInfo(zone)).date()]
    return [moment.astimezone(_LATEST).date(), moment.astimezone(_EARLIEST).date()]
