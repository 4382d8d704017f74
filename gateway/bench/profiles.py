"""The devices of a synthetic fleet: twenty signals for each sort of device, healthy and faulty.

The values are engineering estimates for one purpose: that the engine works on lanes of which nearly all are
quiet, as in a real fleet. They are no model of any device; the simulators are.
"""

from dataclasses import dataclass

import numpy as np

from rules.batch import Bool, Float64, Kind
from rules.symbols import Channel

Random = np.random.Generator

#: Healthy values lie within about five deviations of their mean, faulty ones this many beyond it.
_FAULTY = 10.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that wavers around a value of the device's own.

    Attributes:
        key: as in telemetry, with its component.
        mean: of all healthy devices.
        between: standard deviation of the devices' own values.
        within: standard deviation of a device's readings around its own value.
        rises: a faulty device reads too much, else too little.
    """

    key: str
    mean: float
    between: float
    within: float
    rises: bool = True

    kind = Kind.NUMBER

    @property
    def bad(self) -> float:
        """What a faulty device reads, on average."""
        distance = _FAULTY * float(np.hypot(self.between, self.within))
        return self.mean + (distance if self.rises else -distance)

    @property
    def limit(self) -> float:
        """A threshold between the healthy and the faulty."""
        return round((self.mean + self.bad) / 2, 3)

    def first(self, random: Random, count: int) -> Float64:
        """Return the own values of `count` devices."""
        return self.mean + self.between * random.standard_normal(count)

    def read(self, random: Random, own: Float64, faulty: Bool) -> Float64:
        """Return one reading of each device."""
        values: Float64 = own + self.within * random.standard_normal(len(own))
        values[faulty] += self.bad - self.mean
        return values


@dataclass(frozen=True, slots=True)
class Counter:
    """A number that only grows, and mostly stands still.

    Attributes:
        start: mean of what devices have counted already.
        chance: that it grows by one from reading to reading, in a healthy device.
        faulty_chance: the same in a faulty one.
    """

    key: str
    start: float
    chance: float
    faulty_chance: float = 0.5

    kind = Kind.NUMBER

    def first(self, random: Random, count: int) -> Float64:
        """Return what `count` devices have counted so far."""
        return np.floor(random.exponential(self.start, count)) if self.start else np.zeros(count)

    def steps(self, random: Random, faulty: Bool) -> Float64:
        """Return by how much the counter of each device grows until its next reading."""
        return (random.random(len(faulty)) < np.where(faulty, self.faulty_chance, self.chance)).astype(float)


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean.

    Attributes:
        often: chance that a healthy device says true.
        bad: what a faulty one says.
    """

    key: str
    often: float
    bad: bool

    kind = Kind.BOOLEAN

    def first(self, _random: Random, count: int) -> Float64:
        """Return zeros: a flag has no value of the device's own."""
        return np.zeros(count)

    def read(self, random: Random, own: Float64, faulty: Bool) -> Float64:
        """Return one reading of each device."""
        if self.often in {0.0, 1.0}:
            values = own + self.often
        else:
            values = (random.random(len(own)) < self.often).astype(float)
        values[faulty] = self.bad
        return values


