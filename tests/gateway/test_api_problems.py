import json
from contextlib import ExitStack

import pytest
from browser.console_courses import NOW
from browser.site import Site, open_site

from gateway.errors import StoreUnavailableError
from gateway.ports import DeviceRecord, LedgerWrite
from rules.symbols import DeviceId


@pytest.fixture
def site(tmp_path):
    with ExitStack() as stack:
        yield open_site(tmp_path, stack, seeded=False)


async def problem(site: Site, method: str, path: str) -> dict:
    async with site.client() as client:
        response = await client.request(method, path)
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == "about:blank"
    assert body["instance"] == path.partition("?")[0]
    return body | {"headers": response.headers}


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/api/v1/cases/none", "there is no case none"),
        ("/api/v1/orders/SO-0", "there is no order SO-0"),
        ("/api/v1/devices/acme/pc/none", "no device acme/pc/none ever spoke"),
        ("/api/v1/devices/acme/pc/none/telemetry", "no device acme/pc/none ever spoke"),
        ("/api/v1/nothing", "there is nothing at /api/v1/nothing"),
        ("/api/", "there is nothing at /api/"),
    ],
)
async def test_what_is_not_there(site, path, detail):
    body = await problem(site, "GET", path)
    assert (body["status"], body["title"], body["detail"]) == (404, "Not Found", detail)


@pytest.mark.parametrize("path", ["/api/v1/cases", "/api/v1/orders/SO-0", "/metrics", "/readyz"])
async def test_a_method_that_is_not_possible_says_which_is(site, path):
    body = await problem(site, "DELETE", path)
    assert body["status"] == 405
    assert "GET" in body["headers"]["allow"]
    assert "DELETE" in body["detail"]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("/cases?state=broken", "query.state"),
        ("/cases?severity=huge", "query.severity"),
        ("/cases?limit=0", "query.limit"),
        ("/cases?limit=many", "query.limit"),
        ("/orders?state=lost", "query.state"),
        ("/devices/acme/pc/p-1/telemetry?from=yesterday", "query.from"),
        ("/devices/acme/pc/p-1/telemetry?to=1e400", "query.to"),
        ("/devices/acme/pc/p-1/telemetry?step=fast", "query.step"),
        ("/devices/acme/pc/p-1/telemetry?step=0s", "query.step"),
    ],
)
async def test_a_wrong_parameter_is_pointed_at(site, query, where):
    site.ledger.commit(LedgerWrite(devices=[DeviceRecord(DeviceId("acme", "pc", "p-1"), {}, True, NOW)]))
    body = await problem(site, "GET", f"/api/v1{query}")
    assert body["status"] == 422
    assert [error["where"] for error in body["errors"]] == [where]
    assert body["errors"][0]["got"] == query.partition("=")[2]


@pytest.mark.parametrize("query", ["/cases?device=a/b", "/orders?device=a/b/c/d"])
async def test_a_device_that_cannot_be_one(site, query):
    body = await problem(site, "GET", f"/api/v1{query}")
    assert body["status"] == 422
    assert "expected tenant/class/device" in body["detail"]


@pytest.mark.parametrize("listing", ["cases", "orders", "devices", "quarantine"])
async def test_a_cursor_that_no_page_gave(site, listing):
    body = await problem(site, "GET", f"/api/v1/{listing}?cursor=made%20up")
    assert body["status"] == 422
    assert "cursor" in body["detail"]


async def test_an_error_of_our_own_tells_no_traceback(site, monkeypatch, capsys):
    def broken(*_args, **_kwargs):
        raise ZeroDivisionError("secret particulars")

    monkeypatch.setattr(site.ledger, "cases", broken)
    body = await problem(site, "GET", "/api/v1/cases")
    assert body["status"] == 500
    told = json.dumps(body | {"headers": None})
    assert "secret" not in told
    assert "Traceback" not in told
    assert "secret particulars" in capsys.readouterr().out  # logged loudly


async def test_a_store_that_is_down_is_503_and_asks_to_come_back(site, monkeypatch):
    def down(*_args, **_kwargs):
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(site.ledger, "orders", down)
    body = await problem(site, "GET", "/api/v1/orders")
    assert body["status"] == 503
    assert "the disk is full" in body["detail"]
    assert body["headers"]["retry-after"] == "5"
