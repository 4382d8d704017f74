"""Rule packs are read anew while devices speak: nothing is lost, nothing stands twice, holds go on."""

import os
import signal
import threading
from contextlib import contextmanager

import httpx
import pytest
from gateways import PATIENCE, Device, gateway, now_ms
from servers import wait_until

from rules.times import to_rfc3339

pytestmark = pytest.mark.server

MINUTE = 60_000
HOT = """
  - id: hot
    fault: cpu.overheating
    for_devices: {class: server}
    when: cpu.temperature@0 > 90
    hold: 40m
"""
LOADED = """
  - id: loaded
    fault: cpu.throttling
    for_devices: {class: server, site: fra1}
    when: yard.load > 95
    clear_when: yard.load < 10
    confirm: {any_of: [{engineer: true}]}
"""
SIGNALS = """
signals:
  yard.load: {title: Load of the yard, unit: "%"}
"""


def pack(*rules, signals=SIGNALS):
    return f"pack: yard{signals}rules:{''.join(rules)}"


class Chatter:
    """A device that speaks all the time: each message numbered, a minute of its own time apart."""

    def __init__(self, device, begun):
        self.device = device
        self.begun = begun
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._speak)
        self.values = {"cpu.temperature@0": 50.0, "yard.load": 20.0}
        self.said = 0

    def _speak(self):
        while not self._stop.is_set() and self.said < 20_000:
            self.device.measure(self.begun + self.said * MINUTE, {"power.active": self.said, **self.values})
            self.said += 1
            self._stop.wait(0.004)

    def pass_minutes(self, number):
        goal = self.said + number
        wait_until(lambda: self.said >= goal, seconds=PATIENCE, what=f"{number} messages")

    @contextmanager
    def speaking(self):
        self._thread.start()
        try:
            yield self
        finally:
            self.fall_silent()

    def fall_silent(self):
        self._stop.set()
        self._thread.join(PATIENCE)
        self.device.wait_taken()


def reload(running):
    return httpx.post(f"{running.url}/api/v1/rules/reload", timeout=PATIENCE)


def rule_ids(running):
    return [rule["id"] for rule in running.items("rules")]


def wait_case(running, fault, **filters):
    def found():
        return [case for case in running.items("cases", **filters) if case["fault"] == fault]

    return wait_until(found, seconds=PATIENCE, every=0.05, what=f"a case of {fault}")[0]


@pytest.fixture
def yard(tmp_path, mosquitto):
    """A gateway with a pack of its own, and a device that speaks to it all the time."""
    path = tmp_path / "packs" / "yard.yaml"
    path.parent.mkdir()
    path.write_text(pack(HOT))
    packs = f'[rules]\npacks = ["{path.parent}"]\n'
    with (
        gateway(tmp_path / "gateway", mosquitto.url, packs) as running,
        Device(mosquitto.url, "acme/server/busy") as device,
    ):
        device.say("facts", {"site": "fra1", "model": "R7"})
        chatter = Chatter(device, now_ms() - 20_000 * MINUTE)
        with chatter.speaking():
            yield running, chatter, path


def assert_nothing_lost_and_nothing_double(running, chatter):
    """Every message that the gateway received since its start was processed once."""
    chatter.fall_silent()
    sent = len(chatter.device.sent)
    running.wait_settled(sent)
    counted = running.metrics()
    assert counted["forewarn_messages_received_total"] == sent
    assert counted["forewarn_readings_duplicate_total"] == counted["forewarn_readings_late_total"] == 0
    assert not running.items("quarantine")
    assert_every_number_stands_once(running, chatter)


def assert_every_number_stands_once(running, chatter):
    stored = running.readings(chatter.device.name)
    assert [value for _, signal, value in stored if signal == "power.active"] == list(range(chatter.said))


