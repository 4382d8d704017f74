"""Home Assistant's MQTT discovery: agents that announce what they send, and where in it each reading stands.

One codec for psmqtt, linux2mqtt, lnxlink, ESPHome, Theengs, Zigbee2MQTT and whatever else announces itself to
Home Assistant. Announcements are remembered; a message that nobody announced says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gateway.wire.announced import Announced
from gateway.wire.bare import leaves, online_of, online_word, reading_of, text_of
from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.options import checked_option
from gateway.wire.discovery import Availability, Entity, read_announcement
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap
from gateway.wire.templated import Templated
from gateway.wire.templates import Templates

#: What a device class of Home Assistant is in our catalogue, where the two mean the same.
DEVICE_CLASSES = {
    ("sensor", "battery"): "battery.level",
    ("sensor", "power"): "power.active",
    ("binary_sensor", "plug"): "power.plugged",
    ("binary_sensor", "door"): "door.open",
}

#: Moments are no readings: each is another text.
_NO_READINGS = frozenset({"timestamp", "date"})


class HomeAssistant(Codec):
    """Messages whose meaning was announced.

    Options:
        prefix: first level of announcements, ``homeassistant`` when left out.
        device_level: which level of an agent's own topics names the device, counted from 1; then it names the
            announced ones, too, and what follows it names the reading.
        presence: what follows the device in the topic on which the agent says that it is there.
        commands: what stands in the device's place where agents are told something.
        bare: values are read where no announcement names them, too.
    """

    NEEDS_TOPIC = True

    OPTIONS = frozenset({"prefix", "device_level", "presence", "commands", "bare"})

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        """Take names and options.

        Raises:
            ValueError: an option is unknown or wrong.
        """
        super().__init__(signals, options)
        self._prefix = checked_option(self.options, "prefix", "homeassistant")
        self._level = checked_option(self.options, "device_level", 0)
        self._presence = checked_option(self.options, "presence", "")
        self._commands = checked_option(self.options, "commands", "")
        self._bare = checked_option(self.options, "bare", False)
        self._announced = Announced()
        self._templates = Templates()

    def decode(self, message: Foreign) -> list[Extract]:
        """Return what a message says; nothing for what Home Assistant says itself (``homeassistant/status``).

        Raises:
            Unusable: it was not announced, or is not what was announced.
        """
        levels = message.topic.split("/")
        if levels[0] == self._prefix and levels[-1] == "config" and len(levels) > 3:
            return self._announce(message, levels[1:-1])
        extracts: dict[str, Extract] = {}
        if self._announced.knows(message.topic):
            for entity, extract in self._read(message):
                into = extracts.setdefault(entity.device, Extract(device=entity.device))
                into.values.update(extract.values)
                into.refused.extend(extract.refused)
            heard = self._hear(message)
            if not heard and not self._announced.reading(message.topic):
                word = shown(text_of(message.payload))
                raise Unusable(QuarantineReason.WRONG_TYPE, f"expected a word of availability, got {word}")
            for device in sorted(heard):
                into = extracts.setdefault(device, Extract(device=device))
                into.online = self._announced.online(device)
            return [extract for extract in extracts.values() if extract]
        if message.topic == f"{self._prefix}/status":
            return []
        return self._unannounced(message, levels)

    def state(self) -> object:
        """Return the announcements."""
        return self._announced.state()

    def restore(self, state: object) -> None:
        """Take up announcements."""
        self._announced.restore(state)

    def _announce(self, message: Foreign, levels: list[str]) -> list[Extract]:
        """Remember an announcement, or forget one that is emptied; return the device's facts."""
        if not message.payload:
            self._announced.replace(message.topic, [])
            return []
        found = read_announcement(message.topic, levels, parse_document(message.payload))
        entities = [self._renamed(entity) for entity in found.entities]
        extract = Extract(
            device=entities[0].device if entities else found.device, facts=found.facts, refused=found.refused
        )
        for entity in self._announced.replace(message.topic, entities):
            extract.refused.append(
                (QuarantineReason.TOO_MANY_SIGNALS, f"{shown(entity.name)}: too much was announced before it")
            )
        return [extract]

    def _renamed(self, entity: Entity) -> Entity:
        """Return an entity under the name that stands in its agent's own topics, where one does."""
        topics = (entity.state_topic, *(availability.topic for availability in entity.availability))
        name = next((name for topic in topics if (name := self._own(topic.split("/"))[0])), entity.device)
        return replace(entity, device=name)

    def _own(self, levels: list[str]) -> tuple[str, str]:
        """Return device and rest of one of an agent's own topics, empty where it is none."""
        if not self._level or levels[0] == self._prefix:
            return "", ""
        return "".join(levels[self._level - 1 : self._level]), "/".join(levels[self._level :])

    def _read(self, message: Foreign) -> Iterator[tuple[Entity, Extract]]:
        """Yield each entity that a message carries, with its reading."""
        entities = [
            entity
            for entity in self._announced.reading(message.topic)
            if entity.kind != "other" and entity.device_class not in _NO_READINGS
        ]
        if not entities:
            return
        payload = Templated(message.payload, self._templates)
        for entity in entities:
            extract = Extract()
            try:
                self._place(entity, payload, extract.values)
            except Unusable as finding:
                extract.refused.append((finding.reason, f"{shown(entity.name)}: {finding.detail}"))
            yield entity, extract

    def _place(self, entity: Entity, payload: Templated, into: dict[str, object]) -> None:
        text = payload.through(entity.template)
        if not text:
            return  # a part that this message does not update
        value = _switched(entity, text) if entity.kind != "sensor" else reading_of(text)
        name, component = self._name(entity)
        self.signals.place(into, name, value, unit=entity.unit, component=component)

    def _name(self, entity: Entity) -> tuple[str, str]:
        """Return the foreign name of an entity's reading, and which of several like parts it is of.

        The user's and the profile's names go first: by the rest of the topic, by the entity's name. Then what
        its device class says.
        """
        rest = self._own(entity.state_topic.split("/"))[1]
        for name in (rest, entity.name):
            if name and self.signals.names(name):
                return name, ""
        meant = DEVICE_CLASSES.get((entity.kind, entity.device_class))
        if meant:
            return meant, _distinction(entity.name, entity.device_class)
        return (rest if rest and not entity.template else entity.name), ""

    def _hear(self, message: Foreign) -> set[str]:
        payload = Templated(message.payload, self._templates)

        def meant(availability: Availability) -> bool | None:
            try:
                text = payload.through(availability.template)
            except Unusable:
                return None
            exact = {availability.offline: False, availability.online: True}.get(text)
            return online_word(text) if exact is None else exact

        return self._announced.hear(message.topic, meant)

    def _unannounced(self, message: Foreign, levels: list[str]) -> list[Extract]:
        """Return what can be told without an announcement: presence, failures, values of their own topics."""
        device, rest = self._own(levels)
        if device and device == self._commands:
            return []
        if rest and rest == self._presence:
            self._announced.say(device, online_of(message.payload))
            return [Extract(device=device, online=self._announced.online(device))]
        if levels[-1] == "error" or rest.startswith("error/"):
            words = shown(text_of(message.payload), 300)
            raise Unusable(QuarantineReason.SOURCE_REPORTED_ERROR, f"{rest or message.topic}: {words}")
        if rest and self.signals.names(rest) and self.signals.key(rest) is None:
            return []
        if not rest or not self._bare:
            raise Unusable(
                QuarantineReason.NOT_ANNOUNCED,
                f"{shown(message.topic, 200)}: no announcement names this topic",
            )
        return [self._bare_values(device, rest, message.payload)]

    def _bare_values(self, device: str, rest: str, payload: bytes) -> Extract:
        """Return the value that a topic names, or those of a document whose keys stand for ``*;`` in it."""
        extract = Extract(device=device)
        text = text_of(payload)
        if not text:
            raise Unusable(QuarantineReason.EMPTY_PAYLOAD, f"{rest}: expected a value")
        if not text.startswith(("{", "[")):
            self.signals.place(extract.values, rest, reading_of(text))
            return extract
        document = parse_document(payload)
        for path, value in leaves(document if isinstance(document, dict) else {"": document}):
            name = rest.replace("*;", path, 1) if "*;" in rest else f"{rest}/{path.strip('/')}"
            self.signals.place(extract.values, name, value)
        return extract


def _switched(entity: Entity, text: str) -> object:
    """Return whether an entity that knows yes and no is on.

    Raises:
        Unusable: the payload is neither of its two words.
    """
    if text in (entity.on, entity.off):
        return text == entity.on
    value = reading_of(text)
    if value is None:
        return None
    raise Unusable(
        QuarantineReason.WRONG_TYPE,
        f"expected {shown(entity.on)} or {shown(entity.off)}, got {shown(text)}",
    )


def _distinction(name: str, device_class: str) -> str:
    """Return what a name says beside its device class: ``Channel 1`` of ``Channel 1 Power``."""
    words = name.split()
    kind = device_class.lower().split("_")
    plain = [word.lower() for word in words]
    if plain[-len(kind) :] == kind:
        return " ".join(words[: -len(kind)])
    return " ".join(words[len(kind) :]) if plain[: len(kind)] == kind else name
