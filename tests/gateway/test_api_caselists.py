"""The Queue by the API: cases by urgency, filtered, counted and compared; many acted on at once."""

from contextlib import ExitStack

import pytest
from acting_world import open_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diagnostics.case import Case, CaseState, OrderStanding
from gateway.ledger.store import SqlLedger
from gateway.ports import LedgerWrite

HOT = {
    "id": "hot",
    "fault": "cpu.overheating",
    "for_devices": {"class": "server"},
    "when": "cpu.temperature > 90",
    "confirm": {"any_of": [{"engineer": True}]},
    "severity_when": {"critical": "cpu.temperature > 100", "minor": "cpu.temperature < 95"},
}
WEAR = {
    "id": "wear",
    "fault": "disk.media_wear",
    "for_devices": {"each": "disk"},
    "when": "disk.pending_sectors > 0",
    "confirm": {"any_of": [{"probe": "disk.self_test"}]},
}


@pytest.fixture
def world(tmp_path):
    with ExitStack() as stack:
        yield open_world(tmp_path, stack, HOT, WEAR)


@pytest.fixture
def busy(world):
    """Six servers are hot, one after the other, of two brands and two models."""
    for number, heat in enumerate([93, 99, 105, 93, 99, 105]):
        device = f"{'acme' if number < 4 else 'zen'}/server/srv-{number}"
        world.says(device, "facts", model=f"R-{number % 2}")
        world.reads(device, {"cpu.temperature": heat})
        world.passes("10m")
    return world


async def names(world, query):
    """The devices of all pages of two."""
    found, cursor = [], ""
    while True:
        page = await world.get(f"/cases?limit=2&{query}{cursor}")
        found += [case["device"][-1] for case in page["items"]]
        if page["next"] is None:
            return "".join(found)
        cursor = f"&cursor={page['next']}"


async def test_the_queue_begins_with_what_is_worst_and_oldest(busy):
    assert await names(busy, "state=open&order=urgency") == "251403"
    assert await names(busy, "state=open") == "543210"


async def test_the_queue_is_filtered_by_what_an_engineer_asks_for(busy):
    ids = [case["case_id"] for case in (await busy.get("/cases?order=urgency"))["items"]]
    await busy.post(f"/cases/{ids[0]}/assign", {"assignee": "anna"})
    await busy.post(f"/cases/{ids[1]}/acknowledge")
    for query, expected in {
        "tenant=zen": "54",
        "class=server&model=R-1": "513",
        "class=pc": "",
        "assignee=anna": "2",
        "assignee=": "51403",
        "acknowledged=true": "5",
        "acknowledged=false": "21403",
        "reason=waiting_confirmation": "251403",
        "severity=minor": "03",
        "fault=cpu.overheating&site=hall": "",
        "find=zen R-1": "5",
        "find=OVERHEAT anna": "2",
        "find=100%25": "",
        "device=srv-3": "3",
        "device=nobody": "",
    }.items():
        assert await names(busy, f"order=urgency&{query}") == expected, query
        counts = await busy.get(f"/cases/counts?{query}")
        assert counts["total"] == len(expected), query


async def test_what_the_other_filters_could_be_is_counted(busy):
    counts = await busy.get("/cases/counts?state=open&tenant=acme")
    assert counts["total"] == 4
    assert counts["severity"] == {"minor": 2, "critical": 1, "major": 1}
    assert (counts["tenant"], counts["class"], counts["assignee"]) == ({"acme": 4}, {"server": 4}, {"": 4})
    assert counts["acknowledged"] == {"false": 4}


async def test_a_cursor_of_one_order_is_none_of_the_other(busy):
    page = await busy.get("/cases?limit=2&order=urgency")
    problem = await busy.ask("GET", f"/cases?cursor={page['next']}", status=422)
    assert "cursor" in problem["detail"]


