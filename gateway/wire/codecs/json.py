"""Any JSON, as a profile describes it; also bare values, one a topic.

A document is flattened: ``{"drum": {"rpm": 820}, "doors": [{"open": false}]}`` has the readings ``drum.rpm``
and ``doors.0.open``. A bare value (``412.7``, ``on``) is called after the last level of its topic.
"""

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from zoneinfo import ZoneInfo

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.instants import instant_of, moment_of, number_of
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap

_PRESENCE = ("availability", "status", "LWT")
_ONLINE = frozenset({"online", "on", "true", "connected"})
_OFFLINE = frozenset({"offline", "off", "false", "disconnected"})
_LONGEST_VALUE = 1_024  # bytes of a bare value
_MOST_READINGS = 2_000  # of one message; more a device cannot have
_MOST_MESSAGES = 10_000
_DEEPEST = 32


class Json(Codec):
    """Documents and bare values.

    Options, of which none has to be given; a path is keys and list positions with `separator` in between:

    - ``time``: path of the time, RFC 3339 or a number since 1970 in s, ms, us or ns, which shows in its size.
    - ``time_zone``: zone of times that are written without one, such as ``Europe/Berlin``; without this
      option such a time is not used and the message has the time of its arrival.
    - ``device``: path of the device's name, for ``{device}``.
    - ``separator``: what stands between the parts of a name, ``.`` unless it says otherwise.
    - ``leave_out``: paths that are no readings, with all below them.
    - ``facts``: name of a fact to the path at which it stands.
    - ``name``, ``value``, ``unit``: paths of a reading's name, value and unit, for documents that hold one
      reading each, ``{"sensor": "oven", "value": 180, "unit": "°C"}``.
    - ``levels``: how many of the topic's last levels name a bare value, 1 unless it says otherwise.
    - ``topic_levels``: how many of them are put before the names in a document, 0 unless it says otherwise.
    - ``presence``: last levels of topics that say ``online`` or ``offline``, ``availability``, ``status`` and
      ``LWT`` unless it says otherwise. Another word on such a topic is a reading.
    - ``errors``: last levels of topics on which a sender reports that it failed, none unless it says so.

    A list at the top holds one message an element where ``time``, ``device`` or ``name`` is given, and is
    flattened otherwise.
    """

    OPTIONS = frozenset(
        {"time", "time_zone", "device", "separator", "leave_out", "facts", "name", "value", "unit"}
        | {"levels", "topic_levels", "presence", "errors"}
    )

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        super().__init__(signals, options)
        self._separator = self._text("separator") or "."
        self._time, self._device = self._path("time"), self._path("device")
        self._name, self._unit = self._path("name"), self._path("unit")
        self._value = self._path("value") or ("value",)
        self._zone = self._time_zone()
        self._levels, self._topic_levels = self._count("levels", 1), self._count("topic_levels", 0)
        self._presence = frozenset(self._texts("presence", _PRESENCE))
        self._errors = frozenset(self._texts("errors", ()))
        self._left_out = {self._split(path) for path in self._texts("leave_out", ())}
        self._left_out |= {path for path in (self._time, self._device) if path}
        self._facts = self._fact_paths()

    def decode(self, message: Foreign) -> list[Extract]:
        """Return what a message says."""
        last = message.topic.rpartition("/")[2]
        if last in self._errors:
            words = message.payload[:_LONGEST_VALUE].decode("utf-8", errors="replace")
            raise Unusable(QuarantineReason.SOURCE_REPORTED_ERROR, shown(words, 300))
        if last in self._presence:
            online = _online(message.payload)
            if online is not None:
                return [Extract(online=online)]
        document = _document(message.payload)
        if not isinstance(document, dict | list):
            extract = Extract()
            self._place(extract, self._topic_name(message.topic, max(self._levels, 1)), document)
            return [extract]
        each = isinstance(document, list) and (self._time or self._device or self._name)
        messages = document[:_MOST_MESSAGES] if isinstance(document, list) and each else [document]
        extracts = [self._message(message.topic, element) for element in messages]
        if isinstance(document, list) and len(document) > len(messages) and each:
            extracts[0].refused.append(
                (QuarantineReason.TOO_MANY_SIGNALS, f"expected at most {_MOST_MESSAGES:,} messages")
            )
        return [extract for extract in extracts if extract]

    def _message(self, topic: str, document: object) -> Extract:
        device = _at(document, self._device) if self._device else None
        extract = Extract(device=_as_name(device), ts=self._instant(document))
        extract.facts = {
            name: fact for name, path in self._facts.items() if (fact := _at(document, path)) is not None
        }
        prefix = self._topic_name(topic, self._topic_levels)
        if self._name is not None:
            self._one_reading(extract, prefix, document)
            return extract
        for count, (path, value) in enumerate(_leaves(document, self._left_out)):
            if count >= _MOST_READINGS:
                detail = f"expected at most {_MOST_READINGS:,} values"
                extract.refused.append((QuarantineReason.TOO_MANY_SIGNALS, detail))
                break
            if isinstance(value, dict | list):
                detail = f"{shown(path[0])}: expected at most {_DEEPEST} levels"
                extract.refused.append((QuarantineReason.TOO_DEEP, detail))
                continue
            self._place(extract, self._separator.join(filter(None, (prefix, *path))), value)
        return extract

    def _one_reading(self, extract: Extract, prefix: str, document: object) -> None:
        name, unit = _as_name(_at(document, self._name or ())), _at(document, self._unit or ())
        if name is None:
            where = self._separator.join(self._name or ())
            extract.refused.append((QuarantineReason.BAD_KEY, f"{where}: expected the name of a reading"))
            return
        name = self._separator.join(filter(None, (prefix, name)))
        self._place(extract, name, _at(document, self._value), unit if isinstance(unit, str) else None)

    def _place(self, extract: Extract, name: str, value: object, unit: str | None = None) -> None:
        try:
            self.signals.place(extract.values, name, value, unit=unit)
        except Unusable as finding:
            extract.refused.append((finding.reason, finding.detail))

    def _instant(self, document: object) -> object:
        found = _at(document, self._time) if self._time else None
        if isinstance(found, str):
            number = number_of(found)
            return moment_of(found, self._zone) if not isinstance(number, float) else instant_of(number)
        return instant_of(found)

    def _topic_name(self, topic: str, levels: int) -> str:
        return self._separator.join(topic.split("/")[-levels:]) if levels else ""

    def _split(self, path: str) -> tuple[str, ...]:
        return tuple(path.split(self._separator))

    def _path(self, key: str) -> tuple[str, ...] | None:
        text = self._text(key)
        return self._split(text) if text else None

    def _text(self, key: str) -> str | None:
        found = self.options.get(key)
        if found is not None and (not isinstance(found, str) or not found):
            raise ValueError(f"{key}: expected a text, got {found!r}")
        return found

    def _texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = self.options.get(key, default)
        if isinstance(found, list | tuple) and all(isinstance(text, str) and text for text in found):
            return tuple(found)
        raise ValueError(f"{key}: expected a list of texts, got {found!r}")

    def _count(self, key: str, default: int) -> int:
        found = self.options.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= 20:
            raise ValueError(f"{key}: expected a number of levels from 0 to 20, got {found!r}")
        return found

    def _time_zone(self) -> tzinfo | None:
        name = self._text("time_zone")
        try:
            return ZoneInfo(name) if name else None
        except (OSError, ValueError, KeyError):
            raise ValueError(f"time_zone: expected a name such as Europe/Berlin, got {name!r}") from None

    def _fact_paths(self) -> dict[str, tuple[str, ...]]:
        found = self.options.get("facts", {})
        if isinstance(found, dict) and all(isinstance(path, str) and path for path in found.values()):
            return {str(name): self._split(path) for name, path in found.items()}
        raise ValueError(f"facts: expected a table of names to paths, got {found!r}")


