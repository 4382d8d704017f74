import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import SourceTable
from gateway.ports import Packet
from gateway.wire.codecs import Foreign
from gateway.wire.codecs.sparkplug import MAX_METRICS, Sparkplug
from gateway.wire.codecs.sparkplug_message import Payload
from gateway.wire.decoder import Decoder
from gateway.wire.documents import Broken
from gateway.wire.profiles import load_profile
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap
from gateway.wire.sources import Source
from rules.batch import Kind
from rules.signals import load_catalogue
from rules.symbols import Symbols

ARRIVAL = 1_767_225_600_000
CATALOGUE = load_catalogue()
TABLE = SourceTable.model_validate({"profile": "sparkplug"})
INT8, INT16, INT32, INT64, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING = 1, 2, 3, 4, 8, 9, 10, 11, 12


def codec():
    return Sparkplug(SignalMap(load_profile("sparkplug").signals))


def metric(name="", *, alias=None, datatype=0, unit=None, properties=(), **fields):
    made = {"name": name.encode(), **fields} if name else fields
    if alias is not None:
        made["alias"] = alias
    if datatype:
        made["datatype"] = datatype
    if unit:
        properties = [*properties, ("engUnit", {"string_value": unit.encode()})]
    if properties:
        made["properties"] = {
            "keys": [key.encode() for key, _ in properties],
            "values": [value for _, value in properties],
        }
    return made


def payload(*metrics, timestamp=ARRIVAL - 5):
    return Payload(timestamp=timestamp, metrics=list(metrics), seq=1).SerializeToString()


def say(decoder, kind, *metrics, device="pump-1", node="edge-1", **more):
    topic = f"spBv1.0/plant/{kind}/{node}" + (f"/{device}" if kind.startswith("D") else "")
    return list(decoder.decode(Foreign(topic, payload(*metrics, **more), ARRIVAL)))


def values(extracts):
    return {key: value for extract in extracts for key, value in extract.values.items()}


def test_births_name_what_data_refers_to():
    decoder = codec()
    (birth,) = say(
        decoder,
        "DBIRTH",
        metric("CPU/Temperature", alias=10, datatype=FLOAT, float_value=41.5, unit="degF"),
        metric("Pressure", alias=11, datatype=DOUBLE, double_value=2.5),
    )
    assert birth.device == "pump-1"
    assert birth.online is True
    assert birth.ts == ARRIVAL - 5
    assert birth.values == {"cpu.temperature": pytest.approx(5.277777778), "Pressure": 2.5}
    (data,) = say(decoder, "DDATA", metric(alias=10, float_value=212.0), metric(alias=11, double_value=3.0))
    assert data.values == {"cpu.temperature": pytest.approx(100.0), "Pressure": 3.0}
    assert data.online is None  # it was said at birth


def test_data_whose_alias_was_never_announced_is_put_aside_with_its_aliases():
    (extract,) = say(codec(), "DDATA", metric(alias=10, float_value=1.0), metric(alias=11, float_value=1.0))
    assert not extract.values
    ((reason, detail),) = extract.refused
    assert reason == "not_announced"
    assert detail == "alias 10, 11: expected a birth of this sender that names it"


def test_data_before_any_birth_is_taken_where_it_names_its_metrics():
    (extract,) = say(codec(), "DDATA", metric("Fan/RPM", datatype=INT32, int_value=3100))
    assert extract.values == {"fan.rpm": 3100}
    assert extract.online is True


def test_a_metric_whose_name_changes_between_birth_and_data_is_one_metric():
    decoder = codec()
    say(decoder, "NBIRTH", metric("DATA/Level", datatype=INT32, int_value=5))
    (data,) = say(decoder, "NDATA", metric("Level", int_value=2**32 - 7))
    assert data.values == {"Level": -7}  # the birth said that it is signed


def test_an_announced_name_is_believed_before_an_alias_of_an_older_birth():
    decoder = codec()
    say(decoder, "DBIRTH", metric("A", alias=1, int_value=1), metric("B", alias=2, int_value=2))
    (data,) = say(decoder, "DDATA", metric("B", alias=1, int_value=9))
    assert data.values == {"B": 9}


def test_an_alias_that_several_metrics_share_says_nothing():
    decoder = codec()
    say(decoder, "DBIRTH", metric("A", alias=0, int_value=1), metric("B", alias=0, int_value=2))
    (data,) = say(decoder, "DDATA", metric("B", alias=0, int_value=3), metric(alias=0, int_value=4))
    assert data.values == {"B": 3}
    assert [reason for reason, _ in data.refused] == ["not_announced"]


def test_a_new_birth_takes_the_place_of_the_old_one():
    decoder = codec()
    say(decoder, "DBIRTH", metric("A", alias=1, int_value=1))
    say(decoder, "DBIRTH", metric("B", alias=1, int_value=1))
    (data,) = say(decoder, "DDATA", metric(alias=1, int_value=5))
    assert data.values == {"B": 5}


