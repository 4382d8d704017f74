"""One rule of a pack: checked beyond its shape, its expressions parsed, and built."""

import zoneinfo
from collections.abc import Collection
from typing import get_args

from rules.document import Document, Path, spell
from rules.expression.build import spelled_like
from rules.expression.parse import ExpressionError, parse
from rules.expression.tree import Node
from rules.model import (
    DAYS,
    DEVICE_CLASSES,
    AlsoWay,
    Confirmation,
    ConfirmEntry,
    EngineerWay,
    Flapping,
    FlappingEntry,
    HeldWay,
    Override,
    OverrideEntry,
    Pattern,
    ProbeWay,
    Rule,
    RuleEntry,
    Scalar,
    Schedule,
    ScheduleEntry,
    Selector,
    Severity,
    SeverityStep,
    Way,
    WayEntry,
)
from rules.selector import matches
from rules.signals import Catalogue

#: Most severe first.
_SEVERITIES: tuple[Severity, ...] = tuple(reversed(get_args(Severity)))


class EntryReader:
    """Checks an entry of a pack and notes what is wrong with it.

    Args:
        document: the pack's file.
        path: of the entry.
        catalogue: the signals that it may name.
        problems: where problems are added.
    """

    def __init__(self, document: Document, path: Path, catalogue: Catalogue, problems: list[str]) -> None:
        self.document = document
        self.path = path
        self.catalogue = catalogue
        self.problems = problems

    def report(self, path: Path, problem: str) -> None:
        """Note a problem at a key of the entry."""
        self.problems.append(self.document.report((*self.path, *path), problem))

    def selector(self, patterns: dict[str, Pattern], *, lanes: bool) -> tuple[str, Selector]:
        """Return component kind and patterns of ``for_devices``; only with `lanes` it may say ``each``."""
        each = ""
        selector: list[tuple[str, tuple[Scalar, ...]]] = []
        for name, pattern in patterns.items():
            alternatives = tuple(pattern) if isinstance(pattern, list) else (pattern,)
            if name == "each" and lanes:
                each = self._each(pattern)
                continue
            if name == "each":
                problem = (
                    "expected class, tenant, model or another fact; which components the rule says itself"
                )
                self.report(("for_devices", "each"), problem)
            if name == "class":
                self._check_classes(alternatives)
            if not alternatives:
                self.report(("for_devices", name), "expected at least one entry, got an empty list")
            selector.append((name, alternatives))
        return each, tuple(selector)

    def _each(self, pattern: Pattern) -> str:
        if not isinstance(pattern, str):
            self.report(("for_devices", "each"), f"expected one component kind, got {pattern!r}")
            return ""
        kinds = {signal.name.partition(".")[0] for signal in self.catalogue}
        if not any(signal.name.startswith(f"{pattern}.") for signal in self.catalogue):
            hint = spelled_like(pattern, sorted(kinds))
            self.report(("for_devices", "each"), f"no signal begins with {pattern!r} and a dot{hint}")
        return pattern

    def _check_classes(self, alternatives: tuple[Scalar, ...]) -> None:
        for alternative in alternatives:
            if not any(matches((alternative,), device_class) for device_class in DEVICE_CLASSES):
                expected = ", ".join(DEVICE_CLASSES)
                self.report(("for_devices", "class"), f"expected one of {expected}, got {alternative!r}")

    def override(self, entry: OverrideEntry, limits: Collection[str]) -> Override:
        """Return other limits of a rule that has these."""
        for name in entry.limits:
            if name not in limits:
                known = f"it has {', '.join(limits)}" if limits else "it has none"
                hint = spelled_like(name, limits) or f"; {known}"
                self.report(("limits", name), f"rule {entry.rule!r} has no limit {name!r}{hint}")
        _, selector = self.selector(entry.for_devices, lanes=False)
        return Override(selector, tuple(entry.limits.items()))


