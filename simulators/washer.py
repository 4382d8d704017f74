"""A washing machine: a tub that fills, warms, drains and spins under a programme controller."""

from collections.abc import Callable, Mapping

from rules.times import MINUTE_MS
from simulators.device import Device, Identity, Values, Verdict, verdict
from simulators.processes import clamp, relax

_WASH_L, _RINSE_L = 12.0, 14.0
_MM_PER_L = 8.0  # the tub is round: water stands about so high
_INLET_L_S, _PUMP_L_S = 8 / 60, 20 / 60
_INLET_C = 14.0
_HEATER_W = 2000.0
_WATER_J_K = 4186.0  # one litre
_DRUM_J_K = 14_000.0  # drum and wet laundry
_LOSS_W_K = 8.0
_WASH_C, _ECO_C = 32.0, 28.0

_FILL_TIMEOUT_S = 8 * 60
_HEAT_TIMEOUT_S = 30 * 60
_DRAIN_TIMEOUT_S = 16 * 60
_DRAIN_REST_S = 5 * 60  # the pump cools before it tries again
_PAUSE_S = 7 * 60  # the child lock: somebody stopped the machine for a while

#: Water in the base at which the float switch rises and falls again, and what suds leave there, l.
_FLOAT_UP_L, _FLOAT_DOWN_L, _SUDS_L = 0.10, 0.05, 0.03
#: What a cracked inlet hose lets into the base at its worst, l/s.
_CRACK_L_S = 0.3 / 60

