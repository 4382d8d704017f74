"""The fleet at a glance: health, noisy rules, outcomes, time to an order.

What each figure means, and where it comes from, stands in docs/fleet.md.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

import numpy as np
from pydantic import Field

from diagnostics.orders.registry import Registry
from gateway.api.documents import Document
from gateway.api.installed import devices_by_site
from gateway.api.queries import Queries
from gateway.fleetfigures import Group, OutcomeCount, RuleCount, Window
from rules.symbols import DeviceId
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

By = Literal["model", "site", "firmware"]
GROUPINGS: tuple[By, ...] = get_args(By)

#: What is looked at when nobody says: long enough to watch most repairs for 30 days.
DEFAULT_WINDOW = 90 * DAY_MS
#: Where the bars of the time to an order end, ms; the last one has no end.
DELAY_STEPS = (
    *(MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, 12 * HOUR_MS),
    *(DAY_MS, 3 * DAY_MS, 7 * DAY_MS),
)
#: Seconds for which the sites of the registry's devices are remembered.
SITES_FOR = 300.0


class HealthDocument(Document):
    """Devices that are alike, and what goes wrong with them."""

    columns: ClassVar[tuple[str, ...]] = (
        *("tenant", "class", "model", "firmware", "site", "country"),
        *("devices", "with_open_cases", "faults", "faults_per_100", "worst_fault", "worst_faults"),
    )

    tenant: str
    device_class: str | None = Field(alias="class")
    model: str | None
    firmware: str | None
    site: str | None
    country: str | None
    devices: int
    with_open_cases: int = Field(description="devices on which a case is open now")
    faults: int = Field(description="confirmed faults that began in the window")
    faults_per_100: float | None = Field(description="faults for each 100 devices")
    worst_fault: str | None = Field(description="the most frequent one")
    worst_faults: int


class NoisyRuleDocument(Document):
    """What became of the cases that a rule was first to suspect."""

    columns: ClassVar[tuple[str, ...]] = (
        *("rule", "cases", "confirmed", "dismissed", "refuted", "cleared_before_confirmation"),
        *("flapping", "ordered", "no_fault_found", "noise"),
    )

    rule: str
    cases: int
    confirmed: int
    dismissed: int
    refuted: int = Field(description="by a self test that passed")
    cleared_before_confirmation: int
    flapping: int = Field(description="cases in which it came and went too often to be believed")
    ordered: int
    no_fault_found: int
    noise: float = Field(description="share of cases that were dismissed, refuted, cleared early or no fault")

    @classmethod
    def of(cls, count: RuleCount) -> Self:
        """Return the document of a count."""
        in_vain = count.dismissed + count.refuted + count.cleared_early + count.no_fault_found
        return cls(
            rule=count.rule,
            cases=count.raised,
            confirmed=count.confirmed,
            dismissed=count.dismissed,
            refuted=count.refuted,
            cleared_before_confirmation=count.cleared_early,
            flapping=count.flapping,
            ordered=count.ordered,
            no_fault_found=count.no_fault_found,
            noise=round(min(1.0, in_vain / count.raised), 4),
        )


class OutcomeDocument(Document):
    """What the orders of a fault came to, by the technician's word; ``*`` is all faults together."""

    columns: ClassVar[tuple[str, ...]] = (
        *("fault", "closed", "repaired", "no_fault_found", "other_fault", "cancelled"),
        *("no_fault_found_rate", "watched_30_days", "redone_30_days", "redo_rate_30_days"),
        *("watched_90_days", "redone_90_days", "redo_rate_90_days"),
    )

    fault: str
    closed: int
    repaired: int
    no_fault_found: int
    other_fault: int
    cancelled: int
    no_fault_found_rate: float | None = Field(description="of the orders that somebody looked at")
    watched_30_days: int = Field(description="repairs that are at least 30 days old")
    redone_30_days: int = Field(description="of these, how many had the same fault again within 30 days")
    redo_rate_30_days: float | None
    watched_90_days: int
    redone_90_days: int
    redo_rate_90_days: float | None

    @classmethod
    def of(cls, count: OutcomeCount) -> Self:
        """Return the document of a count."""
        looked_at = count.repaired + count.no_fault_found + count.other_fault
        (watched_30, watched_90), (redone_30, redone_90) = count.watched, count.redone
        return cls(
            fault=count.fault,
            closed=looked_at + count.cancelled,
            repaired=count.repaired,
            no_fault_found=count.no_fault_found,
            other_fault=count.other_fault,
            cancelled=count.cancelled,
            no_fault_found_rate=_share(count.no_fault_found, looked_at),
            watched_30_days=watched_30,
            redone_30_days=redone_30,
            redo_rate_30_days=_share(redone_30, watched_30),
            watched_90_days=watched_90,
            redone_90_days=redone_90,
            redo_rate_90_days=_share(redone_90, watched_90),
        )


