"""The agent's connection to the broker: a thread of its own, so that measuring never waits for it."""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from gateway.mqtt.addresses import BrokerAddress
from gateway.wire.topics import Leaf, format_topic
from rules.symbols import DeviceId

log = structlog.get_logger("forewarn.agent")

KEEPALIVE_SECONDS = 60
#: Messages kept while the broker is away: forty hours of readings at one each half minute.
BACKLOG = 5_000
#: Messages handed to the broker that it need not yet have acknowledged.
_WINDOW = 20
_TURN_SECONDS = 0.1
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
_FAREWELL_SECONDS = 2.0


class _Message(NamedTuple):
    leaf: Leaf
    payload: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """Where the agent connects, and as whom.

    Attributes:
        root: first levels of the topics.
        persistent: the broker keeps our session, with commands that come while we are away, and publishes
            our will. Without, we come, say something and leave.
    """

    address: BrokerAddress
    device: DeviceId
    root: str = "fw"
    persistent: bool = True

    @property
    def client_id(self) -> str:
        """What the broker knows the session by."""
        return f"forewarn-agent-{'-'.join(self.device)}{'' if self.persistent else '-once'}"


class Publisher:
    """Sends what it is given, in order and with QoS 1, keeps it while the broker is away, and hears commands.

    `say`, `state` and `leave` may be called from any thread; paho's client belongs to ours.

    Attributes:
        trouble: why there is no connection, ``""`` while there is one.
    """

    def __init__(
        self,
        link: Link,
        *,
        on_command: Callable[[bytes], None] = lambda _: None,
        on_idle: Callable[[], None] = lambda: None,
        backlog: int = BACKLOG,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """Prepare it; `start` connects.

        Args:
            link: where to, and as whom.
            on_command: is called with a command's payload, in our thread.
            on_idle: is called when the broker has all that was said, in our thread.
            backlog: messages kept while the broker is away.
            first_pause: bound of the first pause between attempts, s.
        """
        self.trouble = "not connected yet"
        self._link = link
        self._on_command = on_command
        self._on_idle = on_idle
        self._first_pause = self._pause = first_pause
        self._waiting: deque[_Message] = deque()
        self._backlog = backlog
        self._dropped = 0
        self._facts: bytes | None = None
        self._lock = threading.Lock()
        self._flying: set[int] = set()
        self._ready = False
        self._refused = False
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._client = self._new_client()

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def say(self, leaf: Leaf, document: object) -> None:
        """Send a message, or keep it until the broker is there; of too many the oldest are dropped."""
        with self._lock:
            self._waiting.append(_Message(leaf, encode(document)))
            if len(self._waiting) > self._backlog:
                self._waiting.popleft()
                self._dropped += 1
                if self._dropped == 1:
                    log.warning("backlog_full", kept=self._backlog, detail="the oldest messages are dropped")

    def state(self, facts: dict[str, object]) -> None:
        """State facts, now and at each connection; only the latest count."""
        with self._lock:
            self._facts = encode(facts)
            if self._ready:
                self._waiting.append(_Message(Leaf.FACTS, self._facts))

    def leave(self) -> None:
        """Send what can still be sent, say that the device is offline, disconnect; at most two seconds."""
        self._leaving.set()
        if self._thread.is_alive():
            self._thread.join(_FAREWELL_SECONDS + 1)

    # -- our thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._leaving.is_set():
            if self._connect():
                self._serve()
            if not self._leaving.is_set():
                self._rest()
        if self._ready:
            self._farewell()

    def _connect(self) -> bool:
        address = self._link.address
        try:
            self._client.connect(address.host, address.port, keepalive=KEEPALIVE_SECONDS)
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            self.trouble = str(error) or type(error).__name__
            return False
        return True

    def _serve(self) -> None:
        """Drive the connection until it is lost or we leave."""
        while not self._leaving.is_set():
            self._hand_over()
            code = self._client.loop(_TURN_SECONDS)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                if self._ready or not self.trouble:
                    self.trouble = f"the connection was lost: {mqtt.error_string(code)}"
                self._ready = False
                return
            if self._refused:
                self._refused = False
                self._client.disconnect()

    def _rest(self) -> None:
        """Wait before the next attempt: full jitter, so that a fleet does not come back all at once.

        A random time up to a bound that doubles with each failure (AWS Architecture Blog, "Exponential
        backoff and jitter", 2015).
        """
        pause = random.uniform(0, self._pause)  # noqa: S311  (no secret; spreads attempts)
        log.warning(
            "broker_away", broker=self._link.address.url, detail=self.trouble, retry_in=round(pause, 1)
        )
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._leaving.wait(pause)

    def _hand_over(self) -> None:
        while self._ready and len(self._flying) < _WINDOW:
            with self._lock:
                if not self._waiting:
                    return
                message = self._waiting.popleft()
            self._publish(message.leaf, message.payload)

    def _publish(self, leaf: Leaf, payload: bytes) -> None:
        retained = leaf in (Leaf.FACTS, Leaf.STATUS)
        sent = self._client.publish(self._topic(leaf), payload, qos=1, retain=retained)
        self._flying.add(sent.mid)

    def _farewell(self) -> None:
        deadline = time.monotonic() + _FAREWELL_SECONDS
        said = not self._link.persistent
        while time.monotonic() < deadline and self._ready:
            self._hand_over()
            if not said and not self._waiting:
                self._publish(Leaf.STATUS, encode({"online": False}))
                said = True
            if said and not self._flying:
                break
            self._ready = self._client.loop(_TURN_SECONDS) == MQTTErrorCode.MQTT_ERR_SUCCESS
        if said and not self._flying:
            self._client.disconnect()  # else the connection just ends, and the will speaks for us
            self._client.loop(_TURN_SECONDS)

    # -- paho -----------------------------------------------------------------------------------------

    def _new_client(self) -> mqtt.Client:
        link = self._link
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=link.client_id,
            clean_session=not link.persistent,
            reconnect_on_failure=False,
        )
        if link.persistent:
            client.will_set(self._topic(Leaf.STATUS), encode({"online": False}), qos=1, retain=True)
        if link.address.username is not None:
            client.username_pw_set(link.address.username, link.address.password)
        context = link.address.tls_context()
        if context is not None:
            client.tls_set_context(context)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._heard
        client.on_publish = self._taken
        return client

    def _connected(self, client: mqtt.Client, _data: object, _flags: object, reason: Any, _: object) -> None:
        if reason.is_failure:
            self.trouble = f"the broker refuses: {reason}"
        elif self._link.persistent:
            client.subscribe(self._topic(Leaf.COMMAND), qos=1)
        else:
            self._begin()

    def _subscribed(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: list[Any], _properties: object
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.trouble = f"the broker refuses a subscription to {self._topic(Leaf.COMMAND)}"
            self._refused = True
        else:
            self._begin()

    def _begin(self) -> None:
        """Introduce the device; what was kept follows."""
        self.trouble = ""
        self._pause = self._first_pause
        with self._lock:
            kept, dropped, self._dropped = len(self._waiting), self._dropped, 0
            facts = self._facts
            self._ready = True
        log.info("broker_connected", broker=self._link.address.url, kept=kept, dropped=dropped)
        if self._link.persistent:
            if facts is not None:
                self._publish(Leaf.FACTS, facts)
            self._publish(Leaf.STATUS, encode({"online": True}))

    def _heard(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self._on_command(bytes(message.payload))

    def _taken(
        self, _client: mqtt.Client, _data: object, mid: int, _reason: object, _properties: object
    ) -> None:
        self._flying.discard(mid)
        if not self._flying and not self._waiting:
            self._on_idle()

    def _topic(self, leaf: Leaf) -> str:
        return format_topic(self._link.root, self._link.device, leaf)


def encode(document: object) -> bytes:
    """Return a document as it goes out."""
    return json.dumps(document, separators=(", ", ": "), allow_nan=False).encode()
