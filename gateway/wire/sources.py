"""Foreign formats: which topics they come on, how they are decoded, whose they are (``[[sources]]``)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from gateway.errors import UserError
from gateway.wire.codecs import CODECS, Codec, Extract, Foreign
from gateway.wire.documents import parse_document
from gateway.wire.profiles import Profile, load_profile, profile_names
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.signalmap import SignalMap
from gateway.wire.topics import DEVICE_CLASSES, checked_device, is_filter, matches
from rules.signals import Catalogue
from rules.symbols import DeviceId

if TYPE_CHECKING:
    from gateway.config import SourceTable

_PLACE = re.compile(r"\{(?:(?P<level>[1-9][0-9]?)|payload:(?P<key>[^{}]+)|(?P<device>device))\}")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.:-]+", re.ASCII)


class _Written(NamedTuple):
    """What a table says, its profile's words in the place of those that it leaves out."""

    topics: tuple[str, ...]
    codec: str
    tenant: str
    device_class: str
    device: str


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of the configuration, ready for use.

    Attributes:
        topics: MQTT filters.
        tenant: a text with places, and so are `device_class` and `device`.
    """

    topics: tuple[str, ...]
    tenant: str
    device_class: str
    device: str
    codec: Codec = field(repr=False)

    @classmethod
    def of(cls, table: "SourceTable", position: int) -> "Source":
        """Make the source that a table describes; what it leaves out its profile says.

        Raises:
            UserError: key, what was expected and what stood there.
        """
        here = f"sources.{position}"
        profile = _profile(table.profile, here)
        written = _Written(
            topics=_listed(table.topic) or profile.topics,
            codec=table.codec or profile.codec,
            tenant=table.tenant or profile.tenant or "default",
            device_class=table.device_class or profile.device_class,
            device=table.device or profile.device,
        )
        problems = [f"{here}.{problem}" for problem in _problems(written)]
        if problems:
            raise UserError("\n".join(problems))
        shipped = {name: key for name, key in profile.signals.items() if name not in table.signals}
        try:
            signals = SignalMap({**table.signals, **shipped})
        except ValueError as error:
            raise UserError(f"{here}.signals: {error}") from None
        try:
            codec = CODECS[written.codec](signals, {**profile.options, **table.options})
        except ValueError as error:
            raise UserError(f"{here}.options: {error}") from None
        return cls(written.topics, written.tenant, written.device_class, written.device, codec)

    def use(self, catalogue: Catalogue) -> None:
        """Name and convert by another catalogue from now on."""
        self.codec.signals.catalogue = catalogue

    def takes(self, topic: str) -> bool:
        """Say whether a topic is one of this source's."""
        return any(matches(pattern, topic) for pattern in self.topics)

    def read(self, message: Foreign) -> list[tuple[DeviceId | Unusable, Extract]]:
        """Return what a message says, and of whom; in place of a device why it has no name.

        Raises:
            Unusable: the message is not of the codec's format, or of no use.
        """
        return [(self._device(message, extract), extract) for extract in self.codec.decode(message)]

    def _device(self, message: Foreign, extract: Extract) -> DeviceId | Unusable:
        try:
            return checked_device(
                *(_filled(text, message, extract) for text in (self.tenant, self.device_class, self.device))
            )
        except Unusable as finding:
            return finding


def _profile(name: str | None, here: str) -> Profile:
    if name is None:
        return Profile()
    if name not in profile_names():
        raise UserError(f"{here}.profile: expected one of {', '.join(profile_names())}, got {name!r}")
    return load_profile(name)


def _listed(topic: str | list[str] | None) -> tuple[str, ...]:
    return (topic,) if isinstance(topic, str) else tuple(topic or ())


def _problems(written: _Written) -> Iterator[str]:
    """Say what is wrong with a source: key, what was expected and what stood there."""
    if not written.topics:
        yield "topic: expected, but it is not there"
    for topic in written.topics:
        if not is_filter(topic):
            yield f"topic: expected an MQTT topic filter, got {topic!r}"
    if not written.codec:
        yield "codec: expected, but it is not there"
    elif written.codec not in CODECS:
        yield f"codec: expected one of {', '.join(sorted(CODECS))}, got {written.codec!r}"
    yield from _wrong_places("tenant", written.tenant, written.topics)
    yield from _wrong_places("class", written.device_class, written.topics)
    known = written.device_class in DEVICE_CLASSES or _PLACE.search(written.device_class)
    if written.device_class and not known:
        yield f"class: expected one of {', '.join(DEVICE_CLASSES)}, got {written.device_class!r}"
    yield from _wrong_places("device", written.device, written.topics)


def _wrong_places(key: str, template: str, topics: tuple[str, ...]) -> Iterator[str]:
    if not template:
        yield f"{key}: expected, but it is not there"
    rest = _PLACE.sub("", template)
    if "{" in rest or "}" in rest:
        yield f"{key}: expected a text with {{1}}, {{2}}..., {{device}} or {{payload:KEY}}, got {template!r}"
    for topic in topics:
        levels = topic.split("/")
        for place in _PLACE.finditer(template):
            if place["level"] and int(place["level"]) > len(levels) and levels[-1] != "#":
                yield f"{key}: expected a level from {{1}} to {{{len(levels)}}} of {topic}, got {place[0]}"


def _filled(template: str, message: Foreign, extract: Extract) -> str:
    """Return a template with its places filled; what cannot stand in a name becomes ``-``.

    Raises:
        Unusable: a place has nothing to be filled with.
    """

    def fill(place: "re.Match[str]") -> str:
        found: object
        if place["level"]:
            levels = message.topic.split("/")
            number = int(place["level"])
            found = levels[number - 1] if number <= len(levels) else None
        elif place["device"]:
            found = extract.device
        else:
            document = parse_document(message.payload)
            found = document.get(place["key"]) if isinstance(document, Mapping) else None
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if not isinstance(found, str) or not found.strip():
            raise Unusable(
                QuarantineReason.BAD_IDENTIFIER, f"{place[0]}: expected a text to name the device by"
            )
        return _FOREIGN.sub("-", found.strip())

    return _PLACE.sub(fill, template)
