"""Incidents in a silence: what is found is kept, its order waits, and none is lost for good."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from story import START, Story, ruleset

from diagnostics.faults import load_faults
from diagnostics.orders.registry import DeviceEntry, Registry
from gateway.pipeline import Pipeline, Settings
from gateway.ports import Inbound
from rules.symbols import DeviceId
from rules.times import HOUR_MS

WASHER = "acme/appliance/wm-7"
LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected", "severity": "minor"}
SEEN = {"id": "seen", "fault": "appliance.leak", "when": "water.level > 100"}
TESTED = LEAK | {"confirm": {"any_of": [{"probe": "washer.drain_test"}, {"held": "20m"}]}}
WET, DRY = {"leak.detected": True}, {"leak.detected": False}


def quiet(tmp_path, *rules, **match):
    """A washer is in a silence of four hours when it begins to leak."""
    story = Story(ruleset(tmp_path, *(rules or [LEAK])))
    story.reads(WASHER, DRY)
    story.silenced(**(match or {"device": "wm-7"}))
    story.passes("10m")
    story.reads(WASHER, WET)
    return story


def the_case(story):
    (case,) = story.cases.values()
    return case


def test_the_order_opens_when_the_silence_ends_and_the_fault_still_stands(tmp_path):
    story = quiet(tmp_path)
    assert (the_case(story).state, the_case(story).reason, story.orders) == ("confirmed", "silenced", [])
    assert [d.outcome for d in story.decisions] == ["pending", "pending"]
    assert "No order before the end of a silence that anna asked for, 2026-03-02T12:00:00Z" in (
        story.decisions[-1].text
    )
    story.passes("3h49m")
    assert story.orders == []
    story.passes("2m")  # nobody looked at the very end: it opens as of then
    (order,) = story.orders
    assert order.opened_at == "2026-03-02T12:00:00Z"
    assert story.reasons()[-1] == "confirmed"
    assert [step for step, *_ in story.steps()] == ["suspected", "confirmed"]


def test_a_fault_that_goes_away_in_the_silence_is_nobody_s_business(tmp_path):
    story = quiet(tmp_path)
    story.passes("1h")
    story.reads(WASHER, DRY)
    story.passes("1d")
    assert (story.orders, the_case(story).state) == ([], "cleared")
    assert story.decisions[-1].text == "What rule leak had found went away in the silence, so no order."


def test_a_silence_that_is_ended_early_lets_the_order_go(tmp_path):
    story = quiet(tmp_path)
    (silence,) = story.silences
    assert story.hushed("end_silence", silence_id=silence, who="bert", note="all done") is None
    assert len(story.orders) == 1
    assert (story.silences[silence].ended_by, story.silences[silence].end_note) == ("bert", "all done")
    assert story.hushed("end_silence", silence_id=silence) is None
    assert "there never was one" in story.hushed("end_silence", silence_id="S-0")


def test_where_one_silence_ends_another_may_go_on(tmp_path):
    story = quiet(tmp_path)
    story.passes("2h")
    story.silenced(fault="appliance.*", for_="4h")
    story.passes("2h")
    assert (story.orders, the_case(story).held.silence_id) == ([], list(story.silences)[-1])
    story.passes("2h30m")
    assert len(story.orders) == 1


def test_a_silence_for_one_rule_does_not_hush_another_that_sees_the_fault(tmp_path):
    story = quiet(tmp_path, LEAK, SEEN, rule="leak")
    assert story.orders == []
    story.passes("10m")
    story.reads(WASHER, {"water.level": 150})
    (order,) = story.orders
    assert "Rule seen" in order.diagnosis.explanation
    story.passes("1d")
    assert len(story.orders) == 1


def test_a_silence_fits_by_site_and_by_model(tmp_path):
    device = DeviceId("acme", "appliance", "wm-7")
    registry = Registry(devices={device: DeviceEntry(device, model="WM-500", site="hall-3")})
    for match in ({"site": "hall-*"}, {"model": "WM-500", "class": "appliance"}):
        story = Story(ruleset(tmp_path, LEAK), registry=registry)
        story.silenced(**match)
        story.reads(WASHER, WET)
        assert story.orders == [], match
        assert (the_case(story).model, the_case(story).site) == ("WM-500", "hall-3")
    story = Story(ruleset(tmp_path, LEAK), registry=registry)
    story.silenced(site="hall-4")
    story.silenced(site="hall-3", tenant="nordfrost")
    story.silenced(component="sda")
    story.reads(WASHER, WET)
    assert len(story.orders) == 1


def test_an_engineer_s_word_breaks_a_silence(tmp_path):
    story = quiet(tmp_path)
    assert story.told("confirm", note="water on the floor") is None
    assert len(story.orders) == 1
    story.passes("1d")
    assert len(story.orders) == 1


def test_the_self_test_goes_on_in_a_silence_and_may_refute_the_fault(tmp_path):
    story = quiet(tmp_path, TESTED)
    story.keeps_reading(WASHER, WET, for_="25m", every="5m")
    assert len(story.commands) == 1
    story.answer("failed")
    assert the_case(story).reason == "silenced"
    other = quiet(tmp_path, TESTED)
    other.answer("passed")
    other.passes("1d")
    assert (other.orders, the_case(other).state) == ([], "refuted")


def test_a_deadline_before_the_end_is_judged_as_of_its_own_time(tmp_path):
    """Nothing is heard for a day: the probe's deadline was in the silence, so the order waits for its end."""
    story = quiet(
        tmp_path, LEAK | {"confirm": {"any_of": [{"probe": "washer.drain_test"}, {"also": "true"}]}}
    )
    story.passes("1d")
    assert story.reasons() == ["waiting_confirmation", "probe_sent", "probe_expired", "silenced", "confirmed"]
    assert story.orders[0].opened_at == "2026-03-02T12:00:00Z"


