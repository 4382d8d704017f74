"""The console on the application of the API: same port, same queries, nothing from any other host."""

from collections.abc import Hashable
from copy import copy
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request
from nicegui import app as nicegui_app
from nicegui import ui

from gateway.access.visits import visit_of
from gateway.api.callers import caller_of
from gateway.api.queries import Queries
from gateway.api.views import Health, Instructed
from gateway.console.access_pages import register_access
from gateway.console.fleetboard import Filters as FleetFilters
from gateway.console.frame import Desk
from gateway.console.language import LANGUAGES, TAGS, preferred, speak
from gateway.console.pages.case import View as CaseView
from gateway.console.pages.case import case_page
from gateway.console.pages.cases import Filters as CaseFilters
from gateway.console.pages.cases import cases_page
from gateway.console.pages.dead_letters import GIVEN_UP, dead_letters_page
from gateway.console.pages.dead_letters import Filters as LetterFilters
from gateway.console.pages.device import View as DeviceView
from gateway.console.pages.device import device_page
from gateway.console.pages.devices import Filters as DeviceFilters
from gateway.console.pages.devices import devices_page
from gateway.console.pages.fleet import fleet_page
from gateway.console.pages.missing import missing_page
from gateway.console.pages.order import order_page
from gateway.console.pages.orders import Filters as OrderFilters
from gateway.console.pages.orders import orders_page
from gateway.console.pages.pack import pack_page
from gateway.console.pages.quarantine import Filters as QuarantineFilters
from gateway.console.pages.quarantine import quarantine_page
from gateway.console.pages.rule import rule_page
from gateway.console.pages.rules import Filters as RuleFilters
from gateway.console.pages.rules import rules_page
from gateway.console.pages.silences import Filters as SilenceFilters
from gateway.console.pages.silences import silences_page
from gateway.ports import Deliveries
from gateway.rulebook import Rulebook
from rules.symbols import DeviceId

STATIC = Path(__file__).parent / "static"

#: Seconds that a page may take to gather what it shows first.
PATIENCE = 15.0

#: What a reader chose to read in, kept by the browser; console.js sets it.
LANGUAGE_COOKIE = "forewarn_language"

#: Desks that are kept for those who come back.
MOST_DESKS = 256


def mount_console(app: FastAPI) -> None:
    """Put the console on an application of `gateway.api.app.create_app`, at the root.

    One application a process: the framework of the pages is one a process. The server's lifespan starts and
    stops it.
    """
    queries, health = app.state.queries, app.state.health
    assert isinstance(queries, Queries)
    desks = Desks(queries, health, app.state.instructed)
    nicegui_app.add_static_files("/console", STATIC, max_cache_age=0)
    _register(desks, app.state.deliveries)
    _register_rules(desks, app.state.rulebook)
    register_access(app, desks.here)

    async def missing() -> None:
        await missing_page(desks.here())

    ui.run_with(
        app,
        root=missing,
        title="forewarn",
        favicon=STATIC / "icon.svg",
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=10.0,
    )
    # Pages load nothing later that somebody waits for; the framework's bar would say so without a name.
    nicegui_app.config.quasar_config["loadingBar"]["skipHijack"] = True


class Desks:
    """The desks of those who read at the moment; pages of one reader share one."""

    def __init__(self, queries: Queries, health: Health, instructed: Instructed | None) -> None:
        self._queries = queries
        self._health = health
        self._instructed = instructed
        self._desks: dict[Hashable, Desk] = {}

    def here(self) -> Desk:
        """Return the desk of the reader whose page is being built; the page speaks their language."""
        request = ui.context.client.request
        caller = caller_of(request)
        assert caller is not None, "a page was built for nobody"
        _speak(chosen_language(request))
        key = (caller.account, caller.name, frozenset(caller.grants.items()))
        if key not in self._desks:
            if len(self._desks) >= MOST_DESKS:
                self._desks.clear()  # open pages keep theirs
            self._desks[key] = Desk(self._queries, self._health, caller, self._instructed)
        return self._desks[key]


def chosen_language(request: Request) -> str:
    """Return what a reader chose: in the console, else in their account, else in their browser."""
    visit = visit_of(request)
    chosen = request.cookies.get(LANGUAGE_COOKIE) or (visit and visit.language) or ""
    return chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language"))


