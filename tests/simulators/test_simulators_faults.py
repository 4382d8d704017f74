from collections.abc import Callable

import pytest
from simlab import (
    ORIGIN,
    Snapshot,
    build,
    component_of,
    fault_of,
    growth,
    longest,
    lookalike_of,
    most_in,
    run,
    snapshots,
)

from rules.times import HOUR_MS, MINUTE_MS
from simulators.device import Command
from simulators.faults import COURSES, FAULT_KINDS, LOOKALIKE_KINDS, Fault, FaultKind, LookalikeKind

ONSET_MIN = 40
SEEDS = (1, 2, 3)

Symptom = Callable[[list[Snapshot], str], bool]


def _overheats(seen, _part):
    return longest(seen, lambda s: s.number("thermal.status") >= 4) >= 10


def _loses_sectors(seen, disk):
    counters = ("reallocated_sectors", "reported_uncorrectable", "pending_sectors", "offline_uncorrectable")
    # One spot is no trend: it goes on.
    return sum(most_in(seen[::20], f"disk.{name}@{disk}", 1e9) for name in counters) >= 3


def _bad_link(seen, disk):
    return most_in(seen[::20], f"disk.crc_errors@{disk}", 1440) > 10 and not _loses_sectors(seen, disk)


def _stands_still_while_hot(seen, _part):
    return longest(seen, lambda s: s["fan.rpm@1"] == 0 and s.number("cpu.temperature@0") > 70) >= 5


def _supply_dead(seen, _part):
    def dead(s):
        return any(not s[f"psu.ok@{p}"] and s.number(f"psu.input_voltage@{p}") > 90 for p in ("psu1", "psu2"))

    return longest(seen, lambda s: dead(s) and not s["psu.redundant"]) >= 2


def _too_slow(seen, fan):
    return longest(seen, lambda s: s.number(f"fan.rpm@{fan}") < s.number(f"fan.low_limit@{fan}")) >= 1


def _storm(seen, dimm):
    others = [key for key in seen[-1].values if key.startswith("memory.corrected")]
    others.remove(f"memory.corrected_errors@{dimm}")
    return growth(seen, f"memory.corrected_errors@{dimm}") > 24 and all(growth(seen, k) <= 1 for k in others)


def _water_stays(seen, _part):
    stuck = [s for s in seen if s["drain.pump_on"] and s.number("water.level") > 20]
    return any(
        later.number("water.level") >= earlier.number("water.level") - 2
        for earlier in stuck
        for later in stuck
        if 10 <= later.minute - earlier.minute < 10.5
    )


def _heats_nothing(seen, _part):
    by_minute = {s.minute: s for s in seen}
    return any(
        by_minute[minute - 15].number("water.temperature") > s.number("water.temperature") - 5
        and all(x["heater.on"] and x.number("power.active") < 300 for m, x in window)
        for minute, s in by_minute.items()
        if minute - 15 in by_minute
        for window in [[(m, x) for m, x in by_minute.items() if minute - 15 <= m <= minute]]
    )


def _no_air_to_the_fridge(seen, _part):
    return (
        longest(
            seen,
            lambda s: (
                s.number("freezer.temperature") < -12
                and s.number("fridge.temperature") > 8
                and s["evaporator.fan_rpm"] == 0
                and not s["door.open"]
                and not s["defrost.on"]
            ),
        )
        >= 10
    )


def _draws_nothing_and_warms(seen, _part):
    return longest(seen, lambda s: s.number("compressor.power") < 10) >= 180 and (
        seen[-1].number("fridge.temperature") > 8
    )


SYMPTOMS: dict[str, Symptom] = {
    "battery.failed": lambda seen, _: (
        longest(seen, lambda s: s["battery.health"] in ("dead", "failure")) > 10
    ),
    "battery.worn": lambda seen, _: seen[-1].number("battery.capacity_ratio") < 0.8,
    "thermal.overheating": _overheats,
    "charge.port": lambda seen, _: most_in(seen, "power.plug_events", 60) > 20,
    "disk.media_wear": _loses_sectors,
    "disk.cable": _bad_link,
    "fan.stopped": _stands_still_while_hot,
    "memory.failing": lambda seen, dimm: growth(seen, f"memory.corrected_errors@{dimm}") >= 10,
    "psu.failed": _supply_dead,
    "fan.failed": _too_slow,
    "memory.correctable_storm": _storm,
    "washer.not_draining": _water_stays,
    "washer.heater": _heats_nothing,
    "appliance.leak": lambda seen, _: longest(seen, lambda s: s["leak.detected"]) >= 10,
    "fridge.evaporator_fan": _no_air_to_the_fridge,
    "fridge.compressor": _draws_nothing_and_warms,
}

