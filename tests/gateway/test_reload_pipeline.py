"""Other rules take over: what stays goes on, what is gone is withdrawn, by reload and by restart alike."""

import json

import numpy as np
import pytest
from story import Story, ruleset

from gateway.pipeline import Pipeline
from rules.symbols import DeviceId, Symbols

SERVER = "acme/server/srv-1"
HOT = {
    "id": "hot",
    "fault": "cpu.overheating",
    "when": "cpu.temperature > 95",
    "hold": "10m",
    "confirm": {"any_of": [{"held": "1h"}]},
}
BUSY = {"id": "busy", "fault": "cpu.throttling", "when": "cpu.load > 90"}
WARM = {"id": "warm", "fault": "cpu.overheating", "when": "cpu.temperature > 80"}
READINGS = {"cpu.temperature": 99, "cpu.load": 95}


def reload(story, rules):
    """The gateway reads its packs anew."""
    change, effects = story.pipeline.reload(rules)
    story.decoder.use(rules.catalogue)
    story.take(effects)
    return change


def restart(story, rules):
    """The gateway ends and starts with other packs."""
    arrays, document = story.pipeline.snapshot()
    arrays = {path: array.copy() for path, array in arrays.items()}
    other = Story(rules, registry=story.registry, clock=story.clock)
    story.symbols, story.pipeline, story.decoder = other.symbols, other.pipeline, other.decoder
    story.take(story.pipeline.restore(arrays, json.loads(json.dumps(document))))


TAKEOVERS = pytest.mark.parametrize("take_over", [reload, restart])


@TAKEOVERS
def test_a_hold_goes_on(tmp_path, take_over):
    story = Story(ruleset(tmp_path, HOT))
    story.keeps_reading(SERVER, READINGS, for_="6m")
    take_over(story, ruleset(tmp_path, BUSY, HOT))
    story.keeps_reading(SERVER, READINGS, for_="6m")
    assert ("suspected", 10, "cpu.overheating") in story.steps()
    assert ("confirmed", 6, "cpu.throttling") in story.steps()


@TAKEOVERS
def test_a_rule_that_was_changed_starts_quiet(tmp_path, take_over):
    story = Story(ruleset(tmp_path, HOT))
    story.keeps_reading(SERVER, READINGS, for_="6m")
    take_over(story, ruleset(tmp_path, HOT | {"when": "cpu.temperature > 96"}))
    story.keeps_reading(SERVER, READINGS, for_="15m")
    assert story.steps() == [("suspected", 16, "cpu.overheating")]


@TAKEOVERS
@pytest.mark.parametrize("rules", [[BUSY], [BUSY, HOT | {"hold": "11m"}]], ids=["removed", "changed"])
def test_a_suspicion_of_a_rule_that_is_no_more_is_withdrawn(tmp_path, take_over, rules):
    story = Story(ruleset(tmp_path, HOT))
    story.keeps_reading(SERVER, {"cpu.temperature": 99}, for_="20m")
    take_over(story, ruleset(tmp_path, *rules))
    (case,) = story.cases.values()
    assert (case.state, case.reason, story.minutes(case.ended_at)) == ("cleared", "rule_withdrawn", 20)
    assert [(e.event, e.reason) for e in story.events][1:] == [("cleared", "rule_withdrawn")]
    assert (story.decisions[-1].reason, story.decisions[-1].outcome) == ("rule_withdrawn", "no_order")
    what = "was changed and starts anew" if len(rules) > 1 else "is no longer in the packs"
    assert story.decisions[-1].text == f"Rule hot {what}: its suspicion is withdrawn."
    story.keeps_reading(SERVER, {"cpu.temperature": 99}, for_="2h")
    opened = [order.fault.code for order in story.orders]
    assert opened == (["cpu.overheating"] if len(rules) > 1 else [])


@TAKEOVERS
def test_the_case_goes_on_while_another_rule_suspects_it(tmp_path, take_over):
    waiting = WARM | {"confirm": {"any_of": [{"held": "3h"}]}, "severity": "minor"}
    story = Story(ruleset(tmp_path, HOT | {"severity": "critical"}, waiting))
    story.keeps_reading(SERVER, READINGS, for_="20m")
    (case,) = story.cases.values()
    assert case.severity == "critical"
    take_over(story, ruleset(tmp_path, waiting))
    (case,) = story.cases.values()
    assert (case.state, case.severity) == ("suspected", "minor")
    story.keeps_reading(SERVER, READINGS, for_="3h")
    assert [order.fault.severity for order in story.orders] == ["minor"]


@TAKEOVERS
def test_what_was_confirmed_stays_with_a_note(tmp_path, take_over):
    story = Story(ruleset(tmp_path, WARM))
    story.keeps_reading(SERVER, READINGS, for_="5m")
    (order,) = story.orders
    take_over(story, ruleset(tmp_path, BUSY))
    (case,) = (case for case in story.cases.values() if case.fault == "cpu.overheating")
    assert (case.state, case.order_id) == ("confirmed", order.order_id)
    note = story.decisions[-1]
    assert (note.outcome, note.reason) == ("note", "rule_withdrawn")
    assert note.text == (
        "Rule warm is no longer in the packs. What it had confirmed stays confirmed; order "
        f"{order.order_id} stays open until it is closed."
    )
    assert [step[0] for step in story.steps()] == ["suspected", "confirmed"]


