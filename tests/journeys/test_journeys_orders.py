"""Incidents after the order was opened: people act on it, the fault goes, stays, or comes back."""

import pytest
from story import Story, ruleset

from diagnostics.orders.policy import OrderPolicies
from gateway.pipeline import EMPTY, Settings
from gateway.ports import Inbound

WASHER = "acme/appliance/wm-7"
LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected", "severity": "minor"}
WET, DRY = {"leak.detected": True}, {"leak.detected": False}


def leaking(tmp_path, *more, **policies):
    """A washer leaks, and there is an order for it."""
    settings = Settings(policies=OrderPolicies(**policies))
    story = Story(ruleset(tmp_path, LEAK, *more), settings=settings)
    story.reads(WASHER, WET)
    assert len(story.orders) == 1
    return story


def doubted(tmp_path, confirm):
    """A washer is suspected to leak; what must confirm it has yet to come."""
    story = Story(ruleset(tmp_path, LEAK | {"confirm": confirm}))
    story.reads(WASHER, WET)
    assert story.orders == []
    return story


def dries(story):
    story.passes("10m")
    story.reads(WASHER, DRY)


def leaks_again(story, after):
    story.passes(after)
    story.reads(WASHER, WET)


def repaired(story):
    story.told("close", outcome="repaired")
    dries(story)


# The repairer's way


def test_a_repairer_takes_the_order_and_does_it(tmp_path):
    story = leaking(tmp_path)
    for state in ("acknowledged", "pending", "inProgress", "resolved"):
        story.passes("1h")
        assert story.told("state", who="moreau", by="repairer", state=state, note=f"now {state}") is None
    story.passes("1d")
    parts = [{"part": "HOSE-3", "quantity": 1}]
    story.told("close", outcome="repaired", parts_used=parts, note="the hose was worn")
    assert story.door() == ["acknowledged", "pending", "inProgress", "resolved", "closed"]
    assert [(c.who, c.by) for c in story.changes][-2:] == [("moreau", "repairer"), ("anna", "engineer")]
    closed = story.changes[-1]
    assert (closed.outcome, closed.why, closed.parts_used[0].part) == (
        "repaired",
        "the hose was worn",
        "HOSE-3",
    )
    assert closed.at == story.clock


def test_what_is_said_twice_is_done_once(tmp_path):
    story = leaking(tmp_path)
    for _ in range(2):
        assert story.told("state", by="repairer", state="acknowledged") is None
    assert story.told("close", outcome="repaired", note="done") is None
    assert story.told("close", outcome="repaired", note="done") is None
    story.told("comment", note="a word")
    story.told("comment", note="a word", again=True)
    assert story.door() == ["acknowledged", "closed"]
    assert story.reasons().count("commented") == 1


def test_a_door_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    story = leaking(tmp_path)
    story.told("close", outcome="no_fault_found")
    kept = len(story.notices)
    refused = story.told("state", by="repairer", state="inProgress")
    assert "is closed cannot become inProgress" in refused
    assert refused.endswith("possible: none")
    assert "with the outcome no_fault_found" in story.told("close", outcome="repaired")
    assert story.door() == ["closed"]
    assert len(story.notices) == kept  # what was refused is not remembered


# An engineer's word


def test_an_engineer_confirms_what_only_an_engineer_can(tmp_path):
    story = doubted(tmp_path, {"any_of": [{"engineer": True}]})
    story.passes("5m")
    assert story.told("confirm", note="the owner sent a picture") is None
    (order,) = story.orders
    assert "the engineer anna (the owner sent a picture)" in order.diagnosis.explanation
    assert story.reasons() == ["waiting_confirmation", "confirmed"]
    assert story.told("confirm") is None
    assert len(story.orders) == 1


def test_an_engineer_need_not_wait_for_a_self_test(tmp_path):
    story = doubted(tmp_path, {"any_of": [{"probe": "washer.drain_test"}]})
    story.told("confirm")
    assert len(story.orders) == 1
    story.answer("passed")  # late, and against the word of a person
    assert story.order_as_it_is().state == "submitted"


