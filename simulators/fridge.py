"""A fridge-freezer: two compartments, one evaporator in the freezer, a fan and a flap between them."""

from collections.abc import Callable, Mapping

from simulators.device import Device, Identity, Values, Verdict, verdict
from simulators.processes import Wander, clamp, events, relax

#: Heat capacities (J/K): a fridge that is not full, and a freezer with food in it.
_FRIDGE_J_K, _FREEZER_J_K = 7_000.0, 16_000.0
#: Through the walls (W/K), through the open door, and from the fridge into the freezer by air.
_FRIDGE_W_K, _FREEZER_W_K = 2.2, 0.9
_DOOR_W_K = 7.0
_FAN_W_K, _STILL_AIR_W_K = 4.0, 0.12
#: Cooling power at a freezer of -18 °C, and how it falls as the freezer gets colder (W, W/K).
_COOLING_W, _COOLING_W_K = 190.0, 3.5
_DEFROST_W = 180.0
_DEFROST_S, _DRIP_S = 14 * 60, 2 * 60
_DEFROST_EVERY_S = 8 * 3600  # of running compressor
_FULL_RPM = 2400
_LOADING_S = 4 * 60
_SHOPPING_J_K, _SHOPPING_C = 9_000.0, 21.0


class Fridge(Device):
    """A device of class ``appliance`` that cools.

    Attributes:
        fridge_c, freezer_c: temperatures of the compartments, °C.
        compressor: whether it is switched on; without its start relay it draws nothing all the same.
        flap: whether the way for the air between the compartments is open.
    """

    period_ms = 30_000
    substep_ms = 10_000

    def __init__(self, identity: Identity, start_ms: int) -> None:
        super().__init__(identity, start_ms)
        rng = self.rng
        self._room = Wander(rng, mean=float(rng.uniform(19, 24)), spread=0.6, tau_s=3600)
        self.fridge_c = float(rng.uniform(3.6, 5.2))
        self.freezer_c = float(rng.uniform(-20.5, -18.0))
        # One that stands in a cool room has its compressor rest for long.
        if self.has_trait("fridge.resting"):
            self._room.mean = self._room.value = 15.0
        self._load_j_k = _FRIDGE_J_K
        self.compressor = bool(rng.random() < 0.5)
        self.flap = False
        self.fan_rpm = 0.0
        self._door_s = 0.0
        self._defrost_s = 0.0
        self._drip_s = 0.0
        self._ran_s = float(rng.uniform(0, 0.6 * _DEFROST_EVERY_S))
        self._defrost_due = self.has_trait("fridge.defrosting")
        self._shopping_due = self.has_trait("fridge.loaded")

    @property
    def defrosting(self) -> bool:
        """Whether the defrost heater is on."""
        return self._defrost_s > 0

    @property
    def door_open(self) -> bool:
        """Whether the fridge's door is open."""
        return self._door_s > 0

    @property
    def compressor_works(self) -> bool:
        """Whether the compressor turns: it is switched on and its start relay closes."""
        return self.compressor and self.severity("fridge.compressor") < 0.25

    @property
    def compressor_w(self) -> float:
        """Power of the compressor; more against a warm room, W."""
        if not self.compressor_works:
            return 0.0
        return 92 + 1.2 * (self._room.value - 20) + 0.8 * (self.freezer_c + 18)

    def advance(self, dt_s: float) -> None:
        """Owner, controller, air, heat."""
        self._room.advance(dt_s)
        self._owner(dt_s)
        self._control(dt_s)
        self._move_heat(dt_s)

    def fast(self) -> Values:
        """Temperatures, compressor, fan, door."""
        return {
            "fridge.temperature": round(self.fridge_c, 2),
            "freezer.temperature": round(self.freezer_c, 2),
            "compressor.on": self.compressor,
            "compressor.power": round(self.compressor_w, 1),
            "evaporator.fan_rpm": round(self.fan_rpm / 10) * 10,
            "defrost.on": self.defrosting,
            "door.open": self.door_open,
            "power.active": round(self._power, 1),
        }

    def slow(self) -> Values:
        """The room."""
        return {"ambient.temperature": round(self._room.value)}

    def probes(self) -> Mapping[str, Callable[[str], Verdict]]:
        """Tests of fan and cooling."""
        return {"fridge.fan_test": self._test_fan, "fridge.cooling_test": self._test_cooling}

    # -- owner and controller -------------------------------------------------------------------------

    def _owner(self, dt_s: float) -> None:
        """Open the door now and then; once, for the look-alike, put the week's shopping in."""
        self._door_s = max(0.0, self._door_s - dt_s)
        if self._shopping_due and self.lookalike("fridge.loaded") is not None:
            self._shopping_due = False
            self._door_s = _LOADING_S
            total = self._load_j_k + _SHOPPING_J_K
            self.fridge_c = (self.fridge_c * self._load_j_k + _SHOPPING_C * _SHOPPING_J_K) / total
            self._load_j_k = total
        elif not self.door_open and events(self.rng, 0.8, dt_s):
            self._door_s = float(self.rng.uniform(10, 40))
        # What was put in is eaten again in a day or so.
        self._load_j_k = relax(self._load_j_k, _FRIDGE_J_K, dt_s, 86_400)

    def _control(self, dt_s: float) -> None:
        self._defrost(dt_s)
        resting = self.defrosting or self._drip_s > 0
        self.flap = self.fridge_c > (3.6 if self.flap else 5.0)
        self.compressor = not resting and self._wants_cold()
        self._ran_s += dt_s * self.compressor
        blow = not resting and not self.door_open and (self.compressor or self.flap)
        self.fan_rpm = relax(self.fan_rpm, self._turning * _FULL_RPM if blow else 0.0, dt_s, 4.0)
        if self.fan_rpm < 60:
            self.fan_rpm = 0.0

    def _wants_cold(self) -> bool:
        return self.freezer_c > (-20.5 if self.compressor else -17.5)

    def _defrost(self, dt_s: float) -> None:
        asked = self._defrost_due and self.lookalike("fridge.defrosting") is not None
        if self.defrosting:
            self._defrost_s -= dt_s
            self._drip_s = _DRIP_S
        elif self._drip_s > 0:
            self._drip_s -= dt_s
        elif asked or self._ran_s > _DEFROST_EVERY_S:
            self._defrost_due, self._ran_s, self._defrost_s = False, 0.0, _DEFROST_S

    # -- heat -----------------------------------------------------------------------------------------

    @property
    def _turning(self) -> float:
        """What is left of the fan's speed: a dead motor turns no more."""
        return 1 - self.severity("fridge.evaporator_fan")

    def _move_heat(self, dt_s: float) -> None:
        room = self._room.value
        blown = _FAN_W_K * self.fan_rpm / _FULL_RPM if self.flap else 0.0
        between = _STILL_AIR_W_K + blown
        walls = _FRIDGE_W_K + (_DOOR_W_K if self.door_open else 0.0)
        pumped = 0.0
        if self.compressor_works:
            pumped = clamp(_COOLING_W + _COOLING_W_K * (self.freezer_c + 18), 20.0, 260.0)
        heated = 0.35 * _DEFROST_W if self.defrosting else 0.0  # the rest melts the ice
        settled = (walls * room + between * self.freezer_c) / (walls + between)
        before = self.fridge_c
        self.fridge_c = relax(before, settled, dt_s, self._load_j_k / (walls + between))
        through = between * (before - self.freezer_c) + _FREEZER_W_K * (room - self.freezer_c)
        self.freezer_c += (through + heated - pumped) * dt_s / _FREEZER_J_K

    @property
    def _power(self) -> float:
        fan = 4 * self.fan_rpm / _FULL_RPM
        lamp = 5 if self.door_open else 0
        return 1.5 + self.compressor_w + fan + lamp + (_DEFROST_W if self.defrosting else 0)

    # -- self tests -----------------------------------------------------------------------------------

    def _test_fan(self, _component: str) -> Verdict:
        """Switch the fan on by itself and read its speed."""
        rpm = round(_FULL_RPM * self._turning / 10) * 10
        return verdict(rpm > 0.6 * _FULL_RPM, rpm=rpm, expected_rpm=_FULL_RPM)

    def _test_cooling(self, _component: str) -> Verdict:
        """Start the compressor, measure its power; cold also has to reach the fridge."""
        starts = self.severity("fridge.compressor") < 0.25
        reaches = self._turning > 0.5
        return verdict(starts and reaches, compressor_w=92 if starts else 0, air_moves=reaches)
