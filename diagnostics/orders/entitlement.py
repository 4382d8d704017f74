"""Who owes the repair: warranty and contract on the day on which the order is opened, at the device's site.

Parts, labour and transport are each decided for themselves. A warranty in force goes before a contract,
because then the brand owes the repair whatever else was agreed.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import Literal
from zoneinfo import ZoneInfo

from diagnostics.faults import ServiceChannel
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import Entitlement
from diagnostics.orders.registry import Coverage, DeviceEntry, Registry
from diagnostics.orders.subject import NOT_REGISTERED
from diagnostics.orders.terms import Claim, Term, claims_of, countries_named, terms_of
from rules.symbols import DeviceId

Payer = Literal["brand", "customer", "contract"]
Status = Literal["in_warranty", "contract", "out_of_warranty", "unknown"]

#: In this order: what a warranty pays for no contract is asked for.
_PAYING: tuple[tuple[str, Payer, Status], ...] = (
    ("warranty", "brand", "in_warranty"),
    ("contract", "contract", "contract"),
)

#: The zones in which the day begins first and last; a site of unknown zone is somewhere between.
_EARLIEST, _LATEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))

#: A country that no coverage names.
_OTHER = ""

_NO_COVERAGE = "the registry has no warranty and no contract, present or past, of the device or its model"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked: what covers a device, which fault, and what its repair costs."""

    entry: DeviceEntry | None
    coverages: Sequence[Coverage]
    fault: str
    kinds: Sequence[str] | None
    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True)
