"""The page of the fleet, and its tables as CSV."""

import csv
import io
import re
from dataclasses import replace

import pytest
from browser.console_courses import LAPTOP, MARKUP, NOW
from playwright.sync_api import expect

from gateway.ports import LedgerWrite

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)


def opened(page, path):
    page.goto(path)
    page.wait_for_function("window.did_handshake === true")


def test_the_fleet_is_told_by_model_and_by_what_the_address_says(served, page):
    opened(page, "/fleet")
    health = page.get_by_role("table", name="Health")
    expect(health.locator("tr", has_text="PowerEdge R760")).to_contain_text("server")
    expect(page.get_by_role("table", name="Noisy rules")).to_contain_text("pending_sectors_growing")
    expect(page.get_by_role("list", name="Orders by the time")).to_contain_text("under 1 h")
    page.get_by_label("Devices by").select_option("firmware")
    expect(health.get_by_role("columnheader", name="Firmware")).to_be_visible()
    page.get_by_label("Window").select_option("7d")
    expect(page).to_have_url(re.compile(r"by=firmware&window=7d$"))
    page.get_by_label("Brand").select_option("nordfrost")
    expect(health.locator("tr", has_text="acme")).to_have_count(0)
    opened(page, page.url)
    expect(page.get_by_label("Devices by")).to_have_value("firmware")
    expect(page.get_by_label("Brand")).to_have_value("nordfrost")


def test_a_table_is_downloaded_and_no_cell_of_it_is_a_formula(served, page):
    record = served.site.ledger.device(LAPTOP)
    facts = {**record.facts, "model": "=cmd()|'/c calc'!A1", "firmware": f"\t{MARKUP}"}
    served.site.ledger.commit(LedgerWrite(devices=[replace(record, facts=facts, last_seen=NOW + 1)]))
    try:
        opened(page, "/fleet?by=firmware")
        expect(page.get_by_role("table", name="Health")).to_be_visible()
        with page.expect_download() as downloading:
            page.get_by_role("link", name="Health as CSV").click()
        path = downloading.value.path()
        rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))
        row = next(row for row in rows if "cmd()" in row["model"])
        assert row["model"] == "'=cmd()|'/c calc'!A1"
        assert row["firmware"] == f"'\t{MARKUP}"
        cells = [cell for row in rows for cell in row.values()]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    finally:
        served.site.ledger.commit(LedgerWrite(devices=[replace(record, last_seen=NOW + 2)]))
