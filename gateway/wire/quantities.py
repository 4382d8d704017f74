"""Units as agents spell them, and what becomes of a number in the unit of the catalogue.

Factors are those of the SI brochure (9th edition, tables 4, 7 and 8) and of IEC 80000-13 for Ki, Mi, Gi, Ti.
"""

from typing import NamedTuple


class _Unit(NamedTuple):
    """A unit as ``base = number * factor + offset``."""

    base: str
    factor: float = 1.0
    offset: float = 0.0


_SIZES = {
    **{f"{prefix}B": _Unit("B", 1000.0**power) for power, prefix in enumerate(("", "k", "M", "G", "T", "P"))},
    **{f"{prefix}iB": _Unit("B", 1024.0**power) for power, prefix in enumerate(("K", "M", "G", "T", "P"), 1)},
    "KB": _Unit("B", 1000.0),
    "byte": _Unit("B"),
    "bytes": _Unit("B"),
}

_UNITS = {
    **_SIZES,
    "°C": _Unit("°C"),
    "K": _Unit("°C", 1.0, -273.15),
    "°F": _Unit("°C", 5 / 9, -160 / 9),
    "%": _Unit("%"),
    "ratio": _Unit("%", 100.0),
    "V": _Unit("V"),
    "mV": _Unit("V", 1e-3),
    "kV": _Unit("V", 1e3),
    "A": _Unit("A"),
    "mA": _Unit("A", 1e-3),
    "µA": _Unit("A", 1e-6),
    "W": _Unit("W"),
    "mW": _Unit("W", 1e-3),
    "kW": _Unit("W", 1e3),
    "h": _Unit("h"),
    "min": _Unit("h", 1 / 60),
    "s": _Unit("h", 1 / 3600),
    "ms": _Unit("h", 1 / 3_600_000),
    "d": _Unit("h", 24.0),
    "mm": _Unit("mm"),
    "cm": _Unit("mm", 10.0),
    "m": _Unit("mm", 1000.0),
    "mm/s": _Unit("mm/s"),
    "m/s": _Unit("mm/s", 1000.0),
    "1/min": _Unit("1/min"),
    "Hz": _Unit("1/min", 60.0),
    "dBm": _Unit("dBm"),
}

#: The same units by other spellings: UCUM and RFC 8428, Home Assistant, Redfish, Telegraf.
_SPELLINGS = {
    "Cel": "°C",
    "C": "°C",
    "degC": "°C",
    "celsius": "°C",
    "Celsius": "°C",
    "℃": "°C",
    "Fahrenheit": "°F",
    "F": "°F",
    "degF": "°F",
    "Kelvin": "K",
    "Percent": "%",
    "percent": "%",
    "/": "ratio",
    "%RH": "%",
    "%EL": "%",
    "RPM": "1/min",
    "rpm": "1/min",
    "r/min": "1/min",
    "1/s": "Hz",
    "Volts": "V",
    "Amps": "A",
    "Watts": "W",
    "uA": "µA",
    "\u03bcA": "µA",  # the Greek letter, where Unicode has a sign of its own for micro
    "hour": "h",
    "hours": "h",
    "minutes": "min",
    "seconds": "s",
    "days": "d",
}


def converted(number: float, unit: str, wanted: str) -> float | None:
    """Return a number in another unit, None when the one cannot become the other.

    A signal without a unit is a count or a ratio: percent becomes its hundredth part, a count with a foreign
    word beside it ("sectors", "errors") stays as it is. A number that no float can hold stays as well:
    whoever judges the reading refuses it.

    >>> converted(310.15, "K", "°C"), converted(0.5, "ratio", "%"), converted(45, "%", "")
    (37.0, 50.0, 0.45)
    >>> converted(3, "V", "%") is None
    True
    """
    unit = _SPELLINGS.get(unit.strip(), unit.strip())
    if unit == wanted:
        return number
    if not wanted:
        if unit == "%":
            return _scaled(number, _Unit("", 0.01))
        return None if unit in _UNITS and unit != "ratio" else number
    have, want = _UNITS.get(unit), _UNITS.get(wanted)
    if have is None or want is None or have.base != want.base:
        return None
    return _scaled(
        number, _Unit(wanted, have.factor / want.factor, (have.offset - want.offset) / want.factor)
    )


def in_base_unit(number: float, unit: str) -> float:
    """Return a number of which the catalogue knows nothing in the unit in which such numbers are stored.

    Sizes become bytes and temperatures degrees Celsius, everything else stays as it came.

    >>> in_base_unit(1.5, "GB"), in_base_unit(300.0, "K"), in_base_unit(7, "widgets")
    (1500000000.0, 26.85, 7)
    """
    found = _UNITS.get(_SPELLINGS.get(unit.strip(), unit.strip()))
    if found is None or found.base not in ("B", "°C"):
        return number
    return _scaled(number, found)


def _scaled(number: float, unit: _Unit) -> float:
    try:
        return round(number * unit.factor + unit.offset, 9)
    except OverflowError:  # an int beyond float
        return number
