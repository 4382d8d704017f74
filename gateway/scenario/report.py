"""A failed test in words: what was expected, what happened, the readings around it and where rules stood."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.scenario.suite import Result
from rules.expression.tree import Absent, Node, PeerDistance, SignalValue, WindowValue, walk
from rules.model import AlsoWay, Rule
from rules.scenario.judging import Failure, standing_words, told
from rules.scenario.model import Device, Scenario, Series
from rules.scenario.notation import shown
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
    for failure in result.failures:
        yield from failure_lines(result, failure)


def failure_lines(result: Result, failure: Failure) -> Iterator[Line]:
    """Yield what was expected at one place and what happened instead."""
    yield Line(f"  {failure.place}", "bold")
    yield Line(f"    expected  {failure.expected}", "green")
    yield Line(f"    got       {failure.got}", "red")
    for text in _decisions(result, failure):
        yield Line(f"    {text}", "dim")
    rules = _rules(result, failure)
    for rule in rules:
        for text in _standing(result, failure, rule):
            yield Line(f"    {text}")
    device = next(device for device in result.scenario.devices if device.id == failure.device)
    for number, row in enumerate(_table(result.scenario, device, failure.points, rules)):
        style = "bold" if number == 0 or row.startswith(">") else ""
        yield Line(f"    {row}", style)


def _decisions(result: Result, failure: Failure) -> list[str]:
    """Return what the ledger says of the fault up to the last point, the latest of it."""
    last = max(failure.points)
    return [
        f"{told(decision.at, result.scenario):<10} {decision.text}"
        for decision in result.course.decisions
        if decision.fault == failure.fault
        and decision.device == failure.device.device
        and decision.at <= last
    ][-_MOST_DECISIONS:]


def _rules(result: Result, failure: Failure) -> list[Rule]:
    """Return the rules to look at: the one that is named, else those of the fault that look at the device."""
    rules = result.ruleset.rules
    if failure.rule is not None:
        return [rule for rule in rules if rule.id == failure.rule]
    of_fault = [rule for rule in rules if rule.fault == failure.fault]
    standings = [s for point in failure.points for s in result.course.states(point, failure.device)]
    looking = {standing.rule.id for standing in standings}
    return ([rule for rule in of_fault if rule.id in looking] or of_fault)[:_MOST_RULES]


def _standing(result: Result, failure: Failure, rule: Rule) -> Iterator[str]:
    """Yield where a rule stood at the points, and what it asks for."""
    for point in dict.fromkeys(failure.points):
        lanes = [s for s in result.course.states(point, failure.device) if s.rule.id == rule.id]
        words = "; ".join(standing_words(standing, result.scenario) for standing in lanes)
        nowhere = f"rule {rule.id} does not look at {failure.device}"
        at = f"at {told(point, result.scenario)}"
        yield f"{at:<10} {words or nowhere}"
        if not lanes:
            asked = ", ".join(
                f"{name}: {' or '.join(map(str, patterns))}" for name, patterns in rule.selector
            )
            each = f"; of every {rule.each} that a reading names" if rule.each else ""
            yield f"{'':<10} it is for {asked or 'all devices'}{each}"
    hold = f", for {format_duration(rule.hold_ms)}" if rule.hold_ms else ""
    yield f"{'':<10} when {' '.join(rule.text.split())}{hold}"


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
