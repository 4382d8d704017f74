"""A rule pack as its author writes it (pydantic) and a rule as the engine takes it."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rules.expression.tree import Node
from rules.times import parse_duration

Severity = Literal["minor", "major", "critical"]
Scalar = str | float | bool
Pattern = Scalar | list[Scalar]

DEVICE_CLASSES = ("phone", "pc", "server", "appliance")


def _duration(value: object) -> int:
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError("expected a duration such as 30s, 10m, 2h or 7d")


def _span(value: object) -> int:
    if milliseconds := _duration(value):
        return milliseconds
    raise ValueError("expected a duration longer than 0s")


#: Milliseconds, written as ``10m``.
Duration = Annotated[int, BeforeValidator(_duration)]
#: The same, and more than none.
Span = Annotated[int, BeforeValidator(_span)]
#: A finite number, written as one.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]

_NAME = r"^[A-Za-z0-9_.-]{1,100}$"
_SIGNAL = r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$"
_LIMIT = r"^[a-z][a-z0-9_]{0,99}$"
_ACTION = r"^[a-z0-9_.]{1,64}$"
_CLOCK_TIME = r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"
#: What the patterns ask for, in words.
PATTERN_WORDS = {
    _NAME: "letters, digits, _ . - and at most 100 of them",
    _SIGNAL: "small letters, digits and _ in two or more parts with dots between, such as well.pressure",
    _LIMIT: "a small letter, then small letters, digits and _",
    _ACTION: "small letters, digits, _ and dots, at most 64, such as disk.self_test",
    _CLOCK_TIME: 'a time of day from "00:00" to "24:00"',
}

Name = Annotated[str, Field(pattern=_NAME)]
LimitName = Annotated[str, Field(pattern=_LIMIT)]


class Entry(BaseModel):
    """A mapping of a pack; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WayEntry(Entry):
    """One way to confirm: exactly one of its keys is given."""

    probe: Annotated[str, Field(pattern=_ACTION)] | None = None
    also: str | None = None
    held: Duration | None = None
    engineer: Literal[True] | None = None


class ConfirmEntry(Entry):
    """``any_of`` or ``all_of`` of the ways."""

    any_of: Annotated[list[WayEntry], Field(min_length=1)] | None = None
    all_of: Annotated[list[WayEntry], Field(min_length=1)] | None = None


class FlappingEntry(Entry):
    """How many changes between suspected and cleared within a window are too many, and when it is over."""

    window: Span
    start: Annotated[int, Field(strict=True, ge=2)]
    stop: Annotated[int, Field(strict=True, ge=0)]


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
#: Monday first.
DAYS: tuple[Day, ...] = get_args(Day)
ClockTime = Annotated[str, Field(pattern=_CLOCK_TIME)]


class ScheduleEntry(Entry):
    """When a rule looks, in the site's local time: the device's fact ``time_zone``, else ``zone``."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    days: Annotated[list[Day], Field(min_length=1)] = list(DAYS)
    begin: Annotated[ClockTime, Field(alias="from")] = "00:00"
    end: Annotated[ClockTime, Field(alias="to")] = "24:00"
    zone: str | None = None


class SeverityEntry(Entry):
    """Conditions under which a suspected fault has another severity than the rule's own, worst first."""

    critical: str | None = None
    major: str | None = None
    minor: str | None = None


class OverrideEntry(Entry):
    """Other limits of a rule, for some devices."""

    rule: str
    for_devices: dict[str, Pattern]
    limits: Annotated[dict[LimitName, Number], Field(min_length=1)]


class RuleEntry(Entry):
    """A rule of a pack, contract section 9."""

    id: Name
    fault: Name
    for_devices: dict[str, Pattern] = {}
    when: str
    hold: Duration = 0
    clear_when: str | None = None
    clear_hold: Duration = 0
    confirm: ConfirmEntry | None = None
    severity: Severity = "major"
    severity_when: SeverityEntry = SeverityEntry()
    limits: dict[LimitName, Number] = {}
    flapping: FlappingEntry | None = None
    schedule: ScheduleEntry | None = None
    evidence: list[str] = []
    source: str = ""
    title: str | None = None
    parts: list[str] = []
    enabled: bool = True


