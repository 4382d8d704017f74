import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import SourceTable
from gateway.errors import UserError
from gateway.wire.documents import Broken
from gateway.wire.quantities import converted, in_base_unit
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.signalmap import SignalMap, fit
from gateway.wire.sources import Source
from gateway.wire.values import is_key


def placed(patterns, name, value, **how):
    into = {}
    SignalMap(patterns).place(into, name, value, **how)
    return into


@pytest.mark.parametrize(
    ("pattern", "key", "name", "found"),
    [
        ("cpu/total", "cpu.load", "cpu/total", "cpu.load"),
        ("hddtemp/*", "disk.temperature@{1}", "hddtemp/sda", "disk.temperature@sda"),
        ("*/*/rpm", "fan.rpm@{2}-{1}", "a/b/rpm", "fan.rpm@b-a"),
        ("**/temp", "t.{1}", "a/b/temp", "t.a-b"),
        ("*", "x.{1}", "a/b", "a.b"),  # one star takes no slash: the name is kept
        ("net/**", "-", "net/eth0/bytes", None),
        ("a.b", "x", "aXb", "aXb"),  # a dot is a dot
    ],
)
def test_names_by_pattern(pattern, key, name, found):
    taken = SignalMap({pattern: key}).key(name)
    assert (taken and taken[0]) == found


def test_the_first_pattern_that_fits_counts():
    signals = SignalMap({"cpu/idle": "-", "cpu/*": "cpu.{1}"})
    assert signals.key("cpu/idle") is None
    assert signals.key("cpu/user") == ("cpu.user", None)


@pytest.mark.parametrize(
    ("name", "component", "key"),
    [
        ("/memory/used/", "", "memory.used"),
        ("Fan 1 (rear)", "", "Fan-1-rear"),
        ("temp@home", "", "temp-home"),
        ("", "", "value"),
        ("°/°", "", "value"),
        ("temp", "drive bay 3", "temp@drive-bay-3"),
        ("temp", "/", "temp"),
    ],
)
def test_a_name_that_no_pattern_takes_keeps_its_own(name, component, key):
    assert SignalMap().key(name, component) == (key, None)


def test_a_patterns_own_component_goes_before_the_messages():
    signals = SignalMap({"own": "fan.rpm@1", "none": "fan.rpm", "empty*": "fan.rpm@{1}"})
    assert [signals.key(name, "cpu")[0] for name in ("own", "none", "empty", "emptyx")] == [
        "fan.rpm@1",
        "fan.rpm@cpu",
        "fan.rpm@cpu",
        "fan.rpm@x",
    ]


def test_a_pattern_may_say_that_a_reading_is_of_the_device_itself():
    assert SignalMap({"inlet*": "inlet.temperature@"}).key("inlet 1", "sensor-7") == (
        "inlet.temperature",
        None,
    )


def test_long_names_that_differ_at_their_end_stay_two():
    one, two = ("a" * 80 + end for end in ("b", "c"))
    keys = [SignalMap().key(name)[0] for name in (one, two)]
    assert keys[0] != keys[1]
    assert all(len(key) == 64 for key in keys)
    assert SignalMap({"*": "{1}.{1}"}).key("x" * 50)[0] != SignalMap({"*": "{1}.{1}"}).key("x" * 51)[0]


def test_a_name_of_megabytes_costs_no_pattern_and_no_memory():
    signals = SignalMap({"**a**a**a**b": "x"})
    assert is_key(signals.key("a" * 100_000)[0])
    assert signals._key.cache_info().currsize == 0


@pytest.mark.slow
@given(st.text(max_size=500), st.text(max_size=500))
def test_any_name_gives_a_key(name, component):
    signals = SignalMap({"a*": "x.{1}", "b**": "{1}@{1}", "*": "{1}"})
    assert is_key(signals.key(name, component)[0])
    assert fit(fit(name)) == fit(name)


