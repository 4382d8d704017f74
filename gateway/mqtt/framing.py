"""MQTT packets out of a stream of bytes, made for many small messages and safe with large ones."""

from dataclasses import dataclass, field

_PUBLISH = 0x30
_DUPLICATE, _QOS, _RETAINED = 0x08, 0x06, 0x01

#: The most that can stand before a payload, whatever properties MQTT 5 puts there.
_TOPIC_AND_IDENTIFIER = 2 + 65_535 + 2
_PROPERTIES = 65_536


@dataclass(slots=True)
class Publishes:
    """Messages as they stand on the wire, in order; columns of the same length.

    Attributes:
        topics: UTF-8, not checked.
        payloads: raw bytes.
        identifiers: two bytes to acknowledge a message by, none at QoS 0.
        flags: the first byte of each packet; `duplicate` and `retained` read it.
    """

    topics: list[bytes] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    identifiers: list[bytes] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.topics)


def duplicate(flags: int) -> bool:
    """Say whether the broker has sent the message before."""
    return bool(flags & _DUPLICATE)


def retained(flags: int) -> bool:
    """Say whether the broker kept the message from before the subscription."""
    return bool(flags & _RETAINED)


class MalformedPacketError(Exception):
    """The stream is not MQTT."""


class Framer:
    """Cuts a stream into packets.

    Bytes are copied twice however they arrive. Of a payload larger than `max_payload` one byte more than that
    is kept, enough to see that it is too large, and the rest is passed over.

    Args:
        max_payload: bytes.
        version: 4 for MQTT 3.1.1, 5 for MQTT 5, whose messages carry properties, none of which we read.
    """

    def __init__(self, max_payload: int, version: int = 4) -> None:
        self._kept = max_payload + 1
        self._has_properties = version == 5
        self._head = _TOPIC_AND_IDENTIFIER + (_PROPERTIES if self._has_properties else 0)
        self._waiting = bytearray()
        self._needed = 2
        self._to_skip = 0

    def feed(self, data: bytes) -> tuple[Publishes, list[tuple[int, bytes]]]:
        """Take the next bytes and return the messages, and first byte and body of each other packet.

        Raises:
            MalformedPacketError: what came is not MQTT.
        """
        messages = Publishes()
        others: list[tuple[int, bytes]] = []
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        if self._waiting:
            self._waiting += data
            if len(self._waiting) < self._needed:
                return messages, others
            data = bytes(self._waiting)
            self._waiting.clear()
        position, size = self._whole(data, 0, messages), len(data)
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
                kept = start - position + self._head + self._kept
                if first & 0xF0 != _PUBLISH or end - position <= kept:
                    self._needed = end - position
                    break
                if size - position < kept:
                    self._needed = kept
                    break
                self._to_skip = end - size
                self._publish(messages, first, data, start, size)
                return messages, others
            if first & 0xF0 == _PUBLISH:
                self._publish(messages, first, data, start, end)
            else:
                others.append((first, data[start:end]))
            position = self._whole(data, end, messages)
        else:
            self._needed = 2
        self._waiting += data[position:]
        return messages, others

    def _whole(self, data: bytes, position: int, into: Publishes) -> int:
        """Append the messages that stand whole from a position on; return where the first other thing is.

        Nearly all that ever comes goes this way, at a microsecond a message: so it calls nothing, and leaves
        whatever is not plain (long lengths, properties, large payloads) to those who take their time.
        """
        has_properties, kept, size = self._has_properties, self._kept, len(data)
        topics, payloads = into.topics.append, into.payloads.append
        identifiers, flags = into.identifiers.append, into.flags.append
        while size - position >= 7:
            first = data[position]
            length = data[position + 1]
            start = position + 2
            if length > 0x7F:
                more = data[start]
                if more > 0x7F:
                    break
                length += (more << 7) - 0x80
                start += 1
            end = start + length
            if first & 0xF0 != _PUBLISH or end > size or length < 5:
                break
            topic = start + 2
            begin = after = topic + (data[start] << 8 | data[start + 1])
            if first & _QOS:
                begin += 2
            if has_properties:
                if begin >= end or data[begin]:
                    break
                begin += 1
            if begin > end or end - begin > kept:
                break
            topics(data[topic:after])
            payloads(data[begin:end])
            identifiers(data[after : after + 2] if first & _QOS else b"")
            flags(first)
            position = end
        return position

    def _publish(self, into: Publishes, first: int, data: bytes, start: int, end: int) -> None:
        """Append the message whose body stands from `start` to `end`."""
        topic = start + 2
        if topic > end:
            raise MalformedPacketError
        after = topic + (data[start] << 8 | data[start + 1])
        begin = after + 2 if first & _QOS else after
        if self._has_properties:
            if begin >= end:
                raise MalformedPacketError
            length = data[begin]
            if length & 0x80:
                length, begin = _long_length(data, begin - 1)  # the same notation as of a packet's length
                if begin < 0:
                    raise MalformedPacketError
                begin += length
            else:
                begin += 1 + length
        if begin > end:
            raise MalformedPacketError
        payload = data[begin:end]
        into.topics.append(data[topic:after])
        into.payloads.append(payload if len(payload) <= self._kept else payload[: self._kept])
        into.identifiers.append(data[after : after + 2] if first & _QOS else b"")
        into.flags.append(first)


def _long_length(data: bytes, position: int) -> tuple[int, int]:
    """Return a length of several bytes that begins after a position and where it ends; -1: not all there."""
    length = shift = 0
    for offset in range(position + 1, position + 5):
        if offset >= len(data):
            return 0, -1
        length |= (data[offset] & 0x7F) << shift
        if not data[offset] & 0x80:
            return length, offset + 1
        shift += 7
    raise MalformedPacketError