def _speak(language: str) -> None:
    """Let the page that is being built, and what its framework says in it, be in a language."""
    speak(language)
    client = ui.context.client
    client.page = copy(client.page)  # the framework's is shared by all readers of an address
    client.page.language = TAGS[language]


def _register(desks: Desks, outbox: Deliveries | None) -> None:
    @ui.page("/", response_timeout=PATIENCE)
    @ui.page("/cases", response_timeout=PATIENCE)
    async def cases(
        *,
        state: str = "open",
        severity: str = "",
        brand: str = "",
        device_class: Annotated[str, Query(alias="class")] = "",
        reason: str = "",
        who: str = "",
        seen: str = "",
        find: str = "",
        after: str = "",
    ) -> None:
        filters = CaseFilters(
            state=state,
            severity=severity,
            brand=brand,
            device_class=device_class,
            reason=reason,
            who=who,
            seen=seen,
            find=find,
            after=after,
        )
        await cases_page(desks.here(), filters)

    @ui.page("/cases/{case_id}", response_timeout=PATIENCE)
    async def case(case_id: str, over: str = "", story: str = "") -> None:
        await case_page(desks.here(), case_id, CaseView(over, story))

    @ui.page("/orders", response_timeout=PATIENCE)
    async def orders(
        *,
        state: str = "open",
        due: str = "",
        missing: str = "",
        brand: str = "",
        find: str = "",
        page: str = "",
    ) -> None:
        filters = OrderFilters.of(state=state, due=due, missing=missing, brand=brand, find=find, page=page)
        await orders_page(desks.here(), filters)

    @ui.page("/orders/{order_id}", response_timeout=PATIENCE)
    async def order(order_id: str) -> None:
        await order_page(desks.here(), order_id, outbox)

    @ui.page("/devices", response_timeout=PATIENCE)
    async def devices(
        *,
        device_class: Annotated[str, Query(alias="class")] = "",
        state: str = "",
        brand: str = "",
        find: str = "",
        page: str = "",
    ) -> None:
        filters = DeviceFilters.of(device_class=device_class, state=state, brand=brand, find=find, page=page)
        await devices_page(desks.here(), filters)

    @ui.page("/devices/{tenant}/{device_class}/{device}", response_timeout=PATIENCE)
    async def device(
        *,
        tenant: str,
        device_class: str,
        device: str,
        window: str = "",
        start: Annotated[str, Query(alias="from")] = "",
        end: Annotated[str, Query(alias="to")] = "",
        tail: str = "",
    ) -> None:
        view = DeviceView.of(window=window, start=start, end=end, tail=tail)
        await device_page(desks.here(), DeviceId(tenant, device_class, device), view)

    @ui.page("/fleet", response_timeout=PATIENCE)
    async def fleet(by: str = "", window: str = "", tenant: str = "") -> None:
        await fleet_page(desks.here(), FleetFilters.of(by=by, window=window, tenant=tenant))

    @ui.page("/dead-letters", response_timeout=PATIENCE)
    async def dead_letters(state: str = GIVEN_UP, target: str = "", order: str = "") -> None:
        await dead_letters_page(desks.here(), LetterFilters(state, target, order), outbox)

    @ui.page("/silences", response_timeout=PATIENCE)
    async def silences(state: str = "active", tenant: str = "") -> None:
        await silences_page(desks.here(), SilenceFilters(state, tenant))

    @ui.page("/quarantine", response_timeout=PATIENCE)
    async def quarantine(reason: str = "", topic: str = "", since: str = "") -> None:
        await quarantine_page(desks.here(), QuarantineFilters(reason, topic, since))


def _register_rules(desks: Desks, book: Rulebook | None) -> None:
    @ui.page("/rules", response_timeout=PATIENCE)
    async def rules(find: str = "") -> None:
        await rules_page(desks.here(), book, RuleFilters(find))

    @ui.page("/rules/{rule_id}", response_timeout=PATIENCE)
    async def rule(rule_id: str) -> None:
        await rule_page(desks.here(), book, rule_id)

    @ui.page("/packs", response_timeout=PATIENCE)
    async def new_pack(copied: Annotated[str, Query(alias="copy")] = "") -> None:
        await pack_page(desks.here(), book, None, copied)

    @ui.page("/packs/{name}", response_timeout=PATIENCE)
    async def pack(name: str) -> None:
        await pack_page(desks.here(), book, name)