def test_a_hold_goes_on_and_a_new_rule_works_at_once(yard):
    running, chatter, path = yard
    chatter.values = {"cpu.temperature@0": 95.0, "yard.load": 20.0}
    chatter.pass_minutes(10)
    began = chatter.said
    running.wait_settled(began)
    path.write_text(pack(HOT, LOADED))
    answer = reload(running)
    assert (answer.status_code, answer.json()) == (
        200,
        {"rules": 2, "added": ["loaded"], "changed": [], "removed": [], "kept": 1},
    )
    assert rule_ids(running) == ["hot", "loaded"]
    assert running.metric("forewarn_rules_reloads_total{taken}") == 1
    chatter.values = {"cpu.temperature@0": 95.0, "yard.load": 99.0}
    hot = wait_case(running, "cpu.overheating")
    # The rule became true before the first ten minutes were over, so the reload did not begin its hold anew.
    stored = running.readings(chatter.device.name)
    first = min(ts for ts, signal, value in stored if (signal, value) == ("cpu.temperature@0", 95.0))
    assert first < chatter.begun + began * MINUTE
    assert hot["onset"] == to_rfc3339(first + 40 * MINUTE)
    # Of the fact that it asks for, no rule had asked before.
    assert wait_case(running, "cpu.throttling", state="suspected")["rule"] == "loaded"
    assert_nothing_lost_and_nothing_double(running, chatter)


def test_a_bad_pack_is_refused_whole_and_the_old_rules_go_on(yard):
    running, chatter, path = yard
    other = path.with_name("other.yaml")
    other.write_text("pack: other\nrules:\n  - id: fine\n    fault: a.b\n    when: cpu.load > 3\n")
    path.write_text(pack(HOT, LOADED.replace("yard.load > 95", "yard.lod > 95")))
    answer = reload(running)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    line = path.read_text().splitlines().index("    when: yard.lod > 95") + 1
    assert problem["detail"].startswith(f"{path}:{line}")
    assert "yard.lod" in problem["detail"]
    (error,) = problem["errors"]
    assert error["where"].startswith(f"{path}:{line}")
    os.kill(running.pid, signal.SIGHUP)
    running.wait_metric("forewarn_rules_reloads_total{refused}", 2)
    logged = [line["detail"] for line in running.log("rules_refused")]
    assert logged == [problem["detail"]] * 2
    assert rule_ids(running) == ["hot"]
    chatter.values = {"cpu.temperature@0": 95.0, "yard.load": 99.0}
    wait_case(running, "cpu.overheating")
    assert not [case for case in running.items("cases") if case["fault"] == "cpu.throttling"]
    assert_nothing_lost_and_nothing_double(running, chatter)


def test_what_a_removed_rule_suspected_is_withdrawn_also_across_a_restart(yard):
    running, chatter, path = yard
    path.write_text(pack(HOT, LOADED))
    os.kill(running.pid, signal.SIGHUP)
    running.wait_metric("forewarn_rules_reloads_total{taken}", 1)
    chatter.values = {"cpu.temperature@0": 95.0, "yard.load": 99.0}
    order = wait_until(lambda: running.items("orders"), seconds=PATIENCE, what="an order")[0]
    assert order["fault"]["code"] == "cpu.overheating"
    loaded = wait_case(running, "cpu.throttling", state="suspected")
    path.write_text(pack(HOT.replace("> 90", "> 200")))
    answer = reload(running).json()
    assert answer == {"rules": 1, "added": [], "changed": ["hot"], "removed": ["loaded"], "kept": 0}
    case = running.get(f"/api/v1/cases/{loaded['case_id']}").json()
    assert (case["state"], case["reason"]) == ("cleared", "rule_withdrawn")
    assert [step["event"] for step in case["timeline"]] == ["suspected", "cleared"]
    assert case["ledger"][-1]["outcome"] == "no_order"
    hot = running.get(f"/api/v1/cases/{order['case_id']}").json()
    assert (hot["state"], hot["order_id"]) == ("confirmed", order["order_id"])
    assert [line["reason"] for line in hot["ledger"]][-1] == "rule_withdrawn"
    # What was withdrawn stands in the saved state: after a kill it is not suspected, and not withdrawn again.
    running.kill()
    running.start()
    running.wait_ready()
    chatter.pass_minutes(50)
    again = running.get(f"/api/v1/cases/{loaded['case_id']}").json()
    assert again["ledger"] == case["ledger"]
    chatter.fall_silent()
    wait_until(lambda: caught_up(running, chatter), seconds=PATIENCE, every=0.1, what="the last message")
    assert_every_number_stands_once(running, chatter)


def caught_up(running, chatter):
    last = running.get(
        f"/api/v1/devices/{chatter.device.name}/telemetry", signal="power.active", limit="1"
    ).json()["items"]
    return last[0]["value"] == chatter.said - 1
