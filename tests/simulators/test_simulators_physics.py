import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simlab import KINDS, ORIGIN, build, growth, longest, run, snapshots

from rules.signals import load_catalogue
from rules.symbols import Channel
from rules.times import HOUR_MS, MINUTE_MS
from simulators.cooling import THROTTLE_C, Fan, Processor, fan_drive
from simulators.disk import Disk
from simulators.processes import Habit, Wander, relax

CATALOGUE = load_catalogue()
DAY = 24 * 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_healthy_device_stays_plausible_for_two_days(kind, seed):
    device = build(kind, seed=seed)
    readings = run(device, 2 * DAY)

    assert len(readings) == 2 * DAY * MINUTE_MS // device.period_ms
    for reading in readings:
        for key, value in reading.values.items():
            signal = CATALOGUE.get(Channel.parse(key).signal)
            assert signal is not None, key
            if signal.kind == "boolean":
                assert isinstance(value, bool), key
            elif signal.kind == "text":
                assert isinstance(value, str), key
                assert not signal.values or value in signal.values, (key, value)
            else:
                assert isinstance(value, int | float), key
                assert not isinstance(value, bool), key
                assert signal.low is None or value >= signal.low, (key, value)
                assert signal.high is None or value <= signal.high, (key, value)


@pytest.mark.parametrize("kind", KINDS)
def test_components_of_readings_are_those_of_the_facts(kind):
    device = build(kind)
    keys = {key for reading in run(device, 20) for key in reading.values}
    named = {Channel.parse(key).component for key in keys} - {""}
    parts = {name for names in device.identity.parts.values() for name in names}

    assert named <= parts | {"0", "eth0"}
    assert set(device.facts().get("components", {})) <= parts


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_however_it_is_stepped(kind):
    in_one = build(kind).step(ORIGIN + 3 * HOUR_MS)
    device, in_many = build(kind), []
    for second in range(0, 3 * 3600 + 1, 7):
        in_many += device.step(ORIGIN + second * 1000)
    in_many += device.step(ORIGIN + 3 * HOUR_MS)

    assert msgspec.json.encode(in_one) == msgspec.json.encode(in_many)


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_is_another_device(kind):
    assert run(build(kind, seed=1), 60) != run(build(kind, seed=2), 60)


@pytest.mark.parametrize("kind", KINDS)
def test_readings_are_a_period_apart_and_never_ahead(kind):
    device = build(kind)
    now = ORIGIN + 90 * MINUTE_MS
    stamps = [reading.ts for reading in device.step(now)]

    assert stamps[-1] <= now < device.next_ms
    assert {later - earlier for earlier, later in itertools.pairwise(stamps)} == {device.period_ms}


@pytest.mark.parametrize("kind", KINDS)
def test_slow_values_come_with_the_first_message_and_again_regularly(kind):
    device = build(kind)
    readings = run(device, 60)
    slow = set(device.slow())

    full = [number for number, reading in enumerate(readings) if slow <= set(reading.values)]
    assert full[0] == 0
    assert max(np.diff(full)) <= device.slow_every


@given(value=st.floats(-50, 150), target=st.floats(-50, 150), dt=st.floats(0.01, 1e5), tau=st.floats(1, 1e4))
def test_relaxing_never_overshoots(value, target, dt, tau):
    after = relax(value, target, dt, tau)
    assert min(value, target) - 1e-9 <= after <= max(value, target) + 1e-9
    halves = relax(relax(value, target, dt / 2, tau), target, dt / 2, tau)
    assert halves == pytest.approx(after, abs=1e-6)


def _settled(load, flow, air=25.0):
    cpu = Processor(idle_w=12, full_w=80, still_w_k=0.5, moved_w_k=1.5, heat_j_k=150, air_c=air)
    for _ in range(2000):
        cpu.advance(load=load, flow=flow, air_c=air, dt_s=10)
    return cpu.temperature


@given(load=st.floats(0, 0.9), flow=st.floats(0, 0.9))
def test_a_processor_is_hotter_with_more_work_and_cooler_with_more_air(load, flow):
    assert _settled(load + 0.1, flow) >= _settled(load, flow)
    assert _settled(load, flow + 0.1) <= _settled(load, flow)
    assert _settled(load, flow) > 25.0
    assert _settled(load, flow) <= THROTTLE_C + 5


def test_a_fan_follows_its_drive_and_stops_when_stuck():
    fan = Fan(np.random.default_rng(1), 2000)
    for _ in range(10):
        fan.advance(1.0, 0.0, 5)
    assert fan.reading == pytest.approx(2000, rel=0.05)
    for _ in range(10):
        fan.advance(1.0, 1.0, 5)
    assert fan.reading == 0


def test_a_fan_curve_rises_from_low_to_full():
    drives = [fan_drive(t, low=0.3, cool_c=50, hot_c=85) for t in range(20, 110, 5)]
    assert drives == sorted(drives)
    assert drives[0] == 0.3
    assert drives[-1] == 1.0


