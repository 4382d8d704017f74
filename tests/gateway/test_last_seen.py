"""When a device was last heard of is told to the message, although the ledger is told less often."""

import json

from story import Story, ruleset

from gateway.ports import Packet
from rules.symbols import DeviceId

NAME = "acme/pc/pc-1"
DEVICE = DeviceId("acme", "pc", "pc-1")
BUSY = {"id": "busy", "fault": "cpu.throttling", "when": "cpu.load > 90", "hold": "10s"}


def written(effects):
    return {record.id: record.last_seen for record in effects.write.devices}


def heard(story, values):
    effects = story.pipeline.push(story.decoder.decode([packet(story, values)]))
    return written(effects)


def packet(story, values):
    return Packet(f"fw/{NAME}/telemetry", json.dumps(values).encode(), story.clock)


def test_every_message_counts_at_once_and_the_ledger_hears_of_it_once_a_minute(tmp_path):
    story = Story(ruleset(tmp_path, BUSY))
    assert story.pipeline.last_seen(DEVICE) is None
    assert heard(story, {"cpu.load": 1}) == {DEVICE: story.clock}
    story.clock += 30_000
    assert heard(story, {"cpu.load": 2}) == {}
    assert story.pipeline.last_seen(DEVICE) == story.clock
    story.clock += 30_000
    assert heard(story, {"cpu.load": 3}) == {DEVICE: story.clock}


def test_a_device_is_never_heard_of_before_its_own_cases(tmp_path):
    story = Story(ruleset(tmp_path, BUSY))
    heard(story, {"cpu.load": 95})
    story.clock += 10_000
    assert heard(story, {"cpu.load": 96}) == {DEVICE: story.clock}


def test_what_the_ledger_does_not_know_is_written_at_the_end_also_after_a_restart(tmp_path):
    story = Story(ruleset(tmp_path, BUSY))
    heard(story, {"cpu.load": 1})
    story.clock += 30_000
    heard(story, {"cpu.load": 2})
    arrays, document = story.pipeline.snapshot()
    arrays = {path: array.copy() for path, array in arrays.items()}
    for pipeline in (story.pipeline, Story(story.ruleset).pipeline):
        if pipeline is not story.pipeline:
            pipeline.restore(arrays, json.loads(json.dumps(document)))
        assert pipeline.last_seen(DEVICE) == story.clock
        assert [(record.id, record.last_seen) for record in pipeline.unwritten().devices] == [
            (DEVICE, story.clock)
        ]
        assert pipeline.unwritten().devices == []


def test_a_state_without_what_was_written_is_still_taken_up(tmp_path):
    story = Story(ruleset(tmp_path, BUSY))
    heard(story, {"cpu.load": 1})
    arrays, document = story.pipeline.snapshot()
    del arrays["known/written"]
    pipeline = Story(story.ruleset).pipeline
    pipeline.restore(arrays, document)
    assert pipeline.last_seen(DEVICE) == story.clock
    assert pipeline.unwritten().devices == []
