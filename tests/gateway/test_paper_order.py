"""The order on one page: what stands there, that it is one page whatever comes, and that texts stay texts."""

import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_orders import CONSOLE, dossier_of, drive_order, no_readings
from pypdf import PdfReader

from gateway.papers.making import Paper, made
from gateway.papers.sheet import sheet_of

MARKUP = "<script>alert(1)</script><b onclick=x>&amp;\"'=1+1"


def pages(data):
    return [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]


def page(data):
    (only,) = pages(data)
    return " ".join(only.split())


class Outline(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.texts = set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)


def outline(data):
    parsed = Outline()
    parsed.feed(data.decode())
    return parsed


def many_parts(number):
    part = {"part": "ACME-HDD-4T", "title": "Drive 4 TB SATA", "quantity": 2, "warehouse": "WH-Kassel"}
    return [part | {"part": f"ACME-{n:03}", "in_stock": n % 2 == 0} for n in range(number)]


@pytest.fixture(scope="module")
def dossier(tmp_path_factory):
    return dossier_of(drive_order(), tmp_path_factory.mktemp("papers"))


def test_the_page_has_what_a_technician_needs(dossier):
    text = page(made(Paper.PDF, dossier))
    order = dossier.order
    for told in (
        order.fault.title, order.order_id, "The drive loses sectors (disk sda).",  # what
        "R740", "SRV0001", "ZC1ABC", "disk sda",  # of what
        "Uhrwerk Jura AG", "it@uhrwerk.example.com", "2502 Biel/Bienne, CH", "Keller IT Biel",  # where, who
        "24", "limit 0", "Disk self test: failed",  # why
        "Drive 4 TB SATA", "ACME-HDD-4T", "WH-Kassel", "in stock",  # what to bring
        "contract", "SV-4711", "149.90",  # who pays
        "suspected", "confirmed",  # the chart
        f"{CONSOLE}/orders/{order.order_id}",
    ):  # fmt: skip
        assert told in text, told


def test_times_are_those_of_the_site_and_say_so(dossier):
    text = page(made(Paper.PDF, dossier))
    assert "opened 2026-01-01 01:10" in text  # 00:10 UTC
    assert "All times: Europe/Zurich" in text
    assert "00:10" not in text.replace("01:10", "")


def test_without_a_known_zone_times_are_utc_and_say_why(tmp_path):
    order = drive_order(customer={"time_zone": None})
    text = page(made(Paper.PDF, dossier_of(order, tmp_path)))
    assert "opened 2026-01-01 00:10" in text
    assert "UTC, as the site's time zone is unknown" in text


def test_the_chart_is_drawn_in_vectors(dossier):
    reader = PdfReader(io.BytesIO(made(Paper.PDF, dossier)))
    assert not reader.pages[0].images
    lines = re.findall(rb" l\b", reader.pages[0].get_contents().get_data())
    assert len(lines) > 40  # a step a minute
    html = made(Paper.HTML, dossier).decode()
    assert "<polyline" in html
    assert "<img" not in html


def test_without_readings_the_page_says_so(tmp_path):
    dossier = dossier_of(drive_order(), tmp_path, no_readings)
    assert "No reading of it is stored around the onset." in page(made(Paper.PDF, dossier))
    assert "No reading of it is stored" in made(Paper.HTML, dossier).decode()


def test_what_is_missing_stands_with_its_reason(tmp_path):
    order = drive_order(
        customer={"contact": None}, missing=[{"field": "customer.contact", "why": "the owner gave none"}]
    )
    text = page(made(Paper.PDF, dossier_of(order, tmp_path)))
    assert "Contact not known" in text
    assert "Customer contact the owner gave none" in text


def test_twenty_parts_and_long_texts_stay_on_one_page_which_says_what_it_left_out(tmp_path):
    long = "a very long text that somebody wrote " * 40
    order = drive_order(
        parts=many_parts(20),
        fault={"title": long, "danger": True},
        device={"model": "M" * 500, "serial": long, "firmware": long, "parent": long},
        site={"address": long},
        customer={"owner": long, "contact": long},
        diagnosis={
            "explanation": f"{long}. Seen: x. Rule r. {long}",
            "evidence": drive_order().document()["diagnosis"]["evidence"] * 12,
            "probes": drive_order().document()["diagnosis"]["probes"] * 12,
            "remedies": [{"action": long, "state": "proposed"}] * 12,
        },
        missing=[{"field": f"field.{n}", "why": f"{n} {long}"} for n in range(12)],
        entitlement={"coverage": long, "contract": long},
    )
    dossier = dossier_of(order, tmp_path)
    text = page(made(Paper.PDF, dossier))
    assert "(shortened)" in text
    left_out = int(re.search(r"shortened: (\d+) more parts", text)[1])
    shown = len(set(re.findall(r"ACME-\d{3}", text)))
    assert shown + left_out == 20
    assert shown >= 4
    assert "All times" in text
    html = made(Paper.HTML, dossier).decode()
    assert len(set(re.findall(r"ACME-\d{3}", html))) == 20
    assert "(shortened)" not in html
    assert len(pages(made(Paper.ERIF_PDF, dossier))) == 1


