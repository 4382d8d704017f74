"""What is kept of those who may come in: accounts, their sessions and tokens, and what they did."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.access.principal import ALL_TENANTS, Principal, Role, Scope
from gateway.errors import UserError

#: Names of accounts; compared without regard to case, so they are kept in lower case.
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_.@+-]{0,63}")

_TENANT = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in.

    Attributes:
        account_id: never given to anyone else, also after the account went.
        name: what is typed at login, in lower case, and what is written down with what was done.
        grants: role by tenant; ``*`` is every tenant.
        password: hash by argon2id, None where only a provider of identities lets it in.
        must_change: the password was set by somebody else and is good for choosing another.
        password_until: ms since 1970 UTC; a temporary password is good until then.
        language: of the console, a BCP 47 tag; None follows the browser.
        created: ms since 1970 UTC.
        issuer: with `subject`, who it is at a provider of identities (OIDC); None for a local account.
    """

    account_id: str
    name: str
    display_name: str
    grants: Mapping[str, Role] = field(default_factory=dict)
    password: str | None = None
    must_change: bool = False
    password_until: int | None = None
    language: str | None = None
    disabled: bool = False
    created: int = 0
    issuer: str | None = None
    subject: str | None = None

    @property
    def rules_all(self) -> bool:
        """Whether it is an admin of every tenant who can log in."""
        return not self.disabled and self.grants.get(ALL_TENANTS) is Role.ADMIN

    def principal(self, scopes: frozenset[Scope] | None = None) -> Principal:
        """Return who asks when this account does, with a token's scopes."""
        grants = dict(self.grants)
        if scopes is not None and Scope.ADMIN not in scopes:
            grants = {
                tenant: min(role, Role.ENGINEER, key=lambda r: r.rank) for tenant, role in grants.items()
            }
        return Principal(self.name, grants, scopes, self.account_id)


@dataclass(frozen=True, slots=True)
class Session:
    """A login of an account in one browser.

    Attributes:
        key: hash of what the browser's cookie holds; the secret itself is kept nowhere.
        csrf: what requests that change something have to carry besides the cookie.
        created: ms since 1970 UTC, as are `used` and `expires`.
        used: last, to the minute.
        expires: at the latest, however much it is used.
        address: from which the login came.
    """

    key: str
    account_id: str
    csrf: str
    created: int
    used: int
    expires: int
    address: str


@dataclass(frozen=True, slots=True)
class Token:
    """A secret by which a program acts as an account.

    Attributes:
        token_id: by which it is revoked.
        start: the first characters of the secret, to recognise it by.
        key: hash of the secret.
        scopes: what it is good for at most; what the account may bounds it at every use.
        expires: ms since 1970 UTC, as are `created` and `used`; None never.
    """

    token_id: str
    account_id: str
    name: str
    start: str
    key: str
    scopes: frozenset[Scope]
    created: int
    expires: int | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did or looked at, as the audit trail keeps it.

    Attributes:
        at: ms since 1970 UTC.
        who: name at that time; ``forewarn accounts`` for the command line.
        account: None for the built-in session and for nobody.
        what: such as ``login``, ``account.grant``, ``order.look``.
        target: what it was done to, such as ``order:SO-...``; empty where there is nothing but the deed.
        tenant: whose affair it is; ``*`` is everybody's.
        address: from which it was asked.
        detail: before and after, or what else there is to know; never a secret.
    """

    at: int
    who: str
    account: str | None
    what: str
    target: str
    tenant: str
    address: str
    detail: Mapping[str, object] = field(default_factory=dict)
    number: int = 0


def checked_name(name: str) -> str:
    """Return the name of an account as it is kept.

    Raises:
        UserError: it cannot be one.
    """
    name = name.strip().lower()
    if not ACCOUNT_NAME.fullmatch(name):
        raise UserError(
            f"name: expected 1 to 64 of a-z 0-9 _ . @ + -, beginning with a letter or digit, got {name!r}"
        )
    return name


def checked_grants(grants: Mapping[str, str]) -> dict[str, Role]:
    """Return grants, tenant by tenant.

    Raises:
        UserError: a tenant's name or a role is none.
    """
    found = {}
    for tenant, role in grants.items():
        if tenant != ALL_TENANTS and not _TENANT.fullmatch(tenant):
            raise UserError(f"grants: expected a tenant or {ALL_TENANTS}, got {tenant!r}")
        if role not in list(Role):
            raise UserError(f"grants.{tenant}: expected one of {', '.join(Role)}, got {role!r}")
        found[tenant] = Role(role)
    return found
