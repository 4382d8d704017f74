"""`forewarn bench rules`: a tiny run gives every figure, and all engines agree on the same messages."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from gateway.bench.comparison import (
    compare,
    draw_workload,
    measure_forewarn,
    plain_python,
    rule_engine_ways,
    scalar_oracle,
    zen_ways,
)
from gateway.bench.fleet import FAULTY_SHARE, ROUND_MS, START, Fleet
from gateway.bench.packs import bench_rules
from gateway.bench.profiles import PROFILES
from gateway.bench.rules import Run
from rules.batch import Kind
from rules.symbols import Symbols

pytestmark = pytest.mark.slow  # each test starts the command anew

FOREWARN = Path(sys.executable).with_name("forewarn")
TINY = ["--devices", "200", "--rules", "40", "--messages", "2000", "--batch", "100", "--warmup", "4"]
TINY += ["--fill", "8"]
PACE = {
    "messages",
    "us_per_message",
    "cpu_us_per_message",
    "messages_per_second",
    "findings_per_1000_messages",
}
KEYS = {
    "engine": {
        *PACE,
        "core",
        "devices",
        "shares",
        "rules",
        "rules_shipped",
        "rules_generated",
        "rules_read_a_message",
        "batch",
        "rounds_us_per_message",
        "warmup_us_per_message",
        "active_share_of_generated_lanes",
        "suspected_lanes",
        "full_windows",
        "drawn_devices",
        "other_batches",
    },
    "scaling": {
        "core",
        "us_per_message_by_rules",
        "us_per_message_by_untouched_rules",
        "us_per_touched_rule",
        "us_per_untouched_rule",
        "growth_touched",
        "growth_untouched",
    },
    "memory": {
        "core",
        "devices",
        "rules",
        "signals_a_device",
        "rounds",
        "resident_bytes_a_device",
        "array_bytes_a_device",
        "before_windows_are_full",
        "resident_bytes",
        "resident_bytes_before",
        "peak_bytes",
    },
    "snapshot": {
        "core",
        "devices",
        "rules",
        "intake_stops_ms",
        "save_s",
        "file_bytes",
        "array_bytes",
        "restore_s",
        "restore_parts_s",
        "same_findings_after",
    },
    "worst_order": {"core", "devices", "batch", "quiet", "active"},
}


def forewarn(*arguments, cwd):
    return subprocess.run(
        [FOREWARN, "bench", "rules", *arguments],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    result = forewarn(*TINY, cwd=tmp_path_factory.mktemp("bench"))
    assert result.returncode == 0, result.stderr
    assert "engine: 4 rounds to fill the windows" in result.stderr
    return json.loads(result.stdout)


def test_a_run_gives_every_figure(report):
    assert list(report) == ["forewarn", "machine", "settings", *KEYS, "comparison"]
    for name, keys in KEYS.items():
        assert report[name].keys() == keys, name
    assert report["settings"]["messages"] == 2000
    assert report["machine"]["python"]
    assert report["machine"]["numpy"] == np.__version__


def test_what_was_measured_is_what_was_asked_for(report):
    engine = report["engine"]
    assert (engine["devices"], engine["rules"], engine["messages"]) == (200, 40, 2000)
    assert engine["rules_shipped"] + engine["rules_generated"] == 40
    assert len(engine["warmup_us_per_message"]) == 4
    assert len(engine["rounds_us_per_message"]) == 10
    assert engine["other_batches"].keys() == {"50000", "1000", "100"}
    assert list(report["scaling"]["us_per_message_by_rules"]) == ["10", "20", "40", "80"]
    assert list(report["scaling"]["us_per_message_by_untouched_rules"]) == ["0", "10", "30", "70"]
    assert report["memory"]["signals_a_device"] == 20
    assert report["worst_order"]["quiet"]["messages"] == 100


def test_paces_are_positive_and_agree_with_themselves(report):
    engine = report["engine"]
    worst = report["worst_order"]
    ways = (engine["full_windows"], engine["drawn_devices"], *engine["other_batches"].values())
    for pace in (engine, *ways, worst["quiet"], worst["active"]):
        assert pace["us_per_message"] > 0
        assert pace["messages_per_second"] == pytest.approx(1e6 / pace["us_per_message"], rel=0.01)
    for figures in ("us_per_message_by_rules", "us_per_message_by_untouched_rules"):
        assert all(us > 0 for us in report["scaling"][figures].values())
    assert report["memory"]["array_bytes_a_device"] > 0
    assert report["snapshot"]["file_bytes"] >= report["snapshot"]["array_bytes"] > 0


def test_a_restored_engine_goes_on_like_the_one_that_was_saved(report):
    assert report["snapshot"]["same_findings_after"] is True


def test_engines_found_the_same(report):
    comparison = report["comparison"]
    assert comparison["same_matches"] is True
    assert comparison["matches"] > 0
    assert comparison["plain_python"]["us_per_message"] > 0
    assert comparison["scalar_oracle"]["us_per_message"] > 0
    for name, module in (("zen_engine", "zen"), ("rule_engine", "rule_engine")):
        if find_spec(module) is None:
            assert comparison[name] is None
            assert "not installed" in comparison[f"{name}_why"]
        else:
            assert comparison[name]["us_per_message"] == min(comparison[name]["ways"].values())


def test_one_measurement_alone(tmp_path):
    result = forewarn(*TINY, "--only", "worst_order", cwd=tmp_path)
    assert list(json.loads(result.stdout)) == ["forewarn", "machine", "settings", "worst_order"]


def test_a_measurement_that_is_not_known_is_refused(tmp_path):
    result = forewarn("--only", "speed", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("--only: expected one of engine, scaling, memory,")


# The engines beside ours


@pytest.fixture(scope="module")
def workload():
    return draw_workload(devices=300, rounds=3, seed=5)


@pytest.fixture(scope="module")
def matches(workload):
    """Count with numpy what all the engines must find in the last two rounds."""
    compared = {">": np.greater, "<": np.less, ">=": np.greater_equal, "<=": np.less_equal}
    names = list(workload.messages(range(1))[0])
    found = 0
    for condition in workload.conditions:
        true = np.ones(workload.values[1:].shape[:2], dtype=bool)
        for term in condition:
            column = workload.values[1:, :, names.index(term.signal.replace(".", "_"))]
            true &= compared[term.operator](column, term.limit)
        found += int(true.sum())
    assert found > 50
    return found


def test_forewarn_finds_what_is_there_however_the_messages_are_cut(workload, matches):
    for batch in (1, 7, 300, 1000):
        assert measure_forewarn(workload, range(1, 3), batch)[1] == matches


def test_plain_python_finds_what_is_there(workload, matches):
    assert plain_python(workload.conditions)(workload.messages(range(1, 3))) == matches


def test_the_oracle_finds_what_is_there(workload, matches):
    count = scalar_oracle(workload.conditions)
    assert count is not None
    assert count(workload.messages(range(1, 3))) == matches


@pytest.mark.skipif(find_spec("zen") is None, reason="zen-engine is not installed")
def test_zen_engine_finds_what_is_there_in_each_way(workload, matches):
    ways = zen_ways(workload.conditions)
    assert {way: count(workload.messages(range(1, 3))) for way, count in ways.items()} == dict.fromkeys(
        ways, matches
    )


@pytest.mark.skipif(find_spec("rule_engine") is None, reason="rule-engine is not installed: make bench")
def test_rule_engine_finds_what_is_there_in_each_way(workload, matches):
    ways = rule_engine_ways(workload.conditions)
    assert {way: count(workload.messages(range(1, 3))) for way, count in ways.items()} == dict.fromkeys(
        ways, matches
    )


def test_an_engine_that_errs_is_told(monkeypatch):
    monkeypatch.setattr("gateway.bench.comparison.plain_python", lambda _: len)
    assert compare(devices=50, rounds=1, batch_size=50, seed=1)["same_matches"] is False


# The fleet and the rules


@pytest.fixture
def fleet():
    fleet = Fleet(2000, 3, Symbols())
    fleet.introduce()
    return fleet


def test_every_device_speaks_once_a_round_sixty_seconds_apart(fleet):
    rounds = [
        [readings for readings, _ in fleet.round(number, START + number * ROUND_MS, 300)]
        for number in range(2)
    ]
    first, second = ({int(d): int(t) for b in r for d, t in zip(b.device, b.ts, strict=True)} for r in rounds)
    assert first.keys() == set(range(2000))
    assert {second[device] - first[device] for device in first} == {ROUND_MS}
    arrival = np.concatenate([b.arrival for r in rounds for b in r])
    assert (np.diff(arrival) >= 0).all()
    assert (arrival >= np.concatenate([b.ts for r in rounds for b in r])).all()


def test_four_messages_of_six_values_bring_all_signals(fleet):
    reported = {}
    for number in range(4):
        for readings, _ in fleet.round(number, START + number * ROUND_MS, 2000):
            assert (np.bincount(readings.message) == 6).all()
            for device, channel in zip(readings.device[readings.message], readings.channel, strict=True):
                reported.setdefault(int(device), set()).add(int(channel))
    assert {len(channels) for channels in reported.values()} == {20}


def test_counters_never_fall_not_even_when_a_device_stands_twice_in_a_batch(fleet):
    channel = fleet.symbols.channel("disk.power_on_hours@sda")
    newest = {}
    grown = 0
    for readings, _ in fleet.drawn(40_000, START, 20_000):
        for row in np.flatnonzero(readings.channel == channel):
            device, value = int(readings.device[readings.message[row]]), float(readings.value[row])
            assert value >= newest.get(device, 0.0)
            grown += value > newest.get(device, value)
            newest[device] = value
    assert grown > 10


def test_texts_are_those_of_the_signal(fleet):
    said = set()
    for readings, _ in fleet.round(0, START, 2000):
        rows = (readings.kind == Kind.TEXT) & (readings.channel == fleet.symbols.channel("raid.state@0"))
        said |= {fleet.symbols.texts[int(number)] for number in readings.value[rows]}
    assert "optimal" in said
    assert said <= {"optimal", "degraded"}


def test_a_course_is_one_device_that_fits(fleet):
    readings = fleet.course("server", faulty=True, count=50, begin=START)
    assert len(set(readings.device.tolist())) == 1
    assert fleet.symbols.devices[int(readings.device[0])].device_class == "server"
    assert set(np.diff(readings.ts).tolist()) == {1000}


def test_as_many_rules_as_asked_for_and_the_same_ones_first():
    few, more = bench_rules(40, 1), bench_rules(80, 1, idle=5)
    assert len(few.ruleset.rules) == 40
    assert len(more.ruleset.rules) == 85
    assert [rule.order for rule in more.ruleset.rules] == list(range(85))
    assert [g.entry for g in few.generated] == [g.entry for g in more.generated[: len(few.generated)]]


def test_all_shipped_rules_are_among_two_hundred():
    rules = bench_rules(200, 1)
    shipped = {rule.id for rule in rules.ruleset.rules} - {rule.entry["id"] for rule in rules.generated}
    assert shipped == {rule.id for rule in bench_rules(400, 1).ruleset.rules if rule.pack != "bench"}
    assert len(shipped) + len(rules.generated) == 200


def test_about_one_lane_in_a_hundred_is_active():
    run = Run.new(bench_rules(200, 1), 2000, 1)
    for _ in range(8):
        run.play(1000)
    assert FAULTY_SHARE / 8 < run.active_share() < FAULTY_SHARE
    assert sum(profile.share for profile in PROFILES) == pytest.approx(1.0)