@given(st.text(max_size=200), st.integers(0, 40))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_gives_one_page(tmp_path, text, number):
    order = drive_order(
        device={"model": text, "serial": text}, site={"address": text}, parts=many_parts(number)
    )
    dossier = dossier_of(order, tmp_path)
    assert len(pages(made(Paper.PDF, dossier))) == 1
    made(Paper.HTML, dossier).decode("utf-8")


def test_german_greek_and_chinese_are_printed(tmp_path):
    order = drive_order(
        customer={"owner": "Größe & Söhne, Łódź, Αθήνα"}, site={"address": "北京市朝阳区建国路1号"}
    )
    text = page(made(Paper.PDF, dossier_of(order, tmp_path)))
    assert "Größe & Söhne, Łódź, Αθήνα" in text
    assert "北京市朝阳区建国路" in text.replace("\0", "")  # pypdf reads two bytes a character as two
    assert "do not have" not in text


def test_what_the_fonts_do_not_have_is_counted(tmp_path):
    order = drive_order(customer={"owner": "שלום"})
    dossier = dossier_of(order, tmp_path)
    assert "4 characters that the fonts of this page do not have" in page(made(Paper.PDF, dossier))
    assert "שלום" in made(Paper.HTML, dossier).decode()


def marked(value, name=""):
    """Return a document with markup in every text that a device or a registry wrote."""
    if isinstance(value, dict):
        return {key: marked(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [marked(inner, name) for inner in value]
    fixed = {"severity", "state", "at", "opened_at", "respond_by", "resolve_by", "payer", "status", "channel"}
    kept = fixed | {"case_id", "urgency", "class", "signal"}
    return f"{MARKUP}{value}" if isinstance(value, str) and name not in kept else value


@pytest.mark.parametrize("paper", [Paper.HTML, Paper.ERIF])
def test_markup_in_any_text_stays_text(dossier, paper, tmp_path):
    order = type(dossier.order).model_validate(marked(dossier.order.document()))
    hostile = dossier_of(order, tmp_path)
    clean, dirty = outline(made(paper, dossier)), outline(made(paper, hostile))
    assert dirty.tags <= clean.tags | {"a"}
    assert dirty.attributes <= clean.attributes
    assert not dirty.tags & {"script", "b", "img", "iframe"}
    assert "<script>alert(1)" in "".join(dirty.texts)


def test_a_link_that_is_no_web_address_is_no_link(dossier, tmp_path):
    order = drive_order(links={"console": "javascript:alert(1)"})
    html = made(Paper.HTML, dossier_of(order, tmp_path)).decode()
    assert "href" not in html


@pytest.mark.parametrize("paper", [Paper.HTML, Paper.ERIF])
def test_html_fetches_nothing_and_runs_nothing(dossier, paper):
    html = made(paper, dossier).decode()
    found = outline(html.encode())
    assert not found.tags & {"script", "link", "img", "iframe", "object"}
    assert "src" not in found.attributes
    assert "url(" not in html
    assert "default-src 'none'" in html


def test_controls_and_direction_marks_become_visible(tmp_path):
    order = drive_order(device={"model": "A\x1b[31m\u202eB\nC"})
    sheet = sheet_of(dossier_of(order, tmp_path))
    assert {fact.name: fact.value for fact in sheet.device}["Model"] == "A\ufffd[31m\ufffdB C"


def test_the_same_order_gives_the_same_bytes(dossier):
    for paper in Paper:
        assert made(paper, dossier) == made(paper, dossier)


def test_the_repair_form_fills_in_what_is_known_and_leaves_the_offer_to_the_repairer(dossier):
    text = page(made(Paper.ERIF_PDF, dossier))
    assert "Repairer Keller IT Biel" in text
    assert "serial number SRV0001" in text
    assert "Replacement of 1 x Drive 4 TB SATA (ACME-HDD-4T)" in text
    assert "At the consumer's: rue Centrale 4, 2502 Biel/Bienne, CH" in text
    for name in ("Price of the repair", "Time needed", "temporary replacement good", "Period of validity"):
        after = text.partition(name)[2]
        assert "the repairer's to state" in after[:120], name


def test_the_repair_form_guesses_no_place(tmp_path):
    order = drive_order(site={"address": None}, missing=[{"field": "site.address", "why": "no site"}])
    text = page(made(Paper.ERIF_PDF, dossier_of(order, tmp_path)))
    assert "At the consumer's" not in text
    assert "no site" in text
