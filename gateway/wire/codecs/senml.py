"""SenML, JSON and CBOR (RFC 8428): packs of records, of one device or of several.

A record's name is what the base name and its own make together. Where that begins with a URN of a device
(RFC 9039: ``urn:dev:ow:10e2073a01080063:temp``) the URN is the device and the rest the reading; else the
whole is the reading's name, and the device is that of the topic (option ``device_level``).
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import cbor2

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.documents import Broken, parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap

#: CBOR's numbers for the labels (RFC 8428, table 4).
_LABELS = {
    -6: "bs", -5: "bv", -4: "bu", -3: "bt", -2: "bn", -1: "bver",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_VERSION = 10  # of RFC 8428
_RELATIVE = 2**28  # seconds; below it a time counts from now (RFC 8428, 4.5.3)
_CBOR_ARRAYS = range(0x80, 0xA0)  # first byte; JSON's is a bracket or white space
_SELF_DESCRIBED = b"\xd9\xd9\xf7"  # CBOR's own mark (RFC 8949, 3.4.6)

# RFC 9039 for urn:dev; the rest are those that RFC 8428 calls globally unique, too.
_DEVICE = re.compile(r"(urn:(?:dev:[a-z]+|uuid|imei|esn|meid):[^:_/;]+)[:_/;]*(.*)", re.DOTALL)
_SEPARATORS = ":_/"
_KINDS: dict[type, str] = {str: "a text", bool: "true or false"}
T = TypeVar("T")
_MAX_RECORDS = 20_000


@dataclass(slots=True)
class _Base:
    """What counts for a record and those after it."""

    name: str = ""
    time: float = 0.0
    unit: str | None = None
    value: float | None = None
    sum: float | None = None


class Senml(Codec):
    """SenML packs. Sums keep the name of their reading with ``.sum`` behind it."""

    OPTIONS = frozenset({"device_level"})

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        """Take names and options.

        Raises:
            ValueError: device_level is not a level of a topic.
        """
        super().__init__(signals, options)
        level = self.options.get("device_level", 0)
        if not isinstance(level, int) or isinstance(level, bool) or not 0 <= level <= 99:
            raise ValueError(f"device_level: expected a level of the topic, 1 or more, got {level!r}")
        self._level = level

    def decode(self, message: Foreign) -> Iterator[Extract]:
        """Return what a pack says, the records of one device and time together."""
        base, otherwise = _Base(), message.level(self._level)
        extracts: dict[tuple[str | None, object], Extract] = {}
        for position, record in enumerate(_records(message.payload)):
            device, ts = _named(base.name, otherwise)[0], None
            try:
                _rebase(base, record)
                device, name = _named(base.name + (_field(record, "n", str) or ""), otherwise)
                ts = _time(base, record, message.arrival)
                extract = extracts.setdefault((device, ts), Extract(device, ts))
                self._take(base, record, name, extract)
            except Unusable as finding:
                extract = extracts.setdefault((device, ts), Extract(device, ts))
                extract.refused.append((finding.reason, f"[{position}]: {finding.detail}"))
        yield from filter(None, extracts.values())

    def _take(self, base: _Base, record: Mapping[object, object], name: str, extract: Extract) -> None:
        """Put what a record says into an extract.

        Raises:
            Unusable: something in it is of no use.
        """
        if self.signals.key(name) is None:
            return
        value, unit = _value(base, record), _field(record, "u", str) or base.unit
        if value is not None:
            self.signals.place(extract.values, name, value, unit=unit)
        added = _number(record, "s")
        if added is not None or base.sum is not None:
            # A sum is over time: its unit is that of the value times seconds, which no signal of ours has.
            self.signals.place(extract.values, f"{name}.sum", _plus(added, base.sum))
        if "vd" in record:
            raise Unusable(
                QuarantineReason.WRONG_TYPE, f"{shown(name)}: expected a number, boolean or text, got data"
            )


def _records(payload: bytes) -> list[dict[object, object]]:
    """Return the records of a pack, labels by their JSON names.

    Raises:
        Unusable: it is no pack.
    """
    payload = payload.removeprefix(_SELF_DESCRIBED)
    pack = _cbor(payload) if payload and payload[0] in _CBOR_ARRAYS else parse_document(payload)
    if not isinstance(pack, list) or not all(isinstance(record, dict) for record in pack):
        raise Unusable(QuarantineReason.UNKNOWN_CODEC_PAYLOAD, "expected a SenML pack, a list of records")
    if len(pack) > _MAX_RECORDS:
        raise Unusable(
            QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
            f"expected at most {_MAX_RECORDS:,} records, got {len(pack):,}",
        )
    records = [{_label(label): value for label, value in record.items()} for record in pack]
    for label in {label for record in records for label in record}:
        if isinstance(label, str) and label.endswith("_"):
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"label {shown(label)} must be understood (RFC 8428, 4.4), and is not known",
            )
    return records


def _cbor(payload: bytes) -> object:
    try:
        return cbor2.loads(payload, strict_hashable_types=False, max_depth=16)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unusable(QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"not CBOR: {shown(str(error))}") from None


def _label(label: object) -> object:
    return _LABELS.get(label, label) if isinstance(label, int) and not isinstance(label, bool) else label


def _rebase(base: _Base, record: Mapping[object, object]) -> None:
    """Take up the base fields of a record; those that it leaves out go on.

    Raises:
        Unusable: one is of a wrong type, or the version is one to come.
    """
    version = _number(record, "bver")
    if version is not None and version > _VERSION:
        raise Unusable(
            QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"bver: expected at most {_VERSION}, got {version:g}"
        )
    name, time, unit = _field(record, "bn", str), _number(record, "bt"), _field(record, "bu", str)
    value, added = _number(record, "bv"), _number(record, "bs")
    base.name = base.name if name is None else name
    base.time = base.time if time is None else time
    base.unit = base.unit if unit is None else unit
    base.value = base.value if value is None else value
    base.sum = base.sum if added is None else added


def _named(name: str, otherwise: str | None) -> tuple[str | None, str]:
    """Return the device in a full name, and what is called so of it."""
    found = _DEVICE.match(name)
    device, rest = (found[1], found[2]) if found else (otherwise, name)
    return device, rest.strip(_SEPARATORS) or "value"


def _time(base: _Base, record: Mapping[object, object], arrival: int) -> int | None:
    """Return the time of a record, ms; None for now.

    Raises:
        Unusable: it is no number.
    """
    seconds = base.time + (_number(record, "t") or 0.0)
    if seconds == 0:
        return None
    if not math.isfinite(seconds) or abs(seconds) > 1e12:
        raise Unusable(QuarantineReason.TIMESTAMP_INVALID, "t: expected seconds since 1970 or from now")
    return round(seconds * 1000) + (arrival if seconds < _RELATIVE else 0)


def _value(base: _Base, record: Mapping[object, object]) -> object:
    """Return the value of a record, None when it has none.

    Raises:
        Unusable: it is not of the type that its label says.
    """
    if "vb" in record:
        return _field(record, "vb", bool)
    if "vs" in record:
        return _field(record, "vs", str)
    value = _number(record, "v")
    if value is None and (base.value is None or "vd" in record or "s" in record):
        return None
    return _plus(value, base.value)


def _plus(value: float | None, base: float | None) -> object:
    total = (value or 0) + (base or 0)
    return Broken(QuarantineReason.NOT_A_NUMBER, "nan") if math.isnan(total) else total


def _field(record: Mapping[object, object], label: str, kind: type[T]) -> T | None:
    """Return a field of a record, None when it is not there.

    Raises:
        Unusable: it is of another type.
    """
    value = record.get(label)
    if value is None or isinstance(value, kind):
        return value
    raise Unusable(QuarantineReason.WRONG_TYPE, f"{label}: expected {_KINDS[kind]}, got {shown(value)}")


def _number(record: Mapping[object, object], label: str) -> float | None:
    """Return a number of a record, None when it is not there; CBOR's decimal fractions are numbers.

    Raises:
        Unusable: it is something else.
    """
    value = record.get(label)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, Broken):
        raise Unusable(value.reason, f"{label}: expected a number, got {value.text}")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Unusable(QuarantineReason.WRONG_TYPE, f"{label}: expected a number, got {shown(value)}")
    if isinstance(value, int) and value.bit_length() > 64:
        raise Unusable(QuarantineReason.OUT_OF_RANGE, f"{label}: expected a number, got {shown(value)}")
    return value
