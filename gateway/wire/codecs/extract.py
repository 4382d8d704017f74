"""What codecs are given and what they take out of it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from gateway.wire.reasons import QuarantineReason
from gateway.wire.signalmap import SignalMap


@dataclass(frozen=True, slots=True)
class Foreign:
    """A message of a foreign format.

    Attributes:
        topic: as published, of which any level may name something.
        payload: raw bytes.
        arrival: ms since 1970 UTC on the gateway's clock.
    """

    topic: str
    payload: bytes
    arrival: int

    def level(self, number: int) -> str | None:
        """Return a level of the topic, counted from 1; None where there is none, or it is one of our own.

        What comes by HTTP has no topic of its sender's; ours begin with ``$``, as nobody else's can.
        """
        levels = [] if self.topic.startswith("$") else self.topic.split("/")
        return levels[number - 1] if 0 < number <= len(levels) else None


@dataclass(slots=True)
class Extract:
    """What a message says of one device: raw parts, in our names, not yet checked.

    The decoder judges them as it judges a device's own.

    Attributes:
        device: what the message calls the device, for the place ``{device}`` of a source; None where the
            format has no name for it.
        ts: the message's time as `checked_time` takes it; None when it has none.
        values: by ``signal@component``; a number that the codec knows to be nonsense stays as it is found.
        facts: as in a ``facts`` message.
        online: as in a ``status`` message; None when nothing is said of it.
        refused: parts that are of no use, each with its reason and a sentence that names the part.
    """

    device: str | None = None
    ts: object = None
    values: dict[str, object] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    online: bool | None = None
    refused: list[tuple[QuarantineReason, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.values or self.facts or self.refused or self.online is not None)


class Codec(ABC):
    """A foreign format. Total: any bytes on any topic give extracts or `Unusable`, nothing else is raised.

    A codec belongs to one source. What a format announces once and refers to later (names, aliases, units)
    it keeps itself, bounded, and hands out as `state`, since no broker repeats it after a restart.
    """

    #: Keys that may stand in ``[sources.options]`` for this codec.
    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    #: Whether the topic tells what a payload means, so that without its own topic there is nothing to read.
    NEEDS_TOPIC: ClassVar[bool] = False

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        """Take the names of a source.

        Raises:
            ValueError: an option is unknown or wrong; the text names it, and says what was expected.
        """
        for key in options or {}:
            if key not in self.OPTIONS:
                expected = (
                    f"expected one of {', '.join(sorted(self.OPTIONS))}" if self.OPTIONS else "expected none"
                )
                raise ValueError(f"{key}: unknown option, {expected}")
        self.signals = signals
        self.options = dict(options or {})

    @abstractmethod
    def decode(self, message: Foreign) -> Iterable[Extract]:
        """Return what a message says, in order; nothing where its kind says nothing of any device.

        Raises:
            Unusable: the message is not of this format, or of no use.
        """

    def state(self) -> object:
        """Return what was announced, as JSON can hold it; None when there is nothing to remember."""
        return None

    def restore(self, state: object) -> None:
        """Take up what `state` had returned, perhaps by another version; what does not fit is left out."""
        del state
