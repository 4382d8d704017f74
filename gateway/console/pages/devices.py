"""The list of devices, with a search through names and facts."""

from dataclasses import dataclass

from gateway.console.filters import Change, choice, keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.links import device_path, with_filters
from gateway.console.parts import Cell, Row, Sheet, box, column, text
from gateway.console.words import CLASSES, NONE
from gateway.ports import DeviceRecord
from rules.symbols import DeviceId

PAGE_SIZE = 200
CLASS_CHOICES = (("", "all"), *CLASSES.items())

COLUMNS = (
    column("device", "Device", "wide"),
    column("brand", "Brand"),
    column("class", "Class"),
    column("model", "Model", "wide"),
    column("serial", "Serial"),
    column("firmware", "Firmware"),
    column("cases", "Open cases", "number"),
    column("online", "State"),
    column("seen", "Last heard", "number"),
)


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything."""

    device_class: str = ""
    find: str = ""


@dataclass(frozen=True)
class Answer:
    """What the page shows: devices, and how many cases are open on each."""

    devices: list[DeviceRecord]
    open_cases: dict[DeviceId, int]
    total: str
    more: bool


async def devices_page(desk: Desk, filters: Filters) -> None:
    """Build the list of devices."""
    if filters.device_class not in CLASSES:
        filters.device_class = ""

    def ask() -> Answer:
        found = desk.queries.search_devices(
            filters.find, device_class=filters.device_class or None, limit=PAGE_SIZE + 1
        )
        devices, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
        return Answer(devices, desk.queries.open_cases_by_device(), str(desk.totals().devices), more)

    async with frame(desk, "devices", "Devices") as live:

        def setter(name: str) -> Change:
            async def change(value: str) -> None:
                setattr(filters, name, value)
                chosen = {"class": filters.device_class, "find": filters.find}
                keep_address(with_filters("/devices", **chosen))
                await live.look()

            return change

        with box("div", "head"):
            text("h1", "Devices")
            summary = text("p", "", "summary")
            box("div", "spread")
            with box("div", "filters"):
                choice("Class", CLASS_CHOICES, filters.device_class, setter("device_class"))
                search("Find", filters.find, "name, model, serial", setter("find"))
        sheet = Sheet(COLUMNS, label="Devices")

        def show(answer: Answer) -> None:
            shown = f"the first {len(answer.devices)}" if answer.more else str(len(answer.devices))
            summary.set_text(f"{shown} of {answer.total}" if answer.devices else "")
            filtered = filters.find or filters.device_class
            sheet.show(
                [_row(record, answer.open_cases.get(record.id, 0)) for record in answer.devices],
                empty="No device matches." if filtered else "No device has spoken yet.",
            )

        await live.watch(ask, show)


def _row(record: DeviceRecord, open_cases: int) -> Row:
    name = record.id
    cells: dict[str, Cell | None] = {
        "device": {"text": name.device, "href": device_path(name), "main": True},
        "brand": {"text": name.tenant},
        "class": {"text": CLASSES.get(name.device_class, name.device_class)},
        "model": _fact(record, "model"),
        "serial": _fact(record, "serial"),
        "firmware": _fact(record, "firmware"),
        "cases": {"text": str(open_cases), "tone": "alert"} if open_cases else {"text": "0", "tone": "quiet"},
        "online": online_cell(record.online),
        "seen": {"ms": record.last_seen},
    }
    return {"key": str(name), "cells": cells}


def online_cell(online: bool | None) -> Cell:
    """Return what a device said of itself last."""
    if online is None:
        return {"text": "never said", "tone": "quiet"}
    return {"text": "online", "tone": "good"} if online else {"text": "offline", "tone": "absent"}


def _fact(record: DeviceRecord, name: str) -> Cell:
    value = record.facts.get(name)
    return {"text": NONE, "tone": "quiet"} if value is None else {"text": str(value)}