@dataclass(frozen=True, slots=True)
class Word:
    """A text of a few.

    Attributes:
        healthy: each as likely as the others.
        bad: what a faulty device says.
    """

    key: str
    healthy: tuple[str, ...]
    bad: str

    kind = Kind.TEXT

    def first(self, _random: Random, count: int) -> Float64:
        """Return zeros: a text has no value of the device's own."""
        return np.zeros(count)

    def read(self, random: Random, own: Float64, faulty: Bool) -> Float64:
        """Return the place of the text among `texts` for each device."""
        values = np.floor(random.random(len(own)) * len(self.healthy)) if len(self.healthy) > 1 else own + 0.0
        values[faulty] = len(self.healthy)
        return values

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that it may say."""
        return (*self.healthy, self.bad)


Reading = Gauge | Counter | Flag | Word


@dataclass(frozen=True, slots=True)
class Profile:
    """A sort of device.

    Attributes:
        share: of the fleet.
        signals: twenty; a message brings six of them, one of `groups`.
    """

    name: str
    device_class: str
    share: float
    signals: tuple[Reading, ...]

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Signals of the four messages that a device sends in turn: six each, the first four twice."""
        lively, rest = range(4), range(4, len(self.signals))
        return tuple(
            (lively[(2 * k) % 4], lively[(2 * k + 1) % 4], *rest[4 * k : 4 * k + 4]) for k in range(4)
        )

    def components(self, kind: str) -> int:
        """Return of how many components of a kind it reports."""
        channels = [Channel.parse(signal.key) for signal in self.signals]
        return len({c.component for c in channels if c.component and c.signal.startswith(f"{kind}.")})


_BOOTS = Counter("system.boot_count", 40, 0.0005, 0.05)
_SHUTDOWNS = Counter("system.unexpected_shutdowns", 0.3, 0.0001, 0.02)


def _disk(name: str) -> tuple[Reading, ...]:
    return (
        Counter(f"disk.pending_sectors@{name}", 0, 0.0, 0.3),
        Counter(f"disk.reallocated_sectors@{name}", 0.05, 0.00001, 0.3),
        Gauge(f"disk.temperature@{name}", 36, 2.5, 0.7),
        Flag(f"disk.smart_passed@{name}", 1.0, bad=False),
    )


