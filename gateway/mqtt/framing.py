"""MQTT 3.1.1 packets out of a stream of bytes, made for many small messages and safe with large ones."""

from typing import NamedTuple

_PUBLISH = 0x30
_TOPIC_AND_IDENTIFIER = 2 + 65_535 + 2  # the most that can stand before a payload


class Publish(NamedTuple):
    """A message as it stands on the wire.

    Attributes:
        identifier: two bytes to acknowledge it by, None at QoS 0.
        duplicate: the broker has sent it before.
        retained: the broker kept it from before the subscription.
    """

    topic: str
    payload: bytes
    identifier: bytes | None
    duplicate: bool
    retained: bool


class MalformedPacketError(Exception):
    """The stream is not MQTT."""


class Framer:
    """Cuts a stream into packets.

    Bytes are copied twice however they arrive. Of a payload larger than `max_payload` one byte more than that
    is kept, enough to see that it is too large, and the rest is passed over.
    """

    def __init__(self, max_payload: int) -> None:
        self._kept = max_payload + 1
        self._waiting = bytearray()
        self._needed = 2
        self._to_skip = 0

    def feed(self, data: bytes) -> tuple[list[Publish], list[tuple[int, bytes]]]:
        """Take the next bytes and return the messages, and first byte and body of each other packet.

        Raises:
            MalformedPacketError: what came is not MQTT.
        """
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        if self._waiting:
            self._waiting += data
            if len(self._waiting) < self._needed:
                return [], []
            data = bytes(self._waiting)
            self._waiting.clear()
        messages: list[Publish] = []
        others: list[tuple[int, bytes]] = []
        position, size = 0, len(data)
        while size - position >= 2:
            first = data[position]
            length = data[position + 1]
            start = position + 2
            if length & 0x80:
                length, start = _long_length(data, position)
                if start < 0:
                    self._needed = size - position + 1
                    break
            end = start + length
            if end > size:
                kept = start - position + _TOPIC_AND_IDENTIFIER + self._kept
                if first & 0xF0 != _PUBLISH or end - position <= kept:
                    self._needed = end - position
                    break
                if size - position < kept:
                    self._needed = kept
                    break
                self._to_skip = end - size
                messages.append(_publish(first, data[start:size], self._kept))
                return messages, others
            if first & 0xF0 == _PUBLISH:
                messages.append(_publish(first, data[start:end], self._kept))
            else:
                others.append((first, data[start:end]))
            position = end
        else:
            self._needed = 2
        self._waiting += data[position:]
        return messages, others


def _publish(first: int, body: bytes, kept: int) -> Publish:
    if len(body) < 2:
        raise MalformedPacketError
    end = 2 + (body[0] << 8 | body[1])
    start = end + 2 if first & 0x06 else end
    if start > len(body):
        raise MalformedPacketError
    return Publish(
        body[2:end].decode("utf-8", errors="replace"),
        body[start : start + kept],
        body[end:start] or None,
        bool(first & 0x08),
        bool(first & 0x01),
    )


def _long_length(data: bytes, position: int) -> tuple[int, int]:
    """Return a remaining length of several bytes and where the body starts, -1 when it is not all there."""
    length = shift = 0
    for offset in range(position + 1, position + 5):
        if offset >= len(data):
            return 0, -1
        length |= (data[offset] & 0x7F) << shift
        if not data[offset] & 0x80:
            return length, offset + 1
        shift += 7
    raise MalformedPacketError
