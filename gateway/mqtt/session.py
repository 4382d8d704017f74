"""One connection to the broker: gmqtt's client, changed where it stands between us and our promises.

gmqtt 0.8 does CONNECT, TLS, keep-alive and SUBSCRIBE, in MQTT 3.1.1 and 5. Four things are different here,
each in one place:

- A message is acknowledged when we say so. gmqtt acknowledges MQTT 3.1.1 messages before they are handled.
- Reading stops while `pause` holds. gmqtt reads as fast as the broker sends.
- A packet costs memory in proportion to what of it is used. gmqtt joins the pieces of a large packet anew
  with every read, so one message of 256 MB, mosquitto's limit, would keep it busy for hours.
- A lost connection stays lost; the receiver opens a new one. gmqtt reconnects with a fixed pause, without
  its subscriptions being confirmed again, and would acknowledge old messages on the new connection.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from ssl import SSLContext
from typing import Any

from gmqtt import Client, Subscription
from gmqtt.mqtt.connection import MQTTConnection
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.mqtt.handler import MQTTConnectError
from gmqtt.mqtt.package import Package
from gmqtt.mqtt.protocol import MQTTProtocol

from gateway.errors import OutsideError
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.framing import Framer, MalformedPacketError, Publishes
from gateway.mqtt.refusals import LEAST_REFUSAL, closed, refusal

CONNECT_SECONDS = 10.0
SUBSCRIBE_SECONDS = 30.0
CLOSE_SECONDS = 1.0

_READ_SIZE = 256 * 1024
_PINGREQ = b"\xc0\x00"
_CONNACK, _PINGRESP, _DISCONNECT = 0x20, 0xD0, 0xE0
_OTHER_VERSION = (1, 132)  # CONNACK: unacceptable protocol version, in MQTT 3.1.1 and in 5

#: What the broker may have on its way unacknowledged, where MQTT 5 lets us say it: the most there is. Its own
#: limit (mosquitto's max_inflight_messages is 20) would make every commit wait for a round trip of 20.
_RECEIVE_MAXIMUM = 65_535
_NEVER = 0xFFFF_FFFF  # session expiry interval: the broker keeps the session for as long as it keeps any

#: Why a broker of MQTT 5 ends a connection (3.14.2), where a person can do something about it.
_ENDINGS = {
    0x87: "not authorised any more",
    0x89: "the broker is busy",
    0x8B: "the broker is shutting down",
    0x8D: "the broker heard nothing within the keep-alive",
    0x8E: "another client has connected with the same broker.client_id",
    0x93: "the broker counts more unacknowledged messages than were agreed on",
    0x95: "a packet was larger than the broker takes",
    0x97: "a quota of the broker is exceeded",
    0x98: "ended by the broker's administrator",
}

# A lost connection is ours to report, once and in our words; gmqtt would print its traceback.
logging.getLogger("gmqtt").setLevel(logging.ERROR)

#: Takes the messages of one read, in order.
Sink = Callable[["Session", Publishes], None]


class ConnectionFailedError(Exception):
    """The broker cannot be reached, refuses us, or is gone; the message says which."""


class OtherVersionError(ConnectionFailedError):
    """The broker does not speak this version of MQTT, or did not answer to it.

    Attributes:
        said: it said so.
    """

    def __init__(self, text: str, *, said: bool) -> None:
        super().__init__(text)
        self.said = said


class Session:
    """One connection, from CONNECT to its end.

    Attributes:
        ended: why the broker ended it, where it said so.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        keepalive: int,
        max_payload: int,
        sink: Sink,
        version: int = MQTTv311,
    ):
        """Prepare a connection.

        Args:
            address: where to connect.
            client_id: names the persistent session at the broker.
            keepalive: seconds.
            max_payload: bytes; of larger payloads one byte more than this is handed over.
            sink: takes what arrives.
            version: of MQTT, 4 for 3.1.1 or 5.
        """
        self.ended: str | None = None
        self._version = version
        self._address = address
        self._keepalive = keepalive
        self._opened = False
        self._closed = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._answered = asyncio.Event()  # a ping was
        self._answer: int | None = None  # of the CONNACK
        self._granted: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._client = _OneConnectionClient(
            client_id,
            version=version,
            protocol=partial(
                _Protocol,
                framer=Framer(max_payload, version),
                reading=self._reading,
                other=self._other,
                sink=partial(sink, self),
            ),
        )
        self._client.on_disconnect = self._lost
        self._client.on_subscribe = self._subscribed
        if address.username is not None:
            self._client.set_auth_credentials(address.username, address.password)

    async def open(self) -> None:
        """Connect.

        Raises:
            OtherVersionError: not with this version of MQTT.
            ConnectionFailedError: the broker cannot be reached or refuses us.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._unless_closed(
                    self._client.connect(
                        self._address.host,
                        self._address.port,
                        ssl=self._address.tls_context() or False,
                        keepalive=self._keepalive,
                        version=self._version,
                    )
                )
        except TimeoutError:
            raise ConnectionFailedError(f"no answer within {CONNECT_SECONDS:.0f} s") from None
        except OSError as error:
            raise ConnectionFailedError(error.strerror or str(error)) from None
        except MQTTConnectError as error:
            raise ConnectionFailedError(error.message) from None
        except ConnectionFailedError as error:
            if self._answer is None or self._answer in _OTHER_VERSION:
                # Who does not know MQTT 5 should say so, but some just close the connection.
                raise OtherVersionError(str(error), said=self._answer is not None) from None
            raise
        self._opened = True

    async def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe with QoS 1 and wait for the broker's word on each filter.

        Raises:
            OutsideError: the broker refuses a filter.
            ConnectionFailedError: the connection was lost, or nothing was answered.
        """
        self._client.subscribe([Subscription(pattern, qos=1) for pattern in filters])
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                granted = await self._unless_closed(self._granted)
        except TimeoutError:
            raise ConnectionFailedError(
                f"subscription not confirmed within {SUBSCRIBE_SECONDS:.0f} s"
            ) from None
        except ConnectionFailedError:
            raise ConnectionFailedError(closed(filters)) from None
        codes = [*granted, *[LEAST_REFUSAL] * (len(filters) - len(granted))]
        refused = {
            pattern: code for pattern, code in zip(filters, codes, strict=True) if code >= LEAST_REFUSAL
        }
        if refused:
            raise OutsideError(refusal(self._address.url, refused, filters))
        if 0 in codes:
            pattern = filters[codes.index(0)]
            raise OutsideError(
                f"the broker at {self._address.url} grants {pattern} with QoS 0 only: what is sent while the "
                "gateway is away would be lost"
            )

    async def wait_closed(self) -> None:
        """Wait until the connection is gone."""
        await self._closed.wait()

    @property
    def open_now(self) -> bool:
        """Whether the connection stands."""
        return self._opened and not self._closed.is_set()

    def pause(self) -> None:
        """Stop reading; what the broker has sent waits in the sockets, then at the broker."""
        self._reading.clear()

    def resume(self) -> None:
        """Go on reading."""
        self._reading.set()

    def acknowledge(self, identifiers: Sequence[bytes]) -> None:
        """Send a PUBACK for each packet identifier; nothing when the connection is gone."""
        if identifiers and self.open_now:
            self._client.write(b"\x40\x02" + b"\x40\x02".join(identifiers))

    async def close(self) -> None:
        """Say goodbye and close, once the broker has read our last acknowledgements.

        mosquitto drops what it has not read when the connection ends behind it, so its answer to a ping is
        awaited first.
        """
        if self.open_now:
            self.resume()
            self._answered.clear()
            self._client.write(_PINGREQ)
            with contextlib.suppress(TimeoutError, ConnectionFailedError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._unless_closed(self._answered.wait())
        self._closed.set()
        await self._client.disconnect()

    def _other(self, first: int, body: bytes) -> None:
        """Look at a packet that is not a message before gmqtt does."""
        if first == _PINGRESP:
            self._answered.set()
        elif first == _CONNACK and len(body) >= 2:
            self._answer = body[1]
        elif first == _DISCONNECT and body:
            self.ended = _ENDINGS.get(body[0], f"the broker ended it with code {body[0]:#x}")

    def _lost(self, _client: object, _packet: object, _error: object = None) -> None:
        self._closed.set()

    def _subscribed(
        self, _client: object, _identifier: int, granted: Sequence[int], _properties: object
    ) -> None:
        if not self._granted.done():
            self._granted.set_result(granted)

    async def _unless_closed(self, awaitable: Any) -> Any:
        """Await something that the loss of the connection would leave waiting for ever."""
        work = asyncio.ensure_future(awaitable)
        loss = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait((work, loss), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ConnectionFailedError("the broker closed the connection")
            return work.result()
        finally:
            work.cancel()
            loss.cancel()


class _OneConnectionClient(Client):  # type: ignore[misc]  # gmqtt has no types
    """gmqtt's client without its own ways to come back."""

    def __init__(self, client_id: str, *, version: int, protocol: Callable[..., "_Protocol"]) -> None:
        properties = (
            {"receive_maximum": _RECEIVE_MAXIMUM, "session_expiry_interval": _NEVER}
            if version == MQTTv50
            else {}
        )
        super().__init__(client_id, clean_session=False, **properties)
        self._protocol_of_ours = protocol

    async def reconnect(self, delay: bool = False) -> None:
        """Do nothing: a lost connection is the receiver's affair."""

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._connection.send_package(data)

    async def _create_connection(
        self, host: str, port: int, ssl: SSLContext | bool, clean_session: bool, keepalive: int
    ) -> MQTTConnection:
        protocol = partial(
            self._protocol_of_ours,
            connection_state=self._connection_state,
            id_generator=self._package_handler.id_generator,
        )
        transport, made = await asyncio.get_running_loop().create_connection(protocol, host, port, ssl=ssl)
        return _Connection(
            transport,
            made,
            clean_session,
            keepalive,
            package_handler=self._package_handler,
            logger=self._logger,
        )


class _Connection(MQTTConnection):  # type: ignore[misc]  # gmqtt has no types
    """gmqtt's connection, which does not take our not reading for the broker's silence."""

    def heard(self) -> None:
        """Note that the broker is alive."""
        self._last_data_in = time.monotonic()

    def _keep_connection(self) -> None:
        if not self._protocol.reading.is_set():
            self.heard()
        super()._keep_connection()


class _Protocol(MQTTProtocol):  # type: ignore[misc]  # gmqtt has no types
    """gmqtt's protocol with a reader of our own: messages to the sink, all other packets to gmqtt."""

    def __init__(
        self,
        *,
        framer: Framer,
        reading: asyncio.Event,
        other: Callable[[int, bytes], None],
        sink: Callable[[Publishes], None],
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.reading = reading
        self._other = other
        self._framer = framer
        self._sink = sink

    async def _read_loop(self) -> None:
        await self._connected.wait()
        while self._connected.is_set():
            await self.reading.wait()
            try:
                data = await self.read(_READ_SIZE)
                if self._transport.is_closing():
                    return
                self._connection.heard()
                messages, others = self._framer.feed(data)
            except ConnectionResetError:
                return
            except MalformedPacketError:
                self._transport.abort()
                return
            for first, body in others:
                self._other(first, body)
                self._connection.put_package(Package(first, body))
            if messages:
                self._sink(messages)
