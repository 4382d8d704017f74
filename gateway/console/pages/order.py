"""An order: all that leaves, what is missing and where to fill it in, what can be done, what became of it."""

import asyncio
from typing import NamedTuple

from nicegui import ui

from diagnostics.case import Case
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import ServiceOrder
from gateway.api.queries import Queries
from gateway.console.frame import Desk, frame
from gateway.console.gaps import Gaps
from gateway.console.language import t
from gateway.console.live import Live, Region
from gateway.console.orderactions import OrderActions
from gateway.console.orderbar import OrderBar
from gateway.console.orderchanges import draw_changes
from gateway.console.ordersheet import OrderSheet
from gateway.console.pages.missing import nothing_here
from gateway.console.parts import box, section
from gateway.console.trail import Trail
from gateway.ports import Deliveries


class OrderFile(NamedTuple):
    """An order and all that happened to it."""

    order: ServiceOrder
    changes: list[OrderChange]


async def order_page(desk: Desk, order_id: str, outbox: Deliveries | None) -> None:
    """Build the page of an order; `outbox` takes what is to be sent again."""
    async with frame(desk, "orders", order_id, style="order") as live:
        order = await asyncio.to_thread(desk.queries.order, order_id)
        if order is None:
            ui.status_code(404)
            nothing_here(t("There is no order {order}.", order=order_id))
            return
        with box("article", "order"):
            await _build(desk, live, order, outbox)


async def _build(desk: Desk, live: Live, order: ServiceOrder, outbox: Deliveries | None) -> None:
    queries = desk.queries

    def sheet(shown: ServiceOrder) -> OrderSheet:
        return OrderSheet(shown, queries.catalogue)

    async def case() -> Case | None:
        return await asyncio.to_thread(queries.ledger.case, order.case_id)

    heading: Region[ServiceOrder] = Region(box("div", "headline"), lambda shown: sheet(shown).draw_heading())
    actions = OrderActions(desk.caller, desk.instructed, queries.trail)
    bar = OrderBar(box("div", "order-bar"), actions, order.tenant, live, case)
    gaps = Gaps(box("div"), bar.fill, may_fill=bar.may_act)
    with box("div", "columns"):
        main: Region[ServiceOrder] = Region(
            box("div", "main-column"), lambda shown: sheet(shown).draw_sheet()
        )
        side: Region[ServiceOrder] = Region(
            box("aside", "side-column"), lambda shown: sheet(shown).draw_side()
        )
    with box("div", "columns-even"):
        with section(t("Since it was opened")):
            changes = Region(box("div"), draw_changes)
        trail = Trail(desk, live, order_id=order.order_id, tenant=order.tenant, outbox=outbox)
        await trail.build()

    def show(file: OrderFile | None) -> None:
        if file is None:
            return
        heading.show(file.order)
        bar.show(file.order)
        gaps.show(file.order)
        main.show(file.order)
        side.show(file.order)
        changes.show(file.changes)

    await live.watch(lambda: _read(queries, order.order_id), show)


def _read(queries: Queries, order_id: str) -> OrderFile | None:
    order = queries.order(order_id)
    return None if order is None else OrderFile(order, queries.order_changes(order_id))
