"""Glances' MQTT export: ``PREFIX/HOST/PLUGIN/...``, one value a topic or one document a plugin.

Which of the two it is (``topic_structure = per-metric`` or ``per-plugin``) shows in the topic; a reading is
called alike in both, ``PLUGIN/ITEM/FIELD``. Glances writes a mount point's ``/`` as ``_``. No message has a
time.
"""

from collections.abc import Iterator, Mapping

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.instants import number_of
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap

_AVAILABILITY = "availability"
_WORDS = {"online": True, "offline": False}
_BOOLEANS = {"true": True, "false": False}
#: Units of the plugin sensors: degrees, revolutions a minute, part of the charge.
_UNITS = {"C": "°C", "F": "°F", "R": "1/min", "%": "%"}
_LONGEST_VALUE = 1_024  # bytes
_MOST_READINGS = 2_000
_DEEPEST = 8
_MOST_HOSTS = 10_000


class Glances(Codec):
    """Values of Glances, and whether it runs.

    Its will says ``offline``, but Glances itself never says ``online`` (4.x): the first values of a host that
    was said to be offline mean that it is back.
    """

    NEEDS_TOPIC = True

    OPTIONS = frozenset({"prefix"})

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        super().__init__(signals, options)
        prefix = self.options.get("prefix", "glances")
        if not isinstance(prefix, str) or not prefix.strip("/"):
            raise ValueError(f"prefix: expected the first levels of Glances' topics, got {prefix!r}")
        self._prefix = f"{prefix.strip('/')}/"
        self._offline: dict[str, None] = {}

    def decode(self, message: Foreign) -> list[Extract]:
        """Return what one topic says; nothing for a plugin that has nothing to say (``{}``)."""
        host, _, rest = message.topic.removeprefix(self._prefix).partition("/")
        if not message.topic.startswith(self._prefix) or not host or not rest:
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"expected {self._prefix}HOST/PLUGIN, got {shown(message.topic, 200)}",
            )
        extract = Extract(device=host)
        if rest == _AVAILABILITY:
            extract.online = self._availability(host, message.payload)
            return [extract]
        for name, value, unit in self._readings(rest, message.payload, extract):
            self._place(extract, name, value, unit)
        if extract and host in self._offline:
            del self._offline[host]
            extract.online = True
        return [extract] if extract else []

    def state(self) -> object:
        """Return the hosts that are offline by their will."""
        return list(self._offline) or None

    def restore(self, state: object) -> None:
        """Take up the hosts that are offline by their will."""
        if isinstance(state, list):
            self._offline.update((host, None) for host in state[:_MOST_HOSTS] if isinstance(host, str))

    def _availability(self, host: str, payload: bytes) -> bool:
        word = _text(payload).lower()
        if word not in _WORDS:
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"expected online or offline, got {shown(word)}"
            )
        if _WORDS[word]:
            self._offline.pop(host, None)
        elif len(self._offline) < _MOST_HOSTS:
            self._offline[host] = None
        return _WORDS[word]

    def _readings(
        self, rest: str, payload: bytes, extract: Extract
    ) -> Iterator[tuple[str, object, str | None]]:
        if payload[:1] != b"{":
            if rest == "system/hr_name":
                extract.facts["os"] = _text(payload)
            yield rest, _scalar(_text(payload)), None
            return
        document = parse_document(payload)
        assert isinstance(document, dict)
        if rest == "system" and isinstance(document.get("hr_name"), str):
            extract.facts["os"] = document["hr_name"]
        for count, (path, value, unit) in enumerate(_leaves(document, _DEEPEST)):
            if count >= _MOST_READINGS:
                extract.refused.append(
                    (QuarantineReason.TOO_MANY_SIGNALS, f"{rest}: expected at most {_MOST_READINGS} values")
                )
                return
            yield "/".join((rest, *path)), value, unit

    def _place(self, extract: Extract, name: str, value: object, unit: str | None) -> None:
        plugin, _, field = name.partition("/")
        if plugin == "fs" and field.endswith("/percent") and isinstance(value, int | float):
            # As df(1) reckons: used / (used + free), what is reserved for root on neither side.
            self._place(extract, name.removesuffix("percent") + "free_percent", 100 - value, "%")
        try:
            self.signals.place(extract.values, name, value, unit=unit)
        except Unusable as finding:
            extract.refused.append((finding.reason, finding.detail))


def _leaves(
    item: dict[str, object], deepest: int, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object, str | None]]:
    """Yield the values of a document, each with its path, and its unit where it stands beside ``value``."""
    unit = item.get("unit")
    for key, value in item.items():
        here = (*path, key.replace("/", "_"))
        if isinstance(value, dict):
            if len(here) < deepest:
                yield from _leaves(value, deepest, here)
        elif not isinstance(value, list):
            said = _UNITS.get(unit) if key == "value" and isinstance(unit, str) else None
            yield here, value, said


def _text(payload: bytes) -> str:
    """Return the text of a value.

    Raises:
        Unusable: it is longer than any value of Glances.
    """
    if len(payload) > _LONGEST_VALUE:
        raise Unusable(QuarantineReason.TEXT_TOO_LONG, f"expected a value, got {len(payload):,} bytes")
    return payload.decode("utf-8", errors="replace").rstrip("\0").strip()


def _scalar(text: str) -> object:
    """Return what a bare value stands for: a number, a boolean, a text; nothing (null in Glances) is None."""
    if not text:
        return None
    number = number_of(text)
    return _BOOLEANS.get(text.lower(), text) if number is None else number
