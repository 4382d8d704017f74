"""Scenario files: what a good one means, and where a wrong one is pointed at."""

from pathlib import Path

import pytest

from rules.loader import load_rules
from rules.scenario.model import Event, InState, Never, Reply
from rules.scenario.notation import MISSING
from rules.scenario.reading import DEFAULT_START, read_scenario_file
from rules.scenario.spots import ScenarioError
from rules.symbols import DeviceId

PACK = """\
pack: p
rules:
  - {id: worn, fault: washer.bearing, when: drum.vibration > 3}
  - {id: sectors, fault: disk.media_wear, for_devices: {each: disk}, when: disk.pending_sectors > 0}
"""
MINUTE = 60_000


def read(folder: Path, text: str):
    (folder / "p.yaml").write_text(PACK)
    (folder / "p.test.yaml").write_text(text)
    file = read_scenario_file(folder / "p.test.yaml")
    return file.scenarios(load_rules(file.packs), {"never_an_order", "refuted_by_probe"})


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        read(folder, text)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


SMALLEST = """\
tests:
  - name: t
    device: {class: pc}
    series: {drum.vibration: 1x10}
    expect: [{quiet: true}]
"""


def test_the_smallest_file_has_the_defaults_of_the_page(tmp_path):
    (scenario,) = read(tmp_path, SMALLEST)
    assert (scenario.start, scenario.every_ms) == (DEFAULT_START, MINUTE)
    assert scenario.end == DEFAULT_START + 9 * MINUTE
    (device,) = scenario.devices
    assert device.id == DeviceId("acme", "pc", "device-1")
    assert (device.facts, device.replies, device.silent, device.changes) == ({}, {}, (), ())
    assert scenario.expectations[0].what == Never()
    assert (scenario.line, scenario.expectations[0].place) == (2, f"{tmp_path}/p.test.yaml:5")


def test_a_file_with_everything(tmp_path):
    (scenario,) = read(
        tmp_path,
        """\
packs: [p.yaml, builtin]
tests:
  - name: everything
    device: {class: server, tenant: brand, name: srv, model: R7, hot_swap: true, bays: 4}
    start: 2026-01-01T00:00:00+01:00
    every: 30s
    until: 2h
    series:
      disk.pending_sectors@sda:
        0x3
        1+2x5
      raid.state: '"two words"x2 optimal'
    facts:
      - {at: 10m, firmware: "1.10"}
      - {at: 2026-01-01T00:20:00+01:00, components: {sda: {serial: 7}}}
    replies:
      disk.self_test: failed
      disk.self_test@sdb: [error, {state: passed, after: 2m, result: {lba: 5}}]
    silent: [{from: 30m, to: 40m}]
    devices:
      - {name: peer, count: 2, series: {disk.pending_sectors@sda: 0}}
      - {name: other, device: {class: pc, model: X}, series: {disk.pending_sectors@sda: 0}}
    expect:
      - {at: 16m, suspected: disk.media_wear, rule: sectors, component: sda, severity: major, device: peer2}
      - {at: 16m, severity: critical, of: disk.media_wear}
      - {at: 16m, no_order: washer.bearing, reason: never_an_order}
      - {at: 12m, state: {rule: worn, is: pending_paused}}
      - {never: washer.bearing, device: other}
""",
    )
    start = 1_767_222_000_000
    srv = DeviceId("brand", "server", "srv")
    assert scenario.start == start
    assert scenario.end == start + 120 * MINUTE
    first, *peers, other = scenario.devices
    assert first.id == srv
    assert first.facts == {"model": "R7", "hot_swap": True, "bays": 4}
    assert first.series[0].steps == (0, 0, 0, 1, 3, 5, 7, 9)
    assert first.series[1].steps == ("two words", "two words", "optimal")
    assert first.series[1].step(3) is MISSING
    assert [(c.at - start, c.facts) for c in first.changes] == [
        (10 * MINUTE, {"firmware": "1.10"}),
        (20 * MINUTE, {"components": {"sda": {"serial": 7}}}),
    ]
    assert first.replies == {
        "disk.self_test": (Reply("failed"),),
        "disk.self_test@sdb": (Reply("error"), Reply("passed", 2 * MINUTE, {"lba": 5})),
    }
    assert first.silence(start + 30 * MINUTE) == first.silence(start + 40 * MINUTE - 1) == start + 40 * MINUTE
    assert first.silence(start + 40 * MINUTE) is first.silence(start + 30 * MINUTE - 1) is None
    assert [p.id for p in peers] == [srv._replace(device="peer1"), srv._replace(device="peer2")]
    assert peers[0].facts == first.facts
    assert (other.id, other.facts) == (DeviceId("acme", "pc", "other"), {"model": "X"})
    at = start + 16 * MINUTE
    assert [expectation.what for expectation in scenario.expectations] == [
        Event("suspected", "disk.media_wear", at, "sectors", "sda", peers[1].id, "major"),
        Event("severity", "disk.media_wear", at, severity="critical"),
        Event("no_order", "washer.bearing", at, reason="never_an_order"),
        InState("worn", "PENDING_PAUSED", start + 12 * MINUTE),
        Never("washer.bearing", device=other.id),
    ]