@TAKEOVERS
def test_a_rule_that_comes_back_joins_the_order_that_it_had_opened(tmp_path, take_over):
    story = Story(ruleset(tmp_path, WARM))
    story.keeps_reading(SERVER, READINGS, for_="5m")
    take_over(story, ruleset(tmp_path, WARM | {"when": "cpu.temperature > 85"}))
    story.keeps_reading(SERVER, READINGS, for_="5m")
    assert len(story.orders) == 1
    assert story.reasons()[-1] == "already_open"


@TAKEOVERS
def test_an_answer_to_a_self_test_of_a_rule_that_is_no_more_changes_nothing(tmp_path, take_over):
    probed = WARM | {"confirm": {"any_of": [{"probe": "thermal.test"}]}}
    story = Story(ruleset(tmp_path, probed))
    story.reads(SERVER, READINGS)
    take_over(story, ruleset(tmp_path, probed | {"when": "cpu.temperature > 200"}))
    story.answer("failed")
    (case,) = story.cases.values()
    assert (case.state, case.reason) == ("cleared", "rule_withdrawn")
    assert story.orders == []
    assert story.rejected == []


@TAKEOVERS
def test_a_fact_that_no_rule_had_asked_for_is_known_to_a_new_rule(tmp_path, take_over):
    story = Story(ruleset(tmp_path, BUSY))
    story.says(SERVER, "facts", room="cellar", allowed=60)
    here = WARM | {"for_devices": {"room": "cell*"}, "when": 'cpu.temperature > fact("allowed")'}
    take_over(story, ruleset(tmp_path, here))
    story.reads(SERVER, {"cpu.temperature": 61})
    assert [order.fault.code for order in story.orders] == ["cpu.overheating"]


@TAKEOVERS
def test_a_signal_of_a_new_pack_is_read_as_it_says(tmp_path, take_over):
    import yaml

    from rules.loader import load_rules

    story = Story(ruleset(tmp_path, BUSY))
    story.reads(SERVER, {"gate.open": 1})  # of an unknown signal: a number
    path = tmp_path / "gates.yaml"
    signals = {"gate.open": {"title": "The gate is open", "kind": "boolean"}}
    rule = {"id": "gate", "fault": "gate.open", "when": "gate.open"}
    path.write_text(yaml.safe_dump({"pack": "gates", "signals": signals, "rules": [rule]}))
    take_over(story, load_rules([path]))
    story.clock += 60_000
    story.reads(SERVER, {"gate.open": 1})
    assert [order.fault.code for order in story.orders] == ["gate.open"]


def test_the_change_is_told(tmp_path):
    story = Story(ruleset(tmp_path, HOT, BUSY))
    change = reload(story, ruleset(tmp_path, HOT | {"hold": "11m", "title": "Hot"}, WARM))
    assert (change.added, change.changed, change.removed) == (("warm",), ("hot",), ("busy",))
    again = reload(story, ruleset(tmp_path, HOT | {"hold": "11m", "title": "Another title"}, WARM))
    assert (again.added, again.changed, again.removed) == ((), (), ())
    assert again.kept == {"hot", "warm"}


def test_the_same_rules_again_change_nothing(tmp_path):
    """Cutting a stream by reloads gives what the stream gives uncut."""
    whole, cut = (Story(ruleset(tmp_path, HOT, BUSY, WARM)) for _ in range(2))
    for minute in range(200):
        values = {"cpu.temperature": 70 + (minute * 7) % 31, "cpu.load": 60 + (minute * 11) % 40}
        for story in (whole, cut):
            story.reads(SERVER, values)
            story.passes("1m")
        if minute % 7 == 0:
            reload(cut, ruleset(tmp_path, HOT, BUSY, WARM))
    assert len(whole.events) > 20
    assert (cut.events, cut.decisions, cut.orders) == (whole.events, whole.decisions, whole.orders)
    states = [story.pipeline.snapshot() for story in (whole, cut)]
    assert states[0][1] == states[1][1]
    for path, array in states[0][0].items():
        np.testing.assert_array_equal(states[1][0][path], array, err_msg=path)


def test_a_pipeline_that_cannot_take_over_is_as_before(tmp_path, monkeypatch):
    story = Story(ruleset(tmp_path, HOT))
    story.keeps_reading(SERVER, READINGS, for_="6m")
    before = story.pipeline.ruleset

    def broken(*_):
        raise RuntimeError("out of order")

    with monkeypatch.context() as patched:
        patched.setattr("rules.engine.Engine.restore", broken)
        with pytest.raises(RuntimeError):
            story.pipeline.reload(ruleset(tmp_path, BUSY))
    assert story.pipeline.ruleset is before
    story.keeps_reading(SERVER, READINGS, for_="6m")
    assert story.steps() == [("suspected", 10, "cpu.overheating")]


def test_a_pipeline_of_other_symbols_takes_a_state_up(tmp_path):
    """Numbers of devices differ from process to process; what is known of them must not be mixed up."""
    story = Story(ruleset(tmp_path, HOT))
    for number in range(5):
        story.says(f"acme/server/srv-{number}", "facts", model=f"M{number}")
        story.says(f"acme/server/srv-{number}", "status", online=number % 2 == 0)
    arrays, document = story.pipeline.snapshot()
    symbols = Symbols()
    for number in (4, 2, 0):
        symbols.devices.intern(DeviceId("acme", "server", f"srv-{number}"))
    other = Pipeline(
        symbols=symbols,
        ruleset=story.ruleset,
        faults=story.pipeline._faults,
        registry=story.registry,
        settings=story.settings,
    )
    other.restore(arrays, document)
    known = other._known
    assert {symbols.devices[n].device: (f, known.online(n)) for n, f in known.with_facts()} == {
        f"srv-{number}": ({"model": f"M{number}"}, number % 2 == 0) for number in range(5)
    }
