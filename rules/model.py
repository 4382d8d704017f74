"""A rule pack as its author writes it (pydantic) and a rule as the engine takes it."""

from dataclasses import dataclass
from typing import Annotated, Literal

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


#: Milliseconds, written as ``10m``.
Duration = Annotated[int, BeforeValidator(_duration)]


class Entry(BaseModel):
    """A mapping of a pack; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WayEntry(Entry):
    """One way to confirm: exactly one of its keys is given."""

    probe: Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,64}$")] | None = None
    also: str | None = None
    held: Duration | None = None
    engineer: Literal[True] | None = None


class ConfirmEntry(Entry):
    """``any_of`` or ``all_of`` of the ways."""

    any_of: Annotated[list[WayEntry], Field(min_length=1)] | None = None
    all_of: Annotated[list[WayEntry], Field(min_length=1)] | None = None


class RuleEntry(Entry):
    """A rule of a pack, contract section 9."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    fault: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    for_devices: dict[str, Pattern] = {}
    when: str
    hold: Duration = 0
    clear_when: str | None = None
    clear_hold: Duration = 0
    confirm: ConfirmEntry | None = None
    severity: Severity = "major"
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
    low: float | None = None
    high: float | None = None
    values: list[str] = []
    period: Duration | None = None


class PackEntry(Entry):
    """A pack file."""

    pack: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    signals: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$")], SignalEntry] = {}
    rules: list[RuleEntry]


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
        selector: patterns by ``class``, ``tenant``, ``model``, ``firmware`` or any fact.
        each: component kind of its lanes, ``""`` for the device itself.
        clear_when: None stands for "`when` is false".
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
    selector: tuple[tuple[str, tuple[Scalar, ...]], ...]
    each: str
    when: Node
    hold_ms: int
    clear_when: Node | None
    clear_hold_ms: int
    confirm: Confirmation | None
    severity: Severity
    evidence: tuple[str, ...]
    source: str
    parts: tuple[str, ...]
    text: str
    clear_text: str | None
    place: str
