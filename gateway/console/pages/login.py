"""The way in: a plain form that needs neither script nor socket, the way out, and the trail as CSV.

These are answered by routes, not by the framework of the other pages: nobody who is not known opens one of
those, nor a socket.
"""

import csv
import io
import math
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs

import jinja2
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.responses import Response

from gateway.access.errors import LimitedError, LoginRefusedError, NotAllowedError
from gateway.access.guests import Guests
from gateway.access.oidc import PATIENCE
from gateway.access.principal import Role
from gateway.access.records import Deed
from gateway.access.visits import visit_of
from gateway.api.accessing import AccessDesk, Desk, Visitor
from gateway.api.logins import drop_cookie, set_cookie
from gateway.api.parameters import InstantParameter
from gateway.api.problems import ProblemError
from gateway.console.language import catalogue_of, msg, preferred
from gateway.csv_cells import cell
from gateway.errors import OutsideError
from rules.times import to_rfc3339

router = APIRouter(include_in_schema=False)

#: Bytes of a form; names and passwords are shorter.
MOST_BYTES = 8_192
HOME = "/"

CALLBACK = "/login/oidc/callback"
OIDC_COOKIE = "forewarn-oidc"

_PAGE = """<!doctype html>
<html lang="{{ language }}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">
<title>{{ t("Log in") }} · forewarn</title>
<link rel="icon" href="/console/icon.svg">
<link rel="stylesheet" href="/console/console.css"><link rel="stylesheet" href="/console/access.css">
<script src="/console/console.js"></script>
</head>
<body class="login">
<main>
<p class="brand"><img src="/console/icon.svg" alt="" width="26" height="26"> forewarn</p>
<h1>{{ t("Log in") }}</h1>
{% if trouble %}<p class="wrong" role="alert">{{ trouble }}</p>{% endif %}
{% if first %}<p class="note">{{ first }}</p>{% endif %}
<form method="post" action="/login" class="form">
<input type="hidden" name="next" value="{{ next }}">
<label class="field"><span>{{ t("Name") }}</span>
<input name="name" value="{{ name }}" autocomplete="username" autocapitalize="none" spellcheck="false"
 required maxlength="64"{% if not name %} autofocus{% endif %}></label>
<label class="field"><span>{{ t("Password") }}</span>
<input name="password" type="password" autocomplete="current-password" required
 maxlength="256"{% if name %} autofocus{% endif %}></label>
<button type="submit" class="button primary">{{ t("Log in") }}</button>
</form>
{% if button %}<a class="button" href="/login/oidc?next={{ next | urlencode }}">{{ button }}</a>{% endif %}
</main>
</body>
</html>
"""

_TEMPLATE = jinja2.Environment(autoescape=True).from_string(_PAGE)


def own_path(path: str | None) -> str:
    """Return where to go after a login: a path of this console, and nothing that leads elsewhere.

    >>> own_path("/cases?state=open"), own_path("//evil.example"), own_path("https://evil.example")
    ('/cases?state=open', '/', '/')
    """
    if path is None or not path.startswith("/") or path.startswith(("//", "/login", "/logout")):
        return HOME
    if "\\" in path or not path.isprintable() or len(path) > 2_000:
        return HOME
    return path


@router.get("/login")
async def show_login(
    request: Request, desk: Desk, target: Annotated[str | None, Query(alias="next")] = None
) -> Response:
    """Show the form; who is logged in already goes on."""
    visit = visit_of(request)
    if visit is not None and visit.kind == "login":
        return RedirectResponse(own_path(target), HTTPStatus.SEE_OTHER)
    return await login_form(request, desk, target=target)


@router.post("/login")
async def take_login(request: Request, desk: Desk) -> Response:
    """Let somebody in, or say that name or password are wrong."""
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise ProblemError(HTTPStatus.FORBIDDEN, "a login comes from the page of the login")
    form = await _form(request)
    name, target = form.get("name", ""), form.get("next")
    access = desk.access
    try:
        found = await desk.logins.log_in(
            name,
            form.get("password", ""),
            address=access.address_of(request),
            cookie=request.cookies.get(access.cookie),
        )
    except LoginRefusedError:
        return await login_form(
            request, desk, target=target, name=name, trouble=msg("The name or the password is wrong.")
        )
    except LimitedError as error:
        seconds = max(1, math.ceil(error.seconds))
        answer = await login_form(
            request,
            desk,
            target=target,
            name=name,
            trouble=msg("Too many logins have failed. Try again in {seconds} s."),
            status=HTTPStatus.TOO_MANY_REQUESTS,
            seconds=seconds,
        )
        answer.headers["Retry-After"] = str(seconds)
        return answer
    to = "/account" if found.account.must_change else own_path(target)
    response = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    set_cookie(response, access, found.secret)
    return response