#: How long before its fault the owner starts a programme, so that the broken part is asked for soon.
_LEAD_MS = {"washer.not_draining": 14 * MINUTE_MS, "washer.heater": MINUTE_MS // 2}
_LONGEST_PROGRAMME_MS = 45 * MINUTE_MS

_PROGRAMME = ("fill", "heat", "wash", "drain", "fill", "rinse", "drain", "spin")
_TIMED_S = {"wash": 6 * 60, "rinse": 4 * 60, "spin": 5 * 60}


class Washer(Device):
    """A device of class ``appliance`` that washes: one programme after the other, as in a laundry room.

    Attributes:
        phase: of the programme; ``idle`` between two, ``pause`` while stopped, ``error`` when it gave up.
        litres: water in the tub.
        water_c: temperature of water and drum, °C.
        base_l: water that stands in the base, under the tub.
    """

    period_ms = 15_000
    substep_ms = 3_000

    def __init__(self, identity: Identity, start_ms: int) -> None:
        super().__init__(identity, start_ms)
        rng = self.rng
        self.phase = "idle"
        self._stage = 0
        self._stage_s = 0.0
        self._rest_s = 0.0
        self._paused_s = 0.0
        self._dry_s = 0.0
        self.litres = 0.0
        self.water_c = self.room_c = float(rng.uniform(17, 23))
        self.base_l = 0.0
        self._float_up = False
        self.error = ""
        self.valve = self.pump = self.heater = False
        self.rpm = 0.0
        self._wanted_rpm = 0.0
        self._turn_s = 0.0
        self._eco = self.has_trait("washer.eco")
        self._unbalance = float(rng.uniform(0.3, 1.0))
        self._spin_rpm = float(rng.choice([1000, 1200, 1400]))
        self._next_start_ms = self._appointed(start_ms + int(rng.integers(0, 15 * MINUTE_MS)))

    def advance(self, dt_s: float) -> None:
        """The controller decides, then water, heat and drum follow."""
        self._control(dt_s)
        self._move_water(dt_s)
        self._move_heat(dt_s)
        self._move_drum(dt_s)

    def fast(self) -> Values:
        """Phase, water, actors and drum; an error code from when there was one."""
        return {
            "program.phase": self.phase,
            "water.level": round(self.litres * _MM_PER_L),
            "water.valve_open": self.valve,
            "water.temperature": round(self.water_c, 1),
            "drain.pump_on": self.pump,
            "heater.on": self.heater,
            "drum.rpm": round(self.rpm),
            "drum.vibration": round(self.vibration, 2),
            "motor.current": round(self.motor_a, 2),
            "power.active": round(self.power),
        }

    def slow(self) -> Values:
        """The float switch, the room and the error code."""
        values: Values = {
            "leak.detected": self.leak_detected,
            "door.open": self.phase == "idle",
            "ambient.temperature": round(self.room_c, 1),
        }
        if self.error or "error.code" in self._sent:
            values["error.code"] = self.error
        return values

    def probes(self) -> Mapping[str, Callable[[str], Verdict]]:
        """The service programme's tests."""
        return {
            "washer.drain_test": self._test_drain,
            "washer.fill_test": self._test_fill,
            "washer.heater_test": self._test_heater,
            "washer.spin_test": self._test_spin,
        }

    @property
    def leak_detected(self) -> bool:
        """Whether the float switch in the base is up."""
        return self._float_up

    @property
    def motor_a(self) -> float:
        """Motor current: none at rest, more the faster it turns and while it speeds up, A."""
        if self.rpm < 1:
            return 0.0
        return 0.7 + self.rpm / 1400 + 0.004 * max(0.0, self._wanted_rpm - self.rpm)

    @property
    def vibration(self) -> float:
        """Vibration of the suspension: unbalance times the square of the speed, mm/s."""
        return 0.15 + 4.5 * self._unbalance * (self.rpm / 1200) ** 2

    @property
    def power(self) -> float:
        """Power drawn from the mains, W."""
        return 3 + 160 * self.motor_a + self._heat_w + 30 * self.pump + 6 * self.valve

    # -- the controller -------------------------------------------------------------------------------

    def _control(self, dt_s: float) -> None:
        self.valve = self.pump = self.heater = False
        self._wanted_rpm = 0.0
        if self.leak_detected:
            self._give_up("AQUA")
            return
        if self.phase in ("idle", "error"):
            if self.phase == "idle" and self.now_ms >= self._next_start_ms:
                self._begin()
            return
        if self._pausing(dt_s):
            self.phase = "pause"
            return
        self.phase = _PROGRAMME[self._stage]
        self._stage_s += dt_s
        done = {
            "fill": self._fill,
            "heat": self._heat,
            "wash": self._tumble,
            "rinse": self._tumble,
            "drain": self._drain,
            "spin": self._spin,
        }[self.phase](dt_s)
        if done:
            self._stage_s = self._dry_s = 0.0
            self._stage += 1
            if self._stage == len(_PROGRAMME):
                self._finish()

    def _begin(self) -> None:
        self.phase, self._stage, self._stage_s, self.error = "fill", 0, 0.0, ""
        self._unbalance = float(self.rng.uniform(0.3, 1.0))

    def _finish(self) -> None:
        self.phase = "idle"
        pause_ms = int(self.rng.integers(2 * MINUTE_MS, 6 * MINUTE_MS))
        self._next_start_ms = self._appointed(self.now_ms + pause_ms)

    def _give_up(self, code: str) -> None:
        """Show a code and empty the tub as far as the pump can; the inlet's stop valve shuts the hose."""
        self.error, self.phase = code, "error"
        self.pump = self.litres > 0.3

    def _appointed(self, start_ms: int) -> int:
        """Return when the next programme starts: put off when it would run into the appointed one."""
        for fault in self.identity.faults:
            if fault.code in _LEAD_MS:
                appointed = fault.onset_ms - _LEAD_MS[fault.code]
                if start_ms < appointed < start_ms + _LONGEST_PROGRAMME_MS:
                    return appointed
        return start_ms

    def _pausing(self, dt_s: float) -> bool:
        """Stand still for a while with water in the tub, once, when somebody pressed pause."""
        if self.lookalike("washer.paused") is None or self._paused_s >= _PAUSE_S:
            return False
        if self._paused_s == 0 and _PROGRAMME[self._stage] not in ("wash", "rinse"):
            return False
        self._paused_s += dt_s
        return True

    def _fill(self, _dt_s: float) -> bool:
        target = _WASH_L if self._stage == 0 else _RINSE_L
        if self._stage_s > _FILL_TIMEOUT_S:
            self._give_up("FILL")
            return False
        self.valve = self.litres < target
        return not self.valve

    def _heat(self, dt_s: float) -> bool:
        """Heat up; eco rests the heater every other half minute. A cold one is reported, not waited for."""
        self._tumble(dt_s)
        self.heater = not self._eco or self._stage_s % 60 < 30
        if self._stage_s > _HEAT_TIMEOUT_S:
            self.error = "HEAT"
            return True
        return self.water_c >= (_ECO_C if self._eco else _WASH_C)

    def _tumble(self, dt_s: float) -> bool:
        self._turn_s = (self._turn_s + dt_s) % 18
        self._wanted_rpm = 50.0 if self._turn_s < 12 else 0.0
        return self._stage_s >= _TIMED_S.get(self.phase, 0)

    def _drain(self, dt_s: float) -> bool:
        """Pump until it is dry; after a timeout show a code, let the pump rest, try again."""
        if self._rest_s > 0:
            self._rest_s -= dt_s
            self._stage_s = 0.0
            return False
        self.pump = True
        if self._stage_s > _DRAIN_TIMEOUT_S:
            self.error, self._rest_s, self.pump = "DRAIN", _DRAIN_REST_S, False
        self._dry_s = self._dry_s + dt_s if self.litres < 0.2 else 0.0
        return self._dry_s > 9

    def _spin(self, _dt_s: float) -> bool:
        left = _TIMED_S["spin"] - self._stage_s
        self._wanted_rpm = self._spin_rpm if left > 30 else 0.0
        return left <= 0

    # -- the physics ----------------------------------------------------------------------------------

    @property
    def _heat_w(self) -> float:
        return _HEATER_W * (1 - self.severity("washer.heater")) if self.heater else 0.0

    @property
    def _pump_share(self) -> float:
        """What is left of the pump's flow: a coin in its wheel leaves nothing."""
        return 1 - self.severity("washer.not_draining")

    def _move_water(self, dt_s: float) -> None:
        if self.valve:
            poured = _INLET_L_S * dt_s
            warm = self.litres * _WATER_J_K + _DRUM_J_K * 0.5
            cold = poured * _WATER_J_K
            self.water_c = (self.water_c * warm + _INLET_C * cold) / (warm + cold)
            self.litres += poured
        if self.pump:
            self.litres = max(0.0, self.litres - _PUMP_L_S * self._pump_share * dt_s)
        suds_s = self.lookalike("washer.suds")
        if suds_s is not None and suds_s < 3600 and self.phase == "wash":
            self.base_l = min(_SUDS_L, self.base_l + 1e-4 * dt_s)
        elif not self.leak_detected:  # the stop valve shuts the hose when the float rises
            self.base_l += _CRACK_L_S * self.severity("appliance.leak") * dt_s
        self.base_l = max(0.0, self.base_l - 2e-6 * dt_s)  # dries off
        self._float_up = self.base_l >= (_FLOAT_DOWN_L if self._float_up else _FLOAT_UP_L)

    def _move_heat(self, dt_s: float) -> None:
        heat_j_k = self.litres * _WATER_J_K + _DRUM_J_K
        settled = self.room_c + self._heat_w / _LOSS_W_K
        self.water_c = relax(self.water_c, settled, dt_s, heat_j_k / _LOSS_W_K)

    def _move_drum(self, dt_s: float) -> None:
        self.rpm = relax(self.rpm, self._wanted_rpm, dt_s, 12.0 if self._wanted_rpm > 100 else 1.0)
        if self._wanted_rpm == 0 and self.rpm < 5:
            self.rpm = 0.0

    # -- self tests -----------------------------------------------------------------------------------

    def _test_drain(self, _component: str) -> Verdict:
        """Let five litres in when the tub is empty, pump for twenty seconds, measure what left."""
        litres = max(self.litres, 5.0)
        moved = clamp(_PUMP_L_S * self._pump_share * 20, 0.0, litres)
        return verdict(moved > 2.0, level_fell_mm=round(moved * _MM_PER_L))

    def _test_fill(self, _component: str) -> Verdict:
        rose = round(_INLET_L_S * 15 * _MM_PER_L)
        return verdict(True, level_rose_mm=rose)

    def _test_heater(self, _component: str) -> Verdict:
        """Measure the power that the element draws."""
        watts = round(_HEATER_W * (1 - self.severity("washer.heater")))
        return verdict(watts > 1000, heater_power_w=watts)

    def _test_spin(self, _component: str) -> Verdict:
        return verdict(True, rpm=round(self._spin_rpm))
