"""The receiver: everything that devices say, acknowledged when it is kept and not before."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.clock import Clock
from gateway.errors import OutsideError
from gateway.events import Events
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.framing import Publishes, duplicate, retained
from gateway.mqtt.session import ConnectionFailedError, OtherVersionError, Session
from gateway.pauses import FIRST_PAUSE, Pauses
from gateway.ports import Packet, Packets

# What may wait here for the pipeline. 65,535 messages is what a broker can send unacknowledged, so the count
# bites with QoS 0 alone; the bytes bite when messages are large.
MAX_WAITING = 100_000
MAX_WAITING_BYTES = 64 * 1024 * 1024

_TURNS = 6  # of the event loop; from bytes in the socket to messages in the queue it takes two

#: MQTT 5 is asked for first: it lets us say how much may be on its way unacknowledged. Who does not speak it
#: gets 3.1.1.
VERSIONS = (5, 4)

#: The same by ``broker.protocol``.
VERSIONS_OF: Mapping[str, Sequence[int]] = {"auto": VERSIONS, "5": (5,), "3.1.1": (4,)}


class Ours(NamedTuple):
    """Which topics are those on which only we speak: those that end so, and of which `is_ours` says so."""

    suffix: bytes
    is_ours: Callable[[str], bool]


NOT_OURS = Ours(b"\0", lambda _topic: False)

#: Told at each change whether messages are being received, and since when (the gateway's clock, ms).
Listening = Callable[[bool, int], None]


class _Receipt(ABC):
    """What it takes to say that packets are kept."""

    @abstractmethod
    def give(self) -> None:
        """Say so."""


class _Acknowledgement(_Receipt):
    """Of packets that the broker sent with QoS 1.

    They are acknowledged on the connection that brought them, and each only while its identifier is still
    theirs: once the broker has seen an acknowledgement it gives the identifier to another message.

    Args:
        session: the connection.
        outstanding: identifier to token, of that connection.
        identifiers: of the packets, in order; empty for those of QoS 0.
        token: of the packets that arrived together.
    """

    def __init__(
        self, session: Session, outstanding: dict[bytes, object], identifiers: list[bytes], token: object
    ) -> None:
        self._session = session
        self._outstanding = outstanding
        self._identifiers = identifiers
        self._token = token

    def cut(self, number: int) -> "_Acknowledgement":
        """Take the first so many away and return them."""
        identifiers = self._identifiers
        first = _Acknowledgement(self._session, self._outstanding, identifiers[:number], self._token)
        del identifiers[:number]
        return first

    def give(self) -> None:
        """Send the acknowledgements; those of a connection that is gone the broker would not know."""
        outstanding, token, due = self._outstanding, self._token, self._identifiers
        tokens = list(map(outstanding.get, due))
        if tokens.count(token) < len(due) or b"" in due:
            pairs = zip(due, tokens, strict=True)
            due = [identifier for identifier, its in pairs if identifier and its is token]
        for identifier in due:
            del outstanding[identifier]
        self._session.acknowledge(due)


class _Kept(_Receipt):
    """Of packets that somebody submitted and waits for."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def give(self) -> None:
        """Let go on who waits."""
        if not self.done.done():
            self.done.set_result(None)


@dataclass(slots=True)
class _Chunk:
    """Packets that arrived together."""

    packets: Packets
    receipt: _Receipt
    size: int  # bytes


class Batch:
    """Packets taken together, in order of arrival, and acknowledged together."""

    def __init__(self, packets: Packets, receipts: list[_Receipt]) -> None:
        self.packets = packets
        self._receipts = receipts

    def __len__(self) -> int:
        return len(self.packets)

    def acknowledge(self) -> None:
        """Tell the broker, and whoever else sent them, that the packets are kept.

        Those of a connection that is gone are not acknowledged: the broker sends them again.
        """
        for receipt in self._receipts:
            receipt.give()
        self._receipts = []


