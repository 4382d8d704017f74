"""Commands to devices, by aiomqtt (asyncio-mqtt under its present name)."""

import asyncio
import json
import logging

import aiomqtt

from diagnostics.case import Command
from gateway.errors import OutsideError
from gateway.events import Events
from gateway.mqtt.addresses import BrokerAddress
from gateway.pauses import FIRST_PAUSE, Pauses
from gateway.wire.topics import Leaf, format_topic
from rules.symbols import DeviceId

#: How long a command waits for the connection, and then for the broker's acknowledgement, in seconds.
SEND_SECONDS = 10.0

# It warns of more than ten publications at once, which a start after an outage has, and calls a connection
# that was reset an error; losses are ours to report, once and as a line of the log.
logging.getLogger("mqtt").setLevel(logging.CRITICAL)


class MqttCommander:
    """Publishes commands on a connection of its own, so that they never wait behind telemetry.

    `run` keeps the connection; `send` uses it.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        root: str,
        events: Events,
        keepalive: int = 60,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """Prepare the commander.

        Args:
            address: the broker.
            client_id: the gateway's; ``-commands`` is appended.
            root: first levels of the topics.
            events: is told of losses.
            keepalive: seconds.
            first_pause: seconds before the second attempt to connect; later ones wait longer, up to 30 s.
        """
        self._address = address
        self._client_id = f"{client_id}-commands"
        self._root = root
        self._events = events
        self._keepalive = keepalive
        self._first_pause = first_pause
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        pauses = Pauses(self._first_pause)
        while True:
            client = aiomqtt.Client(
                self._address.host,
                self._address.port,
                username=self._address.username,
                password=self._address.password,
                identifier=self._client_id,
                tls_context=self._address.tls_context(),
                keepalive=self._keepalive,
            )
            trouble = "the connection was lost"
            try:
                async with client:
                    self._client = client
                    self._connected.set()
                    pauses.reset()
                    async for _ in client.messages:
                        pass  # nothing is subscribed; the iteration ends with the connection
            except aiomqtt.MqttError as error:
                trouble = str(error)
            finally:
                self._connected.clear()
                self._client = None
            pause = pauses.take()
            self._events.outage(
                what="broker_commands", detail=f"{self._address.url}: {trouble}", retry_in=pause
            )
            await asyncio.sleep(pause)

    async def send(self, command: Command) -> None:
        """Publish a command with QoS 1; return once the broker has it.

        Raises:
            OutsideError: the broker is not there; the same call may be made again.
        """
        device = DeviceId(command.tenant, command.device_class, command.device)
        body = {
            "id": command.id,
            "action": command.action,
            "component": command.component,
            "args": command.args,
            "expires": command.expires,
        }
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._connected.wait()
            client = self._client
            if client is None:
                raise aiomqtt.MqttError("the connection was lost")  # noqa: TRY301  (told below like the rest)
            topic = format_topic(self._root, device, Leaf.COMMAND)
            await client.publish(topic, json.dumps(body), qos=1, timeout=SEND_SECONDS)
        except (aiomqtt.MqttError, TimeoutError) as error:
            raise OutsideError(
                f"command {command.id} to {device} not sent: {self._address.url}: {error or 'no connection'}"
            ) from None
