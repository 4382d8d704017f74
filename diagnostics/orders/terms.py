"""What the clauses of a device's coverage come to: from when until when, where, and for what of the cost."""

import calendar
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from diagnostics.orders.registry import CostItem, Coverage, DeviceEntry


class Claim(NamedTuple):
    """Something that a repair costs; `kind` of the part, empty when no kind of part is known."""

    item: CostItem
    kind: str = ""

    def __str__(self) -> str:
        return f"parts of kind {self.kind}" if self.kind else self.item


def claims_of(kinds: Sequence[str] | None) -> list[Claim]:
    """Return what a repair costs that takes parts of these kinds; None: which is not known."""
    parts = [Claim("parts")] if kinds is None else [Claim("parts", kind) for kind in dict.fromkeys(kinds)]
    return [*parts, Claim("labour"), Claim("transport")]


@dataclass(frozen=True, slots=True)
class Term:
    """A warranty or a contract with its days worked out, or what an extension adds to it.

    Attributes:
        starts: first day; None: since ever.
        ends: last day; None: until cancelled.
        extension: it begins after `coverage` has ended, and owes what both cover.
        here: whether it is valid in the country of the site.
    """

    coverage: Coverage
    starts: date | None
    ends: date | None
    extension: Coverage | None = None
    here: bool = True

    def in_force(self, day: date) -> bool:
        """Whether a day lies in it."""
        return (self.starts is None or self.starts <= day) and (self.ends is None or day <= self.ends)

    def ended(self, day: date) -> bool:
        """Whether it was over before a day."""
        return self.ends is not None and self.ends < day

    def scopes(self) -> Iterator[Coverage]:
        """Yield the clauses that all must cover what it pays for."""
        yield self.coverage
        if self.extension is not None:
            yield self.extension

    def pays(self, claim: Claim, fault: str, kinds: Sequence[str] | None) -> bool:
        """Whether it pays for something, on a day on which it is in force.

        Labour and transport are paid for where any of the parts that are replaced is covered, and, when a
        coverage names kinds of parts, only then.
        """
        return self.here and all(_pays(scope, claim, fault, kinds) for scope in self.scopes())


def _pays(scope: Coverage, claim: Claim, fault: str, kinds: Sequence[str] | None) -> bool:
    if (scope.covers and claim.item not in scope.covers) or not scope.admits_fault(fault):
        return False
    if claim.kind:
        return scope.admits_kind(claim.kind)
    if kinds:
        return any(map(scope.admits_kind, kinds))
    return not scope.part_kinds


def terms_of(
    coverages: Sequence[Coverage], entry: DeviceEntry | None, country: str | None
) -> tuple[list[Term], list[tuple[Coverage, str]]]:
    """Work out the days of coverages, and with each one that has none, why.

    Args:
        coverages: of one device, in the registry's order.
        entry: has the day of purchase.
        country: of the site; a row that names it stands in for rows that are alike and name none.
    """
    valid, elsewhere = _by_country(coverages, country)
    bought = entry.bought if entry else None
    terms: list[Term] = []
    undated: list[tuple[Coverage, str]] = []
    for coverage in (*valid, *elsewhere):
        if coverage.kind == "extension":
            continue
        here = coverage in valid
        if coverage.ends is not None or coverage.months is None:
            terms.append(Term(coverage, coverage.starts or bought, coverage.ends, here=here))
        elif coverage.starts is not None:
            # An agreed first day counts: twelve months from 1 January end on 31 December.
            last = months_later(coverage.starts, coverage.months) - timedelta(days=1)
            terms.append(Term(coverage, coverage.starts, last, here=here))
        elif bought is not None:
            # The day of an event does not count: regulation (EEC, Euratom) 1182/71, article 3.
            last = months_later(bought, coverage.months)
            terms.append(Term(coverage, bought, last, here=here))
        elif here:
            why = f"its coverage lasts {coverage.months} months from a date of purchase that is not known"
            undated.append((coverage, why))
    for extension in (coverage for coverage in valid if coverage.kind == "extension"):
        bases = [term for term in terms if _prolongs(extension, term.coverage)]
        if not bases and not any(_prolongs(extension, coverage) for coverage, _ in undated):
            named = f"warranty {extension.extends}" if extension.extends else "warranty"
            undated.append((extension, f"the registry has no {named} that its extension prolongs"))
        terms += _prolonged(bases, extension)
    return terms, undated


def _prolongs(extension: Coverage, base: Coverage) -> bool:
    if extension.extends is not None:
        return base.term == extension.extends
    return base.kind == "warranty"


def _by_country(coverages: Sequence[Coverage], country: str | None) -> tuple[list[Coverage], list[Coverage]]:
    """Return what is valid in a country, and what is so only elsewhere."""
    if not any(coverage.countries for coverage in coverages):
        return list(coverages), []
    special = {one.alike() for one in coverages if one.countries and country in one.countries}
    valid: list[Coverage] = []
    elsewhere: list[Coverage] = []
    for coverage in coverages:
        if coverage.countries:
            (valid if country in coverage.countries else elsewhere).append(coverage)
        elif coverage.alike() not in special:
            valid.append(coverage)
    return valid, elsewhere


def _prolonged(bases: Sequence[Term], extension: Coverage) -> Iterator[Term]:
    """Yield what an extension adds to each warranty that it prolongs, after what others added before it."""
    last: dict[Coverage, tuple[date, Term]] = {}
    for term in bases:
        if term.here and term.ends is not None:  # what never ends is not prolonged
            last[term.coverage] = max(last.get(term.coverage, (date.min, term)), (term.ends, term), key=_end)
    for ended, term in last.values():
        starts = extension.starts or _next_day(ended)
        if extension.ends is not None:
            ends = extension.ends
        elif extension.starts is not None:
            ends = months_later(starts, extension.months or 0) - timedelta(days=1)
        else:
            ends = months_later(ended, extension.months or 0)
        yield Term(term.coverage, starts, ends, extension)


def _end(ended: tuple[date, Term]) -> date:
    return ended[0]


def _next_day(day: date) -> date:
    return day if day == date.max else day + timedelta(days=1)


def countries_named(coverages: Iterable[Coverage]) -> list[str]:
    """Return the countries on which coverages depend, each once."""
    return list(dict.fromkeys(country for coverage in coverages for country in coverage.countries))


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
