"""The shipped packs, whole: the vectorised engine says of them what the scalar oracle says."""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidebyside import MINUTE, by_lane, run_engine, run_oracle, splits

from rules.expression.tree import Comparison, Constant, LimitValue, SignalValue, WindowValue, walk
from rules.loader import RuleSet, load_rules
from rules.model import DEVICE_CLASSES, AlsoWay
from rules.selector import classes_of
from rules.symbols import DeviceId

#: Minutes of device time from one message to the next: holds and windows from minutes to days pass.
STEPS = [0, 1, 1, 5, 15, 30, 60, 240, 1440, 4320, -5]


@functools.cache
def shipped():
    return load_rules(["builtin"])


@functools.cache
def rules_of(device_class):
    """Return the rules that may be for a class, as a rule set of their own."""
    ruleset = shipped()
    rules = tuple(rule for rule in ruleset.rules if device_class in classes_of(rule))
    return RuleSet(rules, ruleset.catalogue)


def trees(rule):
    ways = rule.confirm.ways if rule.confirm else ()
    return [
        tree
        for tree in (
            rule.when,
            rule.clear_when,
            *(way.condition for way in ways if isinstance(way, AlsoWay)),
            *(step.condition for step in rule.severities),
        )
        if tree is not None
    ]


@functools.cache
def values_of(device_class):
    """Return the signals that a class's rules read, each with values on both sides of what they ask for."""
    found = {}
    for rule in rules_of(device_class).rules:
        limits = dict(rule.limits)
        for node in (node for tree in trees(rule) for node in walk(tree)):
            if isinstance(node, SignalValue | WindowValue):
                component = node.component or ("a" if node.signal.startswith(f"{rule.each}.") else "")
                found.setdefault(f"{node.signal}@{component}" if component else node.signal, set())
        for node in (node for tree in trees(rule) for node in walk(tree) if isinstance(node, Comparison)):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                value = other.value if isinstance(other, Constant) else None
                if isinstance(other, LimitValue):
                    value = limits[other.name]
                if value is None or not isinstance(side, SignalValue | WindowValue):
                    continue
                component = side.component or ("a" if side.signal.startswith(f"{rule.each}.") else "")
                key = f"{side.signal}@{component}" if component else side.signal
                near = {value} if isinstance(value, str | bool) else {value, value - 1.0, value + 1.0}
                found[key] |= near
    catalogue = shipped().catalogue
    kinds = {key: catalogue.get(key.partition("@")[0]).kind for key in found}
    types = {"number": float, "boolean": bool, "text": str}
    always = {"number": {0.0, 1.0}, "boolean": {True, False}, "text": {"", "other"}}
    return {
        key: sorted({v for v in values if isinstance(v, types[kinds[key]])} | always[kinds[key]])
        for key, values in sorted(found.items())
    }


@st.composite
def stories(draw, device_class):
    """Return what two devices say: some of the signals at a time, facts in between."""
    values = values_of(device_class)
    keys = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=8, unique=True))
    devices = [DeviceId("acme", device_class, name) for name in ("x", "y")]
    clocks = dict.fromkeys(devices, 30_000_000 * MINUTE // 1)
    arrival = 40_000_000 * MINUTE
    story = []
    for _ in range(draw(st.integers(1, 30))):
        device = draw(st.sampled_from(devices))
        if draw(st.integers(0, 9)) == 0:
            stated = draw(st.fixed_dictionaries({}, optional={"model": st.sampled_from(["M1", "N2"])}))
            story.append(("facts", device, {**stated, "serial": draw(st.sampled_from("xy"))}, arrival))
            continue
        clocks[device] += draw(st.sampled_from(STEPS)) * MINUTE
        arrival += draw(st.sampled_from([0, 0, 1, 20])) * MINUTE
        said = {key: draw(st.sampled_from([*values[key], None])) for key in keys if draw(st.booleans())}
        story.append(("telemetry", device, clocks[device], arrival, said))
    return story


@pytest.mark.slow
@pytest.mark.parametrize("device_class", DEVICE_CLASSES)
@settings(max_examples=150, deadline=None)
@given(data=st.data(), cuts=splits(30))
def test_shipped_packs_say_what_the_oracle_says(device_class, data, cuts):
    story = data.draw(stories(device_class))
    ruleset = rules_of(device_class)
    restarts = cuts if len(cuts) < 3 else set()
    found = by_lane(run_engine(ruleset, story, cuts, restarts))
    assert found == by_lane(run_oracle(ruleset, story))
