"""The console in a real browser, over real stores."""

import os
import re
from pathlib import Path

import pytest
from browser.console_courses import FRIDGE, NOW, WASHER
from browser.console_seed import Told
from playwright.sync_api import Page, expect

from diagnostics.decision import Reason
from gateway.errors import StoreUnavailableError
from gateway.ports import LedgerWrite, Rejected
from rules.symbols import DeviceId
from rules.times import MINUTE_MS

pytestmark = pytest.mark.browser

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TIMEOUT = 20_000
DISK_CASE = "/cases/case-srv-014-disk-media_wear"
SECTORS = "Unstable sectors that wait to be replaced"
expect.set_options(timeout=TIMEOUT)


def opened(page: Page, path: str) -> Page:
    """Open a page and wait until it is connected and filled."""
    page.goto(path)
    expect(page.locator(".pill.good")).to_have_text("Listening")
    page.wait_for_function("window.did_handshake === true")
    return page


def tell_case(served, name: str) -> None:
    device = DeviceId("acme", "pc", name)
    told = Told(
        device,
        "1",
        fault="fan.stopped",
        title="The fan has stopped",
        rule="r",
        severity="critical",
        onset=NOW,
    )
    told.said(NOW, "pending", Reason.WAITING_CONFIRMATION, "No order yet: one signal alone does not confirm.")
    served.site.ledger.commit(told.write)


def test_the_list_shows_open_cases_and_why_there_is_no_order(served, page):
    opened(page, "/")
    row = page.locator("tr", has_text="washer-007")
    expect(row).to_contain_text("The washer does not drain")
    expect(row).to_contain_text("Waiting for the washer drain test")
    expect(row.locator(".mark.major")).to_be_visible()
    expect(page.locator("tr", has_text="fridge-031")).to_contain_text("SO-9C41QD")
    expect(page.locator("tr", has_text="pc-052")).to_have_count(0)  # refuted: not open
    age = page.locator("tr", has_text="srv-014").locator("fw-time")
    expect(age).to_have_text("7 hr ago")
    expect(age).to_have_attribute("title", "2026-03-12 02:30:00 UTC")


def test_a_new_case_appears_by_itself_and_nothing_else_is_drawn_anew(served, page):
    opened(page, "/cases")
    page.evaluate("document.querySelector('tr[data-key=\"case-srv-014-disk-media_wear\"]').kept = true")
    tell_case(served, "pc-031")
    row = page.locator("tr", has_text="pc-031")
    expect(row).to_contain_text("The fan has stopped")
    expect(row).to_have_class(re.compile("fresh"))
    assert page.evaluate("document.querySelector('tr[data-key=\"case-srv-014-disk-media_wear\"]').kept")


def test_filters_narrow_the_list_in_place_and_stand_in_the_address(served, page):
    opened(page, "/cases")
    page.get_by_label("State").select_option("refuted")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("the self test passed", ignore_case=True)
    assert page.url.endswith("/cases?state=refuted")
    page.get_by_label("State").select_option("all")
    page.get_by_label("Severity").select_option("critical")
    page.get_by_label("Find").fill("nordfrost")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("fridge-031")
    page.get_by_label("Find").fill("no such thing")
    expect(page.get_by_role("status").filter(has_text="No case matches")).to_be_visible()
    opened(page, page.url)
    expect(page.get_by_label("Find")).to_have_value("no such thing")


def test_the_whole_row_leads_to_the_case_also_by_keyboard(served, page):
    opened(page, "/cases")
    state = page.locator("tr", has_text="srv-014").locator("td").nth(3).bounding_box()
    page.mouse.click(state["x"] + state["width"] / 2, state["y"] + state["height"] / 2)
    expect(page).to_have_url(re.compile(f"{DISK_CASE}$"))
    opened(page, "/cases")
    page.locator("tr", has_text="srv-014").locator("a.row-link").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{DISK_CASE}$"))


