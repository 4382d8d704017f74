"""What charts show: the readings of one signal in a span of time, one line a component."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from diagnostics.case import Case, CaseEvent
from diagnostics.decision import Scalar
from gateway.api.queries import Queries
from gateway.console.words import unit_of, upper_first, words_of
from gateway.ports import StoredReading
from rules.signals import Catalogue
from rules.symbols import Channel, DeviceId
from rules.times import DAY_MS, MINUTE_MS, SECOND_MS, parse_duration

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
        holds: the times for which a condition had to hold before it was suspected.
        over: another signal that is laid over it.
    """

    signal: str
    title: str
    unit: str
    kind: Literal["number", "boolean", "text"]
    lines: tuple[Line, ...]
    span: Span
    markers: tuple[Marker, ...] = ()
    limit: float | None = None
    holds: tuple[Span, ...] = ()
    over: "Panel | None" = None


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


def evidence_panels(
    queries: Queries, case: Case, events: Sequence[CaseEvent], *, over: str = ""
) -> list[Panel]:
    """Return a panel for each signal of a case's evidence, from before its onset to its end or now.

    Args:
        queries: to read from.
        case: whose evidence.
        events: its steps, drawn in.
        over: another signal of the device to be laid over all of them; ``""`` for none.
    """
    device = DeviceId(case.tenant, case.device_class, case.device)
    span = case_span(queries, case)
    limits = {evidence.signal: evidence.limit for evidence in case.evidence}
    markers = tuple(Marker(event.at, event.event) for event in sorted(events, key=lambda event: event.at))
    wanted = list(limits)[:EVIDENCE_SIGNALS]
    readings = {
        signal: queries.history.telemetry(
            device, signal=signal, start=span.start, end=span.end, step=span.step
        )
        for signal in [*wanted, *([over] if over else [])]
    }
    first = [found[0].ts for signal, found in readings.items() if found and signal in wanted]
    span = span.from_first(min([case.onset, *first]))
    holds = _holds(queries, case, markers)
    laid = panels_of(readings.get(over, []), queries.catalogue, span)
    return [
        replace(panel, holds=holds, over=laid[0] if laid and signal != over else None)
        for signal in wanted
        for panel in panels_of(
            readings[signal], queries.catalogue, span, markers=markers, limit=limits[signal]
        )
    ]


def case_span(queries: Queries, case: Case) -> Span:
    """Return the time that the charts of a case show."""
    end = case.ended_at or max(queries.now(), case.updated)
    start = max(case.onset - max(LEAD_MS, (end - case.onset) // 3), end - LONGEST_MS)
    return Span.of(start, end + (end - start) // 20)


def signals_of(queries: Queries, case: Case) -> list[str]:
    """Return the signals that a case's device sent in the time that its charts show, by name."""
    device = DeviceId(case.tenant, case.device_class, case.device)
    span = case_span(queries, case)
    readings = queries.history.telemetry(
        device, start=span.start, end=span.end, step=max(span.end - span.start, 1)
    )
    return sorted({str(Channel(reading.signal, reading.component)) for reading in readings})


def _holds(queries: Queries, case: Case, markers: Sequence[Marker]) -> tuple[Span, ...]:
    """Return for each suspicion the time for which the rule's condition had held before it."""
    rule = next((rule for rule in queries.rules.rules() if rule.get("id") == case.rule), {})
    hold = rule.get("hold")
    length = parse_duration(hold) if isinstance(hold, str) else 0
    if length == 0:
        return ()
    return tuple(
        Span(marker.at - length, marker.at, length) for marker in markers if marker.word == "suspected"
    )


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
