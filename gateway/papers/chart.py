"""The evidence chart: the deciding signal around the onset, its limit, suspicion and confirmation."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.papers.drawing import Box, Drawing, Label, Point, Stroke
from gateway.papers.texts import Zone, cut
from gateway.plainwords import number_words, shown, with_unit
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS

INK, GRID, QUIET = "#1f2937", "#e5e7eb", "#6b7280"
LINE, LIMIT = "#1d4ed8", "#b91c1c"
MOMENTS = {"suspected": "#b45309", "confirmed": "#b91c1c"}
BETWEEN = "#fef3c7"

#: Room around the plot, mm.
LEFT, RIGHT, TOP, BOTTOM = 15.0, 3.0, 6.0, 6.0
TYPE = 7.0

#: Points of the line; a page shows no more. Of each stretch the smallest and the largest value are kept.
STRETCHES = 240
#: Fewer readings than this are marked each.
FEW = 25
#: Time of day beside which a moment's word fits, as a share of the plot's width.
WORD_ROOM = 0.12

_STEPS = [
    *(minutes * MINUTE_MS for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR_MS for hours in (1, 2, 3, 6, 12)),
    *(days * DAY_MS for days in (1, 2, 7, 14, 28)),
]


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of the case's life: ``suspected`` or ``confirmed``, device time, ms."""

    at: int
    word: str


@dataclass(frozen=True, slots=True)
class Course:
    """What the chart shows.

    Attributes:
        title: the signal in plain words.
        unit: of the values, ``""`` for none.
        points: (device time in ms, value) in order of time; None is unknown, a boolean is 0 or 1.
        limit: what the values were held against.
        boolean: 0 and 1 are no and yes.
    """

    title: str
    unit: str
    points: Sequence[tuple[int, float | None]]
    moments: Sequence[Moment]
    limit: float | None = None
    boolean: bool = False


def chart(course: Course, zone: Zone, *, width: float, height: float) -> Drawing | None:
    """Return the drawing of a course, None when no value of it is known."""
    known = [value for _, value in course.points if value is not None and math.isfinite(value)]
    if not known:
        return None
    return _Plot(course, known, zone, width, height).drawing()


class _Plot:
    """Where instants and values lie on the drawing."""

    def __init__(
        self, course: Course, known: Sequence[float], zone: Zone, width: float, height: float
    ) -> None:
        self.course, self.zone, self.width, self.height = course, zone, width, height
        times = [*(ts for ts, _ in course.points), *(moment.at for moment in course.moments)]
        self.start, self.end = min(times), max(times)
        if self.start == self.end:
            self.start, self.end = self.start - HOUR_MS, self.end + HOUR_MS
        held = [*known] if course.limit is None else [*known, course.limit]
        self.low, self.high, self.step = (0.0, 1.0, 1.0) if course.boolean else round_range(held)

    def x(self, at: int) -> float:
        share = (at - self.start) / (self.end - self.start)
        return LEFT + share * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def drawing(self) -> Drawing:
        shapes = (
            *self._between(),
            *self._values(),
            *self._hours(),
            *self._limit(),
            *self._line(),
            *self._moments(),
        )
        unit = f", {self.course.unit}" if self.course.unit else ""
        title = f"{self.course.title}{unit}, {self.zone.words(self.start)} to {self.zone.words(self.end)}"
        return Drawing(self.width, self.height, shapes, shown(title))

    def _between(self) -> Iterator[Box]:
        """Colour the time from the first suspicion to the confirmation."""
        at = {moment.word: moment.at for moment in reversed(self.course.moments)}
        if {"suspected", "confirmed"} <= at.keys():
            x, end = self.x(at["suspected"]), self.x(at["confirmed"])
            if end > x:
                yield Box(x, TOP, end - x, self.height - TOP - BOTTOM, BETWEEN)

    def _values(self) -> Iterator[Stroke | Label]:
        for number in range(round((self.high - self.low) / self.step) + 1):
            value = self.low + number * self.step
            y = self.y(value)
            words = ("no", "yes")[round(value)] if self.course.boolean else number_words(round(value, 10))
            yield Stroke(((LEFT, y), (self.width - RIGHT, y)), GRID, 0.2)
            yield Label(LEFT - 1.5, y + 0.9, words, QUIET, TYPE, "end")

    def _hours(self) -> Iterator[Stroke | Label]:
        bottom = self.height - BOTTOM
        day = None
        last = float("-inf")
        for at in round_instants(self.start, self.end, self.zone):
            x, moment = self.x(at), self.zone.moment(at)
            text = f"{moment:%H:%M}" if moment.date() == day else f"{moment:%m-%d %H:%M}"
            yield Stroke(((x, bottom), (x, bottom + 1)), QUIET, 0.2)
            if x - last > 1.3 * len(text) + 2 and x + 0.7 * len(text) < self.width:
                yield Label(x, bottom + 4, text, QUIET, TYPE, "middle")
                day, last = moment.date(), x
        yield Stroke(((LEFT, bottom), (self.width - RIGHT, bottom)), QUIET, 0.25)

    def _limit(self) -> Iterator[Stroke | Label]:
        if self.course.limit is None or self.course.boolean:
            return
        y = self.y(self.course.limit)
        words = f"limit {with_unit(self.course.limit, self.course.unit)}"
        yield Stroke(((LEFT, y), (self.width - RIGHT, y)), LIMIT, 0.3, dashed=True)
        over = y - 1 if y - 4 > TOP else y + 3
        yield Label(LEFT + 1, over, words, LIMIT, TYPE)

    def _line(self) -> Iterator[Stroke]:
        for stretch in _unbroken(thinned(self.course.points)):
            points: list[Point] = []
            for ts, value in stretch:
                if points and self.course.boolean:
                    points.append((self.x(ts), points[-1][1]))
                points.append((self.x(ts), self.y(value)))
            if len(points) > 1:
                yield Stroke(tuple(points), LINE, 0.45)
            if len(stretch) < FEW:
                yield from (Stroke(((self.x(ts), self.y(value)),), LINE, 0.6) for ts, value in stretch)

    def _moments(self) -> Iterator[Stroke | Label]:
        """Draw each moment; its word stands before its line where there is room, or behind it."""
        room = (self.width - LEFT - RIGHT) * WORD_ROOM
        taken = LEFT
        for moment in sorted(self.course.moments, key=lambda one: one.at):
            x, colour = self.x(moment.at), MOMENTS.get(moment.word, QUIET)
            yield Stroke(((x, TOP - 4), (x, self.height - BOTTOM)), colour, 0.35)
            if x - room >= taken:
                yield Label(x - 1, TOP - 2, moment.word, colour, TYPE, "end")
                taken = x
            elif x >= taken and x + room <= self.width:
                yield Label(x + 1, TOP - 2, moment.word, colour, TYPE)
                taken = x + room


