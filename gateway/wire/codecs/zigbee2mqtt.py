"""Zigbee2MQTT: ``zigbee2mqtt/<friendly name>`` with a document of everything that a device last said.

The format is Zigbee2MQTT's own (www.zigbee2mqtt.io, "MQTT topics and messages"). A friendly name may hold
``/``. The retained ``bridge/devices`` says of every device what it is, and which units it measures in.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from gateway.wire.bare import leaves, online_of, reading_of, text_of
from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.options import checked_option
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap

MAX_DEVICES = 2_000  # of a bridge; the largest networks known have some hundreds
MAX_UNITS = 60  # that one device measures in
_LONGEST = 256  # characters of a name

_DATED = re.compile(r".*(?:Z|[+-]\d\d:?\d\d)", re.IGNORECASE)
_FACTS = {
    "ieee_address": "serial",
    "manufacturer": "manufacturer",
    "model_id": "model",
    "power_source": "power_source",
    "software_build_id": "firmware",
}
_DEFINED = {"model": "model", "vendor": "manufacturer", "description": "description"}


class Zigbee2Mqtt(Codec):
    """Messages of one bridge.

    Options:
        base: first levels of its topics, ``zigbee2mqtt`` when left out.
    """

    NEEDS_TOPIC = True

    OPTIONS = frozenset({"base"})

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        """Take names and options.

        Raises:
            ValueError: an option is unknown or wrong.
        """
        super().__init__(signals, options)
        self._base = checked_option(self.options, "base", "zigbee2mqtt").rstrip("/") + "/"
        self._units: dict[str, dict[str, str]] = {}  # by friendly name: property to unit

    def decode(self, message: Foreign) -> list[Extract]:
        """Return what a message says of devices.

        Nothing for commands to devices, and for what the bridge says of itself: state, events, logging.

        Raises:
            Unusable: it is not Zigbee2MQTT's.
        """
        if not message.topic.startswith(self._base):
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"expected {self._base}NAME, got {shown(message.topic, 200)}",
            )
        name = message.topic.removeprefix(self._base)
        if name == "bridge/devices":
            return list(self._inventory(parse_document(message.payload)))
        levels = name.split("/")
        if levels[0] == "bridge" or levels[-1] in ("set", "get") or "set" in levels[1:-1]:
            return []
        if levels[-1] == "availability" and len(levels) > 1:
            device = name.removesuffix("/availability")
            return [Extract(device=device, online=online_of(message.payload))]
        return self._status(name, message.payload)

    def state(self) -> object:
        """Return the units of the devices."""
        return {"units": self._units} if self._units else None

    def restore(self, state: object) -> None:
        """Take up units."""
        listed = state.get("units") if isinstance(state, dict) else None
        for name, units in listed.items() if isinstance(listed, dict) else ():
            try:
                self._remember(str(name), msgspec.convert(units, dict[str, str]))
            except msgspec.ValidationError:
                continue

    def _inventory(self, devices: object) -> Iterator[Extract]:
        """Yield the facts of every device; the stick itself never says anything and is left out."""
        if not isinstance(devices, list):
            raise Unusable(QuarantineReason.WRONG_TYPE, f"expected a list of devices, got {shown(devices)}")
        for device in devices:
            if not isinstance(device, dict) or device.get("type") == "Coordinator":
                continue
            name = device.get("friendly_name")
            if not isinstance(name, str) or not name:
                yield Extract(refused=[(QuarantineReason.WRONG_TYPE, "friendly_name: expected a text")])
                continue
            definition = device.get("definition")
            facts = {fact: device[key] for key, fact in _FACTS.items() if isinstance(device.get(key), str)}
            if isinstance(definition, dict):
                facts |= {
                    fact: definition[key]
                    for key, fact in _DEFINED.items()
                    if isinstance(definition.get(key), str)
                }
                self._remember(name, dict(_units(definition.get("exposes"), 0)))
            yield Extract(device=name, facts=facts)

    def _remember(self, name: str, units: dict[str, str]) -> None:
        if name in self._units or len(self._units) < MAX_DEVICES:
            short = {
                key: unit for key, unit in units.items() if len(key) <= _LONGEST and len(unit) <= _LONGEST
            }
            if len(name) <= _LONGEST:
                self._units[name] = dict(list(short.items())[:MAX_UNITS])

    def _status(self, name: str, payload: bytes) -> list[Extract]:
        """Return a device's readings: of one document, or of one value whose topic names it."""
        text = text_of(payload)
        if not text:
            return []  # clears what the broker kept of a device that was renamed or removed
        if text.startswith("{"):
            document = parse_document(payload)
            extract = Extract(device=name)
            if isinstance(document, dict):
                extract.ts = _instant(document.pop("last_seen", None))
                self._put(extract, document)
            return [extract]
        device, slash, attribute = name.rpartition("/")
        if not slash or text.startswith("["):
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"{shown(name)}: expected an object, got {shown(text)}",
            )
        extract = Extract(device=device)
        if attribute != "last_seen":
            self._put(extract, {attribute: reading_of(text)})
        return [extract]

    def _put(self, extract: Extract, document: dict[str, object]) -> None:
        units = self._units.get(extract.device or "", {})
        for path, found in leaves(document):
            name, unit, value = path, units.get(path), found
            if value is None:
                continue  # a value that the device has not said yet
            if name == "contact" and isinstance(value, bool):
                # A magnet is near, the door is closed: the field's word for it is the other one.
                name, value = "open", not value
            elif name == "voltage" and unit == "mV":
                name = "battery_voltage"  # mains are measured in V
            elif value in ("ON", "OFF"):
                value = value == "ON"
            try:
                self.signals.place(extract.values, name, value, unit=unit)
            except Unusable as finding:
                extract.refused.append((finding.reason, f"{shown(name)}: {finding.detail}"))


def _units(exposes: object, depth: int) -> Iterator[tuple[str, str]]:
    """Yield property and unit of everything that a definition exposes; groups have features."""
    for entry in exposes if isinstance(exposes, list) else ():
        if isinstance(entry, dict):
            name, unit = entry.get("property"), entry.get("unit")
            if isinstance(name, str) and isinstance(unit, str) and unit:
                yield name, unit
            if depth < 4:
                yield from _units(entry.get("features"), depth + 1)


def _instant(seen: object) -> object:
    """Return the time of ``last_seen``: ms or RFC 3339, as the user chose; None of a time without zone."""
    if isinstance(seen, int) and not isinstance(seen, bool):
        return seen
    return seen if isinstance(seen, str) and _DATED.fullmatch(seen) else None
