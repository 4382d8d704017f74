"""One connection to the broker: gmqtt's client, changed where it stands between us and our promises.

gmqtt 0.8 does CONNECT, TLS, keep-alive and SUBSCRIBE. Four things are different here, each in one place:

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
from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTConnectError
from gmqtt.mqtt.package import Package
from gmqtt.mqtt.protocol import MQTTProtocol

from gateway.errors import OutsideError
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.framing import Framer, MalformedPacketError, Publish

CONNECT_SECONDS = 10.0
SUBSCRIBE_SECONDS = 30.0
CLOSE_SECONDS = 1.0

_READ_SIZE = 256 * 1024
_PINGREQ, _PINGRESP = b"\xc0\x00", 0xD0
_REFUSED = 0x80  # return code of a SUBACK (MQTT 3.1.1, 3.9.3)

# A lost connection is ours to report, once and in our words; gmqtt would print its traceback.
logging.getLogger("gmqtt").setLevel(logging.ERROR)

#: Takes the messages of one read, in order.
Sink = Callable[["Session", list[Publish]], None]


class ConnectionFailedError(Exception):
    """The broker cannot be reached, refuses us, or is gone; the message says which."""


class Session:
    """One connection, from CONNECT to its end."""

    def __init__(
        self, address: BrokerAddress, *, client_id: str, keepalive: int, max_payload: int, sink: Sink
    ):
        """Prepare a connection.

        Args:
            address: where to connect.
            client_id: names the persistent session at the broker.
            keepalive: seconds.
            max_payload: bytes; of larger payloads one byte more than this is handed over.
            sink: takes what arrives.
        """
        self._address = address
        self._keepalive = keepalive
        self._opened = False
        self._closed = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._answered = asyncio.Event()  # a ping was
        self._granted: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._client = _OneConnectionClient(
            client_id,
            clean_session=False,
            protocol=partial(
                _Protocol,
                framer=Framer(max_payload),
                reading=self._reading,
                answered=self._answered,
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
                        version=MQTTv311,
                    )
                )
        except TimeoutError:
            raise ConnectionFailedError(f"no answer within {CONNECT_SECONDS:.0f} s") from None
        except OSError as error:
            raise ConnectionFailedError(error.strerror or str(error)) from None
        except MQTTConnectError as error:
            raise ConnectionFailedError(error.message) from None
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
        refused = [
            pattern for pattern, code in zip(filters, granted, strict=False) if code == _REFUSED
        ] + list(filters[len(granted) :])
        if refused:
            raise OutsideError(
                f"the broker at {self._address.url} refuses the subscription to {', '.join(refused)}: "
                "it may not be allowed to this user, or exceed the broker's limits for one session"
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
            self._client.write(b"".join([b"\x40\x02" + identifier for identifier in identifiers]))

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

    def __init__(self, client_id: str, *, clean_session: bool, protocol: Callable[..., "_Protocol"]) -> None:
        super().__init__(client_id, clean_session=clean_session)
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
        answered: asyncio.Event,
        sink: Callable[[list[Publish]], None],
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.reading = reading
        self._answered = answered
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
                if first == _PINGRESP:
                    self._answered.set()
                self._connection.put_package(Package(first, body))
            if messages:
                self._sink(messages)