class SignalEntry(Entry):
    """A signal that a pack adds to the catalogue for its own rules."""

    title: str
    kind: Literal["number", "boolean", "text"] = "number"
    unit: str = ""
    low: Number | None = None
    high: Number | None = None
    values: list[str] = []
    period: Span | None = None
    wraps: Annotated[Number, Field(gt=0)] | None = None


class PackEntry(Entry):
    """A pack file; one of the sections at least is there."""

    pack: Name
    signals: dict[Annotated[str, Field(pattern=_SIGNAL)], SignalEntry] = {}
    rules: list[RuleEntry] = []
    overrides: list[OverrideEntry] = []


@dataclass(frozen=True, slots=True)
class ProbeWay:
    """A self test on the device: failed confirms, passed refutes."""

    action: str


@dataclass(frozen=True, slots=True)
class AlsoWay:
    """A second condition."""

    condition: Node
    text: str


@dataclass(frozen=True, slots=True)
class HeldWay:
    """Suspected and not cleared for so long of device time."""

    duration_ms: int


@dataclass(frozen=True, slots=True)
class EngineerWay:
    """A person says so."""


Way = ProbeWay | AlsoWay | HeldWay | EngineerWay

#: Patterns by ``class``, ``tenant``, ``model``, ``firmware`` or any fact; all of them must fit.
Selector = tuple[tuple[str, tuple[Scalar, ...]], ...]


@dataclass(frozen=True, slots=True)
class SeverityStep:
    """A severity other than the rule's own while a condition is true."""

    severity: Severity
    condition: Node
    text: str


@dataclass(frozen=True, slots=True)
class Flapping:
    """So many changes within a window are too many, until so few are left.

    Attributes:
        start: changes within the window at which the rule is flapping.
        stop: changes within the window at which it no longer is; less than `start`.
    """

    window_ms: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule looks; at other times its conditions are unknown.

    Attributes:
        days: 0 is Monday; a span that passes midnight belongs to the day on which it begins.
        begin: minutes after local midnight.
        end: minutes after local midnight, excluded; at or before `begin` it is on the next day.
        zone: where the device states no ``time_zone``; None makes the schedule unknown there.
    """

    days: frozenset[int]
    begin: int
    end: int
    zone: str | None


@dataclass(frozen=True, slots=True)
class Override:
    """Other limits of a rule for some devices; of several that fit, the last loaded counts."""

    selector: Selector
    limits: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How a suspected fault is confirmed.

    Attributes:
        every: all ways are needed (``all_of``) rather than one (``any_of``).
    """

    every: bool
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, parsed and checked.

    Attributes:
        order: its place among all rules that are loaded together.
        each: component kind of its lanes, ``""`` for the device itself.
        clear_when: None stands for "`when` is false".
        severities: most severe first; the first whose condition is true counts.
        limits: thresholds by name, which ``limit("name")`` reads.
        evidence: further signals whose values go with a finding.
        text: `when` as written.
        clear_text: `clear_when` as written.
        place: file and line, for messages.
    """

    order: int
    id: str
    pack: str
    fault: str
    title: str | None
    selector: Selector
    each: str
    when: Node
    hold_ms: int
    clear_when: Node | None
    clear_hold_ms: int
    confirm: Confirmation | None
    severity: Severity
    severities: tuple[SeverityStep, ...]
    limits: tuple[tuple[str, float], ...]
    overrides: tuple[Override, ...]
    flapping: Flapping | None
    schedule: Schedule | None
    evidence: tuple[str, ...]
    source: str
    parts: tuple[str, ...]
    text: str
    clear_text: str | None
    place: str
