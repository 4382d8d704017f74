"""A bench for device models: build one with or without a fault, run it, look at what it measured."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from rules.batch import Value
from rules.times import MINUTE_MS
from simulators.device import Device, Telemetry
from simulators.faults import DeviceKind, Fault, FaultKind, Lookalike, LookalikeKind
from simulators.plan import PlannedDevice, plan_fleet

ORIGIN = 1_767_225_600_000
KINDS: tuple[DeviceKind, ...] = ("phone", "pc", "server", "washer", "fridge")


@dataclass(frozen=True)
class Snapshot:
    """What was known of a device after one of its messages: the latest value of each key."""

    minute: float
    values: dict[str, Value]

    def __getitem__(self, key: str) -> Value:
        return self.values[key]

    def number(self, key: str) -> float:
        value = self.values[key]
        assert isinstance(value, int | float)
        return value


def planned(
    kind: DeviceKind, *, fault: Fault | None = None, lookalike: Lookalike | None = None, seed: int = 5
) -> PlannedDevice:
    device = next(device for device in plan_fleet(20, seed, ORIGIN, ORIGIN) if device.kind == kind)
    identity = replace(
        device.identity,
        faults=(fault,) if fault else (),
        lookalikes=(lookalike,) if lookalike else (),
    )
    return replace(device, identity=identity)


def build(
    kind: DeviceKind, *, fault: Fault | None = None, lookalike: Lookalike | None = None, seed: int = 5
) -> Device:
    return planned(kind, fault=fault, lookalike=lookalike, seed=seed).build(ORIGIN)


def component_of(kind: FaultKind | LookalikeKind) -> str | None:
    parts = planned(kind.kind).identity.parts
    return parts[kind.part][-1] if kind.part else None


def fault_of(kind: FaultKind, *, after_min: float) -> Fault:
    return Fault(kind.code, component_of(kind), ORIGIN + round(after_min * MINUTE_MS), kind.course)


def lookalike_of(kind: LookalikeKind, *, after_min: float) -> Lookalike:
    onset = ORIGIN if kind.trait else ORIGIN + round(after_min * MINUTE_MS)
    return Lookalike(kind.name, kind.resembles, component_of(kind), onset)


def run(device: Device, minutes: float) -> list[Telemetry]:
    """Step minute by minute until `minutes` after the origin."""
    readings: list[Telemetry] = []
    for minute in range(1, round(minutes) + 1):
        readings += device.step(ORIGIN + minute * MINUTE_MS)
    return readings


def snapshots(readings: Iterable[Telemetry]) -> list[Snapshot]:
    known: dict[str, Value] = {}
    found = []
    for reading in readings:
        known = known | reading.values
        found.append(Snapshot((reading.ts - ORIGIN) / MINUTE_MS, known))
    return found


def growth(seen: list[Snapshot], key: str) -> float:
    return seen[-1].number(key) - seen[0].number(key)


def longest(seen: list[Snapshot], holds: Callable[[Snapshot], object]) -> float:
    """Return the longest time, in minutes, for which a condition held at every message; -1 when at none."""
    best, since = -1.0, None
    for snapshot in seen:
        if not holds(snapshot):
            since = None
            continue
        since = snapshot.minute if since is None else since
        best = max(best, snapshot.minute - since)
    return best


def most_in(seen: list[Snapshot], key: str, minutes: float) -> float:
    """Return the largest growth of a counter within so many minutes."""
    return max(
        later.number(key) - earlier.number(key)
        for position, earlier in enumerate(seen)
        for later in seen[position:]
        if later.minute - earlier.minute <= minutes
    )