def test_where_a_rule_asks_for_more_than_an_engineer_it_still_waits(tmp_path):
    story = doubted(tmp_path, {"all_of": [{"engineer": True}, {"also": "water.level > 100"}]})
    story.told("confirm")
    assert story.orders == []
    assert "asks for more" in story.decisions[-1].text
    story.reads(WASHER, {"water.level": 150})
    assert len(story.orders) == 1
    assert "engineer anna" in story.orders[0].diagnosis.explanation


def test_an_engineer_dismisses_a_false_alarm(tmp_path):
    story = doubted(tmp_path, {"any_of": [{"held": "1h"}]})
    story.told("dismiss", note="the sensor is wet from cleaning")
    story.keeps_reading(WASHER, WET, every="10m", for_="3h")
    assert story.orders == []
    assert story.reasons()[-1] == "dismissed_by_engineer"
    assert "the sensor is wet from cleaning" in story.decisions[-1].text
    (case,) = story.cases.values()
    assert case.state == "dismissed"
    assert "is dismissed" in story.told("confirm")


def test_dismissing_takes_back_the_order(tmp_path):
    story = leaking(tmp_path)
    story.told("dismiss", note="it was spilt milk")
    assert story.door() == ["cancelled"]
    assert story.changes[-1].reason == "dismissed_by_engineer"
    dries(story)
    leaks_again(story, after="1h")
    assert len(story.orders) == 2  # another leak is another case
    assert story.orders[0].order_id != story.orders[1].order_id


def test_what_a_policy_held_an_engineer_lets_go(tmp_path):
    story = Story(ruleset(tmp_path, LEAK), settings=Settings(OrderPolicies(unknown_device="hold")))
    story.reads(WASHER, WET)
    assert story.orders == []
    story.told("confirm", note="a new customer")
    assert len(story.orders) == 1


def test_who_has_seen_a_case_and_who_looks_after_it(tmp_path):
    story = doubted(tmp_path, {"any_of": [{"held": "1d"}]})
    story.told("acknowledge", who="anna")
    story.told("acknowledge", who="bert")
    story.told("assign", assignee="bert")
    (case,) = story.cases.values()
    assert (case.acknowledged_by, case.assignee) == ("anna", "bert")
    assert story.reasons() == ["waiting_confirmation", "acknowledged", "assigned"]


# The fault goes


def test_recovery_is_noted_and_the_order_stays(tmp_path):
    story = leaking(tmp_path)
    dries(story)
    assert story.order_as_it_is().state == "submitted"
    (note,) = story.changes
    assert (note.before, note.after, note.reason, note.who) == (
        "submitted",
        "submitted",
        "cleared",
        "forewarn",
    )


@pytest.mark.parametrize(("state", "ends"), [("acknowledged", "cancelled"), ("inProgress", "inProgress")])
def test_recovery_cancels_where_the_policy_says_so_and_nobody_has_left(tmp_path, state, ends):
    story = leaking(tmp_path, cancel_on_recovery=True)
    story.told("state", by="repairer", state=state)
    dries(story)
    assert story.order_as_it_is().state == ends
    assert story.changes[-1].reason == "cleared"
    leaks_again(story, after="1h")
    assert len(story.orders) == (2 if ends == "cancelled" else 1)


def test_a_passed_self_test_takes_back_the_order_that_time_had_opened(tmp_path):
    confirm = {"any_of": [{"probe": "washer.drain_test"}, {"held": "2h"}]}
    story = doubted(tmp_path, confirm)
    story.keeps_reading(WASHER, WET, every="10m", for_="3h")
    assert len(story.orders) == 1  # the self test had not answered within its half hour
    story.answer("passed")
    assert story.door() == ["cancelled"]
    assert story.changes[-1].reason == "refuted_by_probe"
    assert [c.state for c in story.cases.values()] == ["refuted"]


def test_a_passed_self_test_calls_nobody_back_who_is_at_work(tmp_path):
    story = doubted(tmp_path, {"any_of": [{"probe": "washer.drain_test"}, {"held": "2h"}]})
    story.keeps_reading(WASHER, WET, every="10m", for_="3h")
    story.told("state", by="repairer", state="inProgress")
    story.answer("passed")
    assert story.order_as_it_is().state == "inProgress"
    assert "at work" in story.changes[-1].why


# The fault comes back


