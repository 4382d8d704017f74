"""What the engine says: a rule became suspected in a lane, it cleared, it flaps, its severity changed."""

from dataclasses import dataclass
from typing import Literal

from rules.model import Rule, Severity
from rules.symbols import DeviceId

#: ``flapping`` and ``steady`` begin and end a time in which the rule changes too often to be acted on.
FindingKind = Literal["suspected", "ways", "severity", "cleared", "flapping", "steady"]


@dataclass(frozen=True, slots=True)
class Observation:
    """A value that stood behind a finding.

    Attributes:
        signal: with its component where it has one.
        at: device time of the reading, ms.
        limit: the constant that the rule compares it with, None where there is none.
    """

    signal: str
    at: int
    value: float | bool | str | None
    limit: float | bool | str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A step of a rule in a lane.

    Attributes:
        position: row of the message in its batch; for silence that time revealed, the row before which it
            was revealed, or the batch's length.
        at: device time, ms; for silence the arrival time at which it became one.
        arrival: time of arrival of what decided, ms.
        ways: for each way of the rule's confirmation whether it holds now; probes and engineers never do.
        severity: of the fault from here on; the rule's own where no further condition says otherwise.
        changes: how often the lane became suspected or cleared within the rule's flapping window.
    """

    kind: FindingKind
    position: int
    at: int
    arrival: int
    rule: Rule
    device: DeviceId
    component: str
    ways: tuple[bool, ...]
    observations: tuple[Observation, ...]
    severity: Severity
    changes: int = 0
