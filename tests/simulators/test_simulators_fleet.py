import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from servers import free_port, start_mosquitto, wait_until

from gateway.wire.topics import subscriptions
from rules.times import MINUTE_MS
from simulators.__main__ import main
from simulators.connection import Broker, read_command
from simulators.plan import plan_fleet
from simulators.truth import read_truth

DEVICES = 24


class Listener:
    """Everything that devices publish, by topic; asks devices as a gateway would."""

    def __init__(self, url: str) -> None:
        self.messages = defaultdict(list)
        self.retained = set()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._take
        self.client.on_connect = lambda client, *_: client.subscribe([(f, 1) for f in subscriptions("fw")])
        broker = Broker.parse(url)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def _take(self, _client, _data, message):
        if message.topic.endswith("/command"):
            return  # what this listener says itself
        self.messages[message.topic].append(json.loads(message.payload))
        if message.retain:
            self.retained.add(message.topic)

    def last(self, leaf: str) -> dict[str, object]:
        return {topic: bodies[-1] for topic, bodies in list(self.messages.items()) if topic.endswith(leaf)}

    def telemetry(self, topic: str) -> list[dict]:
        found = []
        for body in self.messages[topic]:
            found += body if isinstance(body, list) else [body]
        return found

    def online(self, wanted: bool) -> bool:
        states = list(self.last("/status").values())
        return len(states) == DEVICES and all(state == {"online": wanted} for state in states)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class RunningFleet:
    def __init__(self, url: str, *more: str) -> None:
        self.origin = int(time.time() * 1000)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulators", "--url", url, "--devices", str(DEVICES), "--seed", "1",
             "--speed", "120", "--origin-ms", str(self.origin), *more],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def ends_within(self, seconds: float) -> int:
        return self.process.wait(seconds)


@pytest.fixture
def fleet(mosquitto, tmp_path):
    running = RunningFleet(mosquitto.url, "--truth", str(tmp_path / "truth.jsonl"))
    yield running
    running.process.kill()
    running.process.wait(10)
    running.process.stdin.close()
    running.process.stderr.close()


@pytest.fixture
def listener(mosquitto):
    listening = Listener(mosquitto.url)
    yield listening
    listening.close()


@pytest.mark.server
def test_a_fleet_speaks_answers_and_leaves_with_its_parent(mosquitto, fleet, listener, tmp_path):
    plan = plan_fleet(DEVICES, 1, fleet.origin)
    wait_until(lambda: listener.online(True), what="all devices online")
    wait_until(lambda: len(listener.last("/telemetry")) == DEVICES, what="telemetry of all devices")
    assert len(read_truth(tmp_path / "truth.jsonl")) >= 3

    # Facts and status stay with the broker.
    late = Listener(mosquitto.url)
    wait_until(lambda: len(late.last("/facts")) == DEVICES == len(late.last("/status")), what="retained")
    late.close()
    facts = late.last("/facts")
    assert facts == {f"fw/{p.id}/facts": p.facts for p in plan}
    assert set(facts) <= late.retained

    # Readings are on the scaled clock, in order, never ahead.
    for planned in plan:
        stamps = [reading["ts"] for reading in listener.telemetry(f"fw/{planned.id}/telemetry")]
        assert stamps == sorted(set(stamps))
        assert fleet.origin <= stamps[0] < fleet.origin + MINUTE_MS
        assert stamps[-1] <= fleet.origin + (time.time() * 1000 - fleet.origin) * 120

    # A device answers; what is no command is passed over.
    server = next(planned for planned in plan if planned.kind == "server" and not planned.faults)
    command = {"id": "c1", "action": "disk.self_test", "component": "sdb", "args": {}, "expires": 2**45}
    listener.client.publish(f"fw/{server.id}/command", b"\xff{", qos=1)
    listener.client.publish(f"fw/{server.id}/command", json.dumps(command), qos=1)
    replies = listener.messages[f"fw/{server.id}/reply"]
    wait_until(lambda: len(replies) == 2, what="two replies")
    assert [(reply["id"], reply["state"]) for reply in replies] == [("c1", "running"), ("c1", "passed")]

    fleet.process.stdin.close()
    assert fleet.ends_within(2.0) == 0
    wait_until(lambda: listener.online(False), what="all devices offline")
    assert fleet.process.stderr.read() == ""


