"""The shipped packs before their own scenarios: all pass, and no rule and no fault is without one."""

from functools import cache
from importlib import resources
from pathlib import Path

import pytest

from gateway.scenario.suite import FileOutcome, Suite
from rules.expression.tree import Comparison, Constant, walk
from rules.loader import load_rules
from rules.model import EngineerWay
from rules.scenario.model import Event, Never, Scenario

#: The packs whose rules must all have scenarios.
COMPLETE = ["phone", "appliance", "pc", "server", "disk"]

FOLDER = Path(str(resources.files("rules").joinpath("packs")))
FILES = sorted(path.name for path in FOLDER.glob("*.test.yaml"))
RULES = load_rules(["builtin"]).rules


@cache
def outcome_of(name: str) -> FileOutcome:
    """Return how a shipped scenario file goes: what ``forewarn rules test`` runs."""
    (outcome,) = Suite().run([FOLDER / name])
    return outcome


def rules_of(pack):
    return [rule for rule in RULES if rule.pack == pack]


def events(scenario: Scenario, kind: str) -> set[str]:
    """Return the faults of which a scenario lists all events of a kind."""
    return {e.what.fault for e in scenario.expectations if isinstance(e.what, Event) and e.what.kind == kind}


def spared(scenario: Scenario, fault: str) -> bool:
    """Say whether a scenario demands that nothing comes of a fault."""
    nevers = [e.what for e in scenario.expectations if isinstance(e.what, Never)]
    return any(never.fault in (None, fault) and never.rule is None for never in nevers)


def refusals(results, reason: str) -> set[str]:
    """Return the faults of which a scenario demands that for this reason there is no order."""
    expected = (e.what for result in results for e in result.scenario.expectations)
    return {what.fault for what in expected if isinstance(what, Event) and what.reason == reason}


def a_person_s(rules) -> set[str]:
    """Return the faults that nothing but a person confirms: no scenario can order them."""
    others = {
        rule.fault for rule in rules if rule.confirm is None or set(rule.confirm.ways) != {EngineerWay()}
    }
    return {rule.fault for rule in rules} - others


def reads(rule) -> set[str]:
    return {node.signal for node in walk(rule.when) if hasattr(node, "signal")}


def test_there_is_a_scenario_file_for_each_complete_pack():
    assert {f"{pack}.test.yaml" for pack in COMPLETE} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_the_scenarios_of_a_pack_pass(name):
    outcome = outcome_of(name)
    assert outcome.problems == []
    failures = [
        f"{failure.place}: expected {failure.expected}, got {failure.got}"
        for result in outcome.results
        for failure in result.failures
    ]
    assert failures == []
    assert outcome.results


@pytest.mark.parametrize("pack", COMPLETE)
def test_every_rule_is_seen_to_suspect_its_fault_when_it_must(pack):
    seen = {
        happening.rule
        for result in outcome_of(f"{pack}.test.yaml").results
        for happening in result.course.happenings
        if happening.kind == "suspected" and happening.fault in events(result.scenario, "suspected")
    }
    assert sorted({rule.id for rule in rules_of(pack)} - seen) == []


@pytest.mark.parametrize("pack", COMPLETE)
def test_every_rule_is_seen_to_keep_quiet_when_it_must(pack):
    """A scenario counts when it brings a signal that the rule's condition reads."""
    scenarios = [result.scenario for result in outcome_of(f"{pack}.test.yaml").results]
    loud = [
        rule.id
        for rule in rules_of(pack)
        if not any(
            spared(scenario, rule.fault)
            and reads(rule) & {s.channel.signal for device in scenario.devices for s in device.series}
            for scenario in scenarios
        )
    ]
    assert loud == []


@pytest.mark.parametrize("pack", COMPLETE)
def test_every_fault_is_seen_to_end_and_to_be_decided(pack):
    """It clears in some scenario; in some there is an order, or it is said that there never is one.

    Of a fault that a person alone confirms it is said that it waits.
    """
    results = outcome_of(f"{pack}.test.yaml").results
    faults = {rule.fault for rule in rules_of(pack)}
    cleared = set().union(*(events(result.scenario, "cleared") for result in results))
    decided = set().union(*(events(result.scenario, "order") for result in results))
    waiting = refusals(results, "waiting_confirmation") & a_person_s(rules_of(pack))
    assert sorted(faults - cleared) == []
    assert sorted(faults - decided - refusals(results, "never_an_order") - waiting) == []


def test_rules_say_where_their_limits_come_from_and_what_to_bring():
    unsourced = [rule.id for pack in COMPLETE for rule in rules_of(pack) if not rule.source]
    assert unsourced == []


def test_scenario_files_are_no_packs():
    assert FILES
    assert {rule.place.partition(":")[0] for rule in RULES} == {
        f"builtin/{path.name}" for path in FOLDER.glob("*.yaml") if path.name not in FILES
    }


def thresholds(node) -> set[float]:
    """Return the numbers that a condition compares with as they stand in it."""
    sides = [side for part in walk(node) if isinstance(part, Comparison) for side in (part.left, part.right)]
    numbers = [side.value for side in sides if isinstance(side, Constant)]
    return {value for value in numbers if isinstance(value, float)}


@pytest.mark.parametrize("pack", COMPLETE)
def test_thresholds_are_limits_that_a_model_can_have_its_own_of(pack):
    """What stands bare are booleans as numbers and the few readings that a window must hold."""
    bare = {
        rule.id: thresholds(node) - {0.0, 1.0, 2.0, 3.0}
        for rule in rules_of(pack)
        for node in (rule.when, rule.clear_when)
        if node is not None
    }
    assert {rule: numbers for rule, numbers in bare.items() if numbers} == {}


OVERRIDES = """\
pack: mine
overrides:
  - {rule: fridge_warm, for_devices: {model: "WINE-*"}, limits: {warm: 18, cold: 16}}
"""
SCENARIOS = """\
packs: [builtin, mine.yaml]
tests:
  - name: a cabinet for wine at 14 °C is as it should be
    device: {class: appliance, model: WINE-50}
    every: 10m
    series: {fridge.temperature: 14x30, door.open: falsex30, compressor.power: 90x30}
    expect: [{quiet: true}]
  - name: at 19 °C it is not, until it has 16 °C again
    device: {class: appliance, model: WINE-50}
    every: 10m
    series: {fridge.temperature: 19x13 17x6 16x6, door.open: falsex25, compressor.power: 90x25}
    expect:
      - {at: 2h, suspected: fridge.warm}
      - {at: 3h40m, cleared: fridge.warm}
  - name: any other refrigerator is too warm at 14 °C
    device: {class: appliance, model: R-50}
    every: 10m
    series: {fridge.temperature: 14x13, door.open: falsex13, compressor.power: 90x13}
    expect: [{at: 2h, suspected: fridge.warm}]
"""


def test_a_model_s_own_limits_in_another_pack_change_a_shipped_rule(tmp_path):
    (tmp_path / "mine.yaml").write_text(OVERRIDES, encoding="utf-8")
    file = tmp_path / "mine.test.yaml"
    file.write_text(SCENARIOS, encoding="utf-8")
    (outcome,) = Suite().run([file])
    assert outcome.problems == []
    assert [result.failures for result in outcome.results] == [[], [], []]
