"""The page of an order at work: gaps are filled in, states are set, it is closed; and who may not."""

import re

import pytest
from browser.conftest import Watched
from browser.console_courses import MARKUP
from browser.house import Neighbour
from playwright.sync_api import expect

from gateway.ports import Outcome

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

WASHER = "acme/appliance/wm-7"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = Neighbour(tmp_path_factory.mktemp("house"))
    house.reads(WASHER, {"leak.detected": True})
    yield house
    house.close()


@pytest.fixture
def reader(chromium, house):
    """Opens the order's page for a reader; the page fails its test when it complained or left its host."""
    opened = []

    def open_page(name="anna", path=None):
        context = chromium.new_context(base_url=house.base, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(20_000)
        context.add_cookies([{"name": "reader", "value": name, "url": house.base}])
        page = context.new_page()
        watched = Watched(house.base)
        watched.watch(page)
        opened.append((context, watched))
        page.goto(path or f"/orders/{house.order_ids()[-1]}")
        page.wait_for_function("window.did_handshake === true")
        return page

    yield open_page
    for context, watched in opened:
        context.close()
        assert watched.strangers == []
        assert watched.complaints == []


def gap(page, field):
    return page.locator(f".gap[data-field='{field}']")


def test_a_gap_is_filled_in_and_is_missing_no_more(reader):
    page = reader()
    other = gap(page, "site.country")
    other.locator("input").fill("D")
    gap(page, "customer.contact").locator("input").fill("+49 30 123456")
    gap(page, "customer.contact").get_by_role("button", name="Fill in").click()
    expect(gap(page, "customer.contact")).to_have_count(0)
    place = page.locator("section", has=page.get_by_role("heading", name="Where to go"))
    expect(place).to_contain_text("+49 30 123456")
    expect(page.locator(".changes li").first).to_contain_text("Customer contact")
    expect(other.locator("input")).to_have_value("D")  # what is being typed stays
    other.get_by_role("button", name="Fill in").click()
    expect(other.get_by_role("alert")).to_contain_text("a country by ISO 3166")
    page.reload()
    expect(gap(page, "site.country")).to_be_visible()
    expect(gap(page, "customer.contact")).to_have_count(0)


def test_a_field_that_is_not_missing_can_be_corrected(reader):
    page = reader()
    page.get_by_text("Correct another field").click()
    page.locator(".correct select").first.select_option("service.minutes")
    page.locator(".correcting input").fill("75")
    page.locator(".correcting").get_by_role("button", name="Fill in").click()
    expect(page.locator("section", has_text="What to bring")).to_contain_text("75 min")


def test_what_a_viewer_may_not_do_is_not_offered(reader):
    page = reader("vera")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".hint")).to_contain_text("takes the role engineer")
    expect(page.locator(".order button")).to_have_count(0)
    expect(page.locator(".order form")).to_have_count(0)


def test_an_order_is_acknowledged_by_key_and_closed_with_the_parts_that_were_used(reader, house):
    page = reader()
    watching = reader("vera")
    page.keyboard.press("a")
    expect(page.locator(".title .chip")).to_have_text("acknowledged")
    expect(watching.locator(".title .chip")).to_have_text("acknowledged")
    page.get_by_role("button", name="Held…").click()
    page.get_by_role("textbox", name="Why").fill("the owner is away")
    page.locator("dialog[open]").get_by_role("button", name="Set").click()
    expect(page.locator(".title .chip")).to_have_text("held")
    page.get_by_role("button", name="Close…").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Other parts").fill("2 x HOSE-3, CLAMP")
    dialog.get_by_label("What was found").fill('<b onclick="x">worn</b>')
    dialog.get_by_role("button", name="Close the order").click()
    expect(page.locator(".title .chip")).to_have_text("closed")
    latest = page.locator(".changes li").first
    expect(latest).to_contain_text("anna")
    expect(latest).to_contain_text("repaired")
    expect(latest).to_contain_text("2 x HOSE-3")
    expect(latest).to_contain_text("1 x CLAMP")
    expect(latest).to_contain_text('<b onclick="x">worn</b>')  # shown, not interpreted
    expect(page.get_by_role("button", name="Close…")).to_have_count(0)
    assert house.outcomes() == ["repaired"]


def test_orders_are_found_by_filters_that_are_addresses(reader, house):
    order_id = house.order_ids()[-1]
    page = reader(path="/orders?state=all&find=leak")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Find").fill("no such thing")
    expect(page.get_by_role("status").filter(has_text="No order matches")).to_be_visible()
    expect(page).to_have_url(re.compile(r"find=no\+such\+thing"))
    page.get_by_label("Find").fill(order_id)
    page.locator("a.row-link").click()
    expect(page).to_have_url(re.compile(f"/orders/{order_id}$"))


def test_the_trail_says_why_an_event_did_not_arrive_and_sends_it_again(served, page):
    order_id, outbox = "SO-2B7HNW", served.site.outbox
    outbox.share_out({"crm": "*"})
    owed = [each for each in outbox.due(2**60, {"crm": 1000}, []) if each.order_id == order_id]
    now = served.site.clock.now()
    outbox.settle([Outcome(each, "dead", now, attempts=3, detail=f"answered 422: {MARKUP}") for each in owed])
    page.goto(f"/orders/{order_id}")
    trail = page.locator(".trail li")
    expect(trail).to_contain_text("crm")
    expect(trail).to_contain_text("given up")
    expect(trail).to_contain_text(f"answered 422: {MARKUP}")
    trail.get_by_role("button", name="Send again").click()
    expect(trail).to_contain_text("on its way")
    assert page.evaluate("window.pwned") is None
