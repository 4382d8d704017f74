"""The table of an order's states: no order leaves a state by a door that is not in it."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from story import Story, ruleset

from diagnostics.orders.lifecycle import (
    DOORS,
    Actor,
    ImpossibleChangeError,
    OrderOutcome,
    check,
    possible,
    state_of,
)
from diagnostics.orders.model import ENDED_ORDER_STATES, OrderState
from diagnostics.orders.policy import OrderPolicies
from gateway.pipeline import Settings

WASHER = "acme/appliance/wm-7"
TABLE = Path(__file__).parents[3] / "docs" / "orders.md"


def test_every_state_is_in_the_table_and_can_be_reached_and_left():
    assert set(DOORS) == set(OrderState)
    assert {after for doors in DOORS.values() for after in doors} == set(OrderState)
    assert all(DOORS.values())


def test_the_gateway_alone_never_says_that_work_was_done():
    doors = {(b, a) for b, row in DOORS.items() for a, actors in row.items() if Actor.GATEWAY in actors}
    worked = {OrderState.IN_PROGRESS, OrderState.RESOLVED, OrderState.ACKNOWLEDGED, OrderState.PENDING}
    assert not {after for _, after in doors} & worked
    assert (OrderState.IN_PROGRESS, OrderState.CANCELLED) not in doors


def test_what_has_ended_is_opened_again_by_submitting_it_or_resuming_the_work():
    for before in ENDED_ORDER_STATES:
        opens = {after for after in DOORS[before] if after not in ENDED_ORDER_STATES}
        assert OrderState.SUBMITTED in opens
        assert opens <= {OrderState.SUBMITTED, OrderState.IN_PROGRESS}


def test_the_page_says_what_the_table_says():
    rows = re.findall(r"^\| `(\w+)` \| (`\w+`(?:, `\w+`)*) \| ([a-z, ]+) \|$", TABLE.read_text(), re.M)
    said = {
        (before, after): set(actors.split(", "))
        for before, listed, actors in rows
        for after in re.findall(r"\w+", listed)
    }
    assert said == {(b, a): set(actors) for b, row in DOORS.items() for a, actors in row.items()}


@given(st.sampled_from(OrderState), st.sampled_from(OrderState), st.sampled_from(Actor))
def test_a_refusal_names_the_doors_that_there_are(before, after, by):
    if after in possible(before, by):
        check(before, after, by)
        return
    with pytest.raises(ImpossibleChangeError) as refused:
        check(before, after, by)
    assert refused.value.possible == possible(before, by)
    assert all(state in str(refused.value) for state in possible(before, by) or ["none"])


@pytest.mark.parametrize("outcome", OrderOutcome)
def test_every_outcome_ends_the_order(outcome):
    assert state_of(outcome) in ENDED_ORDER_STATES


class Lives(RuleBasedStateMachine):
    """A washer leaks and dries while people say of its orders whatever comes to their mind."""

    folder: Path

    @initialize(cancel=st.booleans())
    def begin(self, cancel):
        policies = OrderPolicies(cancel_on_recovery=cancel)
        leak = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected"}
        flood = {
            "id": "flood",
            "fault": "appliance.leak",
            "when": "water.level > 100",
            "confirm": {"any_of": [{"probe": "washer.drain_test"}, {"engineer": True}]},
        }
        self.story = Story(ruleset(self.folder, leak, flood), settings=Settings(policies))
        self.story.reads(WASHER, {"leak.detected": True})

    @rule(
        after=st.sampled_from(["1m", "2h", "3d", "8d"]),
        leaks=st.booleans(),
        level=st.sampled_from([20, 150]),
    )
    def reads(self, after, leaks, level):
        self.story.passes(after)
        self.story.reads(WASHER, {"leak.detected": leaks, "water.level": level})

    @rule(
        state=st.sampled_from(sorted(set(OrderState) - {"closed", "submitted"})),
        by=st.sampled_from(["engineer", "repairer"]),
    )
    def says_a_state(self, state, by):
        self.story.told("state", state=state, by=by)

    @rule(outcome=st.sampled_from(OrderOutcome))
    def closes(self, outcome):
        self.story.told("close", outcome=outcome)

    @rule(verb=st.sampled_from(["confirm", "dismiss", "acknowledge"]))
    def says_of_the_case(self, verb):
        self.story.told(verb, note="so")

    @rule(state=st.sampled_from(["passed", "failed", "error"]))
    def answers(self, state):
        if self.story.commands:
            self.story.answer(state)

    @invariant()
    def every_order_went_by_doors_of_the_table(self):
        states = {}
        if not hasattr(self, "story"):
            return
        for order in self.story.orders:
            assert order.order_id not in states  # never opened twice
            states[order.order_id] = order.state
        for change in self.story.changes:
            assert change.before == states[change.order_id]
            if change.after != change.before:
                assert change.by in DOORS[change.before].get(change.after, ())
            states[change.order_id] = change.after
        assert sum(state not in ENDED_ORDER_STATES for state in states.values()) <= 1
        for case in self.story.cases.values():
            if case.order_id is not None:
                assert case.order_standing.state == states[case.order_id]


def test_no_order_leaves_a_state_by_an_unknown_door(tmp_path):
    Lives.folder = tmp_path
    run_state_machine_as_test(
        Lives, settings=settings(max_examples=60, stateful_step_count=20, deadline=None)
    )
