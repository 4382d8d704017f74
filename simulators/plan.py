"""Who is in a simulated fleet, what goes wrong with whom and when: a pure function of a seed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np
from numpy.random import Generator

from rules.symbols import DeviceId
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulators.device import Device, Facts, Identity
from simulators.faults import FAULT_KINDS, LOOKALIKE_KINDS, DeviceKind, Fault, FaultKind, Lookalike
from simulators.makes import LABELS, PARTS, TENANTS, describe
from simulators.models import CLASS_OF, MODELS

#: The kinds of twenty successive devices, mixed so that a small fleet has all of them, too.
_MIX: tuple[DeviceKind, ...] = (
    "server", "washer", "pc", "phone", "fridge",
    "phone", "pc", "server", "phone", "pc",
    "phone", "pc", "washer", "server", "phone",
    "pc", "phone", "fridge", "server", "pc",
)  # fmt: skip

#: Part of the fleet that fails in the first three quarters of an hour, and in every hour after.
_FIRST_SHARE, _HOURLY_SHARE = 0.08, 0.01
_LOOKALIKE_SHARE = 0.15
_FIRST_END_MS = 45 * MINUTE_MS
#: The opening faults begin between these, so that whoever watches sees something soon.
_OPENING_MS = (2 * MINUTE_MS, 5 * MINUTE_MS)
_OPENING_COUNT = 3
#: What an opening fault needs before the end when the whole run is short.
_OPENING_ROOM_MS = 10 * MINUTE_MS
_LEAST_ROOM_MS = min(kind.room_ms for kind in FAULT_KINDS)
#: Without an end, faults are planned for a day.
_HORIZON_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class PlannedDevice:
    """One device of a fleet before it runs."""

    kind: DeviceKind
    identity: Identity

    @property
    def id(self) -> DeviceId:
        """The device's name."""
        return self.identity.id

    @property
    def facts(self) -> Facts:
        """What it will say of itself."""
        return self.identity.facts

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong with it."""
        return self.identity.faults

    @property
    def lookalikes(self) -> tuple[Lookalike, ...]:
        """What will only look wrong."""
        return self.identity.lookalikes

    def build(self, start_ms: int) -> Device:
        """Return the running model, standing at `start_ms`."""
        return MODELS[self.kind](self.identity, start_ms)


def plan_fleet(devices: int, seed: int, origin_ms: int, until_ms: int | None = None) -> list[PlannedDevice]:
    """Plan a fleet; the same arguments give the same plan.

    About 8 % of the devices fail within 45 minutes of device time, the first ones within five; then 1 % an
    hour, never so late that nobody could find it before the end. About 15 % are look-alikes. No device has
    more than one fault, none is a look-alike as well.

    Args:
        devices: how many.
        seed: of everything that is chance.
        origin_ms: device time at which the fleet starts, ms since 1970 UTC.
        until_ms: device time at which it ends; None: open, faults are planned for a day.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, devices]))
    plan = [_new_device(number, rng) for number in range(devices)]
    free = [int(i) for i in rng.permutation(devices)]
    for onset, kinds in _onsets(devices, rng, origin_ms, until_ms):
        _inject(plan, free, onset, kinds, rng)
    _disguise(plan, free, round(_LOOKALIKE_SHARE * devices), rng, origin_ms)
    return plan


def _new_device(number: int, rng: Generator) -> PlannedDevice:
    kind = _MIX[number % len(_MIX)]
    tenant = TENANTS[int(rng.integers(len(TENANTS)))]
    name = f"{LABELS[kind]}-{number + 1:04d}"
    identity = Identity(
        id=DeviceId(tenant, CLASS_OF[kind], name),
        facts=describe(kind, tenant, rng),
        seed=int(rng.integers(2**62)),
        parts=PARTS[kind],
    )
    return PlannedDevice(kind, identity)


def _onsets(
    devices: int, rng: Generator, origin_ms: int, until_ms: int | None
) -> Iterator[tuple[int, list[FaultKind]]]:
    """Yield when a fault begins, with the kinds of fault that it may be, best first."""
    mix = [kind for kind in FAULT_KINDS if kind.in_mix]
    mix = [mix[int(i)] for i in rng.permutation(len(mix))]
    opening = [kind for kind in mix if kind.opening]
    end_ms = origin_ms + _HORIZON_MS if until_ms is None else until_ms
    first = max(min(_OPENING_COUNT, devices), round(_FIRST_SHARE * devices))
    opened = min(_OPENING_COUNT, first)
    for turn in range(opened):
        onset_ms = origin_ms + int(rng.integers(*_OPENING_MS))
        if onset_ms + _OPENING_ROOM_MS <= end_ms:
            yield onset_ms, _turned(opening, turn)
    later = [kind for kind in mix if not kind.opening] + opening
    trickle = max(0, round(_HOURLY_SHARE * devices * (end_ms - origin_ms - _FIRST_END_MS) / HOUR_MS))
    windows = [(_OPENING_MS[1], _FIRST_END_MS)] * (first - opened)
    windows += [(_FIRST_END_MS, end_ms - origin_ms)] * trickle
    for turn, (low, high) in enumerate(windows):
        latest = high if until_ms is None else min(high, until_ms - origin_ms - _LEAST_ROOM_MS)
        if low < latest:
            onset_ms = origin_ms + int(rng.integers(low, latest))
            kinds = _turned(later, turn)
            yield onset_ms, [k for k in kinds if until_ms is None or onset_ms + k.room_ms <= until_ms]


def _turned(kinds: list[FaultKind], turn: int) -> list[FaultKind]:
    """Return all of the kinds, beginning with another one each turn."""
    start = turn % len(kinds)
    return kinds[start:] + kinds[:start]


def _inject(
    plan: list[PlannedDevice], free: list[int], onset_ms: int, kinds: list[FaultKind], rng: Generator
) -> None:
    """Give the first of the kinds that fits a free device to one."""
    for kind in kinds:
        index = next((i for i in free if plan[i].kind == kind.kind), None)
        if index is not None:
            free.remove(index)
            device = plan[index]
            fault = Fault(kind.code, _component(device, kind.part, rng), onset_ms, kind.course)
            plan[index] = replace(device, identity=replace(device.identity, faults=(fault,)))
            return


def _disguise(plan: list[PlannedDevice], free: list[int], count: int, rng: Generator, origin_ms: int) -> None:
    """Turn `count` of the free devices into look-alikes, of all kinds in turn."""
    kinds = [LOOKALIKE_KINDS[int(i)] for i in rng.permutation(len(LOOKALIKE_KINDS))]
    for kind in islice(cycle(kinds), count):
        index = next((i for i in free if plan[i].kind == kind.kind), None)
        if index is None:
            continue
        free.remove(index)
        device = plan[index]
        onset = origin_ms if kind.trait else origin_ms + int(rng.integers(5 * MINUTE_MS, HOUR_MS))
        lookalike = Lookalike(kind.name, kind.resembles, _component(device, kind.part, rng), onset)
        plan[index] = replace(device, identity=replace(device.identity, lookalikes=(lookalike,)))


def _component(device: PlannedDevice, part: str, rng: Generator) -> str | None:
    if not part:
        return None
    names = device.identity.parts[part]
    return names[int(rng.integers(len(names)))]
