"""The routes of the registry: its tables row by row, import, and the erasure of a person's data."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, RootModel

from gateway.access.principal import ALL_TENANTS, Principal, Role
from gateway.api.bodies import read_body
from gateway.api.callers import Caller
from gateway.api.documents import Document, PageDocument
from gateway.api.etags import NOT_MODIFIED, IfMatch, IfNoneMatch, etag_of, tagged, unchanged
from gateway.api.masking import mask
from gateway.api.parameters import Cursor, Limit
from gateway.api.problems import Problem, ProblemError, later
from gateway.api.queries import Queries
from gateway.api.rights import needed_in, needs, note_deed
from gateway.errors import UserError
from gateway.registry_desk import (
    KEYS,
    PERSONAL,
    InFileError,
    ReferredError,
    RegistryDesk,
    RegistryRow,
    RowError,
)
from gateway.registry_import import Report
from gateway.registry_rows import TABLES

#: Bytes of a file that is imported by HTTP; larger ones are for ``forewarn devices import``.
MOST_BYTES = 64 * 1024 * 1024
#: Lines of a report; it says how many more there are.
MOST_PROBLEMS = 1_000

LOOKS = needs(Role.VIEWER)
WRITES = needs(Role.ADMIN)

router = APIRouter(prefix="/api/v1/registry", tags=["registry"])

TableName = Literal[
    "tenants", "owners", "sites", "devices", "warranties", "parts", "stock", "repairers", "service_levels"
]


class TableDocument(Document):
    """A table of the registry."""

    table: str
    columns: list[str]
    required: list[str] = Field(description="columns that must be filled in")
    key: list[str] = Field(description="columns that name a row")
    personal: list[str] = Field(description="columns that hold personal data")


class RowDocument(Document):
    """A row of the registry: its cells as the CSV files have them, those that are filled in."""

    table: str
    id: str = Field(description="names the row in addresses")
    source: Literal["file", "database"] = Field(description="what stands in a file is changed there")
    tenants: list[str] | None = Field(description="whose it is; null concerns all tenants")
    masked: list[str] = Field(description="columns of which the caller sees the first letter")
    values: dict[str, str]


class ImportDocument(Document):
    """What became of an import."""

    taken: int
    refused: int
    problems: list[str] = Field(
        description="a line each: file, line, column, what was expected, what stood there"
    )
    more_problems: int = Field(description="how many are not listed")

    @classmethod
    def of(cls, table: str, report: Report) -> Self:
        """Return the document of a report."""
        shown = report.problems[:MOST_PROBLEMS]
        more = len(report.problems) - len(shown)
        return cls(
            taken=report.taken.get(table, 0), refused=report.refused, problems=shown, more_problems=more
        )


class ErasedDocument(Document):
    """What was erased with a person; devices, readings, cases and repairs stay."""

    owner: str
    sites: list[str] = Field(description="that lost their address")
    shared: list[str] = Field(description="sites where others' devices stand; their addresses stay")
    orders: int = Field(description="that lost name, contact, addresses and texts")


class RowBody(RootModel[dict[str, str | bool | int | float | list[str] | None]]):
    """A row by its columns, as in a file that is imported."""


class Clerk:
    """The registry as one caller may work on it."""

    def __init__(self, request: Request, caller: Caller) -> None:
        desk: RegistryDesk | None = request.app.state.registry
        if desk is None:
            raise later("no registry is at work here")
        queries = request.app.state.queries
        assert isinstance(queries, Queries)
        self.desk, self.caller, self._trail, self.request = desk, caller, queries.trail, request

    def sees(self, row: RegistryRow) -> bool:
        """Say whether a row is there for the caller."""
        tenants = self.caller.tenants()
        return tenants is None or row.tenants is None or not row.tenants.isdisjoint(tenants)

    def row(self, table: str, row_id: str) -> RegistryRow:
        """Return a row that is there for the caller.

        Raises:
            ProblemError: 404.
        """
        found = self.desk.find(table, row_id)
        if found is None or not self.sees(found):
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no row {row_id} in {table}")
        return found

    def may_write(self, row: RegistryRow) -> None:
        """See to it that the caller is an admin of all whose row it is.

        Raises:
            ProblemError: 403.
        """
        for tenant in [ALL_TENANTS] if row.tenants is None else sorted(row.tenants):
            needed_in(self.caller, Role.ADMIN, tenant)

    def may_write_cells(self, table: str, cells: dict[str, str]) -> None:
        """See to it that the caller may add a row or put it in the place of the one with its key.

        Raises:
            ProblemError: 403; 404 where the one with its key is another tenant's.
        """
        key = [cells.get(column, "") for column in KEYS[table]]
        before = self.desk.find_by_key(table, key)
        if before is not None:
            self.may_write(self.row(table, before.id))
        tenants = frozenset[str]() if table in PERSONAL else self.desk.tenants_of(table, cells)
        self.may_write(RegistryRow(table, "", cells, in_file=False, tenants=tenants))

    def shown(self, row: RegistryRow) -> RowDocument:
        """Return a row as the caller sees it."""
        hidden = (
            [] if clear_to(self.caller, row) else [c for c in PERSONAL.get(row.table, ()) if c in row.values]
        )
        return RowDocument(
            table=row.table,
            id=row.id,
            source="file" if row.in_file else "database",
            tenants=None if row.tenants is None else sorted(self._own(row.tenants)),
            masked=hidden,
            values={c: mask(cell) if c in hidden else cell for c, cell in row.values.items()},
        )

    def _own(self, tenants: frozenset[str]) -> frozenset[str]:
        seen = self.caller.tenants()
        return tenants if seen is None else tenants & seen

    def looked(self, documents: list[RowDocument], target: str) -> None:
        """Keep that personal data is shown in clear.

        Raises:
            StoreUnavailableError: it is not kept, and nothing may be shown.
        """
        clear = [
            d for d in documents if any(c in d.values for c in PERSONAL.get(d.table, ())) and not d.masked
        ]
        tenants = {tenant for document in clear for tenant in document.tenants or ()} or {ALL_TENANTS}
        if clear:
            targets = [(target, tenant) for tenant in sorted(tenants)]
            self._trail.looked(self.caller, "registry.look", targets, detail={"number": len(clear)})

    def note(self, row: RegistryRow, verb: str) -> None:
        """Leave word for the audit trail of what is changed."""
        tenants = sorted(row.tenants) if row.tenants else [ALL_TENANTS]
        note_deed(self.request, f"registry.{verb}", f"{row.table}:{row.id}", tenants[0])


def clear_to(caller: Principal, row: RegistryRow) -> bool:
    """Say whether a caller sees the personal data of a row: as an engineer of one of its tenants."""
    if caller.may(Role.ENGINEER):
        return True
    return any(caller.may(Role.ENGINEER, tenant) for tenant in row.tenants or ())


Clerks = Annotated[Clerk, Depends(Clerk)]


@router.get("", dependencies=[LOOKS])
def list_tables() -> PageDocument[TableDocument]:
    """List the tables of the registry with their columns."""
    return PageDocument(
        items=[
            TableDocument(
                table=name,
                columns=list(TABLES[f"{name}.csv"].all),
                required=list(TABLES[f"{name}.csv"].required),
                key=list(KEYS[name]),
                personal=list(PERSONAL.get(name, ())),
            )
            for name in KEYS
        ]
    )


@router.get("/{table}", dependencies=[LOOKS])
def list_rows(
    *,
    clerk: Clerks,
    table: TableName,
    tenant: Annotated[
        str | None, Query(description="rows of this tenant, and those that concern all")
    ] = None,
    column: Annotated[str | None, Query(description="with `value`: rows that have it there")] = None,
    value: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageDocument[RowDocument]:
    """List rows of a table by their keys. A page may be short where a filter keeps few; `next` leads on."""
    if (column is None) != (value is None):
        raise UserError("column and value: expected both or neither")
    if column is not None and column not in TABLES[f"{table}.csv"].all:
        raise UserError(f"column: expected one of {', '.join(TABLES[f'{table}.csv'].all)}, got {column!r}")
    tenants = clerk.caller.tenants()
    wanted = tenants if tenant is None else frozenset({tenant} if tenants is None else tenants & {tenant})

    def keep(row: RegistryRow) -> bool:
        # What is masked is compared as it is shown: nobody finds out by filters what they may not see.
        return column is None or clerk.shown(row).values.get(column, "") == value

    page = clerk.desk.page(table, tenants=wanted, cursor=cursor, limit=limit, keep=keep)
    documents = [clerk.shown(row) for row in page.items]
    clerk.looked(documents, f"{table}:*")
    return PageDocument(items=documents, next=page.next)


@router.post(
    "/{table}/import",
    dependencies=[WRITES],
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A file of the table; rows with keys that are there already replace them.",
            "content": {"text/csv": {}, "application/json": {}, "application/jsonl": {}},
        }
    },
    responses={
        413: {"description": "The file is larger than 64 MiB", "model": Problem},
        415: {"description": "The body is neither CSV nor JSON nor JSON Lines", "model": Problem},
    },
)
async def import_table(
    *,
    request: Request,
    clerk: Clerks,
    table: TableName,
    check: Annotated[bool, Query(description="only say what would be refused")] = False,
) -> ImportDocument:
    """Take the good rows of a file and report every one that is refused."""
    suffix = _suffix_of(request.headers.get("content-type", ""))
    content = await read_body(request, MOST_BYTES, otherwise="; `forewarn devices import` takes larger files")
    return await asyncio.to_thread(_imported, clerk, table, suffix, content, check)


def _imported(clerk: Clerk, table: TableName, suffix: str, content: bytes, check: bool) -> ImportDocument:
    if not clerk.caller.may(Role.ADMIN):
        for number, cells in enumerate(clerk.desk.read_rows(table, suffix, content), start=1):
            try:
                clerk.may_write_cells(table, cells)
            except ProblemError as error:
                raise ProblemError(HTTPStatus.FORBIDDEN, f"row {number}: {error.detail}") from None
    report = clerk.desk.import_rows(table, suffix, content, keep=not check)
    note_deed(clerk.request, "registry.import", f"{table}:*", ALL_TENANTS, taken=report.taken.get(table, 0))
    return ImportDocument.of(table, report)


@router.delete("/owners/{owner:path}/personal-data", dependencies=[WRITES])
def erase_personal_data(clerk: Clerks, owner: str) -> ErasedDocument:
    """Erase a person's name, contact and addresses from registry and orders; the technical history stays."""
    row = clerk.row("owners", owner)
    clerk.may_write(row)
    clerk.note(row, "erase")
    theirs, orders = clerk.desk.erase(owner)
    return ErasedDocument(owner=owner, sites=list(theirs.sites), shared=list(theirs.shared), orders=orders)


