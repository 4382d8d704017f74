"""The expression language: what parses, what does not and what is said then, and three-valued truth."""

from itertools import product

import numpy as np
import pytest

from rules.expression.compile import compile_condition
from rules.expression.parse import ExpressionError, parse
from rules.expression.tree import Comparison, Conjunction, Constant, LimitValue, limits
from rules.lifecycle import TABLE, Event, State, advance
from rules.signals import load_catalogue
from rules.symbols import Interner
from rules.times import format_duration, parse_duration, parse_instant, to_rfc3339

CATALOGUE = load_catalogue()


class Values:
    """One lane whose signals have the values that a test gives them."""

    def __init__(self, **values):
        self.values = values
        self.names = []

    def __len__(self):
        return 1

    def take(self, _places):
        return self

    def bind_signal(self, node):
        self.names.append(node.signal)
        return len(self.names) - 1

    def signal(self, handle):
        value = self.values[self.names[handle].replace(".", "_")]
        return np.array([np.nan if value is None else float(value)])


def truth(text, **values):
    lanes = Values(**values)
    condition = compile_condition(parse(text, CATALOGUE), lanes, Interner())
    return {1: True, 0: False, -1: None}[int(condition.codes(lanes)[0])]


def kleene_and(a, b):
    return False if False in (a, b) else None if None in (a, b) else True


def kleene_or(a, b):
    return True if True in (a, b) else None if None in (a, b) else False


@pytest.mark.parametrize(("a", "b"), list(product([True, False, None], repeat=2)))
def test_unknown_is_a_truth_value(a, b):
    values = {"leak_detected": a, "door_open": b}
    assert truth("leak.detected and door.open", **values) is kleene_and(a, b)
    assert truth("leak.detected or door.open", **values) is kleene_or(a, b)
    assert truth("not leak.detected", **values) is (None if a is None else not a)
    assert truth("door.open if leak.detected else not door.open", **values) is (
        None if a is None or b is None else (b if a else not b)
    )


def test_division_by_zero_is_unknown():
    assert truth("cpu.load / fan.rpm > 1", cpu_load=5, fan_rpm=0) is None
    assert truth("cpu.load / fan.rpm > 1", cpu_load=5, fan_rpm=2) is True


def test_precedence_is_that_of_python():
    node = parse("cpu.load > 1 + 2 * 3 and not leak.detected or door.open", CATALOGUE)
    assert truth("cpu.load > 1 + 2 * 3", cpu_load=7) is False
    assert truth("cpu.load > -3 - -4", cpu_load=2) is True
    assert truth("2 - 1 - 1 == 0") is True
    assert isinstance(node.left, Conjunction)
    assert isinstance(node.left.left, Comparison)


def test_the_limit_of_a_value_is_the_constant_that_it_is_compared_with():
    text = "cpu.temperature@0 > 95 and 50 > cpu.load and battery.health == 'dead' and radio.rsrp < -115"
    assert limits(parse(text, CATALOGUE)) == {
        ("radio.rsrp", ""): Constant(-115.0),
        ("cpu.temperature", "0"): Constant(95.0),
        ("cpu.load", ""): Constant(50.0),
        ("battery.health", ""): Constant("dead"),
    }
    named = parse('cpu.load > limit("busy")', CATALOGUE, ["busy"])
    assert limits(named) == {("cpu.load", ""): LimitValue("busy")}


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("cpu.load >", 11, "expected"),
        ("(cpu.load > 1", 14, "expected ), * or /, + or -, and, if, or, got the end"),
        ("max(cpu.load, 1h > 1", 18, "expected ), a comma, got '>'"),
        ("cpu.load > 'hot", 12, "expected a closing ' on the same line, the text has none"),
        ("cpu.load $ 3", 10, "expected * or /, + or -, a comparison, and, if, or, the end, got '$'"),
        ("disk.pending_sector > 1", 1, "did you mean disk.pending_sectors"),
        ("1 < 2 and incrase(cpu.load, 1h) > 3", 11, "did you mean increase?"),
        ("avg(cpu.load) > 3", 1, "expected avg(signal, window)"),
        ("avg(cpu.load, 0s) > 3", 15, "longer than 0s"),
        ("avg(raid.state, 1h) > 3", 5, "expected a signal of numbers, got raid.state, which is text"),
        ("raid.state > 3", 1, "needs a number on each side, got a text"),
        ("raid.state == 3", 12, "needs two sides alike, got a text and a number"),
        ("cpu.load", 1, "expected a condition"),
        ("cpu.load and true", 1, "and needs a condition that is true or false, got a number"),
        ("1 < cpu.load < 3", 14, "expected"),
        ("fact(cpu.load) == 3", 6, 'expected a name in quotes such as "model", got cpu.load'),
        ("", 1, "expected"),
    ],
)
def test_errors_point(text, column, problem):
    with pytest.raises(ExpressionError) as caught:
        parse(text, CATALOGUE)
    assert problem in caught.value.problem
    assert caught.value.column == column


def test_a_hundred_thousand_brackets_are_an_error_and_not_a_crash():
    with pytest.raises(ExpressionError):
        parse("(" * 100_000, CATALOGUE)


def test_the_table_of_a_rules_life():
    quiet, pending, paused, suspected, clearing, clearing_paused = State
    for state in (quiet, pending, paused):
        assert TABLE[state, Event.FALSE] == quiet
        assert TABLE[state, Event.TRUE] == pending
        assert TABLE[state, Event.DUE] == suspected
    for state in (suspected, clearing, clearing_paused):
        assert TABLE[state, Event.FALSE] == suspected
        assert TABLE[state, Event.TRUE] == clearing
        assert TABLE[state, Event.DUE] == quiet
    assert TABLE[:, Event.UNKNOWN].tolist() == [
        quiet,
        paused,
        paused,
        suspected,
        clearing_paused,
        clearing_paused,
    ]


def test_a_hold_that_is_paused_goes_on_where_it_stood():
    state = since = paused = 0
    seen = []
    for t, condition in [(0, True), (4, True), (5, None), (50, None), (60, True), (64, True), (65, True)]:
        state, since, paused = advance(
            state=state, since=since, paused=paused, condition=condition, t=t, need_ms=10
        )
        seen.append(State(state).name)
    assert seen == ["PENDING"] * 2 + ["PENDING_PAUSED"] * 2 + ["PENDING"] * 2 + ["SUSPECTED"]


@pytest.mark.parametrize(
    ("text", "ms"), [("0s", 0), ("30s", 30_000), ("1h30m", 5_400_000), ("7d", 604_800_000)]
)
def test_durations(text, ms):
    assert parse_duration(text) == ms
    assert parse_duration(format_duration(ms)) == ms


@pytest.mark.parametrize("text", ["", "5", "m", "1.5h", "-3s", "3 m", "1w"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


def test_instants():
    assert parse_instant("2026-01-01T00:10:00Z") == 1767226200000
    assert parse_instant("2026-01-01T01:10:00+01:00") == 1767226200000
    assert to_rfc3339(1767226200250) == "2026-01-01T00:10:00.250Z"
    for wrong in ("yesterday", float("nan"), -1, 1e300):
        with pytest.raises(ValueError, match="expected"):
            parse_instant(wrong)
