"""Packs: what is accepted, what is refused and where the message points."""

from pathlib import Path

import pytest

from rules.loader import PackError, load_rules
from rules.model import HeldWay, ProbeWay

GOLDEN = Path(__file__).parents[1] / "golden" / "rules"


def refusal(tmp_path, text):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(PackError) as caught:
        load_rules([path])
    return [problem.removeprefix(str(path)) for problem in caught.value.problems]


def test_a_whole_rule(tmp_path):
    (tmp_path / "p.yaml").write_text(
        """
pack: mine
rules:
  - id: pending_sectors_growing
    fault: disk.media_wear
    for_devices: {class: [pc, server], each: disk, model: "R7*"}
    when: disk.pending_sectors > 0 and increase(disk.pending_sectors, 24h) > 0
    hold: 10m
    clear_when: disk.pending_sectors == 0
    clear_hold: 1h
    confirm: {any_of: [{probe: disk.self_test}, {also: disk.reported_uncorrectable > 0}, {held: 3d}]}
    severity: major
    evidence: [disk.temperature]
    source: "Backblaze, five SMART attributes"
  - {id: off, fault: x.y, when: leak.detected, enabled: false}
"""
    )
    (rule,) = load_rules([tmp_path]).rules
    assert (rule.each, rule.hold_ms, rule.clear_hold_ms) == ("disk", 600_000, 3_600_000)
    assert rule.selector == (("class", ("pc", "server")), ("model", ("R7*",)))
    assert rule.confirm is not None
    assert rule.confirm.ways[0] == ProbeWay("disk.self_test")
    assert rule.confirm.ways[2] == HeldWay(3 * 86_400_000)
    assert rule.place.endswith("p.yaml:4")


def test_a_pack_may_bring_signals_of_its_own(tmp_path):
    (tmp_path / "p.yaml").write_text(
        "pack: p\nsignals: {robot.arm_torque: {title: torque, unit: Nm, period: 10s}}\n"
        "rules: [{id: a, fault: x.y, when: robot.arm_torque > 3}]\n"
    )
    ruleset = load_rules([tmp_path / "p.yaml"])
    assert ruleset.catalogue.get("robot.arm_torque").period_ms == 10_000


RULE = "pack: p\nrules:\n  - id: a\n    fault: x.y\n    when: leak.detected\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1: expected {pack: name, rules: [...]}, the file is empty"),
        ("pack: p\nrules: [", ":2:9: not YAML: "),
        ("pack: p\n", ":1: the file: expected at least one of signals, rules, overrides, they are missing"),
        (RULE + "    holt: 3s\n", ":6: rules[0].holt: unknown key; did you mean hold?"),
        (RULE + "    xyz: 3s\n", ":6: rules[0].xyz: unknown key, expected one of: clear_hold, clear_when"),
        (RULE + "    hold: 5\n", ":6: rules[0].hold: expected a duration such as 30s, 10m, 2h or 7d, got 5"),
        (RULE + "    severity: bad\n", ":6: rules[0].severity: "),
        (RULE + "    when: door.open\n", ":6: rules[0].when: this key stands here twice"),
        (RULE + "    evidence: [cpu.lod]\n", ":6: rules[0].evidence[0]: unknown signal 'cpu.lod'"),
        (RULE + "    for_devices: {class: fridge}\n", "for_devices.class: expected one of phone, pc"),
        (RULE + "    for_devices: {each: disc}\n", "for_devices.each: no signal begins with 'disc'"),
        (RULE + "    confirm: {}\n", "confirm: expected either any_of or all_of"),
        (RULE + "    confirm: {any_of: [{}]}\n", "confirm.any_of[0]: expected exactly one of probe, also"),
        (RULE + "    confirm: {any_of: [{held: 1d, probe: a.b}]}\n", "got probe, held"),
        (RULE + "    confirm: {any_of: [{also: cpu.lod > 1}]}\n", "any_of[0].also: unknown signal 'cpu.lod'"),
        (RULE + "  - {id: a, fault: x.y, when: door.open}\n", "rule 'a' stands already at "),
        ("- a\n- b\n", ":1: the file: "),
        ("pack: \xff", ": "),
    ],
)
def test_refusals_point(tmp_path, text, problem):
    problems = refusal(tmp_path, text)
    assert any(problem in told for told in problems), problems


@pytest.mark.parametrize("pack", sorted(GOLDEN.glob("*.yaml")), ids=lambda pack: pack.stem)
def test_golden_packs_load_or_are_refused_in_these_words(pack):
    if pack.name.startswith("good_"):
        load_rules([pack])
        return
    with pytest.raises(PackError) as caught:
        load_rules([pack])
    expected = pack.with_suffix(".expected").read_text(encoding="utf-8").replace("{file}", str(pack))
    assert "".join(f"{problem}\n" for problem in caught.value.problems) == expected


def test_there_are_golden_packs_of_both_kinds():
    kinds = [pack.name.partition("_")[0] for pack in GOLDEN.glob("*.yaml")]
    assert set(kinds) == {"good", "bad"}
    assert kinds.count("bad") == len(list(GOLDEN.glob("*.expected")))


def test_all_problems_are_told_at_once(tmp_path):
    assert len(refusal(tmp_path, RULE + "    hold: 5\n    severity: bad\n    colour: red\n")) == 3


def test_a_folder_without_packs_is_an_error(tmp_path):
    with pytest.raises(PackError, match="found none"):
        load_rules([tmp_path])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(PackError, match="No such file"):
        load_rules([tmp_path / "x.yaml"])


def test_the_shipped_packs_cover_four_faults_of_each_class():
    ruleset = load_rules(["builtin"])
    from rules.selector import classes_of

    for device_class in ("phone", "pc", "server", "appliance"):
        faults = {rule.fault for rule in ruleset.rules if device_class in classes_of(rule)}
        assert len(faults) >= 4, (device_class, faults)
    assert all(rule.source for rule in ruleset.rules)
