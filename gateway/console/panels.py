"""What charts show: the readings of one signal in a span of time, one line a component."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from diagnostics.case import Case, CaseEvent
from diagnostics.decision import Scalar
from gateway.api.queries import Queries
from gateway.console.words import unit_of, upper_first, words_of
from gateway.ports import StoredReading
from rules.signals import Catalogue
from rules.symbols import Channel, DeviceId
from rules.times import DAY_MS, MINUTE_MS, SECOND_MS

#: Points of one line; a screen shows no more.
POINTS = 240

#: A case's charts begin so long before its onset, at least, and show so many days at most.
LEAD_MS = 30 * MINUTE_MS
LONGEST_MS = 14 * DAY_MS

#: Signals whose readings a case's page draws.
EVIDENCE_SIGNALS = 6


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of device time, and the distance of points in it, all in ms."""

    start: int
    end: int
    step: int

    @classmethod
    def of(cls, start: int, end: int) -> "Span":
        """Return a span whose end moves in steps, so that a chart is not redrawn for every second."""
        step = max(SECOND_MS, (end - start) // POINTS // SECOND_MS * SECOND_MS)
        return cls(start // step * step, end // step * step + step, step)

    def from_first(self, first: int) -> "Span":
        """Return the span without what lies before the first reading."""
        return Span(max(self.start, first), self.end, self.step)


@dataclass(frozen=True, slots=True)
class Line:
    """The readings of one component in order of time."""

    component: str
    points: tuple[tuple[int, Scalar], ...]

    @property
    def latest(self) -> Scalar:
        """The last value."""
        return self.points[-1][1] if self.points else None


@dataclass(frozen=True, slots=True)
class Marker:
    """An instant worth a line: ``suspected``, ``confirmed``..."""

    at: int
    word: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart.

    Attributes:
        signal: name without component.
        limit: what the values were held against, where it is a number.
    """

    signal: str
    title: str
    unit: str
    kind: Literal["number", "boolean", "text"]
    lines: tuple[Line, ...]
    span: Span
    markers: tuple[Marker, ...] = ()
    limit: float | None = None


def device_panels(queries: Queries, device: DeviceId, window: int) -> list[Panel]:
    """Return a panel for each signal of a device over the last `window` ms, or the last in which it spoke."""
    now = queries.now()
    span = Span.of(now - window, now)
    readings = queries.history.telemetry(device, start=span.start, end=span.end, step=span.step)
    if not readings:
        last = queries.history.telemetry(device, limit=1)
        if not last:
            return []
        span = Span.of(last[-1].ts - window, last[-1].ts)
        readings = queries.history.telemetry(device, start=span.start, end=span.end, step=span.step)
    return panels_of(readings, queries.catalogue, span.from_first(readings[0].ts))


def evidence_panels(queries: Queries, case: Case, events: Sequence[CaseEvent]) -> list[Panel]:
    """Return a panel for each signal of a case's evidence, from before its onset to its end or now."""
    device = DeviceId(case.tenant, case.device_class, case.device)
    end = case.ended_at or max(queries.now(), case.updated)
    start = max(case.onset - max(LEAD_MS, (end - case.onset) // 3), end - LONGEST_MS)
    span = Span.of(start, end + (end - start) // 20)
    limits = {evidence.signal: evidence.limit for evidence in case.evidence}
    markers = tuple(Marker(event.at, event.event) for event in sorted(events, key=lambda event: event.at))
    readings = {
        signal: queries.history.telemetry(
            device, signal=signal, start=span.start, end=span.end, step=span.step
        )
        for signal in list(limits)[:EVIDENCE_SIGNALS]
    }
    span = span.from_first(min([case.onset, *(found[0].ts for found in readings.values() if found)]))
    return [
        panel
        for signal, found in readings.items()
        for panel in panels_of(found, queries.catalogue, span, markers=markers, limit=limits[signal])
    ]


def panels_of(
    readings: Iterable[StoredReading],
    catalogue: Catalogue,
    span: Span,
    *,
    markers: tuple[Marker, ...] = (),
    limit: Scalar = None,
) -> list[Panel]:
    """Return readings in order of time as panels, one a signal, by name."""
    points: dict[str, dict[str, list[tuple[int, Scalar]]]] = {}
    for reading in readings:
        line = points.setdefault(reading.signal, {}).setdefault(reading.component, [])
        line.append((reading.ts, reading.value))
    return [
        Panel(
            signal=signal,
            title=_title(catalogue, signal),
            unit=unit_of(catalogue, signal),
            kind=_kind(value for line in lines.values() for _, value in line),
            lines=tuple(Line(component, tuple(lines[component])) for component in sorted(lines)),
            span=span,
            markers=markers,
            limit=limit if isinstance(limit, float) and not isinstance(limit, bool) else None,
        )
        for signal, lines in sorted(points.items())
    ]


def _title(catalogue: Catalogue, signal: str) -> str:
    known = catalogue.get(Channel.parse(signal).signal)
    return upper_first(known.title.partition(" (")[0] if known else words_of(signal))


def _kind(values: Iterable[Scalar]) -> Literal["number", "boolean", "text"]:
    kinds = {type(value) for value in values} - {type(None)}
    if str in kinds:
        return "text"
    return "boolean" if kinds == {bool} else "number"
