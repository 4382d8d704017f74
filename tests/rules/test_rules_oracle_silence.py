"""Silence: what it begins and what ends it, at the times of arrival, wherever the stream is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidebyside import MINUTE, by_lane, clocked, run_engine, run_oracle, splits, write_pack

from rules.symbols import DeviceId

DEVICES = [DeviceId("acme", "server", "s"), DeviceId("acme", "server", "t")]
conditions = st.sampled_from(
    [
        "absent(cpu.load, 5m)",
        "absent(cpu.load, 5m) and not absent(fan.rpm, 20m)",
        "absent(cpu.load, 5m) or absent(fan.rpm, 7m)",
        "not absent(cpu.load, 10m) and fan.rpm > 1",
        "absent(cpu.load, 5m) and cpu.temperature > 1",
    ]
)
rules = st.fixed_dictionaries(
    {
        "fault": st.just("x.y"),
        "when": conditions,
        "for_devices": st.sampled_from(
            [{"class": "server"}, {"class": "server", "each": "fan"}, {"class": "server", "model": "M1"}]
        ),
    },
    optional={
        "hold": st.sampled_from(["1m", "10m"]),
        "clear_hold": st.sampled_from(["1m", "10m"]),
        "confirm": st.sampled_from(
            [{"any_of": [{"held": "10m"}]}, {"any_of": [{"also": "absent(fan.rpm, 10m)"}]}]
        ),
    },
)
keys = st.sampled_from(["cpu.load", "cpu.load", "fan.rpm", "fan.rpm@1", "fan.rpm@2", "cpu.temperature"])
words = st.one_of(
    st.tuples(
        st.sampled_from(DEVICES),
        st.sampled_from([0, 1, 3, 12, -2]),
        st.sampled_from([0, 1, 3, 6, 12, 30]),
        st.dictionaries(keys, st.sampled_from([0.0, 2.0, None]), max_size=3),
        st.sampled_from([False, False, True]),
    ),
    st.tuples(st.sampled_from(DEVICES), st.sampled_from([{"model": "M1"}, {"model": "N2"}])),
)


def told(entries):
    return clocked(entries, DEVICES)


@settings(max_examples=250, deadline=None)
@given(st.lists(rules, min_size=1, max_size=2), st.lists(words, max_size=25), splits(25))
def test_silence_is_told_the_same_wherever_the_stream_is_cut(tmp_path_factory, entries, words, cuts):
    ruleset = write_pack(tmp_path_factory.mktemp("pack"), entries)
    story = list(told(words))
    restarts = cuts if len(cuts) < 3 else set()
    found = by_lane(run_engine(ruleset, story, cuts, restarts))
    assert found == by_lane(run_oracle(ruleset, story))


@pytest.mark.parametrize("cuts", [set(), {0}, {0, 1}])
def test_the_word_that_ends_a_silence_ends_it(tmp_path, cuts):
    rule = {"fault": "x.y", "when": "absent(cpu.load, 5m)", "for_devices": {"class": "server"}}
    ruleset = write_pack(tmp_path, [rule])
    story = list(told([(DEVICES[0], 1, 1, {"cpu.load": 1.0}), (DEVICES[0], 20, 20, {"cpu.load": 1.0})]))
    assert [(f[0], f[1]) for f in run_engine(ruleset, story, cuts)] == [
        ("suspected", 2006 * MINUTE),
        ("cleared", 1021 * MINUTE),
    ]


@pytest.mark.parametrize("cuts", [set(), {0}, {0, 1}])
def test_what_a_broker_had_kept_ends_no_silence(tmp_path, cuts):
    rule = {"fault": "x.y", "when": "absent(cpu.load, 5m)", "for_devices": {"class": "server"}}
    ruleset = write_pack(tmp_path, [rule])
    words = [
        (DEVICES[0], 1, 1, {"cpu.load": 1.0}),
        (DEVICES[0], 20, 20, {"cpu.load": 1.0}, True),
        (DEVICES[0], 5, 5, {"cpu.load": 1.0}),
    ]
    assert [(f[0], f[1]) for f in run_engine(ruleset, list(told(words)), cuts)] == [
        ("suspected", 2006 * MINUTE),
        ("cleared", 1026 * MINUTE),
    ]
