"""Incidents from suspicion to verdict: the self test decides, or time, or a second signal."""

import json

from story import Story, ruleset

WASHER = "acme/appliance/wm-7"
SERVER = "acme/server/srv-1"
STUCK = {"drain.pump_on": True, "water.level": 120, "door.open": False, "program.phase": "drain"}


def test_a_washer_that_does_not_drain_fails_its_self_test_and_gets_an_order():
    story = Story()
    story.says(WASHER, "facts", model="W900", serial="W-55", firmware="1.2")
    story.keeps_reading(WASHER, STUCK, every="30s", for_="25m")
    assert [c.action for c in story.commands] == ["washer.drain_test"]
    assert story.orders == []  # the device has not answered yet

    story.answer("running")
    story.passes("2m")
    story.answer("failed", pump_current_a=0.02)

    (order,) = story.orders
    assert order.fault.code == "washer.not_draining"
    assert [(p.action, p.state) for p in order.diagnosis.probes] == [("washer.drain_test", "failed")]
    assert "washer.drain_test" in order.diagnosis.explanation
    assert [step[0] for step in story.steps()] == ["suspected", "confirmed"]
    assert story.reasons() == ["waiting_confirmation", "probe_sent", "probe_running", "confirmed"]


def test_a_healthy_washer_refutes_and_nobody_travels():
    story = Story()
    story.keeps_reading(WASHER, STUCK, every="30s", for_="25m")
    story.answer("passed")
    assert story.orders == []
    assert story.reasons()[-1] == "refuted_by_probe"
    (case,) = story.cases.values()
    assert (case.state, case.reason) == ("refuted", "refuted_by_probe")
    story.keeps_reading(WASHER, STUCK, every="1m", for_="2h")
    assert story.orders == []  # the same suspicion is not raised again


def test_a_verdict_that_never_comes_leaves_the_word_to_time(tmp_path):
    story = Story(
        ruleset(
            tmp_path,
            {
                "id": "sectors",
                "fault": "disk.media_wear",
                "for_devices": {"each": "disk"},
                "when": "disk.pending_sectors > 0",
                "confirm": {"any_of": [{"probe": "disk.self_test"}, {"held": "3h"}]},
            },
        )
    )
    story.keeps_reading(SERVER, {"disk.pending_sectors@sda": 8}, every="10m", for_="2h50m")
    assert story.reasons() == ["waiting_confirmation", "probe_sent", "probe_expired"]
    story.keeps_reading(SERVER, {"disk.pending_sectors@sda": 8}, every="10m", for_="30m")
    (order,) = story.orders
    assert order.opened_at == "2026-03-02T11:00:00Z"  # three hours of device time after the suspicion
    assert order.device.component == "sda"
    assert [p.state for p in order.diagnosis.probes] == ["expired"]


def test_a_second_signal_waits_for_the_probe_that_is_out(tmp_path):
    story = Story(
        ruleset(
            tmp_path,
            {
                "id": "sectors",
                "fault": "disk.media_wear",
                "for_devices": {"each": "disk"},
                "when": "disk.pending_sectors > 0",
                "confirm": {
                    "any_of": [{"probe": "disk.self_test"}, {"also": "disk.reported_uncorrectable > 0"}]
                },
            },
        )
    )
    both = {"disk.pending_sectors@sda": 8, "disk.reported_uncorrectable@sda": 2}
    story.reads(SERVER, both)
    story.passes("29m")
    assert story.orders == []
    story.passes("2m")  # the deadline of half an hour is over: now the second signal counts
    (order,) = story.orders
    assert order.opened_at == "2026-03-02T08:30:00Z"
    assert "second signal" in order.diagnosis.explanation


def test_all_of_needs_every_way(tmp_path):
    story = Story(
        ruleset(
            tmp_path,
            {
                "id": "hot",
                "fault": "cpu.overheating",
                "when": "cpu.temperature > 95",
                "confirm": {"all_of": [{"held": "10m"}, {"also": "cpu.load < 50"}]},
            },
        )
    )
    story.keeps_reading(SERVER, {"cpu.temperature": 99, "cpu.load": 90}, for_="15m")
    assert story.orders == []
    story.reads(SERVER, {"cpu.load": 20})
    assert len(story.orders) == 1


