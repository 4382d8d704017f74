"""The list of service orders: open ones by when they are to be resolved, so what is overdue comes first."""

from dataclasses import dataclass
from typing import get_args

from diagnostics.orders.model import ServiceOrder
from gateway.access.principal import Role
from gateway.api.queries import ORDER_STATES, Totals
from gateway.console.filters import Change, choice, keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import order_path, with_filters
from gateway.console.pager import Pager, page_of
from gateway.console.parts import Cell, Row, Sheet, box, column, text
from gateway.console.words import NONE, state_words, words_of
from gateway.listing import Due, OrderFilter
from rules.times import parse_instant

#: ``open`` first, then what has ended, then each state.
STATES = ("open", "ended", *ORDER_STATES[1:])
PAGE_SIZE = 50


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything. `find` are words of order, device, fault or owner."""

    state: str = "open"
    due: str = ""
    missing: str = ""
    brand: str = ""
    find: str = ""
    page: int = 1

    @classmethod
    def of(cls, *, state: str, due: str, missing: str, brand: str, find: str, page: str) -> "Filters":
        """Return the filters of an address; what it cannot mean is as if it were not there."""
        return cls(
            state if state in STATES else "",
            due if due in ("overdue", "soon") else "",
            "yes" if missing == "yes" else "",
            brand,
            find,
            page_of(page),
        )

    @property
    def due_when(self) -> Due | None:
        """The due dates that are asked for, None for all."""
        return next((one for one in get_args(Due) if one == self.due), None)

    def address(self) -> str:
        """Return the page's address with the filters in it."""
        return with_filters(
            "/orders",
            state=self.state or "all",
            due=self.due,
            missing=self.missing,
            brand=self.brand,
            find=self.find,
            page=str(self.page) if self.page > 1 else "",
        )


@dataclass(frozen=True)
class Answer:
    """What the page shows: orders of the page, how many there are, how many of them are overdue."""

    orders: list[ServiceOrder]
    total: int
    overdue: int
    totals: Totals


def _columns() -> tuple[dict[str, str], ...]:
    return (
        column("severity", t("Severity")),
        column("fault", t("Fault"), "wide"),
        column("resolve_by", t("Resolve by"), "number"),
        column("device", t("Device")),
        column("state", t("State")),
        column("site", t("Where"), "wide"),
        column("payer", t("Who pays")),
        column("missing", t("Missing"), "number"),
        column("opened", t("Opened"), "number"),
    )


async def orders_page(desk: Desk, filters: Filters) -> None:
    """Build the list of orders."""
    tenants = sorted(desk.caller.tenants() or ())

    def ask() -> Answer:
        return _ask(desk, filters)

    async with frame(desk, "orders", t("Orders")) as live:

        async def look() -> None:
            keep_address(filters.address())
            await live.look()

        def setter(name: str) -> Change:
            async def change(value: str) -> None:
                setattr(filters, name, value)
                filters.page = 1
                await look()

            return change

        async def turn(page: int) -> None:
            filters.page = page
            await look()

        with box("div", "head"):
            text("h1", t("Orders"))
            summary = text("p", "", "summary")
            box("div", "spread")
            with box("div", "filters"):
                states = [("", t("all")), *((state, t(state_words(state))) for state in STATES)]
                choice(t("State"), states, filters.state, setter("state"))
                dues = [("", t("any time")), ("overdue", t("overdue")), ("soon", t("within a day"))]
                choice(t("Resolve by"), dues, filters.due, setter("due"))
                gaps = [("", t("all")), ("yes", t("something missing"))]
                choice(t("Completeness"), gaps, filters.missing, setter("missing"))
                if len(tenants) > 1:
                    brands = [("", t("all")), *((tenant, tenant) for tenant in tenants)]
                    choice(t("Brand"), brands, filters.brand, setter("brand"))
                search(t("Find"), filters.find, t("order, device, fault, owner"), setter("find"))
        sheet = Sheet(_columns(), label=t("Orders"), hold=True)
        pager = Pager(PAGE_SIZE, turn)

        def show(answer: Answer) -> None:
            summary.set_text(_summary(answer))
            sheet.show(
                [order_row(order) for order in answer.orders],
                empty=_empty(answer, filters),
                of=filters.address(),
            )
            pager.show(filters.page, answer.total)

        await live.watch(ask, show)


def _ask(desk: Desk, filters: Filters) -> Answer:
    tenants = desk.caller.tenants()
    if filters.brand:
        tenants = frozenset({filters.brand}) if tenants is None else tenants & {filters.brand}
    wanted = OrderFilter(
        state=filters.state,
        due=filters.due_when,
        missing=filters.missing == "yes",
        words=tuple(filters.find.split()),
        tenants=tenants,
        owners_of=desk.caller.tenants(Role.ENGINEER),
    )
    now, lists = desk.queries.now(), desk.queries.lists
    found = lists.orders(wanted, now=now, skip=(filters.page - 1) * PAGE_SIZE, limit=PAGE_SIZE)
    late = lists.orders(OrderFilter("open", "overdue", tenants=tenants), now=now, skip=0, limit=1)
    return Answer(desk.queries.ledger.orders_of(found.keys), found.total, late.total, desk.totals())


def order_row(order: ServiceOrder) -> Row:
    """Return the row of an order."""
    payer = order.estimate.payer
    resolve_by = order.service.resolve_by
    site = order.site.address or order.site.country
    way = t(words_of(order.service.channel)) if order.service.channel else ""
    cells: dict[str, Cell | None] = {
        "severity": {"mark": order.fault.severity, "text": t(order.fault.severity)},
        "fault": {
            "text": order.fault.title,
            "href": order_path(order.order_id),
            "main": True,
            "sub": order.order_id,
        },
        "device": {"text": order.device.device, "sub": order.device.model or order.tenant},
        "state": {"text": t(state_words(order.state.value)), "tone": "open" if order.is_open else "over"},
        "site": {"text": site, "sub": way} if site else {"text": t("unknown"), "tone": "quiet", "sub": way},
        "payer": {"text": t(payer)} if payer else {"text": t("unknown"), "tone": "quiet"},
        "missing": {"text": str(len(order.to_ask))} if order.to_ask else {"text": t("none"), "tone": "quiet"},
        "resolve_by": {"ms": parse_instant(resolve_by), "due": order.is_open}
        if resolve_by
        else {"text": NONE, "tone": "quiet"},
        "opened": {"ms": parse_instant(order.opened_at)},
    }
    return {"key": order.order_id, "name": order.order_id, "cells": cells}


def _summary(answer: Answer) -> str:
    late = t("{number} overdue", number=f"{answer.overdue:,}") if answer.overdue else t("none overdue")
    return f"{t('{number} orders', number=f'{answer.total:,}')}, {late}" if answer.total else ""


def _empty(answer: Answer, filters: Filters) -> str:
    if filters.find or filters.due or filters.missing or filters.state not in ("open", ""):
        return t("No order matches these filters.")
    cases = answer.totals.open_cases.number
    if not filters.state:
        return t("No order was opened so far.")
    return (
        t("No order is open; {number} cases are open.", number=cases)
        if cases
        else t("No order is open; no case is open.")
    )
