"""The queue's filters as addresses, what is said before an act, and who sees which section."""

import pytest
from nicegui import app as nicegui_app

from diagnostics.case import Case, OrderStanding
from diagnostics.instruction import Verb
from gateway.access.principal import Principal, Role
from gateway.access.trail import NoTrail
from gateway.console.actions import Actions, NotDoneError
from gateway.console.hands import dismissal_words
from gateway.console.navigation import ENTRIES, entries_for
from gateway.console.pages.cases import Filters


def case(number=1, **more):
    return Case(
        case_id=f"C-{number}",
        tenant="acme",
        device_class="pc",
        device=f"pc-{number}",
        component="",
        fault="fan.stopped",
        title="The fan has stopped",
        rule="r",
        severity="major",
        onset=0,
        updated=0,
        **more,
    )


@pytest.mark.parametrize(
    ("filters", "address"),
    [
        (Filters(), "/cases"),
        (Filters(state=""), "/cases?state=all"),
        (Filters(state="refuted", device_class="pc", who="me"), "/cases?state=refuted&who=me&class=pc"),
        (Filters(find="a b&c", after="W10"), "/cases?find=a+b%26c&after=W10"),
    ],
)
def test_every_choice_of_filters_is_an_address(filters, address):
    assert filters.address() == address


def test_what_an_address_says_wrongly_is_no_filter():
    assert Filters(state="all", severity="deadly", device_class="boat", seen="maybe").known() == Filters(
        state=""
    )


def test_me_and_nobody_are_no_names():
    assert Filters(who="me").asked("anna")["assignee"] == "anna"
    assert Filters(who="nobody").asked("anna")["assignee"] == ""
    assert Filters(who="bert", seen="no").asked("anna")["assignee"] == "bert"
    assert Filters(seen="no").asked("anna")["acknowledged"] is False


def test_a_dismissal_says_which_orders_it_cancels():
    ordered = case(2, order_id="SO-2", order=OrderStanding())
    assert "Cancels" not in dismissal_words([case()])
    assert dismissal_words([ordered]).endswith("Cancels order SO-2 at the repairer.")
    assert "Cancels 2 open orders" in dismissal_words([ordered, case(), ordered])


async def test_nobody_acts_on_a_brand_that_they_may_only_look_at():
    mixed = Principal("noor", {"acme": Role.VIEWER, "nordfrost": Role.ENGINEER})
    with pytest.raises(NotDoneError, match="look at acme"):
        await Actions(mixed, None, NoTrail()).say([case()], Verb.ACKNOWLEDGE)
    assert Actions(mixed, None, NoTrail()).may_anywhere()


def test_a_section_shows_once_it_has_a_page_and_to_those_who_may():
    admin, viewer = (Principal("x", {"*": role}) for role in (Role.ADMIN, Role.VIEWER))
    here = {entry.path for entry in ENTRIES} & {getattr(route, "path", "") for route in nicegui_app.routes}
    assert {entry.path for entry in entries_for(admin, account=False)} <= here
    assert not [entry for entry in entries_for(viewer, account=True) if entry.role is Role.ADMIN]
