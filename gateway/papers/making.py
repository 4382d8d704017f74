"""Each paper by its name."""

from collections.abc import Callable
from enum import StrEnum
from importlib import import_module

from gateway.papers.dossier import Dossier
from gateway.papers.repairform import RepairForm, repair_form
from gateway.papers.sheet import Sheet, sheet_of
from gateway.papers.webpages import form_html, order_html

#: Loaded with the first PDF: half a second and 30 MB that a gateway which prints nothing does without.
PDF_MODULE = "gateway.papers.pdf"


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
        order_pdf: Callable[[Sheet, Dossier], bytes] = import_module(PDF_MODULE).order_pdf
        return order_pdf(sheet_of(dossier), dossier)
    if paper is Paper.HTML:
        return order_html(sheet_of(dossier), dossier).encode("utf-8", "replace")
    form = repair_form(dossier)
    if paper is Paper.ERIF_PDF:
        form_pdf: Callable[[RepairForm, int], bytes] = import_module(PDF_MODULE).form_pdf
        return form_pdf(form, dossier.printed_at)
    return form_html(form).encode("utf-8", "replace")