def test_a_case_shows_evidence_chart_and_ledger(served, page):
    opened(page, DISK_CASE)
    expect(page.get_by_role("heading", level=1)).to_have_text("The disk is wearing out")
    expect(page.locator(".lead")).to_contain_text(
        "on disk sdb of server srv-014 (acme). Its order is SO-7F3K2A."
    )
    evidence = page.locator("tr", has_text="disk.pending_sectors@sdb")
    expect(evidence).to_contain_text("Unstable sectors that wait to be replaced, sdb")
    expect(page.locator("tr", has_text="disk.temperature@sdb")).to_contain_text("36.8°C")
    expect(page.locator("figure.chart canvas").first).to_be_visible()
    expect(page.locator("figure.chart")).to_have_count(3)
    sentences = page.locator(".ledger li")
    expect(sentences).to_have_count(3)
    expect(sentences.first).to_contain_text("the disk failed its own self test at 02:44")
    expect(sentences.last).to_contain_text("Suspected that the disk is wearing out")
    expect(page.locator(".probes")).to_contain_text("Disk self test")
    expect(page.locator(".probes .chip")).to_have_text("failed")
    expect(page.locator(".timeline li .name")).to_have_text(["confirmed", "suspected"])
    lines = page.evaluate(f"{chart_of(SECTORS)}.getOption().series[0].markLine.data")
    assert [line["label"]["formatter"] for line in lines] == ["suspected", "confirmed", "limit 0"]


def box_of(page, title: str, words: str) -> dict[str, float]:
    """Return where these words stand in a chart."""
    (found,) = page.evaluate(
        f"""{chart_of(title)}.getZr().storage.getDisplayList(true)
        .filter((one) => one.type === 'tspan' && one.style.text === {words!r})
        .map((one) => {{
            const box = one.getBoundingRect().clone();
            box.applyTransform(one.transform);
            return {{left: box.x, right: box.x + box.width, top: box.y, bottom: box.y + box.height}};
        }})"""
    )
    return found


def test_the_words_on_a_charts_lines_do_not_lie_on_each_other_on_a_phone(served, page):
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, DISK_CASE)
    expect(page.locator("figure.chart canvas").first).to_be_visible()
    page.wait_for_function(f"{chart_of(SECTORS)}.getOption().series[0].data.length > 100")
    suspected, confirmed = (box_of(page, SECTORS, words) for words in ("suspected", "confirmed"))
    assert suspected["right"] <= confirmed["left"], (suspected, confirmed)
    assert confirmed["right"] <= page.evaluate(f"{chart_of(SECTORS)}.getWidth()")


def chart_of(title: str) -> str:
    """Return the JavaScript that finds the chart under a title."""
    figures = "[...document.querySelectorAll('figure.chart')]"
    figure = f"{figures}.find((one) => one.querySelector('.title').textContent === {title!r})"
    return f"getElement({figure}.querySelector('.canvas').id.slice(1)).chart"


def test_a_case_moves_on_by_itself(served, page):
    tell_case(served, "pc-032")
    opened(page, "/cases/case-pc-032-fan-stopped")
    expect(page.locator(".lead")).to_contain_text("No order yet: waiting for confirmation.")
    told = Told(
        DeviceId("acme", "pc", "pc-032"), "1", fault="fan.stopped", title="The fan has stopped", rule="r",
        severity="critical", onset=NOW,
    )  # fmt: skip
    told.step("refuted", NOW + MINUTE_MS, Reason.REFUTED_BY_PROBE)
    told.said(NOW + MINUTE_MS, "no_order", Reason.REFUTED_BY_PROBE, "No order: the fan test passed.")
    served.site.ledger.commit(told.write)
    expect(page.locator(".title .chip")).to_have_text("refuted")
    expect(page.locator(".lead")).to_contain_text("No order: the self test passed.")
    expect(page.locator(".timeline li .name")).to_have_text(["refuted", "suspected"])


def test_an_order_leads_to_its_papers(served, page):
    opened(page, "/orders/SO-9C41QD")
    for name, paper in (("PDF", "paper.pdf"), ("Repair information form", "repair-form.html")):
        link = page.get_by_role("link", name=name, exact=True)
        expect(link).to_have_attribute("href", f"/api/v1/orders/SO-9C41QD/{paper}")
    page.get_by_role("link", name="HTML", exact=True).click()
    expect(page).to_have_url(re.compile("/orders/SO-9C41QD/paper.html$"))
    expect(page.get_by_role("heading", name="What was seen")).to_be_visible()
    expect(page.locator("figure svg")).to_have_attribute("aria-label", re.compile("fridge compartment"))
    assert page.locator("dl").first.evaluate("e => getComputedStyle(e).display") == "grid"  # styles are let


def test_a_deadline_that_has_passed_is_marked(served, page):
    opened(page, "/orders/SO-7F3K2A")
    overdue = page.locator("section", has_text="Until when").locator("fw-time[overdue]")
    expect(overdue).to_have_text(["2 hr ago"])