class RuleReader(EntryReader):
    """Checks one rule of a pack beyond its shape and builds it."""

    def read(
        self, entry: RuleEntry, *, pack: str, order: int, overrides: tuple[Override, ...]
    ) -> Rule | None:
        """Return the rule, None when there were problems."""
        before = len(self.problems)
        limits = tuple(entry.limits)
        when = self._expression(entry.when, ("when",), limits)
        clear_when = None
        if entry.clear_when is not None:
            clear_when = self._expression(entry.clear_when, ("clear_when",), limits)
        confirm = self._confirmation(entry.confirm, limits) if entry.confirm else None
        each, selector = self.selector(entry.for_devices, lanes=True)
        severities = self._severities(entry, limits)
        flapping = self._flapping(entry.flapping) if entry.flapping else None
        schedule = self._schedule(entry.schedule) if entry.schedule else None
        self._check_evidence(entry.evidence)
        if len(self.problems) > before or when is None:
            return None
        return Rule(
            order=order,
            id=entry.id,
            pack=pack,
            fault=entry.fault,
            title=entry.title,
            selector=selector,
            each=each,
            when=when,
            hold_ms=entry.hold,
            clear_when=clear_when,
            clear_hold_ms=entry.clear_hold,
            confirm=confirm,
            severity=entry.severity,
            severities=severities,
            limits=tuple(entry.limits.items()),
            overrides=overrides,
            flapping=flapping,
            schedule=schedule,
            evidence=tuple(entry.evidence),
            source=entry.source,
            parts=tuple(entry.parts),
            text=entry.when,
            clear_text=entry.clear_when,
            place=self.document.place(self.path),
        )

    def _expression(self, text: str, path: Path, limits: Collection[str]) -> Node | None:
        try:
            return parse(text, self.catalogue, limits)
        except ExpressionError as error:
            full = (*self.path, *path)
            place = self.document.place_in(full, text, error.column - 1)
            self.problems.append(f"{place}: {spell(full)}: {error.problem}, in: {' '.join(text.split())}")
            return None

    def _severities(self, entry: RuleEntry, limits: Collection[str]) -> tuple[SeverityStep, ...]:
        steps = []
        for severity in _SEVERITIES:
            text = getattr(entry.severity_when, severity)
            if text is None:
                continue
            if severity == entry.severity:
                problem = f"expected a severity other than the rule's own, which is {severity}"
                self.report(("severity_when", severity), problem)
            condition = self._expression(text, ("severity_when", severity), limits)
            if condition is not None:
                steps.append(SeverityStep(severity, condition, text))
        return tuple(steps)

    def _flapping(self, entry: FlappingEntry) -> Flapping:
        if entry.stop >= entry.start:
            problem = f"expected fewer changes than start, which is {entry.start}, got {entry.stop}"
            self.report(("flapping", "stop"), problem)
        return Flapping(entry.window, entry.start, entry.stop)

    def _schedule(self, entry: ScheduleEntry) -> Schedule:
        if entry.begin == "24:00":
            self.report(("schedule", "from"), "expected a time before 24:00, which is the end of the day")
        if entry.begin == entry.end:
            problem = f"expected another time than from, got {entry.end!r}"
            self.report(("schedule", "to"), f'{problem}; a whole day is from "00:00" to "24:00"')
        if entry.zone is not None and not _is_zone(entry.zone):
            hint = spelled_like(entry.zone, sorted(zoneinfo.available_timezones()))
            problem = f"expected a time zone such as Europe/Berlin, got {entry.zone!r}{hint}"
            self.report(("schedule", "zone"), problem)
        days = frozenset(DAYS.index(day) for day in entry.days)
        return Schedule(days, _minutes(entry.begin), _minutes(entry.end), entry.zone)

    def _check_evidence(self, evidence: list[str]) -> None:
        for index, signal in enumerate(evidence):
            name = signal.partition("@")[0]
            if name not in self.catalogue:
                nearest = self.catalogue.nearest(name)
                hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
                self.report(("evidence", index), f"unknown signal {name!r}{hint}")

    def _confirmation(self, entry: ConfirmEntry, limits: Collection[str]) -> Confirmation | None:
        given = [name for name in ConfirmEntry.model_fields if getattr(entry, name) is not None]
        if len(given) != 1:
            self.report(
                ("confirm",), f"expected either any_of or all_of, got {' and '.join(given) or 'neither'}"
            )
            return None
        ways = [
            self._way(way, ("confirm", given[0], index), limits)
            for index, way in enumerate(getattr(entry, given[0]))
        ]
        return Confirmation(given[0] == "all_of", tuple(way for way in ways if way is not None))

    def _way(self, entry: WayEntry, path: Path, limits: Collection[str]) -> Way | None:
        given = [name for name in WayEntry.model_fields if getattr(entry, name) is not None]
        if len(given) != 1:
            expected = "expected exactly one of probe, also, held, engineer"
            self.report(path, f"{expected}, got {', '.join(given) or 'none'}")
            return None
        if entry.probe is not None:
            return ProbeWay(entry.probe)
        if entry.held is not None:
            return HeldWay(entry.held)
        if entry.also is not None:
            condition = self._expression(entry.also, (*path, "also"), limits)
            return AlsoWay(condition, entry.also) if condition is not None else None
        return EngineerWay()


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _minutes(clock_time: str) -> int:
    """Return the minutes after midnight of ``18:30``."""
    hours, _, minutes = clock_time.partition(":")
    return int(hours) * 60 + int(minutes)
