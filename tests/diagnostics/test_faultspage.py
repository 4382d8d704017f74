"""The page of what is shipped: every rule and every fault on it, and each key of a rule in words."""

import re
from pathlib import Path

import pytest

from diagnostics.faults import load_faults
from diagnostics.faultspage import faults_page, faults_text
from rules.loader import load_rules

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

PACK = """\
# About the pack.
pack: mine
signals:
  well.pressure: {title: Pressure, unit: bar}
rules:
  # Above the rule,
  # in two lines.
  - id: well_dry
    fault: well.dry
    for_devices: {class: [pc, server], each: disk, model: ["R7*", T640], hot_swap: true}
    limits: {low: 2, step: 1}
    # low: the pump runs dry. step: of its gauge. Not low: in order.
    when: well.pressure < limit("low")  # "no" alarm
    hold: 1h
    clear_when: well.pressure > limit("low") + limit("step")
    confirm: {all_of: [{engineer: true}, {held: 2h}]}
    severity: minor
    severity_when: {critical: well.pressure < 1}
    flapping: {window: 1d, start: 6, stop: 2}
    schedule: {days: [mon, tue], from: "08:00", to: "18:00", zone: Europe/Berlin}
    evidence: [disk.smart_passed]
    source: "Bug #3"

  # Not its own.
  - {id: other, fault: well.dry, title: Other, when: door.open}
  - id: several
    fault: well.dry
    when: door.open and heater.on and leak.detected and (cpu.load > 1 or cpu.load < 0)
    hold: 1m
    confirm: {any_of: [{engineer: true}]}
    clear_when: not door.open or not heater.on or not leak.detected or cpu.load == 1 and well.pressure > 1
  - id: two
    fault: well.dry
    when: door.open and (cpu.load > 1 or cpu.load < 0)
    clear_when: (not door.open or cpu.load <= 2) and not (heater.on and leak.detected)
    confirm: {any_of: [{engineer: true}]}
overrides:
  - {rule: well_dry, for_devices: {class: pc, site: fra1}, limits: {low: 3}}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of the pack above."""
    path = tmp_path_factory.mktemp("packs") / "p.yaml"
    path.write_text(PACK)
    return faults_page(load_rules([path]), load_faults(), {str(path): PACK})


def test_the_page_is_what_is_shipped():
    assert PAGE.read_text(encoding="utf-8") == faults_text(), "write it anew: make docs"


def test_every_shipped_rule_and_every_fault_stand_on_it_once():
    text = faults_text()
    told = re.findall(r"^#### .*?`([a-z0-9_]+)`\)?$", text, re.MULTILINE)
    assert sorted(told) == sorted(rule.id for rule in load_rules(["builtin"]).rules)
    with_rules = re.findall(r"^### .* \(`(\S+)`\)$", text, re.MULTILINE)
    without = re.findall(r"^- .* \(`(\S+)`\): ", text.split("## Faults without a rule")[1], re.MULTILINE)
    assert sorted(with_rules + without) == sorted(fault.code for fault in load_faults())


@pytest.mark.parametrize(
    "line",
    [
        "## Phones, PCs, servers and appliances",
        "### Other (`well.dry`)",
        "Not in the fault catalogue.",
        "#### `well_dry`",
        "#### Other (`other`)",
        "- **For** each `disk` of PCs and servers whose `model` is `R7*` or `T640` "
        "and whose `hot_swap` is `true`.",
        "- **Suspected** when `well.pressure` is below 2 bar (limit `low`), for 1 hour.",
        "- **Over** when `well.pressure` is above 2 bar (limit `low`) plus 1 bar (limit `step`).",
        "- **Over** when that is no longer so.",
        "- **Suspected** when all of these are so, for 1 minute:",
        "  - `leak.detected` is true.",
        "  - `cpu.load` is above 1 % or `cpu.load` is below 0 %.",
        "- **Over** when one of these is so:",
        "- **Suspected** when `door.open` is true and (`cpu.load` is above 1 % or `cpu.load` is below 0 %).",
        "- **Over** when all of these are so:",
        "  - `door.open` is false or `cpu.load` is at most 2 %.",
        "  - `leak.detected` is false.",
        "  - `cpu.load` is 1 % and `well.pressure` is above 1 bar.",
        "- **Confirmed** when all of these are so:",
        "  - A person says so.",
        "  - It has not cleared for 2 hours.",
        "- **Confirmed** by the finding itself.",
        "- **Looks** on mon and tue from 08:00 to 18:00, in the time zone that the device states, "
        "Europe/Berlin where it states none.",
        "- **Severity** minor; critical while `well.pressure` is below 1 bar.",
        "- **Flapping**: not believed from 6 changes within 1 day until 2 or fewer are left.",
        "- **Signals**: `well.pressure` (bar), `disk.smart_passed` (boolean).",
        "- **Limits**: `low` 2 bar, `step` 1 bar.",
        "- **Limits** for PCs whose `site` is `fra1`: `low` 3 bar.",
        "- **Note**: Above the rule, in two lines.",
        "- **Note**: `low`: the pump runs dry. `step`: of its gauge. Not low: in order.",
        '- **Note**: `when: well.pressure < limit("low")`: "no" alarm.',
        "- **Note**: Not its own.",
        "- **Source**: Bug #3.",
    ],
)
def test_every_key_of_a_rule_is_told(page, line):
    assert page.splitlines().count(line) == 1


def test_a_rule_has_its_own_comments_alone(page):
    first, other = page.split("#### Other")
    assert first.count("**Note**") == 3
    assert other.count("**Note**") == 1
    assert "About the pack" not in first
