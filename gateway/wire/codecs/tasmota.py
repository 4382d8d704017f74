"""Tasmota: plugs, switches and sensors that publish ``tele/<topic>/STATE``, ``SENSOR``, ``LWT``.

The format is Tasmota's own (tasmota.github.io/docs/MQTT). Its ``Time`` is the device's local time and mostly
without a zone: it is taken only where it has one, or where the option ``zone`` says which.
"""

import datetime
import re
import zoneinfo
from collections.abc import Mapping

from gateway.wire.bare import leaves, online_of, reading_of, text_of
from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.options import checked_option
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap

_TEMPERATURES = frozenset({"Temperature", "DewPoint"})
_NO_READINGS = frozenset({"Time", "TempUnit", "PressureUnit", "SpeedUnit", "Id"})
_PRESSURES = frozenset({"Pressure", "SeaPressure"})
_POWER = re.compile(r"POWER\d{0,2}")
_STATUS = re.compile(r"STATUS\d{0,2}")
_EARLIEST = datetime.datetime(2016, 1, 1)  # Tasmota's first release; before it the clock was never set


class Tasmota(Codec):
    """Messages of the prefixes ``tele`` and ``stat``, in Tasmota's default order of levels.

    Options:
        zone: the devices' time zone, as ``Europe/Berlin``.
    """

    NEEDS_TOPIC = True

    OPTIONS = frozenset({"zone"})

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        """Take names and options.

        Raises:
            ValueError: an option is unknown or wrong.
        """
        super().__init__(signals, options)
        name = checked_option(self.options, "zone", "")
        try:
            self._zone = zoneinfo.ZoneInfo(name) if name else None
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise ValueError(f"zone: expected a time zone such as Europe/Berlin, got {name!r}") from None

    def decode(self, message: Foreign) -> list[Extract]:
        """Return what a device says; nothing for commands and for replies to them that report no reading.

        Raises:
            Unusable: it is not Tasmota's.
        """
        prefix, _, rest = message.topic.partition("/")
        device, _, leaf = rest.rpartition("/")
        if prefix == "cmnd":
            return []
        if prefix not in ("tele", "stat") or not device or not leaf:
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"expected tele/DEVICE/... or stat/DEVICE/..., got {shown(message.topic, 200)}",
            )
        if leaf == "LWT":
            return [Extract(device=device, online=online_of(message.payload))]
        text = text_of(message.payload)
        if not text:
            return []  # clears what the broker kept
        extract = Extract(device=device)
        if not text.startswith("{"):
            if prefix == "tele" or _POWER.fullmatch(leaf):
                self._place(extract, leaf, reading_of(text), {})
            return [extract]
        document = parse_document(message.payload)
        if not isinstance(document, dict):
            raise Unusable(
                QuarantineReason.NOT_AN_OBJECT, f"{leaf}: expected an object, got {shown(document)}"
            )
        self._take(extract, prefix, leaf, document)
        return [extract]

    def _take(self, extract: Extract, prefix: str, leaf: str, document: dict[str, object]) -> None:
        """Put a document's readings and facts into an extract."""
        if leaf == "INFO1" or _STATUS.fullmatch(leaf):
            _put_facts(extract.facts, document)
        for key in ("StatusSNS", "StatusSTS"):  # STATUS8, 10 and 11 carry what SENSOR and STATE do
            inner = document.get(key)
            if isinstance(inner, dict):
                self._put_readings(extract, inner)
        if prefix == "stat" and leaf == "RESULT":
            document = {key: value for key, value in document.items() if _POWER.fullmatch(key)}
        elif prefix == "stat" or leaf.startswith("INFO"):
            return
        self._put_readings(extract, document)

    def _put_readings(self, extract: Extract, document: dict[str, object]) -> None:
        extract.ts = self._instant(document.get("Time"))
        units = {key: value for key, value in document.items() if key.endswith("Unit")}
        for name, value in leaves(document):
            parts = name.split("/")
            if parts[-1] not in _NO_READINGS and value is not None:
                # Energy meters give a list, one number a phase.
                self._place(extract, name, reading_of(value) if isinstance(value, str) else value, units)

    def _place(self, extract: Extract, name: str, value: object, units: dict[str, object]) -> None:
        levels = [level for level in name.split("/") if not level.isdigit()] or [name]
        unit = None
        if levels[-1] in _TEMPERATURES:
            unit = units.get("TempUnit", "C")
        elif levels[-1] in _PRESSURES:
            unit = units.get("PressureUnit")
        if value in ("ON", "OFF"):
            value = value == "ON"
        try:
            self.signals.place(extract.values, name, value, unit=unit if isinstance(unit, str) else None)
        except Unusable as finding:
            extract.refused.append((finding.reason, f"{shown(name)}: {finding.detail}"))

    def _instant(self, time: object) -> object:
        """Return the ms since 1970 that a document's time is, None where its zone is not known."""
        if not isinstance(time, str):
            return None
        try:
            moment = datetime.datetime.fromisoformat(time)
        except ValueError:
            return None
        if moment.replace(tzinfo=None) < _EARLIEST:
            return None
        if moment.tzinfo is None:
            if self._zone is None:
                return None
            moment = moment.replace(tzinfo=self._zone)
        try:
            return int(moment.timestamp() * 1000)
        except (OverflowError, ValueError):
            return None


def _put_facts(facts: dict[str, object], document: dict[str, object]) -> None:
    """Take module and firmware from ``INFO1`` and from ``STATUS2``."""
    for table, keys in (
        ("Info1", {"Module": "model", "Version": "firmware"}),
        ("StatusFWR", {"Version": "firmware", "Hardware": "hardware"}),
    ):
        found = document.get(table)
        for key, fact in keys.items() if isinstance(found, dict) else ():
            if isinstance(found, dict) and isinstance(found.get(key), str):
                facts[fact] = found[key]
