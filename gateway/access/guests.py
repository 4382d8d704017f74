"""Lets those in whom a provider of identities knows: makes their accounts, with the roles of their groups."""

import asyncio
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace

from gateway.access.access import Access
from gateway.access.errors import LoginRefusedError
from gateway.access.logins import LoggedIn, Logins
from gateway.access.oidc import Identity, Provider
from gateway.access.principal import Role
from gateway.access.records import ACCOUNT_NAME, Account
from gateway.errors import UserError

BY = "oidc"


class Guests:
    """Turns identities into logins.

    Args:
        provider: who says who they are.
        access: where accounts are.
        logins: begin sessions.
    """

    def __init__(self, provider: Provider, access: Access, logins: Logins) -> None:
        self.provider = provider
        self._access = access
        self._logins = logins

    async def log_in(self, identity: Identity, *, address: str, cookie: str | None) -> LoggedIn:
        """Let somebody in: the first time an account is made, each time their groups decide their roles.

        Raises:
            LoginRefusedError: they may not, none of their groups is granted anything, or the name is taken.
        """
        settings = self.provider.settings
        grants = granted(identity.claims.get(settings.roles_claim), settings.grants)
        people = self._access.people
        account = await asyncio.to_thread(people.account_at, identity.issuer, identity.subject)
        if account is not None and account.disabled:
            self._refused(address, account.name)
            raise LoginRefusedError("this account may not log in")
        if settings.grants and not grants:
            self._refused(address, None if account is None else account.name)
            raise LoginRefusedError("none of your groups is granted anything here; ask an admin")
        if account is None:
            account = await asyncio.to_thread(self._made, identity, grants, address)
        elif settings.grants and account.grants != grants:
            account = await asyncio.to_thread(self._regranted, account, grants, address)
        return await self._logins.begin(account, address=address, cookie=cookie, by=BY)

    def _made(self, identity: Identity, grants: Mapping[str, Role], address: str) -> Account:
        name = account_name(identity, self.provider.settings.name_claim)
        account = Account(
            account_id=str(uuid.uuid4()),
            name=name,
            display_name=str(identity.claims.get("name") or name)[:100],
            grants=grants,
            created=self._access.clock.now(),
            issuer=identity.issuer,
            subject=identity.subject,
        )
        deed = self._access.trail.deed(
            account.principal(),
            "account.make",
            f"account:{name}",
            address=address,
            grants=dict(grants),
            provider=identity.issuer,
        )
        try:
            self._access.people.add_account(account, deed)
        except UserError:
            # Whoever chooses their own name at the provider must not come into another's account by it.
            raise LoginRefusedError(f"there is another account with the name {name}; ask an admin") from None
        self._access.forget()
        return account

    def _regranted(self, account: Account, grants: Mapping[str, Role], address: str) -> Account:
        trail = self._access.trail
        changed = self._access.people.change_account(
            account.account_id,
            lambda before: replace(before, grants=grants),
            lambda before, after: trail.deed(
                after.principal(),
                "account.grant",
                f"account:{before.name}",
                address=address,
                grants={"before": dict(before.grants), "after": dict(after.grants)},
                provider=before.issuer,
            ),
        )
        self._access.forget()
        return changed

    def _refused(self, address: str, name: str | None) -> None:
        self._access.events.login(result="refused", address=address, name=name)


def granted(groups: object, table: Mapping[str, Mapping[str, Role]]) -> dict[str, Role]:
    """Return the roles of somebody in groups: in each tenant the one that may most.

    Args:
        groups: what a claim says: a list of names, or one name.
        table: roles by tenant, by group.
    """
    names = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    found: dict[str, Role] = {}
    for name in names:
        for tenant, role in table.get(str(name), {}).items():
            found[tenant] = max(role, found.get(tenant, role), key=lambda held: held.rank)
    return found


def account_name(identity: Identity, claim: str) -> str:
    """Return the name of an account for an identity: what its claim says, in letters that names have."""
    told = str(identity.claims.get(claim) or identity.subject).strip().lower()
    name = re.sub(r"[^a-z0-9_.@+-]", "-", told).lstrip("_.@+-")[:64]
    return name if ACCOUNT_NAME.fullmatch(name) else f"oidc-{uuid.uuid4().hex[:12]}"
