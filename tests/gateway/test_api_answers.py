"""Repairers answer by signed webhook: what they say comes to pass, once, and nobody else can say it."""

import contextlib
import json
from contextlib import ExitStack

import pytest
from answerworld import AnswerWorld, crm
from dispatching import OLD_SECRET, SECRET
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.answerforms import said_in
from gateway.api.answers import MOST_BYTES, MOST_FAILURES, Failures
from gateway.dispatch.ticketstates import TicketNews


@pytest.fixture
def world(tmp_path):
    with ExitStack() as stack:
        yield AnswerWorld(tmp_path, stack, crm(secret=[SECRET, OLD_SECRET]))


def event(order_id, data, **attributes):
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "/repairs/moreau",
        "type": "com.moreau.repair.done",
        "subject": order_id,
        "data": data,
    } | attributes


async def test_a_repairer_answers_to_the_end(world):
    order_id = world.leaks()
    told = await world.answer({"order_id": order_id, "state": "acknowledged"})
    assert (told.status_code, told.json()) == (
        200,
        {"order_id": order_id, "state": "acknowledged", "repeated": False},
    )
    await world.answer(
        event(order_id, {"state": "inProgress", "note": "on my way", "who": "Zoë Moreau"}),
        content_type="application/cloudevents+json; charset=utf-8",
    )
    parts = ["HOSE-3", {"part": "CLAMP", "quantity": 2}]
    outcome = {"order_id": order_id, "outcome": "repaired", "parts_used": parts, "note": "worn"}
    told = await world.answer(outcome, secret=OLD_SECRET)
    assert told.json()["state"] == "closed"
    changes = world.changes(order_id)
    assert [(c.who, c.by, c.after, c.why) for c in changes] == [
        ("crm", "repairer", "acknowledged", "crm said acknowledged."),
        ("Zoë Moreau (crm)", "repairer", "inProgress", "on my way"),
        ("crm", "repairer", "closed", "worn"),
    ]
    assert changes[-1].outcome == "repaired"
    assert [(p.part, p.quantity) for p in changes[-1].parts_used] == [("HOSE-3", 1), ("CLAMP", 2)]
    assert world.counted("taken") == 3


async def test_a_note_alone_is_kept_and_changes_nothing(world):
    order_id = world.leaks()
    await world.answer({"order_id": order_id, "note": "nobody was at home"})
    (change,) = world.changes(order_id)
    assert (change.before, change.after, change.why) == ("submitted", "submitted", "nobody was at home")


async def test_the_same_webhook_is_taken_once_whatever_happened_since(world):
    order_id = world.leaks()
    held = {"order_id": order_id, "state": "held"}
    await world.answer(held, identity="msg_1")
    await world.answer({"order_id": order_id, "state": "inProgress"}, identity="msg_2")
    again = await world.answer(held, identity="msg_1")
    assert again.json() == {"order_id": order_id, "state": "inProgress", "repeated": True}
    assert world.instructed == 2
    await world.answer({"order_id": order_id, "outcome": "cancelled"}, identity="msg_3")
    world.story.reads("acme/appliance/wm-7", {"leak.detected": False})
    world.story.passes("60d")  # long after the case was forgotten
    late = await world.answer({"order_id": order_id, "outcome": "cancelled"}, identity="msg_3")
    assert late.json() == {"order_id": order_id, "state": "cancelled", "repeated": True}
    assert len(world.changes(order_id)) == 3
    anew = await world.answer(held, identity="msg_4")
    assert anew.status_code == 409


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"secret": "whsec_" + "B" * 40}, "No matching signature"),
        ({"age": 600}, "too old"),
        ({"age": -600}, "too new"),
        ({"webhook_signature": ""}, "Missing"),
        ({"webhook_signature": "v1"}, "cannot be read"),
        ({"webhook_signature": "v1,Ä".encode()}, "cannot be read"),
        ({"webhook_signature": "v1a,AAAA"}, "No matching signature"),
        ({"webhook_timestamp": "nan"}, "Invalid"),
        ({"webhook_id": "msg_other"}, "No matching signature"),
    ],
)
async def test_what_nobody_signed_or_not_of_late_has_no_effect(world, keys, said):
    order_id = world.leaks()
    refused = await world.answer({"order_id": order_id, "state": "cancelled"}, **keys)
    assert refused.status_code == 401
    assert said in refused.json()["detail"]
    assert world.order(order_id).state == "submitted"
    assert world.counted("unsigned") == 1


async def test_a_body_that_was_changed_on_its_way_has_no_effect(world):
    order_id = world.leaks()
    bodies = []

    async def keep(target, body, headers):
        bodies.append((target, body, headers))

    post, world.post = world.post, keep
    await world.answer({"order_id": order_id, "state": "held"})
    ((target, body, headers),) = bodies
    refused = await post(target, body.replace(b"held", b"resolved"), headers)
    assert refused.status_code == 401
    assert (await post(target, body, headers)).status_code == 200


async def test_a_repairer_answers_for_the_orders_of_its_tenant_only(world):
    world.use(crm(), crm(name="erp", tenant="bell", secret=OLD_SECRET))
    order_id = world.leaks()
    answer = {"order_id": order_id, "state": "cancelled"}
    others = await world.answer(answer, target="erp", secret=OLD_SECRET)
    nobodys = await world.answer(answer | {"order_id": "SO-nobody"}, target="erp", secret=OLD_SECRET)
    assert (others.status_code, nobodys.status_code) == (404, 404)
    assert others.json()["detail"].replace(order_id, "") == nobodys.json()["detail"].replace("SO-nobody", "")
    assert world.counted("unknown", "erp") == 2
    assert (await world.answer(answer, target="erp")).status_code == 401, "another target's secret"
    assert world.order(order_id).state == "submitted"


