"""Every kind of expectation, met and missed: what is said when it is missed is what happened instead."""

import textwrap
from pathlib import Path

import pytest

from gateway.scenario.report import report_lines
from gateway.scenario.suite import Suite

PACK = """\
pack: p
rules:
  - id: worn
    fault: washer.bearing
    for_devices: {class: appliance}
    when: drum.vibration > 3
    hold: 10m
    clear_when: drum.vibration < 1
    clear_hold: 5m
    confirm: {any_of: [{probe: washer.spin_test}, {held: 2h}]}
  - id: sectors
    fault: disk.media_wear
    for_devices: {class: server, each: disk}
    when: disk.pending_sectors > 0
    confirm: {any_of: [{probe: disk.self_test}]}
  - {id: full, fault: storage.full, for_devices: {class: phone}, when: storage.free_ratio < 0.05, hold: 5m}
  - {id: mute, fault: bmc.mute, for_devices: {class: server}, when: "absent(bmc.online, 10m)"}
  - id: rough
    fault: washer.unbalance
    for_devices: {class: appliance, model: ROUGH}
    when: drum.vibration > 3
    clear_when: drum.vibration < 2
    severity_when: {critical: drum.vibration > 6}
    flapping: {window: 1h, start: 4, stop: 1}
"""

WASHER = "device: {class: appliance}"
SERVER = "device: {class: server, name: srv}"
WEARS = f"{WASHER}\nseries: {{drum.vibration: 0x5 4x60 0x20}}\n"
FAILS = WEARS + "replies: {washer.spin_test: {state: failed, after: 2m}}\n"
PASSES = WEARS + "replies: {washer.spin_test: passed}\n"
COMES_BACK = f"{WASHER}\nseries: {{drum.vibration: 4x15 0x10 4x15}}\nreplies: {{washer.spin_test: failed}}\n"
TWO_DISKS = (
    f"{SERVER}\nseries: {{disk.pending_sectors@sda: 0x5 1x5, disk.pending_sectors@sdb: 0x7 1x3}}\n"
    "replies: {disk.self_test@sda: failed, disk.self_test: passed}\n"
)
FULL = "device: {class: phone}\nseries: {storage.free_ratio: 0.01x10}\n"
MUTE = f"{SERVER}\nevery: 7m\nseries: {{bmc.online: truex3, psu.ok@1: truex8}}\n"
OFFLINE = f"{SERVER}\nseries: {{bmc.online: truex60}}\nsilent: [{{from: 10m, to: 40m}}]\n"
NEIGHBOUR = (
    f"{WASHER}\nseries: {{drum.vibration: 0x15}}\n"
    "devices: [{name: near, count: 2, series: {drum.vibration: 4x15}}]\n"
)
#: world, expectation, a wrong one, what the wrong one gets
KINDS = {
    "suspected": (
        WEARS,
        "{at: 15m, suspected: washer.bearing}",
        "{at: 14m, suspected: washer.bearing}",
        "suspected washer.bearing at 15m (rule worn, major)",
    ),
    "suspected, by RFC 3339": (
        WEARS,
        "{at: 2026-03-02T08:15:00Z, suspected: washer.bearing, rule: worn, severity: major}",
        "{at: 2026-03-02T08:15:00Z, suspected: washer.bearing, severity: minor}",
        "suspected washer.bearing at 15m (rule worn, major)",
    ),
    "confirmed by a self test": (
        FAILS,
        "{at: 17m, confirmed: washer.bearing}",
        "{at: 15m, confirmed: washer.bearing}",
        "confirmed washer.bearing at 17m (rule worn, major)",
    ),
    "confirmed by time": (
        f"{WASHER}\nseries: {{drum.vibration: 4x200}}\n",
        "{at: 130m, confirmed: washer.bearing}",  # no answer by 40m; held for two hours since 10m
        "{at: 131m, confirmed: washer.bearing}",
        "confirmed washer.bearing at 2h10m (rule worn, major)",
    ),
    "never confirmed": (
        WEARS,
        "{at: 15m, suspected: washer.bearing}",
        "{at: 17m, confirmed: washer.bearing}",
        "no confirmation of washer.bearing but: suspected washer.bearing at 15m (rule worn, major); "
        "cleared washer.bearing at 1h10m (rule worn, major); "
        "no order for washer.bearing at 1h10m (rule worn, cleared_before_confirmation)",
    ),
    "refuted": (
        PASSES,
        "{at: 15m, refuted: washer.bearing}",
        "{at: 16m, refuted: washer.bearing}",
        "refuted washer.bearing at 15m (rule worn, major)",
    ),
    "cleared": (
        WEARS,
        "{at: 70m, cleared: washer.bearing, reason: cleared_before_confirmation}",
        "{at: 65m, cleared: washer.bearing}",
        "cleared washer.bearing at 1h10m (rule worn, major)",
    ),
    "reopened": (
        COMES_BACK,
        "{at: 35m, reopened: washer.bearing}",
        "{at: 25m, reopened: washer.bearing}",
        "reopened washer.bearing at 35m (rule worn, major)",
    ),
    "order": (
        FAILS,
        "{at: 17m, order: washer.bearing, severity: major}",
        "{at: 18m, order: washer.bearing}",
        "an order for washer.bearing at 17m (rule worn, major)",
    ),
    "no order, whatever the reason": (
        FULL,
        "{at: 5m, no_order: storage.full}",
        "{at: 6m, no_order: storage.full}",
        "no order for storage.full at 5m (rule full, never_an_order)",
    ),
    "no order": (
        FULL,
        "{at: 5m, no_order: storage.full, reason: never_an_order}",
        "{at: 5m, no_order: storage.full, reason: refuted_by_probe}",
        "no order for storage.full at 5m (rule full, never_an_order)",
    ),
    "no order yet": (
        WEARS,
        "{at: 45m, no_order: washer.bearing, reason: probe_expired}",
        "{at: 44m, no_order: washer.bearing, reason: probe_expired}",
        "no order for washer.bearing at 45m (rule worn, probe_expired)",
    ),
    "of a component": (
        TWO_DISKS,
        "{at: 5m, confirmed: disk.media_wear, component: sda}",
        "{at: 7m, confirmed: disk.media_wear, component: sdb}",
        "confirmed disk.media_wear at 5m (rule sectors, component sda, major)",
    ),
    "of a component at the time of another": (
        TWO_DISKS,
        "{at: 7m, refuted: disk.media_wear, component: sdb}",
        "{at: 5m, suspected: disk.media_wear}, {at: 5m, suspected: disk.media_wear, component: sdb}",
        "suspected disk.media_wear at 7m (rule sectors, component sdb, major)",
    ),
    "by the second answer": (
        COMES_BACK.replace("failed", "[passed, {state: failed, after: 1m}]"),
        "{at: 10m, refuted: washer.bearing}, {at: 36m, confirmed: washer.bearing}",
        "{at: 35m, confirmed: washer.bearing}",
        "confirmed washer.bearing at 36m (rule worn, major)",
    ),
    "of another device": (
        NEIGHBOUR,
        "{at: 10m, suspected: washer.bearing, device: near1},"
        "{at: 10m, suspected: washer.bearing, device: near2}",
        "{at: 10m, suspected: washer.bearing, device: near2},{at: 10m, suspected: washer.bearing}",
        "suspected washer.bearing at 10m (rule worn, device near1, major)",
    ),
    "by silence": (
        MUTE,
        "{at: 24m, suspected: bmc.mute}",  # off the grid of messages: 14m and ten more
        "{at: 28m, suspected: bmc.mute}",
        "suspected bmc.mute at 24m (rule mute, major)",
    ),
    "while no message comes": (
        OFFLINE,
        "{at: 19m, suspected: bmc.mute}, {at: 40m, cleared: bmc.mute}",
        "{at: 20m, suspected: bmc.mute}",
        "suspected bmc.mute at 19m (rule mute, major)",
    ),
    "state": (
        WEARS,
        "{at: 14m, state: {rule: worn, is: pending}}",
        "{at: 15m, state: {rule: worn, is: pending}}",
        "rule worn is SUSPECTED since 15m",
    ),
    "state of a component": (
        TWO_DISKS,
        "{at: 6m, state: {rule: sectors, component: sdb, is: quiet}}",
        "{at: 7m, state: {rule: sectors, component: sdb, is: quiet}}",
        "rule sectors (sdb) is SUSPECTED since 7m",
    ),
    "state of a rule for others": (
        WEARS,
        "{never: washer.unbalance}",
        "{at: 15m, state: {rule: rough, is: quiet}}",
        "rule rough is not evaluated for acme/appliance/device-1: it is not for this device, "
        "or no reading of the part had come",
    ),
    "never": (
        WEARS,
        "{never: disk.media_wear}",
        "{never: washer.bearing}",
        "suspected washer.bearing at 15m (rule worn, major), the first of 3 events",
    ),
    "never, of a component": (
        TWO_DISKS + "until: 6m\n",
        "{never: disk.media_wear, component: sdb}",
        "{never: disk.media_wear, component: sda}",
        "suspected disk.media_wear at 5m (rule sectors, component sda, major), the first of 3 events",
    ),
    "quiet": (
        f"{WASHER}\nseries: {{drum.vibration: 4x10}}\n",  # a minute short of the hold
        "{quiet: true}",
        "{at: 5m, suspected: washer.bearing}",
        "nothing happened to washer.bearing",
    ),
    "quiet, of another device": (
        NEIGHBOUR,
        "{quiet: true, device: device-1}",
        "{quiet: true}",
        "suspected washer.bearing at 10m (rule worn, device near1, major), the first of 2 events",
    ),
    "listed whole": (
        COMES_BACK,
        "{at: 10m, suspected: washer.bearing}, {at: 35m, suspected: washer.bearing}",
        "{at: 10m, suspected: washer.bearing}",
        "also suspected washer.bearing at 35m (rule worn, major)",
    ),
    "listed whole, of all components": (
        TWO_DISKS,
        "{at: 5m, suspected: disk.media_wear}, {at: 7m, suspected: disk.media_wear}",
        "{at: 5m, suspected: disk.media_wear, component: sda}",
        "also suspected disk.media_wear at 7m (rule sectors, component sdb, major)",
    ),
}


