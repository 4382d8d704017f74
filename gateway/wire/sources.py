"""Foreign formats: which topics they come on, how they are decoded, whose they are (``[[sources]]``)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import UserError
from gateway.wire.codecs import CODECS, Extract
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.topics import DEVICE_CLASSES, checked_device, is_filter, matches
from rules.symbols import DeviceId

if TYPE_CHECKING:
    from gateway.config import SourceTable

_PLACE = re.compile(r"\{(?:(?P<level>[1-9][0-9]?)|payload:(?P<key>[^{}]+))\}")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.:-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of the configuration, ready for use."""

    topic: str
    tenant: str
    device_class: str
    device: str
    decode: Callable[[object], Extract] = field(repr=False)

    @classmethod
    def of(cls, table: "SourceTable", position: int) -> "Source":
        """Make the source that a table describes.

        Raises:
            UserError: key, what was expected and what stood there.
        """
        if not is_filter(table.topic):
            raise UserError(f"sources.{position}.topic: expected an MQTT topic filter, got {table.topic!r}")
        levels = table.topic.split("/")
        open_ended = levels[-1] == "#"
        for key, template in (
            ("tenant", table.tenant),
            ("class", table.device_class),
            ("device", table.device),
        ):
            if key == "class" and not _PLACE.search(template) and template not in DEVICE_CLASSES:
                raise UserError(
                    f"sources.{position}.class: expected one of {', '.join(DEVICE_CLASSES)}, got {template!r}"
                )
            rest = _PLACE.sub("", template)
            if "{" in rest or "}" in rest:
                raise UserError(
                    f"sources.{position}.{key}: expected a text with {{1}}, {{2}}... or {{payload:KEY}}, "
                    f"got {template!r}"
                )
            for place in _PLACE.finditer(template):
                if place["level"] and int(place["level"]) > len(levels) and not open_ended:
                    raise UserError(
                        f"sources.{position}.{key}: expected a level from {{1}} to {{{len(levels)}}} "
                        f"of {table.topic}, got {place[0]}"
                    )
        return cls(table.topic, table.tenant, table.device_class, table.device, CODECS[table.codec])

    def takes(self, topic: str) -> bool:
        """Say whether a topic is one of this source's."""
        return matches(self.topic, topic)

    def read(self, topic: str, payload: bytes) -> tuple[DeviceId, Extract]:
        """Return whose a payload is and what stands in it.

        Raises:
            Unusable: the payload is not of the codec's format, or cannot be told whose it is.
        """
        document = parse_document(payload)
        extract = self.decode(document)
        levels = topic.split("/")
        names = [
            _filled(template, levels, document) for template in (self.tenant, self.device_class, self.device)
        ]
        return checked_device(*names), extract


def _filled(template: str, levels: list[str], document: object) -> str:
    """Return a template with its places filled; what cannot stand in a name becomes ``-``.

    Raises:
        Unusable: a place has nothing to be filled with.
    """

    def fill(place: "re.Match[str]") -> str:
        if place["level"]:
            number = int(place["level"])
            found: object = levels[number - 1] if number <= len(levels) else None
        else:
            found = document.get(place["key"]) if isinstance(document, dict) else None
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if not isinstance(found, str) or not found.strip():
            raise Unusable(
                QuarantineReason.BAD_IDENTIFIER, f"{place[0]}: expected a text to name the device by"
            )
        return _FOREIGN.sub("-", found.strip())

    return _PLACE.sub(fill, template)