PROBES = {
    "battery.failed": "battery.test",
    "battery.worn": "battery.test",
    "thermal.overheating": "thermal.test",
    "charge.port": "charge.test",
    "disk.media_wear": "disk.self_test",
    "fan.stopped": "fan.test",
    "fan.failed": "fan.test",
    "memory.failing": "memory.test",
    "memory.correctable_storm": "memory.test",
    "psu.failed": "psu.test",
    "washer.not_draining": "washer.drain_test",
    "washer.heater": "washer.heater_test",
    "fridge.evaporator_fan": "fridge.fan_test",
    "fridge.compressor": "fridge.cooling_test",
}


def _name(kind: FaultKind | LookalikeKind) -> str:
    return f"{kind.kind}-{kind.code if isinstance(kind, FaultKind) else kind.name}"


def _verdict(device, action, component, minute):
    now = ORIGIN + round(minute * MINUTE_MS)
    device.step(now)
    [running] = device.answer(Command("id", action, component or ""), now)
    assert running.state == "running"
    device.step(now + 2 * MINUTE_MS)
    [verdict] = device.verdicts(now + 2 * MINUTE_MS)
    return verdict.state


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", FAULT_KINDS, ids=_name)
def test_a_fault_shows_its_symptoms_in_time_and_not_before(kind, seed):
    device = build(kind.kind, fault=fault_of(kind, after_min=ONSET_MIN), seed=seed)
    part = component_of(kind) or ""
    # Half an hour after the onset it shows; a slow one has hours.
    minutes = ONSET_MIN + (35 if kind.in_mix else kind.room_ms / MINUTE_MS)
    seen = snapshots(run(device, minutes))

    assert not SYMPTOMS[kind.code]([s for s in seen if s.minute < ONSET_MIN], part)
    assert SYMPTOMS[kind.code](seen, part)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", LOOKALIKE_KINDS, ids=_name)
def test_a_lookalike_never_shows_the_symptoms(kind, seed):
    device = build(kind.kind, lookalike=lookalike_of(kind, after_min=ONSET_MIN), seed=seed)
    seen = snapshots(run(device, 4 * 60))

    assert not SYMPTOMS[kind.resembles](seen, component_of(kind) or "1")


LOOKS: dict[str, Callable[[list[Snapshot], str], bool]] = {
    "phone.in_the_sun": lambda seen, _: longest(seen, lambda s: s.number("thermal.status") >= 2) > 15,
    "charge.limit": lambda seen, _: (
        longest(
            seen, lambda s: s["power.plugged"] and s.number("battery.current") < 0.02 and s["charge.limited"]
        )
        > 15
    ),
    "battery.well_used": lambda seen, _: 0.80 < seen[-1].number("battery.capacity_ratio") < 0.86,
    "battery.in_the_cold": lambda seen, _: longest(seen, lambda s: s["battery.health"] == "cold") > 5,
    "disk.old_scars": lambda seen, d: (
        seen[0].number(f"disk.pending_sectors@{d}") > 0
        and growth(seen, f"disk.pending_sectors@{d}") == 0
        and growth(seen, f"disk.reallocated_sectors@{d}") == 0
    ),
    "disk.single_spot": lambda seen, d: growth(seen, f"disk.reallocated_sectors@{d}") == 1,
    "fan.zero_rpm": lambda seen, _: longest(seen, lambda s: s["fan.rpm@1"] == 0) > 5,
    "disk.few_crc": lambda seen, d: 0 < growth(seen, f"disk.crc_errors@{d}") <= 20,
    "memory.single_errors": lambda seen, d: 0 < growth(seen, f"memory.corrected_errors@{d}") <= 18,
    "cpu.busy": lambda seen, _: longest(seen, lambda s: s.number("cpu.temperature@0") > 70) > 60,
    "feed.outage": lambda seen, p: (
        20 < longest(seen, lambda s: not s[f"psu.ok@{p}"] and s[f"psu.input_voltage@{p}"] == 0) < 30
    ),
    "fan.swapped": lambda seen, f: any(s.number(f"fan.rpm@{f}") < 1500 for s in seen),
    "washer.paused": lambda seen, _: (
        6 < longest(seen, lambda s: s["program.phase"] == "pause" and s.number("water.level") > 20) < 10
    ),
    "washer.eco": lambda seen, _: longest(seen, lambda s: s["program.phase"] == "heat") > 10,
    "washer.suds": lambda seen, _: not any(s["leak.detected"] for s in seen),
    "fridge.loaded": lambda seen, _: 10 < longest(seen, lambda s: s.number("fridge.temperature") > 8) < 90,
    "fridge.defrosting": lambda seen, _: 10 < longest(seen, lambda s: s["defrost.on"]) < 30,
    "fridge.resting": lambda seen, _: longest(seen, lambda s: s.number("compressor.power") < 10) > 10,
}