def test_devices_are_found_by_name_model_or_serial(served, page):
    opened(page, "/devices")
    expect(page.locator("tbody tr")).to_have_count(200)
    page.get_by_label("Find").fill("srv-014")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("a.row-link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("srv-014")
    expect(page.locator("aside")).to_contain_text("Debian 12")


def test_what_devices_send_is_never_markup(served, page):
    for path in (
        "/cases/case-washer-007-washer-not_draining",
        f"/devices/{WASHER}?window=1h",
        "/quarantine",
    ):
        opened(page, path)
        if path == "/quarantine":
            page.locator("main summary").first.click()
        expect(page.get_by_text("window.pwned=1").first).to_be_visible()
        assert page.evaluate("window.pwned") is None
        assert page.locator('img[src="x"]').count() == 0
    page.goto(f"/devices/{WASHER}?window=1h")
    page.locator("figure.text .plot").first.hover()  # what was measured then is told too
    assert page.evaluate("window.pwned") is None


def test_the_quarantine_keeps_opened_rows_when_news_comes(served, page):
    opened(page, "/quarantine")
    row = page.locator("tr", has_text="unclosed object")
    row.locator("summary").click()
    expect(row.locator("pre")).to_be_visible()
    news = Rejected("fw/acme/pc/x/telemetry", "too_large", "expected 256 KiB", b"[", NOW)
    served.site.ledger.commit(LedgerWrite(rejected=[news]))
    expect(page.locator("tbody tr").first).to_contain_text("too large")
    expect(row.locator("pre")).to_be_visible()


@pytest.mark.parametrize("path", ["/cases/none", "/orders/none", "/devices/a/pc/none", "/nothing/here"])
def test_what_is_not_there_says_so(served, context, path):
    page = context.new_page()
    assert page.goto(path).status == 404
    expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()


def test_a_store_that_is_down_is_said_and_it_carries_on(served, page, monkeypatch):
    opened(page, "/orders")

    def down(**_):
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(served.site.ledger, "orders", down)
    expect(page.get_by_role("alert")).to_contain_text("The stores cannot be read: the disk is full")
    expect(page.locator("tr", has_text="SO-9C41QD")).to_be_visible()
    monkeypatch.undo()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_gateway_that_is_not_ready_says_why(served, page):
    opened(page, "/cases")
    served.site.health.readiness = (False, "the broker cannot be reached")
    try:
        expect(page.locator(".pill.bad")).to_have_text("Not ready: the broker cannot be reached")
    finally:
        served.site.health.readiness = (True, "")
    expect(page.locator(".pill.good")).to_be_visible()


def test_the_theme_follows_the_system_and_can_be_turned(served, page):
    opened(page, "/cases")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("button.account").click()
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    opened(page, "/orders")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark  # kept


def test_a_foreign_page_cannot_open_the_console_s_socket(served, page):
    opened(page, "/cases")
    answer = page.request.get(
        "/_nicegui_ws/socket.io/?EIO=4&transport=polling", headers={"Origin": "http://evil.example"}
    )
    assert answer.status == 403


#: The pictures of the documentation: name, page, theme, width of the window.
PICTURES = [
    ("console", DISK_CASE, "light", 1440),
    ("queue", "/cases", "light", 1280),
    ("queue-phone", "/cases", "dark", 390),
    ("case-dark", f"{DISK_CASE}?over=disk.temperature@sdb", "dark", 1280),
    ("order", "/orders/SO-9C41QD", "light", 1280),
    ("device", f"/devices/{FRIDGE}", "light", 1280),
    ("fleet", "/fleet", "light", 1280),
]


@pytest.mark.parametrize(("name", "path", "theme", "width"), PICTURES, ids=[one[0] for one in PICTURES])
def test_pictures(served, page, tmp_path, name, path, theme, width):
    """Taken for docs/ when FOREWARN_SCREENSHOTS is set; else into a folder of the test's own."""
    folder = IMAGES if os.environ.get("FOREWARN_SCREENSHOTS") else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900 if width > 600 else 844})
    page.goto(path)
    expect(page.locator(".pill.good")).to_be_attached()
    page.wait_for_function("window.did_handshake === true")
    if path.startswith(DISK_CASE):
        expect(page.locator("figure.chart canvas").first).to_be_visible()
        page.wait_for_function(f"{chart_of(SECTORS)}.getOption().series[0].data.length > 100")
    else:
        expect(page.locator("main :is(table, figure)").first).to_be_visible()
        page.wait_for_load_state("networkidle")
    picture = folder / f"{name}.png"
    page.screenshot(path=picture, animations="disabled")
    assert picture.stat().st_size > 10_000