def _document(payload: bytes) -> object:
    """Return a document, or a bare value: what is no JSON and short is a text.

    Raises:
        Unusable: it is neither.
    """
    try:
        return parse_document(payload)
    except Unusable as finding:
        text = payload[:_LONGEST_VALUE].decode("utf-8", errors="replace").rstrip("\0").strip()
        broken = finding.reason is not QuarantineReason.MALFORMED_JSON
        if broken or len(payload) > _LONGEST_VALUE or text[:1] in ("", "{", "[", '"'):
            raise
        number = number_of(text)
        return text if number is None else number


def _online(payload: bytes) -> bool | None:
    """Return what a presence topic says; None when it says something else."""
    word = payload[:20].decode("utf-8", errors="replace").strip(' \t\r\n"\0').lower()
    if len(payload) > 20 or word not in _ONLINE | _OFFLINE:
        return None
    return word in _ONLINE


def _leaves(document: object, left_out: set[tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield the values of a document with their paths, in order; below 32 levels the object itself."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if path in left_out:
            continue
        inner: list[tuple[str, object]]
        if isinstance(value, dict):
            inner = list(value.items())
        elif isinstance(value, list):
            inner = [(str(position), element) for position, element in enumerate(value)]
        else:
            yield path, value
            continue
        if len(path) >= _DEEPEST:
            yield path, value
            continue
        waiting.extend(((*path, key), element) for key, element in reversed(inner))


def _at(document: object, path: tuple[str, ...]) -> object:
    """Return what stands at a path; None when it ends early."""
    for key in path:
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isdecimal() and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def _as_name(found: object) -> str | None:
    """Return a text or an integer that names something."""
    if isinstance(found, int) and not isinstance(found, bool) and found.bit_length() <= 64:
        return str(found)
    return found if isinstance(found, str) and found.strip() else None
