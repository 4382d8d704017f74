"""The routes by which cases are listed, counted and compared."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from gateway.api.casefile import CaseCountsDocument, SimilarCaseDocument, SimilarCasesDocument
from gateway.api.documents import CaseDocument, PageDocument
from gateway.api.parameters import Cursor, Limit
from gateway.api.problems import Problem, ProblemError
from gateway.api.routes import LOOKS, Reads
from gateway.ports import CaseFilters

router = APIRouter(
    prefix="/api/v1", responses={422: {"description": "Something in the request is wrong", "model": Problem}}
)

_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such case", "model": Problem}
}


def _filters(
    *,
    state: Literal["open", "suspected", "confirmed", "refuted", "cleared", "dismissed"] | None = None,
    severity: Literal["minor", "major", "critical"] | None = None,
    tenant: str | None = None,
    device_class: Annotated[str | None, Query(alias="class")] = None,
    device: Annotated[
        str | None, Query(description="`tenant/class/device`, or a name that is unique")
    ] = None,
    model: str | None = None,
    site: str | None = None,
    fault: str | None = None,
    reason: Annotated[str | None, Query(description="the last reason: `waiting_confirmation`")] = None,
    assignee: Annotated[str | None, Query(description="who looks after it; empty for nobody")] = None,
    acknowledged: Annotated[bool | None, Query(description="whether somebody has seen it")] = None,
    find: Annotated[
        str | None,
        Query(description="words of device, model, site, fault, title, assignee or number", max_length=200),
    ] = None,
) -> CaseFilters:
    return CaseFilters(
        state=state,
        severity=severity,
        tenant=tenant,
        device_class=device_class,
        device=device,
        model=model,
        site=site,
        fault=fault,
        reason=reason,
        assignee=assignee,
        acknowledged=acknowledged,
        find=find,
    )


Filters = Annotated[CaseFilters, Depends(_filters)]


@router.get("/cases", tags=["cases"], dependencies=[LOOKS])
def list_cases(
    *,
    reads: Reads,
    filters: Filters,
    order: Annotated[
        Literal["newest", "urgency"], Query(description="`urgency`: by severity, then the oldest first")
    ] = "newest",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageDocument[CaseDocument]:
    """List cases, newest first or by urgency. `open` is suspected or confirmed."""
    page = reads.cases(order=order, cursor=cursor, limit=limit, **filters)
    return PageDocument(items=[CaseDocument.of(case) for case in page.items], next=page.next)


@router.get("/cases/counts", tags=["cases"], dependencies=[LOOKS])
def show_case_counts(reads: Reads, filters: Filters) -> CaseCountsDocument:
    """Count the cases that the filters let through, in all and by what they have in common."""
    return CaseCountsDocument.of(reads.count_cases(**filters))


@router.get("/cases/{case_id}/similar", tags=["cases"], dependencies=[LOOKS], responses=_NOT_FOUND)
def list_similar_cases(
    reads: Reads, case_id: str, limit: Annotated[int, Query(ge=1, le=50)] = 10
) -> SimilarCasesDocument:
    """List earlier cases of the same fault and brand, same model first, with what was found then."""
    case = reads.ledger.case(case_id)
    if case is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no case {case_id}")
    found = reads.similar_cases(case, limit)
    return SimilarCasesDocument(items=[SimilarCaseDocument.of(similar) for similar in found])
