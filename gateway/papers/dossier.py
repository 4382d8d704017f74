"""What a paper is made from: an order, the life of its case, and the readings that decided it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from diagnostics.case import Case, CaseEvent
from diagnostics.decision import Scalar
from diagnostics.orders.model import OrderEvidence, ServiceOrder
from gateway.papers.chart import Course, Moment
from gateway.papers.texts import Zone
from gateway.plainwords import signal_words, unit_of, upper_first
from gateway.ports import LedgerReads, StoredReading
from rules.signals import Catalogue
from rules.symbols import DeviceId
from rules.times import DAY_MS, MINUTE_MS, parse_instant

#: The chart begins so long before the onset at least, and so many days before its end at most.
LEAD_MS = 30 * MINUTE_MS
LONGEST_MS = 3 * DAY_MS


class Readings(Protocol):
    """Gives the stored readings of a device in order of time; start <= ts < end, ms."""

    def __call__(
        self, device: DeviceId, *, signal: str | None, start: int | None, end: int | None
    ) -> list[StoredReading]:
        """Return them."""
        ...


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that a paper can say.

    Attributes:
        course: of the deciding signal; None when no evidence can be drawn.
        printed_at: ms since 1970 UTC.
    """

    order: ServiceOrder
    course: Course | None
    catalogue: Catalogue
    printed_at: int

    @property
    def zone(self) -> Zone:
        """The time zone of the site."""
        return Zone.of(self.order.customer.time_zone)


def gather(
    order: ServiceOrder, ledger: LedgerReads, readings: Readings, catalogue: Catalogue, *, now: int
) -> Dossier:
    """Return the dossier of an order."""
    case = ledger.case(order.case_id)
    course = None
    evidence = deciding(order.diagnosis.evidence)
    if evidence is not None and case is not None:
        course = _course(case, ledger.events(case.case_id), evidence, readings, catalogue)
    return Dossier(order, course, catalogue, now)


def deciding(evidence: Sequence[OrderEvidence]) -> OrderEvidence | None:
    """Return the evidence that a chart shows: what a rule looks at first, if it can be drawn."""
    return next((one for one in evidence if _number(one.value) is not None), None)


def _course(
    case: Case,
    events: Sequence[CaseEvent],
    evidence: OrderEvidence,
    readings: Readings,
    catalogue: Catalogue,
) -> Course:
    device = DeviceId(case.tenant, case.device_class, case.device)
    decided = max(case.confirmed_at or case.onset, parse_instant(evidence.at), case.onset)
    lead = max(LEAD_MS, (decided - case.onset) // 2)
    start = max(case.onset - lead, decided - LONGEST_MS)
    found = readings(device, signal=evidence.signal, start=start, end=decided + lead // 3)
    _, _, component = evidence.signal.partition("@")
    limit = None if isinstance(evidence.limit, bool) else _number(evidence.limit)
    moments = [
        Moment(event.at, event.event)
        for event in events
        if event.event in ("suspected", "confirmed") and start <= event.at <= decided + lead // 3
    ]
    return Course(
        title=upper_first(signal_words(catalogue, evidence.signal)),
        unit=unit_of(catalogue, evidence.signal),
        points=[(one.ts, _number(one.value)) for one in found if one.component == component],
        moments=moments or [Moment(case.onset, "suspected")],
        limit=limit,
        boolean=isinstance(evidence.value, bool),
    )


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) else None
