"""The receiver: everything that devices say, acknowledged when it is kept and not before."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

from gateway.clock import Clock
from gateway.errors import OutsideError
from gateway.events import Events
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.framing import Publish
from gateway.mqtt.session import ConnectionFailedError, Session
from gateway.pauses import FIRST_PAUSE, Pauses
from gateway.ports import Packet

# What may wait here for the pipeline. 65,535 messages is what a broker can send unacknowledged, so the count
# bites with QoS 0 alone; the bytes bite when messages are large.
MAX_WAITING = 100_000
MAX_WAITING_BYTES = 64 * 1024 * 1024

#: Told at each change whether messages are being received, and since when (the gateway's clock, ms).
Listening = Callable[[bool, int], None]


class _Receipt(NamedTuple):
    """What it takes to acknowledge a packet.

    It is acknowledged on the connection that brought it, and only while its serial is the latest of its
    identifier: once the broker has seen an acknowledgement it gives the identifier to another message.
    """

    session: Session
    identifier: bytes
    serial: int


class Batch:
    """Packets taken together, in order of arrival, and acknowledged together."""

    def __init__(
        self, packets: list[Packet], receipts: list[_Receipt], outstanding: dict[bytes, int]
    ) -> None:
        self.packets = packets
        self._receipts = receipts
        self._outstanding = outstanding

    def __len__(self) -> int:
        return len(self.packets)

    def acknowledge(self) -> None:
        """Tell the broker that the packets are kept.

        Those of a connection that is gone are not acknowledged: the broker sends them again.
        """
        outstanding = self._outstanding
        due: dict[Session, list[bytes]] = {}
        for session, identifier, serial in self._receipts:
            if outstanding.get(identifier) == serial:
                del outstanding[identifier]
                due.setdefault(session, []).append(identifier)
        self._receipts = []
        for session, identifiers in due.items():
            session.acknowledge(identifiers)


class Receiver:
    """Holds a persistent session at the broker and hands over what arrives.

    `run` connects, subscribes and comes back after each loss, for ever. `take` gives the next batch. Packets
    that arrived on a connection since lost are still given, since the broker may have lost them itself; it
    sends them again too, which the engine recognises.

    Attributes:
        connected: whether a connection stands.
        subscribed: whether the broker has granted every filter on it.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        filters: Sequence[str],
        clock: Clock,
        events: Events,
        keepalive: int = 60,
        max_payload: int = 262_144,
        is_ours: Callable[[str], bool] = lambda _topic: False,
        on_listening: Listening | None = None,
        max_waiting: int = MAX_WAITING,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """Prepare the receiver.

        Args:
            address: the broker.
            client_id: names the session that the broker keeps while we are away.
            filters: topic filters, all subscribed with QoS 1.
            clock: stamps arrivals.
            events: is told of losses and returns.
            keepalive: seconds.
            max_payload: bytes; larger payloads arrive cut to one byte more.
            is_ours: says of a topic that what comes on it is what we sent ourselves: it is acknowledged and
                neither counted nor handed over.
            on_listening: is told when messages begin and cease to be received.
            max_waiting: packets beyond which reading stops until half of them were taken.
            first_pause: seconds before the second attempt to connect; later ones wait longer, up to 30 s.
        """
        self.connected = False
        self.subscribed = False
        self._address = address
        self._client_id = client_id
        self._filters = list(filters)
        self._clock = clock
        self._events = events
        self._keepalive = keepalive
        self._max_payload = max_payload
        self._is_ours = is_ours
        self._on_listening = on_listening
        self._max_waiting = max_waiting
        self._first_pause = first_pause
        self._session: Session | None = None
        self._packets: deque[Packet] = deque()
        self._receipts: deque[_Receipt | None] = deque()
        self._outstanding: dict[bytes, int] = {}  # identifier -> serial, of the present connection
        self._serials = count()
        self._bytes = 0
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many packets have arrived and were not taken."""
        return len(self._packets)

    async def run(self) -> None:
        """Receive until cancelled.

        Raises:
            OutsideError: the broker refuses a filter on the first connection; waiting would not help.
        """
        pauses, down, served = Pauses(self._first_pause), False, False
        while True:
            try:
                await self._connect()
                if down:
                    self._events.restored(what="broker")
                pauses.reset()
                down, served = False, True
                await self._serve()
                trouble = "the connection was lost"
            except ConnectionFailedError as error:
                trouble = str(error)
            except OutsideError as error:
                if not served:
                    raise
                trouble = str(error)
            finally:
                await self._disconnect()
            pause = pauses.take()
            self._events.outage(what="broker", detail=f"{self._address.url}: {trouble}", retry_in=pause)
            down = True
            await asyncio.sleep(pause)

    async def take(self, max_messages: int) -> Batch:
        """Wait for a packet and return all that have arrived, up to a number."""
        while not self._packets:
            self._arrived.clear()
            await self._arrived.wait()
        number = min(max_messages, len(self._packets))
        packets = [self._packets.popleft() for _ in range(number)]
        receipts = [receipt for _ in range(number) if (receipt := self._receipts.popleft()) is not None]
        self._bytes -= sum(_size(packet) for packet in packets)
        if self._session is not None and not self._is_full(part=0.5):
            self._session.resume()
        return Batch(packets, receipts, self._outstanding)

    async def _connect(self) -> None:
        self._outstanding = {}
        session = self._session = Session(
            self._address,
            client_id=self._client_id,
            keepalive=self._keepalive,
            max_payload=self._max_payload,
            sink=self._receive,
        )
        await session.open()
        self.connected = True
        await session.subscribe(self._filters)
        self.subscribed = True

    async def _serve(self) -> None:
        """Receive until the connection is lost."""
        assert self._session is not None
        self._events.broker(connected=True, url=self._address.url)
        if self._on_listening:
            self._on_listening(True, self._clock.now())
        await self._session.wait_closed()

    async def _disconnect(self) -> None:
        was_subscribed, self.connected, self.subscribed = self.subscribed, False, False
        session, self._session = self._session, None
        if was_subscribed:
            self._events.broker(connected=False, url=self._address.url)
            if self._on_listening:
                self._on_listening(False, self._clock.now())
        if session is not None:
            await session.close()

    def _receive(self, session: Session, messages: list[Publish]) -> None:
        """Queue the messages of one read."""
        if session is not self._session:
            return
        arrival = self._clock.now()
        outstanding, is_ours = self._outstanding, self._is_ours
        before = len(self._packets)
        for topic, payload, identifier, duplicate, retained in messages:
            if is_ours(topic):
                session.acknowledge([] if identifier is None else [identifier])
                continue
            if identifier is None:
                receipt = None
            elif duplicate and identifier in outstanding:
                continue  # sent again because we have not acknowledged it yet; it is still here
            else:
                serial = outstanding[identifier] = next(self._serials)
                receipt = _Receipt(session, identifier, serial)
            packet = Packet(topic, payload, arrival, retained)
            self._packets.append(packet)
            self._receipts.append(receipt)
            self._bytes += _size(packet)
        self._events.received(len(self._packets) - before)
        if self._packets:
            self._arrived.set()
        if self._is_full():
            session.pause()

    def _is_full(self, part: float = 1.0) -> bool:
        return len(self._packets) >= self._max_waiting * part or self._bytes >= MAX_WAITING_BYTES * part


def _size(packet: Packet) -> int:
    return len(packet.payload) + len(packet.topic)