def test_maintenance_says_so(tmp_path):
    story = Story(ruleset(tmp_path, LEAK))
    story.silenced(device="wm-7", maintenance=True)
    story.reads(WASHER, WET)
    assert the_case(story).reason == "in_maintenance"


def test_a_repaired_fault_that_is_back_in_a_silence_opens_its_order_again_afterwards(tmp_path):
    story = Story(ruleset(tmp_path, LEAK))
    story.reads(WASHER, WET)
    story.told("close", outcome="repaired")
    story.passes("1h")
    story.reads(WASHER, DRY)
    story.silenced(device="wm-7", for_="9d")  # longer than the reopen window
    story.passes("1d")
    story.reads(WASHER, WET)
    assert the_case(story).reason == "silenced"
    assert story.door() == ["closed"]
    story.passes("9d")
    assert story.door() == ["closed", "submitted"]
    assert story.reasons()[-1] == "recently_repaired"


def test_an_order_that_is_open_already_goes_on(tmp_path):
    story = Story(ruleset(tmp_path, LEAK, SEEN))
    story.reads(WASHER, WET)
    story.silenced(device="wm-7")
    story.passes("1h")
    story.reads(WASHER, {"water.level": 150})
    assert [c.evidence is not None for c in story.changes] == [True, False]  # for who is at work on it
    story.passes("1d")
    assert len(story.orders) == 1


def test_a_rule_that_is_taken_away_in_a_silence_leaves_no_order_behind(tmp_path):
    story = quiet(tmp_path)
    _, effects = story.pipeline.reload(ruleset(tmp_path, SEEN))
    story.take(effects)
    story.passes("1d")
    assert (story.orders, the_case(story).state, the_case(story).reason) == ([], "cleared", "rule_withdrawn")


def test_a_dismissal_that_is_taken_back_after_the_silence_opens_the_order(tmp_path):
    story = quiet(tmp_path)
    story.told("dismiss", note="a test")
    story.passes("5h")
    assert story.orders == []
    assert story.told("reopen") is None
    assert len(story.orders) == 1


