"""The list of devices: found by name and facts, a page at a time, however many there are."""

from dataclasses import dataclass

from gateway.console.filters import Change, choice, keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import device_path, with_filters
from gateway.console.live import Latest
from gateway.console.pager import Pager, page_of
from gateway.console.parts import Cell, Row, Sheet, box, column, text
from gateway.console.words import CLASSES, NONE
from gateway.listing import DeviceFilter
from gateway.ports import DeviceRecord
from rules.symbols import DeviceId

PAGE_SIZE = 200
#: Seconds for which a page of names is good enough; what is shown of each device is news every second.
FRESH_FOR = 5.0
STATES = ("cases", "online", "offline")


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything."""

    device_class: str = ""
    state: str = ""
    brand: str = ""
    find: str = ""
    page: int = 1

    @classmethod
    def of(cls, *, device_class: str, state: str, brand: str, find: str, page: str) -> "Filters":
        """Return the filters of an address; what it cannot mean is as if it were not there."""
        return cls(
            device_class if device_class in CLASSES else "",
            state if state in STATES else "",
            brand,
            find,
            page_of(page),
        )

    def address(self) -> str:
        """Return the page's address with the filters in it."""
        chosen = {"class": self.device_class, "state": self.state, "brand": self.brand, "find": self.find}
        return with_filters("/devices", **chosen, page=str(self.page) if self.page > 1 else "")


@dataclass(frozen=True)
class Answer:
    """What the page shows: devices of the page, how many there are, how many cases are open on each."""

    devices: list[DeviceRecord]
    total: int
    open_cases: dict[DeviceId, int]


def _columns() -> tuple[dict[str, str], ...]:
    return (
        column("device", t("Device"), "wide"),
        column("brand", t("Brand")),
        column("class", t("Class")),
        column("model", t("Model"), "wide"),
        column("serial", t("Serial")),
        column("firmware", t("Firmware")),
        column("cases", t("Open cases"), "number"),
        column("online", t("State")),
        column("seen", t("Last heard"), "number"),
    )


async def devices_page(desk: Desk, filters: Filters) -> None:
    """Build the list of devices."""
    lists = desk.queries.lists
    found: Latest[tuple[DeviceFilter, int], tuple[list[DeviceId], int]] = Latest(
        lambda asked: lists.devices(asked[0], skip=asked[1], limit=PAGE_SIZE), seconds=FRESH_FOR
    )
    tenants = sorted(desk.caller.tenants() or ())

    async with frame(desk, "devices", t("Devices")) as live:

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
            text("h1", t("Devices"))
            summary = text("p", "", "summary")
            box("div", "spread")
            with box("div", "filters"):
                classes = [("", t("all")), *((value, t(words)) for value, words in CLASSES.items())]
                choice(t("Class"), classes, filters.device_class, setter("device_class"))
                states = [
                    *(("", t("all")), ("cases", t("with open cases"))),
                    *(("online", t("online")), ("offline", t("offline"))),
                ]
                choice(t("State"), states, filters.state, setter("state"))
                if len(tenants) > 1:
                    brands = [("", t("all")), *((tenant, tenant) for tenant in tenants)]
                    choice(t("Brand"), brands, filters.brand, setter("brand"))
                search(t("Find"), filters.find, t("name, model, serial"), setter("find"))
        sheet = Sheet(_columns(), label=t("Devices"))
        pager = Pager(PAGE_SIZE, turn)

        def show(answer: Answer) -> None:
            summary.set_text(t("{number} devices", number=f"{answer.total:,}") if answer.total else "")
            filtered = filters.find or filters.device_class or filters.state or filters.brand
            sheet.show(
                [_row(record, answer.open_cases.get(record.id, 0)) for record in answer.devices],
                empty=t("No device matches.") if filtered else t("No device has spoken yet."),
                of=filters.address(),
            )
            pager.show(filters.page, answer.total)

        await live.watch(lambda: _ask(desk, filters, found), show)


def _ask(
    desk: Desk, filters: Filters, found: Latest[tuple[DeviceFilter, int], tuple[list[DeviceId], int]]
) -> Answer:
    tenants = desk.caller.tenants()
    if filters.brand:
        tenants = frozenset({filters.brand}) if tenants is None else tenants & {filters.brand}
    wanted = DeviceFilter(filters.device_class, filters.state, tuple(filters.find.split()), tenants)
    devices, total = found.get((wanted, (filters.page - 1) * PAGE_SIZE))
    records = [record for one in devices if (record := desk.queries.device(one)) is not None]
    return Answer(records, total, desk.queries.lists.open_cases(devices))


def _row(record: DeviceRecord, open_cases: int) -> Row:
    name = record.id
    cells: dict[str, Cell | None] = {
        "device": {"text": name.device, "href": device_path(name), "main": True},
        "brand": {"text": name.tenant},
        "class": {"text": t(CLASSES.get(name.device_class, name.device_class))},
        "model": _fact(record, "model"),
        "serial": _fact(record, "serial"),
        "firmware": _fact(record, "firmware"),
        "cases": {"text": str(open_cases), "tone": "alert"} if open_cases else {"text": "0", "tone": "quiet"},
        "online": online_cell(record.online),
        "seen": {"ms": record.last_seen},
    }
    return {"key": str(name), "name": name.device, "cells": cells}


def online_cell(online: bool | None) -> Cell:
    """Return what a device said of itself last."""
    if online is None:
        return {"text": t("never said"), "tone": "quiet"}
    return {"text": t("online"), "tone": "good"} if online else {"text": t("offline"), "tone": "absent"}


def _fact(record: DeviceRecord, name: str) -> Cell:
    value = record.facts.get(name)
    return {"text": NONE, "tone": "quiet"} if value is None else {"text": str(value)}
