"""Errors as problem documents (RFC 9457): what was expected, what stood there, never a traceback."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from gateway.errors import ForewarnError, StoreUnavailableError, UserError
from rules.loader import PackError

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger("forewarn.api")


class WrongInput(BaseModel):
    """One thing that is wrong with the request."""

    where: str
    expected: str
    got: str | None = None


class Problem(BaseModel):
    """A problem document. `type` is ``about:blank``: the status says what kind of problem it is."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[WrongInput] | None = None


class ProblemError(HTTPException):
    """A problem that a route found; `detail` is a sentence."""

    def __init__(self, status: HTTPStatus, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(status.value, detail, headers)


def later(why: str, *, seconds: int = 5) -> ProblemError:
    """Return the problem of what cannot be done now; `seconds` until it is worth another try."""
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why, headers={"Retry-After": str(seconds)})


def problem_response(
    path: str,
    status: int,
    detail: str,
    *,
    errors: list[WrongInput] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return a problem document for a request to `path`."""
    problem = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, instance=path, errors=errors
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status, media_type=MEDIA_TYPE, headers=headers)


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of the app a problem document."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return problem_response(request.url.path, error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [_wrong_input(one) for one in error.errors()]
        detail = "; ".join(f"{one.where}: {one.expected}" for one in wrong)
        return problem_response(request.url.path, 422, detail, errors=wrong)

    @app.exception_handler(UserError)
    async def wrong(request: Request, error: UserError) -> JSONResponse:
        return problem_response(request.url.path, 422, str(error))

    @app.exception_handler(PackError)
    async def wrong_packs(request: Request, error: PackError) -> JSONResponse:
        split = (problem.partition(": ") for problem in error.problems)
        places = [WrongInput(where=place, expected=sentence) for place, _, sentence in split]
        return problem_response(request.url.path, 422, "\n".join(error.problems), errors=places)

    @app.exception_handler(StoreUnavailableError)
    async def unavailable(request: Request, error: StoreUnavailableError) -> JSONResponse:
        log.error("store_unavailable", path=request.url.path, detail=str(error))
        return problem_response(
            request.url.path, 503, f"the store cannot be read: {error}", headers={"Retry-After": "5"}
        )

    @app.exception_handler(ForewarnError)
    async def outside(request: Request, error: ForewarnError) -> JSONResponse:
        log.error("request_failed", path=request.url.path, detail=str(error))
        return problem_response(request.url.path, 502, str(error))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        # The server logs the traceback itself; drawing it twice would hold up the event loop.
        log.error("request_failed", path=request.url.path, error=repr(error))
        return problem_response(
            request.url.path, 500, "an error of the gateway's own; its log has the particulars"
        )


def _wrong_input(error: dict[str, object]) -> WrongInput:
    location = error["loc"]
    assert isinstance(location, tuple)
    given = error.get("input")
    return WrongInput(
        where=".".join(str(part) for part in location),
        expected=str(error["msg"]).removeprefix("Value error, "),
        got=None if given is None else str(given)[:200],
    )
