"""Silences by the API: asked for at a case or for what fits, listed, ended early, and kept as an audit."""

from contextlib import ExitStack

import pytest
from acting_world import open_world

WASHER = "acme/appliance/wm-7"
LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected"}
HOT = {
    "id": "hot",
    "fault": "cpu.overheating",
    "when": "cpu.temperature > 90",
    "confirm": {"any_of": [{"engineer": True}]},
}
WET = {"leak.detected": True}


@pytest.fixture
def world(tmp_path):
    with ExitStack() as stack:
        yield open_world(tmp_path, stack, LEAK, HOT)


async def test_a_silence_for_a_model_holds_an_order_until_it_ends(world):
    world.says(WASHER, "facts", model="WM-500")
    body = {"tenant": "acme", "match": {"model": "WM-5*"}, "for": "4h", "note": "recall under way"}
    silence = await world.post("/silences", body, status=201, X_Forewarn_User="anna")
    assert (silence["state"], silence["created_by"], silence["match"]["model"]) == ("active", "anna", "WM-5*")
    world.reads(WASHER, WET)
    case = await world.get(world.case)
    assert (case["state"], case["reason"], case["order_id"]) == ("confirmed", "silenced", None)
    assert case["held_by"] == silence["silence_id"]
    assert [s["silence_id"] for s in case["silences"]] == [silence["silence_id"]]
    assert "recall under way" in case["ledger"][-1]["text"]
    assert (await world.get("/silences?state=active&tenant=acme"))["items"] == [silence]
    assert (await world.get("/silences?tenant=nordfrost"))["items"] == []
    world.passes("4h")
    case = await world.get(world.case)
    assert (case["reason"], case["silences"], case["held_by"]) == ("confirmed", [], None)
    assert (await world.get("/orders?state=open"))["items"][0]["order_id"] == case["order_id"]
    (expired,) = (await world.get("/silences?state=expired"))["items"]
    assert (expired["state"], expired["ended_by"]) == ("expired", None)


async def test_a_silence_is_ended_early_and_who_did_it_stays(world):
    body = {"tenant": "acme", "match": {"fault": "appliance.leak"}, "for": "7d", "note": "test bench"}
    silence = await world.post("/silences", body, status=201)
    world.reads(WASHER, WET)
    path = f"/silences/{silence['silence_id']}"
    assert world.story.orders == []
    ended = await world.ask("DELETE", f"{path}?note=done", X_Forewarn_User="bert")
    assert (ended["state"], ended["ended_by"], ended["end_note"]) == ("expired", "bert", "done")
    assert len(world.story.orders) == 1
    again = await world.delete(path)
    assert again == ended == await world.get(path)
    await world.delete("/silences/S-0", status=404)


async def test_a_case_is_silenced_by_what_it_is_about(world):
    world.reads("acme/server/srv-1", {"cpu.temperature": 99})
    case = await world.post(f"{world.case}/silence", {"for": "2h", "note": "a fan is on its way"})
    (silence,) = case["silences"]
    given = {name: pattern for name, pattern in silence["match"].items() if pattern}
    assert given == {"device": "srv-1", "fault": "cpu.overheating"}
    assert silence["case_id"] == case["case_id"]
    assert (case["ledger"][-1]["reason"], case["ledger"][-1]["outcome"]) == ("silenced", "note")
    problem = await world.post(
        f"{world.case}/silence", {"for": "2h", "note": "x", "by": ["site"]}, status=409
    )
    assert "site of the device is not known" in problem["detail"]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"for": None}, "one of for and until"),
        ({"until": "2026-03-02T09:00:00Z"}, "one of for and until"),
        ({"for": None, "until": "2026-03-02T07:00:00Z"}, "after its start"),
        ({"for": "400d"}, "at most 366d"),
        ({"match": {}}, "at least one"),
        ({"match": {"colour": "red"}}, "Extra inputs"),
        ({"note": " "}, "at least 1 character"),
        ({"tenant": "a/b"}, "pattern"),
    ],
)
async def test_a_silence_that_makes_no_sense_is_refused_with_what_was_expected(world, change, wrong):
    body = {"tenant": "acme", "match": {"device": "wm-7"}, "for": "1h", "note": "why"} | change
    body = {name: value for name, value in body.items() if value is not None}
    problem = await world.post("/silences", body, status=422)
    assert wrong in str(problem)


async def test_the_same_request_by_its_key_is_one_silence(world):
    body = {"tenant": "acme", "match": {"device": "wm-7"}, "for": "1h", "note": "why"}
    for _ in range(2):
        await world.post("/silences", body, status=201, Idempotency_Key="k")
    assert len((await world.get("/silences"))["items"]) == 1
