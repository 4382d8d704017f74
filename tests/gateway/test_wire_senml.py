import contextlib
import json
from decimal import Decimal

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.codecs import Foreign
from gateway.wire.codecs.senml import Senml
from gateway.wire.documents import Broken
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap

ARRIVAL = 1_767_225_600_000
THEN = 1_767_225_000
URN = "urn:dev:ow:10e2073a01080063"


def extracts(pack, topic="senml/fridge-9/json", signals=None):
    payload = pack if isinstance(pack, bytes) else json.dumps(pack).encode()
    codec = Senml(SignalMap(signals), {"device_level": 2})
    return list(codec.decode(Foreign(topic, payload, ARRIVAL)))


def one(pack, **more):
    (extract,) = extracts(pack, **more)
    return extract


def test_base_fields_count_for_the_record_and_those_after_it():
    pack = [
        {"bn": f"{URN}:", "bt": THEN, "bu": "A", "bver": 5, "n": "voltage", "u": "V", "v": 120.1},
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": -4, "v": 1.3},
    ]
    assert [(extract.device, extract.ts, extract.values) for extract in extracts(pack)] == [
        (URN, THEN * 1000, {"voltage": 120.1}),
        (URN, THEN * 1000 - 5000, {"current": 1.2}),
        (URN, THEN * 1000 - 4000, {"current": 1.3}),
    ]


def test_json_and_cbor_say_the_same():
    record = {"bn": f"{URN}:", "bt": THEN, "n": "temp", "u": "Cel", "v": 4.0}
    door = {"n": "door", "vb": False}
    numbered = [{-2: f"{URN}:", -3: THEN, 0: "temp", 1: "Cel", 2: 4.0}, {0: "door", 4: False}]
    expected = one([record, door])
    assert expected.values == {"temp": 4.0, "door": False}
    assert one(cbor2.dumps(numbered)) == expected
    assert one(cbor2.dumps(cbor2.CBORTag(55799, numbered))) == expected
    assert one(b"\x9f" + b"".join(map(cbor2.dumps, numbered)) + b"\xff") == expected  # of unknown length


def test_a_pack_may_be_of_several_devices():
    pack = [
        {"bt": THEN, "n": "urn:dev:mac:0024befffe804ff1_temp", "v": 20},
        {"n": "urn:dev:mac:0024befffe804ff2/temp", "v": 21},
        {"n": "temp", "v": 22},
    ]
    assert [(extract.device, extract.values) for extract in extracts(pack)] == [
        ("urn:dev:mac:0024befffe804ff1", {"temp": 20}),
        ("urn:dev:mac:0024befffe804ff2", {"temp": 21}),
        ("fridge-9", {"temp": 22}),
    ]


def test_a_name_that_is_a_device_and_no_more_is_its_value():
    assert one([{"n": URN, "u": "Cel", "v": 23.1}]).values == {"value": 23.1}


