"""A self test over real MQTT: asked of the device, answered, and what the gateway makes of the answer."""

import pytest
from gateways import Device, gateway, now_ms

pytestmark = pytest.mark.server

MINUTE = 60_000
SUPPLY = {"psu.input_voltage@2": 230.0, "psu.redundant": True}


def break_supply(device, begun):
    """Two good readings, then three minutes of a supply that has mains and is not good."""
    device.measure(begun, {"psu.ok@2": True, **SUPPLY})
    for minute in range(1, 5):
        device.measure(begun + minute * MINUTE, {"psu.ok@2": False, **SUPPLY})


def test_a_failed_self_test_opens_an_order_and_stands_in_it(tmp_path, mosquitto):
    with (
        gateway(tmp_path, mosquitto.url) as running,
        Device(mosquitto.url, "acme/server/srv-1", answer=lambda _: ("failed", {"output_v": 0.4})) as device,
    ):
        begun = now_ms() - 10 * MINUTE
        break_supply(device, begun)
        command = device.wait_command()
        assert set(command) == {"id", "action", "component", "args", "expires"}
        assert (command["action"], command["component"], command["args"]) == ("psu.test", "2", {})
        assert 25 * MINUTE < command["expires"] - now_ms() <= 30 * MINUTE
        assert isinstance(command["id"], str)
        running.wait_metric("forewarn_orders_opened_total", 1)
        (order,) = running.orders()
        assert order["fault"]["code"] == "psu.failed"
        assert order["device"]["component"] == "2"
        (probe,) = order["diagnosis"]["probes"]
        assert (probe["action"], probe["state"]) == ("psu.test", "failed")
        assert probe["at"].endswith("Z")
        assert len(device.commands) == 1


def test_a_passed_self_test_refutes_and_explain_says_so(tmp_path, mosquitto):
    with (
        gateway(tmp_path, mosquitto.url) as running,
        Device(mosquitto.url, "acme/server/srv-1", answer=lambda _: ("passed", {"output_v": 12.1})) as device,
    ):
        break_supply(device, now_ms() - 10 * MINUTE)
        running.wait_metric("forewarn_cases_total{refuted}", 1)
        assert running.orders() == []
        (case,) = running.items("cases")
        assert (case["state"], case["reason"]) == ("refuted", "refuted_by_probe")
        told = running.forewarn("explain", device.name).stdout
        assert "The self test psu.test passed: the part does its work, so no order. [output_v = 12.1]" in told
        assert "no order; because: refuted_by_probe" in told


def test_an_unsupported_self_test_leaves_it_to_time(tmp_path, mosquitto):
    with (
        gateway(tmp_path, mosquitto.url) as running,
        Device(mosquitto.url, "acme/server/srv-1", answer=lambda _: ("unsupported", {})) as device,
    ):
        begun = now_ms() - 60 * MINUTE
        break_supply(device, begun)
        device.wait_command()
        device.wait_taken()
        running.wait_metric("forewarn_messages_processed_total", len(device.sent))
        assert running.orders() == []
        for minute in range(5, 40):
            device.measure(begun + minute * MINUTE, {"psu.ok@2": False, **SUPPLY})
        running.wait_metric("forewarn_orders_opened_total", 1)
        (order,) = running.orders()
        assert order["opened_at"] == running.items("cases")[0]["confirmed_at"]
        assert [probe["state"] for probe in order["diagnosis"]["probes"]] == ["unsupported"]
        told = running.forewarn("explain", device.name).stdout
        assert (
            "The device does not know the self test psu.test; the other ways of confirmation decide." in told
        )
        assert "Confirmed by time: suspected and not cleared for 30m." in told


def test_a_self_test_nobody_answers_is_waited_for_and_then_left(tmp_path, mosquitto):
    with (
        gateway(tmp_path, mosquitto.url, '[orders]\nprobe_deadline = "2s"\n') as running,
        Device(mosquitto.url, "acme/server/srv-1") as device,
    ):
        begun = now_ms() - 60 * MINUTE
        break_supply(device, begun)
        for minute in range(5, 40):
            device.measure(begun + minute * MINUTE, {"psu.ok@2": False, **SUPPLY})
        running.wait_metric("forewarn_orders_opened_total", 1)
        (order,) = running.orders()
        assert [probe["state"] for probe in order["diagnosis"]["probes"]] == ["expired"]
        told = running.forewarn("explain", device.name).stdout
        assert "The device did not answer the self test psu.test by" in told


def test_answers_that_nobody_waits_for_are_put_aside(tmp_path, mosquitto):
    with (
        gateway(tmp_path, mosquitto.url) as running,
        Device(mosquitto.url, "acme/server/srv-1", answer=lambda _: ("running", {})) as device,
        Device(mosquitto.url, "acme/server/srv-2") as stranger,
    ):
        break_supply(device, now_ms() - 10 * MINUTE)
        command = device.wait_command()
        stranger.say("reply", {"id": command["id"], "state": "failed"})
        stranger.say("reply", {"id": "P-NOBODYS", "state": "failed"})
        running.wait_metric("forewarn_messages_quarantined_total{unknown_probe}", 2)
        assert running.orders() == []
        device.say("reply", {"id": command["id"], "state": "failed"})
        running.wait_metric("forewarn_orders_opened_total", 1)