@pytest.mark.server
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_fleet_cleanly(fleet, listener, number):
    wait_until(lambda: listener.online(True), what="all devices online")
    began = time.monotonic()
    fleet.process.send_signal(number)
    assert fleet.ends_within(5) == 0
    assert time.monotonic() - began < 1.5
    wait_until(lambda: listener.online(False), what="all devices offline")


@pytest.mark.server
def test_the_will_speaks_for_a_fleet_that_was_killed(fleet, listener):
    wait_until(lambda: listener.online(True), what="all devices online")
    fleet.process.kill()
    wait_until(lambda: listener.online(False), what="the wills")


@pytest.mark.server
def test_what_was_measured_without_a_broker_comes_later_in_order(mosquitto, fleet, listener):
    wait_until(lambda: len(listener.last("/telemetry")) == DEVICES, what="telemetry of all devices")
    listener.close()
    mosquitto.kill()
    gone_at = fleet.origin + (time.time() * 1000 - fleet.origin) * 120
    wait_until(
        lambda: (time.time() * 1000 - fleet.origin) * 120 + fleet.origin > gone_at + 3 * MINUTE_MS,
        what="three minutes of device time",
    )
    start_again = start_mosquitto(mosquitto.folder / "again", mosquitto.port)
    try:
        again = Listener(mosquitto.url)
        wait_until(lambda: again.online(True), what="all devices back")
        wait_until(lambda: len(again.last("/telemetry")) == DEVICES, what="telemetry of all devices")
        for topic in again.last("/telemetry"):
            stamps = sorted({r["ts"] for r in listener.telemetry(topic) + again.telemetry(topic)})
            assert len({later - earlier for earlier, later in pairwise(stamps)}) == 1, topic
        kept = [bodies for bodies in again.messages.values() if any(isinstance(b, list) for b in bodies)]
        assert len(kept) == DEVICES
        for bodies in kept:
            oldest_first = [reading["ts"] for body in bodies if isinstance(body, list) for reading in body]
            assert oldest_first == sorted(oldest_first)
        again.close()
    finally:
        start_again.kill()


def test_without_a_broker_it_says_so_and_still_ends_with_its_parent():
    port = free_port()
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators", "--url", f"mqtt://127.0.0.1:{port}", "--devices", "3"],
        stdin=read_end,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(read_end)
    assert f"127.0.0.1:{port}" in process.stderr.readline()
    os.close(write_end)
    assert process.wait(2.0) == 0
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--url", "http://x"), "mqtt://HOST:PORT"),
        (("--url", "mqtt://h", "--devices", "0"), "1 or more"),
        (("--url", "mqtt://h", "--speed", "-1"), "above 0"),
        (("--url", "mqtt://h", "--origin-ms", "-5"), "1970"),
        ((), "--url"),
    ],
)
def test_wrong_arguments_are_explained(arguments, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_truth_file_that_cannot_be_written_is_named(tmp_path):
    truth = tmp_path / "no" / "truth.jsonl"
    ended = subprocess.run(
        [sys.executable, "-m", "simulators", "--url", "mqtt://127.0.0.1:1", "--truth", str(truth)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 1
    assert "truth.jsonl" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_brokers_are_read_from_urls():
    assert Broker.parse("mqtt://h") == Broker("h", 1883)
    assert Broker.parse("mqtts://u:p%40@h:9") == Broker("h", 9, tls=True, username="u", password="p@")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"5",
        b"\xff",
        b'{"id": 1, "action": "x"}',
        b'{"id": "1"}',
        b'{"id":"1","action":"x","expires":"soon"}',
    ],
)
def test_what_is_no_command_is_passed_over(payload):
    assert read_command(payload) is None


def test_a_command_may_leave_out_what_it_can():
    assert read_command(b'{"id": "1", "action": "a", "expires": "1970-01-01T00:00:01Z", "args": {}}') == (
        "1",
        "a",
        "",
        1000,
    )
