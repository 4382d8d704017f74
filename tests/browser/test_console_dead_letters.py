"""The page of dead letters: why each was given up, what it holds as text, and sending it again."""

import pytest
from browser.console_courses import MARKUP
from playwright.sync_api import expect

from gateway.ports import Outcome

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def letters(served):
    """The seeded orders, refused by a system that answers with markup."""
    outbox = served.site.outbox
    outbox.share_out({"crm": "*"})
    now = served.site.clock.now()
    owed = outbox.due(2**60, {"crm": 1000}, [])
    detail = f"answered 422: {MARKUP}"
    outbox.settle([Outcome(each, "dead", now, attempts=1, detail=detail) for each in owed])
    return owed


def test_a_dead_letter_is_understood_and_sent_again(served, letters, page):
    order_id = letters[0].order_id
    page.goto(f"{served.base}/dead-letters?order={order_id}")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("answered 422")
    expect(page.get_by_text("window.pwned=1").first).to_be_visible()
    rows.locator("summary").click()
    expect(rows.locator("pre")).to_contain_text(f'"order_id": "{order_id}"')
    rows.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("No delivery is like this.")).to_be_visible()
    page.get_by_label("State").select_option("waiting")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("on its way")
    assert "state=waiting" in page.url
    assert page.evaluate("window.pwned") is None


def test_all_that_are_shown_are_sent_again_and_opened_rows_stay(served, letters, page):
    page.goto(f"{served.base}/dead-letters")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(len({each.order_id for each in letters}) - 1)
    last = rows.last
    last.locator("summary").click()
    served.site.outbox.retry(numbers=[letters[-1].number])
    expect(rows).to_have_count(len({each.order_id for each in letters}) - 2)
    expect(rows.last.locator("pre")).to_be_visible()
    page.get_by_role("button", name="Send all again").click()
    expect(page.get_by_text("No dead letters")).to_be_visible()
