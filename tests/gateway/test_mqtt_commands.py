import asyncio
import contextlib
import json

import aiomqtt
import pytest
from servers import free_port

from diagnostics.case import Command
from gateway.errors import OutsideError
from gateway.events import Events
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.commands import MqttCommander

pytestmark = pytest.mark.server

COMMAND = Command(
    tenant="acme",
    device_class="server",
    device="srv-1",
    id="probe-1",
    action="disk.self_test",
    component="sda",
    args={"kind": "short"},
    expires=1_767_225_600_000,
)


@contextlib.asynccontextmanager
async def commanding(url, events=None):
    commander = MqttCommander(
        BrokerAddress.of(url), client_id="gateway-1", root="fw", events=events or Events(), first_pause=0.05
    )
    running = asyncio.create_task(commander.run())
    try:
        yield commander
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_a_command_reaches_its_device_in_the_contracts_words(mosquitto):
    async with (
        asyncio.timeout(20),
        aiomqtt.Client("127.0.0.1", mosquitto.port) as device,
        commanding(mosquitto.url) as commander,
    ):
        await device.subscribe("fw/acme/server/srv-1/command", qos=1)
        await commander.send(COMMAND)
        message = await anext(aiter(device.messages))
        assert message.qos == 1
        assert not message.retain
        assert json.loads(message.payload) == {
            "id": "probe-1",
            "action": "disk.self_test",
            "component": "sda",
            "args": {"kind": "short"},
            "expires": 1_767_225_600_000,
        }


async def test_without_a_broker_it_says_so_and_may_be_tried_again(monkeypatch):
    monkeypatch.setattr("gateway.mqtt.commands.SEND_SECONDS", 0.2)
    events = Events()
    async with commanding(f"mqtt://127.0.0.1:{free_port()}", events) as commander:
        for _ in range(2):
            with pytest.raises(OutsideError, match="command probe-1 to acme/server/srv-1 not sent"):
                await commander.send(COMMAND)
    assert events.registry.get_sample_value("forewarn_outages_total", {"what": "broker_commands"}) >= 1


async def test_after_a_restart_of_the_broker_commands_go_out_again(mosquitto):
    async with asyncio.timeout(30), commanding(mosquitto.url) as commander:
        await commander.send(COMMAND)
        await asyncio.to_thread(mosquitto.restart)
        while True:
            try:
                await commander.send(COMMAND)
                break
            except OutsideError:
                await asyncio.sleep(0.05)
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as device:
            await device.subscribe("fw/acme/server/srv-1/command", qos=1)
            await commander.send(COMMAND)
            assert json.loads((await anext(aiter(device.messages))).payload)["id"] == "probe-1"
