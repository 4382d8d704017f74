"""Every page by axe-core: nothing serious, in both themes, on a desk and on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"

#: Every page stands here once, by an address at which it has something to show.
ADDRESSES = [
    "/cases",
    "/cases?state=refuted&severity=critical",
    "/cases/case-srv-014-disk-media_wear?over=disk.temperature@sdb",
    "/cases/case-washer-007-washer-not_draining",
    "/orders",
    "/orders/SO-9C41QD",
    "/devices",
    "/devices?state=cases",
    "/devices/acme/server/srv-014",
    "/fleet",
    "/fleet?by=firmware&window=30d",
    "/rules",
    "/rules/pending_sectors_growing",
    "/packs",
    "/quarantine",
    "/dead-letters",
    "/silences",
    "/account",
    "/nothing/here",
]

#: (theme, width of the window): each theme once, each width once.
LOOKS = [("light", 1280), ("dark", 390)]

SERIOUS = ("serious", "critical")

RUN = """() => axe.run(document, {
  resultTypes: ["violations"],
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
})"""


@pytest.fixture(scope="module")
def axe():
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make tests/browser/node_modules/.installed")
    return AXE.read_text(encoding="utf-8")


def seen(page, axe, path):
    """Open a page, wait until it is filled, and return what axe has to say."""
    page.goto(path)
    expect(page.locator(".pill.good")).to_be_attached()
    page.wait_for_function("window.did_handshake === true")
    if page.locator("figure.chart").count():
        expect(page.locator("figure.chart canvas").first).to_be_visible()
    page.evaluate(axe)
    return page.evaluate(RUN)["violations"]


def said(violations):
    """Return what is serious, as one reads it."""
    return [
        f"{one['id']}: {one['help']}\n"
        + "\n".join(f"    {node['html'][:160]}\n    {node['failureSummary'][:300]}" for node in one["nodes"])
        for one in violations
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize(("theme", "width"), LOOKS)
@pytest.mark.parametrize("path", ADDRESSES)
def test_a_page_has_no_serious_finding(served, chromium, axe, path, theme, width):
    context = chromium.new_context(
        base_url=served.base, viewport={"width": width, "height": 844}, color_scheme=theme
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    try:
        found = said(seen(page, axe, path))
        sideways = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    finally:
        context.close()
    assert not found, "\n".join(found)
    assert sideways <= 0, f"the page is {sideways} pixels wider than the window"


def test_what_opens_has_no_serious_finding_either(served, page, axe):
    seen(page, axe, "/cases")
    page.locator("button.account").click()
    assert not said(page.evaluate(RUN)["violations"])
    page.keyboard.press("Escape")
    for key in ("?", "s"):
        page.keyboard.press("j")
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        assert not said(page.evaluate(RUN)["violations"])
        page.keyboard.press("Escape")
