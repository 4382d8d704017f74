"""The queue and the case at work: keys, many cases at once, news that moves nothing, ten thousand cases."""

import re
import time
from statistics import median

import pytest
from browser.conftest import Watched
from browser.house import Neighbour
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)


@pytest.fixture
def house(tmp_path):
    house = Neighbour(tmp_path)
    yield house
    house.close()


@pytest.fixture
def reader(chromium, house):
    """Opens a page for a reader; it fails its test when it complained or left its host."""
    opened = []

    def open_page(name="anna", path="/cases", **options):
        context = chromium.new_context(
            base_url=house.base, viewport={"width": 1280, "height": 800}, **{"locale": "en-GB"} | options
        )
        context.set_default_timeout(20_000)
        context.add_cookies([{"name": "reader", "value": name, "url": house.base}])
        page = context.new_page()
        watched = Watched(house.base)
        watched.watch(page)
        opened.append((context, watched))
        go(page, path)
        return page

    yield open_page
    for context, watched in opened:
        context.close()
        assert watched.strangers == []
        assert watched.complaints == []


def go(page, path):
    page.goto(path)
    page.wait_for_function("window.did_handshake === true")


def heat(house, *names):
    for name in names:
        house.reads(f"acme/server/{name}", {"cpu.temperature": 99})


def row(page, name):
    return page.locator("tbody tr", has_text=name)


def names(page):
    return page.locator("tbody tr td[data-column=device] span:first-child").all_inner_texts()


def test_the_queue_is_walked_and_worked_on_by_keys_alone(house, reader):
    heat(house, "srv-1", "srv-2", "srv-3")
    page = reader()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row(page, "srv-2").locator("a.row-link")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator("tr.selected")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator("tr.selected")).to_have_count(0)
    page.keyboard.press("a")  # the one walked to
    expect(row(page, "srv-3")).to_contain_text("Seen by anna")
    expect(row(page, "srv-1")).not_to_contain_text("Seen by")
    page.keyboard.press("z")
    expect(row(page, "srv-3")).not_to_contain_text("Seen by")
    page.keyboard.press("/")
    expect(page.get_by_label("Find")).to_be_focused()
    page.keyboard.type("srv-2 jda")  # no key does anything in a field
    expect(page.locator("tbody tr")).to_have_count(0)
    assert "find=srv-2+jda" in page.url
    page.get_by_label("Find").fill("srv-2")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/cases/C-"))
    expect(page.locator(".lead")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page).to_have_url(re.compile("/cases$"))
    expect(page.locator("tbody tr")).to_have_count(3)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.get_by_label("Switch single keys off").check()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()


def test_many_are_dismissed_at_once_and_it_can_be_taken_back(house, reader):
    heat(house, "srv-1", "srv-2", "srv-3")
    page = reader()
    row(page, "srv-1").get_by_role("checkbox").check()
    row(page, "srv-2").get_by_role("checkbox").check()
    expect(page.locator(".picked")).to_have_text("2 selected")

    def dismiss():
        page.keyboard.press("d")
        dialog = page.get_by_role("dialog", name="Dismiss")
        expect(dialog).to_contain_text("Ends 2 cases")
        dialog.get_by_role("button", name="Dismiss").click()
        expect(dialog).to_be_visible()  # not without a reason
        dialog.get_by_label("Why there is no fault").fill("a test bench")
        dialog.get_by_role("button", name="Dismiss").click()
        expect(page.locator(".toast")).to_contain_text("2 dismissed.")

    dismiss()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("tr.gone")).to_have_count(0)
    assert house.states() == dict.fromkeys(("srv-1", "srv-2", "srv-3"), "suspected")
    if page.locator("tr.selected").count() == 0:
        row(page, "srv-1").get_by_role("checkbox").check()
        row(page, "srv-2").get_by_role("checkbox").check()
    dismiss()
    expect(page.locator(".toast")).to_have_count(0)
    go(page, "/cases?state=dismissed")
    expect(page.locator("tbody tr")).to_have_count(2)
    assert house.states() == {"srv-1": "dismissed", "srv-2": "dismissed", "srv-3": "suspected"}


def test_news_moves_no_row_under_the_pointer(house, reader):
    heat(house, "srv-1", "srv-2")
    page = reader()
    expect(page.locator("tbody tr")).to_have_count(2)
    heat(house, "srv-3")  # nobody is at work: it comes in
    expect(page.locator("tbody tr")).to_have_count(3)
    row(page, "srv-2").hover()
    before = names(page)
    place = row(page, "srv-2").bounding_box()
    house.reads("acme/appliance/wm-1", {"leak.detected": True})  # critical: it belongs to the top
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    assert names(page) == before
    assert row(page, "srv-2").bounding_box() == place
    page.keyboard.press("n")
    expect(page.locator("tbody tr")).to_have_count(4)
    expect(page.locator("tbody tr").first).to_contain_text("wm-1")


