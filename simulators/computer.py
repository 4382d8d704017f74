"""What PCs and servers share: work, processors in a stream of air, drives, memory."""

from abc import abstractmethod
from collections.abc import Callable, Mapping

from simulators.cooling import Fan, Processor
from simulators.device import Device, Identity, Values, Verdict, each_part, verdict
from simulators.disk import Disk, NvmeDrive
from simulators.memory import Dimm
from simulators.processes import Habit, Wander, clamp, relax

#: Look-alikes: transfer errors and memory flips that come a few times a day.
_FEW_CRC_PER_HOUR = 1 / 5
_SINGLE_FLIPS_PER_HOUR = 1 / 8
#: Transfer errors an hour over a cable with a bad contact.
_BAD_CABLE_PER_HOUR = 100.0


class Computer(Device):
    """A machine with processors, fans, drives and memory.

    Attributes:
        cpus, fans, disks, nvmes, dimms: parts by component name.
        load: share of the processors' time in use, 0 to 1.
        room: temperature of the air that enters, °C.
    """

    substep_ms = 10_000
    slow_every = 20

    def __init__(
        self,
        identity: Identity,
        start_ms: int,
        *,
        room: Wander | None,
        work: dict[float, float],
        mean_s: float,
    ) -> None:
        """Build the parts that the identity names; `work` as in `Habit`."""
        super().__init__(identity, start_ms)
        rng, parts = self.rng, identity.parts
        self.room = room or Wander(rng, mean=float(rng.uniform(20, 25)), spread=0.7, tau_s=3600)
        self._work = Habit(rng, levels={0.97: 1.0} if self.has_trait("cpu.busy") else work, mean_s=mean_s)
        self._noise = Wander(rng, mean=0.0, spread=0.04, tau_s=60)
        self.load = self._work.level
        air = self.room.value + 4
        self.cpus = {name: self._new_cpu(air) for name in parts["cpu"]}
        self.fans = {name: self._new_fan() for name in parts["fan"]}
        self.disks = {name: Disk(rng, name, air) for name in parts["disk"]}
        self.nvmes = {name: NvmeDrive(rng, name, air) for name in parts.get("nvme", ())}
        self.dimms = {name: self._new_dimm(name) for name in parts["dimm"]}
        self._to_be_spotted = {name for name in self.disks if self.has_trait("disk.single_spot", name)}
        self._boots = int(rng.integers(3, 400))
        self._unexpected = int(rng.integers(0, 3))
        for name, disk in self.disks.items():
            if self.has_trait("disk.old_scars", name):
                disk.scar()

    @abstractmethod
    def _new_cpu(self, air_c: float) -> Processor:
        """Return a processor of this class of machine."""

    @abstractmethod
    def _new_fan(self) -> Fan:
        """Return a fan of this class of machine."""

    @abstractmethod
    def _friction(self, fan: str) -> float:
        """Return how hard a fan's bearing turns by now: 0 free, 1 stuck."""

    @abstractmethod
    def _drive(self) -> float:
        """Return what the speed controller asks of the fans, 0 to 1."""

    @abstractmethod
    def _memory_weakness(self, dimm: str) -> float:
        """Return how bad a module is by now, 0 to 1."""

    def advance(self, dt_s: float) -> None:
        """Work, air, heat, wear."""
        self.room.advance(dt_s)
        wanted = clamp(self._work.advance(dt_s) + self._noise.advance(dt_s), 0.01, 1.0)
        self.load = relax(self.load, wanted, dt_s, 15)
        drive = self._drive()
        for name, fan in self.fans.items():
            fan.advance(drive, self._friction(name), dt_s)
        flow = self._flow()
        inside = self.case_air()
        for cpu in self.cpus.values():
            cpu.advance(load=self.load, flow=flow, air_c=inside, dt_s=dt_s)
        for name, disk in self.disks.items():
            wear = self.severity("disk.media_wear", name)
            disk.advance(air_c=inside, wear=wear, crc_per_hour=self._crc_per_hour(name), dt_s=dt_s)
            if name in self._to_be_spotted and self.lookalike("disk.single_spot", name) is not None:
                self._to_be_spotted.remove(name)
                disk.lose_one_sector()
        for nvme in self.nvmes.values():
            nvme.advance(air_c=inside, dt_s=dt_s)
        for name, dimm in self.dimms.items():
            dimm.advance(self._memory_weakness(name), dt_s)

    @property
    def hottest(self) -> float:
        """Temperature of the hottest processor, °C."""
        return max(cpu.temperature for cpu in self.cpus.values())

    @property
    def cpu_power(self) -> float:
        """What all processors draw, W."""
        return sum(cpu.power for cpu in self.cpus.values())

    def case_air(self) -> float:
        """Temperature of the air around the parts: the room's, warmed by what is inside, °C."""
        return self.room.value + 3 + 0.02 * self.cpu_power

    def _flow(self) -> float:
        """Air over the heat sinks: all fans blow into one duct."""
        return sum(fan.flow for fan in self.fans.values()) / len(self.fans)

    def fast(self) -> Values:
        """Load, temperatures, speeds."""
        values: Values = {"cpu.load": round(100 * self.load, 1), "power.active": round(self.power_drawn())}
        values |= {f"cpu.temperature@{name}": round(cpu.temperature, 1) for name, cpu in self.cpus.items()}
        values |= {f"fan.rpm@{name}": fan.reading for name, fan in self.fans.items()}
        return values

    @abstractmethod
    def power_drawn(self) -> float:
        """Return the power drawn from the mains, W."""

    def slow(self) -> Values:
        """Counters of drives, memory and the system."""
        values: Values = {
            "system.boot_count": self._boots,
            "system.unexpected_shutdowns": self._unexpected,
        }
        parts: list[Disk | NvmeDrive | Dimm] = [
            *self.disks.values(),
            *self.nvmes.values(),
            *self.dimms.values(),
        ]
        for part in parts:
            values |= part.values()
        return values

    def probes(self) -> Mapping[str, Callable[[str], Verdict]]:
        """Tests of drives, memory and fans."""
        drives: dict[str, Disk | NvmeDrive] = {**self.disks, **self.nvmes}
        return {
            "disk.self_test": lambda c: each_part(list(drives), c, lambda n: drives[n].self_test()),
            "memory.test": lambda c: each_part(list(self.dimms), c, lambda n: self.dimms[n].test()),
            "fan.test": lambda c: each_part(list(self.fans), c, self._test_fan),
        }

    def _test_fan(self, name: str) -> Verdict:
        """Drive the fan at full speed for a while and read its tachometer."""
        fan = self.fans[name]
        reached = round(fan.full_rpm * (1 - self._friction(name)) / 10) * 10
        return verdict(reached > 0.6 * fan.full_rpm, rpm=reached, expected_rpm=round(fan.full_rpm))

    def _crc_per_hour(self, disk: str) -> float:
        if self.has_trait("disk.few_crc", disk):
            return _FEW_CRC_PER_HOUR
        return _BAD_CABLE_PER_HOUR * self.severity("disk.cable", disk)

    def _new_dimm(self, name: str) -> Dimm:
        if self.has_trait("memory.single_errors", name):
            return Dimm(self.rng, name, flips_per_hour=_SINGLE_FLIPS_PER_HOUR)
        return Dimm(self.rng, name)
