"""Temperatures of processors and speeds of fans, from the kernel's hardware monitor (``/sys/class/hwmon``).

The files are described in the kernel's Documentation/hwmon/sysfs-interface: ``temp*_input`` and
``temp*_crit`` in thousandths of a degree, ``fan*_input`` in revolutions per minute.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.agent.sysfs import SYS, Values, entries, integer_of, text_of

#: Drivers whose temperatures are a processor's, with the labels of the sensor that stands for the whole of
#: it, best first. k10temp's Tctl carries an offset on some models, Tdie never does. ``""``: no label.
_PROCESSORS: dict[str, tuple[str, ...]] = {
    "coretemp": ("Package id",),
    "k10temp": ("Tdie", "Tctl", ""),
    "zenpower": ("Tdie", "Tctl", ""),
    "cpu_thermal": ("",),
    "soc_thermal": ("",),
}
#: Drivers whose fans cool a graphics card and not the machine.
_GRAPHICS = frozenset({"amdgpu", "nouveau", "radeon", "i915", "xe"})
_MILLI = 1_000


@dataclass(frozen=True, slots=True)
class Temperature:
    """A processor's temperature.

    Attributes:
        celsius: now.
        critical: at which the maker has it shut off, °C; None when the driver does not say.
    """

    celsius: float
    critical: float | None


def processor_temperatures(sys: Path = SYS) -> list[Temperature]:
    """Return the temperature of each processor, in the kernel's order; nothing where no sensor is known."""
    found = []
    for chip in _chips(sys):
        labels = _PROCESSORS.get(text_of(chip / "name") or "")
        if labels:
            found += _of_chip(chip, labels)
    return found


def _of_chip(chip: Path, labels: tuple[str, ...]) -> list[Temperature]:
    sensors = [
        (text_of(chip / f"{stem}_label") or "", value, integer_of(chip / f"{stem}_crit"))
        for stem, value in _inputs(chip, "temp")
    ]
    for wanted in labels:
        chosen = [s for s in sensors if (s[0].startswith(wanted) if wanted else not s[0])]
        if chosen:
            return [
                Temperature(value / _MILLI, crit / _MILLI if crit is not None and crit > 0 else None)
                for _, value, crit in chosen
            ]
    return []


def temperature_values(sys: Path = SYS) -> Values:
    """Return ``cpu.temperature@0`` and further ones, °C."""
    return {
        f"cpu.temperature@{place}": round(each.celsius, 1)
        for place, each in enumerate(processor_temperatures(sys))
    }


def fan_values(sys: Path = SYS) -> Values:
    """Return ``fan.rpm@1`` and further ones: a fan is called by the number that its chip gives it.

    A number that another chip has given already, and each fan of a graphics card, is preceded by the chip's
    name. A header without a fan reads 0, as a fan that stands still does: the rules tell them apart.
    """
    values: Values = {}
    chips = [(text_of(chip / "name") or chip.name, chip) for chip in _chips(sys)]
    for name, chip in sorted(chips, key=lambda pair: pair[0] in _GRAPHICS):
        for stem, speed in _inputs(chip, "fan"):
            number = stem.removeprefix("fan")
            bare = f"fan.rpm@{number}"
            own = f"fan.rpm@{name}-{number}"
            values[own if name in _GRAPHICS or bare in values else bare] = speed
    return values


def throttle_count(sys: Path = SYS) -> int | None:
    """Return how often processors were slowed down because of heat since the start; None where not counted.

    Intel's alone are counted: ``/sys/devices/system/cpu/cpu*/thermal_throttle`` (kernel documentation,
    testing/sysfs-devices-system-cpu).
    """
    counts = [
        count
        for processor in entries(sys / "devices" / "system" / "cpu")
        for kind in ("core", "package")
        if (count := integer_of(processor / "thermal_throttle" / f"{kind}_throttle_count")) is not None
    ]
    return sum(counts) if counts else None


def _chips(sys: Path) -> list[Path]:
    return entries(sys / "class" / "hwmon")


def _inputs(chip: Path, kind: str) -> Iterator[tuple[str, int]]:
    """Yield ``temp1`` with its value, and so on; sensors that cannot be read are left out."""
    for path in entries(chip):
        stem = path.name.removesuffix("_input")
        if stem != path.name and stem.removeprefix(kind).isdigit():
            value = integer_of(path)
            if value is not None:
                yield stem, value
