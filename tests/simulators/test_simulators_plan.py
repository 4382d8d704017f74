from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simlab import ORIGIN

from gateway.wire.topics import DEVICE_CLASSES, IDENTIFIER
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulators.faults import COURSES, FAULT_KINDS, LOOKALIKE_KINDS
from simulators.makes import TENANTS
from simulators.plan import plan_fleet
from simulators.truth import TruthFileError, read_truth, truth_of, write_truth

ROOM = {(kind.code, kind.kind): kind.room_ms for kind in FAULT_KINDS}
OPENING = {kind.code for kind in FAULT_KINDS if kind.opening}

sizes = st.integers(1, 120)
seeds = st.integers(0, 2**31)
durations = st.none() | st.integers(0, 30 * HOUR_MS)


def _faults(plan):
    return sorted((fault.onset_ms - ORIGIN, fault.code, device) for device in plan for fault in device.faults)


@given(sizes, seeds, durations)
@settings(deadline=None, max_examples=60)
def test_a_plan_keeps_its_promises(devices, seed, duration):
    until = None if duration is None else ORIGIN + duration
    plan = plan_fleet(devices, seed, ORIGIN, until)

    assert plan == plan_fleet(devices, seed, ORIGIN, until)
    assert len({device.id for device in plan}) == len(plan) == devices
    assert len({device.facts["serial"] for device in plan}) == devices
    for device in plan:
        assert len(device.faults) + len(device.lookalikes) <= 1
        assert device.id.device_class in DEVICE_CLASSES
        assert device.id.tenant in TENANTS
        assert IDENTIFIER.fullmatch(device.id.device)
        names = {name for part in device.identity.parts.values() for name in part}
        for injected in (*device.faults, *device.lookalikes):
            assert injected.component in names | {None}
    for number, (onset, code, device) in enumerate(sorted(_faults(plan), key=lambda entry: entry[0])):
        assert onset >= 2 * MINUTE_MS
        opening = number < 3 and code in OPENING and onset < 5 * MINUTE_MS
        if duration is not None:
            room = 10 * MINUTE_MS if opening else ROOM[code, device.kind]
            assert onset + room <= duration
        else:
            assert onset < DAY_MS


@pytest.mark.parametrize("seed", range(5))
def test_the_demos_fleet(seed):
    until = ORIGIN + 2 * HOUR_MS
    plan = plan_fleet(200, seed, ORIGIN, until)
    faults = _faults(plan)
    onsets = [onset for onset, _, _ in faults]

    assert {device.id.device_class for device in plan} == set(DEVICE_CLASSES)
    assert len({device.id.tenant for device in plan}) == 3
    assert 14 <= sum(onset < 45 * MINUTE_MS for onset in onsets) <= 16
    assert sum(onset >= 45 * MINUTE_MS for onset in onsets) in (1, 2, 3)
    assert max(onsets) <= 75 * MINUTE_MS
    assert sorted(onsets)[2] < 5 * MINUTE_MS
    assert {code for onset, code, _ in faults if onset < 5 * MINUTE_MS} == OPENING
    assert {device.id.device_class for _, _, device in faults} == set(DEVICE_CLASSES)
    assert sum(len(device.lookalikes) for device in plan) == 30
    # No shared cause may be read into them: a code is seldom used twice.
    assert max(Counter((device.facts["model"], code) for _, code, device in faults).values()) <= 2


@pytest.mark.parametrize("devices", [1, 2, 5, 20])
def test_a_small_fleet_has_an_early_fault(devices):
    onsets = [onset for onset, _, _ in _faults(plan_fleet(devices, 1, ORIGIN, ORIGIN + 2 * HOUR_MS))]
    assert onsets
    assert min(onsets) < 5 * MINUTE_MS


def test_twenty_devices_are_of_every_kind():
    assert {device.kind for device in plan_fleet(20, 1, ORIGIN)} == {
        "phone", "pc", "server", "washer", "fridge",
    }  # fmt: skip


def test_other_seeds_are_other_fleets():
    assert plan_fleet(50, 1, ORIGIN) != plan_fleet(50, 2, ORIGIN)


def test_the_origin_only_moves_the_times():
    early, late = plan_fleet(100, 1, ORIGIN), plan_fleet(100, 1, ORIGIN + DAY_MS)
    assert [device.facts for device in early] == [device.facts for device in late]
    assert [onset for onset, _, _ in _faults(early)] == [onset - DAY_MS for onset, _, _ in _faults(late)]


def test_slow_faults_are_left_out_of_the_mix():
    codes = {code for seed in range(20) for _, code, _ in _faults(plan_fleet(400, seed, ORIGIN))}
    assert codes == {kind.code for kind in FAULT_KINDS if kind.in_mix}


def test_the_truth_lists_faults_and_lookalikes_and_survives_its_file(tmp_path):
    plan = plan_fleet(200, 3, ORIGIN, ORIGIN + 2 * HOUR_MS)
    entries = truth_of(plan)
    write_truth(entries, tmp_path / "truth.jsonl")

    assert read_truth(tmp_path / "truth.jsonl") == entries
    assert [path.name for path in tmp_path.iterdir()] == ["truth.jsonl"]
    assert entries == sorted(entries, key=lambda entry: entry.onset_ms)
    assert sum(entry.kind == "fault" for entry in entries) == len(_faults(plan))
    assert {entry.course for entry in entries if entry.kind == "fault"} <= set(COURSES)
    assert {entry.course for entry in entries if entry.kind == "lookalike"} <= {
        kind.name for kind in LOOKALIKE_KINDS
    }


def test_a_broken_truth_file_is_pointed_at(tmp_path):
    path = tmp_path / "truth.jsonl"
    write_truth(truth_of(plan_fleet(20, 3, ORIGIN)), path)
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace('"onset_ms":', '"onset":')
    path.write_text("\n".join(lines))
    with pytest.raises(TruthFileError, match=r"truth\.jsonl:2: .*"):
        read_truth(path)
