"""The notation of series: whatever is written expands to what a naive reader would write out."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.scenario.notation import MISSING, NotationError, expand, shown

counts = st.integers(1, 12)
decimals = st.decimals(-1000, 1000, places=3, allow_nan=False).map(lambda number: format(number, "f"))
plain = st.one_of(decimals, st.sampled_from(["0", "7", ".5", "3.", "1e3", "2.5e-2", "+4"]))
steps = st.decimals(0, 10, places=2).map(lambda number: format(number, "f"))


def item(spelling, *values):
    return spelling, list(values)


def counted(word, value):
    return st.one_of(
        st.just(item(word, value)),
        counts.map(lambda count: item(f"{word}x{count}", *[value] * count)),
    )


def ramp(start, sign, step, count):
    """Written out one by one, in exact fractions."""
    values, value = [], Fraction(start)
    for _ in range(count):
        values.append(float(value))
        value += Fraction(step) * (1 if sign == "+" else -1)
    return item(f"{start}{sign}{step}x{count}", *values)


numbers = st.one_of(
    plain.flatmap(lambda word: counted(word, float(word))),
    st.builds(ramp, decimals, st.sampled_from("+-"), steps, counts),
)
booleans = st.sampled_from([("true", True), ("false", False)]).flatmap(lambda pair: counted(*pair))
words = st.from_regex(r"[A-Za-z0-9.:+-]{0,6}[A-Wyz-]", fullmatch=True).filter(
    lambda w: w not in ("_", "null")
)
phrases = st.text(st.characters(exclude_characters='"', exclude_categories=("C", "Zl", "Zp")), max_size=8)
texts = st.one_of(
    words.flatmap(lambda word: counted(word, word)),
    phrases.flatmap(lambda phrase: counted(f'"{phrase}"', phrase)),
)
either = st.one_of(counted("_", MISSING), counted("null", None))


@given(
    data=st.sampled_from([("number", numbers), ("boolean", booleans), ("text", texts)]).flatmap(
        lambda pair: st.tuples(st.just(pair[0]), st.lists(st.one_of(pair[1], either), min_size=1, max_size=8))
    ),
    blanks=st.sampled_from([" ", "  ", "\n", "\t "]),
)
def test_any_series_expands_to_what_is_written_out(data, blanks):
    kind, items = data
    expanded = expand(blanks.join(spelling for spelling, _ in items), kind)
    assert expanded == [value for _, values in items for value in values]
    assert [type(value) for value in expanded] == [type(v) for _, values in items for v in values]


@given(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.none()), min_size=1))
def test_what_is_shown_can_be_written(values):
    assert expand(" ".join(shown(value) for value in values), "number") == values


def test_the_notation_of_the_page():
    assert expand("0.2x2 3.1x3 _x2", "number") == [0.2, 0.2, 3.1, 3.1, 3.1, MISSING, MISSING]
    assert expand("1+2x5 9-0.5x3", "number") == [1, 3, 5, 7, 9, 9, 8.5, 8]
    assert expand("0.1+0.1x3", "number") == [0.1, 0.2, 0.3]  # as written, not as floats add up
    assert expand('E18x2 "max5" "two words"x2 "_"', "text") == [
        "E18",
        "E18",
        "max5",
        "two words",
        "two words",
        "_",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "item"),
    [
        ("number", "1 two 3", "two"),
        ("number", "1+2", "1+2"),  # a ramp of how many?
        ("number", "1x0", "1x0"),
        ("number", "x5", "x5"),
        ("number", "nan", "nan"),
        ("number", "1e999", "1e999"),
        ("number", "1e308+1e308x3", "1e308+1e308x3"),
        ("number", "true", "true"),
        ("number", "5 x3", "x3"),
        ("number", "1+-2x3", "1+-2x3"),
        ("boolean", "true 1", "1"),
        ("boolean", "True", "True"),
        ("text", 'a "b', '"b'),
        ("number", "1x1000000", "1x1000000"),
    ],
)
def test_what_is_none_is_named(kind, text, item):
    with pytest.raises(NotationError, match="expected ") as caught:
        expand(text, kind)
    assert str(caught.value).endswith(f"{item!r}")


def test_a_series_has_values():
    with pytest.raises(NotationError, match="got nothing"):
        expand("  ", "number")
