"""One simulated device's own MQTT connection: what it says, what it is told, what it keeps meanwhile."""

from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from gateway.wire.topics import Leaf, format_topic
from rules.times import parse_instant
from simulators.device import Command, Device, Reply, Telemetry

KEEPALIVE_S = 30
#: Readings kept while the broker is away; the oldest are lost first.
BACKLOG = 2_000
#: Readings in one message of a backlog.
_CHUNK = 50
#: Pauses between attempts to connect, s: grow from the first to the second.
_PAUSE_S = (0.5, 30.0)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the fleet connects to."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> "Broker":
        """Return the broker that ``mqtt://[USER[:PASSWORD]@]HOST[:PORT]`` or ``mqtts://...`` names.

        Raises:
            ValueError: it is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError(f"expected mqtt://HOST:PORT or mqtts://HOST:PORT, got {url!r}")
        tls = parts.scheme == "mqtts"
        return cls(
            host=parts.hostname,
            port=parts.port or (8883 if tls else 1883),
            tls=tls,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


class _CommandDocument(msgspec.Struct):
    """A command as the contract spells it."""

    id: str
    action: str
    component: str | None = None
    expires: int | float | str | None = None


class Connection:
    """A device at the broker. All methods but `dial` are called by one thread, the fleet's loop.

    Attributes:
        ready: connected, and the broker granted the subscription to commands.
        commands: commands that arrived and wait to be answered.
        retry_at: monotonic time of the next attempt to connect, s.
        published: messages handed to the broker.
        trouble: why the last attempt or connection failed, ``""`` when it did not.
    """

    def __init__(self, device: Device, broker: Broker, root: str) -> None:
        self.device = device
        self.ready = False
        self.commands: deque[Command] = deque()
        self.retry_at = 0.0
        self.published = 0
        self.trouble = ""
        self._broker = broker
        self._pause_s = _PAUSE_S[0]
        self._jitter = np.random.default_rng(device.identity.seed)
        self._backlog: deque[Telemetry] = deque(maxlen=BACKLOG)
        self._replies: deque[Reply] = deque(maxlen=100)
        self._in_flight: set[int] = set()
        self._topics = {leaf: format_topic(root, device.id, leaf) for leaf in Leaf}
        self.client = self._new_client()

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id="sim-" + "-".join(self.device.id),
            clean_session=True,
            reconnect_on_failure=False,
        )
        client.will_set(self._topics[Leaf.STATUS], _encode({"online": False}), qos=1, retain=True)
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls:
            client.tls_set()
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    # -- connecting -----------------------------------------------------------------------------------

    def dial(self) -> bool:
        """Open the connection; may block for seconds, so a thread of its own calls it.

        Returns:
            Whether the broker was reached; it has still to accept.
        """
        try:
            self.client.connect(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S)
        except (OSError, ValueError) as error:
            self.trouble = str(error) or type(error).__name__
            return False
        return True

    def later(self, now: float) -> None:
        """Plan the next attempt after a failed one: pauses grow, and no two devices keep in step."""
        self.retry_at = now + self._pause_s * float(self._jitter.uniform(0.5, 1.5))
        self._pause_s = min(2 * self._pause_s, _PAUSE_S[1])

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        if reason.is_failure:
            self.trouble = f"connection refused: {reason}"
        else:
            client.subscribe(self._topics[Leaf.COMMAND], qos=1)

    def _on_subscribe(
        self, client: mqtt.Client, _data: object, _mid: int, reasons: list[Any], _properties: object
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.trouble = f"subscription refused: {self._topics[Leaf.COMMAND]}"
            client.disconnect()
            return
        self.ready = True
        self.trouble = ""
        self._pause_s = _PAUSE_S[0]

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        self.ready = False
        self.trouble = self.trouble or f"connection lost: {reason}"

    # -- talking --------------------------------------------------------------------------------------

    def introduce(self) -> None:
        """Say who the device is and that it is there; both stay with the broker."""
        self._publish(Leaf.FACTS, self.device.facts(), retain=True)
        self._publish(Leaf.STATUS, {"online": True}, retain=True)

    def keep(self, readings: list[Telemetry]) -> None:
        """Take readings to be sent; when there are too many the oldest are lost."""
        self._backlog.extend(readings)

    def keep_replies(self, replies: list[Reply]) -> None:
        """Take replies to be sent."""
        self._replies.extend(replies)

    def flush(self) -> None:
        """Send what was kept, oldest first: one reading as an object, several as a list."""
        while self.ready and self._backlog:
            chunk = [self._backlog.popleft() for _ in range(min(_CHUNK, len(self._backlog)))]
            documents = [{"ts": reading.ts, "values": reading.values} for reading in chunk]
            self._publish(Leaf.TELEMETRY, documents[0] if len(documents) == 1 else documents)
        while self.ready and self._replies:
            self._publish(Leaf.REPLY, self._replies.popleft()._asdict())

    def farewell(self) -> None:
        """Say that the device goes off on purpose."""
        if self.ready:
            self.flush()
            self._publish(Leaf.STATUS, {"online": False}, retain=True)

    @property
    def unacknowledged(self) -> bool:
        """Whether something was sent that the broker has not yet taken over."""
        return bool(self._in_flight)

    def _publish(self, leaf: Leaf, document: object, *, retain: bool = False) -> None:
        sent = self.client.publish(self._topics[leaf], _encode(document), qos=1, retain=retain)
        self._in_flight.add(sent.mid)
        self.published += 1

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, _reason: object, _properties: object
    ) -> None:
        self._in_flight.discard(mid)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        command = read_command(message.payload)
        if command is not None:
            self.commands.append(command)

    # -- the socket -----------------------------------------------------------------------------------

    def read(self) -> None:
        """Take in what the broker sent."""
        self.client.loop_read()
        self.write()

    def write(self) -> None:
        """Send on what the socket did not take at once."""
        if self.client.want_write():
            self.client.loop_write()

    def breathe(self) -> None:
        """Send what a full socket did not take; ping; notice when the broker has gone silent."""
        self.write()
        self.client.loop_misc()

    def close(self) -> None:
        """End the connection so that the broker does not publish the will."""
        if self.client.disconnect() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.write()


def read_command(payload: bytes | bytearray) -> Command | None:
    """Return the command in a message, None when it is none that could be answered."""
    try:
        document = msgspec.json.decode(payload, type=_CommandDocument)
        expires = None if document.expires is None else parse_instant(document.expires)
    except (msgspec.DecodeError, ValueError):
        return None
    return Command(document.id, document.action, document.component or "", expires)