def test_a_nodes_death_takes_its_devices_with_it_whatever_it_says():
    decoder = codec()
    say(decoder, "DBIRTH", metric("A", int_value=1), device="pump-1")  # its node was never born
    say(decoder, "DDATA", metric("A", int_value=1), device="pump-2")
    say(decoder, "DBIRTH", metric("A", int_value=1), device="pump-3", node="edge-2")
    topic = "spBv1.0/plant/NDEATH/edge-1"
    wrong_number = payload(metric("bdSeq", datatype=INT64, long_value=77))
    for content in (wrong_number, b"", b"\xff\xff"):
        extracts = list(decoder.decode(Foreign(topic, content, ARRIVAL)))
        assert [(extract.device, extract.online) for extract in extracts] == [
            ("edge-1", False),
            ("pump-1", False),
            ("pump-2", False),
        ]


def test_who_speaks_after_its_death_is_there_again():
    decoder = codec()
    say(decoder, "DBIRTH", metric("A", int_value=1))
    (death,) = say(decoder, "DDEATH")
    assert (death.device, death.online) == ("pump-1", False)
    (data,) = say(decoder, "DDATA", metric("A", int_value=2))
    assert data.online is True


@pytest.mark.parametrize(
    ("datatype", "fields", "expected"),
    [
        (INT8, {"int_value": 0x80}, -128),  # of its own width
        (INT8, {"int_value": 2**32 - 128}, -128),  # of the field's
        (INT8, {"int_value": 127}, 127),
        (INT16, {"int_value": 0xFFFF}, -1),
        (INT32, {"int_value": 2**32 - 1}, -1),
        (INT32, {"long_value": 2**64 - 1}, -1),
        (INT64, {"long_value": 2**64 - 2}, -2),
        (UINT64, {"long_value": 2**64 - 1}, 2**64 - 1),
        (0, {"int_value": 2**32 - 1}, 2**32 - 1),
        (BOOLEAN, {"boolean_value": False}, False),
        (BOOLEAN, {"int_value": 1}, True),
        (STRING, {"string_value": b"E22"}, "E22"),
        (STRING, {"string_value": b"\xb0C"}, "\ufffdC"),
        (FLOAT, {"float_value": 4.1}, 4.1),  # not 4.099999904632568
        (DOUBLE, {"double_value": 4.1}, 4.1),
        (DOUBLE, {"is_null": True}, None),
        (DOUBLE, {"is_null": True, "double_value": 1.0}, None),
        (DOUBLE, {}, None),
        (DOUBLE, {"double_value": 1.0, "properties": [("Quality", {"int_value": 0})]}, None),
        (DOUBLE, {"double_value": 1.0, "properties": [("Quality", {"int_value": 192})]}, 1.0),
        (DOUBLE, {"double_value": math.nan}, Broken("not_a_number", "nan")),
    ],
)
def test_values_by_their_data_type(datatype, fields, expected):
    found = values(say(codec(), "DDATA", metric("x", datatype=datatype, **fields)))["x"]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"datatype": 16, "dataset_value": b""}, "a data set"),
        ({"datatype": 17, "bytes_value": b"\1"}, "bytes"),
        ({"datatype": 18, "bytes_value": b"\1"}, "a file"),
        ({"datatype": 19, "template_value": b"\xff"}, "a template"),
        ({"datatype": 22, "bytes_value": b"\1"}, "an array"),
        ({"template_value": b"\1"}, "a template"),
    ],
)
def test_what_can_be_no_reading_is_passed_over_with_its_name(fields, word):
    (extract,) = say(codec(), "DDATA", metric("odd", **fields), metric("good", int_value=1))
    assert extract.values == {"good": 1}
    ((reason, detail),) = extract.refused
    assert reason == "wrong_type"
    assert detail == f"'odd': expected a number, boolean or text, got {word}"


def test_metrics_have_times_of_their_own():
    earlier = ARRIVAL - 60_000
    now, past = say(
        codec(),
        "DDATA",
        metric("A", int_value=1),
        metric("A", int_value=2, timestamp=earlier, is_historical=True),
        metric("B", int_value=3, timestamp=earlier),
    )
    assert (now.ts, now.values) == (ARRIVAL - 5, {"A": 1})
    assert (past.ts, past.values) == (earlier, {"A": 2, "B": 3})


def test_what_is_historical_without_a_time_cannot_be_dated():
    (extract,) = say(codec(), "DDATA", metric("A", int_value=2, is_historical=True))
    assert [reason for reason, _ in extract.refused] == ["timestamp_invalid"]


def test_a_message_without_a_time_has_none():
    (extract,) = say(codec(), "DDATA", metric("A", int_value=2), timestamp=0)
    assert extract.ts is None


def test_properties_of_a_node_are_facts_and_its_controls_are_nothing():
    (birth,) = say(
        codec(),
        "NBIRTH",
        metric("Properties/Hardware Make", string_value=b"ACME"),
        metric("Properties/OS Version", string_value=b"6.1"),
        metric("Node Control/Rebirth", boolean_value=False),
        metric("bdSeq", long_value=0),
    )
    assert birth.facts == {"manufacturer": "ACME", "os_version": "6.1"}
    assert birth.values == {}