def test_wandering_keeps_its_mean_and_spread_whatever_the_step():
    for dt in (1.0, 60.0, 3600.0):
        wander = Wander(np.random.default_rng(3), mean=20, spread=2, tau_s=60)
        values = [wander.advance(dt) for _ in range(20_000)]
        assert np.mean(values) == pytest.approx(20, abs=0.6)
        assert np.std(values) == pytest.approx(2, abs=0.3)


def test_habits_come_as_often_as_they_are_weighted():
    habit = Habit(np.random.default_rng(3), levels={0.1: 3, 0.9: 1}, mean_s=60)
    levels = [habit.advance(60) for _ in range(20_000)]
    assert set(levels) == {0.1, 0.9}
    assert levels.count(0.1) / len(levels) == pytest.approx(0.75, abs=0.05)


@given(seed=st.integers(0, 2**32), wear=st.floats(0.1, 1))
def test_a_failing_disk_keeps_its_books(seed, wear):
    disk = Disk(np.random.default_rng(seed), "sda", 25)
    counts = []
    for _ in range(200):
        disk.advance(air_c=25, wear=wear, crc_per_hour=0, dt_s=60)
        counts.append((disk.reallocated, disk.uncorrectable))
        assert 0 <= disk.unreadable <= disk.pending
        assert 0 <= disk.offline <= disk.pending
    assert counts == sorted(counts)
    assert disk.crc == 0


def test_a_phone_off_the_cable_only_loses_charge_and_on_it_gains():
    seen = snapshots(run(build("phone"), 2 * DAY))
    steps = [
        (later.number("battery.level") - earlier.number("battery.level"), earlier["power.plugged"])
        for earlier, later in itertools.pairwise(seen)
        if earlier["power.plugged"] == later["power.plugged"]
    ]
    assert all(step <= 0 for step, plugged in steps if not plugged)
    assert all(step >= -1 for step, plugged in steps if plugged)
    assert max(s.number("battery.level") for s in seen) >= 97
    assert growth(seen, "battery.cycles") >= 1


def test_a_battery_ages_with_its_cycles():
    device = build("phone")
    seen = snapshots(device.step(ORIGIN + 8 * DAY * MINUTE_MS))
    assert growth(seen, "battery.cycles") >= 4
    assert -0.02 < growth(seen, "battery.capacity_ratio") < 0


def test_a_hot_processor_turns_the_fan_up():
    seen = snapshots(run(build("server"), DAY))
    heat = [s.number("cpu.temperature@0") for s in seen]
    speed = [s.number("fan.rpm@1") for s in seen]
    load = [s.number("cpu.load") for s in seen]
    assert np.corrcoef(heat, speed)[0, 1] > 0.95
    assert np.corrcoef(heat, load)[0, 1] > 0.8
    assert max(heat) < 85


def test_a_fridge_cycles_and_keeps_cold():
    seen = snapshots(run(build("fridge"), 2 * DAY))
    calm = [s for s in seen if not s["door.open"] and not s["defrost.on"]]
    duty = np.mean([s["compressor.on"] for s in seen])
    switches = np.abs(np.diff([int(s["compressor.on"]) for s in seen])).sum()

    assert 0.2 < duty < 0.7
    assert 48 < switches < 500
    assert np.mean([s.number("fridge.temperature") for s in calm]) == pytest.approx(4.5, abs=1)
    assert longest(seen, lambda s: s.number("fridge.temperature") > 8) < 20
    assert max(s.number("freezer.temperature") for s in seen) < -9
    assert 2 <= sum(b["defrost.on"] and not a["defrost.on"] for a, b in itertools.pairwise(seen)) <= 8
    assert all(s.number("power.active") > s.number("compressor.power") for s in seen)


def test_a_washer_runs_its_programmes_to_the_end():
    seen = snapshots(run(build("washer"), DAY))
    phases = [s["program.phase"] for s in seen]
    order = [phase for phase, before in zip(phases[1:], phases, strict=False) if phase != before]
    start = order.index("fill")
    programme = ["fill", "heat", "wash", "drain", "fill", "rinse", "drain", "spin", "idle"]

    assert order[start : start + 27] == programme * 3
    assert order.count("spin") > 24
    assert "error.code" not in seen[-1].values


def test_a_washers_water_and_heat_obey_their_books():
    seen = snapshots(run(build("washer"), DAY))
    for before, after in itertools.pairwise(seen):
        if after.number("water.level") > before.number("water.level"):
            assert after["program.phase"] in ("fill", "heat", "rinse")
        if after["heater.on"] and before["heater.on"]:
            # 2 kW on some 64 kJ/K: 0.03 K a second, 15 seconds apart.
            rise = after.number("water.temperature") - before.number("water.temperature")
            assert rise == pytest.approx(0.45, abs=0.15)
            assert after.number("power.active") > 1900
        if after.number("drum.rpm") == 0:
            assert after["motor.current"] == 0
    assert max(s.number("water.level") for s in seen) < 130
    assert max(s.number("drum.rpm") for s in seen) > 900
