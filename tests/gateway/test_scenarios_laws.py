"""Laws of virtual time: nothing is missed between messages; what runs beside a test changes nothing."""

from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.faults import load_faults
from gateway.scenario.running import run_scenario
from rules.loader import load_rules
from rules.scenario.model import Device, Reply, Scenario, Series
from rules.scenario.notation import MISSING
from rules.symbols import Channel, DeviceId

FAULTS = load_faults()
SECOND = 1_000
STEPS = 60
SERVER = DeviceId("acme", "server", "srv")

windows = st.sampled_from(["3s", "7s", "20s"])
rules = st.builds(
    lambda window, second, hold, confirm: [
        {
            "id": "mute",
            "fault": "a.b",
            "when": f"absent(bmc.online, {window})",
            "hold": hold,
            "for_devices": {"class": "server"},
            "confirm": {"any_of": [confirm]},
        },
        {
            "id": "disk_mute",
            "fault": "c.d",
            "when": f"absent(disk.temperature, {second}) or disk.temperature > 50",
            "for_devices": {"class": "server", "each": "disk"},
            "confirm": {"any_of": [{"probe": "disk.self_test"}]},
        },
    ],
    windows,
    windows,
    st.sampled_from(["0s", "5s"]),
    st.one_of(
        st.just({"probe": "nic.test"}),
        st.builds(lambda window: {"also": f"absent(cpu.load, {window})"}, windows),
    ),
)
booleans = st.lists(st.sampled_from([True, True, MISSING, None]), min_size=5, max_size=STEPS)
numbers = st.lists(st.sampled_from([40.0, 40.0, 60.0, MISSING, None]), min_size=5, max_size=STEPS)
replies = st.builds(
    lambda state, after: (Reply(state, after),),
    st.sampled_from(["passed", "failed", "failed", "error", "none"]),
    st.sampled_from([0, 1 * SECOND, 9 * SECOND]),
)
spans = st.tuples(st.integers(1, 30), st.integers(5, 30)).map(lambda span: (span[0], sum(span)))


def device(identity, series, **kwargs):
    found = tuple(Series(Channel.parse(name), tuple(steps), "f:1") for name, steps in series.items() if steps)
    return Device(identity, {}, found, (), kwargs.get("replies", {}), kwargs.get("silent", ()), "f:1")


@pytest.mark.slow
@given(
    rules=rules,
    online=booleans,
    load=numbers,
    temperature=numbers,
    replies=st.fixed_dictionaries({"nic.test": replies, "disk.self_test": replies}),
    silences=st.lists(spans, min_size=1, max_size=2),
)
@settings(max_examples=60)
def test_time_passes_where_something_comes_of_it(
    tmp_path_factory, rules, online, load, temperature, replies, silences
):
    path = tmp_path_factory.mktemp("packs") / "p.yaml"
    path.write_text(yaml.safe_dump({"pack": "p", "rules": rules}))
    ruleset = load_rules([path])
    silent = tuple((begin * SECOND, end * SECOND) for begin, end in silences)
    series = {"bmc.online": online, "cpu.load": load, "disk.temperature@sda": temperature}
    alone = Scenario(
        name="t",
        file="f",
        line=1,
        start=0,
        every_ms=SECOND,
        end=(STEPS + 60) * SECOND,
        devices=(device(SERVER, series, replies=replies, silent=silent),),
        expectations=(),
    )
    # Each message of another device lets time pass at the gateway, too.
    metronome = device(DeviceId("acme", "pc", "metronome"), {"cpu.load": [1.0] * (STEPS + 61)})
    beside = replace(alone, devices=(*alone.devices, metronome))
    looks = range(SECOND // 2, alone.end, SECOND)
    told = run_scenario(alone, ruleset, FAULTS, looks)
    finer = run_scenario(beside, ruleset, FAULTS, looks)
    assert sorted(map(str, told.happenings)) == sorted(map(str, finer.happenings))
    assert [d.text for d in told.decisions] == [d.text for d in finer.decisions]
    unseen = run_scenario(alone, ruleset, FAULTS)
    assert sorted(map(str, told.happenings)) == sorted(map(str, unseen.happenings))
    for at in looks:
        assert told.states(at, SERVER) == finer.states(at, SERVER)


@pytest.mark.slow
@given(steps=st.lists(st.sampled_from([0.0, 4.0, None, MISSING]), min_size=1, max_size=30))
def test_a_run_again_is_the_same(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("packs") / "p.yaml"
    path.write_text(
        "pack: p\nrules: [{id: a, fault: a.b, when: drum.vibration > 3, hold: 2s, "
        "confirm: {any_of: [{probe: washer.spin_test}]}}]\n"
    )
    ruleset = load_rules([path])
    washer = device(SERVER, {"drum.vibration": steps}, replies={"washer.spin_test": (Reply("failed"),)})
    scenario = Scenario("t", "f", 1, 0, SECOND, 40 * SECOND, (washer,), ())
    assert run_scenario(scenario, ruleset, FAULTS) == run_scenario(scenario, ruleset, FAULTS)
