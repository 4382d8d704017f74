"""The routes of the fleet's figures: each table as JSON or, by ``Accept`` or ``.csv``, as CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.callers import Caller
from gateway.api.documents import PageDocument
from gateway.api.fleet import (
    DEFAULT_WINDOW,
    Ask,
    By,
    DelayBarDocument,
    DelayDocument,
    Fleet,
    HealthDocument,
    NoisyRuleDocument,
    OutcomeDocument,
    Row,
)
from gateway.api.parameters import DurationParameter
from gateway.api.problems import Problem
from gateway.api.queries import Queries
from gateway.api.routes import LOOKS
from gateway.csv_cells import cell


class CsvResponse(Response):
    """A table."""

    media_type = "text/csv"


def csv_of(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a table (RFC 4180); text that a spreadsheet would work out is kept from it."""
    line = io.StringIO(newline="")
    writer = csv.writer(line, lineterminator="\r\n")
    for values in ([*columns], *([_value(row, name) for name in columns] for row in rows)):
        writer.writerow(map(cell, values))
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _value(row: Row, column: str) -> Any:
    value = getattr(row, "device_class" if column == "class" else column)
    return "" if value is None else value


router = APIRouter(
    prefix="/api/v1/fleet",
    tags=["fleet"],
    dependencies=[LOOKS],
    responses={422: {"description": "Something in the request is wrong", "model": Problem}},
)

WindowParameter = Annotated[DurationParameter, Query(description="up to now: `30d`, `90d`, `365d`")]
Tenant = Annotated[str | None, Query(description="only this one")]
Grouping = Annotated[By, Query(description="what makes devices alike")]


def _reads(
    request: Request, caller: Caller, window: WindowParameter = DEFAULT_WINDOW, tenant: Tenant = None
) -> "_Reading":
    queries = request.app.state.queries
    assert isinstance(queries, Queries)
    wants_csv = request.url.path.endswith(".csv") or _prefers_csv(request.headers.get("accept", ""))
    return _Reading(Fleet(queries.seen_by(caller)), Ask(window, tenant), wants_csv)


def _prefers_csv(accept: str) -> bool:
    """Say whether ``text/csv`` stands in an ``Accept`` header and JSON does not."""
    kinds = {kind.partition(";")[0].strip() for kind in accept.split(",")}
    return "text/csv" in kinds and "application/json" not in kinds


@dataclass(frozen=True)
class _Reading:
    """What a request asks of the fleet, and in which form."""

    fleet: Fleet
    ask: Ask
    wants_csv: bool

    def answer(self, name: str, kind: type[Row], rows: Sequence[Row]) -> Response:
        """Return rows as JSON or as a file."""
        if self.wants_csv:
            return CsvResponse(
                "".join(csv_of(kind.columns, rows)),
                headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Vary": "Accept"},
            )
        page = {"items": [row.model_dump(mode="json", by_alias=True) for row in rows], "next": None}
        return JSONResponse(page, headers={"Vary": "Accept"})


Reading = Annotated[_Reading, Depends(_reads)]


def health(reading: Reading, by: Grouping = "model") -> Response:
    """Show devices by model, firmware or site: how many, with open cases, confirmed faults, the worst one."""
    return reading.answer(f"health-by-{by}", HealthDocument, reading.fleet.health(reading.ask, by))


def rules(reading: Reading) -> Response:
    """Show what became of the cases of each rule; the noisiest first."""
    return reading.answer("rules", NoisyRuleDocument, reading.fleet.rules(reading.ask))


def outcomes(reading: Reading) -> Response:
    """Show what orders came to by fault, with the rates of no fault found and of redone repairs."""
    return reading.answer("outcomes", OutcomeDocument, reading.fleet.outcomes(reading.ask))


def delays(reading: Reading) -> Response:
    """Show the time from first suspicion to order by fault."""
    return reading.answer("delays", DelayDocument, reading.fleet.delays(reading.ask))


def delay_bars(reading: Reading) -> Response:
    """Show how many orders took how long from first suspicion to order."""
    return reading.answer("delay-bars", DelayBarDocument, reading.fleet.delay_bars(reading.ask))


#: The tables by name; each is there as JSON, and as CSV under the name with ``.csv``.
TABLES: dict[str, tuple[Callable[..., Response], type[PageDocument[Any]]]] = {
    "health": (health, PageDocument[HealthDocument]),
    "rules": (rules, PageDocument[NoisyRuleDocument]),
    "outcomes": (outcomes, PageDocument[OutcomeDocument]),
    "delays": (delays, PageDocument[DelayDocument]),
    "delay-bars": (delay_bars, PageDocument[DelayBarDocument]),
}

for _name, (_route, _page) in TABLES.items():
    router.add_api_route(
        f"/{_name}",
        _route,
        response_model=_page,
        name=f"fleet_{_name}",
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    router.add_api_route(
        f"/{_name}.csv",
        _route,
        response_class=CsvResponse,
        name=f"fleet_{_name}_csv",
    )
