"""Home Assistant's MQTT discovery: what an announcement says of a device and its entities.

The format is Home Assistant's own (www.home-assistant.io/integrations/mqtt, "MQTT discovery"): one document
an entity on ``<prefix>/<component>/[<node>/]<object>/config``, or one a device on
``<prefix>/device/[<node>/]<object>/config`` with its entities under ``components``. Keys may be abbreviated,
and ``~`` at either end of a topic stands for a base topic.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.wire.reasons import QuarantineReason, Unusable, shown

MAX_PARTS = 300  # entities of one announcement
_LONGEST = {"value_template": 2_048, "state_topic": 512}  # characters
_MOST = 256
_MAX_AVAILABILITIES = 8

_LONG = {
    "avty": "availability",
    "avty_mode": "availability_mode",
    "avty_t": "availability_topic",
    "avty_tpl": "availability_template",
    "cmps": "components",
    "dev": "device",
    "dev_cla": "device_class",
    "o": "origin",
    "obj_id": "object_id",
    "p": "platform",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
    "stat_off": "state_off",
    "stat_on": "state_on",
    "stat_t": "state_topic",
    "t": "topic",
    "unit_of_meas": "unit_of_measurement",
    "uniq_id": "unique_id",
    "val_tpl": "value_template",
}
_LONG_OF_DEVICE = {
    "cns": "connections",
    "hw": "hw_version",
    "ids": "identifiers",
    "mdl": "model",
    "mdl_id": "model_id",
    "mf": "manufacturer",
    "sn": "serial_number",
    "sw": "sw_version",
}
_FACTS = {
    "name": "name",
    "model": "model",
    "model_id": "model_id",
    "manufacturer": "manufacturer",
    "serial_number": "serial",
    "sw_version": "firmware",
    "hw_version": "hardware",
}

_Mode = Literal["all", "any", "latest"]
_MODES: dict[str, _Mode] = {"all": "all", "any": "any"}

#: Components that report something; all others are commanded, or tell where somebody is.
READ = ("sensor", "binary_sensor", "switch")


@dataclass(frozen=True, slots=True)
class Availability:
    """Where and in which words an entity is said to be there."""

    topic: str
    online: str = "online"
    offline: str = "offline"
    template: str = ""


@dataclass(frozen=True, slots=True)
class Entity:
    """One reading that was announced.

    Attributes:
        config: topic of its announcement.
        part: its key in a device's announcement, empty for one of its own.
        device: what its device calls itself.
        kind: component, such as ``sensor``.
        name: as people see it.
        device_class: Home Assistant's word for what is measured.
        on: payload that means yes, of entities that know only yes and no.
        mode: how several availabilities become one.
    """

    config: str
    part: str
    device: str
    kind: str
    name: str
    device_class: str = ""
    unit: str = ""
    state_topic: str = ""
    template: str = ""
    on: str = "ON"
    off: str = "OFF"
    availability: tuple[Availability, ...] = ()
    mode: _Mode = "latest"


class Announcement(NamedTuple):
    """What one announcement says.

    Attributes:
        refused: parts that are of no use, each with a sentence.
    """

    device: str
    facts: dict[str, object]
    entities: list[Entity]
    refused: list[tuple[QuarantineReason, str]]


def read_announcement(topic: str, levels: list[str], document: object) -> Announcement:
    """Return what an announcement says.

    Args:
        topic: the announcement's.
        levels: of its topic, without prefix and ``config``: component, node where there is one, object.
        document: the payload.

    Raises:
        Unusable: it is no announcement.
    """
    if not isinstance(document, dict):
        raise Unusable(QuarantineReason.NOT_AN_OBJECT, f"expected an announcement, got {shown(document)}")
    whole = _lengthened(document, _LONG)
    described = whole.get("device")
    about = _lengthened(described, _LONG_OF_DEVICE) if isinstance(described, dict) else {}
    device = _device_name(about) or levels[-2 if len(levels) > 2 else -1]
    facts = {fact: about[key] for key, fact in _FACTS.items() if isinstance(about.get(key), str | int)}
    entities: list[Entity] = []
    refused: list[tuple[QuarantineReason, str]] = []
    for part, kind, table in _parts(levels, whole):
        try:
            entities.append(_entity(topic, part, kind, table, device=device, called=part or levels[-1]))
        except Unusable as finding:
            refused.append((finding.reason, f"{part}: {finding.detail}" if part else finding.detail))
    return Announcement(device, facts, entities, refused)


def _lengthened(table: dict[str, object], names: dict[str, str]) -> dict[str, object]:
    """Return a table with its abbreviated keys at full length, and the base topic put in."""
    found = {names.get(key, key): value for key, value in table.items()}
    base = table.get("~")
    if isinstance(base, str):
        for key, value in found.items():
            if isinstance(value, str) and (key == "topic" or key.endswith("_topic")):
                found[key] = _with_base(value, base)
    return found


def _with_base(topic: str, base: str) -> str:
    if topic.startswith("~"):
        topic = base + topic[1:]
    return topic[:-1] + base if topic.endswith("~") else topic


def _device_name(about: dict[str, object]) -> str:
    """Return the first identifier, else the address of the first connection, of a device; empty without."""
    identifiers = about.get("identifiers")
    for found in identifiers if isinstance(identifiers, list) else [identifiers]:
        if isinstance(found, str | int) and str(found).strip():
            return str(found)[:_MOST]
    match about.get("connections"):
        case [[_, str(address)], *_]:
            return address[:_MOST]
    return ""


def _parts(levels: list[str], whole: dict[str, object]) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield key, component and table of each entity; what the device says for all of them is put in."""
    if levels[0] != "device":
        yield "", levels[0], whole
        return
    components = whole.get("components")
    if not isinstance(components, dict):
        raise Unusable(
            QuarantineReason.WRONG_TYPE, f"components: expected an object, got {shown(components)}"
        )
    if len(components) > MAX_PARTS:
        raise Unusable(
            QuarantineReason.TOO_MANY_SIGNALS,
            f"components: expected at most {MAX_PARTS}, got {len(components):,}",
        )
    base = {"~": whole["~"]} if "~" in whole else {}
    for part, table in components.items():
        if not isinstance(table, dict):
            continue
        own = _lengthened({**base, **table}, _LONG)
        kind = own.get("platform")
        if isinstance(kind, str) and len(own.keys() - {"platform", "~"}) > 0:  # nothing but its kind: removed
            shared = {key: whole[key] for key in whole if key.startswith(("availability", "payload_"))}
            topic = {"state_topic": whole["state_topic"]} if "state_topic" in whole else {}
            yield part[:_MOST], kind, {**shared, **topic, **own}