@router.get("/login/oidc")
async def start_oidc(
    request: Request, desk: Desk, target: Annotated[str | None, Query(alias="next")] = None
) -> Response:
    """Send the browser to the provider of identities."""
    guests = _guests(desk)
    base = (desk.public_url or str(request.base_url)).rstrip("/")
    try:
        started = await guests.provider.start(redirect_uri=base + CALLBACK, target=own_path(target))
    except OutsideError as error:
        return await _provider_trouble(request, desk, target, error)
    response = RedirectResponse(started.url, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        OIDC_COOKIE,
        started.secret,
        max_age=int(PATIENCE),
        path=CALLBACK,
        secure=desk.access.secure,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(CALLBACK)
async def finish_oidc(request: Request, desk: Desk) -> Response:
    """Let in who comes back from the provider of identities."""
    guests, access = _guests(desk), desk.access
    secret = request.cookies.get(OIDC_COOKIE, "")
    target: str | None = None
    try:
        identity, target = await guests.provider.finish(dict(request.query_params), secret)
        found = await guests.log_in(
            identity, address=access.address_of(request), cookie=request.cookies.get(access.cookie)
        )
    except LoginRefusedError as error:
        return await login_form(request, desk, target=target, trouble=str(error), status=HTTPStatus.FORBIDDEN)
    except OutsideError as error:
        return await _provider_trouble(request, desk, target, error)
    response = RedirectResponse(own_path(target), HTTPStatus.SEE_OTHER)
    set_cookie(response, access, found.secret)
    response.delete_cookie(OIDC_COOKIE, path=CALLBACK, secure=access.secure, httponly=True, samesite="lax")
    return response


def _guests(desk: AccessDesk) -> Guests:
    if desk.guests is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "there is no provider of identities: `[access.oidc]`")
    return desk.guests


async def _provider_trouble(
    request: Request, desk: AccessDesk, target: str | None, error: OutsideError
) -> Response:
    desk.access.events.log.error("oidc_failed", detail=str(error))
    return await login_form(
        request,
        desk,
        target=target,
        trouble=msg("Your organisation's login does not answer as it should; the gateway's log says why."),
        status=HTTPStatus.BAD_GATEWAY,
    )


@router.post("/logout")
async def log_out(desk: Desk, visitor: Visitor) -> Response:
    """Log out and show the way in."""
    await desk.logins.log_out(visitor)
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    drop_cookie(response, desk.access)
    return response


async def login_form(
    request: Request,
    desk: AccessDesk,
    *,
    target: str | None,
    name: str = "",
    trouble: str = "",
    status: HTTPStatus | None = None,
    **values: object,
) -> HTMLResponse:
    """Return the form, with what went wrong at the last attempt."""
    language = preferred(request.headers.get("accept-language"))
    t: Callable[[str], str] = partial(_translated, language)
    oidc = desk.access.settings.oidc
    first = ""
    if await desk.access.has_nobody():
        first = t("There is no account yet. On the gateway's machine: forewarn accounts add NAME")
    page = _TEMPLATE.render(
        t=t,
        language=language,
        trouble=t(trouble).format(**values) if values else t(trouble),
        first=first,
        next=own_path(target),
        name=name[:64],
        button=oidc.button if oidc is not None else "",
    )
    if status is None:
        status = HTTPStatus.UNAUTHORIZED if trouble else HTTPStatus.OK
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})


@router.get("/audit.csv")
def export_trail(
    *,
    desk: Desk,
    visitor: Visitor,
    who: str | None = None,
    target: Annotated[str | None, Query(alias="object")] = None,
    start: Annotated[InstantParameter | None, Query(alias="from")] = None,
    end: Annotated[InstantParameter | None, Query(alias="to")] = None,
) -> StreamingResponse:
    """Give the audit trail as CSV, newest first, as the filters of its page have it."""
    if not visitor.caller.may_anywhere(Role.ADMIN):
        raise NotAllowedError("the audit trail is read by admins")
    ask = partial(
        desk.access.people.trail,
        tenants=visitor.caller.tenants(Role.ADMIN),
        who=who or None,
        target=target or None,
        since=start,
        until=end,
        limit=1_000,
    )

    def deeds() -> Iterator[Deed]:
        cursor = None
        while True:
            page = ask(cursor=cursor)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(deeds()), media_type="text/csv; charset=utf-8", headers=headers)


def _lines(deeds: Iterator[Deed]) -> Iterator[str]:
    yield "at,who,what,object,tenant,address,detail\r\n"
    for deed in deeds:
        line = io.StringIO()
        told = "; ".join(f"{key}: {value}" for key, value in deed.detail.items())
        cells = (to_rfc3339(deed.at), deed.who, deed.what, deed.target, deed.tenant, deed.address, told)
        csv.writer(line).writerow(map(cell, cells))
        yield line.getvalue()


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {MOST_BYTES:,} bytes")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    return {name: values[-1] for name, values in fields.items()}


def _translated(language: str, text: str) -> str:
    """Return a text in a language; these pages are not of the framework that `t` asks for theirs."""
    return catalogue_of(language).get(text, text)
