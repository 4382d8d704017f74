"""Who comes in: finds out whose a connection is, lets people log in and out, and ends what is over."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gateway.access.audit import Trail
from gateway.access.errors import LimitedError
from gateway.access.limits import Buckets
from gateway.access.origins import address_of, is_loopback, is_of_this_machine
from gateway.access.principal import ALL_TENANTS, BUILT_IN, Principal, Role, Scope
from gateway.access.records import Account, Session, Token
from gateway.access.secrets import MARK, key_of, new_token, same
from gateway.access.settings import AccessTable
from gateway.access.visits import Visit, note_visit
from gateway.clock import Clock, SystemClock
from gateway.errors import StoreUnavailableError
from gateway.events import Events
from gateway.ledger.people import SqlPeople
from rules.times import parse_duration

COOKIE = "forewarn"

#: The command line on this machine, which asks for what a running gateway holds; whoever may read the word
#: that the gateway leaves may read and change its files as well.
COMMAND_LINE_HERE = Principal(
    "command line", {ALL_TENANTS: Role.ENGINEER}, frozenset({Scope.READ, Scope.ACT})
)

#: Seconds for which an answer of the store holds; a revoked session ends within so many.
FRESH_SECONDS = 1.0
MOST_KNOWN = 10_000

#: Seconds between two notes in the store of when sessions and tokens were last used.
NOTED_EVERY = 20.0
PRUNED_EVERY = 3600.0
MOST_PRUNINGS = 1000

_MINUTE = parse_duration("1m")
_DAY = parse_duration("1d")

_Found = tuple[Session | Token, Account] | None


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """When nobody has to log in on this machine (docs/decisions/0010-who-comes-in.md).

    Attributes:
        always: as in the demo; else only while there is no account and no provider of identities.
        listens_here: the gateway answers on loopback only, and no public address is configured.
    """

    always: bool = False
    listens_here: bool = True

    @classmethod
    def of(cls, listen_host: str, console_url: str | None, *, always: bool = False) -> "OpenDoor":
        """Return the door of a gateway that listens on a host, behind a public address where it has one."""
        public = urlsplit(console_url).hostname if console_url else None
        return cls(always, is_loopback(listen_host) and (public is None or is_loopback(public)))


class Access:
    """Finds out who somebody is; fulfils `gateway.api.callers.Callers`.

    Args:
        people: where accounts are kept; closed by the caller.
        settings: the table ``[access]``.
        events: told of logins and of what was refused.
        door: when nobody has to log in.
        secure: whether browsers come by HTTPS; the cookie is then sent by nothing else.
        clock: wall time, also where the gateway's own runs faster.
        monotonic: s, for limits.
    """

    def __init__(
        self,
        people: SqlPeople,
        settings: AccessTable,
        *,
        events: Events,
        door: OpenDoor | None = None,
        secure: bool = False,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.people = people
        self.settings = settings
        self.events = events
        self.door = door or OpenDoor()
        self.secure = secure
        self.clock = clock or SystemClock()
        self.trail = Trail(people, self.clock, events.audit_lost)
        #: By which the command line on this machine reads; good until this gateway ends.
        self.local_token = new_token()
        #: Tells whose an open page is, by the framework's identifier of it; set by the console.
        self.page_owner: Callable[[str], Visit | None] = lambda _page: None
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, _Found]] = OrderedDict()
        self._accounts: tuple[float, bool] = (float("-inf"), True)
        self._used: dict[str, int] = {}
        self._intake = Buckets(rate=settings.ingest_rate, burst=settings.ingest_burst, now=monotonic)

    # who somebody is

    @property
    def cookie(self) -> str:
        """Name of the cookie; its prefix lets browsers bind it to this host and HTTPS (RFC 6265bis)."""
        return f"__Host-{COOKIE}" if self.secure else COOKIE

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """Return whose a connection is; how that is known is put down in the connection's state.

        Raises:
            StoreUnavailableError: it cannot be found out now.
        """
        note_visit(connection, self, None)
        visit = await self._visit(connection)
        note_visit(connection, self, visit)
        return None if visit is None else visit.caller

    async def still_stands(self, visit: Visit) -> bool:
        """Say whether a caller still may what it may when a page was opened.

        Raises:
            StoreUnavailableError: it cannot be found out now.
        """
        if visit.kind == "built-in":
            return await self._is_open()
        if visit.caller is COMMAND_LINE_HERE:
            return True
        found = await self._find(visit.key)
        return visit.is_same(self._judged(found, visit.address))

    def was_used(self, visit: Visit) -> None:
        """Note that a login does something, though no request says so: it acts on an open page."""
        if visit.kind == "login":
            self._used[visit.key] = self.clock.now()

    def address_of(self, connection: HTTPConnection) -> str:
        """Return the address that a connection comes from."""
        return address_of(connection, self.settings.trusted_proxies)

    async def _visit(self, connection: HTTPConnection) -> Visit | None:
        address = self.address_of(connection)
        scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            secret = credentials.strip()
            if not secret.startswith(MARK):
                return None
            if same(secret, self.local_token):
                return Visit(COMMAND_LINE_HERE, "token", address)
            visit = self._judged(await self._find(key_of(secret)), address)
            return visit if visit is not None and visit.kind == "token" else None
        if cookie := connection.cookies.get(self.cookie):
            visit = self._judged(await self._find(key_of(cookie)), address)
            if visit is not None and visit.kind == "login":
                return visit
        if self.door.listens_here and is_of_this_machine(connection) and await self._is_open():
            return Visit(BUILT_IN, "built-in", address)
        return None

    def _judged(self, found: _Found, address: str) -> Visit | None:
        """Return the visit of what was found, None when it is over."""
        if found is None:
            return None
        record, account = found
        now = self.clock.now()
        if account.disabled or (record.expires is not None and record.expires <= now):
            return None
        used = max(record.used or 0, self._used.get(record.key, 0))
        if isinstance(record, Token):
            self._mark(record.key, used, now, _MINUTE)
            return Visit(account.principal(record.scopes), "token", address, record.key)
        idle = self.settings.ms("session_idle")
        if used + idle <= now:
            return None
        self._mark(record.key, used, now, min(_MINUTE, idle // 4))
        return Visit(
            account.principal(),
            "login",
            address,
            record.key,
            record.csrf,
            account.language,
            account.must_change,
        )

    async def _find(self, key: str) -> _Found:
        """Return the session or token of a key, as it was a moment ago at most."""
        now = self._monotonic()
        if (kept := self._known.get(key)) is not None and now - kept[0] < FRESH_SECONDS:
            return kept[1]
        found = await asyncio.to_thread(self._look_up, key)
        self._known.pop(key, None)  # anew at its end; `forget` may come between, from another thread
        self._known[key] = (now, found)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return found

    def _look_up(self, key: str) -> _Found:
        return self.people.session_of(key) or self.people.token_of(key)

    async def _is_open(self) -> bool:
        """Say whether nobody has to log in on this machine."""
        if self.door.always:
            return True
        if self.settings.oidc is not None:
            return False
        now = self._monotonic()
        if now - self._accounts[0] >= FRESH_SECONDS:
            self._accounts = (now, await asyncio.to_thread(self.people.has_accounts))
        return not self._accounts[1]

    async def has_nobody(self) -> bool:
        """Say whether there is no account yet, and nobody else who says who somebody is."""
        return self.settings.oidc is None and not await asyncio.to_thread(self.people.has_accounts)

    def _mark(self, key: str, used: int, now: int, every: int) -> None:
        if now - used >= every:
            self._used[key] = now

    def take_intake(self, visit: Visit) -> None:
        """Let a caller send one message by HTTP; where nobody has to log in, nobody is held up either.

        Raises:
            LimitedError: too many came at once.
        """
        if visit.kind == "built-in":
            return
        key = visit.caller.account or visit.address
        if wait := self._intake.take(key):
            self.events.limited(what="ingest", address=visit.address)
            raise LimitedError(
                f"more than {self.settings.ingest_rate:g} messages a second came from {visit.caller.name}",
                wait,
            )

    # what time does

    async def run(self) -> None:
        """Note uses and take away what is over, for as long as the gateway runs."""
        pruned = self._monotonic()
        while True:
            await asyncio.sleep(NOTED_EVERY)
            try:
                await self.note_uses()
                if self._monotonic() - pruned >= PRUNED_EVERY:
                    pruned = self._monotonic()
                    await self.prune()
            except StoreUnavailableError as error:
                self.events.log.warning("access_not_noted", detail=str(error))

    async def note_uses(self) -> None:
        """Write down when sessions and tokens were last used."""
        used, self._used = self._used, {}
        try:
            await asyncio.to_thread(self.people.mark_used, used)
        except StoreUnavailableError:
            self._used = used | self._used
            raise

    async def prune(self) -> None:
        """Take away sessions that are over and what the audit trail no longer keeps."""
        now = self.clock.now()
        before = now - self.settings.audit_days * _DAY
        idle = self.settings.ms("session_idle")
        await self.note_uses()
        for _ in range(MOST_PRUNINGS):
            if not await asyncio.to_thread(self.people.prune, now=now, idle=idle, deeds_before=before):
                break
            await asyncio.sleep(0.1)  # the gateway's commits come between

    def forget(self) -> None:
        """Ask the store anew for everybody: something of theirs has changed."""
        self._known.clear()
        self._accounts = (float("-inf"), True)
