"""Conditions in plain English: each kind of node, and its opposite."""

import pytest

from diagnostics.conditions import PlainConditions, length, span
from rules.expression.parse import parse
from rules.loader import load_rules
from rules.model import AlsoWay
from rules.signals import load_catalogue

CATALOGUE = load_catalogue()
LIMITS = {"hot": 90.0, "spare": 10.0, "often": 4.0, "none": 0.0}
PLAIN = PlainConditions(CATALOGUE, LIMITS)


def told(text):
    return PLAIN.condition(parse(text, CATALOGUE, LIMITS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # constants, signals, facts, limits
        ("true", "always"),
        ("not true", "never"),
        ("door.open", "`door.open` is true"),
        ("not door.open", "`door.open` is false"),
        ("door.open == false", "`door.open` is false"),
        ("door.open != 0", "`door.open` is true"),
        ("fact('hot_swap')", "what the device states as `hot_swap` is true"),
        ("raid.state == 'failed'", '`raid.state` is "failed"'),
        ("raid.state != fact('x')", "`raid.state` is not what the device states as `x`"),
        ("cpu.temperature@0 > 85", "`cpu.temperature@0` is above 85 °C"),
        ("85 > cpu.temperature", "`cpu.temperature` is below 85 °C"),
        ("drum.rpm >= 800", "`drum.rpm` is at least 800 a minute"),
        ("not (cpu.temperature > 85)", "`cpu.temperature` is at most 85 °C"),
        ("cpu.temperature >= limit('hot')", "`cpu.temperature` is at least 90 °C (limit `hot`)"),
        # arithmetic and choice
        (
            "cpu.temperature < limit('hot') - limit('spare')",
            "`cpu.temperature` is below 90 °C (limit `hot`) minus 10 °C (limit `spare`)",
        ),
        ("fan.rpm > fan.low_limit * 1.1", "`fan.rpm` is above `fan.low_limit` times 1.1"),
        (
            "-cpu.load + 3 / (2 - cpu.load) > 1",
            "(minus `cpu.load`) plus (3 divided by (2 minus `cpu.load`)) is above 1 %",
        ),
        (
            "cpu.load > (6 if fact('a') == 'b' else 4)",
            '`cpu.load` is above (6 % if what the device states as `a` is "b", else 4 %)',
        ),
        (
            "not (door.open if leak.detected else not door.open)",
            "`door.open` is false if `leak.detected` is true, else `door.open` is true",
        ),
        # and, or, not
        (
            "door.open and leak.detected and (cpu.load > 1 or cpu.load < 0)",
            "`door.open` is true and `leak.detected` is true and "
            "(`cpu.load` is above 1 % or `cpu.load` is below 0 %)",
        ),
        (
            "not (door.open and (leak.detected or not heater.on))",
            "`door.open` is false or (`leak.detected` is false and `heater.on` is true)",
        ),
        # functions
        (
            "max(cpu.temperature, 10m) > 85",
            "the largest `cpu.temperature` of the last 10 minutes is above 85 °C",
        ),
        ("min(cpu.load, 1h) == 0", "the smallest `cpu.load` of the last hour is 0 %"),
        ("avg(cpu.load, 1d) < 5", "the mean of `cpu.load` over the last day is below 5 %"),
        (
            "avg(door.open, 48h) < 0.05",
            "the part of the readings of the last 2 days at which `door.open` was true is below 0.05",
        ),
        ("sum(cpu.load, 90s) < 5", "the sum of `cpu.load` over the last 90 seconds is below 5 %"),
        (
            "median(cpu.load, 1h) > quantile(cpu.load, 0.9, 7d)",
            "the median of `cpu.load` over the last hour is above "
            "the 90 % quantile of `cpu.load` over the last 7 days",
        ),
        ("stddev(cpu.load, 1h) != 0", "the standard deviation of `cpu.load` over the last hour is not 0 %"),
        (
            "slope(cpu.temperature, 1h) > 4",
            "the trend of `cpu.temperature` over the last hour is above 4 °C/h",
        ),
        (
            "rate(disk.crc_errors, 1h) > 2",
            "the growth a second of `disk.crc_errors` over the last hour is above 2 a second",
        ),
        (
            "forecast(storage.wear, 30d, 60d) >= 100",
            "`storage.wear` as the line through the last 30 days has it 60 days ahead is at least 100 %",
        ),
        ("flatline(cpu.load, 1h)", "`cpu.load` has stood still for 1 hour"),
        ("not flatline(cpu.load, 1h)", "`cpu.load` has not stood still for 1 hour"),
        ("absent(cpu.load, 30m)", "no value of `cpu.load` came for 30 minutes"),
        ("not absent(cpu.load, 30m)", "a value of `cpu.load` came within 30 minutes"),
        (
            "n_of(drum.vibration > 20, 3, 7d)",
            "`drum.vibration` is above 20 mm/s at 3 or more readings of the last 7 days",
        ),
        (
            "not n_of(door.open and leak.detected, 3, 7d)",
            "(`door.open` is true and `leak.detected` is true) at fewer than 3 readings of the last 7 days",
        ),
        (
            "peers(compressor.power) > 6",
            "`compressor.power` is more than 6 scaled deviations from the median of its peers",
        ),
        (
            "peers(compressor.power) == 6",
            "the distance of `compressor.power` from its peers is 6",
        ),
        # how often, how much
        ("count(cpu.load, 24h) == 0", "`cpu.load` was not reported in the last day"),
        ("count(cpu.load, 10m) > 0", "`cpu.load` was reported in the last 10 minutes"),
        ("count(cpu.load, 10m) >= 2", "`cpu.load` was reported 2 times or more in the last 10 minutes"),
        ("count(cpu.load, 10m) < 3", "`cpu.load` was reported 2 times at most in the last 10 minutes"),
        ("count(cpu.load, 10m) == 3", "the number of readings of `cpu.load` over the last 10 minutes is 3"),
        ("changes(raid.state, 1h) >= 1", "`raid.state` changed in the last hour"),
        ("changes(raid.state, 1h) <= 0", "`raid.state` did not change in the last hour"),
        ("max(door.open, 1h) == 0", "`door.open` was never true in the last hour"),
        ("max(door.open, 1h) > 0", "`door.open` was true at least once in the last hour"),
        ("min(door.open, 1h) == 1", "`door.open` was always true in the last hour"),
        ("min(door.open, 1h) < 1", "`door.open` was false at least once in the last hour"),
        ("increase(disk.crc_errors, 24h) > 10", "`disk.crc_errors` grew by more than 10 in the last day"),
        ("increase(disk.crc_errors, 24h) > 0", "`disk.crc_errors` grew in the last day"),
        ("increase(disk.crc_errors, 24h) == 0", "`disk.crc_errors` did not grow in the last day"),
        ("not increase(disk.crc_errors, 24h) > 10", "`disk.crc_errors` grew by at most 10 in the last day"),
        ("delta(water.level, 5m) >= 5", "`water.level` rose by at least 5 mm in the last 5 minutes"),
        ("delta(water.level, 5m) < 5", "`water.level` did not rise by as much as 5 mm in the last 5 minutes"),
        (
            "delta(water.level, 5m) > -10",
            "`water.level` did not fall by as much as 10 mm in the last 5 minutes",
        ),
        ("delta(water.level, 5m) < -10", "`water.level` fell by more than 10 mm in the last 5 minutes"),
        ("delta(water.level, 5m) <= 0", "`water.level` did not rise in the last 5 minutes"),
        ("delta(water.level, 5m) == 3", "the change of `water.level` over the last 5 minutes is 3 mm"),
        ("changes(bmc.online, 7d) <= 1", "`bmc.online` changed once at most in the last 7 days"),
        ("increase(door.open, 7d) >= 4", "`door.open` became true 4 times or more in the last 7 days"),
        ("increase(door.open, 7d) == 0", "`door.open` did not become true in the last 7 days"),
        # the same against limits, of which a device may have another
        (
            "changes(bmc.online, 7d) >= limit('often')",
            "`bmc.online` changed 4 times or more (limit `often`) in the last 7 days",
        ),
        (
            "count(cpu.load, 1h) > limit('often')",
            "`cpu.load` was reported more than 4 times (limit `often`) in the last hour",
        ),
        (
            "not increase(door.open, 7d) >= limit('often')",
            "`door.open` became true fewer than 4 times (limit `often`) in the last 7 days",
        ),
        (
            "count(cpu.load, 1h) == limit('often')",
            "the number of readings of `cpu.load` over the last hour is 4 (limit `often`)",
        ),
        (
            "increase(disk.crc_errors, 24h) > limit('none')",
            "`disk.crc_errors` grew by more than 0 (limit `none`) in the last day",
        ),
        (
            "delta(water.level, 5m) <= -limit('spare')",
            "`water.level` fell by at least 10 mm (limit `spare`) in the last 5 minutes",
        ),
        (
            "max(door.open, 1h) > limit('none')",
            "the largest `door.open` of the last hour is above 0 (limit `none`)",
        ),
        (
            "peers(cpu.load) > limit('often')",
            "`cpu.load` is more than 4 scaled deviations (limit `often`) from the median of its peers",
        ),
    ],
)  # fmt: skip
def test_conditions_in_words(text, expected):
    assert told(text) == expected