class Receiver:
    """Holds a persistent session at the broker and hands over what arrives.

    `run` connects, subscribes and comes back after each loss, for ever. `take` gives the next batch. Packets
    that arrived on a connection since lost are still given, since the broker may have lost them itself; it
    sends them again too, which the engine recognises.

    Attributes:
        connected: whether a connection stands.
        subscribed: whether the broker has granted every filter on it.
        trouble: why not, the last time that it failed; ``""`` before that.
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
        ours: Ours = NOT_OURS,
        on_listening: Listening | None = None,
        max_waiting: int = MAX_WAITING,
        first_pause: float = FIRST_PAUSE,
        versions: Sequence[int] = VERSIONS,
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
            ours: says of a topic that what comes on it is what we sent ourselves: it is acknowledged and
                neither counted nor handed over.
            on_listening: is told when messages begin and cease to be received.
            max_waiting: packets beyond which reading stops until half of them were taken.
            first_pause: seconds before the second attempt to connect; later ones wait longer, up to 30 s.
            versions: of MQTT, 5 and 4 for 3.1.1, in the order in which they are tried.
        """
        self.connected = False
        self.subscribed = False
        self.trouble = ""
        self._address = address
        self._client_id = client_id
        self._filters = list(filters)
        self._clock = clock
        self._events = events
        self._keepalive = keepalive
        self._max_payload = max_payload
        self._ours = ours
        self._on_listening = on_listening
        self._max_waiting = max_waiting
        self._first_pause = first_pause
        self._session: Session | None = None
        self._chunks: deque[_Chunk] = deque()
        self._waiting = 0  # packets in them
        self._bytes = 0
        self._outstanding: dict[bytes, object] = {}  # identifier -> token, of the present connection
        self._versions = list(versions)
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many packets have arrived and were not taken."""
        return self._waiting

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
                trouble = self._ending()
            except ConnectionFailedError as error:
                trouble = str(error)
            except OutsideError as error:
                if not served:
                    raise
                trouble = str(error)
            finally:
                await self._disconnect()
            pause = pauses.take()
            self.trouble = trouble
            self._events.outage(what="broker", detail=f"{self._address.url}: {trouble}", retry_in=pause)
            down = True
            await asyncio.sleep(pause)

    async def take(self, max_messages: int) -> Batch:
        """Wait for a packet and return all that have arrived, up to a number."""
        while not self._chunks:
            self._arrived.clear()
            await self._arrived.wait()
        await self._read_on(max_messages)
        packets = Packets()
        receipts: list[_Receipt] = []
        while self._chunks and (room := max_messages - len(packets)) > 0:
            chunk = self._chunks[0]
            receipt = chunk.receipt
            if len(chunk.packets) > room and isinstance(receipt, _Acknowledgement):
                part, receipt = chunk.packets.cut(room), receipt.cut(room)
                size = _size(part)
                chunk.size -= size
            elif len(chunk.packets) > room and len(packets):
                break  # what was submitted together is kept together
            else:
                part, size = chunk.packets, chunk.size
                self._chunks.popleft()
            packets.extend(part)
            receipts.append(receipt)
            self._waiting -= len(part)
            self._bytes -= size
        if self._session is not None and not self._is_full(part=0.5):
            self._session.resume()
        return Batch(packets, receipts)

    async def _read_on(self, enough: int) -> None:
        """Let the connection hand over what has arrived on it: a batch costs much the same, small or large.

        It takes a few turns of the event loop, and no time when nothing is there.
        """
        for _ in range(_TURNS):
            if self._waiting >= enough:
                return
            await asyncio.sleep(0)

    async def submit(self, packets: Sequence[Packet]) -> None:
        """Take packets in that did not come from the broker, as if they had arrived now.

        Returns once they are kept.

        Raises:
            OutsideError: the gateway ends before it could keep them.
        """
        if not packets:
            return
        columns = Packets.of(packets)
        columns.arrivals = [self._clock.now()] * len(packets)
        receipt = _Kept()
        self._events.received(len(packets))
        self._queue(_Chunk(columns, receipt, _size(columns)))
        await receipt.done

    def refuse(self, why: str) -> None:
        """Tell those who wait for what they submitted that it will not be kept."""
        for chunk in self._chunks:
            if isinstance(chunk.receipt, _Kept) and not chunk.receipt.done.done():
                chunk.receipt.done.set_exception(OutsideError(why))

    async def _connect(self) -> None:
        preferred, *others = self._versions
        try:
            await self._open(preferred)
        except OtherVersionError as error:
            if not others:
                raise
            await self._disconnect()
            await self._open(others[0])
            if error.said:
                self._versions.reverse()  # until the broker is another one
        self.connected = True
        assert self._session is not None
        await self._session.subscribe(self._filters)
        self.subscribed = True

    async def _open(self, version: int) -> None:
        self._outstanding = {}
        session = self._session = Session(
            self._address,
            client_id=self._client_id,
            keepalive=self._keepalive,
            max_payload=self._max_payload,
            sink=self._receive,
            version=version,
        )
        await session.open()

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

    def _ending(self) -> str:
        ended = self._session.ended if self._session is not None else None
        return f"the connection was lost: {ended}" if ended else "the connection was lost"

    def _receive(self, session: Session, messages: Publishes) -> None:
        """Queue the messages of one read."""
        if session is not self._session:
            return
        if self._needs_a_look(messages):
            messages = self._without_ours_and_doubles(session, messages)
        number = len(messages)
        if not number:
            return
        outstanding, token = self._outstanding, object()
        outstanding.update(dict.fromkeys(messages.identifiers, token))
        flags = messages.flags
        plain = max(flags) & 0x01 == 0 and set(flags) <= {0x30, 0x32}
        packets = Packets(
            messages.topics,
            messages.payloads,
            [self._clock.now()] * number,
            [False] * number if plain else list(map(retained, flags)),
        )
        self._events.received(number)
        receipt = _Acknowledgement(session, outstanding, messages.identifiers, token)
        self._queue(_Chunk(packets, receipt, _size(packets)))
        if self._is_full():
            session.pause()

    def _queue(self, chunk: _Chunk) -> None:
        self._chunks.append(chunk)
        self._waiting += len(chunk.packets)
        self._bytes += chunk.size
        self._arrived.set()

    def _needs_a_look(self, messages: Publishes) -> bool:
        """Say whether one of the messages may be our own, or one that is here already. Rarely one is."""
        return any(map(duplicate, set(messages.flags))) or self._ours.suffix in b"\0".join(messages.topics)

    def _without_ours_and_doubles(self, session: Session, messages: Publishes) -> Publishes:
        """Return the messages that are to be handed over.

        What we sent ourselves is acknowledged; what is sent again because we have not acknowledged it yet is
        still here.
        """
        outstanding, here, left = self._outstanding, set[bytes](), Publishes()
        for topic, payload, identifier, flags in zip(
            messages.topics, messages.payloads, messages.identifiers, messages.flags, strict=True
        ):
            if topic.endswith(self._ours.suffix) and self._ours.is_ours(topic.decode("utf-8", "replace")):
                session.acknowledge([identifier] if identifier else [])
            elif not (identifier and duplicate(flags) and (identifier in outstanding or identifier in here)):
                here.add(identifier)
                left.topics.append(topic)
                left.payloads.append(payload)
                left.identifiers.append(identifier)
                left.flags.append(flags)
        return left

    def _is_full(self, part: float = 1.0) -> bool:
        return self._waiting >= self._max_waiting * part or self._bytes >= MAX_WAITING_BYTES * part


def _size(packets: Packets) -> int:
    return sum(map(len, packets.payloads)) + sum(map(len, packets.topics))
