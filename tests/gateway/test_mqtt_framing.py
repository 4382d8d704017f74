import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.framing import Framer, MalformedPacketError, duplicate, retained
from gateway.ports import Packet, Packets

LIMIT = 1_000


class Publish(NamedTuple):
    topic: str
    payload: bytes
    identifier: bytes | None
    duplicate: bool
    retained: bool
    properties: bytes = b""


def told(framer, data):
    """Feed the framer and return its messages one by one, and the other packets."""
    found, others = framer.feed(data)
    rows = zip(found.topics, found.payloads, found.identifiers, found.flags, strict=True)
    return [
        Publish(topic.decode(), payload, identifier or None, duplicate(flags), retained(flags))
        for topic, payload, identifier, flags in rows
    ], others


def length_of(number):
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)


def packet(first, body):
    return bytes([first]) + length_of(len(body)) + body


def publish(message, version=4):
    topic = message.topic.encode()
    first = 0x30 | 0x08 * message.duplicate | 0x02 * (message.identifier is not None) | message.retained
    properties = length_of(len(message.properties)) + message.properties if version == 5 else b""
    body = struct.pack("!H", len(topic)) + topic + (message.identifier or b"") + properties + message.payload
    return packet(first, body)


messages = st.builds(
    Publish,
    st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=30),
    st.binary(max_size=300),
    st.none() | st.binary(min_size=2, max_size=2),
    st.booleans(),
    st.booleans(),
    st.just(b"") | st.binary(max_size=200),
)
others = st.tuples(st.sampled_from([0x20, 0x90, 0xD0]), st.binary(max_size=200))


@pytest.mark.parametrize("version", [4, 5])
@given(st.lists(messages | others, max_size=12), st.data())
def test_however_the_stream_is_cut_the_packets_are_the_same(version, packets, data):
    stream = b"".join(publish(p, version) if isinstance(p, Publish) else packet(*p) for p in packets)
    framer = Framer(LIMIT, version)
    found, rest = [], []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        arrived, left = told(framer, stream[:size])
        found += arrived
        rest += left
        stream = stream[size:]
    assert found == [p._replace(properties=b"") for p in packets if isinstance(p, Publish)]
    assert rest == [p for p in packets if not isinstance(p, Publish)]


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 70_000, 5_000_000])
@pytest.mark.parametrize("piece", [1_400, 65_536, 10_000_000])
def test_of_a_large_payload_enough_is_kept_and_the_next_packet_is_found(size, piece):
    large = Publish("fw/a/pc/x/telemetry", b"x" * size, b"\x01\x02", duplicate=False, retained=False)
    small = Publish("t", b"ok", b"\x00\x03", duplicate=False, retained=False)
    stream = publish(large) + publish(small)
    framer = Framer(LIMIT)
    found = []
    most = 0
    for start in range(0, len(stream), piece):
        arrived, _ = told(framer, stream[start : start + piece])
        found += arrived
        most = max(most, len(framer._waiting))
    assert found == [large._replace(payload=b"x" * min(size, LIMIT + 1)), small]
    assert most <= LIMIT + 70_000 + piece


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x30\x01x",  # no room for the topic's length
        b"\x30\x04\x00\x09ab",  # the topic is longer than the packet
        b"\x32\x04\x00\x02ab",  # no room for the identifier
    ],
)
def test_what_is_not_mqtt_is_said_to_be_so(stream):
    with pytest.raises(MalformedPacketError):
        Framer(LIMIT).feed(stream)


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\x04\x00\x02ab",  # no room for the properties' length
        b"\x30\x05\x00\x02ab\x01",  # more properties than there is room for
        b"\x30\x05\x00\x02ab\x80",  # a length that does not end
    ],
)
def test_nor_is_a_message_of_mqtt_5_without_its_properties(stream):
    with pytest.raises(MalformedPacketError):
        Framer(LIMIT, version=5).feed(stream)


def test_a_topic_that_is_not_utf8_is_kept_for_the_quarantine():
    found, _ = Framer(LIMIT).feed(packet(0x30, b"\x00\x02\xff\xfe{}"))
    packets = Packets(found.topics, found.payloads, [0], [False])
    assert list(packets) == [Packet("\ufffd\ufffd", b"{}", 0)]
