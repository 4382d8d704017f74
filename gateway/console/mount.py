"""The console on the application of the API: same port, same queries, nothing from any other host."""

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query
from nicegui import app as nicegui_app
from nicegui import ui

from gateway.api.queries import Queries
from gateway.console.frame import Desk
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
from gateway.console.pages.quarantine import Filters as QuarantineFilters
from gateway.console.pages.quarantine import quarantine_page
from gateway.console.pages.silences import Filters as SilenceFilters
from gateway.console.pages.silences import silences_page
from rules.symbols import DeviceId

STATIC = Path(__file__).parent / "static"

#: Seconds that a page may take to gather what it shows first.
PATIENCE = 15.0


def mount_console(app: FastAPI) -> None:
    """Put the console on an application of `gateway.api.app.create_app`, at the root.

    One application a process: the framework of the pages is one a process. The server's lifespan starts and
    stops it.
    """
    queries, health = app.state.queries, app.state.health
    assert isinstance(queries, Queries)
    desk = Desk(queries, health)
    nicegui_app.add_static_files("/console", STATIC, max_cache_age=0)
    _register(desk)

    async def missing() -> None:
        await missing_page(desk)

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


def _register(desk: Desk) -> None:
    @ui.page("/", response_timeout=PATIENCE)
    @ui.page("/cases", response_timeout=PATIENCE)
    async def cases(state: str = "open", severity: str = "", find: str = "") -> None:
        await cases_page(desk, CaseFilters(state, severity, find))

    @ui.page("/cases/{case_id}", response_timeout=PATIENCE)
    async def case(case_id: str) -> None:
        await case_page(desk, case_id)

    @ui.page("/orders", response_timeout=PATIENCE)
    async def orders(state: str = "open", find: str = "") -> None:
        await orders_page(desk, OrderFilters(state, find))

    @ui.page("/orders/{order_id}", response_timeout=PATIENCE)
    async def order(order_id: str) -> None:
        await order_page(desk, order_id)

    @ui.page("/devices", response_timeout=PATIENCE)
    async def devices(device_class: Annotated[str, Query(alias="class")] = "", find: str = "") -> None:
        await devices_page(desk, DeviceFilters(device_class, find))

    @ui.page("/devices/{tenant}/{device_class}/{device}", response_timeout=PATIENCE)
    async def device(tenant: str, device_class: str, device: str, window: str = "6h") -> None:
        await device_page(desk, DeviceId(tenant, device_class, device), window)

    @ui.page("/silences", response_timeout=PATIENCE)
    async def silences(state: str = "active", tenant: str = "") -> None:
        await silences_page(desk, SilenceFilters(state, tenant))

    @ui.page("/quarantine", response_timeout=PATIENCE)
    async def quarantine(reason: str = "", topic: str = "", since: str = "") -> None:
        await quarantine_page(desk, QuarantineFilters(reason, topic, since))