@pytest.mark.parametrize("kind", LOOKALIKE_KINDS, ids=_name)
def test_a_lookalike_does_look_unusual(kind):
    device = build(kind.kind, lookalike=lookalike_of(kind, after_min=ONSET_MIN), seed=2)
    days = 2 if kind.name in ("disk.few_crc", "memory.single_errors") else 0.25

    assert LOOKS[kind.name](snapshots(run(device, days * 1440)), component_of(kind) or "")


def test_suds_wet_the_base_without_raising_the_float():
    kind = next(kind for kind in LOOKALIKE_KINDS if kind.name == "washer.suds")
    device = build("washer", lookalike=lookalike_of(kind, after_min=10))
    run(device, 60)
    assert 0 < device.base_l < 0.05


def test_every_fault_of_a_class_has_a_lookalike():
    looked = {(kind.kind, kind.resembles) for kind in LOOKALIKE_KINDS}
    assert {(kind.kind, kind.code) for kind in FAULT_KINDS} <= looked


def test_each_class_has_four_faults():
    for kinds in ({"phone"}, {"pc"}, {"server"}, {"washer", "fridge"}):
        assert sum(kind.kind in kinds and kind.in_mix for kind in FAULT_KINDS) >= 4


@pytest.mark.parametrize("kind", [kind for kind in FAULT_KINDS if kind.code in PROBES], ids=_name)
def test_a_probe_passes_before_the_fault_and_fails_after(kind):
    part = component_of(kind)
    device = build(kind.kind, fault=fault_of(kind, after_min=ONSET_MIN))

    assert _verdict(device, PROBES[kind.code], part, ONSET_MIN - 10) == "passed"
    late = build(kind.kind, fault=fault_of(kind, after_min=ONSET_MIN))
    assert _verdict(late, PROBES[kind.code], part, ONSET_MIN + 60) == "failed"


@pytest.mark.parametrize("kind", [kind for kind in LOOKALIKE_KINDS if kind.resembles in PROBES], ids=_name)
def test_a_probe_of_a_lookalike_does_not_fail(kind):
    for minute in (ONSET_MIN + 2, ONSET_MIN + 15, ONSET_MIN + 60):
        device = build(kind.kind, lookalike=lookalike_of(kind, after_min=ONSET_MIN))
        state = _verdict(device, PROBES[kind.resembles], component_of(kind), minute)
        dark = kind.name == "feed.outage" and minute < ONSET_MIN + 25
        assert state == ("error" if dark else "passed")


def test_a_bad_cable_does_not_fail_the_drives_own_test():
    kind = next(kind for kind in FAULT_KINDS if kind.code == "disk.cable")
    device = build("pc", fault=fault_of(kind, after_min=10))
    assert _verdict(device, "disk.self_test", component_of(kind), 60) == "passed"


def test_only_the_broken_part_fails():
    kind = next(kind for kind in FAULT_KINDS if kind.code == "psu.failed")
    device = build("server", fault=fault_of(kind, after_min=10))
    assert _verdict(device, "psu.test", "psu1", 20) == "passed"
    other = build("server", fault=fault_of(kind, after_min=10))
    assert _verdict(other, "psu.test", None, 20) == "failed"


@pytest.mark.parametrize("course", COURSES)
def test_severity_grows_from_nothing_to_all(course):
    fault = Fault("x.y", None, ORIGIN, course)
    severities = [fault.severity(ORIGIN + minute * MINUTE_MS) for minute in range(-5, 181)]
    assert severities[:5] == [0.0] * 5
    assert severities == sorted(severities)
    assert severities[-1] == 1.0


def test_a_leak_is_stopped_by_the_float_and_the_washer_stands():
    kind = next(kind for kind in FAULT_KINDS if kind.code == "appliance.leak")
    device = build("washer", fault=fault_of(kind, after_min=10))
    seen = snapshots(device.step(ORIGIN + 6 * HOUR_MS))
    assert seen[-1]["leak.detected"]
    assert seen[-1]["program.phase"] == "error"
    assert seen[-1]["water.level"] == 0
    assert device.base_l < 0.2
