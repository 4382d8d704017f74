"""Logging in and out: by a password, or by what a provider of identities says."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.access.access import Access
from gateway.access.errors import LimitedError, LoginRefusedError, NotAllowedError
from gateway.access.limits import Pauses
from gateway.access.passwords import LONGEST, checked_password, hash_of, is_password
from gateway.access.principal import Principal
from gateway.access.records import Account, Session
from gateway.access.secrets import key_of, new_secret
from gateway.access.visits import Visit
from gateway.errors import UserError
from rules.times import SECOND_MS

#: An address may fail so many times more often than a name: many people may share one.
NAMES_AN_ADDRESS = 4

WRONG = "the name or the password is wrong"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that was let in; `secret` goes into the browser's cookie and is kept nowhere else."""

    secret: str
    account: Account
    session: Session


class Logins:
    """Lets people in and out.

    Args:
        access: that finds out who they are afterwards.
        monotonic: s, for pauses after failures.
    """

    def __init__(self, access: Access, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._access = access
        self._people = access.people
        self._hashing = asyncio.Semaphore(2)  # each takes a core for a moment
        attempts = access.settings.login_attempts
        longest = access.settings.ms("login_pause_max") / SECOND_MS
        self._names = Pauses(free=attempts, longest=longest, now=monotonic)
        self._addresses = Pauses(free=attempts * NAMES_AN_ADDRESS, longest=longest, now=monotonic)

    async def log_in(self, name: str, password: str, *, address: str, cookie: str | None = None) -> LoggedIn:
        """Let somebody in by their password; the login of their browser's present cookie ends.

        Raises:
            LoginRefusedError: name or password are wrong, or the account may not come in.
            LimitedError: it was tried too often.
            StoreUnavailableError: it cannot be found out now.
        """
        name = name.strip().lower()[:64]
        self._pause(name, address)
        self._names.attempt(name)
        self._addresses.attempt(address)
        account = await asyncio.to_thread(self._people.account_named, name)
        async with self._hashing:
            kept = None if account is None else account.password
            fits = await asyncio.to_thread(is_password, password[: LONGEST + 1], kept)
        if account is None or not fits or not self._may_come(account):
            await self._refused(account, address)
            raise LoginRefusedError(WRONG)
        self._names.succeeded(name)
        self._addresses.take_back(address)
        return await self.begin(account, address=address, cookie=cookie, by="password")

    async def begin(self, account: Account, *, address: str, cookie: str | None, by: str) -> LoggedIn:
        """Begin a session for an account that has shown who it is."""
        now = self._access.clock.now()
        secret = new_secret()
        session = Session(
            key=key_of(secret),
            account_id=account.account_id,
            csrf=new_secret(),
            created=now,
            used=now,
            expires=now + self._access.settings.ms("session_max"),
            address=address,
        )
        deed = self._access.trail.deed(account.principal(), "login", address=address, by=by)
        old = key_of(cookie) if cookie else None
        await asyncio.to_thread(self._people.add_session, session, deed, instead_of=old)
        self._access.forget()
        self._access.events.login(result="let_in", address=address, name=account.name)
        return LoggedIn(secret, account, session)

    async def log_out(self, visit: Visit) -> None:
        """End a login; the open pages of it end within seconds."""
        if visit.kind != "login":
            return
        deed = self._access.trail.deed(visit.caller, "logout", address=visit.address)
        await asyncio.to_thread(self._people.end_session, visit.key, deed)
        self._access.forget()

    async def change_password(self, visit: Visit, old: str, new: str) -> None:
        """Let somebody choose another password; their other logins end.

        Raises:
            NotAllowedError: whoever asks is not logged in with a password.
            LoginRefusedError: the old password is wrong.
            UserError: the new one is not good enough.
            LimitedError: it was tried too often.
        """
        account = await asyncio.to_thread(self._people.account_of, visit.caller.account or "")
        if visit.kind != "login" or account is None or account.password is None:
            raise NotAllowedError("only who is logged in with a password can change it")
        self._pause(account.name, visit.address)
        self._names.attempt(account.name)
        async with self._hashing:
            if not await asyncio.to_thread(is_password, old[: LONGEST + 1], account.password):
                raise LoginRefusedError("the present password is wrong")
        self._names.succeeded(account.name)
        checked_password(new, name=account.name)
        if old == new:
            raise UserError("password: expected another one than the present")
        async with self._hashing:
            kept = await asyncio.to_thread(hash_of, new)

        def changed(present: Account) -> Account:
            return replace(present, password=kept, must_change=False, password_until=None)

        trail = self._access.trail
        await asyncio.to_thread(
            self._people.change_account,
            account.account_id,
            changed,
            lambda before, _after: trail.deed(
                visit.caller, "account.password", f"account:{before.name}", address=visit.address
            ),
            end_sessions=True,
            but=visit.key,
        )
        self._access.forget()

    def _may_come(self, account: Account) -> bool:
        until = account.password_until
        return not account.disabled and (until is None or self._access.clock.now() < until)

    def _pause(self, name: str, address: str) -> None:
        wait = max(self._names.wait(name), self._addresses.wait(address))
        if wait > 0:
            self._access.events.limited(what="login", address=address)
            raise LimitedError("too many logins have failed", wait)

    async def _refused(self, account: Account | None, address: str) -> None:
        name = None if account is None else account.name  # what nobody is called may be a password
        self._access.events.login(result="refused", address=address, name=name)
        if account is not None:
            nobody: Principal | None = None
            deed = self._access.trail.deed(nobody, "login.refused", f"account:{name}", address=address)
            await asyncio.to_thread(self._people.record, [deed])
