"""Homie: devices of nodes of properties, a topic each, described by topics that begin with ``$``.

The format is the Homie convention's (homieiot.github.io), versions 2 to 5:
``homie/<device>/<node>/<property>``. Version 5 puts its number behind ``homie`` and describes a device by one
document.
"""

from collections.abc import Mapping

import msgspec

from gateway.wire.bare import online_word, reading_of, text_of
from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.options import checked_option
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap

MAX_UNITS = 20_000  # properties whose unit is remembered
_LONGEST = 256  # characters of a property's place and of a unit

#: Life cycle of a device (convention 3 and later); while it starts or sleeps nothing changes.
_STATES = {"ready": True, "alert": True, "disconnected": False, "lost": False}
_PASSING = frozenset({"init", "sleeping"})

_FACTS = {
    "$name": "name",
    "$mac": "serial",
    "$fw/version": "firmware",
    "$fw/name": "model",
    "$implementation": "implementation",
}


class Homie(Codec):
    """Messages of devices that keep to the convention.

    Options:
        base: first level of their topics, ``homie`` when left out.
    """

    NEEDS_TOPIC = True

    OPTIONS = frozenset({"base"})

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        """Take names and options.

        Raises:
            ValueError: an option is unknown or wrong.
        """
        super().__init__(signals, options)
        self._base = checked_option(self.options, "base", "homie")
        self._units: dict[str, str] = {}  # by device/node/property

    def decode(self, message: Foreign) -> list[Extract]:
        """Return what a message says.

        Nothing for commands, broadcasts and descriptions; of these the units are remembered.

        Raises:
            Unusable: it is not Homie's.
        """
        levels = message.topic.split("/")
        numbered = len(levels) > 1 and levels[1].isdigit()
        device, *rest = levels[2 if numbered else 1 :] or [""]
        if levels[0] != self._base or not device or not rest:
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"expected {self._base}/DEVICE/..., got {shown(message.topic, 200)}",
            )
        if device.startswith("$") or rest[-1] == "set":
            return []
        if rest == ["$description"]:
            return self._description(device, message.payload)
        extract = Extract(device=device)
        text = text_of(message.payload)
        if text and rest[0].startswith("$"):
            self._attribute(extract, "/".join(rest), text)
        elif rest[-1] == "$unit":
            self._remember("/".join((device, *rest[:-1])), text)
        elif text and not any(level.startswith("$") for level in rest):
            self._place(extract, "/".join(rest), text, self._units.get("/".join((device, *rest))))
        return [extract]

    def state(self) -> object:
        """Return the units of properties."""
        return {"units": self._units} if self._units else None

    def restore(self, state: object) -> None:
        """Take up units."""
        try:
            units = msgspec.convert(
                state.get("units") if isinstance(state, dict) else None, dict[str, str] | None
            )
        except msgspec.ValidationError:
            return
        for place, unit in (units or {}).items():
            self._remember(place, unit)

    def _attribute(self, extract: Extract, name: str, text: str) -> None:
        """Put what an attribute of the device itself says into an extract."""
        if name in ("$state", "$online"):
            extract.online = _STATES.get(text, online_word(text))
            if extract.online is None and text not in _PASSING:
                raise Unusable(
                    QuarantineReason.WRONG_TYPE, f"{name}: expected a state such as ready, got {shown(text)}"
                )
        elif name in _FACTS:
            extract.facts[_FACTS[name]] = text
        elif name.startswith("$stats/") and not name.startswith("$stats/interval"):
            self._place(extract, name, text, None)

    def _description(self, device: str, payload: bytes) -> list[Extract]:
        if not payload:
            return []
        document = parse_document(payload)
        if not isinstance(document, dict):
            raise Unusable(
                QuarantineReason.NOT_AN_OBJECT, f"$description: expected an object, got {shown(document)}"
            )
        for node, about in _tables(document.get("nodes")):
            for name, described in _tables(about.get("properties")):
                unit = described.get("unit")
                if isinstance(unit, str):
                    self._remember(f"{device}/{node}/{name}", unit)
        title = document.get("name")
        return [Extract(device=device, facts={"name": title} if isinstance(title, str) else {})]

    def _remember(self, place: str, unit: str) -> None:
        if not unit:
            self._units.pop(place, None)
        elif len(place) + len(unit) <= _LONGEST and (place in self._units or len(self._units) < MAX_UNITS):
            self._units[place] = unit

    def _place(self, extract: Extract, name: str, text: str, unit: str | None) -> None:
        try:
            self.signals.place(extract.values, name, reading_of(text), unit=unit)
        except Unusable as finding:
            extract.refused.append((finding.reason, f"{shown(name)}: {finding.detail}"))


def _tables(value: object) -> list[tuple[str, dict[str, object]]]:
    """Return the tables in a table, by key."""
    if not isinstance(value, dict):
        return []
    return [(str(key), inner) for key, inner in value.items() if isinstance(inner, dict)]
