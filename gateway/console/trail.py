"""Where an order's events went: to which system, what became of each, and sending again what was given up."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.access.principal import Role
from gateway.console.frame import Desk
from gateway.console.language import t
from gateway.console.links import with_filters
from gateway.console.live import Live, Region
from gateway.console.parts import Time, box, link, press, section, text
from gateway.ports import Deliveries, Delivery, DeliveryState

#: How a state looks, by what it means for the reader.
TONES: dict[DeliveryState, str] = {
    "delivered": "good",
    "waiting": "sent",
    "dead": "failed",
    "overtaken": "",
}


def state_words(state: DeliveryState) -> str:
    """Return what became of a delivery in plain words."""
    return {
        "delivered": t("delivered"),
        "waiting": t("on its way"),
        "dead": t("given up"),
        "overtaken": t("overtaken by a later one"),
    }[state]


class Trail:
    """The trail of one order on an open page.

    Args:
        desk: the reader's.
        live: is looked at again after something is sent again.
        outbox: takes what is to be sent again; None where there is none.
    """

    def __init__(
        self, desk: Desk, live: Live, *, order_id: str, tenant: str, outbox: Deliveries | None
    ) -> None:
        self._desk, self._live, self._order_id, self._tenant = desk, live, order_id, tenant
        self._outbox = outbox if desk.caller.may(Role.ENGINEER, tenant) else None

    async def build(self) -> None:
        """Build the section, and keep it up to date."""
        with section(t("Sent to other systems")) as outer:
            self._region: Region[list[Delivery]] = Region(box("div"), self._draw)
        with outer:
            await self._live.watch(
                lambda: self._desk.queries.deliveries_of(self._order_id), self._region.show
            )

    def _draw(self, deliveries: list[Delivery]) -> None:
        if not deliveries:
            text("p", t("Nothing of it was owed to another system."), "quiet")
            return
        with box("ol", "trail"):
            for delivery in deliveries:
                self._one(delivery)
        dead = [delivery for delivery in deliveries if delivery.state == "dead"]
        if dead and self._outbox is not None:
            with box("p", "trail-end"):
                again = press(t("Send all again"), "action")
                again.on("click", self._sender(None))
                link(t("Dead letters"), with_filters("/dead-letters", order=self._order_id))

    def _one(self, delivery: Delivery) -> None:
        owed = delivery.owed
        with box("li"):
            with box("p", "change-head"):
                text("b", owed.target)
                text("span", t(owed.type.rpartition(".")[2]), "quiet")
                text("span", state_words(delivery.state), f"chip {TONES[delivery.state]}")
                if owed.attempts:
                    text("span", t("{number} attempts failed", number=owed.attempts), "quiet")
                if owed.ticket:
                    text("span", t("ticket {ticket}", ticket=owed.ticket), "quiet")
                if delivery.state == "waiting":
                    text("span", t("next attempt"), "quiet")
                    Time(delivery.due)
                else:
                    Time(delivery.changed)
            if delivery.detail and delivery.state != "delivered":
                text("p", delivery.detail, "trail-why")
            if delivery.behind:
                text("p", t("{number} later events wait for it.", number=delivery.behind), "quiet")
            if delivery.state == "dead" and self._outbox is not None:
                press(t("Send again"), "action").on("click", self._sender([owed.number]))

    def _sender(self, numbers: list[int] | None) -> Callable[[], Awaitable[None]]:
        async def send() -> None:
            assert self._outbox is not None
            # By its number, or all of the order; of what the reader may act on.
            await asyncio.to_thread(
                self._outbox.retry,
                numbers=numbers,
                order_id=self._order_id,
                tenants=self._desk.caller.tenants(Role.ENGINEER),
            )
            await self._live.look()

        return send
