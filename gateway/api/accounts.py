"""The routes by which admins see to accounts, and read the audit trail."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, SecretStr

from gateway.access.accounts import Made
from gateway.access.errors import NotAllowedError
from gateway.access.principal import Role
from gateway.access.records import Account, Deed
from gateway.api.accessing import Desk, Visitor
from gateway.api.documents import PageDocument
from gateway.api.logins import Body
from gateway.api.parameters import Cursor, InstantParameter, Limit
from gateway.api.problems import Problem
from gateway.api.rights import needs
from rules.times import to_rfc3339

_REFUSALS: dict[int | str, dict[str, Any]] = {
    403: {"description": "It takes an admin of the tenants that it touches", "model": Problem},
    422: {"description": "Something in the request is wrong", "model": Problem},
}
_ONE: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such account", "model": Problem}}

#: Accounts and the trail are for admins; of which tenants is asked where it is known.
SEES_TO = needs(Role.ADMIN)

router = APIRouter(prefix="/api/v1", tags=["access"], responses=_REFUSALS)

Name = Annotated[str, Path(max_length=64, description="of the account")]
Grants = dict[Annotated[str, Field(max_length=64)], Role]


class MakeBody(Body):
    """An account to be made."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    display_name: Annotated[str, Field(max_length=100)] = ""
    grants: Annotated[Grants, Field(description="role by tenant; `*` is every tenant")]
    language: Literal["en", "de", "zh"] | None = None
    password: Annotated[
        SecretStr | None, Field(max_length=1_000, description="a temporary one is made up when left out")
    ] = None


class ChangeBody(Body):
    """What of an account is to change; what is left out stays."""

    display_name: Annotated[str | None, Field(max_length=100)] = None
    grants: Annotated[
        dict[Annotated[str, Field(max_length=64)], Role | None] | None,
        Field(description="null takes a role away; tenants that are not named keep theirs"),
    ] = None
    language: Literal["en", "de", "zh"] | None = None
    disabled: bool | None = None


class AccountDocument(BaseModel):
    """An account, with its roles in the tenants whose admin asks."""

    name: str
    display_name: str
    grants: dict[str, Role]
    language: str | None
    disabled: bool
    created: str
    must_change_password: bool
    provider: str | None = Field(description="issuer of its identity (OIDC); null for a local account")

    @classmethod
    def of(cls, account: Account) -> "AccountDocument":
        """Return the document of an account."""
        return cls(
            name=account.name,
            display_name=account.display_name,
            grants=dict(account.grants),
            language=account.language,
            disabled=account.disabled,
            created=to_rfc3339(account.created),
            must_change_password=account.must_change,
            provider=account.issuer,
        )


class MadeDocument(AccountDocument):
    """An account that has a new password; a temporary one is shown this once."""

    temporary_password: str | None = None

    @classmethod
    def made(cls, made: Made) -> "MadeDocument":
        """Return the document of an account that was made, or given another password."""
        fields = AccountDocument.of(made.account).model_dump()
        return cls(**fields, temporary_password=made.temporary)


class DeedDocument(BaseModel):
    """What somebody did or looked at."""

    number: int
    at: str
    who: str = Field(description="empty where nobody was logged in")
    what: str
    object: str = Field(description="such as `order:SO-...`; empty where there is none")
    tenant: str = Field(description="`*` is everybody's affair")
    address: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, deed: Deed) -> "DeedDocument":
        """Return the document of a deed."""
        return cls(
            number=deed.number,
            at=to_rfc3339(deed.at),
            who=deed.who,
            what=deed.what,
            object=deed.target,
            tenant=deed.tenant,
            address=deed.address,
            detail=dict(deed.detail),
        )


@router.get("/accounts", dependencies=[SEES_TO])
def list_accounts(
    desk: Desk, visitor: Visitor, cursor: Cursor = None, limit: Limit = 100
) -> PageDocument[AccountDocument]:
    """List the accounts of the tenants where one is admin, by name."""
    page = desk.accounts.listed(visitor.caller, cursor=cursor, limit=limit)
    return PageDocument(items=[AccountDocument.of(account) for account in page.items], next=page.next)


@router.post("/accounts", dependencies=[SEES_TO], status_code=HTTPStatus.CREATED)
def make_account(desk: Desk, visitor: Visitor, body: MakeBody) -> MadeDocument:
    """Make an account."""
    made = desk.accounts.make(
        visitor.caller,
        body.name,
        grants=body.grants,
        display_name=body.display_name,
        language=body.language,
        password=None if body.password is None else body.password.get_secret_value(),
        address=visitor.address,
    )
    return MadeDocument.made(made)


@router.get("/accounts/{name}", dependencies=[SEES_TO], responses=_ONE)
def show_account(desk: Desk, visitor: Visitor, name: Name) -> AccountDocument:
    """Show one account."""
    return AccountDocument.of(desk.accounts.shown(visitor.caller, name))


@router.patch("/accounts/{name}", dependencies=[SEES_TO], responses=_ONE)
def change_account(desk: Desk, visitor: Visitor, name: Name, body: ChangeBody) -> AccountDocument:
    """Change what an account may, what it is called, or whether it may come in."""
    accounts, caller, address = desk.accounts, visitor.caller, visitor.address
    if body.grants is not None:
        accounts.grant(caller, name, body.grants, address=address)
    if body.display_name is not None or body.language is not None:
        accounts.rename(caller, name, display_name=body.display_name, language=body.language, address=address)
    if body.disabled is not None:
        accounts.disable(caller, name, disabled=body.disabled, address=address)
    return AccountDocument.of(accounts.shown(caller, name))


@router.post("/accounts/{name}/password", dependencies=[SEES_TO], responses=_ONE)
def reset_password(desk: Desk, visitor: Visitor, name: Name) -> MadeDocument:
    """Give an account a temporary password, shown this once; its logins end."""
    return MadeDocument.made(desk.accounts.set_password(visitor.caller, name, address=visitor.address))


@router.delete("/accounts/{name}", dependencies=[SEES_TO], status_code=HTTPStatus.NO_CONTENT, responses=_ONE)
def remove_account(desk: Desk, visitor: Visitor, name: Name) -> None:
    """Take an account away, with its logins and tokens; what it did stays in the trail."""
    desk.accounts.remove(visitor.caller, name, address=visitor.address)


@router.get("/audit", dependencies=[SEES_TO])
def list_deeds(
    *,
    desk: Desk,
    visitor: Visitor,
    who: Annotated[str | None, Query(max_length=64, description="name of an account")] = None,
    target: Annotated[
        str | None,
        Query(alias="object", max_length=300, description="`order:SO-1`, or `order:*` for all orders"),
    ] = None,
    start: Annotated[InstantParameter | None, Query(alias="from", description="not before")] = None,
    end: Annotated[InstantParameter | None, Query(alias="to", description="before")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> PageDocument[DeedDocument]:
    """List what was done and looked at in the tenants where one is admin, newest first."""
    if not visitor.caller.may_anywhere(Role.ADMIN):
        raise NotAllowedError("the audit trail is read by admins")
    page = desk.access.people.trail(
        tenants=visitor.caller.tenants(Role.ADMIN),
        who=who,
        target=target,
        since=start,
        until=end,
        cursor=cursor,
        limit=limit,
    )
    return PageDocument(items=[DeedDocument.of(deed) for deed in page.items], next=page.next)
