"""The page of a device: charts zoomed together that grow by themselves, the live tail, the registry."""

import re
from dataclasses import replace

import pytest
from browser.console_courses import FRIDGE, MARKUP, NOW, WASHER, send
from playwright.sync_api import Page, expect

from diagnostics.orders.registry import DeviceEntry, Owner, SiteEntry
from gateway.ports import LedgerWrite
from rules.symbols import DeviceId
from rules.times import MINUTE_MS, to_rfc3339

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

INSTALLED = DeviceId("acme", "server", "srv-never")


@pytest.fixture(autouse=True)
def registered(served):
    """Something in the registry, which the gateway reads as it finds it."""
    registry = served.site.registry
    registry.devices[INSTALLED] = DeviceEntry(
        INSTALLED, "PowerEdge R760", parent="srv-014", owner="o1", site="s1"
    )
    registry.owners["o1"] = Owner("o1", "Kröger Logistik GmbH", "+49 40 1234")
    registry.sites["s1"] = SiteEntry("s1", "Hafenstraße 12, Hamburg", "DE")
    yield
    registry.devices.clear()


def opened(page: Page, path: str) -> Page:
    page.goto(path)
    page.wait_for_function("window.did_handshake === true")
    return page


def chart(page, title):
    return page.locator("figure.multiple", has_text=title)


def heard(served, at):
    """Let the fridge be heard of at an instant, as the gateway notes it."""
    record = replace(served.site.ledger.device(FRIDGE), last_seen=at)
    served.site.ledger.commit(LedgerWrite(devices=[record]))


def measure(served, at, **values):
    send(
        served.site.history, served.site.symbols, FRIDGE, MINUTE_MS,
        lambda _: {name.replace("__", "."): value for name, value in values.items()}, start=at, end=at,
    )  # fmt: skip
    served.site.clock.move_to(at + 1_000)
    heard(served, at)


def test_a_drag_zooms_all_charts_and_the_address_keeps_it(served, page):
    opened(page, f"/devices/{FRIDGE}")
    first = chart(page, "Temperature of the fridge compartment").locator(".plot")
    expect(first.locator("path")).to_have_attribute("d", re.compile("^M.+L"))
    box = first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20, steps=4)
    expect(page.locator(".brush").first).to_be_visible()
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=.+&to=.+"))
    times = page.locator("figure.multiple .times span:first-child")
    shown = chart(page, "Electric power of the compressor").locator(".times")
    expect(shown).to_contain_text(":")
    assert len(set(times.all_inner_texts())) == 1, "all charts are over the same time"
    opened(page, page.url)
    expect(page.get_by_role("button", name="Show the latest")).to_be_visible()
    zoomed = times.first.inner_text()
    page.get_by_role("button", name="Wider").click()
    expect(times.first).not_to_have_text(zoomed)
    page.get_by_role("button", name="Show the latest").click()
    expect(page).to_have_url(re.compile(r"window=6h$"))


def test_only_charts_in_sight_are_fed(served, page):
    page.set_viewport_size({"width": 400, "height": 500})
    opened(page, "/devices/acme/server/srv-014?window=24h")
    expect(page.locator("figure.multiple").first.locator("path")).to_have_attribute("d", re.compile("L"))
    last = page.locator("figure.multiple").last
    assert last.locator("path").first.get_attribute("d") == ""
    last.scroll_into_view_if_needed()
    expect(last.locator("path").first).to_have_attribute("d", re.compile("^M"))


def test_a_new_reading_shows_in_the_chart_and_in_the_tail_until_it_is_paused(served, page):
    at = NOW + 3 * MINUTE_MS
    opened(page, f"/devices/{FRIDGE}")
    figure = chart(page, "Temperature of the fridge compartment")
    tail = page.locator(".tail")
    expect(tail.locator("tbody tr").first).to_be_visible()
    page.evaluate("document.querySelector('figure.multiple').kept = true")
    measure(served, at, fridge__temperature=13.7)
    expect(figure.locator(".latest b")).to_have_text("13.7")
    expect(tail.locator("tbody tr").first).to_contain_text("13.7")
    assert page.evaluate("document.querySelector('figure.multiple').kept"), "the chart was drawn anew"
    tail.get_by_role("button", name="Pause").click()
    expect(page).to_have_url(re.compile("tail=off"))
    measure(served, at + MINUTE_MS, fridge__temperature=14.9)
    expect(figure.locator(".latest b")).to_have_text("14.9")
    expect(tail.locator("tbody tr").first).to_contain_text("13.7")
    tail.get_by_role("button", name="Go on").click()
    expect(tail.locator("tbody tr").first).to_contain_text("14.9")


def test_a_device_that_never_spoke_has_a_page_and_neighbours(served, page):
    opened(page, f"/devices/{INSTALLED}")
    expect(page.locator(".title .chip")).to_have_text("never spoke")
    expect(page.locator("aside")).to_contain_text("Kröger Logistik GmbH")
    page.get_by_role("link", name="srv-014", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("srv-014")
    expect(page.locator(".neighbours")).to_contain_text("srv-never")


def test_what_a_device_says_of_itself_is_shown_and_never_interpreted(served, page):
    bad = {"model": MARKUP, "serial": "=cmd()", "firmware": "\x1b[31m1.0\x07", "parent": "</script><b>up"}
    record = served.site.ledger.device(WASHER)
    facts = {**bad, "components": {MARKUP: {"model": "@SUM(1)", "serial": MARKUP}}}
    served.site.ledger.commit(LedgerWrite(devices=[replace(record, facts=facts, last_seen=NOW + 1)]))
    try:
        for path in (f"/devices/{WASHER}?window=1h", "/devices?find=onerror", "/fleet"):
            opened(page, path)
            expect(page.get_by_text("window.pwned=1").first).to_be_visible()
            assert page.evaluate("window.pwned") is None
            assert page.locator('img[src="x"]').count() == 0
        table = page.request.get("/api/v1/fleet/health.csv?by=firmware").text()
        assert '"<img src=x onerror=""window.pwned=1"">"' in table
    finally:
        served.site.ledger.commit(LedgerWrite(devices=[replace(record, last_seen=NOW + 2)]))


def test_an_address_that_makes_no_sense_shows_the_usual_window(served, page):
    opened(page, f"/devices/{FRIDGE}?window=-1&from=tomorrow&to={to_rfc3339(NOW)}")
    expect(page.locator("figure.multiple").first).to_be_visible()
    expect(page.get_by_label("Window")).to_have_value("6h")
