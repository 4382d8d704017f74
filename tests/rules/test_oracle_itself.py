"""The oracle's harder words against numbers worked out by hand: what judges the engine is judged here."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import yaml
from oracle import Oracle, distance, looks, window

from rules.expression.tree import WindowValue
from rules.loader import load_rules
from rules.model import Schedule
from rules.symbols import DeviceId

MINUTE, HOUR = 60_000, 3_600_000
SRV = DeviceId("acme", "server", "s1")
SIGNALS = {
    "x.a": {"title": "a", "period": "1h"},
    "x.b": {"title": "b"},
    "x.wear": {"title": "counter", "wraps": 100},
}


def of(function, readings, t, w=HOUR, parameter=0.0, wraps=None):
    return window(WindowValue(function, "x.a", "", w, parameter), readings, t, wraps)


def every_minute(*values):
    return [(i * MINUTE, float(value)) for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("function", "values", "parameter", "expected"),
    [
        ("stddev", (2, 4, 4, 4, 5, 5, 7, 9), 0, 2.0),  # of the population: variance 32 / 8
        ("stddev", (3,), 0, 0.0),
        ("median", (9, 1, 5), 0, 5.0),
        ("median", (9, 1, 5, 2), 0, 3.5),
        ("quantile", (10, 20, 30, 40, 50), 0.9, 46.0),  # rank 3.6
        ("quantile", (10, 20, 30, 40, 50), 0.0, 10.0),
        ("quantile", (10, 20, 30, 40, 50), 1.0, 50.0),
        ("slope", (0, 1, 2, 3), 0, 60.0),  # one a minute
        ("slope", (0, 0, 3), 0, 90.0),  # (-1, 0, 1) . (-1, -1, 2) / 2 = 1.5 a minute
        ("slope", (1, 2), 0, None),
        ("forecast", (0, 1, 2, 3), 10 * MINUTE, 13.0),
        ("forecast", (0, 0, 3), 0, 2.5),  # mean 1 at minute 1, and 1.5 a minute on
        ("delta", (5, 1, 3), 0, -2.0),
        ("changes", (1, 1, 2, 1), 0, 2),
    ],
)
def test_functions(function, values, parameter, expected):
    readings = every_minute(*values)
    found = of(function, readings, readings[-1][0], parameter=parameter)
    assert found == (expected if expected is None else pytest.approx(expected, abs=1e-9))


def test_readings_of_one_moment_have_no_slope():
    assert of("slope", [(5, 1.0), (5, 2.0), (5, 3.0)], 5) is None


def test_windows_are_open_at_the_old_end():
    readings = [(0, 100.0), (MINUTE, 1.0), (HOUR, 3.0)]
    assert of("sum", readings, HOUR) == 4.0
    assert of("count", [], HOUR) == 0
    assert of("avg", readings, 3 * HOUR) is None


def test_the_old_end_is_exact_to_a_60th_part_of_the_window():
    # The first two are in one minute, the 60th part of the hour: they are in the window until both are out.
    readings = [(0, 100.0), (1, 1.0), (HOUR, 3.0)]
    assert of("sum", readings, HOUR) == 104.0
    assert of("sum", readings, HOUR + 1) == 3.0


def test_of_readings_within_a_4000th_part_of_the_window_the_last_counts_for_quantiles():
    part = HOUR // 4000  # 900 ms
    readings = [(10 * part, 1.0), (10 * part + 1, 5.0), (10 * part + part - 1, 9.0), (11 * part, 3.0)]
    assert of("median", readings, 12 * part) == 6.0
    assert of("quantile", readings, 12 * part, parameter=1.0) == 9.0
    assert of("max", readings[:2], 12 * part) == 5.0


def test_a_counter_that_wraps_goes_on_and_one_that_is_reset_counts_from_zero():
    assert of("increase", every_minute(90, 95, 3), 2 * MINUTE, wraps=100) == 5 + 8
    assert of("increase", every_minute(90, 95, 3), 2 * MINUTE) == 5 + 3
    assert of("increase", every_minute(75, 24), MINUTE, wraps=100) == 49
    assert of("increase", every_minute(74, 24), MINUTE, wraps=100) == 24  # not near its end: a reset
    assert of("increase", every_minute(75, 25), MINUTE, wraps=100) == 25  # not near its beginning
    assert of("rate", every_minute(99, 1), MINUTE, w=2 * MINUTE, wraps=100) == pytest.approx(2 / 120)


def test_flatline():
    hour = [(i * 10 * MINUTE, 4.0) for i in range(7)]
    assert of("flatline", hour, HOUR) is True  # equal since 0, which is t - w
    assert of("flatline", hour[1:], HOUR) is False  # only 50 minutes are known
    assert of("flatline", [*hour[:-1], (HOUR, 5.0)], HOUR) is False
    assert of("flatline", [(0, 9.0), *hour[1:]], HOUR + 10 * MINUTE) is True  # the nine was before
    assert of("flatline", hour, 2 * HOUR) is None


def test_distance_from_peers():
    peers = [1, 2, 3, 4, 5, 6, 7, 8]  # median 4.5; distances .5 .5 1.5 1.5 2.5 2.5 3.5 3.5, median 2
    assert distance(8, peers) == pytest.approx(3.5 / (1.4826 * 2))
    assert distance(8, peers[1:]) is None
    assert distance(None, peers) is None
    assert distance(5, [5] * 8) == 0.0
    assert distance(6, [5] * 7 + [6]) == math.inf


def ms(*wall):
    return int(datetime(*wall, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)


@pytest.mark.parametrize(
    ("schedule", "wall", "expected"),
    [
        (({0, 1, 2, 3, 4}, 480, 1080), (2026, 3, 2, 8, 0), True),  # a Monday
        (({0, 1, 2, 3, 4}, 480, 1080), (2026, 3, 2, 7, 59), False),
        (({0, 1, 2, 3, 4}, 480, 1080), (2026, 3, 2, 18, 0), False),
        (({0, 1, 2, 3, 4}, 480, 1080), (2026, 3, 1, 12, 0), False),
        (({6}, 0, 1440), (2026, 3, 1, 23, 59), True),
        (({4}, 1320, 360), (2026, 3, 6, 23, 0), True),  # Friday night
        (({4}, 1320, 360), (2026, 3, 7, 5, 59), True),  # still that of Friday
        (({4}, 1320, 360), (2026, 3, 6, 5, 0), False),  # that of Thursday
        (({4}, 1320, 360), (2026, 3, 7, 23, 0), False),
        (({0, 1, 2, 3, 4}, 480, 1080), (2026, 7, 6, 8, 0), True),  # summer time
    ],
)
def test_schedules(schedule, wall, expected):
    days, begin, end = schedule
    there = Schedule(frozenset(days), begin, end, "Europe/Berlin")
    assert looks(there, {}, ms(*wall)) is expected
    elsewhere = Schedule(frozenset(days), begin, end, "Asia/Tokyo")
    assert looks(elsewhere, {"time_zone": "Europe/Berlin"}, ms(*wall)) is expected
    assert looks(there, {"time_zone": "Nowhere/Here"}, ms(*wall)) is expected
    assert looks(Schedule(frozenset(days), begin, end, None), {}, ms(*wall)) is False


def found(tmp_path, rule, story, overrides=(), device=SRV):
    """Run a story of (minute, values or facts) through one rule.

    Returns (kind, minute, ways, severity, changes) of each finding.
    """
    rules = [{"id": "r", "fault": "x.y", **rule}]
    pack = {"pack": "p", "signals": SIGNALS, "rules": rules, "overrides": list(overrides)}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(pack))
    oracle = Oracle(load_rules([tmp_path / "p.yaml"]))
    for minute, word in story:
        if any("." in key for key in word):
            oracle.message(device, minute * MINUTE, minute * MINUTE, word)
        else:
            oracle.facts(device, word, minute * MINUTE)
    return [(f[0], f[1] // MINUTE, *f[5:]) for f in oracle.out]


def kinds(findings):
    return [(kind, minute) for kind, minute, *_ in findings]


def test_n_of_counts_the_readings_at_which_it_was_true(tmp_path):
    rule = {"when": "n_of(x.a > 5, 2, 10m)"}
    story = [
        (0, {"x.a": 6}),
        (2, {"x.a": 1}),
        (4, {"x.b": 1}),
        (6, {"x.a": 7}),
        (10, {"x.b": 0}),
        (11, {"x.a": 1}),
    ]
    # At 10 the reading of minute 0 is out, but the rule is looked at only when x.a comes, at 11.
    assert kinds(found(tmp_path, rule, story)) == [("suspected", 6), ("cleared", 11)]


def test_n_of_is_unknown_when_its_condition_was(tmp_path):
    rule = {"when": "not n_of(x.a > fact('most'), 1, 10m)"}
    story = [(0, {"x.a": 6}), (1, {"most": 5}), (2, {"x.a": 4}), (13, {"x.b": 1})]
    assert kinds(found(tmp_path, rule, story)) == [("suspected", 2)]


def test_n_of_starts_anew_with_another_part(tmp_path):
    rule = {"when": "n_of(x.a > 5, 2, 1h)"}
    story = [
        (0, {"serial": "one"}),
        (1, {"x.a": 6}),
        (2, {"serial": "two"}),
        (3, {"x.a": 6}),
        (4, {"x.a": 6}),
    ]
    assert kinds(found(tmp_path, rule, story)) == [("suspected", 4)]


def test_n_of_counts_while_its_rule_is_not_for_the_device(tmp_path):
    rule = {"when": "n_of(x.a > 5, 2, 1h)", "for_devices": {"model": "M"}}
    story = [(0, {"x.a": 6}), (1, {"model": "M"}), (2, {"x.a": 6})]
    assert kinds(found(tmp_path, rule, story)) == [("suspected", 2)]


def test_freshness_is_three_declared_periods(tmp_path):
    rule = {"when": "x.a > 5 and x.b > 0"}
    assert kinds(found(tmp_path, rule, [(0, {"x.a": 6}), (180, {"x.b": 1})])) == [("suspected", 180)]
    assert found(tmp_path, rule, [(0, {"x.a": 6}), (181, {"x.b": 1})]) == []


def test_limits_are_those_of_the_last_override_that_fits(tmp_path):
    rule = {"when": "x.a > limit('hot')", "limits": {"hot": 10}}
    overrides = [
        {"rule": "r", "for_devices": {"model": "R*"}, "limits": {"hot": 20}},
        {"rule": "r", "for_devices": {"model": "R7"}, "limits": {"hot": 5}},
    ]
    story = [(1, {"x.a": 7}), (2, {"x.a": 11})]
    assert kinds(found(tmp_path, rule, story, overrides)) == [("suspected", 2)]
    assert kinds(found(tmp_path, rule, [(0, {"model": "R7"}), *story], overrides)) == [("suspected", 1)]
    assert found(tmp_path, rule, [(0, {"model": "R6"}), *story], overrides) == []


def test_severity_steps(tmp_path):
    rule = {"when": "x.a > 5", "severity_when": {"critical": "x.b > 8", "minor": "x.a < 7"}}
    story = [
        (0, {"x.a": 6}),  # x.b is unknown: the rule's own
        (1, {"x.b": 9}),
        (2, {"x.b": None}),  # stays
        (3, {"x.b": 1}),
        (4, {"x.a": 8}),
        (5, {"x.a": 1, "x.b": 9}),  # cleared as it was
    ]
    assert [(k, m, severity) for k, m, _, severity, _ in found(tmp_path, rule, story)] == [
        ("suspected", 0, "major"),
        ("severity", 1, "critical"),
        ("severity", 3, "minor"),
        ("severity", 4, "major"),
        ("cleared", 5, "major"),
    ]


def test_suspected_with_a_severity_that_is_known_at_once(tmp_path):
    rule = {"when": "x.a > 5", "severity_when": {"critical": "x.a > 8"}}
    assert found(tmp_path, rule, [(0, {"x.a": 9})]) == [("suspected", 0, (), "critical", 0)]


def test_flapping_begins_and_ends(tmp_path):
    rule = {"when": "x.a > 5", "flapping": {"window": "10m", "start": 3, "stop": 1}}
    story = [(minute, {"x.a": value}) for minute, value in ((0, 9), (1, 1), (2, 9), (3, 1), (4, 1))]
    story += [(minute, {"x.b": 0}) for minute in (9, 10, 11, 12, 13)]
    assert [(k, m, changes) for k, m, _, _, changes in found(tmp_path, rule, story)] == [
        ("suspected", 0, 1),
        ("cleared", 1, 2),
        ("suspected", 2, 3),
        ("flapping", 2, 3),
        ("cleared", 3, 4),
        ("steady", 12, 1),  # those of minutes 0, 1 and 2 are out: the window is open at its old end
    ]


def test_outside_of_its_schedule_a_rule_knows_nothing(tmp_path):
    rule = {
        "when": "x.a > 5",
        "schedule": {"from": "08:00", "to": "18:00", "zone": "UTC"},
        "severity_when": {"critical": "x.a > 8"},
        "confirm": {"any_of": [{"also": "x.a > 7"}, {"held": "1h"}]},
    }
    story = [(479, {"x.a": 9}), (480, {"x.a": 6}), (1080, {"x.a": 9}), (1100, {"x.a": 1})]
    assert found(tmp_path, rule, story) == [("suspected", 480, (False, False), "major", 0)]
    assert kinds(found(tmp_path, rule, [*story, (1440 + 480, {"x.a": 1})])) == [
        ("suspected", 480),
        ("cleared", 1920),
    ]


def test_peers_are_those_of_the_same_tenant_class_and_model(tmp_path):
    pack = {"pack": "p", "signals": SIGNALS, "rules": [{"id": "r", "fault": "x.y", "when": "peers(x.a) > 5"}]}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(pack))
    oracle = Oracle(load_rules([tmp_path / "p.yaml"]))
    fleet = [DeviceId("acme", "server", f"s{i}") for i in range(8)]
    for i, device in enumerate(fleet):
        oracle.facts(device, {"model": "M"}, 0)
        oracle.message(device, MINUTE, MINUTE, {"x.a": 10.0 + i % 3})
    # The others: 10 11 12 10 11 12 10; with 30 for the last the median is 11 and the MAD 1.
    oracle.message(fleet[7], 2 * MINUTE, 2 * MINUTE, {"x.a": 30.0})
    assert [(f[0], f[3]) for f in oracle.out] == [("suspected", "acme/server/s7")]
    for stranger in (DeviceId("other", "server", "t"), DeviceId("acme", "pc", "t")):
        oracle.facts(stranger, {"model": "M"}, 0)
        oracle.message(stranger, 2 * MINUTE, 2 * MINUTE, {"x.a": 99.0})
    assert len(oracle.out) == 1
