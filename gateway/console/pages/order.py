"""A service order as a technician reads it: what, why, what to bring, where, who pays, until when."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from nicegui import ui

from diagnostics.naming import part_words
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import OrderEvidence, ServiceOrder
from gateway.api.queries import Queries
from gateway.console.frame import Desk, frame
from gateway.console.links import case_path, device_path, paper_path
from gateway.console.live import Region
from gateway.console.pages.missing import nothing_here
from gateway.console.parts import Row, Sheet, Time, box, column, fact, link, mark, section, text
from gateway.console.words import (
    NONE,
    action_words,
    class_words,
    number_words,
    signal_words,
    state_words,
    unit_of,
    upper_first,
    value_words,
    words_of,
)
from rules.signals import Catalogue
from rules.symbols import DeviceId
from rules.times import parse_instant

EVIDENCE = (
    column("signal", "Signal", "wide"),
    column("value", "Value", "number"),
    column("limit", "Limit", "number"),
    column("at", "Measured", "number"),
)

PARTS = (
    column("part", "Part", "wide"),
    column("quantity", "Quantity", "number"),
    column("warehouse", "From"),
    column("stock", "Stock"),
)


async def order_page(desk: Desk, order_id: str) -> None:
    """Build the page of an order."""
    async with frame(desk, "orders", order_id) as live:
        if await asyncio.to_thread(desk.queries.order, order_id) is None:
            ui.status_code(404)
            nothing_here(f"There is no order {order_id}.")
            return

        def draw(file: OrderFile) -> None:
            _OrderSheet(file.order, file.changes, desk.queries.catalogue).draw()

        content = Region(box("article", "order"), draw)

        def show(file: OrderFile | None) -> None:
            if file is not None:
                content.show(file)

        await live.watch(lambda: _read(desk.queries, order_id), show)


class OrderFile(NamedTuple):
    """An order and all that happened to it."""

    order: ServiceOrder
    changes: list[OrderChange]


def _read(queries: Queries, order_id: str) -> OrderFile | None:
    order = queries.order(order_id)
    return None if order is None else OrderFile(order, queries.order_changes(order_id))


class _OrderSheet:
    """Draws one order. A field that is not known says so, with the order's own reason."""

    def __init__(self, order: ServiceOrder, changes: list[OrderChange], catalogue: Catalogue) -> None:
        self.order = order
        self.changes = changes
        self.catalogue = catalogue
        self.why = {missing.field: missing.why for missing in order.missing}

    def draw(self) -> None:
        self._heading()
        if self.order.fault.danger:
            text("p", "Danger: someone or something can come to harm. Tell the owner at once.", "danger")
        if self.order.missing:
            self._missing()
        with box("div", "columns"):
            with box("div", "main-column"):
                self._diagnosis()
                self._bring()
                self._before()
                self._since()
                self._choices()
            with box("aside", "side-column"):
                self._device()
                self._where()
                self._pays()
                self._when()
                self._logistics()

    def _heading(self) -> None:
        order = self.order
        with box("p", "crumbs"):
            link("Orders", "/orders")
            text("span", order.order_id, "code")
        with box("div", "title"):
            mark(order.fault.severity, words=False)
            text("h1", order.fault.title)
            text("span", state_words(order.state.value), f"chip {'open' if order.is_open else 'over'}")
        device = DeviceId(order.tenant, order.device.device_class, order.device.device)
        with box("p", "lead"):
            text("span", f"{upper_first(class_words(order.device.device_class))} ")
            link(order.device.device, device_path(device))
            text("span", f" ({order.tenant}){self._part()}. Opened ")
            Time(parse_instant(order.opened_at))
            text("span", " from ")
            link("this case", case_path(order.case_id))
            text("span", ". Papers: ")
            link("PDF", paper_path(order.order_id, "paper.pdf"))
            text("span", ", ")
            link("HTML", paper_path(order.order_id, "paper.html"))
            text("span", ", ")
            link("repair information form", paper_path(order.order_id, "repair-form.html"))
            text("span", ".")

    def _part(self) -> str:
        component = self.order.device.component
        if not component:
            return ""
        return ", " + part_words(component, (one.signal for one in self.order.diagnosis.evidence))

    def _missing(self) -> None:
        with box("section", "missing"):
            text("h2", "Still missing")
            with box("ul"):
                for missing in self.order.missing:
                    with box("li"):
                        text("b", field_words(missing.field))
                        text("span", f": {missing.why}")

    def _diagnosis(self) -> None:
        diagnosis = self.order.diagnosis
        with section("What is wrong"):
            text("p", diagnosis.explanation, "prose")
            with box("dl", "facts"):
                self._fact("Fault", self.order.fault.code, "fault.code", css="code")
                self._fact("Symptom", self.order.fault.symptom, "fault.symptom")
                if self.order.fault.iris is not None:
                    iris = self.order.fault.iris
                    self._fact("IRIS", f"{iris.condition or NONE} / {iris.symptom or NONE}", "fault.iris")
                self._fact("Confidence", _percent(diagnosis.confidence), "diagnosis.confidence")
                for cause in diagnosis.causes:
                    likely = "" if cause.probability is None else f", {_percent(cause.probability)}"
                    self._fact("Likely cause", f"{cause.cause}{likely}", "diagnosis.causes")
            sheet = Sheet(EVIDENCE, label="Evidence", empty="No value was noted.")
            sheet.show([self._evidence_row(one) for one in diagnosis.evidence])
            for probe in diagnosis.probes:
                with box("p", "probe"):
                    text("span", upper_first(action_words(probe.action)), "name")
                    text("span", probe.state, f"chip {probe.state}")
                    Time(parse_instant(probe.at))

    def _evidence_row(self, evidence: OrderEvidence) -> Row:
        unit = unit_of(self.catalogue, evidence.signal)
        limit = evidence.limit
        return {
            "key": f"{evidence.signal} {evidence.at}",
            "cells": {
                "signal": {
                    "text": upper_first(signal_words(self.catalogue, evidence.signal)),
                    "sub": evidence.signal,
                },
                "value": {"text": value_words(evidence.value), "unit": unit},
                "limit": None if limit is None else {"text": value_words(limit), "unit": unit},
                "at": {"ms": parse_instant(evidence.at)},
            },
        }

    def _bring(self) -> None:
        service = self.order.service
        with section("What to bring"):
            sheet = Sheet(PARTS, label="Parts", empty=f"No part: {self.why.get('parts', 'none is needed')}.")
            sheet.show(
                [
                    {
                        "key": part.part,
                        "cells": {
                            "part": {"text": part.title, "sub": part.part},
                            "quantity": {"text": str(part.quantity)},
                            "warehouse": {"text": part.warehouse or "unknown"},
                            "stock": {"text": _stock(part.in_stock)},
                        },
                    }
                    for part in self.order.parts
                ]
            )
            with box("dl", "facts"):
                self._fact("Skills", ", ".join(service.skills) or None, "service.skills")
                self._fact("Work", f"{service.minutes} min" if service.minutes else None, "service.minutes")

    def _before(self) -> None:
        remedies = self.order.diagnosis.remedies
        if not remedies:
            return
        with section("Before anyone travels"), box("ul", "plain"):
            for remedy in remedies:
                with box("li"):
                    text("span", upper_first(remedy.action))
                    text("span", words_of(remedy.state), "chip")

    def _since(self) -> None:
        """List what happened since the order was opened, who did it and why."""
        if not self.changes:
            return
        with section("Since it was opened"), box("ul", "plain"):
            for change in self.changes:
                with box("li"):
                    Time(change.at)
                    text("span", f" {change.who}: {change.why} ")
                    if change.outcome is not None:
                        text("span", words_of(change.outcome), "chip")
                    elif change.after != change.before:
                        text("span", state_words(change.after), "chip")
                    for used in change.parts_used:
                        text("span", f" {used.quantity} x {used.part}", "code")

    def _choices(self) -> None:
        """Say why was chosen what was chosen, and where device and registry contradict each other."""
        if not self.order.choices:
            return
        with section("Why it was filled in like this"), box("dl", "facts"):
            for choice in self.order.choices:
                self._fact(field_words(choice.field), choice.why, choice.field)

    def _device(self) -> None:
        device = self.order.device
        with self._facts("Device"):
            self._fact("Model", device.model, "device.model")
            self._fact("Serial", device.serial, "device.serial", css="code")
            self._fact("Firmware", device.firmware, "device.firmware")
            if device.component:
                self._fact("Component", device.component, "device.component")
            if device.parent:
                self._fact("Part of", device.parent, "device.parent")
            if device.part is not None:
                self._fact("Faulty part", device.part.model, "device.part.model")
                self._fact("Its serial", device.part.serial, "device.part.serial", css="code")
                if device.part.firmware:
                    self._fact("Its firmware", device.part.firmware, "device.part.firmware")

    def _where(self) -> None:
        order = self.order
        with self._facts("Where to go"):
            self._fact("How", order.service.channel and words_of(order.service.channel), "service.channel")
            provider = order.service.provider
            self._fact("Repairer", provider.name if provider else None, "service.provider")
            self._fact("Address", order.site.address, "site.address")
            self._fact("Country", order.site.country, "site.country")
            self._fact("Owner", order.customer.owner, "customer.owner")
            self._fact("Contact", order.customer.contact, "customer.contact")
            self._fact("Language", order.customer.language, "customer.language")
            self._fact("Time zone", order.customer.time_zone, "customer.time_zone")

    def _pays(self) -> None:
        entitlement, estimate = self.order.entitlement, self.order.estimate
        with self._facts("Who pays"):
            self._fact("Payer", estimate.payers, "estimate.payer")
            self._fact("Entitlement", words_of(entitlement.status), "entitlement.status")
            self._fact("Coverage", entitlement.coverage, "entitlement.coverage")
            self._fact("Ends", entitlement.ends, "entitlement.ends")
            if entitlement.contract:
                self._fact("Contract", entitlement.contract, "entitlement.contract")
            for name in ("parts", "labour", "transport"):
                amount = getattr(estimate, name)
                money = None if amount is None else f"{amount:,.2f} {estimate.currency or ''}".strip()
                self._fact(upper_first(name), money, f"estimate.{name}", css="number")

    def _when(self) -> None:
        service = self.order.service
        with self._facts("Until when"):
            self._instant("Respond by", service.respond_by, "service.respond_by")
            self._instant("Resolve by", service.resolve_by, "service.resolve_by")

    def _logistics(self) -> None:
        logistics = self.order.logistics
        with self._facts("Parts on their way"):
            leg = logistics.outbound
            way = f"{leg.origin or 'unknown'} to {leg.to or 'unknown'}" if leg else None
            self._fact("Out", way, "logistics.outbound")
            back = logistics.return_leg
            if back is None or back.required:
                self._fact("Faulty part to", back.to if back else None, "logistics.return")
            else:
                self._fact("Faulty part", "stays", "logistics.return")
            customs = logistics.customs
            if customs is not None:
                value = "" if customs.value is None else f", value {number_words(customs.value)}"
                words = f"{customs.tariff_number or 'no tariff number'}, from {customs.origin_country or '?'}"
                self._fact("Customs", words + value, "logistics.customs")

    @contextmanager
    def _facts(self, title: str) -> Iterator[None]:
        with section(title), box("dl", "facts"):
            yield

    def _fact(self, name: str, value: str | None, field: str, *, css: str = "") -> None:
        with fact(name):
            if value:
                text("span", value, css)
            else:
                unknown = text("span", "not known", "unknown")
                unknown.props["title"] = self._reason(field)

    def _instant(self, name: str, value: str | None, field: str) -> None:
        if value is None:
            self._fact(name, None, field)
            return
        with fact(name):
            Time(parse_instant(value), due=self.order.is_open)
            text("span", value.replace("T", " ").replace("Z", " UTC"), "quiet")

    def _reason(self, field: str) -> str:
        return self.why.get(field) or self.why.get(field.partition(".")[0]) or "the registry does not say"


def field_words(field: str) -> str:
    """Return a field of the order as words.

    >>> field_words("customer.contact")
    'Customer contact'
    """
    return upper_first(words_of(field))


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"


def _stock(in_stock: bool | None) -> str:
    return "unknown" if in_stock is None else "in stock" if in_stock else "not in stock"
