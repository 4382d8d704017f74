"""A rack server: two processors in one duct of air, four fans, two power supplies on two feeds, an array."""

from collections.abc import Callable, Mapping

from simulators.computer import Computer
from simulators.cooling import Fan, Processor, fan_drive
from simulators.device import Identity, Values, Verdict, each_part, verdict
from simulators.processes import Wander, events

_MAINS_V = 230.0
_OUTAGE_S = 25 * 60  # how long a feed stays dark
_SWAP_S = 30  # how long a fan is out while somebody changes it
_INLET_LIMIT_C = 35
_FULL_RPM = 9000
_LOW_LIMIT_RPM = 1500


class Server(Computer):
    """A device of class ``server``."""

    period_ms = 20_000

    def __init__(self, identity: Identity, start_ms: int) -> None:
        super().__init__(
            identity,
            start_ms,
            room=None,
            work={0.1: 0.2, 0.3: 0.35, 0.55: 0.3, 0.8: 0.15},
            mean_s=900,
        )
        rng = self.rng
        self._mains = {
            psu: Wander(rng, mean=_MAINS_V + float(rng.uniform(-3, 3)), spread=1.2, tau_s=120)
            for psu in identity.parts["psu"]
        }
        self._rx_power = Wander(rng, mean=float(rng.uniform(-5.5, -2.5)), spread=0.1, tau_s=600)
        self._rx_errors = int(rng.integers(0, 20))
        self._flaps = int(rng.integers(0, 6))

    def advance(self, dt_s: float) -> None:
        """All that computers do, the two feeds, the optic."""
        super().advance(dt_s)
        for feed in self._mains.values():
            feed.advance(dt_s)
        self._rx_power.advance(dt_s)
        self._rx_errors += events(self.rng, 0.05, dt_s)

    def fast(self) -> Values:
        """Load, temperatures, speeds and power."""
        values = super().fast()
        working = [psu for psu in self._mains if self.psu_ok(psu)]
        for psu in self._mains:
            values[f"psu.ok@{psu}"] = psu in working
            values[f"psu.input_voltage@{psu}"] = round(self.input_voltage(psu), 1)
        values["psu.redundant"] = len(working) > 1
        values["inlet.temperature"] = round(self.room.value, 1)
        return values

    def slow(self) -> Values:
        """Counters, limits, array and network."""
        values = super().slow() | {
            "inlet.limit": _INLET_LIMIT_C,
            "raid.state@0": "optimal",
            "raid.battery_ok@0": True,
            "nic.rx_errors@eth0": self._rx_errors,
            "nic.rx_power@eth0": round(self._rx_power.value, 1),
            "nic.link_flaps@eth0": self._flaps,
            "bmc.online": True,
        }
        values |= {f"fan.low_limit@{name}": _LOW_LIMIT_RPM for name in self.fans}
        return values

    def probes(self) -> Mapping[str, Callable[[str], Verdict]]:
        """Tests of a computer, and of power supplies, array battery and network."""
        return {
            **super().probes(),
            "psu.test": lambda c: each_part(list(self._mains), c, self._test_psu),
            "raid.battery_test": lambda c: each_part(["0"], c, lambda _: verdict(True, charge_percent=97)),
            "nic.test": lambda c: each_part(["eth0"], c, self._test_nic),
        }

    def input_voltage(self, psu: str) -> float:
        """Return the mains voltage at a power supply's inlet, V; a dark feed gives none."""
        dark_s = self.lookalike("feed.outage", psu)
        if dark_s is not None and dark_s < _OUTAGE_S:
            return 0.0
        return self._mains[psu].value

    def psu_ok(self, psu: str) -> bool:
        """Say whether a power supply gives out its 12 V: it has mains, and its output stage is whole."""
        return self.input_voltage(psu) > 90 and self.severity("psu.failed", psu) < 0.5

    def power_drawn(self) -> float:
        """Return the power drawn from the mains, W; fans take the cube of their speed (fan laws)."""
        fans = sum(18 * fan.flow**3 for fan in self.fans.values())
        return (60 + self.cpu_power + fans + 8 * len(self.disks)) / 0.93

    def _new_cpu(self, air_c: float) -> Processor:
        return Processor(idle_w=35, full_w=165, still_w_k=0.4, moved_w_k=5.5, heat_j_k=300, air_c=air_c)

    def _new_fan(self) -> Fan:
        return Fan(self.rng, _FULL_RPM)

    def _friction(self, fan: str) -> float:
        out_s = self.lookalike("fan.swapped", fan)
        if out_s is not None and out_s < _SWAP_S:
            return 1.0
        return 0.93 * self.severity("fan.failed", fan)

    def _memory_weakness(self, dimm: str) -> float:
        return self.severity("memory.correctable_storm", dimm)

    def _drive(self) -> float:
        return fan_drive(self.hottest, low=0.35, cool_c=45, hot_c=80)

    def _test_psu(self, psu: str) -> Verdict:
        """Load the supply by itself for a moment; without mains there is nothing to test."""
        volts = round(self.input_voltage(psu), 1)
        if volts < 90:
            return Verdict("error", {"reason": "no mains at the inlet", "input_voltage": volts})
        return verdict(self.psu_ok(psu), input_voltage=volts, output_ok=self.psu_ok(psu))

    def _test_nic(self, _component: str) -> Verdict:
        power = round(self._rx_power.value, 1)
        return verdict(power > -14.4, rx_power_dbm=power)
