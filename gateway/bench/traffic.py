"""Messages for the ingestion benchmarks, written to a broker and read from it with nothing in between."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from random import Random
from time import perf_counter, sleep
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.mqtt.framing import Framer

_WINDOW = 1_000  # messages that wait for the broker's acknowledgement at a time
ROUND_MS = 30_000  # between two messages of a device
_CHUNK = 500  # messages written in one go


@dataclass(frozen=True, slots=True)
class Traffic:
    """A fleet of servers, each of which says six things every thirty seconds of its own time.

    Attributes:
        devices: how many.
        start: time of the first message, ms since 1970 UTC.
        seed: of everything that is chance; the order of the devices differs from round to round.
        failing: how many devices, spread over the messages, report a drive that calls itself failed.
    """

    devices: int
    start: int
    seed: int = 1
    failing: int = 0

    def messages(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """Return so many messages: topic and payload."""
        chance = Random(self.seed)  # noqa: S311  (values of a benchmark)
        order = list(range(self.devices))
        every = number // self.failing if self.failing else number + 1
        for position in range(number):
            place = position % self.devices
            if place == 0:
                chance.shuffle(order)
            device = order[place]
            values: dict[str, object] = {
                "cpu.temperature": round(55 + chance.random() * 5, 1),
                "cpu.load": round(30 + chance.random() * 20, 1),
                "fan.rpm@1": 4200 + chance.randrange(100),
                "inlet.temperature": round(22 + chance.random(), 1),
                "disk.temperature@sda": 35 + chance.randrange(3),
                "disk.pending_sectors@sda": 0,
            }
            if position % every == every - 1:
                device = self.devices + position  # one that nobody has heard of
                values["disk.smart_passed@sda"] = False
            ts = self.start + (position // self.devices) * ROUND_MS
            yield (
                b"fw/bench/server/srv-%06d/telemetry" % device,
                json.dumps({"ts": ts, "values": values}).encode(),
            )


def _packet(first: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (0x80 if rest else 0))
        if not rest:
            return bytes([first]) + bytes(length) + body


def _text(text: bytes) -> bytes:
    return struct.pack("!H", len(text)) + text


def framed(messages: Iterator[tuple[bytes, bytes]], batch: int) -> Iterator[bytes]:
    """Return messages as a broker of MQTT 5 would send them with QoS 1, so many in one stream of bytes."""
    while some := list(islice(messages, batch)):
        yield b"".join(
            _packet(0x32, _text(topic) + struct.pack("!H", place % 65_000 + 1) + b"\x00" + payload)
            for place, (topic, payload) in enumerate(some)
        )


@contextmanager
def connection(port: int, client_id: str, *, clean: bool, version: int = 4) -> Iterator[socket.socket]:
    """Connect to a broker on this machine; MQTT 3.1.1, or 5 with the largest receive maximum."""
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flags = b"\x02" if clean else b"\x00"
        properties = b"\x08\x11\xff\xff\xff\xff\x21\xff\xff" if version == 5 else b""
        head = _text(b"MQTT") + bytes([version]) + flags + struct.pack("!H", 600)
        wire.sendall(_packet(0x10, head + properties + _text(client_id.encode())))
        answer = _read(wire, _read(wire, 2)[1])  # and nothing of what comes behind it
        if answer[1]:
            raise ConnectionError(f"the broker at port {port} does not take MQTT {version}")
        yield wire
        wire.sendall(b"\xe0\x00")


def _read(wire: socket.socket, size: int) -> bytes:
    """Read exactly so many bytes."""
    data = b""
    while len(data) < size:
        more = wire.recv(size - len(data))
        if not more:
            raise ConnectionError("the broker closed the connection")
        data += more
    return data


def subscribe(port: int, client_id: str, pattern: str, *, version: int = 4) -> None:
    """Leave a persistent session at the broker that waits for messages."""
    with connection(port, client_id, clean=False, version=version) as wire:
        properties = b"\x00" if version == 5 else b""
        wire.sendall(_packet(0x82, b"\x00\x01" + properties + _text(pattern.encode()) + b"\x01"))
        wire.recv(100)


def unsubscribe(port: int, client_id: str) -> None:
    """End a persistent session."""
    with connection(port, client_id, clean=True):
        pass


def publish(
    port: int, messages: Iterator[tuple[bytes, bytes]], *, rate: float | None = None
) -> tuple[int, float]:
    """Publish messages with QoS 1 and return how many there were and how long it took, in seconds.

    Args:
        port: of the broker.
        messages: topic and payload.
        rate: messages a second, evenly in steps of ten ms; as fast as the broker acknowledges when None.
    """
    chunk = _CHUNK if rate is None else max(1, round(rate / 100))
    acknowledged = threading.Semaphore(_WINDOW if rate is None else 60_000)
    total = 0
    with connection(port, "bench-publisher", clean=True) as wire:
        done = threading.Event()
        reader = threading.Thread(
            target=_count_acknowledgements, args=(wire, acknowledged, done), daemon=True
        )
        reader.start()
        begun = perf_counter()
        waiting: list[bytes] = []
        for topic, payload in messages:
            acknowledged.acquire()
            total += 1
            identifier = struct.pack("!H", (total - 1) % 65_000 + 1)
            waiting.append(_packet(0x32, _text(topic) + identifier + payload))
            if len(waiting) == chunk:
                wire.sendall(b"".join(waiting))
                waiting.clear()
                if rate is not None:
                    sleep(max(0.0, begun + total / rate - perf_counter()))
        wire.sendall(b"".join(waiting))
        for _ in range(_WINDOW if rate is None else 60_000):
            acknowledged.acquire()
        seconds = perf_counter() - begun
        done.set()
    return total, seconds


def _count_acknowledgements(
    wire: socket.socket, acknowledged: threading.Semaphore, done: threading.Event
) -> None:
    left = 0
    while not done.is_set():
        data = wire.recv(65_536)
        if not data:
            return
        whole, left = divmod(left + len(data), 4)
        acknowledged.release(whole) if whole else None


def drain(port: int, client_id: str, number: int, *, version: int = 4) -> float:
    """Receive a session's messages, acknowledge them unread, and return how many a second came."""
    framer = Framer(262_144, version)
    received = 0
    with connection(port, client_id, clean=False, version=version) as wire:
        begun = perf_counter()
        while received < number:
            data = wire.recv(262_144)
            if not data:
                raise ConnectionError(f"the broker closed the connection after {received:,} messages")
            messages, _ = framer.feed(data)
            received += len(messages)
            if messages.identifiers:
                wire.sendall(b"\x40\x02" + b"\x40\x02".join(messages.identifiers))
        return number / (perf_counter() - begun)


def drain_with_paho(port: int, client_id: str, number: int) -> float:
    """Do the same with paho-mqtt and nothing but a counter in its callback."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
    make: Any = Properties  # which has no types
    properties = make(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 0xFFFFFFFF
    properties.ReceiveMaximum = 65_535
    received, begun = 0, 0.0
    done = threading.Event()

    def count(_client: object, _data: object, _message: object) -> None:
        nonlocal received, begun
        received += 1
        if received == 1:
            begun = perf_counter()
        if received == number:
            done.set()

    client.on_message = count
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_start()
    finished = done.wait(300)
    seconds = perf_counter() - begun
    client.disconnect()
    client.loop_stop()
    if not finished:
        raise ConnectionError(f"paho-mqtt received {received:,} of {number:,} messages in 300 s")
    return number / seconds


Say = Callable[[str], None]