class DelayDocument(Document):
    """How long orders of a fault took from the first suspicion; ``*`` is all faults together."""

    columns: ClassVar[tuple[str, ...]] = ("fault", "orders", "median_seconds", "p90_seconds")

    fault: str
    orders: int
    median_seconds: float
    p90_seconds: float


class DelayBarDocument(Document):
    """How many orders took from `above_seconds` to below `below_seconds` after the first suspicion."""

    columns: ClassVar[tuple[str, ...]] = ("above_seconds", "below_seconds", "orders")

    above_seconds: int
    below_seconds: int | None
    orders: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Which part of the fleet is looked at, and over how long up to now (ms)."""

    window: int = DEFAULT_WINDOW
    tenant: str | None = None


class Fleet:
    """Reads over the whole fleet, as far as whoever asks may see it. Calls block."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def health(self, ask: Ask, by: By = "model") -> list[HealthDocument]:
        """Return devices by what is asked for, those with the most faults for each 100 devices first."""
        rows = self._by_site(ask) if by == "site" else self._by_fact(ask, by)
        return sorted(rows, key=lambda row: (-(row.faults_per_100 or 0), -row.with_open_cases, -row.devices))

    def rules(self, ask: Ask) -> list[NoisyRuleDocument]:
        """Return what became of cases by rule, those first that raised the most in vain."""
        rows = [NoisyRuleDocument.of(count) for count in self._queries.fleet.rules(self._window(ask))]
        return sorted(rows, key=lambda row: (-row.noise * row.cases, -row.cases, row.rule))

    def outcomes(self, ask: Ask) -> list[OutcomeDocument]:
        """Return what orders came to by fault: all of them together, then the most frequent first."""
        counts = self._queries.fleet.outcomes(self._window(ask), self._queries.now())
        rows = sorted(map(OutcomeDocument.of, counts), key=lambda row: (-row.closed, row.fault))
        return [OutcomeDocument.of(_together(counts)), *rows] if counts else []

    def delays(self, ask: Ask) -> list[DelayDocument]:
        """Return the time from first suspicion to order by fault: all of them, then the slowest first."""
        by_fault: dict[str, list[int]] = defaultdict(list)
        for fault, delay in self._queries.fleet.delays(self._window(ask)):
            by_fault[fault].append(delay)
        rows = sorted(
            (_delay(fault, delays) for fault, delays in by_fault.items()),
            key=lambda row: (-row.median_seconds, row.fault),
        )
        together = [delay for delays in by_fault.values() for delay in delays]
        return [_delay("*", together), *rows] if together else []

    def delay_bars(self, ask: Ask) -> list[DelayBarDocument]:
        """Return how many orders took how long."""
        delays = [delay for _, delay in self._queries.fleet.delays(self._window(ask))]
        places = np.searchsorted(DELAY_STEPS, delays, side="right")
        counts = np.bincount(places, minlength=len(DELAY_STEPS) + 1)
        ends = [step // SECOND_MS for step in DELAY_STEPS]
        return [
            DelayBarDocument(above_seconds=above, below_seconds=below, orders=int(number))
            for above, below, number in zip([0, *ends], [*ends, None], counts, strict=True)
        ]

    def _window(self, ask: Ask) -> Window:
        now, caller = self._queries.now(), self._queries.caller
        tenants = None if caller is None else caller.tenants()
        if ask.tenant is not None:
            one = frozenset({ask.tenant})
            tenants = one if tenants is None else tenants & one
        return Window(now - ask.window, now + 1, tenants)

    def _by_fact(self, ask: Ask, by: Literal["model", "firmware"]) -> list[HealthDocument]:
        window, counts = self._window(ask), self._queries.fleet
        faults: dict[Group, Counter[str]] = defaultdict(Counter)
        for one in counts.group_faults(window, by=by):
            faults[one.group][one.fault] += one.faults
        return [
            _health(
                faults.get(row.group, Counter()),
                tenant=row.group.tenant,
                device_class=row.group.device_class,
                model=row.group.model or None,
                firmware=row.group.firmware or None,
                devices=row.devices,
                with_open_cases=row.open,
            )
            for row in counts.groups(window, by=by)
        ]

    def _by_site(self, ask: Ask) -> list[HealthDocument]:
        window, counts = self._window(ask), self._queries.fleet
        sites = sites_of(self._queries.registry)
        devices = Counter(
            {
                key: number
                for key, number in sites.devices.items()
                if window.tenants is None or key[0] in window.tenants
            }
        )
        opened = Counter(
            (device.tenant, site)
            for device in counts.devices_with_open_cases(window)
            if (site := sites.site(device)) is not None
        )
        faults: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for one in counts.device_faults(window):
            if (site := sites.site(one.device)) is not None:
                faults[one.device.tenant, site][one.fault] += one.faults
        return [
            _health(
                faults.get((tenant, site), Counter()),
                tenant=tenant,
                site=site,
                country=sites.country(site),
                devices=number,
                with_open_cases=opened[tenant, site],
            )
            for (tenant, site), number in devices.items()
        ]


class Sites:
    """Where the registry's devices stand. They are counted once; which one stands where is looked up."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.devices = devices_by_site(registry)

    def site(self, device: DeviceId) -> str | None:
        """Return the site of a device, None when it is not known."""
        entry = self._registry.devices.get(device)
        return None if entry is None else entry.site

    def country(self, site: str) -> str | None:
        """Return the country of a site, ISO 3166-1 alpha-2."""
        entry = self._registry.sites.get(site)
        return None if entry is None else entry.country


_counted: list[tuple[float, Registry, Sites]] = []
_counting = threading.Lock()


def sites_of(registry: Registry) -> Sites:
    """Return where a registry's devices stand, at most `SITES_FOR` seconds old."""
    with _counting:
        if not _counted or _counted[0][1] is not registry or time.monotonic() >= _counted[0][0]:
            _counted[:] = [(time.monotonic() + SITES_FOR, registry, Sites(registry))]
        return _counted[0][2]


def _health(
    faults: Counter[str],
    *,
    tenant: str,
    devices: int,
    with_open_cases: int,
    device_class: str | None = None,
    model: str | None = None,
    firmware: str | None = None,
    site: str | None = None,
    country: str | None = None,
) -> HealthDocument:
    (worst, number) = min(faults.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))
    total = faults.total()
    return HealthDocument(
        tenant=tenant,
        device_class=device_class,
        model=model,
        firmware=firmware,
        site=site,
        country=country,
        devices=devices,
        with_open_cases=with_open_cases,
        faults=total,
        faults_per_100=round(100 * total / devices, 2) if devices else None,
        worst_fault=worst,
        worst_faults=number,
    )


def _together(counts: Sequence[OutcomeCount]) -> OutcomeCount:
    spans = len(counts[0].watched)
    return OutcomeCount(
        "*",
        sum(one.repaired for one in counts),
        sum(one.no_fault_found for one in counts),
        sum(one.other_fault for one in counts),
        sum(one.cancelled for one in counts),
        tuple(sum(one.watched[span] for one in counts) for span in range(spans)),
        tuple(sum(one.redone[span] for one in counts) for span in range(spans)),
    )


def _delay(fault: str, delays: list[int]) -> DelayDocument:
    median, p90 = np.quantile(delays, (0.5, 0.9)) / SECOND_MS
    return DelayDocument(
        fault=fault, orders=len(delays), median_seconds=round(median, 3), p90_seconds=round(p90, 3)
    )


def _share(number: int, of: int) -> float | None:
    return round(number / of, 4) if of else None


#: A row of one of the tables.
Row = HealthDocument | NoisyRuleDocument | OutcomeDocument | DelayDocument | DelayBarDocument