@pytest.mark.parametrize(
    ("patterns", "name", "value", "unit", "into"),
    [
        ({"t [K]": "cpu.temperature"}, "t", 300.15, None, {"cpu.temperature": 27.0}),
        ({"t": "cpu.temperature [K]"}, "t", 300.15, None, {"cpu.temperature": 27.0}),
        ({"t": "cpu.temperature"}, "t", 86, "°F", {"cpu.temperature": 30.0}),
        ({"t [K]": "cpu.temperature"}, "t", 300.15, "°C", {"cpu.temperature": 27.0}),  # the pattern knows
        ({"t": "cpu.temperature"}, "t", 41, "", {"cpu.temperature": 41}),  # says nothing of a unit
        ({"f": "storage.free_ratio"}, "f", 45, "%", {"storage.free_ratio": 0.45}),
        ({"r": "battery.level"}, "r", 0.5, "ratio", {"battery.level": 50.0}),
        ({"d": "door.open"}, "d", "closed", None, {"door.open": False}),
        ({"d": "door.open"}, "d", " Open", None, {"door.open": True}),
        ({"d": "door.open"}, "d", "ajar", None, {"door.open": "ajar"}),  # the decoder refuses it
        ({"e": "error.code"}, "e", 18, "s", {"error.code": 18}),
        ({"t": "cpu.temperature"}, "t", None, "K", {"cpu.temperature": None}),
        ({}, "disk", 1.5, "GiB", {"disk": 1610612736.0}),
        ({}, "oil", 300, "K", {"oil": 26.85}),
        ({}, "flow", 7, "l/min", {"flow": 7}),
        ({}, "state", "on", "K", {"state": "on"}),
    ],
)
def test_values_come_in_our_units(patterns, name, value, unit, into):
    assert placed(patterns, name, value, unit=unit) == into


def test_what_is_no_number_and_what_is_too_large_is_left_to_the_decoder():
    broken = Broken(QuarantineReason.NOT_A_NUMBER, "nan")
    assert placed({"t": "cpu.temperature"}, "t", broken, unit="K") == {"cpu.temperature": broken}
    for unit in ("K", "%", "GB"):
        for key in ("cpu.temperature", "x", "storage.free_ratio", "battery.level"):
            try:
                into = placed({"t": key}, "t", 10**400, unit=unit)
            except Unusable:
                continue
            assert into[key] == 10**400


def test_a_unit_that_cannot_become_the_signals_is_refused():
    with pytest.raises(Unusable) as raised:
        placed({"t": "cpu.temperature"}, "t", 3, unit="V")
    assert raised.value.reason is QuarantineReason.WRONG_UNIT
    assert "cpu.temperature: expected a unit that becomes °C, got 'V'" in raised.value.detail


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"a/*": "x@{2}"}, "a/*: expected places up to {1}, as many as it has *, got {2}"),
        ({"a": "two words"}, "a: expected SIGNAL, SIGNAL@COMPONENT, SIGNAL@ or -, got 'two words'"),
        ({"a": ""}, "a: expected SIGNAL, SIGNAL@COMPONENT, SIGNAL@ or -, got ''"),
        ({"a": "@"}, "a: expected SIGNAL, SIGNAL@COMPONENT, SIGNAL@ or -, got '@'"),
    ],
)
def test_a_wrong_pattern_points_at_itself(patterns, message):
    with pytest.raises(ValueError, match="expected") as raised:
        SignalMap(patterns)
    assert message in str(raised.value)
    table = {
        "topic": "smart/+/#",
        "codec": "smartctl",
        "class": "server",
        "device": "{2}",
        "signals": patterns,
    }
    with pytest.raises(UserError) as told:
        Source.of(SourceTable.model_validate(table), 3)
    assert f"sources.3.signals: {message}" in str(told.value)


@pytest.mark.parametrize(
    ("number", "unit", "wanted", "expected"),
    [
        (0, "K", "°C", -273.15),
        (212, "degF", "°C", 100.0),
        (21.5, "Cel", "°C", 21.5),
        (21.5, "℃", "°C", 21.5),
        (1500, "mV", "V", 1.5),
        (250, "µA", "A", 0.00025),
        (250, "\u03bcA", "A", 0.00025),
        (0.25, "/", "%", 25.0),
        (25, "%", "ratio", 0.25),
        (25, "percent", "", 0.25),
        (0.25, "ratio", "", 0.25),
        (90, "min", "h", 1.5),
        (7200, "s", "h", 2.0),
        (20, "Hz", "1/min", 1200.0),
        (1200, "RPM", "1/min", 1200),
        (12, "sectors", "", 12),
        (1.2, "kW", "W", 1200.0),
        (3, "V", "%", None),
        (3, "V", "", None),
        (3, "furlong", "mm", None),
    ],
)
def test_conversions(number, unit, wanted, expected):
    found = converted(number, unit, wanted)
    assert found == (expected if expected is None else pytest.approx(expected, abs=1e-9))


@given(st.floats(-1e6, 1e6), st.sampled_from(["K", "°F"]))
def test_there_and_back(number, unit):
    there = converted(number, unit, "°C")
    assert converted(there, "°C", unit) == pytest.approx(number, abs=1e-6)


@pytest.mark.parametrize(
    ("unit", "expected"), [("kB", 2e3), ("KiB", 2048), ("MB", 2e6), ("TiB", 2 * 2**40), ("V", 2)]
)
def test_sizes_become_bytes(unit, expected):
    assert in_base_unit(2, unit) == expected
