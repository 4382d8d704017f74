"""Entities that were announced, and what is known of their being there. Bounded, and kept over a restart."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import Any, TypeVar

import msgspec

from gateway.wire.discovery import Availability, Entity

MAX_ENTITIES = 20_000  # of a source: 400 devices with 50 entities each
MAX_TOPICS = 20_000  # that are remembered for what they last said
MAX_SHARED = 300  # entities that read one topic

_Key = tuple[str, str]  # topic of the announcement and part of it
_Kind = TypeVar("_Kind")


class Announced:
    """What a source's devices announced."""

    def __init__(self) -> None:
        self._entities: dict[_Key, Entity] = {}
        self._by_state: dict[str, dict[_Key, None]] = {}
        self._by_availability: dict[str, dict[_Key, None]] = {}
        self._by_device: dict[str, dict[_Key, None]] = {}
        self._by_config: dict[str, dict[_Key, None]] = {}
        self._heard: dict[Availability, tuple[int, bool]] = {}  # with a number that grows; the latest last
        self._words = 0
        self._present: dict[str, bool] = {}

    def __len__(self) -> int:
        return len(self._entities)

    def replace(self, config: str, entities: list[Entity]) -> list[Entity]:
        """Put entities in the place of those that the same topic announced before; return those left out.

        Left out is what would be too much: in all, or on one topic.
        """
        was = {key: self._entities[key].name for key in self._by_config.get(config, ())}
        for key in list(was):
            self._remove(key)
        return [entity for entity in entities if not self._add(entity, was.get((config, entity.part)))]

    def reading(self, topic: str) -> list[Entity]:
        """Return the entities whose state a topic carries."""
        return [self._entities[key] for key in self._by_state.get(topic, ())]

    def knows(self, topic: str) -> bool:
        """Say whether an announcement named a topic."""
        return topic in self._by_state or topic in self._by_availability

    def hear(self, topic: str, meant: Callable[[Availability], bool | None]) -> set[str]:
        """Remember what a topic says of availability; return the devices of which it says something.

        Args:
            topic: the message's.
            meant: tells what the message means to an availability; None for nothing.
        """
        devices: set[str] = set()
        found: dict[Availability, bool | None] = {}
        for key in self._by_availability.get(topic, ()):
            entity = self._entities[key]
            for availability in entity.availability:
                if availability.topic == topic:
                    if availability not in found:
                        found[availability] = meant(availability)
                    if found[availability] is not None:
                        devices.add(entity.device)
        for availability, verdict in found.items():
            if verdict is not None:
                self._hear(availability, verdict)
        _shorten(self._heard)
        return devices

    def say(self, device: str, online: bool) -> None:
        """Remember what a device's own presence topic says."""
        self._present[device] = online
        _shorten(self._present)

    def online(self, device: str) -> bool | None:
        """Return whether a device is there; None when nothing is known.

        It is not there when its own presence topic says so: agents leave their entities' availability behind
        when they die. Else it is there when any entity is; of entities never heard of nothing is held.
        """
        present = self._present.get(device)
        if present is False:
            return False
        verdicts = {self._available(self._entities[key]) for key in self._by_device.get(device, ())} - {None}
        return True in verdicts if verdicts else present

    def state(self) -> object:
        """Return everything as JSON can hold it, None when there is nothing."""
        if not (self._entities or self._heard or self._present):
            return None
        return {
            "entities": [asdict(entity) for entity in self._entities.values()],
            "heard": [[asdict(availability), online] for availability, (_, online) in self._heard.items()],
            "present": [[device, online] for device, online in self._present.items()],
        }

    def restore(self, state: object) -> None:
        """Take up what `state` had returned; what does not fit is left out."""
        for entity in _fitting(state, "entities", Entity):
            self._remove((entity.config, entity.part))
            self._add(entity, entity.name)
        for availability, online in _fitting(state, "heard", tuple[Availability, bool]):
            self._hear(availability, online)
        for device, online in _fitting(state, "present", tuple[str, bool]):
            self._present[device] = online
        _shorten(self._heard)
        _shorten(self._present)

    def _available(self, entity: Entity) -> bool | None:
        heard = [self._heard[one] for one in entity.availability if one in self._heard]
        if not heard:
            return None
        match entity.mode:
            case "all":
                return all(online for _, online in heard)
            case "any":
                return any(online for _, online in heard)
        return max(heard)[1]

    def _hear(self, availability: Availability, online: bool) -> None:
        self._words += 1
        self._heard.pop(availability, None)
        self._heard[availability] = (self._words, online)

    def _add(self, entity: Entity, name: str | None) -> bool:
        key = (entity.config, entity.part)
        shared = self._by_state.get(entity.state_topic, ())
        if len(self._entities) >= MAX_ENTITIES or len(shared) >= MAX_SHARED:
            return False
        if name is None or not name.startswith(entity.name):
            name = self._own_name(entity)
        self._entities[key] = replace(entity, name=name)
        for index, word in self._places(entity):
            index.setdefault(word, {})[key] = None
        return True

    def _own_name(self, entity: Entity) -> str:
        """Return an entity's name, with its object's behind it where another of the device has the same."""
        others = (self._entities[key] for key in islice(self._by_device.get(entity.device, ()), MAX_SHARED))
        taken = any((other.name, other.kind) == (entity.name, entity.kind) for other in others)
        levels = entity.config.split("/")
        return (
            f"{entity.name} {entity.part or levels[-2 if len(levels) > 1 else 0]}" if taken else entity.name
        )

    def _remove(self, key: _Key) -> None:
        entity = self._entities.pop(key, None)
        if entity is None:
            return
        for index, word in self._places(entity):
            del index[word][key]
            if not index[word]:
                del index[word]

    def _places(self, entity: Entity) -> list[tuple[dict[str, dict[_Key, None]], str]]:
        """Return the indexes in which an entity stands, each with its word."""
        places = [(self._by_config, entity.config), (self._by_device, entity.device)]
        if entity.state_topic:
            places.append((self._by_state, entity.state_topic))
        topics = dict.fromkeys(availability.topic for availability in entity.availability)
        return places + [(self._by_availability, topic) for topic in topics]


def _fitting(state: object, key: str, kind: type[_Kind]) -> Iterator[_Kind]:
    listed = state.get(key) if isinstance(state, dict) else None
    for entry in listed if isinstance(listed, list) else ():
        try:
            yield msgspec.convert(entry, kind)
        except msgspec.ValidationError:
            continue


def _shorten(remembered: dict[_Kind, Any]) -> None:
    """Forget what was heard longest ago."""
    while len(remembered) > MAX_TOPICS:
        remembered.pop(next(iter(remembered)))
