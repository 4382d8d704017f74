"""What did not reach other systems, why, what it holds, and sending it again; also what did reach them."""

import asyncio
import json
from dataclasses import dataclass
from typing import get_args

from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from gateway.access.principal import Role
from gateway.console.filters import Change, choice, keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import order_path, with_filters
from gateway.console.live import Live
from gateway.console.parts import Time, box, link, text
from gateway.ports import Deliveries, Delivery, DeliveryState, Page

PAGE_SIZE = 100
STATES: tuple[DeliveryState, ...] = get_args(DeliveryState)
GIVEN_UP: DeliveryState = "dead"


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything."""

    state: str = GIVEN_UP
    target: str = ""
    order: str = ""

    @property
    def known_state(self) -> DeliveryState | None:
        """The state that is asked for, None for all."""
        return next((state for state in STATES if state == self.state), None)


def state_words(state: DeliveryState) -> str:
    """Return a delivery's state in plain words."""
    words = {
        "dead": t("given up"),
        "waiting": t("on its way"),
        "delivered": t("delivered"),
        "overtaken": t("overtaken by a later one"),
    }
    return words[state]


async def dead_letters_page(desk: Desk, filters: Filters, outbox: Deliveries | None) -> None:
    """Build the list of deliveries, of those that were given up unless another state is asked for."""
    async with frame(desk, "", t("Dead letters"), style="dead-letters") as live:
        page = _Letters(desk, filters, outbox, live)
        page.build()
        await live.watch(page.ask, page.show)


class _Letters:
    def __init__(self, desk: Desk, filters: Filters, outbox: Deliveries | None, live: Live) -> None:
        self._desk = desk
        self._filters = filters
        self._live = live
        self._outbox = outbox if desk.caller.may_anywhere(Role.ENGINEER) else None
        self._rows: dict[tuple[int, str, int], Element] = {}
        self._summary: TextElement
        self._body: Element
        self._table: Element
        self._empty: TextElement
        self._all: TextElement | None = None

    def build(self) -> None:
        """Build what does not change."""
        with box("div", "head"):
            text("h1", t("Dead letters"))
            self._summary = text("p", "", "summary")
            self._summary.props["role"] = "status"
            box("div", "spread")
            self._filter_bar()
            if self._outbox is not None:
                self._all = _button(t("Send all again"))
                self._all.on("click", self._retry_all)
        self._empty = text("p", "", "empty")
        self._table = box("div", "sheet")
        names = (t("Since"), t("State"), t("Target"), t("Order"), t("Why"), t("What it holds"), "")
        with self._table, box("table") as table:
            table.props["aria-label"] = t("Dead letters")
            with box("thead"), box("tr"):
                for name in names:
                    text("th", name).props["scope"] = "col"
            self._body = box("tbody")

    def _filter_bar(self) -> None:
        def keep(name: str) -> Change:
            async def change(value: str) -> None:
                setattr(self._filters, name, value.strip())
                # An address without a state asks for what was given up, so everything has a name.
                chosen = vars(self._filters) | {"state": self._filters.state or "all"}
                keep_address(with_filters("/dead-letters", **chosen))
                await self._live.look()

            return change

        with box("div", "filters"):
            states = [*((state, state_words(state)) for state in reversed(STATES)), ("", t("all"))]
            chosen = self._filters.known_state or ""
            choice(t("State"), sorted(states, key=lambda each: each[0] != GIVEN_UP), chosen, keep("state"))
            search(t("Target"), self._filters.target, "crm", keep("target"))
            search(t("Order"), self._filters.order, "SO-", keep("order"))

    def ask(self) -> Page[Delivery]:
        """Return what is shown."""
        return self._desk.queries.deliveries(
            state=self._filters.known_state,
            target=self._filters.target or None,
            order_id=self._filters.order or None,
            limit=PAGE_SIZE,
        )

    def show(self, page: Page[Delivery]) -> None:
        """Show a page of deliveries; rows that stay keep what was opened in them."""
        number = t("the latest {number}", number=len(page.items)) if page.next else str(len(page.items))
        self._summary.set_text(number if page.items else "")
        self._empty.set_visibility(not page.items)
        self._empty.set_text(self._nothing())
        self._table.set_visibility(bool(page.items))
        if self._all is not None:
            self._all.set_visibility(any(each.state == GIVEN_UP for each in page.items))
        wanted = {(each.owed.number, each.state, each.changed): each for each in page.items}
        for key in [key for key in self._rows if key not in wanted]:
            self._rows.pop(key).delete()
        for place, (key, delivery) in enumerate(wanted.items()):
            if key not in self._rows:
                with self._body:
                    self._rows[key] = self._row(delivery)
                self._rows[key].move(target_index=place)

    def _nothing(self) -> str:
        if self._filters.target or self._filters.order or self._filters.known_state != GIVEN_UP:
            return t("No delivery is like this.")
        return t("No dead letters: nothing was given up on its way to another system.")

    def _row(self, delivery: Delivery) -> Element:
        owed = delivery.owed
        with box("tr") as row:
            with box("td"):
                Time(delivery.changed)
            with box("td"):
                text("span", state_words(delivery.state))
                if delivery.state == "waiting":
                    with box("span", "sub"):
                        Time(delivery.due, due=True)
            with box("td"):
                text("span", owed.target)
            with box("td"):
                link(owed.order_id, order_path(owed.order_id))
                text("span", owed.type.rpartition(".")[2], "sub")
            with box("td", "wide"):
                text("span", delivery.detail or "")
                text("span", _attempts(delivery), "sub")
            with box("td"):
                self._payload(delivery)
            with box("td"):
                if self._outbox is not None and delivery.state == GIVEN_UP:
                    again = _button(t("Send again"))
                    again.on("click", lambda: self._retry(numbers=[owed.number]))
        return row

    def _payload(self, delivery: Delivery) -> None:
        """Show what it carries, as text, to those who may see personal data."""
        if not self._desk.caller.may(Role.ENGINEER, delivery.owed.tenant):
            return
        with box("details"):
            text("summary", t("{size} bytes", size=f"{len(delivery.owed.payload):,}"))
            text("pre", json.dumps(json.loads(delivery.owed.payload), ensure_ascii=False, indent=2))

    async def _retry_all(self) -> None:
        filters = self._filters
        await self._retry(target=filters.target or None, order_id=filters.order or None)

    async def _retry(
        self,
        *,
        numbers: list[int] | None = None,
        target: str | None = None,
        order_id: str | None = None,
    ) -> None:
        assert self._outbox is not None
        marked, _ = await asyncio.to_thread(
            self._outbox.retry,
            numbers=numbers,
            target=target,
            order_id=order_id,
            tenants=self._desk.caller.tenants(Role.ENGINEER),
        )
        await self._live.look()
        self._summary.set_text(t("{number} will be sent again within seconds", number=marked))


def _attempts(delivery: Delivery) -> str:
    told = []
    attempts, behind = delivery.owed.attempts, delivery.behind
    if attempts:
        told.append(t("1 attempt") if attempts == 1 else t("{number} attempts", number=attempts))
    if behind:
        told.append(
            t("1 later event waits") if behind == 1 else t("{number} later events wait", number=behind)
        )
    return ", ".join(told)


def _button(words: str) -> TextElement:
    button = text("button", words, "again")
    button.props["type"] = "button"
    return button
