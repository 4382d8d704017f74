"""People act on cases and orders by the API: a real pipeline, a real ledger, requests over HTTP."""

from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from acting_world import open_world

from gateway.ledger.tables import outbox

WASHER = "acme/appliance/wm-7"
LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected"}
HOT = {
    "id": "hot",
    "fault": "cpu.overheating",
    "when": "cpu.temperature > 90",
    "confirm": {"any_of": [{"engineer": True}]},
}


@pytest.fixture
def world(tmp_path):
    with ExitStack() as stack:
        yield open_world(tmp_path, stack, LEAK, HOT)


@pytest.fixture
def leaking(world):
    world.reads(WASHER, {"leak.detected": True})
    return world


@pytest.fixture
def hot(world):
    world.reads("acme/server/srv-1", {"cpu.temperature": 99})
    return world


async def test_a_repairer_s_system_follows_an_order_to_its_close(leaking, tmp_path):
    for state in ("acknowledged", "inProgress", "resolved"):
        told = await leaking.post(f"{leaking.order}/state", {"state": state}, X_Forewarn_User="moreau")
        assert told["state"] == state
    closed = await leaking.post(
        f"{leaking.order}/close",
        {"outcome": "repaired", "parts_used": ["HOSE-3", {"part": "CLAMP", "quantity": 2}], "note": "worn"},
    )
    assert closed["state"] == "closed"
    assert [c["after"] for c in closed["changes"]] == ["acknowledged", "inProgress", "resolved", "closed"]
    assert [(c["who"], c["by"]) for c in closed["changes"]][2:] == [
        ("moreau", "repairer"),
        ("engineer", "engineer"),
    ]
    last = closed["changes"][-1]
    assert (last["why"], last["outcome"]) == ("worn", "repaired")
    assert last["parts_used"] == [{"part": "HOSE-3", "quantity": 1}, {"part": "CLAMP", "quantity": 2}]
    assert await leaking.get(leaking.order) == closed
    assert (await leaking.get("/orders?state=open"))["items"] == []
    engine = sa.create_engine(f"sqlite:///{tmp_path}/ledger.db")
    with engine.begin() as connection:
        owed = connection.scalars(sa.select(outbox.c.type).order_by(outbox.c.number)).all()
    engine.dispose()
    assert [kind.rpartition(".")[2] for kind in owed] == ["opened", "updated", "updated", "closed", "updated"]


async def test_what_is_not_possible_is_a_conflict_that_says_what_is(leaking):
    await leaking.post(f"{leaking.order}/state", {"state": "inProgress"})
    problem = await leaking.post(f"{leaking.order}/state", {"state": "rejected"}, status=409)
    assert "possible: pending, held, resolved, closed, cancelled" in problem["detail"]
    await leaking.post(f"{leaking.order}/close", {"outcome": "no_fault_found"})
    problem = await leaking.post(f"{leaking.order}/close", {"outcome": "repaired"}, status=409)
    assert "with the outcome no_fault_found" in problem["detail"]
    again = await leaking.post(f"{leaking.order}/close", {"outcome": "no_fault_found"})
    assert len(again["changes"]) == 2


async def test_a_request_that_is_sent_again_is_known_by_its_key(leaking):
    key = {"Idempotency_Key": "k-1"}
    await leaking.post(f"{leaking.order}/state", {"state": "held"}, **key)
    await leaking.post(f"{leaking.order}/state", {"state": "inProgress"})
    late = await leaking.post(f"{leaking.order}/state", {"state": "held"}, **key)
    assert late["state"] == "inProgress"
    anew = await leaking.post(f"{leaking.order}/state", {"state": "held"}, Idempotency_Key="k-2")
    assert anew["state"] == "held"


async def test_an_engineer_confirms_a_case(hot):
    case = await hot.post(f"{hot.case}/confirm", {"note": "seen it"}, X_Forewarn_User="Zoë")
    assert (case["state"], case["reason"]) == ("confirmed", "confirmed")
    order = await hot.get(f"/orders/{case['order_id']}")
    assert "the engineer Zoë (seen it)" in order["diagnosis"]["explanation"]
    assert order["changes"] == []


async def test_an_engineer_dismisses_a_case_with_a_reason(hot):
    await hot.post(f"{hot.case}/dismiss", {}, status=422)
    await hot.post(f"{hot.case}/dismiss", {"note": "  "}, status=422)
    case = await hot.post(f"{hot.case}/dismiss", {"note": "a test bench"})
    assert (case["state"], case["reason"], case["order_id"]) == ("dismissed", "dismissed_by_engineer", None)
    assert "a test bench" in case["ledger"][-1]["text"]
    problem = await hot.post(f"{hot.case}/confirm", status=409)
    assert "is dismissed" in problem["detail"]


async def test_seen_given_and_remarked(hot):
    await hot.post(f"{hot.case}/acknowledge", X_Forewarn_User="anna")
    await hot.post(f"{hot.case}/assign", {"assignee": "bert"}, X_Forewarn_User="anna")
    for _ in range(2):
        case = await hot.post(f"{hot.case}/comment", {"note": "called the owner"}, X_Forewarn_User="bert")
    assert (case["acknowledged_by"], case["assignee"]) == ("anna", "bert")
    assert [d["reason"] for d in case["ledger"]] == [
        "waiting_confirmation",
        "acknowledged",
        "assigned",
        "commented",
    ]
    assert case["ledger"][-1]["values"] == {"who": "bert", "note": "called the owner"}
    case = await hot.post(f"{hot.case}/assign", {"assignee": None})
    assert case["assignee"] is None


async def test_a_name_is_believed_on_this_machine_alone(hot):
    await hot.post(f"{hot.case}/acknowledge", status=401, client="192.0.2.7", X_Forewarn_User="boss")
    await hot.post(f"{hot.case}/acknowledge", status=422, X_Forewarn_User="x" * 101)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/close", {"outcome": "mended"}),
        ("/close", {}),
        ("/close", {"outcome": "repaired", "parts_used": [{"part": "A", "quantity": 0}]}),
        ("/close", {"outcome": "repaired", "remark": "?"}),
        ("/state", {"state": "closed"}),
        ("/state", {"state": "submitted"}),
    ],
)
async def test_what_is_wrong_in_a_request_is_said(leaking, path, body):
    problem = await leaking.post(leaking.order + path, body, status=422)
    assert problem["errors"]
    assert (await leaking.get(leaking.order))["changes"] == []


async def test_what_is_not_there_and_a_gateway_that_ends(leaking):
    await leaking.post("/cases/C-nobody/confirm", status=404)
    await leaking.post("/orders/SO-nobody/close", {"outcome": "repaired"}, status=404)
    leaking.ending = True
    problem = await leaking.post(f"{leaking.order}/close", {"outcome": "repaired"}, status=503)
    assert "ending" in problem["detail"]
