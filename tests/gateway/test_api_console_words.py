import math

import pytest

from diagnostics.case import Case, CaseState, Probe
from diagnostics.decision import Reason
from diagnostics.naming import part_words
from gateway.console.charts import BEFORE, BEHIND, label_sides, nice_range, options
from gateway.console.panels import Line, Marker, Panel, Span, panels_of
from gateway.console.words import (
    REASONS,
    action_words,
    number_words,
    signal_words,
    unit_of,
    value_words,
    why_words,
)
from gateway.ports import StoredReading
from rules.signals import load_catalogue
from rules.times import HOUR_MS, MINUTE_MS

SPAN = Span.of(0, HOUR_MS)


def test_every_reason_has_words():
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"), (24.0, "24"), (1_234_567.0, "1,234,567"), (61.53, "61.5"), (0.78314, "0.783"),
        (-18.4, "\N{MINUS SIGN}18.4"), (1234.56, "1,235"), (1e-7, "1e-07"), (1e300, "1e+300"),
        (True, "yes"), (False, "no"), (None, "unknown"), ("E18", "E18"),
        (math.nan, "unknown"), (math.inf, "without bound"),
    ],
)  # fmt: skip
def test_values_are_shown_as_readers_can_use_them(value, words):
    assert value_words(value) == words


def test_numbers_keep_three_digits():
    assert number_words(5.678) == "5.68"


def test_signals_are_told_by_the_catalogue_and_strange_ones_by_name():
    catalogue = load_catalogue()
    assert signal_words(catalogue, "disk.temperature@sda") == "temperature of the drive, sda"
    assert signal_words(catalogue, "coffee.grams_left") == "coffee grams left"
    assert (unit_of(catalogue, "disk.temperature@sda"), unit_of(catalogue, "coffee.grams_left")) == ("°C", "")
    assert action_words("washer.drain_test") == "washer drain test"


@pytest.mark.parametrize(
    ("component", "signals", "words"),
    [("2", ["fan.rpm@2"], "fan 2"), ("psu2", ["psu.ok@psu2"], "psu2"), ("sdb", ["cpu.load"], "sdb")],
)
def test_a_part_is_called_by_the_signals_that_speak_of_it(component, signals, words):
    assert part_words(component, signals) == words


def case(**changes) -> Case:
    fields = {
        "case_id": "c", "tenant": "t", "device_class": "pc", "device": "d", "component": "", "fault": "f",
        "title": "T", "rule": "r", "severity": "major", "onset": 0, "updated": 0,
    }  # fmt: skip
    return Case(**fields | changes)


def test_why_there_is_no_order_names_the_pending_self_test():
    probe = Probe(probe_id="p", rule="r", action="fan.test", component="", sent_at=0, deadline=1)
    waiting = case(reason=Reason.WAITING_CONFIRMATION, probes=[probe])
    assert why_words(waiting) == "waiting for the fan test"
    answered = probe.model_copy(update={"state": "unsupported"})
    assert (
        why_words(case(reason=Reason.WAITING_CONFIRMATION, probes=[answered])) == "waiting for confirmation"
    )
    confirmed = case(state=CaseState.CONFIRMED, reason=Reason.CONFIRMED)
    assert why_words(confirmed) == "confirmed, order not opened yet"


def panel(*values, limit=None, kind="number") -> Panel:
    points = tuple((number * MINUTE_MS, value) for number, value in enumerate(values))
    return Panel("s", "S", "", kind, (Line("", points),), SPAN, limit=limit)


@pytest.mark.parametrize(
    ("values", "limit", "expected"),
    [
        ((4.1, 11.7), 8.0, (0, 15, 5)),
        ((0.0, 27.0), 0.0, (0, 30, 10)),
        ((228.0, 232.0), None, (228, 232, 2)),
        ((5.0, 5.0), None, (4, 6, 1)),
        ((0.0,), None, (0, 1, 1)),
        ((0.5,), None, (0, 1.5, 0.5)),
        ((0.2, 0.4), None, (0.2, 0.4, 0.1)),
        ((-0.5, 0.25), None, (-0.5, 0.5, 0.5)),
        ((), None, (0, 1, 1)),
        ((None, math.nan), None, (0, 1, 1)),
        ((2.0,), 120.0, (0, 150, 50)),
    ],
)
def test_axes_are_round_and_hold_every_value_and_the_limit(values, limit, expected):
    low, high, interval = nice_range(panel(*values, limit=limit))
    assert (low, high, interval) == pytest.approx(expected)
    numbers = [v for v in (*values, limit) if v is not None and math.isfinite(v)]
    assert all(low <= number <= high for number in numbers)
    assert (high - low) / interval == pytest.approx(round((high - low) / interval))
    assert 1 <= (high - low) / interval <= 6


def test_panels_are_one_a_signal_with_one_line_a_component():
    readings = [
        StoredReading(1, "fan.rpm", "2", 900.0, 1),
        StoredReading(1, "door.open", "", True, 1),
        StoredReading(1, "error.code", "", None, 1),
        StoredReading(2, "error.code", "", "E18", 2),
        StoredReading(2, "fan.rpm", "1", 800.0, 2),
    ]
    doors, codes, fans = panels_of(readings, load_catalogue(), SPAN)
    assert (doors.kind, codes.kind, fans.kind) == ("boolean", "text", "number")
    assert [line.component for line in fans.lines] == ["1", "2"]
    assert fans.unit == "1/min"
    assert codes.lines[0].latest == "E18"


def test_a_boolean_limit_is_no_line():
    (doors,) = panels_of([StoredReading(1, "door.open", "", True, 1)], load_catalogue(), SPAN, limit=False)
    assert doors.limit is None


def test_names_from_devices_never_become_keys_that_the_browser_would_run():
    evil = "(() => { window.pwned = 1 })()"
    readings = [StoredReading(1, f":{evil}", f":{evil}", f":{evil}", 1)]
    (strange,) = panels_of(readings, load_catalogue(), SPAN, markers=(Marker(1, "suspected"),))

    def keys(node):
        if isinstance(node, dict):
            for key, value in node.items():
                yield key, value
                yield from keys(value)
        elif isinstance(node, (list, tuple)):
            for value in node:
                yield from keys(value)

    dynamic = [value for key, value in keys(options(strange)) if key.startswith(":")]
    assert dynamic
    assert all("pwned" not in value for value in dynamic)


@pytest.mark.parametrize(
    ("at", "sides"),
    [
        ([], []),
        ([500], [BEFORE]),
        ([500, 500], [BEFORE, BEHIND]),
        ([500, 510], [BEFORE, BEHIND]),
        ([500, 510, 520], [BEFORE, BEHIND, None]),
        ([500, 510, 700], [BEFORE, BEHIND, BEFORE]),
        ([500, 600, 700], [BEFORE, BEFORE, BEFORE]),
    ],
)
def test_words_of_lines_that_are_close_stand_on_different_sides(at, sides):
    markers = [Marker(instant, "suspected") for instant in at]
    assert label_sides(markers, Span(0, 1000, 1)) == sides
