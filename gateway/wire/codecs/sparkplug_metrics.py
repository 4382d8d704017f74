"""What a metric of Sparkplug B says: its name, unit, quality, and its value as the data type means it."""

import math
from typing import Any

import numpy as np

from gateway.wire.documents import Broken
from gateway.wire.reasons import QuarantineReason, Unusable, shown

MAX_NAME = 256  # characters of a name and of a unit

_BOOLEAN = 11
_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}  # bits of Int8 to Int64, which travel as unsigned two's complement
#: Data types by name that can be no reading (specification, 6.4.16); 22 and up are arrays.
_NOT_READINGS = {16: "a data set", 17: "bytes", 18: "a file", 19: "a template"}
_ARRAYS = range(22, 35)
_VALUES = ("int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value")
_OPAQUE = {"bytes_value": "bytes", "dataset_value": "a data set", "template_value": "a template"}

_NOT_GOOD = (0, 500)  # property Quality: bad and stale (specification, 6.4.13)


def name_of(metric: Any) -> str:
    """Return the name of a metric; some publishers put ``DATA/`` before it at birth and drop it later."""
    return _text(metric.name).removeprefix("DATA/")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")


def _property(metric: Any, key: str) -> Any:
    """Return the property of a metric by name, None when it has none."""
    if not metric.HasField("properties"):
        return None
    named = zip(metric.properties.keys, metric.properties.values, strict=False)
    return next((value for name, value in named if _text(name) == key), None)


def unit_of(metric: Any) -> str | None:
    """Return the unit that a metric states (property engUnit), None when it states none."""
    found = _property(metric, "engUnit")
    unit = "" if found is None else _text(found.string_value).strip()
    return unit if 0 < len(unit) <= MAX_NAME else None


def _is_good(metric: Any) -> bool:
    """Say whether the publisher vouches for a value."""
    quality = _property(metric, "Quality")
    return quality is None or (quality.int_value or quality.long_value or 0) not in _NOT_GOOD


def value_of(metric: Any, name: str, datatype: int) -> object:
    """Return the value of a metric as its data type means it; None for an unknown one.

    Raises:
        Unusable: it is of a kind that can be no reading.
    """
    opaque = next((word for field, word in _OPAQUE.items() if metric.HasField(field)), None)
    opaque = _NOT_READINGS.get(datatype) or ("an array" if datatype in _ARRAYS else opaque)
    if opaque:
        raise Unusable(
            QuarantineReason.WRONG_TYPE,
            f"{shown(name)}: expected a number, boolean or text, got {opaque}",
        )
    found = next((field for field in _VALUES if metric.HasField(field)), None)
    if found is None or metric.is_null or not _is_good(metric):
        return None
    value = getattr(metric, found)
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, float):
        return _float(value, single=found == "float_value")
    if isinstance(value, bool):
        return value
    return _integer(value, datatype)


def _float(value: float, *, single: bool) -> object:
    """Return a float; a single one as its shortest decimal, 4.1 and not 4.099999904632568."""
    if not math.isfinite(value):
        reason = QuarantineReason.NOT_A_NUMBER if math.isnan(value) else QuarantineReason.OUT_OF_RANGE
        return Broken(reason, str(value))
    return float(str(np.float32(value))) if single else value


def _integer(value: int, datatype: int) -> object:
    """Return what an unsigned field means: a negative number, a yes or no, or itself.

    Negative numbers of few bits come as two's complement of their own width or of the field's.
    """
    if datatype == _BOOLEAN and value in (0, 1):
        return value == 1
    bits = _SIGNED.get(datatype)
    if bits is None:
        return value
    width = next((width for width in (bits, 32, 64) if width >= bits and value < 2**width), 64)
    return value - 2**width if value >= 2 ** (width - 1) else value
