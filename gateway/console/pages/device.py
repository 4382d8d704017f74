"""A device: what it says of itself, what it measures right now, its cases and its orders."""

import asyncio
from dataclasses import dataclass

from nicegui import ui

from diagnostics.case import Case
from diagnostics.orders.model import ServiceOrder
from gateway.console.charts import Charts
from gateway.console.filters import choice
from gateway.console.frame import Desk, frame
from gateway.console.live import Region
from gateway.console.pages.cases import case_row
from gateway.console.pages.devices import online_cell
from gateway.console.pages.missing import nothing_here
from gateway.console.pages.orders import order_row
from gateway.console.panels import Panel, device_panels
from gateway.console.parts import Sheet, Time, box, column, fact, link, section, text
from gateway.console.words import class_words, fact_words, upper_first
from gateway.ports import DeviceRecord
from rules.symbols import DeviceId
from rules.times import format_duration, parse_duration

WINDOWS = ("15m", "1h", "6h", "24h", "7d")

CASE_COLUMNS = (
    column("fault", "Fault", "wide"),
    column("why", "Order, or why not"),
    column("onset", "Since", "number"),
)
ORDER_COLUMNS = (
    column("fault", "Order", "wide"),
    column("state", "State"),
    column("resolve_by", "Resolve by", "number"),
)


@dataclass(frozen=True)
class Answer:
    """What the page shows beside the charts."""

    record: DeviceRecord | None
    cases: list[Case]
    orders: list[ServiceOrder]


async def device_page(desk: Desk, device: DeviceId, window: str) -> None:
    """Build the page of a device."""
    chosen = {"window": parse_duration(window if window in WINDOWS else "6h")}
    async with frame(desk, "devices", device.device) as live:
        if await asyncio.to_thread(desk.queries.device, device) is None:
            ui.status_code(404)
            nothing_here(f"No device {device} ever spoke.")
            return
        headline = Region(box("div", "headline"), _draw_headline)
        with box("div", "columns"):
            with box("aside", "side-column"):
                with section("What it says of itself"):
                    facts = Region(box("dl", "facts"), _draw_facts)
                with section("Cases"):
                    cases = Sheet(CASE_COLUMNS, label="Cases", empty="No case so far.")
                with section("Orders"):
                    orders = Sheet(ORDER_COLUMNS, label="Orders", empty="No order so far.")
            with box("div", "main-column"), section("What it measures") as measures:
                measures.classes("with-filters")

                async def change(value: str) -> None:
                    chosen["window"] = parse_duration(value)
                    await live.look()

                windows = [(one, f"last {one}") for one in WINDOWS]
                with box("div", "filters"):
                    choice("Window", windows, format_duration(chosen["window"]), change)
                charts = Charts(box("div", "charts"), empty="It has not measured anything so far.")

        def ask() -> Answer:
            name = str(device)
            return Answer(
                desk.queries.device(device),
                desk.queries.cases(device=name, limit=20).items,
                desk.queries.orders(device=name, limit=20).items,
            )

        def show(answer: Answer) -> None:
            if answer.record is not None:
                headline.show(answer.record)
                facts.show(answer.record.facts)
            cases.show([case_row(case) for case in answer.cases])
            orders.show([order_row(order) for order in answer.orders])

        def ask_panels() -> list[Panel]:
            return device_panels(desk.queries, device, chosen["window"])

        await live.watch(ask, show)
        await live.watch(ask_panels, charts.show)


def _draw_headline(record: DeviceRecord) -> None:
    with box("p", "crumbs"):
        link("Devices", "/devices")
        text("span", str(record.id), "code")
    online = online_cell(record.online)
    with box("div", "title"):
        text("h1", record.id.device)
        text("span", online["text"], f"chip {online['tone']}")
        if record.reconnects:
            text("span", "reconnecting", "chip reconnecting")
    with box("p", "lead"):
        model = record.facts.get("model")
        kind = upper_first(class_words(record.id.device_class))
        text("span", f"{kind} {model or ''} of {record.id.tenant}, last heard ".replace("  ", " "))
        Time(record.last_seen)
        text("span", ".")
        if record.reconnects:
            text("span", f" It came online {record.reconnects} times within the last minute.")


def _draw_facts(facts: dict[str, object]) -> None:
    if not facts:
        text("dt", "Nothing yet", "quiet")
    for name, value in facts.items():
        if isinstance(value, dict):
            for component, details in value.items():
                with fact(str(component)):
                    text("span", _details(details))
        else:
            with fact(fact_words(name)):
                text("span", str(value))


def _details(details: object) -> str:
    if isinstance(details, dict):
        return ", ".join(str(value) for value in details.values())
    return str(details)