def test_the_same_fault_shortly_after_the_repair_is_the_same_order(tmp_path):
    story = leaking(tmp_path)
    repaired(story)
    leaks_again(story, after="6d")
    assert len(story.orders) == 1
    assert story.door() == ["closed", "submitted"]
    assert story.changes[-1].reason == "recently_repaired"
    assert story.reasons()[-1] == "recently_repaired"
    assert [step[0] for step in story.steps()][-3:] == ["suspected", "reopened", "confirmed"]
    repaired(story)
    assert story.door() == ["closed", "submitted", "closed"]


def test_the_same_fault_long_after_the_repair_is_another_order(tmp_path):
    story = leaking(tmp_path)
    repaired(story)
    leaks_again(story, after="8d")
    assert len({order.order_id for order in story.orders}) == 2
    assert story.door(0) == ["closed"]


@pytest.mark.parametrize("outcome", ["no_fault_found", "other_fault", "cancelled"])
def test_what_was_not_repaired_is_another_order_when_it_comes_back(tmp_path, outcome):
    story = leaking(tmp_path)
    story.told("close", outcome=outcome)
    dries(story)
    leaks_again(story, after="1h")
    assert len({order.order_id for order in story.orders}) == 2


def test_the_window_is_the_user_s(tmp_path):
    story = leaking(tmp_path, reopen_window_ms=3_600_000)
    repaired(story)
    leaks_again(story, after="2h")
    assert len(story.orders) == 2


def test_a_resolved_order_is_closed_before_the_next_one_of_its_fault(tmp_path):
    story = leaking(tmp_path)
    story.told("state", by="repairer", state="resolved")
    dries(story)
    leaks_again(story, after="8d")
    assert len(story.orders) == 2
    assert story.door(0) == ["resolved", "closed"]


def test_what_a_device_saw_before_the_repair_does_not_call_the_repairer_again(tmp_path):
    story = leaking(tmp_path)
    dries(story)
    story.passes("2h")
    story.told("close", outcome="repaired")
    # It was offline meanwhile and now tells of the time before.
    story.reads(WASHER, WET, at=story.clock - 3_600_000)
    assert len(story.orders) == 1
    assert story.door() == ["closed"]
    assert story.reasons()[-1] == "order_ended"


def test_another_rule_does_not_open_a_second_order_for_a_fault_that_never_went(tmp_path):
    story = leaking(tmp_path, {"id": "flood", "fault": "appliance.leak", "when": "water.level > 100"})
    story.told("close", outcome="no_fault_found")
    story.passes("1h")
    story.reads(WASHER, {"water.level": 150})
    assert len(story.orders) == 1
    assert story.reasons()[-1] == "order_ended"
    story.told("confirm", note="there is a puddle")
    assert story.door() == ["closed", "submitted"]


# More is seen


def test_more_evidence_goes_into_the_open_order(tmp_path):
    flood = {
        "id": "flood",
        "fault": "appliance.leak",
        "when": "water.level > 100",
        "severity": "critical",
    }
    story = leaking(tmp_path, flood)
    assert [e.signal for e in story.order_as_it_is().diagnosis.evidence] == ["leak.detected"]
    story.passes("1h")
    story.reads(WASHER, {"water.level": 150})
    order = story.order_as_it_is()
    assert [e.signal for e in order.diagnosis.evidence] == ["leak.detected", "water.level"]
    assert order.fault.severity == "critical"
    assert order.state == "submitted"


# A restart


def test_after_a_restart_everything_stands_where_it_stood(tmp_path):
    """Whatever the history tells again comes to the same, from its start or from a state between."""
    story = leaking(tmp_path)
    story.told("acknowledge")
    arrays, document = story.pipeline.snapshot()
    arrays = {name: array.copy() for name, array in arrays.items()}
    before = len(story.changes)
    since = story.clock
    kept = len(story.notices)
    repaired(story)
    story.told("comment", note="all dry")
    notices = [n for n in story.notices[kept:] if n.kind == "instruction"]

    later = Story(story.ruleset)
    later.clock = since
    for name in story.symbols.devices.names:
        later.symbols.devices.intern(name)
    later.pipeline.restore(arrays, document)
    later.take(later.pipeline.push(Inbound(EMPTY, (notices[0],))))
    dries(later)
    later.take(later.pipeline.push(Inbound(EMPTY, (notices[1],))))
    assert later.changes == story.changes[before:]
    assert later.cases == {case_id: story.cases[case_id] for case_id in later.cases}
