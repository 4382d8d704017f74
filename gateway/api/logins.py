"""The routes by which somebody logs in and out, and sees to what is their own: password, language, tokens."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.access.access import Access
from gateway.access.logins import LoggedIn
from gateway.access.principal import Role, Scope
from gateway.access.records import Token
from gateway.access.visits import Visit
from gateway.api.accessing import Desk, Visitor, grants_of
from gateway.api.problems import Problem
from gateway.api.rights import open_to_all, own_affairs
from gateway.errors import UserError
from rules.times import parse_duration, parse_instant, to_rfc3339

router = APIRouter(
    prefix="/api/v1",
    tags=["access"],
    responses={422: {"description": "Something in the request is wrong", "model": Problem}},
)

_LIMITED: dict[int | str, dict[str, Any]] = {
    401: {"description": "Name or password are wrong", "model": Problem},
    429: {"description": "Too many have failed; again after `Retry-After` seconds", "model": Problem},
}
_OWN: dict[int | str, dict[str, Any]] = {
    403: {"description": "It takes an account of one's own, or a role", "model": Problem}
}


class Body(BaseModel):
    """What a request says; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


class LoginBody(Body):
    """Who somebody says they are."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[SecretStr, Field(max_length=1_000)]


class PasswordBody(Body):
    """Another password, and the present one."""

    present: Annotated[SecretStr, Field(max_length=1_000)]
    new: Annotated[SecretStr, Field(max_length=1_000)]


class ChangeMeBody(Body):
    """What somebody chooses for themselves."""

    language: Literal["en", "de", "zh"] | None = Field(description="null follows the browser")


class TokenBody(Body):
    """A token to be made."""

    name: Annotated[str, Field(min_length=1, max_length=100, description="what it is for")]
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires: Annotated[
        str | None, Field(description="`90d` from now, or RFC 3339; two years when left out", max_length=40)
    ] = None


class MeDocument(BaseModel):
    """Who asks."""

    name: str
    display_name: str | None = None
    kind: Literal["login", "token", "built-in"]
    grants: dict[str, Role]
    scopes: list[Scope] | None = Field(default=None, description="of a token; null has no such bounds")
    csrf_token: str | None = Field(default=None, description="for X-CSRF-Token, with a login's cookie")
    language: str | None = None
    must_change_password: bool = False


class TokenDocument(BaseModel):
    """A token, without its secret."""

    token_id: str
    name: str
    start: str = Field(description="the first characters of the secret")
    scopes: list[Scope]
    created: str
    expires: str | None
    used: str | None = Field(description="last, to the minute")

    @classmethod
    def of(cls, token: Token) -> "TokenDocument":
        """Return the document of a token."""
        return cls(
            token_id=token.token_id,
            name=token.name,
            start=token.start,
            scopes=sorted(token.scopes),
            created=to_rfc3339(token.created),
            expires=None if token.expires is None else to_rfc3339(token.expires),
            used=None if token.used is None else to_rfc3339(token.used),
        )


class NewTokenDocument(TokenDocument):
    """A token that was just made, with the secret that is shown this once."""

    secret: str


class TokensDocument(BaseModel):
    """The caller's tokens."""

    items: list[TokenDocument]


@router.post("/login", dependencies=[open_to_all("it is the way in")], responses=_LIMITED)
async def log_in(request: Request, response: Response, desk: Desk, body: LoginBody) -> MeDocument:
    """Log in with name and password. The answer sets the session's cookie."""
    access = desk.access
    found = await desk.logins.log_in(
        body.name,
        body.password.get_secret_value(),
        address=access.address_of(request),
        cookie=request.cookies.get(access.cookie),
    )
    set_cookie(response, access, found.secret)
    return _me_after(found)


@router.post("/logout", dependencies=[own_affairs()], status_code=HTTPStatus.NO_CONTENT)
async def log_out(desk: Desk, visitor: Visitor) -> Response:
    """Log out: the session and its open pages end."""
    await desk.logins.log_out(visitor)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    drop_cookie(response, desk.access)
    return response


