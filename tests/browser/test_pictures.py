"""Every page in both themes at two widths, four looks on one sheet: to be looked at, and kept in docs/."""

import io
import os
import re
from pathlib import Path

import pytest
from browser.test_accessibility import ADDRESSES
from browser.test_budget import NOTHING
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SHEETS = Path(__file__).parents[2] / "docs" / "images" / "pages"

#: Rules and packs have pictures of their own, from a gateway at work (test_rules_page.py).
EMPTY = (*NOTHING, "/rules")

#: (theme, width): a desk beside a phone, light above dark.
LOOKS = [("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)]
HEIGHT = 844
#: Sheets are half as large as the screen, and of few colours, so that all of them are a megabyte or two.
SCALE = 2
COLOURS = 64
GAP = 12


def look(served, chromium, path, theme, width):
    """Return a page as its reader sees it."""
    context = chromium.new_context(
        base_url=served.base, viewport={"width": width, "height": HEIGHT}, color_scheme=theme
    )
    context.set_default_timeout(20_000)
    try:
        page = context.new_page()
        page.goto(path)
        page.wait_for_function("window.did_handshake === true")
        expect(page.locator("#main h1").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        return Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    finally:
        context.close()


@pytest.mark.skipif(not os.environ.get("FOREWARN_SCREENSHOTS"), reason="taken by make screenshots")
@pytest.mark.parametrize("path", [path for path in ADDRESSES if path not in EMPTY])
def test_pictures_of_every_page(served, chromium, path):
    looks = [look(served, chromium, path, theme, width) for theme, width in LOOKS]
    looks = [one.resize((one.width // SCALE, one.height // SCALE), Image.Resampling.LANCZOS) for one in looks]
    wide, narrow = looks[0].width, looks[1].width
    sheet = Image.new("RGB", (wide + narrow + GAP, 2 * looks[0].height + GAP), "#808080")
    for number, one in enumerate(looks):
        sheet.paste(one, ((number % 2) * (wide + GAP), (number // 2) * (one.height + GAP)))
    SHEETS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")
    sheet.quantize(COLOURS).save(SHEETS / f"{name}.png", optimize=True)