@pytest.mark.parametrize(
    "topic", ["spBv1.0/STATE/host-1", "STATE/host-1", "spBv1.0/plant/DCMD/edge-1/pump-1"]
)
def test_hosts_and_commands_say_nothing_of_a_device(topic):
    assert list(codec().decode(Foreign(topic, b"\xff", ARRIVAL))) == []


def test_a_bridge_may_put_levels_in_front():
    message = Foreign("site/7/spBv1.0/plant/NDATA/edge-1", payload(metric("A", int_value=1)), ARRIVAL)
    (extract,) = codec().decode(message)
    assert extract.device == "edge-1"


@pytest.mark.parametrize(
    ("topic", "content"),
    [
        ("spBv1.0/plant/NDATA/edge-1", b"\xff\xff\xff"),
        ("spBv1.0/plant/NDATA", b""),
        ("spBv1.0/plant/DDATA/edge-1/", b""),
        ("elsewhere/plant/NDATA/edge-1", b""),
    ],
)
def test_what_is_no_sparkplug(topic, content):
    with pytest.raises(Unusable) as raised:
        list(codec().decode(Foreign(topic, content, ARRIVAL)))
    assert raised.value.reason == "unknown_codec_payload"


def test_births_outlive_a_restart():
    before, after = codec(), codec()
    say(before, "DBIRTH", metric("CPU/Temperature", alias=10, datatype=INT8, int_value=1, unit="degC"))
    after.restore(json.loads(json.dumps(before.state())))
    (data,) = say(after, "DDATA", metric(alias=10, int_value=0xFF))
    assert data.values == {"cpu.temperature": -1}
    topic = "spBv1.0/plant/NDEATH/edge-1"
    extracts = list(after.decode(Foreign(topic, b"", ARRIVAL)))
    assert [extract.device for extract in extracts] == ["edge-1", "pump-1"]


def test_a_state_that_does_not_fit_is_left_out():
    decoder = codec()
    for state in (None, 7, [7], [["g", "n", "d", [7, [1, 2, 3, 4]]]], [["g", "n"]], {"a": 1}):
        decoder.restore(state)
    assert decoder.state() == [["g", "n", "d", []]]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("gateway.wire.codecs.sparkplug.MAX_NODES", 3)
    decoder = codec()
    for number in range(5):
        say(decoder, "NBIRTH", metric("A", alias=1, int_value=1), node=f"edge-{number}")
    assert [row[1] for row in decoder.state()] == ["edge-2", "edge-3", "edge-4"]
    say(decoder, "NBIRTH", *(metric(f"m{number}", int_value=1) for number in range(MAX_METRICS + 5)))
    assert max(len(row[3]) for row in decoder.state()) == MAX_METRICS
    monkeypatch.setattr("gateway.wire.codecs.sparkplug.MAX_REMEMBERED", 2)
    say(decoder, "NBIRTH", metric("A", int_value=1), node="edge-9")
    assert [row[1] for row in decoder.state()] == ["edge-9"]


texts = st.sampled_from([b"A", b"B", b"DATA/A", b"Properties/OS", b"\xff", b"\x00", b"x" * 300, b""])
numbers = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 127, 128, 255, 2**31])
properties = st.builds(
    lambda key, value: {"keys": [key], "values": [value]},
    st.sampled_from([b"engUnit", b"Quality", b"\xff"]),
    st.fixed_dictionaries(
        {}, optional={"string_value": texts, "int_value": numbers, "is_null": st.booleans()}
    ),
)
metrics = st.fixed_dictionaries(
    {},
    optional={
        "name": texts,
        "alias": st.integers(0, 3) | st.just(2**64 - 1),
        "timestamp": st.sampled_from([0, 1, ARRIVAL, 2**64 - 1]),
        "datatype": st.integers(0, 40) | numbers,
        "is_historical": st.booleans(),
        "is_null": st.booleans(),
        "properties": properties,
        "int_value": numbers,
        "long_value": st.integers(0, 2**64 - 1),
        "float_value": st.floats(width=32),
        "double_value": st.floats(),
        "boolean_value": st.booleans(),
        "string_value": texts,
        "template_value": texts,
    },
)
messages = st.tuples(
    st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]), st.lists(metrics, max_size=4)
)


@pytest.mark.slow
@given(st.lists(messages, max_size=6), st.data())
def test_any_metrics_in_any_order_give_readings_or_reasons(said, data):
    symbols = Symbols()
    decoder = Decoder(symbols, CATALOGUE, sources=[Source.of(TABLE, 0)])
    for kind, made in said:
        topic = f"spBv1.0/plant/{kind}/edge-1" + ("/pump-1" if kind.startswith("D") else "")
        content = bytearray(payload(*made))
        if content and data.draw(st.booleans()):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        inbound = decoder.decode([Packet(topic, bytes(content), ARRIVAL)])
        readings = inbound.readings
        assert np.isfinite(readings.value[readings.kind == Kind.NUMBER]).all()
    announced = decoder.announced()
    again = Decoder(Symbols(), CATALOGUE, sources=[Source.of(TABLE, 0)])
    again.restore(json.loads(json.dumps(announced)))
    assert again.announced() == announced
