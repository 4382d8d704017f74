"""What can go wrong, how it comes on, and what only looks as if something went wrong.

A fault changes the physics of a device model; its signals follow from that. Codes are those of the fault
catalogue. Real wear takes months: the courses here take minutes of device time, so that a run of two hours
can see a fault begin, grow and show.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rules.times import HOUR_MS, MINUTE_MS

#: What the models tell apart; a class `appliance` is a washer or a fridge by its model.
DeviceKind = Literal["phone", "pc", "server", "washer", "fridge"]

#: Severity in [0, 1] as a function of the age of the fault in ms (>= 0).
Course = Callable[[int], float]


def _sudden(_age_ms: int) -> float:
    return 1.0


def _ramp(duration_ms: int) -> Course:
    return lambda age_ms: min(1.0, age_ms / duration_ms)


COURSES: dict[str, Course] = {
    "sudden": _sudden,  # a part breaks
    "minutes": _ramp(6 * MINUTE_MS),  # a crack opens, a bearing seizes
    "creeping": _ramp(15 * MINUTE_MS),  # a surface degrades
    "hours": _ramp(2 * HOUR_MS),  # a slow leak of refrigerant, a relay that sticks more and more often
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault injected into one device.

    Attributes:
        code: of the fault catalogue.
        component: the part that is broken, None when the fault is the device's own.
        onset_ms: device time at which it begins.
        course: key of `COURSES`.
    """

    code: str
    component: str | None
    onset_ms: int
    course: str

    def severity(self, now_ms: int) -> float:
        """Return how far it has come: 0 before the onset, 1 at its worst."""
        age = now_ms - self.onset_ms
        return COURSES[self.course](age) if age >= 0 else 0.0


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Something harmless that could be taken for a fault.

    Attributes:
        name: what it is.
        resembles: code of the fault that it must not be taken for.
        component: the part that shows it, None when it is the whole device.
        onset_ms: device time at which it begins; a trait of the device begins when the device does.
    """

    name: str
    resembles: str
    component: str | None
    onset_ms: int


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that a kind of device can have.

    Attributes:
        part: key of a device's parts from which the component is drawn, ``""`` when it has none.
        room_ms: how long before the end of a run it begins at the latest, for anybody to have a fair chance.
        opening: fit for the first minutes of a run: it shows within a few minutes.
        in_mix: scheduled by default; a slow one is only for runs of many hours.
    """

    code: str
    kind: DeviceKind
    course: str
    part: str = ""
    room_ms: int = 45 * MINUTE_MS
    opening: bool = False
    in_mix: bool = True


FAULT_KINDS = (
    FaultKind("battery.failed", "phone", "minutes"),
    # The gauge learns the capacity at the end of a charge and then reports it at once.
    FaultKind("battery.worn", "phone", "sudden", room_ms=HOUR_MS),
    FaultKind("thermal.overheating", "phone", "minutes"),
    FaultKind("charge.port", "phone", "minutes"),
    FaultKind("disk.media_wear", "pc", "minutes", part="disk"),
    FaultKind("fan.stopped", "pc", "sudden", part="fan", opening=True),
    FaultKind("memory.failing", "pc", "minutes", part="dimm"),
    FaultKind("disk.cable", "pc", "minutes", part="disk"),
    FaultKind("psu.failed", "server", "sudden", part="psu", opening=True),
    FaultKind("fan.failed", "server", "minutes", part="fan"),
    FaultKind("disk.media_wear", "server", "creeping", part="disk"),
    FaultKind("memory.correctable_storm", "server", "minutes", part="dimm"),
    FaultKind("washer.not_draining", "washer", "sudden"),
    FaultKind("washer.heater", "washer", "sudden"),
    FaultKind("appliance.leak", "washer", "minutes", opening=True),
    FaultKind("fridge.evaporator_fan", "fridge", "sudden", room_ms=HOUR_MS),
    FaultKind("fridge.compressor", "fridge", "hours", room_ms=8 * HOUR_MS, in_mix=False),
)


@dataclass(frozen=True, slots=True)
class LookalikeKind:
    """A look-alike that a kind of device can have.

    Attributes:
        part: as in `FaultKind`.
        trait: it stands from the device's beginning, it does not happen at some time.
    """

    name: str
    kind: DeviceKind
    resembles: str
    part: str = ""
    trait: bool = False


LOOKALIKE_KINDS = (
    LookalikeKind("phone.in_the_sun", "phone", "thermal.overheating"),
    LookalikeKind("charge.limit", "phone", "charge.port", trait=True),
    LookalikeKind("battery.well_used", "phone", "battery.worn", trait=True),
    LookalikeKind("battery.in_the_cold", "phone", "battery.failed"),
    LookalikeKind("disk.old_scars", "pc", "disk.media_wear", part="disk", trait=True),
    LookalikeKind("disk.single_spot", "pc", "disk.media_wear", part="disk"),
    LookalikeKind("fan.zero_rpm", "pc", "fan.stopped", part="fan", trait=True),
    LookalikeKind("disk.few_crc", "pc", "disk.cable", part="disk", trait=True),
    LookalikeKind("memory.single_errors", "pc", "memory.failing", part="dimm", trait=True),
    LookalikeKind("cpu.busy", "pc", "fan.stopped", trait=True),
    LookalikeKind("feed.outage", "server", "psu.failed", part="psu"),
    LookalikeKind("fan.swapped", "server", "fan.failed", part="fan"),
    LookalikeKind("disk.old_scars", "server", "disk.media_wear", part="disk", trait=True),
    LookalikeKind("memory.single_errors", "server", "memory.correctable_storm", part="dimm", trait=True),
    LookalikeKind("washer.paused", "washer", "washer.not_draining"),
    LookalikeKind("washer.eco", "washer", "washer.heater", trait=True),
    LookalikeKind("washer.suds", "washer", "appliance.leak"),
    LookalikeKind("fridge.loaded", "fridge", "fridge.evaporator_fan"),
    LookalikeKind("fridge.defrosting", "fridge", "fridge.evaporator_fan"),
    LookalikeKind("fridge.resting", "fridge", "fridge.compressor", trait=True),
)