_CASES = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["minor", "major", "critical"]), st.booleans()), max_size=12
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_CASES, limit=st.integers(1, 5))
def test_pages_by_urgency_hold_every_case_once_and_in_order(tmp_path_factory, rows, limit):
    ledger = SqlLedger(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db")
    cases = [
        case_of(number, onset, severity, is_open) for number, (onset, severity, is_open) in enumerate(rows)
    ]
    ledger.commit(LedgerWrite(cases=cases))
    found, cursor = [], None
    while True:
        page = ledger.cases(state="open", order="urgency", limit=limit, cursor=cursor)
        found += [case.case_id for case in page.items]
        cursor = page.next
        if cursor is None:
            break
    ledger.close()
    rank = ["critical", "major", "minor"]
    expected = sorted((rank.index(case.severity), case.onset, case.case_id) for case in cases if case.is_open)
    assert found == [case_id for _, _, case_id in expected]


def case_of(number, onset=0, severity="major", is_open=True, **more):
    return Case(
        **{
            "case_id": f"C-{number}",
            "tenant": "acme",
            "device_class": "pc",
            "device": f"pc-{number}",
            "component": "",
            "fault": "disk.media_wear",
            "title": "Worn",
            "rule": "wear",
            "severity": severity,
            "state": CaseState.SUSPECTED if is_open else CaseState.CLEARED,
            "onset": onset,
            "updated": onset,
            **more,
        }
    )


def test_similar_cases_are_those_of_the_model_then_those_of_the_class(tmp_path):
    closed = OrderStanding(state="closed", outcome="repaired", ended_at=9)
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    same = {"model": "M-1"}
    ledger.commit(
        LedgerWrite(
            cases=[
                case_of("now", 100, **same),
                case_of("later", 200, **same),
                case_of("other-fault", 50, fault="cpu.overheating", **same),
                case_of("other-brand", 50, tenant="zen", **same),
                case_of("other-class", 50, device_class="server", **same),
                case_of("class-open", 60),
                case_of("class-closed", 40, order_id="SO-1", order=closed, model="M-2"),
                case_of("model-open", 30, **same),
                case_of("model-closed", 20, order_id="SO-2", order=closed, **same),
                case_of("model-closed-before", 10, order_id="SO-3", order=closed, **same),
            ]
        )
    )
    found = [case.case_id[2:] for case in ledger.similar_cases(ledger.case("C-now"), 10)]
    assert found == ["model-closed", "model-closed-before", "model-open", "class-closed", "class-open"]
    assert len(ledger.similar_cases(ledger.case("C-now"), 2)) == 2
    ledger.close()


async def test_what_the_technician_found_then_stands_beside_a_case(busy):
    first, *_ = (await busy.get("/cases?device=srv-0"))["items"]
    order = (await busy.post(f"/cases/{first['case_id']}/confirm"))["order_id"]
    parts = [{"part": "FAN-04", "quantity": 1}]
    body = {"outcome": "repaired", "parts_used": parts, "note": "dust in the fan", "by": "repairer"}
    await busy.post(f"/orders/{order}/close", body, X_Forewarn_User="moreau")
    later, *_ = (await busy.get("/cases?device=srv-2"))["items"]
    similar = (await busy.get(f"/cases/{later['case_id']}/similar"))["items"]
    assert [(case["device"], case["same_model"]) for case in similar] == [("srv-0", True), ("srv-1", False)]
    found = similar[0]
    assert (found["outcome"], found["who"], found["note"]) == ("repaired", "moreau", "dust in the fan")
    assert found["parts_used"] == parts
    assert (similar[1]["outcome"], similar[1]["parts_used"]) == (None, [])
    await busy.ask("GET", "/cases/C-0/similar", status=404)


# Acts


async def test_many_cases_are_acted_on_at_once_and_each_says_what_became_of_it(busy):
    ids = [case["case_id"] for case in (await busy.get("/cases"))["items"]]
    await busy.post(f"/cases/{ids[0]}/dismiss", {"note": "a bench"})
    body = {"action": "dismiss", "case_ids": [*ids, "C-0", ids[1]], "note": "one rack, one cause"}
    done = await busy.post("/cases/actions", body, X_Forewarn_User="anna")
    assert (done["done"], done["refused"]) == (6, 1)
    assert done["items"][-1] == {"case_id": "C-0", "result": "unknown", "why": "there is no case C-0"}
    refused = await busy.post("/cases/actions", {"action": "acknowledge", "case_ids": ids})
    assert {item["result"] for item in refused["items"]} == {"refused"}
    assert "is dismissed" in refused["items"][0]["why"]
    undone = await busy.post("/cases/actions", {"action": "reopen", "case_ids": ids})
    assert undone["done"] == 6
    given = await busy.post("/cases/actions", {"action": "assign", "case_ids": ids, "assignee": "bert"})
    assert given["done"] == 6
    assert (await busy.get("/cases/counts?assignee=bert&state=open"))["total"] == 6
    await busy.post("/cases/actions", {"action": "dismiss", "case_ids": ids}, status=422)
    await busy.post("/cases/actions", {"action": "dismiss", "case_ids": ["C"] * 501, "note": "x"}, status=422)


async def test_a_case_says_what_can_be_done_with_it(world):
    device = "acme/server/srv-1"
    world.says(device, "status", online=True)
    world.reads(device, {"disk.pending_sectors@sda": 3})
    case = await world.get(world.case)
    possible = case["possible"]
    assert possible["acknowledge"] == possible["dismiss"] == {"why_not": None}
    assert "expected one that was dismissed" in possible["reopen"]["why_not"]
    (test,) = possible["probe"]
    assert (test["action"], "under way" in test["why_not"]) == ("disk.self_test", True)
    world.passes("31m")
    assert (await world.get(world.case))["possible"]["probe"][0]["why_not"] is None
    asked = await world.post(f"{world.case}/probe", {"action": "disk.self_test"}, X_Forewarn_User="anna")
    assert [(p["asked_by"], p["state"]) for p in asked["probes"]] == [(None, "expired"), ("anna", "sent")]
    problem = await world.post(f"{world.case}/probe", {"action": "fan.test"}, status=409)
    assert "possible: disk.self_test" in problem["detail"]
    world.says(device, "status", online=False)
    assert (await world.get(world.case))["possible"]["remedy"][0]["why_not"] is not None
    await world.post(f"{world.case}/dismiss", {"note": "a spare"})
    case = await world.get(world.case)
    assert case["possible"]["reopen"] == {"why_not": None}
    assert "is dismissed" in case["possible"]["confirm"]["why_not"]


async def test_an_order_s_gaps_are_filled_in_and_other_systems_are_told(busy):
    first, *_ = (await busy.get("/cases?device=srv-0"))["items"]
    case = await busy.post(f"/cases/{first['case_id']}/confirm")
    path = f"/orders/{case['order_id']}"
    before = await busy.get(path)
    assert "customer.contact" in before["fillable"]
    fields = {"customer.contact": "+49 30 123456", "device.serial": "X-1", "site.country": "DE"}
    order = await busy.patch(path, {"fields": fields, "note": "the owner called"})
    gone = {m["field"] for m in before["missing"]} - {m["field"] for m in order["missing"]}
    assert gone == set(fields)
    (change,) = order["changes"]
    assert (change["who"], change["why"]) == ("engineer", "the owner called")
    assert change["filled"][0] == {"field": "customer.contact", "value": "+49 30 123456", "before": None}
    order = await busy.patch(path, {"fields": {"site.country": "FR"}})
    assert order["changes"][1]["filled"] == [{"field": "site.country", "value": "FR", "before": "DE"}]
    problem = await busy.patch(path, {"fields": {"site.country": "UK"}}, status=422)
    assert "site.country: expected a country by ISO 3166" in problem["detail"]
    problem = await busy.patch(path, {"fields": {"device.part.serial": "S"}}, status=409)
    assert "the order has no device.part" in problem["detail"]
    await busy.post(f"{path}/close", {"outcome": "cancelled"})
    await busy.patch(path, {"fields": fields}, status=409)
    assert (await busy.get(path))["fillable"] == []
