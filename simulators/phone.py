"""A phone: a lithium-ion cell that ages, an owner who uses and charges it, and two bodies that warm up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulators.device import Device, Identity, Values, Verdict, verdict
from simulators.processes import Habit, Wander, clamp, relax

#: Rest voltage of a cell at 0 and at 100 % charge (cobalt chemistry, straight line between), V.
_EMPTY_V, _FULL_V = 3.40, 4.25
_CHARGE_LIMIT_V = 4.40  # V, where a charger stops pushing
_CUT_OFF_V = 2.9  # V, where the phone switches itself off
_NEW_RESISTANCE = 0.08  # ohm
_DEAD_RESISTANCE = 4.0  # times that of a new cell, from where the gauge calls the cell dead
_CHARGER_W = 15.0
_CHARGE_LOSS = 0.06  # part of the charger's power that warms the board

#: Skin temperature in °C from which each level of the thermal status holds, 1 (light) to 6 (shutdown).
_THERMAL_STATUS_C = (41.0, 44.0, 47.0, 50.0, 56.0, 62.0)

_SUN_S = 40 * 60  # how long a phone lies in the sun before it is picked up
_COLD_S = 25 * 60  # how long its owner waits for a bus in the frost


@dataclass(frozen=True, slots=True)
class _Body:
    """A body that is heated from inside and gives heat to the air and to another body: J/K, W/K, W/K."""

    capacity: float
    to_air: float
    to_other: float

    def warm(self, body_c: float, dt_s: float, *, heat_w: float, outside_c: float, other_c: float) -> float:
        """Return its temperature after `dt_s`."""
        conductance = self.to_air + self.to_other
        settled = (heat_w + self.to_air * outside_c + self.to_other * other_c) / conductance
        return relax(body_c, settled, dt_s, self.capacity / conductance)


#: The board with the glass over it, and the battery beside it.
_BOARD = _Body(capacity=60.0, to_air=0.20, to_other=0.04)
_BATTERY = _Body(capacity=55.0, to_air=0.12, to_other=0.04)


class Phone(Device):
    """A phone of class ``phone``."""

    period_ms = 60_000
    substep_ms = 15_000

    def __init__(self, identity: Identity, start_ms: int) -> None:
        super().__init__(identity, start_ms)
        rng = self.rng
        worn = any(fault.code == "battery.worn" for fault in identity.faults)
        well_used = self.has_trait("battery.well_used")
        self.design_ah = float(rng.uniform(4.2, 5.2))
        if worn or well_used:
            self.capacity_ratio = float(rng.uniform(0.808, 0.818) if worn else rng.uniform(0.82, 0.85))
            self.cycles = float(rng.uniform(430, 480))
        else:
            self.capacity_ratio = float(rng.uniform(0.88, 1.01))
            self.cycles = float(rng.uniform(10, 380))
        self._worn_to = float(rng.uniform(0.66, 0.73))
        self.charge = float(rng.uniform(0.35, 0.95))
        self.resistance = _NEW_RESISTANCE * float(rng.uniform(0.95, 1.25))
        self.current_a = 0.0
        self._room = Wander(rng, mean=float(rng.uniform(19, 25)), spread=0.8, tau_s=3600)
        self._use_w = Habit(rng, levels={0.18: 0.62, 1.4: 0.25, 2.4: 0.10, 3.4: 0.03}, mean_s=420)
        self.board_c = self.battery_c = self._room.value + 3
        self.plugged = self.has_trait("charge.limit")
        if self.plugged:
            self.charge = 0.78
        self.contact = True
        self._plug_below = float(rng.uniform(0.2, 0.45))
        self._plug_events = int(rng.integers(100, 2500))
        self._boots = int(rng.integers(5, 80))
        self._unexpected = int(rng.integers(0, 3))
        self._heat_pause = False
        self._off = False
        self._storage_wear = int(rng.integers(1, 35))
        self._free_ratio = float(rng.uniform(0.15, 0.7))
        self._rsrp = Wander(rng, mean=float(rng.uniform(-104, -82)), spread=4.0, tau_s=900)
        self._cell_rsrp = self._rsrp.mean + float(rng.uniform(-3, 3))

    @property
    def thermal_status(self) -> int:
        """The throttling level that the skin temperature asks for, 0 to 6."""
        return sum(self.board_c >= limit for limit in _THERMAL_STATUS_C)

    @property
    def charge_limited(self) -> bool:
        """Whether charging is held back on purpose: by the owner's 80 % limit, or because of heat."""
        return self._heat_pause or (self.has_trait("charge.limit") and self.charge >= 0.795)

    @property
    def voltage(self) -> float:
        """Voltage at the battery's terminals, V."""
        return self._rest_v + self.current_a * self._cell_ohm

    @property
    def health(self) -> str:
        """What the battery's gauge makes of it, in Android's words."""
        if self._cell_ohm > _DEAD_RESISTANCE * _NEW_RESISTANCE:
            return "dead"
        if self.battery_c > 60:
            return "overheat"
        return "cold" if self.battery_c < 0 else "good"

    def advance(self, dt_s: float) -> None:
        """Owner, power, charge, heat."""
        self._room.advance(dt_s)
        self._rsrp.advance(dt_s)
        self._owner(dt_s)
        in_w = self._charger_w(dt_s)
        load_w = self._load_w()
        self._move_charge(in_w, load_w, dt_s)
        self._move_heat(in_w, load_w, dt_s)

    def fast(self) -> Values:
        """Charge, current, temperatures; nothing while the phone is off."""
        if self._off:
            return {}
        return {
            "battery.level": round(100 * self.charge),
            "battery.voltage": round(self.voltage, 3),
            "battery.current": round(self.current_a, 3),
            "battery.temperature": round(self.battery_c, 1),
            "power.plugged": self.plugged and self.contact,
            "power.plug_events": self._plug_events,
            "thermal.status": self.thermal_status,
        }

    def slow(self) -> Values:
        """The battery's condition, counters, storage, radio."""
        return {
            "battery.health": self.health,
            "battery.capacity_ratio": round(self.capacity_ratio, 3),
            "battery.cycles": int(self.cycles),
            "charge.limited": self.charge_limited,
            "storage.wear": self._storage_wear,
            "storage.free_ratio": round(self._free_ratio, 2),
            "storage.io_errors": 0,
            "radio.rsrp": round(self._rsrp.value / 5) * 5,
            "radio.cell_median_rsrp": round(self._cell_rsrp),
            "system.boot_count": self._boots,
            "system.unexpected_shutdowns": self._unexpected,
        }

    def probes(self) -> Mapping[str, Callable[[str], Verdict]]:
        """Tests of battery, charging and heat."""
        return {
            "battery.test": self._test_battery,
            "charge.test": self._test_charging,
            "thermal.test": self._test_heat,
        }

    # -- the owner ------------------------------------------------------------------------------------

    def _owner(self, dt_s: float) -> None:
        """Plug the charger in and out; a torn port keeps its owner trying."""
        self._use_w.advance(dt_s)
        wants = self.plugged
        if self.severity("charge.port") > 0:
            wants = True
        elif self._outdoors:
            wants = False
        elif not self.plugged:
            wants = self.charge < self._plug_below
        elif self.has_trait("charge.limit"):
            wants = bool(self.rng.random() > dt_s / (3 * 3600))  # stays on the cable, as on a desk
        elif self.charge >= 0.98:
            wants = bool(self.rng.random() > dt_s / 1800)
        if wants != self.plugged:
            self.plugged = wants
            self.contact = True
            self._plug_events += 1
            self._plug_below = float(self.rng.uniform(0.2, 0.45))

    @property
    def _outdoors(self) -> bool:
        return self._in_sun or self._in_cold

    @property
    def _in_sun(self) -> bool:
        age = self.lookalike("phone.in_the_sun")
        return age is not None and age < _SUN_S

    @property
    def _in_cold(self) -> bool:
        age = self.lookalike("battery.in_the_cold")
        return age is not None and age < _COLD_S

    # -- power ----------------------------------------------------------------------------------------

    def _load_w(self) -> float:
        """Power that the phone draws: throttled by heat, plus what a short on the board burns, W."""
        if self._off:
            return 0.0
        used = 0.15 if self._outdoors else self._use_w.level
        throttled = used * max(0.3, 1 - 0.2 * self.thermal_status)
        return throttled * float(self.rng.uniform(0.85, 1.15)) + self._short_w

    @property
    def _short_w(self) -> float:
        """What a half-shorted regulator burns on the board, no matter what runs, W."""
        return 7.6 * self.severity("thermal.overheating")

    def _charger_w(self, dt_s: float) -> float:
        """Power that reaches the battery's terminals through the port, W."""
        in_contact = self._contact_share(dt_s) if self.plugged else 0.0
        self._heat_pause = self.battery_c > (40 if self._heat_pause else 43)
        if in_contact == 0 or self.charge >= 1.0 or self.charge_limited:
            return 0.0
        taper = clamp((1.02 - self.charge) / 0.2, 0.05, 1.0) * max(0.2, 1 - 0.2 * self.thermal_status)
        reachable_a = max(0.0, _CHARGE_LIMIT_V - self._rest_v) / self._cell_ohm
        return in_contact * min(_CHARGER_W * taper, reachable_a * self._rest_v)

    def _contact_share(self, dt_s: float) -> float:
        """Let a torn port open and close; return the part of the step in which it had contact."""
        severity = self.severity("charge.port")
        if severity == 0:
            return 1.0
        # About one and a half interruptions a minute at its worst, as the phone is handled.
        flips = int(self.rng.poisson(1.5 * severity * dt_s / 60))
        self._plug_events += flips
        if flips == 0:
            return 1.0 if self.contact else 0.0
        self.contact = self.contact if flips % 2 == 0 else not self.contact
        return 0.5

    def _move_charge(self, in_w: float, load_w: float, dt_s: float) -> None:
        self.capacity_ratio = min(self.capacity_ratio, self._capacity_left)
        self.current_a = (in_w - load_w) / self._rest_v
        moved_ah = self.current_a * dt_s / 3600
        full_ah = self.design_ah * self.capacity_ratio
        self.charge = clamp(self.charge + moved_ah / full_ah, 0.0, 1.0)
        if moved_ah > 0:
            self.cycles += moved_ah / full_ah
            self.capacity_ratio -= 2e-4 * moved_ah / full_ah  # some 20 % in a thousand cycles
        if self._off and self.charge > 0.05:
            self._off = False
            self._boots += 1
        elif not self._off and (self.charge <= 0.005 or self.voltage < _CUT_OFF_V):
            self._off = True
            self._unexpected += self.charge > 0.05

    @property
    def _capacity_left(self) -> float:
        """The capacity that the gauge last learnt; a worn cell's is far below the one before."""
        return self._worn_to if self.severity("battery.worn") > 0 else self.capacity_ratio

    @property
    def _rest_v(self) -> float:
        return _EMPTY_V + (_FULL_V - _EMPTY_V) * self.charge

    @property
    def _cell_ohm(self) -> float:
        """Inner resistance: a failing cell dries out, its electrodes lose contact."""
        return self.resistance * (1 + 4.5 * self.severity("battery.failed"))

    # -- heat -----------------------------------------------------------------------------------------

    def _move_heat(self, in_w: float, load_w: float, dt_s: float) -> None:
        outside, sun_w = self._room.value, 0.0
        if self._in_sun:
            outside, sun_w = 31.0, 3.2
        elif self._in_cold:
            outside = -14.0
        board_in = load_w + _CHARGE_LOSS * in_w + sun_w
        battery_in = self.current_a * self.current_a * self._cell_ohm + 0.3 * sun_w
        self.board_c, self.battery_c = (
            _BOARD.warm(self.board_c, dt_s, heat_w=board_in, outside_c=outside, other_c=self.battery_c),
            _BATTERY.warm(self.battery_c, dt_s, heat_w=battery_in, outside_c=outside, other_c=self.board_c),
        )

    # -- self tests -----------------------------------------------------------------------------------

    def _test_battery(self, _component: str) -> Verdict:
        dead = self._cell_ohm > _DEAD_RESISTANCE * _NEW_RESISTANCE
        return verdict(
            not dead and self.capacity_ratio >= 0.8,
            resistance_ohm=round(self._cell_ohm, 3),
            capacity_ratio=round(self.capacity_ratio, 3),
        )

    def _test_charging(self, _component: str) -> Verdict:
        """Hold a charger to the port for a minute and count interruptions."""
        interruptions = round(1.5 * self.severity("charge.port") * 2)
        return verdict(interruptions == 0, interruptions=interruptions)

    def _test_heat(self, _component: str) -> Verdict:
        """Close all apps and measure what is still drawn."""
        idle_w = 0.18 + self._short_w
        return verdict(idle_w < 1.0, idle_power_w=round(idle_w, 2), thermal_status=self.thermal_status)