def _entity(
    topic: str, part: str, kind: str, table: dict[str, object], *, device: str, called: str
) -> Entity:
    """Return the entity that a table of long keys describes.

    Raises:
        Unusable: a key that is needed has no use.
    """
    device_class = _text(table, "device_class")
    state = _text(table, "state_topic")
    if kind in READ and not state:
        raise Unusable(QuarantineReason.WRONG_TYPE, "state_topic: expected a topic, but it is not there")
    return Entity(
        config=topic,
        part=part,
        device=device,
        kind=kind if kind in READ else "other",
        name=_text(table, "name") or device_class or called[:_MOST],
        device_class=device_class,
        unit=_text(table, "unit_of_measurement"),
        state_topic=state,
        template=_text(table, "value_template"),
        on=_text(table, "state_on") or _text(table, "payload_on") or "ON",
        off=_text(table, "state_off") or _text(table, "payload_off") or "OFF",
        availability=tuple(_availabilities(table)),
        mode=_MODES.get(_text(table, "availability_mode"), "latest"),
    )


def _availabilities(table: dict[str, object]) -> Iterator[Availability]:
    listed = table.get("availability")
    if isinstance(listed, dict):
        listed = [listed]
    for entry in listed[:_MAX_AVAILABILITIES] if isinstance(listed, list) else ():
        if isinstance(entry, dict):
            own = _lengthened({"~": table.get("~"), **entry}, _LONG)
            yield from _availability(own, "topic", "value_template")
    yield from _availability(table, "availability_topic", "availability_template")


def _availability(table: dict[str, object], topic: str, template: str) -> Iterator[Availability]:
    if _text(table, topic):
        yield Availability(
            _text(table, topic),
            _text(table, "payload_available") or "online",
            _text(table, "payload_not_available") or "offline",
            _text(table, template),
        )


def _text(table: dict[str, object], key: str) -> str:
    """Return what stands at a key as text, empty without; `true` is spelt as a template spells it.

    Raises:
        Unusable: it is too long.
    """
    value = table.get(key)
    if not isinstance(value, str | int | float):
        return ""
    text, most = str(value), _LONGEST.get(key.replace("availability_template", "value_template"), _MOST)
    most = _LONGEST["state_topic"] if key.endswith("topic") else most
    if len(text) > most:
        raise Unusable(
            QuarantineReason.TEXT_TOO_LONG, f"{key}: expected at most {most:,} characters, got {len(text):,}"
        )
    return text
