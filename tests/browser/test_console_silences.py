"""The silences in a real browser: one that is asked for appears, strings are shown and never interpreted."""

import pytest
from browser.console_courses import NOW
from playwright.sync_api import expect

from diagnostics.silences import Silence, SilenceMatch
from gateway.ports import LedgerWrite
from rules.times import HOUR_MS

pytestmark = pytest.mark.browser

PAYLOAD = "<img src=x onerror=window.pwned=1>"


def silence(number, **more):
    return Silence(
        **{
            "silence_id": f"S-{number}",
            "tenant": "acme",
            "match": SilenceMatch(model="WM-5*"),
            "starts": NOW - HOUR_MS,
            "ends": NOW + HOUR_MS,
            "note": f"recall {PAYLOAD}",
            "created_at": NOW - HOUR_MS,
            "created_by": "anna",
            **more,
        }
    )


def test_a_silence_that_is_asked_for_appears_and_those_that_are_over_are_kept(served, page):
    page.goto("/silences")
    expect(page.get_by_text("Nothing is silenced")).to_be_visible()
    over = silence(2, ended_at=NOW, ended_by="bert", end_note="all done")
    served.site.ledger.commit(LedgerWrite(silences=[silence(1), over]))
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("model WM-5*")
    expect(row).to_contain_text(PAYLOAD)
    assert page.evaluate("window.pwned") is None
    page.get_by_label("State").select_option("expired")
    expect(row).to_contain_text("ended by bert")
    expect(page).to_have_url("/silences?state=expired")
