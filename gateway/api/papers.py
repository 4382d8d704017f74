"""The papers of an order: one page for the technician, and the European Repair Information Form."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from gateway.api.problems import Problem, ProblemError
from gateway.api.queries import Queries
from gateway.api.routes import LOOKS, Reads
from gateway.papers.dossier import gather
from gateway.papers.making import Paper, made
from gateway.papers.webpages import POLICY

_RESPONSES: dict[int | str, dict[str, object]] = {
    404: {"description": "There is no such thing", "model": Problem},
    422: {"description": "Something in the request is wrong", "model": Problem},
}

router = APIRouter(prefix="/api/v1/orders/{order_id}", tags=["orders"], responses=_RESPONSES)


class PdfResponse(Response):
    """A PDF."""

    media_type = "application/pdf"


@router.get("/paper.pdf", response_class=PdfResponse, dependencies=[LOOKS])
def order_as_pdf(reads: Reads, order_id: str) -> Response:
    """Give an order and its evidence as a page to print."""
    return _answer(reads, order_id, Paper.PDF)


@router.get("/paper.html", response_class=HTMLResponse, dependencies=[LOOKS])
def order_as_html(reads: Reads, order_id: str) -> Response:
    """Give an order and its evidence as a page of its own, without scripts."""
    return _answer(reads, order_id, Paper.HTML)


@router.get("/repair-form.html", response_class=HTMLResponse, dependencies=[LOOKS])
def repair_form_as_html(reads: Reads, order_id: str) -> Response:
    """Give the European Repair Information Form of an order, filled in as far as the order goes."""
    return _answer(reads, order_id, Paper.ERIF)


@router.get("/repair-form.pdf", response_class=PdfResponse, dependencies=[LOOKS])
def repair_form_as_pdf(reads: Reads, order_id: str) -> Response:
    """Give the European Repair Information Form of an order as a page to print."""
    return _answer(reads, order_id, Paper.ERIF_PDF)


def _answer(reads: Queries, order_id: str, paper: Paper) -> Response:
    order = reads.order(order_id)
    if order is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no order {order_id}")
    dossier = gather(order, reads.ledger, reads.history.telemetry, reads.catalogue, now=reads.now())
    data = made(paper, dossier)
    if paper in (Paper.PDF, Paper.ERIF_PDF):
        name = f"{order.order_id}{paper.suffix}".encode("ascii", "replace").decode("ascii")
        disposition = f'inline; filename="{name}"'
        return PdfResponse(data, headers={"Content-Disposition": disposition})
    return HTMLResponse(data, headers={"Content-Security-Policy": POLICY})