@router.get("/me", dependencies=[own_affairs()])
async def show_me(request: Request, visitor: Visitor) -> MeDocument:
    """Say who asks, and what they may."""
    display = None
    desk = getattr(request.app.state, "access", None)
    if desk is not None and visitor.caller.account is not None:
        account = await asyncio.to_thread(desk.access.people.account_of, visitor.caller.account)
        display = None if account is None else account.display_name
    return _me(visitor, display)


@router.patch("/me", dependencies=[own_affairs()], responses=_OWN)
def change_me(desk: Desk, visitor: Visitor, body: ChangeMeBody) -> MeDocument:
    """Choose the console's language."""
    account = desk.accounts.choose_language(visitor.caller, body.language, address=visitor.address)
    return _me(visitor, account.display_name).model_copy(update={"language": account.language})


@router.put(
    "/me/password", dependencies=[own_affairs()], status_code=HTTPStatus.NO_CONTENT, responses=_LIMITED | _OWN
)
async def change_password(desk: Desk, visitor: Visitor, body: PasswordBody) -> None:
    """Choose another password; other logins of the account end."""
    await desk.logins.change_password(visitor, body.present.get_secret_value(), body.new.get_secret_value())


@router.get("/me/tokens", dependencies=[own_affairs()], responses=_OWN)
def list_tokens(desk: Desk, visitor: Visitor) -> TokensDocument:
    """List one's own tokens, the newest first."""
    return TokensDocument(items=[TokenDocument.of(token) for token in desk.accounts.tokens(visitor.caller)])


@router.post("/me/tokens", dependencies=[own_affairs()], status_code=HTTPStatus.CREATED, responses=_OWN)
def make_token(desk: Desk, visitor: Visitor, body: TokenBody) -> NewTokenDocument:
    """Make a token. Its secret is shown this once."""
    token, secret = desk.accounts.make_token(
        visitor.caller,
        body.name,
        frozenset(body.scopes),
        lives=lifetime(body.expires, desk.access.clock.now()),
        address=visitor.address,
    )
    return NewTokenDocument(**TokenDocument.of(token).model_dump(), secret=secret)


@router.delete(
    "/me/tokens/{token_id}",
    dependencies=[own_affairs()],
    status_code=HTTPStatus.NO_CONTENT,
    responses=_OWN | {404: {"description": "There is no such token", "model": Problem}},
)
def revoke_token(desk: Desk, visitor: Visitor, token_id: Annotated[str, Path(max_length=64)]) -> None:
    """Revoke a token; requests with it are refused within a second."""
    desk.accounts.revoke_token(visitor.caller, token_id, address=visitor.address)


def set_cookie(response: Response, access: Access, secret: str) -> None:
    """Put a session's secret where no script reads it and no other site's request carries it along."""
    response.set_cookie(
        access.cookie,
        secret,
        max_age=access.settings.ms("session_max") // 1000,
        path="/",
        secure=access.secure,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, access: Access) -> None:
    """Let the browser forget the session's cookie."""
    response.delete_cookie(access.cookie, path="/", secure=access.secure, httponly=True, samesite="lax")


def lifetime(expires: str | None, now: int) -> int | None:
    """Return for how many ms something lives that expires after a duration or at an instant.

    Raises:
        UserError: it is neither, or over.
    """
    if expires is None:
        return None
    try:
        return parse_duration(expires)
    except ValueError:
        pass
    try:
        instant = parse_instant(expires)
    except ValueError:
        raise UserError(f"expires: expected a duration such as 90d, or RFC 3339, got {expires!r}") from None
    if instant <= now:
        raise UserError(f"expires: expected a time to come, got {expires!r}")
    return instant - now


def _me(visit: Visit, display_name: str | None) -> MeDocument:
    scopes = visit.caller.scopes
    return MeDocument(
        name=visit.caller.name,
        display_name=display_name,
        kind=visit.kind,
        grants={tenant: Role(role) for tenant, role in grants_of(visit.caller).items()},
        scopes=None if scopes is None else sorted(scopes),
        csrf_token=visit.csrf or None,
        language=visit.language,
        must_change_password=visit.must_change,
    )


def _me_after(found: LoggedIn) -> MeDocument:
    account = found.account
    visit = Visit(
        account.principal(),
        "login",
        found.session.address,
        csrf=found.session.csrf,
        language=account.language,
        must_change=account.must_change,
    )
    return _me(visit, account.display_name)
