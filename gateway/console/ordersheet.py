"""A service order as a technician reads it: what, why, what to bring, where, who pays, until when.

All that leaves to other systems stands here, in sections; a field that is not known says why.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from diagnostics.naming import part_words
from diagnostics.orders.model import Estimate, Leg, OrderEvidence, ServiceOrder
from gateway.console.gaps import field_words
from gateway.console.language import msg, t
from gateway.console.links import case_path, device_path, order_path, paper_path
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

#: What the classes of urgency mean.
URGENCIES = {
    "U1": msg("U1: at once"),
    "U2": msg("U2: within two days"),
    "U3": msg("U3: planned"),
}

#: What there is to print, and where the API gives it.
PAPERS = (
    (msg("PDF"), "paper.pdf"),
    (msg("HTML"), "paper.html"),
    (msg("Repair information form"), "repair-form.html"),
    (msg("the form as PDF"), "repair-form.pdf"),
)


def _evidence_columns() -> list[dict[str, str]]:
    return [
        column("signal", t("Signal"), "wide"),
        column("value", t("Value"), "number"),
        column("limit", t("Limit"), "number"),
        column("at", t("Measured"), "number"),
    ]


def _part_columns() -> list[dict[str, str]]:
    return [
        column("part", t("Part"), "wide"),
        column("quantity", t("Quantity"), "number"),
        column("warehouse", t("From")),
        column("stock", t("Stock")),
    ]


class OrderSheet:
    """Draws one order. A field that is not known says so, with the order's own reason."""

    def __init__(self, order: ServiceOrder, catalogue: Catalogue) -> None:
        self.order = order
        self.catalogue = catalogue
        self.why = {missing.field: missing.why for missing in order.missing}

    def draw_sheet(self) -> None:
        """Draw what is to be done, what speaks for it, and what is written to whom."""
        self._diagnosis()
        self._bring()
        self._before()
        self._texts()
        self._choices()

    def draw_side(self) -> None:
        """Draw device, place, payer, times and logistics."""
        self._device()
        self._where()
        self._pays()
        self._when()
        self._logistics()

    def draw_heading(self) -> None:
        """Draw what it is about, and the way to its case, its device and its papers."""
        order = self.order
        with box("p", "crumbs"):
            link(t("Orders"), "/orders")
            text("span", order.order_id, "code")
        with box("div", "title"):
            mark(order.fault.severity, words=False)
            text("h1", order.fault.title)
            text("span", t(state_words(order.state.value)), f"chip {'open' if order.is_open else 'over'}")
        device = DeviceId(order.tenant, order.device.device_class, order.device.device)
        with box("p", "lead"):
            text("span", f"{upper_first(t(class_words(order.device.device_class)))} ")
            link(order.device.device, device_path(device))
            text("span", f" ({order.tenant}){self._part()}. ")
            text("span", f"{t('Opened')} ")
            Time(parse_instant(order.opened_at))
            text("span", ". ")
            link(t("Its case"), case_path(order.case_id))
        with box("p", "papers"):
            text("span", t("Papers:"), "quiet")
            for words, paper in PAPERS:
                link(t(words), paper_path(order.order_id, paper))
            link("JSON", f"/api/v1{order_path(order.order_id)}")
        if order.fault.danger:
            words = t("Danger: someone or something can come to harm. Tell the owner at once.")
            text("p", words, "danger")

    def _part(self) -> str:
        component = self.order.device.component
        if not component:
            return ""
        return ", " + part_words(component, (one.signal for one in self.order.diagnosis.evidence))

    def _diagnosis(self) -> None:
        diagnosis = self.order.diagnosis
        with section(t("What is wrong")):
            text("p", diagnosis.explanation, "prose")
            with box("dl", "facts"):
                self._fact(t("Fault"), self.order.fault.code, "fault.code", css="code")
                self._fact(t("Symptom"), self.order.fault.symptom, "fault.symptom")
                if self.order.fault.iris is not None:
                    iris = self.order.fault.iris
                    self._fact(t("IRIS"), f"{iris.condition or NONE} / {iris.symptom or NONE}", "fault.iris")
                self._fact(t("Confidence"), _percent(diagnosis.confidence), "diagnosis.confidence")
                for cause in diagnosis.causes:
                    likely = "" if cause.probability is None else f", {_percent(cause.probability)}"
                    self._fact(t("Likely cause"), f"{cause.cause}{likely}", "diagnosis.causes")
            sheet = Sheet(_evidence_columns(), label=t("Evidence"), empty=t("No value was noted."))
            sheet.show([self._evidence_row(one) for one in diagnosis.evidence])
            for probe in diagnosis.probes:
                with box("p", "probe"):
                    text("span", upper_first(action_words(probe.action)), "name")
                    text("span", t(probe.state), f"chip {probe.state}")
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

    def _no_part(self) -> str:
        why = self.why.get("parts")
        return t("No part: {why}.", why=why) if why else t("No part is needed.")

    def _bring(self) -> None:
        service = self.order.service
        with section(t("What to bring")):
            sheet = Sheet(_part_columns(), label=t("Parts"), empty=self._no_part())
            sheet.show(
                [
                    {
                        "key": part.part,
                        "cells": {
                            "part": {"text": part.title, "sub": part.part},
                            "quantity": {"text": str(part.quantity)},
                            "warehouse": {"text": part.warehouse or t("unknown")},
                            "stock": {"text": _stock(part.in_stock)},
                        },
                    }
                    for part in self.order.parts
                ]
            )
            with box("dl", "facts"):
                self._fact(t("Skills"), ", ".join(service.skills) or None, "service.skills")
                self._fact(
                    t("Work"),
                    t("{number} min", number=service.minutes) if service.minutes else None,
                    "service.minutes",
                )

    def _before(self) -> None:
        remedies = self.order.diagnosis.remedies
        if not remedies:
            return
        with section(t("Before anyone travels")), box("ul", "remedies"):
            for remedy in remedies:
                with box("li"):
                    text("span", upper_first(remedy.action))
                    text("span", t(words_of(remedy.state)), "chip")

    def _texts(self) -> None:
        """Show what is written to customer and technician, in the language in which it is written."""
        texts = self.order.texts
        if texts is None:
            return
        with section(t("What is written")):
            for title, words in (
                (t("To the customer"), texts.customer),
                (t("To the technician"), texts.technician),
            ):
                with box("details", "letter"):
                    text("summary", title)
                    text("p", words, "prose letter-text").props["lang"] = texts.language

    def _choices(self) -> None:
        """Say why was chosen what was chosen, and where device and registry contradict each other."""
        if not self.order.choices:
            return
        with section(t("Why it was filled in like this")), box("dl", "facts"):
            for choice in self.order.choices:
                self._fact(field_words(choice.field), choice.why, choice.field)

    def _device(self) -> None:
        device = self.order.device
        with self._facts(t("Device")):
            self._fact(t("Model"), device.model, "device.model")
            self._fact(t("Serial"), device.serial, "device.serial", css="code")
            self._fact(t("Firmware"), device.firmware, "device.firmware")
            if device.component:
                self._fact(t("Component"), device.component, "device.component")
            if device.parent:
                self._fact(t("Part of"), device.parent, "device.parent")
            if device.part is not None:
                self._fact(t("Faulty part"), device.part.model, "device.part.model")
                self._fact(t("Its serial"), device.part.serial, "device.part.serial", css="code")
                if device.part.firmware:
                    self._fact(t("Its firmware"), device.part.firmware, "device.part.firmware")

    def _where(self) -> None:
        order = self.order
        with self._facts(t("Where to go")):
            self._fact(
                t("How"), order.service.channel and t(words_of(order.service.channel)), "service.channel"
            )
            provider = order.service.provider
            self._fact(t("Repairer"), provider.name if provider else None, "service.provider")
            self._fact(t("Address"), order.site.address, "site.address")
            self._fact(t("Country"), order.site.country, "site.country")
            self._fact(t("Owner"), order.customer.owner, "customer.owner")
            self._fact(t("Contact"), order.customer.contact, "customer.contact")
            self._fact(t("Language"), order.customer.language, "customer.language")
            self._fact(t("Time zone"), order.customer.time_zone, "customer.time_zone")

    def _pays(self) -> None:
        entitlement, estimate = self.order.entitlement, self.order.estimate
        with self._facts(t("Who pays")):
            self._fact(t("Payer"), _payers(estimate), "estimate.payer")
            self._fact(t("Entitlement"), t(words_of(entitlement.status)), "entitlement.status")
            self._fact(t("Coverage"), entitlement.coverage, "entitlement.coverage")
            self._fact(t("Ends"), entitlement.ends, "entitlement.ends")
            if entitlement.contract:
                self._fact(t("Contract"), entitlement.contract, "entitlement.contract")
            for name in ("parts", "labour", "transport"):
                amount = getattr(estimate, name)
                money = None if amount is None else f"{amount:,.2f} {estimate.currency or ''}".strip()
                self._fact(t(upper_first(name)), money, f"estimate.{name}", css="number")

    def _when(self) -> None:
        service = self.order.service
        with self._facts(t("Until when")):
            self._instant(t("Respond by"), service.respond_by, "service.respond_by")
            self._instant(t("Resolve by"), service.resolve_by, "service.resolve_by")
            if service.urgency is not None:
                self._fact(t("Urgency"), t(URGENCIES[service.urgency]), "service.urgency")

    def _logistics(self) -> None:
        logistics = self.order.logistics
        with self._facts(t("On their way")):
            self._fact(t("Parts"), _leg(logistics.outbound), "logistics.outbound")
            back = logistics.return_leg
            if back is None or back.required:
                self._fact(t("Faulty part to"), back.to if back else None, "logistics.return")
            else:
                self._fact(t("Faulty part"), t("stays"), "logistics.return")
            if logistics.device is not None:
                self._fact(t("The device"), _leg(logistics.device), "logistics.device")
            customs = logistics.customs
            if customs is not None:
                self._fact(t("Tariff number"), customs.tariff_number, "logistics.customs.tariff_number")
                self._fact(t("Made in"), customs.origin_country, "logistics.customs.origin_country")
                value = None if customs.value is None else number_words(customs.value)
                self._fact(
                    t("Customs value"),
                    value and f"{value} {customs.currency or ''}",
                    "logistics.customs.value",
                )
                weight = None if customs.weight_kg is None else f"{number_words(customs.weight_kg)} kg"
                self._fact(t("Weight"), weight, "logistics.customs.weight_kg")

    @contextmanager
    def _facts(self, title: str) -> Iterator[None]:
        with section(title), box("dl", "facts"):
            yield

    def _fact(self, name: str, value: str | None, field: str, *, css: str = "") -> None:
        with fact(name):
            if value:
                text("span", value, css)
            else:
                unknown = text("span", t("not known"), "unknown")
                unknown.props["title"] = self._reason(field)

    def _instant(self, name: str, value: str | None, field: str) -> None:
        if value is None:
            self._fact(name, None, field)
            return
        with fact(name):
            Time(parse_instant(value), due=self.order.is_open)
            text("span", value.replace("T", " ").replace("Z", " UTC"), "quiet")

    def _reason(self, field: str) -> str:
        return self.why.get(field) or self.why.get(field.partition(".")[0]) or t("the registry does not say")


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"


def _stock(in_stock: bool | None) -> str:
    return t("unknown") if in_stock is None else t("in stock") if in_stock else t("not in stock")


def _leg(leg: Leg | None) -> str | None:
    if leg is None:
        return None
    return t("{origin} to {goal}", origin=leg.origin or t("unknown"), goal=leg.to or t("unknown"))


def _payers(estimate: Estimate) -> str | None:
    """Return who pays, and what each of several."""
    if not estimate.shares:
        return estimate.payer and t(estimate.payer)
    return "; ".join(f"{t(share.payer)}: {', '.join(map(t, share.of))}" for share in estimate.shares)