def run(folder: Path, world: str, expectations: str):
    """Run one test and return its result."""
    (folder / "p.yaml").write_text(PACK)
    text = textwrap.indent(f"{world}expect: [{expectations}]\n", "    ")
    (folder / "p.test.yaml").write_text(f"tests:\n  - name: t\n{text}")
    (outcome,) = Suite().run([folder / "p.test.yaml"])
    assert outcome.problems == []
    (result,) = outcome.results
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_what_happens_is_expected(tmp_path, kind):
    world, expected, _, _ = KINDS[kind]
    result = run(tmp_path, world, expected)
    assert result.failures == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missed_is_told_with_what_happened_instead(tmp_path, kind):
    world, _, wrong, got = KINDS[kind]
    result = run(tmp_path, world, wrong)
    assert [failure.got for failure in result.failures] == [got]
    lines = [line.text for line in report_lines(result)]
    assert f"    got       {got}" in lines
    assert lines[0] == f"FAILED  t  ({tmp_path}/p.test.yaml:2)"


@pytest.mark.parametrize(
    ("expectation", "got"),
    [
        (
            "{at: 5m, severity: critical, of: washer.unbalance},"
            "{at: 10m, severity: major, of: washer.unbalance}",
            None,
        ),
        (
            "{at: 5m, severity: critical, of: washer.unbalance}",
            "also severity major of washer.unbalance at 10m (rule rough)",
        ),
        (
            "{at: 4m, severity: critical, of: washer.unbalance},"
            "{at: 10m, severity: major, of: washer.unbalance}",
            "severity critical of washer.unbalance at 5m (rule rough)",
        ),
    ],
)
def test_severity_goes_up_and_down(tmp_path, expectation, got):
    world = "device: {class: appliance, model: ROUGH}\nseries: {drum.vibration: 4x5 7x5 4x5}\n"
    result = run(tmp_path, world, expectation)
    assert [failure.got for failure in result.failures] == ([] if got is None else [got])


@pytest.mark.parametrize(
    ("expectation", "got"),
    [
        ("{at: 3m, flapping: washer.unbalance}, {at: 62m, steady: washer.unbalance}", None),
        ("{at: 2m, flapping: washer.unbalance}", "flapping washer.unbalance at 3m (rule rough, major)"),
        ("{at: 63m, steady: washer.unbalance}", "steady washer.unbalance at 1h2m (rule rough, major)"),
    ],
)
def test_flapping_begins_and_ends(tmp_path, expectation, got):
    world = "device: {class: appliance, model: ROUGH}\nseries: {drum.vibration: 4 1 4 1x100}\n"
    result = run(tmp_path, world, expectation)
    assert [failure.got for failure in result.failures] == ([] if got is None else [got])
