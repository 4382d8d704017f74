"""The console on the application of the API: same port, same queries, nothing from any other host."""

from collections.abc import Hashable
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query
from nicegui import app as nicegui_app
from nicegui import ui

from gateway.api.callers import caller_of
from gateway.api.queries import Queries
from gateway.api.views import Health
from gateway.console.frame import Desk
from gateway.console.language import preferred, speak
from gateway.console.pages.case import case_page
from gateway.console.pages.cases import Filters as CaseFilters
from gateway.console.pages.cases import cases_page
from gateway.console.pages.device import device_page
from gateway.console.pages.devices import Filters as DeviceFilters
from gateway.console.pages.devices import devices_page
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
from gateway.rulebook import Rulebook
from rules.symbols import DeviceId

STATIC = Path(__file__).parent / "static"

#: Seconds that a page may take to gather what it shows first.
PATIENCE = 15.0

#: Desks that are kept for those who come back.
MOST_DESKS = 256


def mount_console(app: FastAPI) -> None:
    """Put the console on an application of `gateway.api.app.create_app`, at the root.

    One application a process: the framework of the pages is one a process. The server's lifespan starts and
    stops it.
    """
    queries, health = app.state.queries, app.state.health
    assert isinstance(queries, Queries)
    desks = Desks(queries, health)
    nicegui_app.add_static_files("/console", STATIC, max_cache_age=0)
    _register(desks)
    _register_rules(desks, app.state.rulebook)

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


class Desks:
    """The desks of those who read at the moment; pages of one reader share one."""

    def __init__(self, queries: Queries, health: Health) -> None:
        self._queries = queries
        self._health = health
        self._desks: dict[Hashable, Desk] = {}

    def here(self) -> Desk:
        """Return the desk of the reader whose page is being built; the page speaks their language."""
        request = ui.context.client.request
        caller = caller_of(request)
        assert caller is not None, "a page was built for nobody"
        speak(preferred(request.headers.get("accept-language")))
        key = (caller.account, caller.name, frozenset(caller.grants.items()))
        if key not in self._desks:
            if len(self._desks) >= MOST_DESKS:
                self._desks.clear()  # open pages keep theirs
            self._desks[key] = Desk(self._queries, self._health, caller)
        return self._desks[key]


def _register(desks: Desks) -> None:
    @ui.page("/", response_timeout=PATIENCE)
    @ui.page("/cases", response_timeout=PATIENCE)
    async def cases(state: str = "open", severity: str = "", find: str = "") -> None:
        await cases_page(desks.here(), CaseFilters(state, severity, find))

    @ui.page("/cases/{case_id}", response_timeout=PATIENCE)
    async def case(case_id: str) -> None:
        await case_page(desks.here(), case_id)

    @ui.page("/orders", response_timeout=PATIENCE)
    async def orders(state: str = "open", find: str = "") -> None:
        await orders_page(desks.here(), OrderFilters(state, find))

    @ui.page("/orders/{order_id}", response_timeout=PATIENCE)
    async def order(order_id: str) -> None:
        await order_page(desks.here(), order_id)

    @ui.page("/devices", response_timeout=PATIENCE)
    async def devices(device_class: Annotated[str, Query(alias="class")] = "", find: str = "") -> None:
        await devices_page(desks.here(), DeviceFilters(device_class, find))

    @ui.page("/devices/{tenant}/{device_class}/{device}", response_timeout=PATIENCE)
    async def device(tenant: str, device_class: str, device: str, window: str = "6h") -> None:
        await device_page(desks.here(), DeviceId(tenant, device_class, device), window)

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
