"""The routes of the login page and the trail's export, without a browser."""

import csv
import io
from contextlib import ExitStack

import pytest
from access_site import NOW, PASSWORD, open_house

from gateway.access.records import Deed
from gateway.console.pages.login import own_path, router


@pytest.fixture
def house(tmp_path):
    with ExitStack() as stack:
        opened = open_house(tmp_path, stack)
        opened.app.include_router(router)
        yield opened


@pytest.mark.parametrize(
    "path",
    [
        None, "", "cases", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)",
        "/login?next=/login", "/logout", "/a\r\nSet-Cookie: x=y", "/" + "a" * 3_000,
    ],
)  # fmt: skip
def test_a_login_leads_nowhere_else(path):
    assert own_path(path) == "/"


def test_a_login_leads_back_to_where_it_was_asked_for():
    assert own_path("/cases?state=open&find=a%20b") == "/cases?state=open&find=a%20b"


async def test_the_form_speaks_the_browser_s_language_and_shows_nothing_as_markup(house):
    house.account("ada")
    async with house.client() as client:
        given = {"name": '"><script>x</script>', "password": "wrong", "next": '/"><b>'}
        page = await client.post("/login", data=given, headers={"accept-language": "de-AT"})
        assert page.status_code == 401
        assert "Der Name oder das Passwort ist falsch." in page.text
        assert "<script>x" not in page.text
        assert "<b>" not in page.text
        strange = await client.post("/login", data=given, headers={"sec-fetch-site": "cross-site"})
        assert strange.status_code == 403
        large = await client.post("/login", content=b"name=" + b"a" * 10_000)
        assert large.status_code == 413
        let_in = await client.post("/login", data={"name": "ADA", "password": PASSWORD, "next": "/orders"})
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/orders")
        assert (await client.get("/api/v1/me")).json()["name"] == "ada"


async def test_the_trail_s_table_holds_no_formulas_and_is_read_by_admins(house):
    house.account("ada")
    house.account("vera", {"acme": "viewer"})
    house.people.record([Deed(NOW, "=cmd()", None, "look", "order:SO-1", "acme", "", {"why": '"a",b'})])
    ada, vera = await house.logged_in("ada"), await house.logged_in("vera")
    table = await ada.get("/audit.csv", params={"object": "order:*"})
    _, row = csv.reader(io.StringIO(table.text))
    assert row == ["2026-01-01T00:00:00Z", "'=cmd()", "look", "order:SO-1", "acme", "", 'why: "a",b']
    assert (await vera.get("/audit.csv")).status_code == 403
