"""`run` from the outside: what Prometheus and a supervisor see."""

import re
import signal

import pytest
from gateways import PATIENCE, Device, crowded, gateway, now_ms, processes_naming
from servers import wait_until

pytestmark = pytest.mark.server

MINUTE = 60_000

#: Contract, section 4: name, type, labels.
CONTRACT = {
    "forewarn_messages_received_total": ("counter", None),
    "forewarn_messages_processed_total": ("counter", None),
    "forewarn_messages_quarantined_total": ("counter", "reason"),
    "forewarn_readings_total": ("counter", None),
    "forewarn_readings_duplicate_total": ("counter", None),
    "forewarn_readings_late_total": ("counter", None),
    "forewarn_cases_total": ("counter", "state"),
    "forewarn_orders_opened_total": ("counter", None),
    "forewarn_dispatch_total": ("counter", None),  # without targets there is nothing to count
    "forewarn_commit_seconds": ("histogram", None),
    "forewarn_detection_seconds": ("histogram", None),
}


def test_the_metrics_of_the_contract_are_there_from_the_start(tmp_path, mosquitto):
    with gateway(tmp_path, mosquitto.url) as running:
        answer = running.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        text = answer.text
        for name, (kind, label) in CONTRACT.items():
            assert f"# TYPE {name} {kind}\n" in text, name
            if label:
                assert re.search(rf'^{name}{{{label}="\w+"}} 0\.0$', text, re.MULTILINE), name
        states = set(re.findall(r'^forewarn_cases_total{state="(\w+)"}', text, re.MULTILINE))
        assert states == {"suspected", "confirmed", "refuted", "cleared", "reopened"}
        for name in ("forewarn_commit_seconds", "forewarn_detection_seconds"):
            for part in ("_bucket{le=", "_sum", "_count"):
                assert f"\n{name}{part}" in text


def test_they_count_what_happens(tmp_path, mosquitto):
    with gateway(tmp_path, mosquitto.url) as running, Device(mosquitto.url, "acme/pc/p-1") as device:
        begun = now_ms() - 10 * MINUTE
        good = {"disk.smart_passed@sda": True, "disk.temperature@sda": 31.0}
        device.measure(begun, good)
        device.measure(begun + MINUTE, good)
        device.measure(begun + MINUTE, good)  # the same once more
        device.measure(begun - MINUTE, {"disk.temperature@sda": 30.0})  # too late to be evaluated
        device.send("telemetry", b"?")
        device.measure(begun + 2 * MINUTE, {"disk.smart_passed@sda": False})
        device.wait_taken()
        running.wait_metric("forewarn_orders_opened_total", 1)
        running.wait_settled(6)
        expected = {
            "forewarn_messages_received_total": 6,
            "forewarn_messages_processed_total": 4,
            "forewarn_messages_duplicate_total": 1,
            "forewarn_messages_quarantined_total{malformed_json}": 1,
            "forewarn_messages_quarantined_total{too_deep}": 0,
            "forewarn_readings_total": 6,
            "forewarn_readings_duplicate_total": 2,
            "forewarn_readings_late_total": 1,
            "forewarn_cases_total{suspected}": 1,
            "forewarn_cases_total{confirmed}": 1,
            "forewarn_cases_total{cleared}": 0,
            "forewarn_orders_opened_total": 1,
            "forewarn_detection_seconds_count": 1,
            "forewarn_broker_connected": 1,
        }
        counted = running.metrics()
        assert {name: counted[name] for name in expected} == expected
        assert 1 <= counted["forewarn_commit_seconds_count"] <= 6
        assert counted["forewarn_commit_seconds_sum"] > 0
        assert 0 <= counted["forewarn_detection_seconds_sum"] < 60
        # Late readings are stored all the same.
        stored = [reading[:2] for reading in running.readings(device.name)]
        assert (begun - MINUTE, "disk.temperature@sda") in stored
        assert len(stored) == len(set(stored)) == 6


def test_sigterm_drains_and_leaves_nothing_behind(tmp_path, mosquitto):
    with gateway(tmp_path, mosquitto.url) as running, Device(mosquitto.url, "acme/pc/p-1") as device:
        begun = now_ms() - 1_000 * MINUTE
        for number in range(1_000):
            device.measure(begun + number * MINUTE, {"power.active": float(number)})
        device.wait_taken()
        assert running.terminate() < 5 * crowded()
        assert not (running.data / "gateway.json").exists()
        stored = len(running.telemetry(device.name))
        # What was not taken in waits at the broker for the next start.
        running.start()
        running.wait_ready()
        running.wait_settled(1_000 - stored)
        assert [row["value"] for row in running.telemetry(device.name)] == [str(n) for n in range(1_000)]
        assert running.metric("forewarn_readings_duplicate_total") == 0, (
            "what was acknowledged does not come again"
        )
        running.terminate()


def test_the_end_is_minded_at_any_moment_of_the_start(tmp_path):
    with gateway(tmp_path, "embedded", start=False) as running:
        broker, announced = running.data / "broker", running.data / "gateway.json"
        for moment, number in (
            (broker.exists, signal.SIGTERM),
            ((broker / "port").exists, signal.SIGINT),
            (announced.exists, signal.SIGTERM),
        ):
            running.start()
            wait_until(moment, seconds=PATIENCE, what="the moment")
            running.process.send_signal(number)
            assert running.process.wait(PATIENCE) == 0
            wait_until(lambda: not processes_naming(str(tmp_path)), seconds=10, what="the end of the broker")
            assert not announced.exists()


def test_a_damaged_state_is_not_trusted(tmp_path, mosquitto):
    """The history is read from its start instead; nothing is told twice."""
    with gateway(tmp_path, mosquitto.url) as running, Device(mosquitto.url, "acme/appliance/wm") as device:
        begun = now_ms() - 60 * MINUTE
        for minute in range(10):
            device.measure(begun + minute * MINUTE, {"leak.detected": minute > 3})
        device.wait_taken()
        running.wait_settled(10)
        running.terminate()
        state = running.data / "state.npz"
        damaged = bytearray(state.read_bytes())
        middle = len(damaged) // 2
        damaged[middle : middle + 64] = bytes(64)
        for content in (bytes(damaged), damaged[:middle]):
            state.write_bytes(content)
            running.start()
            running.wait_ready()
            running.kill()
        running.start()
        running.wait_ready()
        for minute in range(10, 30):
            device.measure(begun + minute * MINUTE, {"leak.detected": True})
        running.wait_metric("forewarn_orders_opened_total", 1)
        (order,) = running.orders()
        assert order["fault"]["code"] == "appliance.leak"
        (case,) = running.items("cases")
        assert case["onset"] < order["opened_at"]