def changed(old: str, new: str) -> str:
    assert SMALLEST.count(old) == 1
    return SMALLEST.replace(old, new)


EXPECT = "[{quiet: true}]"
SERIES = "{drum.vibration: 1x10}"
DEVICE = "device: {class: pc}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "p.test.yaml:1: expected {tests: [...]}, the file is empty"),
        ("tests: [", "p.test.yaml:1:9: not YAML: "),
        ("[]", "p.test.yaml:1: the file: expected a mapping, got a list"),
        ("packs: [p.yaml]", "p.test.yaml:1: the file: expected the key tests, it is missing"),
        ("tests: []", "p.test.yaml:1: tests: expected tests, the list is empty"),
        ("tests: 5", "p.test.yaml:1: tests: expected a list, got '5'"),
        (
            "packs: [builtin, q.yaml]\n" + SMALLEST,
            "p.test.yaml:1: packs[1]: expected builtin, or the path of a pack from",
        ),
        (
            SMALLEST + SMALLEST.removeprefix("tests:\n"),
            "p.test.yaml:6: tests[1]: a test named 't' stands already at p.test.yaml:2",
        ),
        (
            changed("name: t", "nam: t"),
            "p.test.yaml:2: tests[0].nam: unknown key, expected one of: device, devices, every,",
        ),
        (
            changed("    " + DEVICE + "\n", ""),
            "p.test.yaml:2: tests[0]: expected the key device, it is missing",
        ),
        (
            changed("pc", "computer"),
            "p.test.yaml:3: tests[0].device.class: expected one of phone, pc, server, appliance, got",
        ),
        (
            changed(DEVICE, DEVICE + "\n    device: {class: pc}"),
            "p.test.yaml:4: tests[0].device: this key stands here twice",
        ),
        (
            changed(DEVICE, DEVICE + "\n    every: 5"),
            "p.test.yaml:4: tests[0].every: expected a duration such as 30s, 10m or 2h, got '5'",
        ),
        (
            changed(DEVICE, DEVICE + "\n    every: 0s"),
            "p.test.yaml:4: tests[0].every: expected a duration above zero, got '0s'",
        ),
        (
            changed(DEVICE, DEVICE + "\n    start: monday"),
            "p.test.yaml:4: tests[0].start: expected RFC 3339 such as 2026-03-02T08:00:00Z, got 'monday'",
        ),
        (
            changed(DEVICE, DEVICE + "\n    until: 9999d"),
            "p.test.yaml:4: tests[0].until: expected at most 200000 steps",
        ),
        (
            changed("drum.vibration", "drum.vibrations"),
            "p.test.yaml:4: tests[0].series.drum.vibrations: unknown signal 'drum.vibrations'; "
            "did you mean drum.vibration?",
        ),
        (
            changed("1x10", "1x10 two"),
            "p.test.yaml:4: tests[0].series.drum.vibration: expected a number such as 0.2, 0.2x10, 1+2x5,",
        ),
        (changed(SERIES, "{}"), "p.test.yaml:4: tests[0].series: expected at least one series"),
        (
            changed(SERIES, SERIES + "\n    facts: [{at: 11m, model: X}]"),
            "p.test.yaml:5: facts: expected a time within the run, which ends at 9m (until: makes it longer)",
        ),
        (
            changed(SERIES, SERIES + "\n    facts: [{at: 1m}]"),
            "p.test.yaml:5: tests[0].facts[0]: expected facts beside at",
        ),
        (
            changed(SERIES, SERIES + "\n    silent: [{from: 5m, to: 5m}]"),
            "p.test.yaml:5: tests[0].silent[0].to: expected a time after from, got '5m'",
        ),
        (
            changed(SERIES, SERIES + "\n    silent: [{from: 1m, to: 5m}]\n    facts: [{at: 2m, model: X}]"),
            "p.test.yaml:6: facts: the device is silent at this time",
        ),
        (
            changed(SERIES, SERIES + "\n    replies: {disk.self_test: broken}"),
            "p.test.yaml:5: tests[0].replies.disk.self_test: expected one of passed, failed, running,",
        ),
        (
            changed(SERIES, SERIES + "\n    replies: {disk.self_test: {state: passed, after: soon}}"),
            "p.test.yaml:5: tests[0].replies.disk.self_test.after: expected a duration",
        ),
        (
            changed(SERIES, SERIES + "\n    devices: [{name: device-1, series: {drum.vibration: 1}}]"),
            "p.test.yaml:5: tests[0].devices[0].name: there is a device device-1 already",
        ),
        (
            changed(SERIES, SERIES + "\n    devices: [{name: a b, series: {drum.vibration: 1}}]"),
            "p.test.yaml:5: tests[0].devices[0].name: expected 1 to 64 of A-Z a-z 0-9 _ . : -, got 'a b'",
        ),
        (changed(EXPECT, "[]"), "p.test.yaml:5: tests[0].expect: expected expectations, the list is empty"),
        (
            changed(EXPECT, "[{at: 5m}]"),
            "p.test.yaml:5: tests[0].expect[0]: expected exactly one of suspected,",
        ),
        (
            changed(EXPECT, "[{quiet: false}]"),
            "p.test.yaml:5: tests[0].expect[0].quiet: expected true, got 'false'",
        ),
        (
            changed(EXPECT, "[{at: 5m, suspected: washer.bearing, cleared: washer.bearing}]"),
            "p.test.yaml:5: tests[0].expect[0]: expected exactly one of",
        ),
        (
            changed(EXPECT, "[{suspected: washer.bearing}]"),
            "p.test.yaml:5: tests[0].expect[0]: expected the key at, it is missing",
        ),
        (
            changed(EXPECT, "[{at: 10m, suspected: washer.bearing}]"),
            "p.test.yaml:5: tests[0].expect[0].at: expected a time within the run, which ends at 9m "
            "(until: makes it longer), got '10m'",
        ),
        (
            changed(EXPECT, "[{at: soon, suspected: washer.bearing}]"),
            "p.test.yaml:5: tests[0].expect[0].at: expected a time from the start on such as 16m, or RFC",
        ),
        (
            changed(EXPECT, "[{never: washer.bearings}]"),
            "p.test.yaml:5: tests[0].expect[0].never: expected a fault of a rule of the packs, "
            "got 'washer.bearings'; did you mean washer.bearing?",
        ),
        (
            changed(EXPECT, "[{at: 5m, suspected: washer.bearing, rule: sectors}]"),
            "p.test.yaml:5: tests[0].expect[0].rule: expected a rule of washer.bearing, sectors is one of "
            "disk.media_wear",
        ),
        (
            changed(EXPECT, "[{at: 5m, suspected: disk.media_wear, component: sda}]"),
            "p.test.yaml:5: tests[0].expect[0].component: expected a component that a series names (none),",
        ),
        (
            changed(EXPECT, "[{never: washer.bearing, device: other}]"),
            "p.test.yaml:5: tests[0].expect[0].device: expected device-1, got 'other'",
        ),
        (
            changed(EXPECT, "[{at: 5m, no_order: washer.bearing, reason: never_an_ordr}]"),
            "p.test.yaml:5: tests[0].expect[0].reason: expected a reason of a decision, got 'never_an_ordr'; "
            "did you mean never_an_order?",
        ),
        (
            changed(EXPECT, "[{at: 5m, state: {rule: worn, is: asleep}}]"),
            "p.test.yaml:5: tests[0].expect[0].state.is: expected one of quiet, pending, pending_paused,",
        ),
        (
            changed(EXPECT, "[{at: 5m, refuted: washer.bearing, severity: major}]"),
            "p.test.yaml:5: tests[0].expect[0].severity: unknown key, expected one of: at, component,",
        ),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path, text, problem):
    (told,) = problems_of(tmp_path, text)
    assert told.startswith(problem)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    wrong = """\
tests:
  - name: series
    device: {class: pc}
    series: {drum.vibration: x, drum.rpms: 1}
    expect: [{never: a}]
  - name: expectations
    device: {class: pc}
    series: {drum.vibration: 1}
    expect:
      - {never: a}
      - {at: 1m}
  - name: neither
    device: {class: pc}
"""
    assert [problem.split(": ")[:2] for problem in problems_of(tmp_path, wrong)] == [
        ["p.test.yaml:4", "tests[0].series.drum.vibration"],
        ["p.test.yaml:4", "tests[0].series.drum.rpms"],
        ["p.test.yaml:10", "tests[1].expect[0].never"],
        ["p.test.yaml:11", "tests[1].expect[1]"],
        ["p.test.yaml:12", "tests[2]"],
    ]


def test_without_packs_named_those_of_the_folder_are_tested(tmp_path):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "other.yaml").write_text("pack: [")
    (tmp_path / "more.yml").write_text("pack: more\nrules: []\n")
    read(tmp_path, SMALLEST)
    file = read_scenario_file(tmp_path / "p.test.yaml")
    assert file.packs == (tmp_path / "more.yml", tmp_path / "p.yaml")


def test_a_file_without_packs_says_so(tmp_path):
    (tmp_path / "alone.test.yaml").write_text(SMALLEST)
    with pytest.raises(ScenarioError, match=r"alone\.test\.yaml:1: tests: expected packs to test; beside"):
        read_scenario_file(tmp_path / "alone.test.yaml")