class Decided:
    """Who pays for a part of the cost, by which term; `why` says why that is not known."""

    claim: Claim
    payer: Payer | None
    term: Term | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds on one day in one country; `why` says why the status is unknown."""

    status: Status
    decided: tuple[Decided, ...] = ()
    term: Term | None = None
    why: str = ""

    def says(self) -> tuple[object, ...]:
        """What of it stands in an order."""
        payers = tuple((one.claim, one.payer) for one in self.decided)
        if self.term is None:
            return self.status, payers, self.why
        return self.status, payers, self.term.ends, self.term.coverage.text, self.term.coverage.contract


@dataclass(frozen=True, slots=True)
class Entitled:
    """What a device is entitled to.

    Attributes:
        section: of the order.
        decided: who pays for what.
        channels: ways of service that the deciding coverage promises; empty: none in particular.
        day: of the order at the site; the earlier of two where the time zone is not known.
        country: of the site.
        fault: what is to be repaired.
    """

    section: Entitlement
    decided: tuple[Decided, ...]
    channels: tuple[ServiceChannel, ...]
    day: date
    country: str | None
    fault: str

    def clause(self, decided: Decided) -> str:
        """Return why someone pays, in plain words."""
        if decided.term is None:
            return decided.why
        return _clause(decided.term, self.fault, (self.day, self.country), decided.claim.kind)


def entitle(
    *,
    registry: Registry,
    device: DeviceId,
    model: str | None,
    fault: str,
    kinds: Sequence[str] | None,
    opened_at: int,
    zone: str | None,
    country: str | None,
    gaps: Gaps,
) -> Entitled:
    """Return what a device is entitled to.

    Args:
        registry: has the warranties and contracts.
        device: whose.
        model: the device's, for coverage by model.
        fault: coverage may exclude it.
        kinds: of the parts that the repair takes; None when that is not known.
        opened_at: ms since 1970 UTC.
        zone: IANA name of the site's time zone; without it the day may be either of two, and when they differ
            in what they say the status is unknown.
        country: of the site; without it the status is unknown when coverage differs by country.
        gaps: where an unknown status is noted.
    """
    days = _days(opened_at, zone)
    coverages = registry.coverages_of(device, model)
    places = [country] if country is not None else [*countries_named(coverages), _OTHER]
    asked = _Asked(registry.devices.get(device), coverages, fault, kinds, claims_of(kinds))
    by_place = [[_standing(day, place, asked) for day in days] for place in places]
    standing = by_place[0][0]
    if any(one.says() != standings[0].says() for standings in by_place for one in standings):
        standing = Standing(
            "unknown", why="the coverage changes on this day and the time zone of the site is not known"
        )
    elif any(standings[0].says() != standing.says() for standings in by_place):
        standing = Standing(
            "unknown", why="its coverage differs by country, and the country of the site is not known"
        )
    return _entitled(standing, asked, (days[0], country), gaps)


def _entitled(standing: Standing, asked: _Asked, when: tuple[date, str | None], gaps: Gaps) -> Entitled:
    (day, country), fault, decided = when, asked.fault, standing.decided
    if standing.status == "unknown":
        gaps.add("entitlement", standing.why)
        gaps.add("estimate.payer", "who owes the repair is not known")
        decided = tuple(Decided(claim, None, why=standing.why) for claim in asked.claims)
    term = standing.term
    if term is None:
        nothing = Entitlement(status=standing.status, coverage=None, ends=None, contract=None)
        return Entitled(nothing, decided, (), day, country, fault)
    gaps.chose("entitlement.status", _clause(term, fault, when))
    gaps.require("entitlement.coverage", term.coverage.text, "the registry does not say what is covered")
    numbers = [one.term.coverage.contract for one in decided if one.payer == "contract" and one.term]
    contract = (term.extension.contract if term.extension else None) or term.coverage.contract
    section = Entitlement(
        status=standing.status,
        coverage=_coverage_text(term, fault, decided),
        ends=term.ends.isoformat() if term.ends else None,
        contract=contract or next(filter(None, numbers), None),
    )
    promised = () if standing.status == "out_of_warranty" else term.coverage.channels
    return Entitled(section, decided, promised, day, country, fault)


def _standing(day: date, country: str | None, asked: _Asked) -> Standing:
    """Return what covers a fault of a device on a day in a country."""
    entry, fault, kinds = asked.entry, asked.fault, asked.kinds
    terms, undated = terms_of(asked.coverages, entry, country)
    running = [term for term in terms if term.in_force(day)]
    against = _against(terms, running, day)
    partly = next(
        (term for term in running if any(term.pays(one, fault, kinds) for one in asked.claims)), against
    )

    def decide(claim: Claim) -> Decided:
        for kind, payer, _ in _PAYING:
            for term in running:
                if term.coverage.kind == kind and term.pays(claim, fault, kinds):
                    return Decided(claim, payer, term)
        for coverage, why in undated:
            if Term(coverage, None, None).pays(claim, fault, kinds):
                return Decided(claim, None, why=why)
        over = [term for term in terms if term.ended(day) and term.pays(claim, fault, kinds)]
        refusing = max(over, key=lambda term: term.ends or date.min, default=partly)
        return Decided(claim, "customer" if against else None, refusing)

    decided = tuple(map(decide, asked.claims))
    for _, payer, status in _PAYING:
        terms_paying = [one.term for one in decided if one.payer == payer and one.term]
        if terms_paying:
            return Standing(status, decided, max(terms_paying, key=terms_paying.count))
    unsure = next((one.why for one in decided if one.why), "")
    if unsure:
        return Standing("unknown", why=unsure)
    if against is not None:
        return Standing("out_of_warranty", decided, against)
    if terms:
        first = min(term.starts or date.min for term in terms)
        return Standing("unknown", why=f"its coverage begins only on {first.isoformat()}")
    return Standing("unknown", why=NOT_REGISTERED if entry is None else _NO_COVERAGE)


def _against(terms: Sequence[Term], running: Sequence[Term], day: date) -> Term | None:
    """Return the term by which it is known that nothing is covered: one in force, else the last one."""
    for here in (True, False):
        for term in running:
            if term.here == here:
                return term
        past = [term for term in terms if term.here == here and term.ended(day)]
        if past:
            return max(past, key=lambda term: term.ends or date.min)
    return None


def _clause(term: Term, fault: str, when: tuple[date, str | None], kind: str = "") -> str:
    """Return what decides, in plain words: which coverage, of what, from when until when, and what of it."""
    (day, country), coverage, extension = when, term.coverage, term.extension
    what = f"{coverage.kind} {coverage.contract}" if coverage.contract else coverage.kind
    of = f"model {coverage.model}" if coverage.model else "this device"
    begun = f" from {term.starts.isoformat()}" if term.starts and not extension else ""
    counted = coverage.months is not None and not coverage.ends
    length = f" for {coverage.months} months" if counted else ""
    words = f"{what} of {of}{begun}{length}"
    if extension is not None:
        bought = f"extension {extension.contract}" if extension.contract else "an extension"
        more = f" for {extension.months} months" if extension.months and not extension.ends else ""
        since = f" from {term.starts.isoformat()}" if term.starts else ""
        words += f", prolonged by {bought}{more}{since}"
    words += f" until {term.ends.isoformat()}" if term.ends else " until cancelled"
    if not term.here:
        named, site = ", ".join(coverage.countries), country or "another country"
        return f"{words}; valid only in {named}, and the site is in {site}"
    if coverage.countries:
        words += f", in {', '.join(coverage.countries)}"
    if not term.in_force(day):
        return f"{words}; over on {day.isoformat()}"
    return "; ".join([words, f"in force on {day.isoformat()}", *_limits(term, fault, kind)])


def _limits(term: Term, fault: str, kind: str) -> list[str]:
    """Return what a term in force does not cover, as far as it concerns the fault."""
    limits = []
    for scope in term.scopes():
        pattern = next((one for one in scope.excludes if fnmatchcase(fault, one)), None)
        left_out = next((one for one in scope.excludes if kind and fnmatchcase(kind, one)), None)
        if pattern or left_out:
            limits.append(f"excludes {pattern or left_out}")
        if scope.faults and not any(fnmatchcase(fault, one) for one in scope.faults):
            limits.append(f"covers only {', '.join(scope.faults)}")
        if scope.part_kinds:
            limits.append(f"covers only parts of kind {', '.join(scope.part_kinds)}")
        if scope.covers:
            limits.append(f"covers only {' and '.join(scope.covers)}")
    return limits


def _coverage_text(term: Term, fault: str, decided: Sequence[Decided]) -> str | None:
    """Return what is covered in the registry's words, and what of this repair is not."""
    text = term.coverage.text
    if text is None:
        return None
    if term.extension is not None:
        text = f"{text}; prolonged: {term.extension.text or term.extension.contract or 'an extension'}"
    if not all(scope.admits_fault(fault) for scope in term.scopes()):
        return f"{text}; does not cover {fault}"
    if not any(one.payer in ("brand", "contract") for one in decided):
        return text
    unpaid = [str(one.claim) for one in decided if one.term is not term or one.payer == "customer"]
    return f"{text}; does not cover {', '.join(unpaid)}" if unpaid else text


def _days(opened_at: int, zone: str | None) -> list[date]:
    """Return the day of an instant in a zone; the two that it may be when the zone is not known."""
    # The calendar ends with the year 9999; a day before its end there is room for every zone.
    moment = min(datetime.fromtimestamp(opened_at // 1000, UTC), datetime(9999, 12, 30, tzinfo=UTC))
    if zone is not None:
        with suppress(KeyError, ValueError, OSError):  # how ZoneInfo says that it knows no such zone
            return [moment.astimezone(ZoneInfo(zone)).date()]
    return [moment.astimezone(_LATEST).date(), moment.astimezone(_EARLIEST).date()]
