"""A self test over real MQTT: asked of the device, answered, and what the gateway makes of the answer."""

import pytest
from gateways import PATIENCE, Device, gateway, now_ms
from servers import start_mosquitto, wait_until

from rules.times import parse_instant

pytestmark = pytest.mark.server

MINUTE = 60_000
SUPPLY = {"psu.input_voltage@2": 230.0, "psu.redundant": True}


def break_supply(device, begun):
    """Two good readings, then three minutes of a supply that has mains and is not good."""
    device.measure(begun, {"psu.ok@2": True, **SUPPLY})
    for minute in range(1, 5):
        device.measure(begun + minute * MINUTE, {"psu.ok@2": False, **SUPPLY})


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One gateway for the devices of all tests."""
    folder = tmp_path_factory.mktemp("probes")
    broker = start_mosquitto(folder / "mosquitto")
    try:
        with gateway(folder, broker.url) as gateway_:
            gateway_.broker = broker.url
            yield gateway_
    finally:
        broker.kill()


def orders_of(running, device):
    return running.items("orders", device=device.name)


def wait_order(running, device):
    """Return a device's order once it has one."""
    (order,) = wait_until(
        lambda: orders_of(running, device), seconds=PATIENCE, what=f"order of {device.name}"
    )
    return order


def wait_processed(running, device):
    """Wait until everything a device sent has been worked out."""
    device.wait_taken()
    device.measure(now_ms(), {"cpu.load": 1})
    device.wait_taken()
    wait_until(
        lambda: running.readings(device.name)[-1][1:] == ("cpu.load", 1),
        seconds=PATIENCE,
        what=f"all of {device.name}",
    )


def test_a_failed_self_test_opens_an_order_and_stands_in_it(running):
    with Device(
        running.broker, "acme/server/broken", answer=lambda _: ("failed", {"output_v": 0.4})
    ) as device:
        break_supply(device, now_ms() - 10 * MINUTE)
        command = device.wait_command()
        assert set(command) == {"id", "action", "component", "args", "expires"}
        assert (command["action"], command["component"], command["args"]) == ("psu.test", "2", {})
        assert 25 * MINUTE < command["expires"] - now_ms() <= 30 * MINUTE
        assert isinstance(command["id"], str)
        order = wait_order(running, device)
        assert order["fault"]["code"] == "psu.failed"
        assert order["device"]["component"] == "2"
        (probe,) = order["diagnosis"]["probes"]
        assert (probe["action"], probe["state"]) == ("psu.test", "failed")
        assert probe["at"].endswith("Z")
        wait_processed(running, device)
        assert len(device.commands) == 1
        assert len(orders_of(running, device)) == 1


def test_a_passed_self_test_refutes_and_explain_says_so(running):
    with Device(
        running.broker, "acme/server/fine", answer=lambda _: ("passed", {"output_v": 12.1})
    ) as device:
        break_supply(device, now_ms() - 10 * MINUTE)
        device.wait_command()
        (case,) = wait_until(
            lambda: running.items("cases", device=device.name, state="refuted"),
            seconds=PATIENCE,
            what="the refuted case",
        )
        assert case["reason"] == "refuted_by_probe"
        assert orders_of(running, device) == []
        told = running.forewarn("explain", device.name).stdout
        assert "The self test psu.test passed: the part does its work, so no order. [output_v = 12.1]" in told
        assert "no order; because: refuted_by_probe" in told


def test_an_unsupported_self_test_leaves_it_to_the_other_ways(running):
    with Device(running.broker, "acme/server/old", answer=lambda _: ("unsupported", {})) as device:
        begun = now_ms() - 60 * MINUTE
        break_supply(device, begun)
        device.wait_command()
        assert orders_of(running, device) == []
        for minute in range(5, 40):
            device.measure(begun + minute * MINUTE, {"psu.ok@2": False, **SUPPLY})
        order = wait_order(running, device)
        assert order["opened_at"] == running.items("cases", device=device.name)[0]["confirmed_at"]
        assert [probe["state"] for probe in order["diagnosis"]["probes"]] == ["unsupported"]
        told = running.forewarn("explain", device.name).stdout
        assert (
            "The device does not know the self test psu.test; the other ways of confirmation decide." in told
        )
        assert (
            "Confirmed by a second signal: max(psu.ok, 30m) == 0 and count(psu.input_voltage, 5m) > 0."
            in told
        )