@router.get(
    "/{table}/{row_id:path}", dependencies=[LOOKS], responses=NOT_MODIFIED, response_model=RowDocument
)
def show_row(
    request: Request, clerk: Clerks, table: TableName, row_id: str, _known: IfNoneMatch = None
) -> Response:
    """Show one row."""
    document = clerk.shown(clerk.row(table, row_id))
    clerk.looked([document], f"{table}:{row_id}")
    return tagged(request, document)


@router.post("/{table}", dependencies=[WRITES], status_code=HTTPStatus.CREATED)
def add_row(clerk: Clerks, response: Response, table: TableName, body: RowBody) -> RowDocument:
    """Add a row; 409 where one has its key already."""
    cells = clerk.desk.cells_of(body.root)
    clerk.may_write_cells(table, cells)
    if clerk.desk.find_by_key(table, [cells.get(column, "") for column in KEYS[table]]) is not None:
        raise ProblemError(HTTPStatus.CONFLICT, f"{table} has a row with this key already; PUT replaces it")
    return _put(clerk, response, table, body, "add")


@router.put("/{table}/{row_id:path}", dependencies=[WRITES])
def put_row(
    *, clerk: Clerks, response: Response, table: TableName, row_id: str, body: RowBody, wanted: IfMatch = None
) -> RowDocument:
    """Put a row in the place of the one with its key, or add it; checked as the import checks it."""
    before = clerk.desk.find(table, row_id)
    if before is not None:
        clerk.may_write(clerk.row(table, row_id))
    cells = clerk.desk.cells_of(body.root)
    named = clerk.desk.id_of(table, cells)
    if named != row_id:
        columns = ", ".join(KEYS[table])
        raise UserError(f"{columns}: expected in the body what names the row {row_id}, got {named!r}")
    clerk.may_write_cells(table, cells)
    unchanged(wanted, None if before is None else clerk.shown(before))
    return _put(clerk, response, table, body, "put")


def _put(clerk: Clerk, response: Response, table: TableName, body: RowBody, verb: str) -> RowDocument:
    try:
        row = clerk.desk.put(table, body.root)
    except RowError as error:
        raise UserError("\n".join(error.problems)) from None
    except InFileError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from None
    clerk.note(row, verb)
    document = clerk.shown(row)
    response.headers["ETag"] = etag_of(document)
    return document


@router.delete("/{table}/{row_id:path}", dependencies=[WRITES], status_code=HTTPStatus.NO_CONTENT)
def delete_row(clerk: Clerks, table: TableName, row_id: str, wanted: IfMatch = None) -> None:
    """Remove a row to which no other refers."""
    row = clerk.row(table, row_id)
    clerk.may_write(row)
    unchanged(wanted, clerk.shown(row))
    clerk.note(row, "delete")
    try:
        clerk.desk.delete(row)
    except (InFileError, ReferredError) as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from None


def _suffix_of(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    suffixes = {
        "text/csv": "csv",
        "application/json": "json",
        "application/jsonl": "jsonl",
        "application/x-ndjson": "jsonl",
    }
    if kind not in suffixes:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected one of {', '.join(suffixes)}, got {kind or 'none'}"
        )
    return suffixes[kind]
