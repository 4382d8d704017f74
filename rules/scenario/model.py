"""What a scenario says: devices with their series, and expectations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from rules.model import Severity
from rules.scenario.notation import MISSING, Step
from rules.symbols import Channel, DeviceId
from rules.times import format_duration

#: What can happen to a fault, in the words of an expectation.
Kind = Literal[
    "suspected",
    "confirmed",
    "refuted",
    "cleared",
    "reopened",
    "order",
    "no_order",
    "severity",
    "flapping",
    "steady",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Kinds of which every event of a fault must be listed once one is.
LISTED: frozenset[Kind] = frozenset(KINDS) - {"no_order"}


@dataclass(frozen=True, slots=True)
class Series:
    """The readings of one signal, one a step from the start on; steps past its end are missing."""

    channel: Channel
    steps: tuple[Step, ...]
    place: str

    def step(self, number: int) -> Step:
        """Return what stands at a step."""
        return self.steps[number] if number < len(self.steps) else MISSING


@dataclass(frozen=True, slots=True)
class FactChange:
    """What a device states of itself at some time, ms since 1970."""

    at: int
    facts: Mapping[str, object]
    place: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A device's answer to a self test.

    Attributes:
        state: as on the ``reply`` topic; ``none`` for no answer at all.
        after_ms: so long after it was asked.
    """

    state: str
    after_ms: int = 0
    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a scenario.

    Attributes:
        facts: stated at the start.
        replies: by action, or ``action@component``: of the first time it is asked, the second and so on;
            the last stands for all further ones.
        silent: spans [from, to) in ms since 1970 in which it sends nothing.
    """

    id: DeviceId
    facts: Mapping[str, object]
    series: tuple[Series, ...]
    changes: tuple[FactChange, ...]
    replies: Mapping[str, tuple[Reply, ...]]
    silent: tuple[tuple[int, int], ...]
    place: str

    @property
    def steps(self) -> int:
        """How many messages it has to send; silence takes of them."""
        return max((len(series.steps) for series in self.series), default=0)

    def silence(self, at: int) -> int | None:
        """Return the end of the silence in which an instant falls, None when it may speak."""
        return next((end for begin, end in self.silent if begin <= at < end), None)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happens to a fault at an exact time.

    Attributes:
        at: ms since 1970.
        rule: None for whichever; so with component, severity and reason.
        device: None for the first device of the scenario.
    """

    kind: Kind
    fault: str
    at: int
    rule: str | None = None
    component: str | None = None
    device: DeviceId | None = None
    severity: Severity | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """Nothing happens to a fault, or to none at all, over the whole scenario.

    Attributes:
        fault: None for any.
        device: None for all; so with rule and component.
    """

    fault: str | None = None
    rule: str | None = None
    component: str | None = None
    device: DeviceId | None = None


@dataclass(frozen=True, slots=True)
class InState:
    """A rule stands in a state at a time.

    Attributes:
        state: name of a `rules.lifecycle.State`.
        component: None for any lane of the rule in the device.
        device: None for the first device of the scenario.
    """

    rule: str
    state: str
    at: int
    component: str | None = None
    device: DeviceId | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be, and where the file says so."""

    what: Event | Never | InState
    place: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test.

    Attributes:
        start: of the first step, ms since 1970.
        end: of the run, ms since 1970.
        devices: the test's own first.
    """

    name: str
    file: str
    line: int
    start: int
    every_ms: int
    end: int
    devices: tuple[Device, ...]
    expectations: tuple[Expectation, ...]

    def at(self, step: int) -> int:
        """Return the time of a step."""
        return self.start + step * self.every_ms

    @property
    def place(self) -> str:
        """Return ``file:line``."""
        return f"{self.file}:{self.line}"

    @property
    def limits(self) -> str:
        """Return in words which times something can be expected at."""
        length = format_duration(self.end - self.start)
        return f"a time within the run, which ends at {length} (until: makes it longer)"
