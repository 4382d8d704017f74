"""The gateway is killed in the middle of its work, again and again: nothing is lost, nothing stands twice."""

import json
import random
import threading
import time
from contextlib import ExitStack

import duckdb
import pytest
from gateways import PATIENCE, Device, gateway, json_lines, now_ms, run_command, write_config
from servers import wait_until

pytestmark = pytest.mark.server

MINUTE = 60_000
LENGTH = 500  # messages of a device, a minute of device time apart
ROUNDS = 5  # between them the gateway is ended four times


class Story:
    """What one device will say: messages numbered in a reading of their own, and what is wrong with it."""

    def __init__(self, name, symptoms, answer=None):
        self.name = name
        self.answer = answer
        self._symptoms = symptoms

    def message(self, number):
        """Return the values of a message; the number itself stands in a reading."""
        return {"power.active": float(number), **self._symptoms(number)}


def leak(number):
    return {"leak.detected": 150 <= number < 260 or number >= 400}


def failing_drive(number):
    return {"disk.smart_passed@sda": number < 333, "disk.smart_passed@sdb": True}


def weak_cooling(number):
    supply = 24.5 if 120 <= number < 200 or number >= 300 else 16.0
    return {"ac.load": 100.0, "ac.return_temperature": 27.0, "ac.supply_temperature": supply}


def flickering_valve(number):
    return {
        "water.level": 30.0 + number % 7,
        "water.valve_open": number % 3 == 0,
        "leak.detected": number == 77,
    }


def lost_supply(number):
    good = not (40 <= number < 90 or number >= 300)
    return {"psu.ok@1": good, "psu.input_voltage@1": 230.0, "psu.redundant": True}


STORIES = [
    Story("acme/appliance/leaky", leak),
    Story("acme/appliance/warm", weak_cooling),
    Story("acme/appliance/odd", flickering_valve),
    Story("acme/pc/dying", failing_drive),
    Story("acme/server/dark", lost_supply, answer=lambda _: ("failed", {"output_v": 0.0})),
    Story("acme/server/fine", lost_supply, answer=lambda _: ("passed", {"output_v": 12.0})),
]
SILENT = [story for story in STORIES if story.answer is None]


class Publisher:
    """Publishes all stories side by side, round by round, as fast as it is let."""

    def __init__(self, devices, begun):
        self._devices = devices
        self._begun = begun
        self._thread = None
        self.published = 0

    def publish(self, first, last):
        """Begin to publish the messages of a round."""

        def work():
            for number in range(first, last):
                for story, device in zip(STORIES, self._devices, strict=True):
                    # One at a time: when it comes back, paho lets a new message overtake those that it sends
                    # again, and what is overtaken is late. Order is not the subject here.
                    device.wait_taken(every=0.0005)
                    device.measure(self._begun + number * MINUTE, story.message(number))
                    self.published += 1
                    time.sleep(0.0005)

        self._thread = threading.Thread(target=work)
        self._thread.start()

    def finish(self):
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def tell_all(running, broker_url, *, seed):
    """Let the devices speak while the gateway is ended at random moments; return when all was taken in."""
    rng = random.Random(seed)
    begun = now_ms() - LENGTH * MINUTE
    with ExitStack() as stack:
        devices = [
            stack.enter_context(Device(broker_url(), story.name, answer=story.answer)) for story in STORIES
        ]
        publisher = Publisher(devices, begun)
        for round_ in range(ROUNDS):
            first, last = LENGTH * round_ // ROUNDS, LENGTH * (round_ + 1) // ROUNDS
            publisher.publish(first, last)
            if round_ < ROUNDS - 1:
                moment = first + rng.random() * (last - first)
                wait_until(
                    lambda moment=moment: publisher.published >= moment * len(STORIES),
                    seconds=PATIENCE,
                    what="the moment",
                )
                time.sleep(rng.random() * 0.3)
                # One orderly end among them, so that later starts begin with a saved state.
                running.terminate() if round_ == 1 else running.kill()
                running.start()
                if round_ == 2:  # also before it has recovered
                    time.sleep(rng.random() * 2)
                    running.kill()
                    running.start()
                running.wait_ready()
            publisher.finish()
        for device in devices:
            device.wait_taken()
        wait_until(
            lambda: all(caught_up(running, story) for story in STORIES),
            seconds=PATIENCE,
            every=0.2,
            what="all messages taken in",
        )
        wait_until(
            lambda: {order["device"]["device"] for order in running.items("orders")} >= {"dark"},
            seconds=PATIENCE,
            what="the order after a failed self test",
        )
        wait_until(
            lambda: running.metric("forewarn_messages_received_total") == running.settled(),
            seconds=PATIENCE,
            what="nothing in between",
        )
    return begun