def test_a_viewer_may_look_and_is_told_why_not_more(house, reader):
    heat(house, "srv-1")
    (case,) = house.case_ids()
    page = reader("vera")
    expect(row(page, "srv-1")).to_be_visible()
    expect(page.get_by_text("To act on cases takes the role engineer")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    expect(page.locator("#main").get_by_role("button")).to_have_count(0)
    go(page, f"/cases/{case}")
    expect(page.get_by_text("To act on this case takes the role engineer")).to_be_visible()
    expect(page.locator("#main").get_by_role("button")).to_have_count(0)


def test_a_fault_is_understood_tested_and_confirmed(house, reader):
    page = reader()
    expect(page.get_by_text("No case is open.")).to_be_visible()
    heat(house, "srv-1")
    row(page, "srv-1").locator("a.row-link").click()
    expect(page.locator(".lead")).to_contain_text("on server srv-1 (acme). No order yet")
    expect(page.locator("figure.chart canvas").first).to_be_visible()
    test = page.locator(".act", has_text="Fan test")
    expect(test).to_contain_text("Asks the device to test itself")
    test.get_by_role("button").click()
    expect(page.locator(".probes .chip")).to_have_text("sent")
    expect(page.locator(".act", has_text="Fan test").first).to_contain_text("is under way")
    assert "fan.test" in house.asked()
    page.keyboard.press("o")
    dialog = page.get_by_role("dialog", name="Confirm")
    expect(dialog).to_contain_text("Opens an order and sends it to the repairer")
    dialog.get_by_role("button", name="Confirm").click()
    expect(page.locator(".title .chip")).to_have_text("confirmed")
    expect(page.locator(".lead")).to_contain_text("Its order is SO-")
    expect(page.locator(".ledger li").first).to_contain_text("anna")
    expect(page.locator(".act", has_text="Confirm…")).to_contain_text("is open")
    page.keyboard.press("c")
    page.get_by_role("dialog", name="Comment").get_by_label("Remark").fill("<b>called</b> the owner")
    page.get_by_role("dialog", name="Comment").get_by_role("button", name="Comment").click()
    expect(page.locator(".ledger")).to_contain_text("<b>called</b> the owner")
    page.get_by_label("Sequence").select_option("oldest")
    expect(page.locator(".ledger li").last).to_contain_text("<b>called</b> the owner")
    assert page.url.endswith("?story=oldest")


def test_the_page_heals_by_itself_when_the_connection_breaks(house, reader):
    heat(house, "srv-1")
    page = reader()
    expect(row(page, "srv-1")).to_be_visible()
    page.evaluate("window.socket.disconnect()")
    expect(page.locator("#popup")).to_have_attribute("aria-hidden", "false")
    expect(page.locator("#popup")).to_contain_text("Connection lost")
    heat(house, "srv-2")
    page.evaluate("window.socket.connect()")
    expect(row(page, "srv-2")).to_be_visible()
    expect(page.locator("#popup")).to_have_attribute("aria-hidden", "true")


def test_the_console_speaks_the_reader_s_language(house, reader):
    heat(house, "srv-1")
    page = reader(locale="de")
    assert page.locator("html").get_attribute("lang") == "de"
    expect(page.locator("tbody fw-time")).to_have_text(re.compile("^(jetzt|vor )"))
    page.locator("button.account").click()
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.locator("button.account").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")


def test_ten_thousand_open_cases_stay_quick(house, reader):
    """A page of them takes about as long as a page of a hundred: what is not shown costs next to nothing."""
    house.crowd(100)
    page = reader()
    weight = page.evaluate(WEIGHT)

    def looks():
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            go(page, "/cases")
            expect(page.locator("tbody tr")).to_have_count(100)
            took.append(time.perf_counter() - begun)
        return median(took)

    few = looks()
    house.crowd(10_000)
    many = looks()
    expect(page.locator(".summary")).to_contain_text("10,000 open")
    pressed = [page.evaluate(INTERACTION) for _ in range(40)]
    p95 = sorted(pressed)[int(len(pressed) * 0.95)]
    print(
        f"\npage of 100 cases: {few * 1000:.0f} ms, of 10,000: {many * 1000:.0f} ms; "
        f"first content {weight['first']:.0f} ms; a key until drawn {p95:.0f} ms (p95); "
        f"{weight['requests']} requests, {weight['bytes'] / 1024:.0f} KiB"
    )
    assert many < 4 * few
    page.get_by_role("link", name="The next 100").click()
    expect(page.locator("tbody tr")).to_have_count(100)
    expect(page.locator(".summary")).to_contain_text("10,000 open")


INTERACTION = """() => new Promise((done) => {
  const begun = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
})"""

WEIGHT = """() => {
  const loaded = [performance.getEntriesByType("navigation")[0], ...performance.getEntriesByType("resource")];
  return {
    first: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    requests: loaded.length,
    bytes: loaded.reduce((sum, one) => sum + (one.encodedBodySize ?? 0), 0),
  };
}"""