async def test_what_the_gateway_itself_sent_is_no_answer_when_it_comes_back(world):
    order_id = world.leaks()
    order = world.order(order_id).document()
    ours = await world.answer(event(order_id, order, type="com.forewarn.order.opened"))
    assert ours.status_code == 422
    assert "event of the gateway's own" in ours.json()["detail"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"{", "expected a JSON object"),
        (b"[1]", "expected a JSON object"),
        (b"[" * 30_000, "expected a JSON object"),
        ({}, "order_id"),
        ({"order_id": "SO-1"}, "expected a state, an outcome or a note"),
        ({"order_id": "SO-1", "state": "submitted"}, "state"),
        ({"order_id": "SO-1", "state": "closed"}, "expected an outcome with the state closed"),
        ({"order_id": "SO-1", "state": "held", "outcome": "repaired"}, "expected the state closed"),
        ({"order_id": "SO-1", "state": "held", "parts_used": ["A"]}, "expected an outcome with parts_used"),
        ({"order_id": "SO-1", "state": "held", "note": "\x00"}, "note"),
        ({"order_id": "SO-1", "state": "held", "by": "engineer"}, "by"),
        (event("SO-1", {"state": "held"}, specversion="0.3"), "specversion"),
        (event("SO-1", "held"), "data"),
        ({"order_id": "SO-\ud800", "state": "held"}, "order_id"),
        ({"eventType": "TroubleTicketStateChangeEvent", "event": {"troubleTicket": {"id": "9"}}}, "order_id"),
    ],
)
async def test_what_is_wrong_in_an_answer_is_said(world, document, said):
    world.leaks()
    refused = await world.answer(document)
    assert refused.status_code == 422
    assert said in refused.json()["detail"]
    assert world.counted("malformed") == 1


@given(st.binary() | st.from_regex(rb'\{"order_id":.*', fullmatch=True))
def test_any_bytes_give_an_answer_or_a_sentence(body):
    with contextlib.suppress(ValueError):
        said_in(body)


async def test_what_is_not_possible_says_what_is(world):
    order_id = world.leaks()
    await world.answer({"order_id": order_id, "state": "inProgress"})
    refused = await world.answer({"order_id": order_id, "state": "rejected"})
    assert refused.status_code == 409
    assert "possible: pending, held, resolved, closed, cancelled" in refused.json()["detail"]
    assert world.counted("refused") == 1


async def test_a_gateway_that_ends_asks_to_come_again(world):
    order_id = world.leaks()
    world.ending = True
    answer = {"order_id": order_id, "state": "held"}
    later = await world.answer(answer, identity="msg_1")
    assert (later.status_code, later.headers["retry-after"]) == (503, "5")
    world.ending = False
    assert (await world.answer(answer, identity="msg_1")).status_code == 200


async def test_requests_are_bounded_and_of_their_form(world):
    order_id = world.leaks()
    large = await world.answer({"order_id": order_id, "note": "x" * MOST_BYTES})
    assert large.status_code == 413
    form = await world.answer({"order_id": order_id}, content_type="text/html")
    assert form.status_code == 415
    nobody = await world.answer({"order_id": order_id}, target="nobody")
    assert (nobody.status_code, nobody.json()["detail"]) == (404, "there is no target 'nobody'")


async def test_however_many_bad_signatures_come_a_good_one_passes(world):
    order_id = world.leaks()
    answer = {"order_id": order_id, "state": "held"}
    statuses = [
        (await world.answer(answer, secret="whsec_" + "B" * 40)).status_code for _ in range(MOST_FAILURES + 2)
    ]
    assert statuses == [401] * MOST_FAILURES + [429] * 2
    assert world.counted("unsigned") == MOST_FAILURES + 2
    assert (await world.answer(answer)).status_code == 200


def test_failures_are_told_again_after_their_span():
    failures = Failures(most=2, span=10.0)
    assert [failures.another("a", 0.0), failures.another("a", 1.0), failures.another("b", 1.0)] == [None] * 3
    assert failures.another("a", 4.0) == 6.0
    assert failures.another("a", 10.0) is None


def notified(order_id, status, **more):
    ticket = {"id": "TT-9", "status": status, **more}
    if order_id:
        ticket["externalIdentifier"] = [{"owner": "forewarn", "id": order_id}]
    return {
        "eventId": "42",
        "eventType": "TroubleTicketStateChangeEvent",
        "event": {"troubleTicket": ticket},
    }


async def test_a_ticket_system_s_notification_is_an_answer_too(world):
    order_id = world.leaks()
    await world.answer(notified(order_id, "In Progress"))
    assert world.order(order_id).state == "inProgress"
    reason = {"statusChangeReason": "hose\nreplaced", "troubleTicketCharacteristic": [
        {"name": "outcome", "value": "repaired"}
    ]}  # fmt: skip
    await world.answer(event(None, notified(order_id, "Closed", **reason)))
    last = world.changes(order_id)[-1]
    assert (last.after, last.outcome, last.why) == ("closed", "repaired", "hose replaced")


async def test_a_ticket_without_the_order_s_name_is_found_by_its_own(world):
    unknown = await world.answer(notified(None, "held"))
    assert (unknown.status_code, unknown.json()["detail"]) == (
        422,
        "event.troubleTicket: no order has the ticket 'TT-9'",
    )
    odd = await world.answer(notified(world.leaks(), "waiting for parts"))
    assert "expected a state of TMF621, got 'waiting for parts'" in odd.json()["detail"]


def test_a_notification_is_told_from_an_answer():
    said = said_in(json.dumps(notified("SO-1", "held")).encode())
    assert isinstance(said, TicketNews)
