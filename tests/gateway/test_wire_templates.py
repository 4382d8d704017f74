"""Templates come from outside: what a hostile one can cost is counted, not timed."""

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.codecs import CODECS, Foreign
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap
from gateway.wire.templated import COMPILED, WORK, Templated
from gateway.wire.templates import MAX_TEMPLATE, NO_DOCUMENT, Template, Templates

#: Each would run for hours, fill the memory or reach into Python if it were taken.
REFUSED = [
    "{% for i in range(10**9) %}{% endfor %}",
    "{{ range(10**9) | list }}",
    "{{ 'a' | center(10**9) }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ value.ljust(10**9) }}",
    "{{ lipsum(n=10**6) }}",
    "{% set a = 'aa' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
    "{% set a = 'a' %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40,
    "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a }}",
    "{% set a = 1 %}{{ {'x': a} }}",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% include value %}",
    "{% filter upper %}x{% endfilter %}",
    "{{ " + "(" * 900 + "1" + ")" * 900 + " }}",
    "{{ " + "-" * 1500 + "1 }}",
    "{{ value" + "[0:]" * 400 + " }}",
    "{{ value" + " | lower" * 200 + " }}",
    "{{ value_json.split(*value_json) }}",
    "{{ value | regex_match('(a+)+$') }}",
    "{{ value is divisibleby(2) }}",
    "{{ true.__add__(1) }}",
    "{{ x" * 400,
    "x" * (MAX_TEMPLATE + 1),
]

#: These are taken, and stop at once when they run.
FAIL = [
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ '%999999999d' % 1 }}",
    "{{ [1, 2] * 10 ** 9 }}",
    "{{ value + value }}",
    "{{ " + "9" * 2000 + " ** 2.5 }}",
    "{{ value | replace('a', 'b' | replace('b', 'bbbbbbbbbbbbbbbb') | replace('b', 'bbbbbbbbbbbbbbbb')) }}",
    "{{ value.replace('a', 'aaaaaaaaaaaaaaaaa') }}",
    "{{ value.replace('', 'aaaa') }}",
]


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source[:40])
def test_what_could_run_away_is_refused_before_it_runs(source):
    with pytest.raises(ValueError, match="expected"):
        Template(source)


@pytest.mark.parametrize("source", FAIL, ids=lambda source: source[:40])
def test_what_grows_stops(source):
    with pytest.raises(ValueError, match=r"."):
        Template(source).render("aaa", NO_DOCUMENT)


def test_numbers_lose_their_digits_and_not_the_gateway_its_time():
    assert Template("{{ 5 | round(-10 ** 9) }}").render("", NO_DOCUMENT) == "0"
    assert Template("{{ 5 | round(10 ** 9) }}").render("", NO_DOCUMENT) == "5.0"
    grown = Template("{% set a = 9223372036854775807 %}" + "{% set a = a * a %}" * 3 + "{{ a }}")
    assert len(grown.render("", NO_DOCUMENT)) < 30
    with pytest.raises(ValueError, match="too large"):
        Template("{{ value_json.n * 2 }}").render("", {"n": 10**400})


@pytest.mark.parametrize(
    "source",
    ["{{ value.__class__.__mro__ }}", "{{ value_json.__init__.__globals__ }}", "{{ self }}{{ config }}"],
)
def test_nothing_of_python_is_within_reach(source):
    assert not Template(source).render("x", {}).replace("<TemplateReference None>", "")


def test_the_work_of_one_message_is_bounded():
    payload = Templated(json.dumps({"a": "x" * 10_000}).encode(), Templates())
    source = "{{ value | lower | upper | lower }}"
    weight = Template(source).weight
    affordable = WORK // ((10_009 + 100) * weight)
    assert affordable > 1
    for _ in range(affordable):
        assert payload.through(source)
    with pytest.raises(Unusable, match="too large for the templates"):
        payload.through(source)


def test_a_message_compiles_but_few_templates_and_the_next_one_the_next():
    templates = Templates()
    sources = [f"{{{{ value }}}}{'-' * 1_000}{number}" for number in range(2 * COMPILED // 1_000)]
    compiled = []
    for _ in range(4):
        payload = Templated(b"1", templates)
        compiled.append(0)
        for source in sources:
            try:
                payload.through(source)
            except Unusable:
                break
            compiled[-1] += 1
    assert 0 < compiled[0] < compiled[1] < compiled[2] == len(sources)


def test_compiled_templates_are_forgotten_before_they_fill_the_memory():
    templates = Templates()
    first = "{{ value }}"
    templates.compiled(first)
    for number in range(150):
        templates.compiled("-" * 1_990 + str(number))
    assert first not in templates
    assert sum(f"{'-' * 1_990}{number}" in templates for number in range(150)) <= 100


def test_a_hostile_fleet_costs_a_bounded_number_of_steps():
    """Every line of Python that one message causes is counted: none of them is long."""
    codec = CODECS["homeassistant"](SignalMap())
    template = "{{ value.split('a') | length + value.split('a') | length }}"
    parts = {str(n): {"p": "sensor", "stat_t": "s", "name": f"n{n}", "val_tpl": template} for n in range(300)}
    config = json.dumps({"dev": {"ids": "x"}, "cmps": parts}).encode()
    list(codec.decode(Foreign("homeassistant/device/x/config", config, 0)))
    steps = 0

    def count(frame, event, argument):
        nonlocal steps
        steps += 1
        return count

    sys.settrace(count)
    try:
        (extract,) = codec.decode(Foreign("s", b"a" * 60_000, 0))
    finally:
        sys.settrace(None)
    assert len(extract.values) + len(extract.refused) == 300
    assert len(extract.values) < 10
    assert steps < 100_000


WORDS = (
    "{{ }} {% %} value value_json . | float int round ( ) [ ] 'a' 1 1e9 + * ** ~ if else for in set = , "
    ": - not is defined replace default get split endif endset"
)
pieces = st.sampled_from(WORDS.split()) | st.text(max_size=3)


def outcome(read, *given):
    """Return what a template makes of something, or the reason why it does not."""
    try:
        return read(*given)
    except (ValueError, Unusable) as finding:
        return finding


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(pieces, max_size=25).map(" ".join), st.text(max_size=20))
def test_any_text_is_a_template_or_a_reason(source, payload):
    found = outcome(lambda: Template(source).render(payload, NO_DOCUMENT))
    assert found is None or isinstance(found, str) or str(found)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(pieces, max_size=12).map(lambda parts: f"{{{{ {' '.join(parts)} }}}}"), st.text(max_size=20))
def test_any_expression_is_a_template_or_a_reason(source, payload):
    payload = Templated(payload.encode("utf-8", "replace"), Templates())
    found = outcome(payload.through, source)
    assert isinstance(found, str) or found.detail
