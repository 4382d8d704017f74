"""The way in and out in a real browser, and the pages of accounts."""

import re

import pytest
from playwright.sync_api import expect

from gateway.access.accounts import COMMAND_LINE

pytestmark = pytest.mark.browser

TIMEOUT = 20_000
PASSWORD = "correct horse battery"
#: A browser elsewhere, whom the open door of this machine does not let in.
ELSEWHERE = {"x-forwarded-for": "192.0.2.7"}
expect.set_options(timeout=TIMEOUT)


@pytest.fixture(scope="module")
def accounts(served):
    accounts = served.access.accounts
    for name, grants in (("ada", {"*": "admin"}), ("vera", {"acme": "viewer"})):
        accounts.make(COMMAND_LINE, name, grants=grants, display_name=name.title(), password=PASSWORD)
    return accounts


@pytest.fixture
def elsewhere(chromium, served, accounts):
    """Return what opens a browser of somebody who has to log in."""
    contexts = []

    def opened():
        context = chromium.new_context(base_url=served.base, extra_http_headers=ELSEWHERE)
        context.set_default_timeout(TIMEOUT)
        contexts.append(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()


def log_in(page, name="ada", password=PASSWORD, to="/cases"):
    page.goto(to)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def connected(page):
    page.wait_for_function("window.did_handshake === true")
    return page


def test_who_is_not_logged_in_is_sent_to_the_form_and_back(elsewhere):
    page = elsewhere()
    page.goto("/cases?state=refuted")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    log_in(page, to=page.url, password="not this one")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile(r"/cases\?state=refuted$"))
    expect(connected(page).locator(".account .who")).to_have_text("ada")


def test_the_form_works_without_scripts(chromium, served, accounts):
    context = chromium.new_context(
        base_url=served.base, java_script_enabled=False, extra_http_headers=ELSEWHERE
    )
    page = context.new_page()
    log_in(page)
    expect(page).to_have_url(re.compile("/cases$"))
    context.close()


def test_nothing_leads_out_of_the_house(elsewhere):
    page = elsewhere()
    log_in(page, to="/login?next=//evil.example/")
    expect(page).to_have_url(re.compile(r"http://127\.0\.0\.1:\d+/$"))


def test_logging_out_ends_every_page_of_the_login(elsewhere):
    page = elsewhere()
    log_in(page)
    other = page.context.new_page()
    other.goto("/orders")
    connected(other)
    connected(page).locator("button.account").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login"))
    expect(other).to_have_url(re.compile(r"/login\?next=%2Forders"))


def test_a_login_that_is_ended_elsewhere_ends_its_pages(elsewhere, accounts):
    accounts.make(COMMAND_LINE, "kim", grants={"acme": "engineer"}, password=PASSWORD)
    page = elsewhere()
    log_in(page, "kim")
    expect(connected(page).locator(".account .who")).to_have_text("kim")
    accounts.disable(COMMAND_LINE, "kim")
    expect(page).to_have_url(re.compile("/login"))


def test_other_rights_draw_the_page_anew(elsewhere, accounts):
    accounts.make(COMMAND_LINE, "noor", grants={"acme": "viewer"}, password=PASSWORD)
    page = elsewhere()
    log_in(page, "noor", to="/cases")
    connected(page).locator("button.account").click()
    expect(page.get_by_role("link", name="Accounts")).to_have_count(0)
    accounts.grant(COMMAND_LINE, "noor", {"acme": "admin"})
    expect(page.locator("#account")).to_be_hidden()
    connected(page).locator("button.account").click()
    expect(page.get_by_role("link", name="Accounts")).to_be_visible()


def test_a_viewer_sees_to_no_accounts(elsewhere):
    page = elsewhere()
    log_in(page, "vera", to="/accounts")
    expect(connected(page).get_by_text("Accounts are seen to by admins.")).to_be_visible()
    expect(page.locator("table")).to_have_count(0)
    page.goto("/audit")
    expect(page.get_by_text("The audit trail is read by admins.")).to_be_visible()


def test_an_account_is_made_used_and_found_in_the_trail(elsewhere):
    admin = elsewhere()
    log_in(admin, to="/accounts")
    new = connected(admin).locator("section", has=admin.get_by_role("heading", name="New account"))
    new.get_by_label("Name").fill("max")
    new.get_by_label("Tenant").fill("acme")
    new.get_by_label("Role").select_option("engineer")
    new.get_by_role("button", name="Make the account").click()
    temporary = new.locator(".secret code").text_content()

    page = elsewhere()
    log_in(page, "max", temporary)
    expect(page).to_have_url(re.compile("/account$"))
    connected(page)
    page.get_by_label("Present password").fill(temporary)
    page.get_by_label("New password", exact=True).fill("another good one")
    page.get_by_label("New password, again").fill("another good one")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("heading", name="Tokens")).to_be_visible()
    connected(page)
    page.get_by_label("What it is for").fill("reports")
    page.get_by_role("checkbox", name="read").check()
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator(".secret code")).to_have_text(re.compile("^fwt_"))
    page.locator("select[name=language]").select_option("de")
    with page.expect_event("load"):
        page.get_by_role("button", name="Keep").click()
    expect(page.locator("select[name=language]")).to_have_value("de")

    admin.goto("/audit?object=account:max")
    expect(connected(admin).locator("tbody tr")).to_have_count(3)  # made, another password, a language
    expect(admin.locator("tbody")).to_contain_text("account.make")
    with admin.expect_download() as started:
        admin.get_by_role("link", name="Export as CSV").click()
    lines = started.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("at,who,what")
    assert len(lines) == 4
