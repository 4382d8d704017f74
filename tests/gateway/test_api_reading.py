from contextlib import ExitStack

import pytest
from browser.console_courses import FRIDGE, MARKUP, NOW, SERVER, WASHER
from browser.site import RULES, Site, open_site

from rules.times import HOUR_MS, MINUTE_MS, to_rfc3339


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with ExitStack() as stack:
        yield open_site(tmp_path_factory.mktemp("api"), stack)


@pytest.fixture
async def api(site: Site):
    async with site.client() as client:

        async def get(path, status=200, **params):
            response = await client.get(f"/api/v1{path}", params=params)
            assert response.status_code == status, response.text
            return response.json()

        yield get


async def test_devices_come_in_pages_by_name_each_once(api):
    names, cursor = [], None
    while True:
        page = await api("/devices", limit=60, **({"cursor": cursor} if cursor else {}))
        names += [(item["tenant"], item["class"], item["device"]) for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(names) == 200
    assert names == sorted(set(names))


async def test_devices_of_one_class_of_one_tenant(api):
    page = await api("/devices", **{"tenant": "nordfrost", "class": "appliance", "limit": 1000})
    assert len(page["items"]) == 40
    assert (await api("/devices", tenant="nobody"))["items"] == []


async def test_a_device_shows_what_it_said(api):
    device = await api("/devices/acme/server/srv-014")
    assert device["class"] == "server"
    assert device["facts"]["components"]["sdb"]["serial"] == "ZC17M0Q2"
    assert device["last_seen"].endswith("Z")


async def test_telemetry_is_in_order_of_time_with_ts_in_milliseconds(api):
    page = await api(
        "/devices/acme/server/srv-014/telemetry", signal="disk.pending_sectors@sdb", **{"from": NOW - HOUR_MS}
    )
    times = [item["ts"] for item in page["items"]]
    assert times == sorted(times)
    assert len(times) == 31  # every two minutes, both ends
    assert page["items"][-1] | {"arrival": 0} == {
        "ts": NOW, "signal": "disk.pending_sectors", "component": "sdb", "value": 27.0, "arrival": 0,
    }  # fmt: skip


async def test_telemetry_takes_rfc3339_as_well_and_the_end_is_excluded(api):
    start, end = to_rfc3339(NOW - HOUR_MS), to_rfc3339(NOW)
    path = "/devices/acme/server/srv-014/telemetry"
    page = await api(path, signal="cpu.load", **{"from": start, "to": end})
    assert [item["ts"] for item in page["items"]] == list(range(NOW - HOUR_MS, NOW, 2 * MINUTE_MS))
    with_zone = start.replace("Z", "+00:00")
    assert await api(path, signal="cpu.load", **{"from": with_zone, "to": end}) == page


async def test_a_plus_sign_that_came_as_a_space_is_understood(api):
    start = to_rfc3339(NOW - HOUR_MS).replace("Z", " 00:00")
    page = await api("/devices/acme/server/srv-014/telemetry", signal="cpu.load", **{"from": start})
    assert len(page["items"]) == 31


async def test_telemetry_in_steps_keeps_the_last_of_each(api):
    page = await api(
        "/devices/acme/server/srv-014/telemetry", signal="cpu.load", step="10m", **{"from": NOW - HOUR_MS}
    )
    assert 6 <= len(page["items"]) <= 7
    assert page["items"][-1]["ts"] == NOW


async def test_a_step_without_a_unit_is_seconds(api):
    path, span = "/devices/acme/server/srv-014/telemetry", {"signal": "cpu.load", "from": NOW - HOUR_MS}
    assert await api(path, step="600", **span) == await api(path, step="10m", **span)


async def test_telemetry_pages_hold_every_reading_once(api):
    path, span = "/devices/nordfrost/appliance/washer-007/telemetry", {"from": NOW - HOUR_MS}
    whole = (await api(path, **span))["items"]
    pages, cursor = [], None
    while True:
        page = await api(path, limit=50, **span, **({"cursor": cursor} if cursor else {}))
        pages.insert(0, page["items"])
        cursor = page["next"]
        if cursor is None:
            break
    assert [item for page in pages for item in page] == whole
    assert len(pages) > 5


async def test_an_instant_with_more_channels_than_a_page_holds_is_not_parted(api):
    page = await api("/devices/acme/server/srv-014/telemetry", limit=3)
    assert {item["ts"] for item in page["items"]} == {NOW}
    assert len(page["items"]) == 13
    before = await api("/devices/acme/server/srv-014/telemetry", limit=3, cursor=page["next"])
    assert {item["ts"] for item in before["items"]} == {NOW - 2 * MINUTE_MS}


async def test_text_boolean_and_unknown_values_keep_their_kind(api):
    page = await api(
        "/devices/nordfrost/appliance/washer-007/telemetry", **{"from": NOW - 30 * MINUTE_MS, "limit": 10_000}
    )
    by_signal = {}
    for item in page["items"]:
        by_signal.setdefault(item["signal"], []).append(item["value"])
    assert by_signal["error.code"][0] is None
    assert by_signal["error.code"][-1] == MARKUP
    assert by_signal["drain.pump_on"][-1] is True
    assert by_signal["program.phase"][-1] == "drain"


async def test_cases_newest_first_with_filters(api):
    page = await api("/cases")
    onsets = [item["onset"] for item in page["items"]]
    assert len(onsets) == 10
    assert onsets == sorted(onsets, reverse=True)
    states = {item["state"] for item in (await api("/cases", state="open"))["items"]}
    assert states == {"suspected", "confirmed"}
    critical = (await api("/cases", severity="critical", tenant="nordfrost"))["items"]
    assert [item["device"] for item in critical] == ["fridge-031"]


async def test_cases_of_a_device_by_full_or_bare_name(api):
    full = await api("/cases", device=str(SERVER))
    assert [item["fault"] for item in full["items"]] == ["disk.media_wear"]
    assert await api("/cases", device="srv-014") == full
    assert (await api("/cases", device="srv-999"))["items"] == []


async def test_cases_in_pages(api):
    first = await api("/cases", limit=4)
    second = await api("/cases", limit=4, cursor=first["next"])
    third = await api("/cases", limit=4, cursor=second["next"])
    ids = [item["case_id"] for page in (first, second, third) for item in page["items"]]
    assert len(ids) == len(set(ids)) == 10
    assert third["next"] is None


async def test_a_case_tells_its_whole_story(api):
    listed = (await api("/cases", device=str(SERVER)))["items"][0]
    case = await api(f"/cases/{listed['case_id']}")
    assert {name: case[name] for name in listed} == listed
    assert [event["event"] for event in case["timeline"]] == ["suspected", "confirmed"]
    assert case["timeline"][0]["at"] == case["onset"] == to_rfc3339(NOW - 7 * HOUR_MS)
    assert case["ledger"][-1]["outcome"] == "order"
    assert "failed its own self test" in case["ledger"][-1]["text"]
    assert case["probes"][0]["state"] == "failed"
    assert case["evidence"][0] | {"at": ""} == {
        "rule": "pending_sectors_growing", "signal": "disk.pending_sectors@sdb", "at": "",
        "value": 2.0, "limit": 0.0,
    }  # fmt: skip
    assert case["component"] == "sdb"


async def test_a_case_of_the_device_itself_has_no_component(api):
    case = (await api("/cases", device=str(WASHER)))["items"][0]
    assert case["component"] is None
    assert case["order_id"] is None
    assert case["reason"] == "waiting_confirmation"


async def test_an_order_is_exactly_the_document_of_the_contract(api, site):
    listed = (await api("/orders", device=str(FRIDGE)))["items"]
    order = await api(f"/orders/{listed[0]['order_id']}")
    assert listed[0] == site.ledger.order(listed[0]["order_id"]).document()
    assert "customer.contact" in order.pop("fillable")
    assert order == listed[0] | {"changes": []}
    assert order["device"]["class"] == "appliance"
    assert order["logistics"]["outbound"]["from"] == "Hamburg"
    assert order["missing"][0] == {
        "field": "customer.contact",
        "why": "the registry has no contact for this owner",
    }


async def test_orders_by_state(api):
    assert len((await api("/orders", state="open"))["items"]) == 4
    assert (await api("/orders", state="closed"))["items"] == []


async def test_rules_as_their_packs_spell_them(api):
    assert await api("/rules") == {"items": RULES, "next": None}


async def test_rules_in_pages_and_by_fault(api, site, monkeypatch):
    rules = [{"id": f"r{n}", "fault": "disk.media_wear" if n % 2 else "cpu.overheating"} for n in range(7)]
    monkeypatch.setattr("browser.site.RULES", rules)
    first = await api("/rules", limit=3, fault="cpu.overheating")
    second = await api("/rules", limit=3, fault="cpu.overheating", cursor=first["next"])
    assert [rule["id"] for page in (first, second) for rule in page["items"]] == ["r0", "r2", "r4", "r6"]
    assert second["next"] is None
    assert "cursor" in (await api("/rules", 422, cursor="r99"))["detail"]


async def test_quarantine_of_a_tenant(api):
    assert len((await api("/quarantine", tenant="nordfrost"))["items"]) == 2
    assert (await api("/quarantine", tenant="nobody"))["items"] == []


async def test_quarantine_newest_first_with_reason_and_payload(api):
    page = await api("/quarantine")
    assert [item["reason"] for item in page["items"]] == [
        "time_in_the_future", "unknown_class", "malformed_json",
    ]  # fmt: skip
    only = await api("/quarantine", reason="malformed_json")
    assert [item["payload"] for item in only["items"]] == ['{"ts": 1773306000000, "values": ']
