"""Presence: what shows that a device lives, what does not, and one that comes and goes too often."""

import json

import pytest
from story import Story, ruleset

from gateway.known import RECONNECTS
from gateway.ports import Packet
from rules.symbols import DeviceId

NAME = "acme/server/srv-1"
SERVER = DeviceId("acme", "server", "srv-1")
SILENT = {"id": "silent", "fault": "cpu.overheating", "when": "absent(cpu.load, 10m)"}
MINUTE = 60_000


def status(story, online, *, retained=False):
    story.publish(NAME, "status", {"online": online}, retained=retained)


def reconnects(story, times, every_ms):
    """The connection is lost and comes back again and again; the broker publishes the last will each time."""
    for _ in range(times):
        status(story, False)
        status(story, True)
        story.clock += every_ms


def restarted(story):
    """Return a story that goes on from the other's saved state."""
    arrays, document = story.pipeline.snapshot()
    successor = Story(story.ruleset)
    successor.clock = story.clock
    saved = {path: array.copy() for path, array in arrays.items()}
    successor.pipeline.restore(saved, json.loads(json.dumps(document)))
    return successor


def test_fifteen_times_in_a_minute_are_told_once(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    reconnects(story, RECONNECTS - 1, 4_000)
    assert story.reconnecting == []
    assert story.pipeline.reconnects(SERVER, story.clock) == 0
    reconnects(story, 1, 0)
    assert story.reconnecting == [SERVER]
    assert story.pipeline.reconnects(SERVER, story.clock) == RECONNECTS
    reconnects(story, 30, 4_000)
    assert story.reconnecting == [SERVER], "once, while it goes on"


def test_a_device_that_is_steady_again_may_be_told_again(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    reconnects(story, RECONNECTS, 1_000)
    story.passes("2m")
    assert story.pipeline.reconnects(SERVER, story.clock) == 0
    reconnects(story, RECONNECTS, 1_000)
    assert story.reconnecting == [SERVER, SERVER]


def test_slower_than_that_is_nothing_and_neither_is_saying_online_again(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    reconnects(story, 60, 4_300)
    for _ in range(60):
        status(story, True)
        story.clock += 500
    assert story.reconnecting == []


def test_a_restart_in_between_counts_on(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    reconnects(story, RECONNECTS - 1, 1_000)
    story = restarted(story)
    reconnects(story, 1, 1_000)
    assert story.reconnecting == [SERVER]
    story = restarted(story)
    assert story.pipeline.reconnects(SERVER, story.clock) == RECONNECTS
    reconnects(story, 5, 1_000)
    assert story.reconnecting == []


def test_what_the_broker_had_kept_and_the_last_will_are_no_sign_of_life(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    story.reads(NAME, {"cpu.load": 10})
    heard = story.clock
    story.clock += MINUTE
    status(story, True, retained=True)
    story.publish(NAME, "facts", {"model": "M1"}, retained=True)
    story.publish(NAME, "telemetry", {"ts": story.clock, "values": {"cpu.load": 11}}, retained=True)
    status(story, False)
    assert story.pipeline.last_seen(SERVER) == heard
    status(story, True)
    assert story.pipeline.last_seen(SERVER) == story.clock


def test_a_device_known_by_a_kept_message_alone_was_heard_when_it_says(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    measured = story.clock - 3 * 24 * 60 * MINUTE
    story.publish(NAME, "telemetry", {"ts": measured, "values": {"cpu.load": 10}}, retained=True)
    assert story.pipeline.last_seen(SERVER) == measured


@pytest.mark.parametrize("retained", [True, False])
def test_only_a_live_message_ends_a_silence(tmp_path, retained):
    story = Story(ruleset(tmp_path, SILENT))
    story.reads(NAME, {"cpu.load": 10})
    story.passes("11m")
    assert [step[0] for step in story.steps()] == ["suspected", "confirmed"]
    story.publish(NAME, "telemetry", {"ts": story.clock, "values": {"cpu.load": 10}}, retained=retained)
    assert ("cleared" in [step[0] for step in story.steps()]) is not retained


def test_a_kept_message_does_not_put_a_silence_off(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    story.reads(NAME, {"cpu.load": 10})
    story.passes("8m")
    story.publish(NAME, "telemetry", {"ts": story.clock, "values": {"cpu.load": 10}}, retained=True)
    story.passes("3m")
    assert story.steps()[0][:2] == ("suspected", 10)


def test_a_kept_value_is_as_old_as_it_says(tmp_path):
    hot = {
        "id": "hot",
        "fault": "cpu.overheating",
        "when": "cpu.temperature > 95 and absent(cpu.load, 10m)",
    }
    story = Story(ruleset(tmp_path, hot))
    old = story.clock - 3 * 24 * 60 * MINUTE
    story.publish(NAME, "telemetry", {"ts": old, "values": {"cpu.temperature": 99}}, retained=True)
    story.passes("11m")
    assert story.events == [], "it was hot three days ago, which says nothing of now"


def test_who_speaks_after_the_last_will_is_back_without_saying_so(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    story.reads(NAME, {"cpu.load": 1})
    status(story, False)
    assert [record.online for record in story.devices if record.id == SERVER][-1] is False
    story.passes("1m")
    story.reads(NAME, {"cpu.load": 1})
    assert [record.online for record in story.devices if record.id == SERVER][-1] is True


def test_what_came_before_the_last_will_in_one_batch_is_no_return(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    words = [
        ("status", b'{"online": true}'),
        ("telemetry", b'{"cpu.load": 1}'),
        ("status", b'{"online": false}'),
    ]
    packets = [Packet(f"fw/{NAME}/{leaf}", payload, story.clock) for leaf, payload in words]
    story.take(story.pipeline.push(story.decoder.decode(packets)))
    assert [record.online for record in story.devices] == [False]