def test_a_base_name_that_is_no_device_belongs_to_the_reading():
    extract = one([{"bn": "/3303/0/", "n": "5700", "v": 20.5}], signals={"3303/*/5700": "water.temperature"})
    assert (extract.device, extract.values) == ("fridge-9", {"water.temperature": 20.5})


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        (None, None, None),
        (0, 0, None),
        (None, -60, ARRIVAL - 60_000),
        (None, THEN, THEN * 1000),
        (THEN, 0.25, THEN * 1000 + 250),
        (None, 2**28 - 1, ARRIVAL + (2**28 - 1) * 1000),
        (None, 2**28, 2**28 * 1000),
        (1795418063, -1795418064, ARRIVAL - 1000),  # as a library sends "a second ago"
    ],
)
def test_times_below_2_to_the_28_count_from_now(base, own, expected):
    record = {"n": "a", "v": 1} | ({} if base is None else {"bt": base}) | ({} if own is None else {"t": own})
    assert one([record]).ts == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"n": "a", "v": 3, "bv": 20}, {"a": 23}),
        ({"n": "a", "bv": 20}, {"a": 20}),
        ({"n": "a", "s": 7, "bs": 100}, {"a.sum": 107}),
        ({"n": "a", "s": 7, "bv": 20}, {"a.sum": 7}),
        ({"n": "a", "v": 1.5, "s": 7}, {"a": 1.5, "a.sum": 7}),
        ({"n": "a", "vs": "E22"}, {"a": "E22"}),
        ({"n": "a", "vb": True, "bv": 20}, {"a": True}),
        ({"n": "a"}, {}),
    ],
)
def test_values_and_sums(record, expected):
    assert [extract.values for extract in extracts([record])] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("unit", "value", "signal", "expected"),
    [
        ("K", 310.15, "cpu.temperature", 37.0),
        ("Cel", 37, "cpu.temperature", 37),
        ("%EL", 45, "battery.level", 45),
        ("/", 0.45, "battery.level", 45),
        ("W", 12, "power.active", 12),
    ],
)
def test_units_become_those_of_the_catalogue(unit, value, signal, expected):
    extract = one([{"n": "x", "u": unit, "v": value}], signals={"x": signal})
    assert extract.values == {signal: pytest.approx(expected)}


def test_a_record_of_no_use_leaves_the_others():
    pack = [
        {"n": "a", "v": 1},
        {"n": "b", "v": "1"},
        {"n": "c", "vb": 1},
        {"n": "d", "vd": "aGk"},
        {"n": "e", "u": "V", "v": 1},
        {"n": "f", "v": 6},
    ]
    extract = one(pack, signals={"e": "cpu.temperature"})
    assert extract.values == {"a": 1, "f": 6}
    assert [(str(reason), detail) for reason, detail in extract.refused] == [
        ("wrong_type", "[1]: v: expected a number, got '1'"),
        ("wrong_type", "[2]: vb: expected true or false, got 1"),
        ("wrong_type", "[3]: 'd': expected a number, boolean or text, got data"),
        ("wrong_unit", "[4]: cpu.temperature: expected a unit that becomes °C, got 'V'"),
    ]


def test_numbers_of_cbor_that_json_has_not():
    pack = [{0: "a", 2: Decimal("21.5")}, {0: "b", 2: float("nan")}, {0: "c", 2: 2**90}]
    extract = one(cbor2.dumps(pack))
    assert extract.values == {"a": 21.5, "b": Broken("not_a_number", "nan")}
    assert [reason for reason, _ in extract.refused] == ["out_of_range"]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"n": "a", "v": 1}',
        b"[1]",
        b"\x81\x00",
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x81" * 500,
        b'[{"n": "a", "v": 1, "must_": 1}]',  # RFC 8428, 4.4
        b"nonsense",
    ],
)
def test_what_is_no_pack(payload):
    with pytest.raises(Unusable):
        extracts(payload)


def test_a_version_to_come_is_not_guessed_at():
    (extract,) = extracts([{"bver": 11, "n": "a", "v": 1}])
    assert extract.values == {}
    assert extract.refused[0][1] == "[0]: bver: expected at most 10, got 11"


def test_a_level_that_is_none_is_pointed_at():
    with pytest.raises(ValueError, match="device_level: expected a level of the topic, 1 or more, got 'two'"):
        Senml(SignalMap(), {"device_level": "two"})


labels = st.integers(-7, 9) | st.sampled_from(["n", "v", "bn", "t", "x", "x_"])
contents = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.decimals()
    | st.fractions()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.sampled_from([URN, f"{URN}:a", "V", "Cel", [], {}])
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(labels, contents, max_size=6), max_size=4), st.binary(max_size=3))
def test_any_records_give_readings_or_reasons(records, more):
    payload = cbor2.dumps(records)
    for content in (payload, payload + more, payload[: len(payload) - len(more)]):
        with contextlib.suppress(Unusable):
            for extract in extracts(content, signals={"a": "cpu.temperature"}):
                assert extract.ts is None or isinstance(extract.ts, int)