def test_what_clears_before_it_is_confirmed_is_told_and_gives_no_order(tmp_path):
    story = Story(
        ruleset(
            tmp_path,
            {
                "id": "hot",
                "fault": "cpu.overheating",
                "when": "cpu.temperature > 95",
                "hold": "5m",
                "clear_when": "cpu.temperature < 80",
                "clear_hold": "2m",
                "confirm": {"any_of": [{"held": "1h"}]},
            },
        )
    )
    story.keeps_reading(SERVER, {"cpu.temperature": 99}, for_="10m")
    story.keeps_reading(SERVER, {"cpu.temperature": 90}, for_="10m")  # between: nothing is raised again
    story.keeps_reading(SERVER, {"cpu.temperature": 70}, for_="5m")
    assert story.steps() == [
        ("suspected", 5, "cpu.overheating"),
        ("cleared", 22, "cpu.overheating"),
    ]
    assert story.reasons() == ["waiting_confirmation", "cleared_before_confirmation"]
    assert story.orders == []


def test_a_fault_that_returns_while_its_order_is_open_reopens_its_case(tmp_path):
    story = Story(
        ruleset(tmp_path, {"id": "leak", "fault": "appliance.leak", "when": "leak.detected"}),
    )
    story.reads(WASHER, {"leak.detected": True})
    story.passes("10m")
    story.reads(WASHER, {"leak.detected": False})
    story.passes("10m")
    story.reads(WASHER, {"leak.detected": True})
    assert len(story.orders) == 1
    assert [step[0] for step in story.steps()] == [
        "suspected",
        "confirmed",
        "cleared",
        "suspected",
        "reopened",
        "confirmed",
    ]
    assert len({e.case_id for e in story.events}) == 1
    assert story.reasons()[-1] == "already_open"


def test_two_rules_for_one_fault_make_one_order(tmp_path):
    story = Story(
        ruleset(
            tmp_path,
            {"id": "a", "fault": "cpu.overheating", "when": "cpu.temperature > 90"},
            {"id": "b", "fault": "cpu.overheating", "when": "cpu.temperature > 95"},
        )
    )
    story.reads(SERVER, {"cpu.temperature": 99})
    assert len(story.orders) == 1
    assert story.reasons() == ["suspected", "confirmed", "suspected", "already_open"]


def test_a_reply_that_nobody_waits_for_is_put_aside_with_its_reason():
    story = Story()
    story.publish(SERVER, "reply", {"id": "P-nobody", "state": "failed", "result": {"lba": 7}})
    (rejected,) = story.rejected
    assert rejected.reason == "unknown_probe"
    assert rejected.topic == f"fw/{SERVER}/reply"
    assert json.loads(rejected.payload) == {"id": "P-nobody", "state": "failed", "result": {"lba": 7}}


def test_another_device_cannot_answer_for_the_one_that_was_asked(tmp_path):
    story = Story()
    story.keeps_reading(WASHER, STUCK, every="30s", for_="25m")
    story.publish("acme/appliance/other", "reply", {"id": story.commands[0].id, "state": "failed"})
    assert story.orders == []
    assert [r.reason for r in story.rejected] == ["unknown_probe"]


def test_the_owner_of_a_full_phone_is_not_sent_a_technician():
    story = Story()
    story.keeps_reading("acme/phone/p1", {"storage.free_ratio": 0.01}, every="10m", for_="4d")
    assert story.orders == []
    assert "never_an_order" in story.reasons()


def test_a_technician_reads_numbers_with_their_limits_and_words_without(tmp_path):
    when = 'battery.health == "dead" and battery.voltage < 3.5'
    story = Story(ruleset(tmp_path, {"id": "a", "fault": "battery.failed", "title": "Dead", "when": when}))
    story.reads("acme/phone/p1", {"battery.health": "dead", "battery.voltage": 3.1})
    (order,) = story.orders
    seen = order.diagnosis.explanation.partition(" Rule a.")[0]
    assert seen == "Dead. Seen: battery.health dead; battery.voltage 3.1 V (limit 3.5 V)."