# Laws

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), st.integers(1, 300)),
        st.tuples(st.just("reads"), st.booleans()),
        st.tuples(st.just("levels"), st.booleans()),
        st.tuples(st.just("silence"), st.integers(1, 500), st.sampled_from(["device", "rule", "fault"])),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["confirm", "dismiss", "reopen", "acknowledge"])),
    ),
    max_size=14,
)
_NAMES = {"device": "wm-7", "rule": "leak", "fault": "appliance.*"}


def _live(folder, steps):
    """A story of steps, and all that was pushed or ticked, in order."""
    story = Story(ruleset(folder, LEAK, SEEN))
    pushed, push = [], story.pipeline.push
    story.pipeline.push = lambda inbound: (pushed.append(inbound), push(inbound))[1]
    story.reads(WASHER, DRY)
    for step, *said in steps:
        if step == "passes":
            story.passes(f"{said[0]}m")
        elif step == "reads":
            story.reads(WASHER, {"leak.detected": said[0]})
        elif step == "levels":
            story.reads(WASHER, {"water.level": 150.0 if said[0] else 0.0})
        elif step == "silence":
            story.silenced(for_=f"{said[0]}m", **{said[1]: _NAMES[said[1]]})
        elif step == "end":
            ids = list(story.silences)
            story.hushed("end_silence", silence_id=ids[said[0] % len(ids)] if ids else "S-0")
        elif story.cases:
            note = {"note": "why"} if step == "dismiss" else {}
            story.told(step, **note)
        story.clock += 1
    return story, pushed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_a_silence_never_loses_an_order_for_good(tmp_path, steps):
    """When all silences are over, whatever is confirmed and still seen has an order, as without silences."""
    story, _ = _live(tmp_path, steps)
    story.passes("100h")
    for case in story.cases.values():
        assert case.held is None or not case.is_open
        standing = any(s.suspected and s.verdict == "confirmed" for s in case.standings.values())
        if case.state == "confirmed" and standing and case.order is None:
            assert case.order_id is not None, (case, steps)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS, cut=st.integers(0, 14))
def test_a_history_that_is_read_again_says_the_same(tmp_path, steps, cut):
    """After a crash: a state as it was saved, then what the history kept; refused words are not in it."""
    story, pushed = _live(tmp_path, steps)
    story.passes("100h")
    again = Story(story.ruleset)
    cut = min(cut, len(pushed))

    def follow(inbounds):
        for inbound in inbounds:
            words = tuple(n for n in inbound.notices if n.body.get("instruction_id") not in story.refused)
            again.take(again.pipeline.push(Inbound(inbound.readings, words)))

    follow_numbers(again, story)
    follow(pushed[:cut])
    arrays, document = again.pipeline.snapshot()
    document = msgspec.json.decode(msgspec.json.encode(document))
    later = Pipeline(
        symbols=again.symbols,
        ruleset=again.ruleset,
        faults=load_faults(),
        registry=Registry(),
        settings=Settings(),
    )
    again.take(later.restore({name: array.copy() for name, array in arrays.items()}, document))
    again.pipeline = later
    follow(pushed[cut:])
    again.take(again.pipeline.tick(START + 10_000 * HOUR_MS))
    last = {case_id: case.model_dump_json() for case_id, case in again.cases.items()}
    assert last == {case_id: case.model_dump_json() for case_id, case in story.cases.items()}
    assert {d.decision_id for d in again.decisions} == {d.decision_id for d in story.decisions}
    assert [order.order_id for order in again.orders] == [order.order_id for order in story.orders]
    assert again.silences == story.silences


def follow_numbers(again, story):
    """Let both call devices and signals by the same numbers."""
    for name in ("devices", "channels", "texts"):
        interner, names = getattr(again.symbols, name), getattr(story.symbols, name).names
        for value in names:
            interner.intern(value)
