"""A processor, its heat sink and the fans that cool it."""

from numpy.random import Generator

from simulators.processes import clamp, relax

#: Where a processor slows itself down to stay alive, °C.
THROTTLE_C = 95.0


class Fan:
    """A fan on a speed controller.

    Attributes:
        full_rpm: speed at full drive.
        rpm: present speed.
        drive: what the controller asks for, 0 to 1.
    """

    def __init__(self, rng: Generator, full_rpm: float) -> None:
        self._rng = rng
        self.full_rpm = full_rpm * float(rng.uniform(0.97, 1.03))
        self.drive = 0.4
        self.rpm = self.full_rpm * self.drive

    @property
    def flow(self) -> float:
        """Air moved, as a part of that at full speed; proportional to the speed (fan laws)."""
        return self.rpm / self.full_rpm

    def advance(self, drive: float, friction: float, dt_s: float) -> None:
        """Follow the drive; friction 1 stops the rotor, 0 is a free bearing."""
        self.drive = drive
        wobble = float(self._rng.uniform(0.99, 1.01))
        self.rpm = relax(self.rpm, self.full_rpm * drive * (1 - friction) * wobble, dt_s, 2.0)
        if self.rpm < 30:  # below that no rotor turns
            self.rpm = 0.0

    @property
    def reading(self) -> int:
        """What the tachometer says, 1/min."""
        return round(self.rpm / 10) * 10


class Processor:
    """A processor under a heat sink: heat = (temperature - air) / thermal resistance.

    The resistance is that of still air in parallel with that of the moved air, whose heat transfer grows
    with the 0.8th power of the flow (turbulent forced convection).

    Attributes:
        temperature: °C.
        power: heat given off now, W.
    """

    def __init__(
        self,
        *,
        idle_w: float,
        full_w: float,
        still_w_k: float,
        moved_w_k: float,
        heat_j_k: float,
        air_c: float,
    ) -> None:
        """Take the maker's figures; conductances in W/K, of still air and of full flow."""
        self._idle_w, self._full_w = idle_w, full_w
        self._still_w_k, self._moved_w_k, self._heat_j_k = still_w_k, moved_w_k, heat_j_k
        self.power = idle_w
        self.temperature = air_c + 15

    def advance(self, *, load: float, flow: float, air_c: float, dt_s: float) -> None:
        """Work at a load of 0 to 1 in air of `air_c` moved by fans at `flow` of 0 to 1."""
        slowed = clamp((THROTTLE_C + 5 - self.temperature) / 5, 0.0, 1.0)
        self.power = self._idle_w + (self._full_w - self._idle_w) * load * slowed
        conductance = self._still_w_k + self._moved_w_k * flow**0.8
        settled = air_c + self.power / conductance
        self.temperature = relax(self.temperature, settled, dt_s, self._heat_j_k / conductance)


def fan_drive(temperature_c: float, *, low: float, cool_c: float, hot_c: float) -> float:
    """Return the usual fan curve: `low` up to `cool_c`, then straight up to full drive at `hot_c`."""
    return clamp(low + (1 - low) * (temperature_c - cool_c) / (hot_c - cool_c), low, 1.0)