def thinned(points: Sequence[tuple[int, float | None]]) -> list[tuple[int, float | None]]:
    """Return points in order of time of which each stretch keeps its smallest and its largest value.

    A single peak among a million readings is still there; gaps stay gaps.
    """
    if len(points) <= 2 * STRETCHES:
        return list(points)
    start, end = points[0][0], points[-1][0]
    kept: dict[int, list[tuple[int, float | None]]] = {}
    for point in points:
        kept.setdefault((point[0] - start) * STRETCHES // max(1, end - start), []).append(point)
    result: list[tuple[int, float | None]] = []
    for stretch in kept.values():
        known = [(value, ts) for ts, value in stretch if value is not None]
        picked = {(ts, value) for value, ts in (min(known), max(known))} if known else set()
        unknown = next(((ts, value) for ts, value in stretch if value is None), None)
        result += sorted({*picked, *([unknown] if unknown else [])}, key=lambda point: point[0])
    return result


def _unbroken(points: Iterable[tuple[int, float | None]]) -> Iterator[list[tuple[int, float]]]:
    """Split points where a value is unknown."""
    run: list[tuple[int, float]] = []
    for ts, value in points:
        if value is not None and math.isfinite(value):
            run.append((ts, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def round_range(numbers: Sequence[float]) -> tuple[float, float, float]:
    """Return lower end, upper end and distance of round grid lines that hold all numbers.

    >>> round_range([3.0, 88.0]), round_range([5.0])
    ((0.0, 100.0, 50.0), (4.0, 6.0, 1.0))
    """
    low, high = min(numbers), max(numbers)
    if low == high:
        margin = max(1.0, abs(low) * 0.05)
        low, high = (max(low - margin, 0.0) if low >= 0 else low - margin), high + margin
    rough = (high - low) / 3
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(size * magnitude for size in (1.0, 2.0, 5.0, 10.0) if size * magnitude >= rough * (1 - 1e-9))
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step


def round_instants(start: int, end: int, zone: Zone) -> list[int]:
    """Return at most nine round times of the zone's day between two instants, ms."""
    step = next((size for size in _STEPS if (end - start) / size <= 8), _STEPS[-1])
    while (end - start) / step > 8:
        step *= 2
    offset = zone.moment(start).utcoffset() or timedelta()
    shift = round(offset.total_seconds() * 1000)
    first = -(-(start + shift) // step) * step - shift
    return list(range(first, end + 1, step))


def title_of(course: Course) -> str:
    """Return the heading of a course."""
    unit = f", {course.unit}" if course.unit else ""
    return cut(shown(f"{course.title}{unit}"), 110)