PROFILES = (
    Profile(
        "phone",
        "phone",
        0.40,
        (
            Gauge("battery.level", 65, 4, 1, rises=False),
            Gauge("battery.temperature", 29, 1.5, 0.8),
            Gauge("battery.current", -0.3, 0.03, 0.05),
            Flag("power.plugged", 0.25, bad=True),
            Gauge("battery.capacity_ratio", 0.95, 0.02, 0.001, rises=False),
            Counter("battery.cycles", 200, 0.001),
            Word("battery.health", ("good",), "dead"),
            Gauge("battery.voltage", 3.9, 0.03, 0.03, rises=False),
            Counter("power.plug_events", 900, 0.004, 0.8),
            Flag("charge.limited", 0.1, bad=True),
            Gauge("thermal.status", 0.0, 0.0, 0.3),
            Gauge("storage.wear", 12, 4, 0.0),
            Gauge("storage.free_ratio", 0.6, 0.05, 0.001, rises=False),
            Counter("storage.io_errors", 0.02, 0.00005, 0.3),
            Gauge("radio.rsrp", -92, 2.5, 1.5, rises=False),
            Gauge("radio.cell_median_rsrp", -92, 1.5, 0.5, rises=False),
            Gauge("cpu.temperature@0", 41, 1.5, 2.0),
            Gauge("cpu.load", 22, 3, 5),
            _SHUTDOWNS,
            _BOOTS,
        ),
    ),
    Profile(
        "pc",
        "pc",
        0.25,
        (
            Gauge("cpu.load", 25, 3, 4),
            Gauge("cpu.temperature@0", 52, 2, 2),
            Gauge("fan.rpm@1", 1500, 80, 25, rises=False),
            Gauge("psu.voltage_12v", 12.05, 0.05, 0.01, rises=False),
            *_disk("sda"),
            Counter("disk.reported_uncorrectable@sda", 0.02, 0.00001, 0.3),
            Counter("disk.offline_uncorrectable@sda", 0.02, 0.00001, 0.3),
            Counter("disk.crc_errors@sda", 0.5, 0.0001, 0.9),
            Counter("disk.power_cycles@sda", 600, 0.001),
            Counter("disk.power_on_hours@sda", 9000, 0.05),
            Gauge("board.cmos_voltage", 3.05, 0.02, 0.005, rises=False),
            Counter("memory.corrected_errors@dimm0", 0.05, 0.0002, 0.8),
            Counter("system.bugchecks", 1, 0.0002, 0.1),
            _SHUTDOWNS,
            _BOOTS,
            Gauge("battery.capacity_ratio", 0.9, 0.02, 0.001, rises=False),
            Counter("battery.cycles", 150, 0.0005),
        ),
    ),
    Profile(
        "server",
        "server",
        0.15,
        (
            Gauge("cpu.load", 45, 3, 2),
            Gauge("cpu.temperature@0", 61, 1.5, 1.5),
            Gauge("fan.rpm@1", 6200, 150, 60, rises=False),
            Gauge("inlet.temperature", 23, 0.7, 0.2),
            *_disk("sda"),
            *_disk("sdb"),
            Gauge("fan.low_limit@1", 2000, 0, 0),
            Flag("psu.ok@1", 1.0, bad=False),
            Gauge("psu.input_voltage@1", 231, 1.5, 0.8, rises=False),
            Flag("psu.redundant", 1.0, bad=False),
            Word("raid.state@0", ("optimal",), "degraded"),
            Counter("memory.corrected_errors@a1", 0.2, 0.0003, 0.8),
            Gauge("nic.rx_power@eth0", -3.5, 0.6, 0.05, rises=False),
            Counter("nic.rx_errors@eth0", 5, 0.001, 0.9),
        ),
    ),
    Profile(
        "washer",
        "appliance",
        0.10,
        (
            Word("program.phase", ("idle", "wash", "rinse", "spin"), "fault"),
            Gauge("power.active", 180, 15, 20),
            Gauge("water.level", 12, 0.5, 0.5),
            Flag("drain.pump_on", 0.1, bad=True),
            Gauge("water.temperature", 34, 1, 1),
            Flag("water.valve_open", 0.02, bad=False),
            Flag("heater.on", 0.1, bad=True),
            Flag("door.open", 0.05, bad=False),
            Gauge("drum.rpm", 700, 10, 20, rises=False),
            Gauge("drum.vibration", 8, 0.5, 0.5),
            Gauge("motor.current", 2.2, 0.1, 0.1),
            Flag("leak.detected", 0.0, bad=True),
            Word("error.code", ("",), "E18"),
            Gauge("ambient.temperature", 21, 0.7, 0.2),
            Gauge("psu.voltage_12v", 12.0, 0.05, 0.01, rises=False),
            Gauge("cpu.temperature@0", 44, 1, 1),
            Gauge("fan.rpm@0", 900, 30, 15, rises=False),
            Gauge("radio.rsrp", -70, 1, 1, rises=False),
            _SHUTDOWNS,
            _BOOTS,
        ),
    ),
    Profile(
        "fridge",
        "appliance",
        0.10,
        (
            Gauge("fridge.temperature", 4.5, 0.15, 0.15),
            Gauge("freezer.temperature", -19, 0.3, 0.3),
            Gauge("compressor.power", 70, 3, 2),
            Flag("compressor.on", 0.45, bad=True),
            Gauge("evaporator.fan_rpm", 1400, 40, 15, rises=False),
            Flag("defrost.on", 0.02, bad=True),
            Gauge("ambient.temperature", 22, 0.7, 0.2),
            Flag("door.open", 0.03, bad=False),
            Gauge("power.active", 80, 4, 3),
            Word("error.code", ("",), "F05"),
            Flag("leak.detected", 0.0, bad=True),
            Gauge("filter.hours", 200, 15, 0.0),
            Gauge("water.temperature", 9, 0.3, 0.2),
            Gauge("cpu.load", 15, 1, 1),
            Gauge("psu.voltage_12v", 12.0, 0.05, 0.01, rises=False),
            Gauge("cpu.temperature@0", 40, 1, 1),
            Gauge("fan.rpm@0", 800, 30, 15, rises=False),
            Gauge("radio.rsrp", -72, 1, 1, rises=False),
            _SHUTDOWNS,
            _BOOTS,
        ),
    ),
)
