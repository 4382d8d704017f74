"""What could not be used goes in again after a fix; a device that comes and goes is told of."""

import json

import pytest
from gateways import PATIENCE, Device, gateway, now_ms, write_config
from servers import publish, wait_until

pytestmark = pytest.mark.server

NAME = "acme/server/srv-1"


def test_a_retry_after_the_fix_makes_readings_of_it(tmp_path, mosquitto):
    begun = now_ms() - 60_000
    body = json.dumps({"ts": begun, "values": {"fan.rpm@1": 1000.0, "cpu.load": 5.0}})
    with gateway(tmp_path, mosquitto.url) as running:
        publish(mosquitto.url, [(f"fw/lyon/{NAME}/telemetry", body), (f"fw/{NAME}/telemetry", "never JSON")])
        rows = wait_until(
            lambda: len(found := running.items("quarantine")) == 2 and found,
            seconds=PATIENCE,
            what="two rows",
        )
        assert [row["reason"] for row in rows] == ["malformed_json", "bad_topic"]
        assert [row["number"] for row in running.items("quarantine", topic="fw/acme/#")] == [2]
        assert running.items("quarantine", topic="fw/other/#") == []

        # Asked while it runs and before the fix: refused again, as a row of its own.
        assert running.forewarn("quarantine", "retry", "1").returncode == 0
        running.wait_metric("forewarn_quarantine_resubmitted_total", 1)
        numbers = [row["number"] for row in running.items("quarantine", reason="bad_topic")]
        assert numbers == [3, 1]

        # Asked while it is down; taken by the next one, which has the fix.
        running.terminate()
        config = write_config(tmp_path, mosquitto.url)
        config.write_text(config.read_text().replace("[broker]", '[broker]\ntopic_root = "fw/lyon"'))
        asked = running.forewarn("quarantine", "retry", "--reason", "bad_topic")
        assert asked.stdout.startswith("1 row marked"), asked.stderr
        running.start()
        running.wait_ready()
        found = wait_until(lambda: running.readings(NAME), seconds=PATIENCE, what="its readings")
        assert sorted(found) == [(begun, "cpu.load", 5), (begun, "fan.rpm@1", 1000)]
        states = {row["number"]: bool(row["retried_at"]) for row in running.items("quarantine")}
        assert states == {1: True, 2: False, 3: True}


def test_a_device_that_reconnects_too_often_is_told_of(tmp_path, mosquitto):
    with gateway(tmp_path, mosquitto.url) as running, Device(mosquitto.url, NAME) as device:
        for _ in range(15):
            device.say("status", {"online": False})
            device.say("status", {"online": True})
        running.wait_metric("forewarn_devices_reconnecting_total", 1)
        assert [line["device"] for line in running.log("device_reconnecting")] == [NAME]
        document = running.get(f"/api/v1/devices/{NAME}").json()
        assert (document["online"], document["reconnects"]) == (True, 15)
