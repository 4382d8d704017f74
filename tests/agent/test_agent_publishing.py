"""What is kept while there is no broker."""

import asyncio
import json

import paho.mqtt.client as paho
import pytest
import structlog
from servers import free_port, wait_until

from gateway.agent.agent import Agent, Periods
from gateway.agent.publishing import Link, Publisher
from gateway.errors import OutsideError
from gateway.mqtt.addresses import BrokerAddress
from gateway.wire.topics import Leaf
from rules.symbols import DeviceId

DEVICE = DeviceId("acme", "pc", "pc-1")


@pytest.mark.server
def test_of_too_many_messages_the_oldest_are_dropped_and_counted(mosquitto):
    publisher = Publisher(Link(BrokerAddress.of(mosquitto.url), DEVICE), backlog=3)
    with structlog.testing.capture_logs() as logs:
        for number in range(8):
            publisher.say(Leaf.TELEMETRY, {"number": number})
        assert [line["event"] for line in logs] == ["backlog_full"]
        heard = Listener(mosquitto.url)
        publisher.start()
        wait_until(lambda: len(heard.numbers) >= 3, what="what was kept")
        publisher.leave()
    assert heard.numbers == [5, 6, 7]
    (connected,) = [line for line in logs if line["event"] == "broker_connected"]
    assert (connected["kept"], connected["dropped"]) == (3, 5)
    heard.close()


class Listener:
    """The numbers in a device's telemetry."""

    def __init__(self, url):
        self.numbers, subscribed = [], []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(f"fw/{DEVICE}/telemetry", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.append(True)
        self._client.on_message = lambda _, __, m: self.numbers.append(json.loads(m.payload)["number"])
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self._client.connect(host, int(port))
        self._client.loop_start()
        wait_until(lambda: subscribed, what="the subscription")

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


async def test_a_single_report_without_a_broker_fails_with_its_name():
    port = free_port()
    link = Link(BrokerAddress.of(f"mqtt://127.0.0.1:{port}"), DEVICE, persistent=False)
    with pytest.raises(OutsideError, match=f"127.0.0.1:{port}.*refused"):
        await Agent(Periods(30, 30)).report_once(link, asyncio.Event(), patience=0.5)