def caught_up(running, story):
    last = running.get(f"/api/v1/devices/{story.name}/telemetry", signal="power.active", limit="1").json()
    return bool(last.get("items")) and last["items"][0]["value"] == LENGTH - 1


def assert_every_reading_stands_once(running):
    for story in STORIES:
        rows = running.telemetry(story.name)
        numbers = [float(row["value"]) for row in rows if row["signal"] == "power.active"]
        assert numbers == list(range(LENGTH)), story.name
        assert len(rows) == sum(len(story.message(number)) for number in range(LENGTH))
    # The command leaves out what stands there twice; the file itself may not hold it either.
    with duckdb.connect(str(running.data / "history.duckdb"), read_only=True) as history:
        (double,) = history.execute(
            "SELECT count(*) - count(DISTINCT (tenant, class, device, signal, component, ts)) FROM telemetry"
        ).fetchone()
    assert double == 0


def assert_every_order_stands_once(running):
    orders = running.orders()
    about = [(o["device"]["device"], o["device"]["component"], o["fault"]["code"]) for o in orders]
    assert sorted(about, key=str) == [
        ("dark", "1", "psu.failed"),
        ("dying", "sda", "disk.failing_now"),
        ("leaky", None, "appliance.leak"),
        ("warm", None, "ac.refrigerant_low"),
    ]
    assert len({order["order_id"] for order in orders}) == len(orders)


def steps(lines, key):
    """Return the steps of cases of the devices that no self test is asked of."""
    devices = {story.name.rpartition("/")[2] for story in SILENT}
    return sorted(
        (line["case_id"], line["rule"], line["event"], line["at"], line["reason"])
        for line in lines
        if line[key] in devices
    )


def assert_cases_are_those_of_a_replay(running, cases, begun, folder):
    recorded = folder / "recorded.jsonl"
    with recorded.open("w") as file:
        for number in range(LENGTH):
            for story in STORIES:
                ts = begun + number * MINUTE
                payload = {"ts": ts, "values": story.message(number)}
                line = {"topic": f"fw/{story.name}/telemetry", "ts": ts, "payload": payload}
                file.write(json.dumps(line) + "\n")
    out = folder / "cases.jsonl"
    empty = write_config(folder / "replay", "embedded")
    replayed = run_command("replay", recorded, "--config", empty, "--cases", out)
    assert replayed.returncode == 0, replayed.stderr
    expected = steps(json_lines(out.read_text()), "device")
    live = steps(
        [
            {**step, "case_id": case["case_id"], "device": case["device"]}
            for case in cases
            for step in case["timeline"]
        ],
        "device",
    )
    assert len(expected) >= 10
    assert live == expected


def case_files(running):
    return [running.get(f"/api/v1/cases/{case['case_id']}").json() for case in running.items("cases")]


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_killed_at_random_moments(tmp_path, kind, request):
    url = request.getfixturevalue("mosquitto").url if kind == "mosquitto" else "embedded"
    with gateway(tmp_path, url) as running:
        port = tmp_path / "data" / "broker" / "port"
        begun = tell_all(
            running,
            (lambda: url) if kind == "mosquitto" else (lambda: f"mqtt://127.0.0.1:{port.read_text()}"),
            seed=7,
        )
        cases = case_files(running)
        assert {row["reason"] for row in running.items("quarantine")} <= {"unknown_probe"}
        running.terminate()
        assert_every_reading_stands_once(running)
        assert_every_order_stands_once(running)
        assert_cases_are_those_of_a_replay(running, cases, begun, tmp_path)
