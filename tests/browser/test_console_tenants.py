"""Pages of what is another tenant's are those of what is not there; a viewer's hold no personal data."""

import httpx
import pytest
from browser.console_courses import FRIDGE, SERVER
from callers import as_

from gateway.api.masking import personal_of

pytestmark = pytest.mark.browser


def pages_of(site, device):
    case = site.ledger.cases(device=str(device)).items[0]
    return {
        f"/cases/{case.case_id}": "/cases/nobody",
        f"/orders/{case.order_id}": "/orders/nobody",
        f"/devices/{device}": f"/devices/{device.tenant}/{device.device_class}/nobody",
    }


def got(served, path, who):
    return httpx.get(f"{served.base}{path}", headers=as_(who), timeout=20)


def test_a_page_of_another_tenant_s_is_that_of_what_is_not_there(served):
    site = served.site
    order = site.ledger.orders(device=str(FRIDGE)).items[0]
    case = site.ledger.case(order.case_id)
    theirs = (order.fault.title, order.customer.owner, case.rule, str(order.device.model))
    for path, nowhere in pages_of(site, FRIDGE).items():
        mine, other, none = (
            got(served, *one) for one in ((path, "mixed"), (path, "admin"), (nowhere, "admin"))
        )
        assert other.status_code == none.status_code, path
        assert not [text for text in theirs if text in other.text], path
        assert [text for text in theirs if text in mine.text], path


def test_lists_hold_what_is_of_the_reader_s_tenants(served):
    for path in ("/cases?state=", "/orders?state=", "/devices?find=-0", "/quarantine"):
        page = got(served, path, "admin").text
        assert "nordfrost" not in page, path
    assert "nordfrost" in got(served, "/cases?state=", "watcher").text


def test_a_viewer_s_page_of_an_order_holds_no_personal_data(served):
    order = served.site.ledger.orders(device=str(SERVER)).items[0]
    path = f"/orders/{order.order_id}"
    personal = personal_of(order)
    assert personal
    seen = got(served, path, "viewer").text
    assert not [text for text in personal if text in seen]
    clear = got(served, path, "engineer").text
    assert [text for text in personal if text in clear] == personal