def test_every_condition_that_is_shipped_can_be_told_both_ways():
    ruleset = load_rules(["builtin"])
    for rule in ruleset.rules:
        plain = PlainConditions(ruleset.catalogue, dict(rule.limits))
        ways = rule.confirm.ways if rule.confirm else ()
        trees = [rule.when, rule.clear_when, *(step.condition for step in rule.severities)]
        trees += [way.condition for way in ways if isinstance(way, AlsoWay)]
        for tree in filter(None, trees):
            assert plain.condition(tree) != plain.condition(tree, negated=True)


def test_limits_take_the_unit_of_what_they_stand_beside():
    tree = parse("cpu.temperature < limit('hot') - limit('spare')", CATALOGUE, LIMITS)
    assert PLAIN.limit_units(tree) == {"hot": "°C", "spare": "°C"}
    assert PLAIN.limit_units(parse("cpu.load * limit('hot') > 3", CATALOGUE, LIMITS)) == {}
    part = parse("fan.rpm@1 < limit('spare') * max(fan.rpm@1, 7d)", CATALOGUE, LIMITS)
    assert PLAIN.limit_units(part) == {}
    either = parse("cpu.load < (limit('hot') if door.open else 5) - limit('spare')", CATALOGUE, LIMITS)
    assert PLAIN.limit_units(either) == {"hot": "%", "spare": "%"}


def test_spans():
    assert [span(ms) for ms in (86_400_000, 5_400_000, 60_000, 1500)] == ["day", "90 minutes", "minute", "1s"]
    assert [length(ms) for ms in (3_600_000, 7_200_000)] == ["1 hour", "2 hours"]
