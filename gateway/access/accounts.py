"""Administration of accounts and tokens: who may grant what to whom, written down with every change.

An admin sees to accounts in the tenants where they are admin: makes them, grants and takes roles there. What
touches the whole account (its password, whether it may come in at all) takes an admin of every tenant that
the account has a role in.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.access.audit import Trail
from gateway.access.errors import NotAllowedError, NotThereError
from gateway.access.passwords import checked_password, hash_of
from gateway.access.principal import ALL_TENANTS, Principal, Role, Scope
from gateway.access.records import Account, Deed, Token, checked_grants, checked_name
from gateway.access.secrets import SHOWN, key_of, new_temporary_password, new_token
from gateway.clock import Clock
from gateway.errors import UserError
from gateway.ledger.people import SqlPeople
from gateway.ports import Page
from rules.times import parse_duration

#: For how long a temporary password is good.
TEMPORARY = parse_duration("3d")

#: A token lives no longer; a program that needs more gets another in time.
LONGEST_TOKEN = parse_duration("730d")
MOST_TOKENS = 100

#: The command line: whoever may write the ledger's file may do anything to it.
COMMAND_LINE = Principal("forewarn accounts", {ALL_TENANTS: Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Made:
    """An account that was made or given another password.

    Attributes:
        account: as it now is.
        temporary: its password where one was made up; shown once, kept nowhere.
    """

    account: Account
    temporary: str | None = None


class Accounts:
    """Administers accounts and tokens. Any thread may call any method; hashing a password takes a moment.

    Args:
        people: where they are kept.
        trail: what is done is written down there.
        clock: wall time.
        on_change: called after every change, so that those who remember ask anew.
    """

    def __init__(
        self, people: SqlPeople, trail: Trail, clock: Clock, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self._people = people
        self._trail = trail
        self._clock = clock
        self._on_change = on_change

    def listed(self, caller: Principal, *, cursor: str | None = None, limit: int = 100) -> Page[Account]:
        """Return the accounts that an admin sees to, by name, with the grants that are theirs to see.

        Raises:
            NotAllowedError: the caller is admin nowhere.
            UserError: no page gave that cursor.
        """
        _check_is_admin(caller)
        found = self._people.accounts(cursor=cursor, limit=limit)
        items = [_as_seen(account, caller) for account in found.items if _sees(caller, account)]
        return Page(items, found.next)

    def all_of(self, caller: Principal) -> list[Account]:
        """Return all the accounts that an admin sees to.

        Raises:
            NotAllowedError: the caller is admin nowhere.
        """
        found: list[Account] = []
        cursor = None
        while True:
            page = self.listed(caller, cursor=cursor, limit=500)
            found += page.items
            cursor = page.next
            if cursor is None:
                return found

    def is_empty(self) -> bool:
        """Say whether there is no account yet."""
        return not self._people.has_accounts()

    def shown(self, caller: Principal, name: str) -> Account:
        """Return one account.

        Raises:
            NotAllowedError: the caller is admin nowhere.
            NotThereError: there is none, or none that the caller may see.
        """
        return _as_seen(self._seen(caller, name), caller)

    def make(
        self,
        caller: Principal,
        name: str,
        *,
        grants: Mapping[str, str | None],
        display_name: str = "",
        language: str | None = None,
        password: str | None = None,
        address: str = "",
    ) -> Made:
        """Make an account; without a password a temporary one is made up.

        Raises:
            NotAllowedError: it would have a role in a tenant where the caller is no admin.
            UserError: name, grants or password cannot be, or the name is taken.
        """
        _check_is_admin(caller)
        name = checked_name(name)
        granted = checked_grants({tenant: role for tenant, role in grants.items() if role is not None})
        _check_may_grant(caller, {}, granted)
        chosen = None if password is None else checked_password(password, name=name)
        temporary = new_temporary_password() if chosen is None else None
        now = self._clock.now()
        account = Account(
            account_id=str(uuid.uuid4()),
            name=name,
            display_name=display_name.strip() or name,
            grants=granted,
            password=hash_of(chosen or temporary or ""),
            must_change=temporary is not None,
            password_until=None if temporary is None else now + TEMPORARY,
            language=language,
            created=now,
        )
        deed = self._deed(caller, "account.make", account, address, grants=dict(granted))
        self._people.add_account(account, deed)
        self._on_change()
        return Made(account, temporary)

    def grant(
        self, caller: Principal, name: str, grants: Mapping[str, str | None], *, address: str = ""
    ) -> Account:
        """Give roles, tenant by tenant; None takes one away. Tenants that are not named stay as they are.

        Raises:
            NotAllowedError: the caller is no admin of one of the tenants.
            NotThereError: there is no such account.
            UserError: a role is none, or no admin of all tenants would be left.
        """
        account = self._seen(caller, name)
        given = checked_grants({tenant: role for tenant, role in grants.items() if role is not None})
        taken = [tenant for tenant, role in grants.items() if role is None]

        def changed(before: Account) -> Account:
            after = {t: role for t, role in before.grants.items() if t not in taken} | given
            _check_may_grant(caller, before.grants, after)
            return replace(before, grants=after)

        return self._change(caller, "account.grant", account, changed, address)

    def rename(
        self,
        caller: Principal,
        name: str,
        *,
        display_name: str | None = None,
        language: str | None = None,
        address: str = "",
    ) -> Account:
        """Set what an account is shown as and which language it reads; None leaves it.

        Raises:
            NotAllowedError: the caller does not see to the whole account.
            NotThereError: there is no such account.
        """
        account = self._whole(caller, name)

        def changed(before: Account) -> Account:
            return replace(
                before,
                display_name=(display_name or "").strip() or before.display_name,
                language=before.language if language is None else language or None,
            )

        return self._change(caller, "account.change", account, changed, address)

    def disable(self, caller: Principal, name: str, *, disabled: bool = True, address: str = "") -> Account:
        """Keep an account from coming in, or let it again; its logins end.

        Raises:
            NotAllowedError: the caller does not see to the whole account.
            NotThereError: there is no such account.
            UserError: no admin of all tenants would be left.
        """
        what = "account.disable" if disabled else "account.enable"
        account = self._whole(caller, name)
        return self._change(
            caller, what, account, lambda before: replace(before, disabled=disabled), address, ends=disabled
        )

    def set_password(
        self, caller: Principal, name: str, password: str | None = None, *, address: str = ""
    ) -> Made:
        """Give an account another password; its logins end. Without one, a temporary password is made up.

        Raises:
            NotAllowedError: the caller does not see to the whole account.
            NotThereError: there is no such account.
            UserError: it comes in by a provider of identities, or the password is not good enough.
        """
        account = self._whole(caller, name)
        if account.issuer is not None:
            raise UserError(f"{account.name} comes in by {account.issuer} and has no password here")
        chosen = None if password is None else checked_password(password, name=account.name)
        temporary = new_temporary_password() if chosen is None else None
        kept = hash_of(chosen or temporary or "")
        until = None if temporary is None else self._clock.now() + TEMPORARY

        def changed(before: Account) -> Account:
            return replace(before, password=kept, must_change=temporary is not None, password_until=until)

        after = self._change(caller, "account.password", account, changed, address, ends=True)
        return Made(after, temporary)

    def remove(self, caller: Principal, name: str, *, address: str = "") -> None:
        """Take an account away, with its logins and tokens. What it did stays in the trail.

        Raises:
            NotAllowedError: the caller does not see to the whole account.
            NotThereError: there is no such account.
            UserError: no admin of all tenants would be left.
        """
        account = self._whole(caller, name)
        deed = self._deed(caller, "account.remove", account, address, grants=dict(account.grants))
        self._people.remove_account(account.account_id, deed)
        self._on_change()

    def choose_language(self, caller: Principal, language: str | None, *, address: str = "") -> Account:
        """Let somebody choose the language of their console; None follows the browser.

        Raises:
            NotAllowedError: the caller has no account.
        """
        account = self._own(caller)
        return self._change(
            caller, "account.language", account, lambda before: replace(before, language=language), address
        )

    # tokens

    def tokens(self, caller: Principal) -> list[Token]:
        """Return the caller's own tokens, the newest first.

        Raises:
            NotAllowedError: the caller has no account.
        """
        return self._people.tokens_of(self._own(caller).account_id)

    def make_token(
        self,
        caller: Principal,
        name: str,
        scopes: frozenset[Scope],
        *,
        lives: int | None,
        address: str = "",
    ) -> tuple[Token, str]:
        """Make a token of the caller's and return it with its secret, which is kept nowhere.

        Args:
            caller: a person; a token makes no tokens.
            name: what it is for.
            scopes: what it is good for.
            lives: ms until it expires; None is as long as a token may live.
            address: from which it is asked.

        Raises:
            NotAllowedError: the caller has no account, or not the role that a scope needs.
            UserError: there are too many, it has no name or scope, or would live too long.
        """
        if caller.scopes is not None:
            raise NotAllowedError("a token makes no tokens: log in")
        account = self._own(caller)
        lives = LONGEST_TOKEN if lives is None else lives
        if not name.strip() or len(name) > 100:
            raise UserError("name: expected 1 to 100 characters that say what the token is for")
        if not scopes:
            raise UserError(f"scopes: expected some of {', '.join(Scope)}")
        if not 0 < lives <= LONGEST_TOKEN:
            raise UserError(
                f"expires: expected at most {LONGEST_TOKEN // parse_duration('1d')} days from now"
            )
        for scope, role in NEEDED.items():
            if scope in scopes and not caller.may_anywhere(role):
                raise NotAllowedError(f"the scope {scope} needs the role {role} in a tenant")
        if len(self._people.tokens_of(account.account_id)) >= MOST_TOKENS:
            raise UserError(f"there are {MOST_TOKENS} tokens already: revoke those that are not used")
        secret, now = new_token(), self._clock.now()
        token = Token(
            token_id=str(uuid.uuid4()),
            account_id=account.account_id,
            name=name.strip(),
            start=secret[:SHOWN],
            key=key_of(secret),
            scopes=scopes,
            created=now,
            expires=now + lives,
        )
        told = {"scopes": sorted(scopes), "expires": token.expires, "token": token.start}
        deed = self._trail.deed(
            caller, "token.make", f"token:{token.token_id}", tenant=home(account), address=address, **told
        )
        self._people.add_token(token, deed)
        return token, secret

    def revoke_token(self, caller: Principal, token_id: str, *, address: str = "") -> None:
        """Revoke a token of the caller's.

        Raises:
            NotAllowedError: the caller has no account.
            NotThereError: the caller has no such token.
        """
        account = self._own(caller)
        deed = self._trail.deed(
            caller, "token.revoke", f"token:{token_id}", tenant=home(account), address=address
        )
        if not self._people.remove_token(token_id, account.account_id, deed):
            raise NotThereError(f"there is no token {token_id} of yours")
        self._on_change()

    def _own(self, caller: Principal) -> Account:
        account = None if caller.account is None else self._people.account_of(caller.account)
        if account is None:
            raise NotAllowedError("this takes an account of your own; the built-in session has none")
        return account

    def _seen(self, caller: Principal, name: str) -> Account:
        _check_is_admin(caller)
        account = self._people.account_named(name)
        if account is None or not _sees(caller, account):
            raise NotThereError(f"there is no account {name!r}")
        return account

    def _whole(self, caller: Principal, name: str) -> Account:
        account = self._seen(caller, name)
        if not all(caller.may(Role.ADMIN, tenant) for tenant in account.grants):
            raise NotAllowedError(
                f"{account.name} has roles in tenants where you are no admin; you can take its roles in yours"
            )
        return account

    def _change(
        self,
        caller: Principal,
        what: str,
        account: Account,
        change: Callable[[Account], Account],
        address: str,
        *,
        ends: bool = False,
    ) -> Account:
        def deed(before: Account, after: Account) -> Deed:
            changes = _changes(before, after)
            return self._deed(caller, what, before, address, **changes)

        after = self._people.change_account(account.account_id, change, deed, end_sessions=ends)
        self._on_change()
        return after

    def _deed(self, caller: Principal, what: str, account: Account, address: str, **detail: object) -> Deed:
        return self._trail.deed(
            caller, what, f"account:{account.name}", tenant=home(account), address=address, **detail
        )


#: What a scope takes of its holder, somewhere.
NEEDED = {
    Scope.READ: Role.VIEWER,
    Scope.ACT: Role.ENGINEER,
    Scope.INGEST: Role.ENGINEER,
    Scope.ADMIN: Role.ADMIN,
}


def home(account: Account) -> str:
    """Return the one tenant that an account has a role in, ``*`` where there are several or none."""
    return next(iter(account.grants)) if len(account.grants) == 1 else ALL_TENANTS


def _check_is_admin(caller: Principal) -> None:
    if not caller.may_anywhere(Role.ADMIN):
        raise NotAllowedError("accounts are seen to by admins")


def _check_may_grant(caller: Principal, before: Mapping[str, Role], after: Mapping[str, Role]) -> None:
    for tenant in {*before, *after}:
        if before.get(tenant) != after.get(tenant) and not caller.may(Role.ADMIN, tenant):
            what = "all tenants (*)" if tenant == ALL_TENANTS else f"the tenant {tenant}"
            raise NotAllowedError(f"only an admin of {what} can give and take roles there")


def _sees(caller: Principal, account: Account) -> bool:
    tenants = caller.tenants(Role.ADMIN)
    return tenants is None or bool(tenants & account.grants.keys())


def _as_seen(account: Account, caller: Principal) -> Account:
    tenants = caller.tenants(Role.ADMIN)
    if tenants is None:
        return account
    return replace(account, grants={t: role for t, role in account.grants.items() if t in tenants})


def _changes(before: Account, after: Account) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in ("grants", "display_name", "language", "disabled"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            found[name] = {"before": old, "after": new}
    return found