def test_a_self_test_nobody_answers_is_waited_for_and_then_left(tmp_path, mosquitto):
    with (
        gateway(tmp_path, mosquitto.url, '[orders]\nprobe_deadline = "2s"\n') as running,
        Device(mosquitto.url, "acme/server/mute") as device,
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
        refused = running.forewarn("explain", device.name, "--fault", "psu.failde")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(
            "--fault: expected a fault that is known, got 'psu.failde'; did you mean"
        )
        sheet = running.forewarn("orders", "show", order["order_id"]).stdout
        advised = [line.removeprefix("  First     ") for line in sheet.splitlines() if "  First " in line]
        remedies = order["diagnosis"]["remedies"]
        assert advised == [remedy["action"] for remedy in remedies if remedy["state"] == "proposed"]
        assert len(advised) < len(remedies), "a self test that ran is nothing to do first"


def last_heard(running, device):
    """Return when ``explain`` says that a device was last heard of."""
    first = running.forewarn("explain", device.name).stdout.splitlines()[0]
    return parse_instant(first.rpartition(" ")[2])


def test_explain_says_when_a_device_was_last_heard_of_whether_the_gateway_runs_or_not(tmp_path, mosquitto):
    with (
        gateway(tmp_path, mosquitto.url) as running,
        Device(mosquitto.url, "acme/server/talks") as device,
    ):
        device.measure(now_ms(), {"cpu.load": 1})
        wait_until(lambda: running.readings(device.name), seconds=PATIENCE, what="the first reading")
        again = now_ms()
        device.measure(again, {"cpu.load": 2})
        wait_until(lambda: len(running.readings(device.name)) == 2, seconds=PATIENCE, what="the second")
        told = last_heard(running, device)
        assert told >= again
        listed = running.get(f"/api/v1/devices/{device.name}").json()["last_seen"]
        assert parse_instant(listed) == told
        assert parse_instant(running.items("devices")[0]["last_seen"]) == told
        running.terminate()
        assert last_heard(running, device) == told


def test_answers_that_nobody_waits_for_are_put_aside(running):
    counter = "forewarn_messages_quarantined_total{unknown_probe}"
    before = running.metric(counter)
    with (
        Device(running.broker, "acme/server/asked", answer=lambda _: ("running", {})) as device,
        Device(running.broker, "acme/server/unasked") as stranger,
    ):
        break_supply(device, now_ms() - 10 * MINUTE)
        command = device.wait_command()
        stranger.say("reply", {"id": command["id"], "state": "failed"})
        stranger.say("reply", {"id": "P-NOBODYS", "state": "failed"})
        running.wait_metric(counter, before + 2)
        assert orders_of(running, device) == []
        device.say("reply", {"id": command["id"], "state": "failed"})
        wait_order(running, device)
        assert running.metric(counter) == before + 2


def test_an_answer_that_comes_when_its_case_is_over(running):
    with Device(running.broker, "acme/server/slow") as device:
        begun = now_ms() - 120 * MINUTE
        break_supply(device, begun)
        first = device.wait_command()
        for minute in range(5, 20):
            device.measure(begun + minute * MINUTE, {"psu.ok@2": True, **SUPPLY})
        break_supply(device, begun + 20 * MINUTE)
        second = device.wait_command(2)
        assert second["id"] != first["id"]
        device.say("reply", {"id": first["id"], "state": "failed"})
        device.say("reply", {"id": second["id"], "state": "passed"})
        wait_processed(running, device)
        assert [case["state"] for case in running.items("cases", device=device.name)] == [
            "refuted",
            "cleared",
        ]
        assert orders_of(running, device) == []
        assert [
            first["id"] in row["detail"]
            for row in running.items("quarantine", reason="unknown_probe")
            if device.name in row["topic"]
        ] == [True], "an answer that came too late to be waited for is put aside"
