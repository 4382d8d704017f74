import json

import pytest

from gateway.config import SourceTable
from gateway.errors import UserError
from gateway.wire.codecs import Foreign
from gateway.wire.codecs.json import Json
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.signalmap import SignalMap
from gateway.wire.sources import Source

ARRIVAL = 1_767_225_600_000


def decode(document, topic="home/washer-1/telemetry", signals=None, **options):
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(Json(SignalMap(signals or {}), options).decode(Foreign(topic, payload, ARRIVAL)))


def values(document, **how):
    (extract,) = decode(document, **how)
    assert not extract.refused
    return extract.values


def test_nested_objects_and_lists_are_flattened():
    document = {
        "drum": {"rpm": 820, "vibration": {"x": 0.1}},
        "doors": [{"open": False}, {"open": True}],
        "note": None,
    }
    assert values(document) == {
        "drum.rpm": 820,
        "drum.vibration.x": 0.1,
        "doors.0.open": False,
        "doors.1.open": True,
        "note": None,
    }


def test_names_become_ours():
    signals = {"drum/*": "drum.{1}", "temps/*/value [°F]": "fridge.temperature@{1}"}
    document = {"drum": {"rpm": 820}, "temps": [{"value": 50}]}
    assert values(document, signals=signals, separator="/") == {"drum.rpm": 820, "fridge.temperature@0": 10.0}


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"412.7", 412.7),
        (b"412.7\0", 412.7),
        (b'"on"', "on"),
        (b"on", "on"),
        (b"true", True),
        (b"null", None),
        (b"0x1F", "0x1F"),
        (b" 21.5 \r\n", 21.5),
    ],
)
def test_a_bare_value_is_called_after_its_topic(payload, value):
    assert values(payload, topic="home/washer-1/power") == {"power": value}


def test_more_levels_of_the_topic_may_name_it():
    assert values(b"1", topic="a/b/c", levels=2) == {"b.c": 1}
    assert values({"x": 1}, topic="a/b/c", topic_levels=2) == {"b.c.x": 1}
    assert values(b"1", topic="c", levels=5) == {"c": 1}


@pytest.mark.parametrize(
    ("time", "ts"),
    [
        (ARRIVAL, ARRIVAL),
        (ARRIVAL // 1000, ARRIVAL),
        (ARRIVAL / 1000 + 0.25, ARRIVAL + 250),
        (str(ARRIVAL), ARRIVAL),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T01:00:00+01:00", "2026-01-01T01:00:00+01:00"),
        ("2026-01-01T00:00:00", None),  # local time of who knows where
        ("yesterday", "yesterday"),  # the decoder refuses it
        (None, None),
    ],
)
def test_time(time, ts):
    (extract,) = decode({"at": {"utc": time}, "x": 1}, time="at.utc")
    assert extract.ts == ts
    assert extract.values == {"x": 1}


def test_local_time_of_a_zone_that_is_given():
    (extract,) = decode({"t": "2026-07-01T02:00:00", "x": 1}, time="t", time_zone="Europe/Berlin")
    assert extract.ts == "2026-07-01T00:00:00+00:00"


def test_a_list_of_messages_is_a_backlog_and_may_be_of_several_devices():
    found = decode([{"t": 1, "id": "a", "x": 1}, {"t": 2, "id": 7, "x": 2}], time="t", device="id")
    assert [(extract.device, extract.ts, extract.values) for extract in found] == [
        ("a", 1000, {"x": 1}),
        ("7", 2000, {"x": 2}),
    ]
    assert values([{"x": 1}, {"x": 2}]) == {"0.x": 1, "1.x": 2}


def test_one_reading_a_document():
    how = {"name": "sensor", "unit": "unit", "signals": {"oven": "ambient.temperature"}}
    assert values({"sensor": "oven", "value": 300.15, "unit": "K", "battery": 3}, **how) == {
        "ambient.temperature": 27.0
    }
    (extract,) = decode({"value": 1}, name="sensor")
    assert [reason for reason, _ in extract.refused] == [QuarantineReason.BAD_KEY]


def test_what_is_left_out_and_what_is_a_fact():
    document = {"id": "w1", "info": {"model": "WAU28", "wifi": {"ssid": "home"}}, "x": 1}
    (extract,) = decode(document, leave_out=["id", "info"], facts={"model": "info.model"})
    assert extract.values == {"x": 1}
    assert extract.facts == {"model": "WAU28"}


@pytest.mark.parametrize(
    ("payload", "online"),
    [(b"online", True), (b"Offline", False), (b'"ON"', True), (b"false", False), (b"online\0", True)],
)
def test_presence(payload, online):
    (extract,) = decode(payload, topic="home/washer-1/status")
    assert extract.online is online
    assert not extract.values


def test_another_word_on_a_topic_of_presence_is_a_reading():
    (extract,) = decode(b"running", topic="home/washer-1/status")
    assert extract.online is None
    assert extract.values == {"status": "running"}
    assert values(b"online", topic="home/washer-1/status", presence=[]) == {"status": "online"}


def test_a_topic_on_which_failures_are_reported():
    with pytest.raises(Unusable, match="sensor lost") as raised:
        decode(b"sensor lost", topic="home/washer-1/error", errors=["error"])
    assert raised.value.reason is QuarantineReason.SOURCE_REPORTED_ERROR
    assert values(b"E18", topic="home/washer-1/error", signals={"error": "error.code"}) == {
        "error.code": "E18"
    }


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", QuarantineReason.EMPTY_PAYLOAD),
        (b"\xff\xfe", QuarantineReason.NOT_UTF8),
        (b'{"a": ', QuarantineReason.MALFORMED_JSON),
        (b"[1, 2", QuarantineReason.MALFORMED_JSON),
        (b"word " * 1000, QuarantineReason.MALFORMED_JSON),
        (b"[" * 100_000, QuarantineReason.TOO_DEEP),
    ],
)
def test_what_is_neither_json_nor_a_value(payload, reason):
    with pytest.raises(Unusable) as raised:
        decode(payload)
    assert raised.value.reason is reason


def test_documents_without_end_are_cut_and_say_so():
    (extract,) = decode({str(number): number for number in range(3_000)})
    assert len(extract.values) == 2_000
    assert [reason for reason, _ in extract.refused] == [QuarantineReason.TOO_MANY_SIGNALS]
    deep = {"x": 1, "deep": 1}
    for _ in range(100):
        deep = {"x": 1, "deep": deep}
    (extract,) = decode(deep)
    assert extract.values["x"] == 1
    assert [reason for reason, _ in extract.refused] == [QuarantineReason.TOO_DEEP]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time": 7}, "time: expected a text, got 7"),
        ({"levels": -1}, "levels: expected a number of levels from 0 to 20, got -1"),
        ({"leave_out": "id"}, "leave_out: expected a list of texts, got 'id'"),
        ({"facts": ["a"]}, "facts: expected a table of names to paths, got ['a']"),
        (
            {"time_zone": "Mars/Olympus"},
            "time_zone: expected a name such as Europe/Berlin, got 'Mars/Olympus'",
        ),
        ({"tiem": "ts"}, "tiem: unknown option, expected one of device, errors, facts,"),
    ],
)
def test_a_wrong_option_points_at_itself(options, message):
    table = {"topic": "a/+", "codec": "json", "class": "appliance", "device": "{2}", "options": options}
    with pytest.raises(UserError) as raised:
        Source.of(SourceTable.model_validate(table), 0)
    assert f"sources.0.options: {message}" in str(raised.value)
