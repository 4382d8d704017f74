"""Peers: devices meet in them, so the order in which messages came counts, and no split changes it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidebyside import by_lane, clocked, run_engine, run_oracle, splits, write_pack

from rules.symbols import DeviceId

DEVICES = [DeviceId("acme", "server", f"s{i}") for i in range(11)]
STRANGERS = [DeviceId("other", "server", "t"), DeviceId("acme", "phone", "p")]

conditions = st.sampled_from(
    [
        "peers(cpu.load) > 3",
        "peers(cpu.load) > 1 and cpu.load > 2",
        "peers(cpu.load) <= 2",
        "fan.rpm > 1 and peers(cpu.load) >= 0.5",
        "peers(cpu.temperature@0) > 2 or peers(cpu.load) > 4",
        "absent(fan.rpm, 5m) and peers(cpu.load) > 1",
    ]
)
per_disk = st.sampled_from(["peers(disk.pending_sectors) > 2", "not peers(disk.pending_sectors) > 1"])
rules = st.one_of(
    st.fixed_dictionaries(
        {"fault": st.just("x.y"), "when": conditions, "for_devices": st.just({"class": ["server", "phone"]})},
        optional={"hold": st.sampled_from(["2m", "10m"])},
    ),
    st.fixed_dictionaries(
        {
            "fault": st.just("x.z"),
            "when": per_disk,
            "for_devices": st.just({"class": "server", "each": "disk"}),
        },
        optional={"hold": st.sampled_from(["2m", "10m"])},
    ),
)
numbers = st.sampled_from([0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 9.0, None])
keys = st.sampled_from(
    [
        "cpu.load",
        "cpu.load",
        "fan.rpm",
        "cpu.temperature@0",
        "disk.pending_sectors@a",
        "disk.pending_sectors@b",
    ]
)
words = st.one_of(
    st.tuples(
        st.sampled_from([*DEVICES, *STRANGERS]),
        st.sampled_from([0, 1, 1, 2, 20, 1500, -3]),
        st.sampled_from([0, 0, 1, 7]),
        st.dictionaries(keys, numbers, min_size=1, max_size=3),
    ),
    st.tuples(
        st.sampled_from(DEVICES),
        st.fixed_dictionaries(
            {}, optional={"model": st.sampled_from(["M1", "M1", "N2"]), "serial": st.just("x")}
        ),
    ),
)


def told(entries):
    """Return the story: at first all but two of the devices say that they are of one model."""
    introduced = [(device, {"model": "M1"}) for device in [*DEVICES[:9], *STRANGERS]]
    return clocked([*introduced, *entries], [*DEVICES, *STRANGERS])


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.lists(rules, min_size=1, max_size=3),
    st.lists(words, min_size=15, max_size=60),
    splits(70),
)
def test_peers_are_those_of_the_moment_wherever_the_stream_is_cut(tmp_path_factory, entries, words, cuts):
    ruleset = write_pack(tmp_path_factory.mktemp("pack"), entries)
    story = list(told(words))
    restarts = cuts if len(cuts) < 4 else set()
    found = by_lane(run_engine(ruleset, story, cuts, restarts))
    assert found == by_lane(run_oracle(ruleset, story))


def test_a_device_far_from_its_peers_is_found_as_soon_as_eight_have_spoken(tmp_path):
    rule = {"fault": "x.y", "when": "peers(cpu.load) > 3", "for_devices": {"class": "server"}}
    ruleset = write_pack(tmp_path, [rule])
    words = [(device, 1, 0, {"cpu.load": 2.0 + index % 2}) for index, device in enumerate(DEVICES[:7])]
    far = (DEVICES[7], 1, 0, {"cpu.load": 40.0})
    story = list(told([*words, far]))
    assert [(f[0], f[3]) for f in run_engine(ruleset, story, set())] == [("suspected", "acme/server/s7")]
    seven = list(told([*words[:6], far]))
    assert run_engine(ruleset, seven, set()) == []


def test_the_distance_is_in_scaled_mads(tmp_path):
    # Seven between 0 and 2, their median 1 and its MAD 1; 6.6 is 5.6 MADs away, which are 3.78 scaled ones.
    values = [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    words = [(device, 1, 0, {"cpu.load": value}) for device, value in zip(DEVICES, values, strict=False)]
    story = list(told([*words, (DEVICES[8], 1, 0, {"cpu.load": 6.6})]))
    for limit, found in (("3.7", ["suspected"]), ("3.8", [])):
        rule = {"fault": "x.y", "when": f"peers(cpu.load) > {limit}", "for_devices": {"class": "server"}}
        assert [f[0] for f in run_engine(write_pack(tmp_path, [rule]), story, set())] == found
