"""A desktop PC: one processor under one fan, a system NVMe drive, a magnetic data disk, two DIMMs."""

from collections.abc import Callable, Mapping

from simulators.computer import Computer
from simulators.cooling import Fan, Processor, fan_drive
from simulators.device import Identity, Values, Verdict, each_part, verdict
from simulators.processes import Wander, events

#: In zero-rpm mode the fan stops below the first and starts above the second, °C.
_STOP_C, _START_C = 46.0, 56.0
#: Crashes an hour of a PC whose memory is at its worst.
_CRASHES_PER_HOUR = 0.5


class Pc(Computer):
    """A device of class ``pc``."""

    period_ms = 30_000

    def __init__(self, identity: Identity, start_ms: int) -> None:
        # Office work, seldom idle; a quiet machine idles enough for its fan to rest.
        work = {0.16: 0.35, 0.3: 0.35, 0.5: 0.2, 0.85: 0.1}
        quiet = any(lookalike.name == "fan.zero_rpm" for lookalike in identity.lookalikes)
        super().__init__(
            identity,
            start_ms,
            room=None,
            work={0.03: 0.75, 0.3: 0.2, 0.7: 0.05} if quiet else work,
            mean_s=360,
        )
        self._zero_rpm = quiet
        self._resting = False
        self._bugchecks = int(self.rng.integers(0, 3))
        self._rail = Wander(self.rng, mean=float(self.rng.uniform(11.95, 12.12)), spread=0.02, tau_s=300)
        self._cell_v = float(self.rng.uniform(2.95, 3.15))

    def advance(self, dt_s: float) -> None:
        """All that computers do, and the 12 V rail; broken memory crashes the system now and then."""
        super().advance(dt_s)
        self._rail.advance(dt_s)
        crashes = sum(
            events(self.rng, _CRASHES_PER_HOUR * dimm.weakness**2, dt_s) for dimm in self.dimms.values()
        )
        self._bugchecks += crashes
        self._boots += crashes

    def slow(self) -> Values:
        """Counters, rail and clock cell."""
        return super().slow() | {
            "system.bugchecks": self._bugchecks,
            "psu.voltage_12v@psu1": round(self._rail.value, 2),
            "board.cmos_voltage": round(self._cell_v, 2),
        }

    def probes(self) -> Mapping[str, Callable[[str], Verdict]]:
        """Tests of a computer, and of its power supply."""
        return {
            **super().probes(),
            "psu.test": lambda c: each_part(["psu1"], c, self._test_psu),
        }

    def power_drawn(self) -> float:
        """Return the power drawn from the mains, W."""
        return (18 + self.cpu_power + 7 * len(self.disks)) / 0.88

    def _new_cpu(self, air_c: float) -> Processor:
        return Processor(idle_w=12, full_w=80, still_w_k=0.5, moved_w_k=1.5, heat_j_k=150, air_c=air_c)

    def _new_fan(self) -> Fan:
        return Fan(self.rng, float(self.rng.choice([1800, 2200, 2600])))

    def _friction(self, fan: str) -> float:
        return self.severity("fan.stopped", fan)

    def _memory_weakness(self, dimm: str) -> float:
        return self.severity("memory.failing", dimm)

    def _drive(self) -> float:
        if self._zero_rpm:
            self._resting = self.hottest < (_START_C if self._resting else _STOP_C)
            if self._resting:
                return 0.0
        return fan_drive(self.hottest, low=0.3, cool_c=50, hot_c=85)

    def _test_psu(self, _component: str) -> Verdict:
        return verdict(self._rail.value >= 11.4, voltage_12v=round(self._rail.value, 2))
