"""Papers by HTTP, over real stores."""

import io
from contextlib import ExitStack

import pytest
from browser.console_courses import MARKUP
from browser.site import Site, open_site
from pypdf import PdfReader


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with ExitStack() as stack:
        yield open_site(tmp_path_factory.mktemp("papers"), stack)


async def get(site: Site, path, status=200):
    async with site.client() as client:
        answer = await client.get(f"/api/v1/orders/{path}")
    assert answer.status_code == status, answer.text
    return answer


async def test_every_order_has_its_page(site):
    for order in site.ledger.orders(limit=5).items:
        answer = await get(site, f"{order.order_id}/paper.pdf")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == f'inline; filename="{order.order_id}.pdf"'
        (page,) = PdfReader(io.BytesIO(answer.content)).pages
        assert order.order_id in page.extract_text()


async def test_the_chart_comes_from_the_history(site):
    answer = await get(site, "SO-9C41QD/paper.html")
    assert "limit 8 °C" in answer.text
    assert answer.text.count("<polyline") > 10


async def test_html_is_let_style_itself_and_nothing_else(site):
    for paper in ("paper.html", "repair-form.html"):
        answer = await get(site, f"SO-9C41QD/{paper}")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert policy == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        assert answer.headers["cache-control"] == "no-store"
        assert MARKUP not in answer.text


async def test_the_repair_form_is_a_page_to_print_too(site):
    answer = await get(site, "SO-9C41QD/repair-form.pdf")
    (page,) = PdfReader(io.BytesIO(answer.content)).pages
    assert "European Repair Information Form" in page.extract_text()


@pytest.mark.parametrize("paper", ["paper.pdf", "paper.html", "repair-form.html", "repair-form.pdf"])
async def test_an_order_that_is_none_is_a_problem_document(site, paper):
    answer = await get(site, f"SO-NONE/{paper}", 404)
    assert answer.json()["detail"] == "there is no order SO-NONE"
