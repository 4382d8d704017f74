"""The words that the shipped rules use for parts are words that the catalogue understands."""

import pytest

from diagnostics.faults import load_faults
from rules.loader import load_rules

FAULTS = load_faults()
RULES = load_rules(["builtin"]).rules


def test_every_shipped_rule_finds_a_fault_of_the_catalogue_that_its_classes_can_have() -> None:
    assert RULES
    assert {rule.fault for rule in RULES if FAULTS.get(rule.fault) is None} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_parts_of_a_shipped_rule_are_kinds(rule) -> None:
    fault = FAULTS.get(rule.fault)
    assert {word for word in rule.parts if FAULTS.kind_of(word, fault) not in FAULTS.kinds} == set()
