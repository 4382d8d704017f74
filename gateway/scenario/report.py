"""A failed test in words: what was expected, what happened, the readings around it and where rules stood."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.scenario.suite import Result
from rules.expression.tree import Absent, Node, PeerDistance, SignalValue, WindowValue, walk
from rules.model import AlsoWay, Rule
from rules.scenario.judging import Failure, standing_words, told
from rules.scenario.model import Device, Scenario, Series
from rules.scenario.notation import shown
from rules.symbols import DeviceId
from rules.times import format_duration

#: Steps that are shown before and after a point.
_BEFORE, _AFTER = 4, 2
_MOST_RULES = 4
_MOST_DECISIONS = 4
_MOST_COLUMNS = 6


class Line(NamedTuple):
    """A line of a report.

    Attributes:
        style: in rich's words, ``""`` for none.
    """

    text: str
    style: str = ""


def report_lines(result: Result) -> Iterator[Line]:
    """Yield the report on a test that failed."""
    yield Line(f"FAILED  {result.scenario.name}  ({result.scenario.place})", "bold red")
    yield from failure_lines(result)


def failure_lines(result: Result) -> Iterator[Line]:
    """Yield what was expected and what happened instead, and what is known of each fault and device."""
    groups: dict[tuple[DeviceId, str | None], list[Failure]] = {}
    for failure in result.failures:
        groups.setdefault((failure.device, failure.fault), []).append(failure)
    for failures in groups.values():
        for failure in failures:
            yield Line(f"  {failure.place}", "bold")
            yield Line(f"    expected  {failure.expected}", "green")
            yield Line(f"    got       {failure.got}", "red")
        yield from _background(_Matter.of(result, failures))


@dataclass(frozen=True, slots=True)
class _Matter:
    """What failures of one device and fault are about.

    Attributes:
        points: instants to look at, in order.
        rules: those that are named, else those of the fault that look at the device.
    """

    result: Result
    device: DeviceId
    fault: str | None
    points: tuple[int, ...]
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, result: Result, failures: Sequence[Failure]) -> "_Matter":
        device, fault = failures[0].device, failures[0].fault
        points = tuple(sorted({point for failure in failures for point in failure.points}))
        rules = result.ruleset.rules
        named = {failure.rule for failure in failures}
        if None in named:
            looking = {s.rule.id for point in points for s in result.course.states(point, device)}
            named = {rule.id for rule in rules if rule.fault == fault and rule.id in looking}
            named = named or {rule.id for rule in rules if rule.fault == fault}
        chosen = tuple(rule for rule in rules if rule.id in named)[:_MOST_RULES]
        return cls(result, device, fault, points, chosen)

    def told(self, at: int) -> str:
        """Return an instant as a time from the start on."""
        return told(at, self.result.scenario)


def _background(matter: _Matter) -> Iterator[Line]:
    """Yield what the ledger says, where the rules stood, and the readings."""
    for text in _decisions(matter):
        yield Line(f"    {text}", "dim")
    for rule in matter.rules:
        for text in _standing(matter, rule):
            yield Line(f"    {text}")
    scenario = matter.result.scenario
    device = next(device for device in scenario.devices if device.id == matter.device)
    for number, row in enumerate(_table(scenario, device, matter.points, matter.rules)):
        yield Line(f"    {row}", "bold" if number == 0 or row.startswith(">") else "")


def _decisions(matter: _Matter) -> list[str]:
    """Return what the ledger says of the fault up to the last point, the latest of it."""
    return [
        f"{matter.told(decision.at):<10} {decision.text}"
        for decision in matter.result.course.decisions
        if decision.fault == matter.fault
        and decision.device == matter.device.device
        and decision.at <= matter.points[-1]
    ][-_MOST_DECISIONS:]


def _standing(matter: _Matter, rule: Rule) -> Iterator[str]:
    """Yield where a rule stood at the points, and what it asks for."""
    before = ""
    for point in matter.points:
        lanes = [s for s in matter.result.course.states(point, matter.device) if s.rule.id == rule.id]
        words = "; ".join(standing_words(standing, matter.result.scenario) for standing in lanes)
        words = words or f"rule {rule.id} does not look at {matter.device}"
        if words != before:
            at = f"at {matter.told(point)}"
            yield f"{at:<10} {words}"
        before = words
    if before.endswith(f"does not look at {matter.device}"):
        asked = "; ".join(f"{name} {' or '.join(map(str, patterns))}" for name, patterns in rule.selector)
        each = f", every {rule.each} that a reading names" if rule.each else ""
        yield f"{'':<10} it is for {asked or 'all devices'}{each}"
    hold = f", for {format_duration(rule.hold_ms)}" if rule.hold_ms else ""
    yield f"{'':<10} when {' '.join(rule.text.split())}{hold}"
    named = ", ".join(f"{name} {limit:g}" for name, limit in rule.limits)
    for override in rule.overrides:
        named += f"; for some models or devices {', '.join(f'{n} {limit:g}' for n, limit in override.limits)}"
    if named:
        yield f"{'':<10} limits {named}"


def _table(scenario: Scenario, device: Device, points: Sequence[int], rules: Sequence[Rule]) -> Iterator[str]:
    """Yield the readings around some points as a table, those that the rules read."""
    read = {signal for rule in rules for signal in _read_by(rule)}
    series = [one for one in device.series if one.channel.signal in read]
    if not series:
        if rules:
            yield f"none of {', '.join(sorted(read))} is among the device's series"
        series = list(device.series)
    more = len(series) - _MOST_COLUMNS
    series = series[:_MOST_COLUMNS]
    cells = [["  time", *(str(one.channel) for one in series)]]
    last = -1
    for number in _steps_around(scenario, points):
        if last >= 0 and number != last + 1:
            cells.append(["  ..."])
        last = number
        cells.append(_row(scenario, device, points, series, number))
    widths = [max(len(row[place]) for row in cells if place < len(row)) for place in range(len(cells[0]))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield "  ".join(padded).rstrip()
    if more > 0:
        yield f"  and {more} series more"


def _row(
    scenario: Scenario, device: Device, points: Sequence[int], series: Sequence[Series], number: int
) -> list[str]:
    at = scenario.at(number)
    pointed = any(at <= point < at + scenario.every_ms for point in points)
    time = f"{'>' if pointed else ' '} {told(at, scenario)}"
    if device.silence(at) is not None:
        return [time, "(silent)"]
    if number >= device.steps:
        return [time, "(no message)"]
    return [time, *(shown(one.step(number)) for one in series)]


def _steps_around(scenario: Scenario, points: Sequence[int]) -> list[int]:
    """Return the numbers of the steps around some points, in order."""
    last = (scenario.end - scenario.start) // scenario.every_ms
    found: set[int] = set()
    for point in points:
        middle = (point - scenario.start) // scenario.every_ms
        found.update(range(max(0, middle - _BEFORE), min(last, middle + _AFTER) + 1))
    return sorted(found)


def _read_by(rule: Rule) -> Iterator[str]:
    """Yield the signals that a rule reads."""
    trees: list[Node] = [rule.when]
    trees += [rule.clear_when] if rule.clear_when is not None else []
    trees += [step.condition for step in rule.severities]
    trees += [
        way.condition for way in (rule.confirm.ways if rule.confirm else ()) if isinstance(way, AlsoWay)
    ]
    for tree in trees:
        for node in walk(tree):
            if isinstance(node, SignalValue | WindowValue | PeerDistance | Absent):
                yield node.signal
