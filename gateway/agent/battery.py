"""Batteries and chargers: ``/sys/class/power_supply``, or ``upower`` where the kernel has no such folder.

The files are described in the kernel's Documentation/ABI/testing/sysfs-class-power: amounts in millionths,
temperatures in tenths of a degree.
"""

import re
from pathlib import Path

from gateway.agent.programs import run
from gateway.agent.sysfs import SYS, Values, as_name, entries, integer_of, text_of

_MICRO = 1e6
_FULL_LIMIT = 100

#: The kernel's words for a battery's health in the catalogue's. The others (Warm, Calibration required, ...)
#: are no verdict on the battery.
_HEALTH = {
    "Good": "good",
    "Overheat": "overheat",
    "Dead": "dead",
    "Over voltage": "over_voltage",
    "Unspecified failure": "failure",
    "Cold": "cold",
}
_DIRECTION = {"Charging": 1, "Discharging": -1}
_CHARGERS = ("Mains", "USB", "Wireless")

Facts = dict[str, dict[str, str]]


async def power_values(sys: Path = SYS) -> Values:
    """Return what batteries and chargers say.

    The first battery speaks for the device (``battery.level``); further ones carry their names
    (``battery.level@BAT1``).
    """
    if not (sys / "class" / "power_supply").is_dir():
        return await _of_upower()
    supplies = _supplies(sys)
    values: Values = {}
    for place, battery in enumerate(_batteries(supplies)):
        suffix = f"@{as_name(battery.name)}" if place else ""
        values |= {f"{signal}{suffix}": value for signal, value in _of_battery(battery).items()}
    chargers = [
        online
        for supply in supplies
        if text_of(supply / "type") in _CHARGERS and (online := integer_of(supply / "online")) is not None
    ]
    if chargers:
        values["power.plugged"] = any(chargers)
    return values


def battery_facts(sys: Path = SYS) -> Facts:
    """Return model, serial number and maker of each battery by its name, as parts of the facts."""
    names = {"model": "model_name", "serial": "serial_number", "manufacturer": "manufacturer"}
    found: Facts = {}
    for battery in _batteries(_supplies(sys)):
        facts = {fact: text for fact, file in names.items() if (text := text_of(battery / file))}
        if facts:
            found[as_name(battery.name)] = facts
    return found


def _supplies(sys: Path) -> list[Path]:
    """Return the supplies of the machine itself, not those of a mouse or a headset."""
    return [s for s in entries(sys / "class" / "power_supply") if text_of(s / "scope") != "Device"]


def _batteries(supplies: list[Path]) -> list[Path]:
    return [
        supply
        for supply in supplies
        if text_of(supply / "type") == "Battery" and integer_of(supply / "present") != 0
    ]


def _of_battery(battery: Path) -> Values:
    values: Values = {}
    level, cycles, voltage = (integer_of(battery / n) for n in ("capacity", "cycle_count", "voltage_now"))
    if level is not None:
        values["battery.level"] = level
    ratio = _capacity_ratio(battery)
    if ratio is not None:
        values["battery.capacity_ratio"] = ratio
    if cycles is not None and cycles > 0:  # 0: most controllers that do not count say so
        values["battery.cycles"] = cycles
    if voltage is not None and voltage > 0:
        values["battery.voltage"] = round(voltage / _MICRO, 3)
    current = _current(battery, voltage)
    if current is not None:
        values["battery.current"] = current
    tenths = integer_of(battery / "temp")
    if tenths is not None:
        values["battery.temperature"] = tenths / 10
    health = _HEALTH.get(text_of(battery / "health") or "")
    if health is not None:
        values["battery.health"] = health
    limit = integer_of(battery / "charge_control_end_threshold")
    if limit is not None:
        values["charge.limited"] = 0 < limit < _FULL_LIMIT
    return values


def _capacity_ratio(battery: Path) -> float | None:
    """Return full charge by design; a controller that does not know its design says 0."""
    for quantity in ("energy", "charge"):
        full, design = (integer_of(battery / f"{quantity}_{n}") for n in ("full", "full_design"))
        if full is not None and design is not None and full > 0 and design > 0:
            return round(full / design, 4)
    return None


def _current(battery: Path, voltage: int | None) -> float | None:
    """Return the current in A, charging positive; None when the direction is not known.

    Drivers disagree on the sign of ``current_now``, so it comes from ``status``.
    """
    direction = _DIRECTION.get(text_of(battery / "status") or "")
    microamperes = integer_of(battery / "current_now")
    if microamperes is None:
        power = integer_of(battery / "power_now")
        microamperes = round(power / voltage * _MICRO) if power is not None and voltage else None
    if microamperes is None or (direction is None and microamperes != 0):
        return None
    return round((direction or 0) * abs(microamperes) / _MICRO, 3)


# -- upower ---------------------------------------------------------------------------------------------

_UPOWER_SECONDS = 10
_UPOWER_FIELD = re.compile(r"^\s+([a-z -]+):\s+(\S.*?)\s*$", re.MULTILINE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


async def _of_upower() -> Values:
    """Return what ``upower --dump`` says of the machine's own first battery and of its charger."""
    told = await run(["upower", "--dump"], seconds=_UPOWER_SECONDS)
    if told is None:
        return {}
    values: Values = {}
    for block in re.split(r"\n(?=\S)", told.output):
        fields = dict(_UPOWER_FIELD.findall(block))
        if fields.get("power supply") != "yes":
            continue
        if "online" in fields:
            values["power.plugged"] = values.get("power.plugged") is True or fields["online"] == "yes"
        elif "percentage" in fields and "battery.level" not in values and "/battery" in block:
            values |= _upower_battery(fields)
    return values


def _upower_battery(fields: dict[str, str]) -> Values:
    def number(name: str) -> float | None:
        found = _NUMBER.match(fields.get(name, "").replace(",", "."))
        return float(found[0]) if found else None

    values: Values = {"battery.level": number("percentage")}
    full, design, cycles, voltage = map(
        number, ("energy-full", "energy-full-design", "charge-cycles", "voltage")
    )
    if full and design:
        values["battery.capacity_ratio"] = round(full / design, 4)
    if cycles:
        values["battery.cycles"] = int(cycles)
    if voltage:
        values["battery.voltage"] = voltage
    return values
