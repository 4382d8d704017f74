import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvicorn
from browser.site import Site, open_site
from callers import Someone
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gateway.access.access import Access, OpenDoor
from gateway.access.settings import AccessTable
from gateway.api.accessing import AccessDesk
from gateway.api.callers import Loopback
from gateway.console.mount import mount_console
from gateway.ledger.people import SqlPeople

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Served:
    """The application with its console, served by uvicorn on a thread of this process."""

    def __init__(self, site: Site, access: AccessDesk | None = None) -> None:
        app = site.app(access=access, callers=Someone(access.access if access else Loopback()))
        self.access = access
        mount_console(app)
        self.site = site
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        self._thread = threading.Thread(target=self._run, name="uvicorn")
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.02)
            assert self._thread.is_alive(), "the server did not start"
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"

    def _run(self) -> None:
        asyncio.run(self._server.serve())

    def stop(self) -> None:
        self._server.should_exit = True
        self.site.feed.close()
        self._thread.join(15)
        assert not self._thread.is_alive(), "the server did not stop"


@pytest.fixture(scope="session")
def served(tmp_path_factory) -> Iterator[Served]:
    """One console for all tests of a worker: its framework is one a process."""
    logging.getLogger("nicegui").setLevel(logging.WARNING)
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("console")
        site = open_site(folder, stack)
        people = SqlPeople(f"sqlite:///{folder}/ledger.db")
        stack.callback(people.close)
        # As in a demo: whoever comes from this machine need not log in, and may.
        access = Access(people, AccessTable(), events=site.events, door=OpenDoor(always=True))
        server = Served(site, AccessDesk(access))
        stack.callback(server.stop)
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser, gone with its module: while it is there, no asyncio test can run in this process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """What a page must not do: complain, or talk to anyone but its own host."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.complaints: list[str] = []
        self.strangers: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url.replace("ws://", "http://")))

    def _said(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "blob:")):
            self.strangers.append(url)


@pytest.fixture
def context(chromium: Browser, served: Served) -> Iterator[BrowserContext]:
    context = chromium.new_context(
        base_url=served.base, viewport={"width": 1440, "height": 900}, color_scheme="light"
    )
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, served: Served) -> Iterator[Page]:
    """A page that fails its test when it complained or left its host."""
    page = context.new_page()
    watched = Watched(served.base)
    watched.watch(page)
    yield page
    assert watched.strangers == []
    assert watched.complaints == []
