"""An application with accounts over real stores, and a clock that is moved by hand."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from browser.site import Site, open_site
from httpx import ASGITransport, AsyncClient

from gateway.access.access import Access, OpenDoor
from gateway.access.accounts import COMMAND_LINE
from gateway.access.logins import Logins
from gateway.access.settings import AccessTable
from gateway.api.accessing import AccessDesk
from gateway.clock import ManualClock
from gateway.ledger.people import SqlPeople

NOW = 1_767_225_600_000
PASSWORD = "correct horse battery"
BASE = "http://127.0.0.1:8080"


@dataclass
class House:
    """A site with accounts."""

    site: Site
    people: SqlPeople
    settings: AccessTable
    door: OpenDoor
    secure: bool = False
    listen_host: str = "127.0.0.1"
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    seconds: float = 0.0

    def __post_init__(self):
        self.access = Access(
            self.people,
            self.settings,
            events=self.site.events,
            door=self.door,
            secure=self.secure,
            clock=self.clock,
            monotonic=lambda: self.seconds,
        )
        self.desk = AccessDesk(self.access, Logins(self.access, monotonic=lambda: self.seconds))
        self.app = self.site.app(access=self.desk, listen_host=self.listen_host)

    def move(self, ms):
        """Let time pass."""
        self.clock.move_to(self.clock.now() + ms)
        self.seconds += ms / 1000

    def account(self, name="ada", grants=None, password=PASSWORD):
        """Make an account; the first is admin of all tenants."""
        if not self.people.has_accounts() and grants is not None:
            self.account("root")
        made = self.desk.accounts.make(COMMAND_LINE, name, grants=grants or {"*": "admin"}, password=password)
        return made.account

    def client(self, peer="127.0.0.1", **headers):
        transport = ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 50_000))
        scheme = "https" if self.secure else "http"
        return AsyncClient(transport=transport, base_url=f"{scheme}://127.0.0.1:8080", headers=headers)

    async def logged_in(self, name="ada", password=PASSWORD, peer="127.0.0.1"):
        """Return a client with a login's cookie and its CSRF token."""
        client = self.client(peer)
        response = await client.post("/api/v1/login", json={"name": name, "password": password})
        assert response.status_code == 200, response.text
        client.headers["x-csrf-token"] = response.json()["csrf_token"]
        return client

    def trail(self, **filters):
        """Return what the trail has, the oldest first, as (who, what, object, tenant)."""
        page = self.people.trail(limit=1000, **filters)
        return [(d.who, d.what, d.target, d.tenant) for d in reversed(page.items)]


def open_house(
    folder: Path, stack: ExitStack, *, settings=None, door=None, secure=False, listen_host="127.0.0.1"
):
    """Open a house in a folder, closed with the stack."""
    site = open_site(folder, stack, seeded=False)
    people = SqlPeople(f"sqlite:///{folder}/ledger.db")
    stack.callback(people.close)
    door = door or OpenDoor.of(listen_host, None)
    return House(site, people, AccessTable(**(settings or {})), door, secure=secure, listen_host=listen_host)
