"""The evidence chart: what is drawn where."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.papers.chart import Course, Moment, chart, round_instants, round_range, thinned
from gateway.papers.drawing import Label, Stroke, to_svg
from gateway.papers.texts import Zone
from rules.times import HOUR_MS, MINUTE_MS, parse_instant

START = parse_instant("2026-01-01T00:00:00Z")
BERLIN = Zone.of("Europe/Berlin")
FINITE = st.floats(-1e12, 1e12, allow_nan=False)


def course(values, **changes):
    points = [(START + n * MINUTE_MS, value) for n, value in enumerate(values)]
    given = {"title": "T", "unit": "°C", "points": points, "moments": []}
    return Course(**given | changes)


def drawn(values, **changes):
    return chart(course(values, **changes), BERLIN, width=180, height=50)


def words(drawing):
    return [shape.text for shape in drawing.shapes if isinstance(shape, Label)]


def test_the_limit_is_a_dashed_line_at_its_height_with_its_words():
    drawing = drawn([60.0, 80.0], limit=70.0)
    (limit,) = [shape for shape in drawing.shapes if isinstance(shape, Stroke) and shape.dashed]
    line = next(s for s in drawing.shapes if isinstance(s, Stroke) and s.width == 0.45)
    assert limit.points[0][1] == limit.points[1][1] == sum(y for _, y in line.points) / 2
    assert "limit 70 °C" in words(drawing)


def test_moments_have_lines_and_words():
    moments = [Moment(START + 20 * MINUTE_MS, "suspected"), Moment(START + 50 * MINUTE_MS, "confirmed")]
    drawing = drawn([1.0] * 60, moments=moments)
    assert {"suspected", "confirmed"} <= set(words(drawing))


def test_a_gap_of_unknown_values_is_a_gap():
    line = [s for s in drawn([1.0, 2.0, None, 3.0, 4.0]).shapes if isinstance(s, Stroke) and s.width == 0.45]
    assert [len(stroke.points) for stroke in line] == [2, 2]


def test_hours_are_those_of_the_site():
    hours = [text for text in words(drawn([1.0] * 120)) if ":" in text]
    assert hours == ["01-01 01:00", *(f"{m // 60:02}:{m % 60:02}" for m in range(75, 179, 15))]


def test_nothing_known_is_no_chart():
    assert drawn([None, math.nan]) is None
    assert drawn([]) is None


def test_a_single_peak_survives_thinning():
    points = [(n * 1000, 0.0) for n in range(100_000)]
    points[54_321] = (54_321_000, 99.0)
    kept = thinned(points)
    assert (54_321_000, 99.0) in kept
    assert len(kept) < 1000
    assert kept == sorted(kept)


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_grid_lines_hold_all_numbers(numbers):
    low, high, step = round_range(numbers)
    slack = step * 1e-6
    assert low - slack <= min(numbers) <= max(numbers) <= high + slack
    assert 1 <= round((high - low) / step) <= 6


@given(st.integers(0, 10**12), st.integers(1, 400 * 24 * HOUR_MS))
def test_round_times_lie_within_and_are_few(start, length):
    found = round_instants(start, start + length, BERLIN)
    assert all(start <= at <= start + length for at in found)
    assert len(found) <= 9


@given(
    st.lists(st.none() | FINITE, max_size=60),
    st.none() | FINITE,
    st.lists(st.integers(0, 10**8), max_size=4),
    st.booleans(),
)
def test_any_course_stays_within_its_drawing(values, limit, moments, boolean):
    values = [None if value is None else float(value > 0) for value in values] if boolean else values
    limit = None if boolean else limit
    drawing = drawn(
        values, limit=limit, moments=[Moment(START + at, "suspected") for at in moments], boolean=boolean
    )
    if drawing is not None:
        for shape in drawing.shapes:
            if isinstance(shape, Stroke):
                assert all(-0.01 <= x <= 180.01 and -0.01 <= y <= 50.01 for x, y in shape.points)


def test_texts_in_svg_are_escaped():
    svg = to_svg(drawn([1.0, 2.0], limit=1.5, unit="</text><script>", title="<b>"))
    assert "<script>" not in svg
    assert "<b>" not in svg
