"""The list of service orders."""

from dataclasses import dataclass

from diagnostics.orders.model import ServiceOrder
from gateway.api.queries import ORDER_STATES, Totals
from gateway.console.filters import Change, choice, keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.links import order_path, with_filters
from gateway.console.parts import Cell, Row, Sheet, box, column, text
from gateway.console.words import NONE, state_words, words_of
from rules.times import parse_instant

STATES = (("", "all"), *((state, state_words(state)) for state in ORDER_STATES))
PAGE_SIZE = 500

COLUMNS = (
    column("severity", "Severity"),
    column("fault", "Fault", "wide"),
    column("device", "Device"),
    column("state", "State"),
    column("site", "Where", "wide"),
    column("payer", "Who pays"),
    column("missing", "Missing", "number"),
    column("resolve_by", "Resolve by", "number"),
    column("opened", "Opened", "number"),
)


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything. `find` are words of order, device, fault or tenant."""

    state: str = "open"
    find: str = ""

    def take(self, order: ServiceOrder) -> bool:
        """Whether every word to find stands in the order."""
        device = order.device
        where = (
            f"{order.order_id} {order.tenant}/{device.device_class}/{device.device} "
            f"{device.serial} {order.fault.code} {order.fault.title} {order.customer.owner}"
        ).lower()
        return all(word in where for word in self.find.lower().split())


@dataclass(frozen=True)
class Answer:
    """What the page shows."""

    orders: list[ServiceOrder]
    totals: Totals
    more: bool


async def orders_page(desk: Desk, filters: Filters) -> None:
    """Build the list of orders."""
    if filters.state not in ORDER_STATES:
        filters.state = ""

    def ask() -> Answer:
        page = desk.queries.orders(state=filters.state or None, limit=PAGE_SIZE)
        return Answer(
            [order for order in page.items if filters.take(order)], desk.totals(), page.next is not None
        )

    async with frame(desk, "orders", "Orders") as live:

        def setter(name: str) -> Change:
            async def change(value: str) -> None:
                setattr(filters, name, value)
                keep_address(with_filters("/orders", state=filters.state or "all", find=filters.find))
                await live.look()

            return change

        with box("div", "head"):
            text("h1", "Orders")
            summary = text("p", "", "summary")
            box("div", "spread")
            with box("div", "filters"):
                choice("State", STATES, filters.state, setter("state"))
                search("Find", filters.find, "order, device, fault, owner", setter("find"))
        sheet = Sheet(COLUMNS, label="Orders")

        def show(answer: Answer) -> None:
            summary.set_text(_summary(answer, filters))
            sheet.show([order_row(order) for order in answer.orders], empty=_empty(answer, filters))

        await live.watch(ask, show)


def order_row(order: ServiceOrder) -> Row:
    """Return the row of an order."""
    payer = order.estimate.payer
    resolve_by = order.service.resolve_by
    site = order.site.address or order.site.country
    cells: dict[str, Cell | None] = {
        "severity": {"mark": order.fault.severity, "text": order.fault.severity},
        "fault": {
            "text": order.fault.title,
            "href": order_path(order.order_id),
            "main": True,
            "sub": order.order_id,
        },
        "device": {"text": order.device.device, "sub": order.device.model or order.tenant},
        "state": {"text": state_words(order.state.value), "tone": "open" if order.is_open else "over"},
        "site": {"text": site, "sub": words_of(order.service.channel or "")}
        if site
        else {"text": "unknown", "tone": "quiet", "sub": words_of(order.service.channel or "")},
        "payer": {"text": payer} if payer else {"text": "unknown", "tone": "quiet"},
        "missing": {"text": str(len(order.to_ask))} if order.to_ask else {"text": "none", "tone": "quiet"},
        "resolve_by": {"ms": parse_instant(resolve_by), "due": order.is_open}
        if resolve_by
        else {"text": NONE, "tone": "quiet"},
        "opened": {"ms": parse_instant(order.opened_at)},
    }
    return {"key": order.order_id, "cells": cells}


def _summary(answer: Answer, filters: Filters) -> str:
    number = len(answer.orders)
    if number == 0:
        return ""
    incomplete = sum(bool(order.to_ask) for order in answer.orders)
    newest = f"the newest {number}" if answer.more else f"{number}"
    state = state_words(filters.state) if filters.state else "in all"
    return f"{newest} {state}, {incomplete} with something missing"


def _empty(answer: Answer, filters: Filters) -> str:
    if filters.find or filters.state not in ("open", ""):
        return "No order matches these filters."
    cases = answer.totals.open_cases.number
    noun = "case is" if cases == 1 else "cases are"
    waiting = f"{cases} {noun} open" if cases else "no case is open"
    return f"No order is open; {waiting}." if filters.state else "No order was opened so far."
