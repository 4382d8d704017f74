"""Each paper by its name."""

from enum import StrEnum

from gateway.papers.dossier import Dossier
from gateway.papers.pdf import form_pdf, order_pdf
from gateway.papers.repairform import repair_form
from gateway.papers.sheet import sheet_of
from gateway.papers.webpages import form_html, order_html


class Paper(StrEnum):
    """The papers of an order; ``erif`` is the European Repair Information Form."""

    PDF = "pdf"
    HTML = "html"
    ERIF = "erif"
    ERIF_PDF = "erif-pdf"

    @property
    def suffix(self) -> str:
        """How a file of it is named behind the order's number."""
        return {
            Paper.PDF: ".pdf",
            Paper.HTML: ".html",
            Paper.ERIF: "-repair-form.html",
            Paper.ERIF_PDF: "-repair-form.pdf",
        }[self]


def made(paper: Paper, dossier: Dossier) -> bytes:
    """Return a paper; HTML is UTF-8."""
    if paper is Paper.PDF:
        return order_pdf(sheet_of(dossier), dossier)
    if paper is Paper.HTML:
        return order_html(sheet_of(dossier), dossier).encode("utf-8", "replace")
    form = repair_form(dossier)
    if paper is Paper.ERIF_PDF:
        return form_pdf(form, dossier.printed_at)
    return form_html(form).encode("utf-8", "replace")
