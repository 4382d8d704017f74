"""The list of cases: what is wrong where, how sure it is, and why there is an order or none yet."""

from dataclasses import dataclass

from diagnostics.case import Case
from diagnostics.decision import Reason
from gateway.api.queries import CASE_STATES, SEVERITIES, Totals
from gateway.console.filters import Change, choice, keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.links import case_path, order_path, with_filters
from gateway.console.live import Live
from gateway.console.parts import Cell, Row, Sheet, box, column, text
from gateway.console.words import upper_first, why_words

STATES = (("", "all"), *((state, state) for state in CASE_STATES))
SEVERITY_CHOICES = (("", "all"), *((severity, severity) for severity in reversed(SEVERITIES)))
PAGE_SIZE = 500

COLUMNS = (
    column("severity", "Severity"),
    column("fault", "Fault", "wide"),
    column("device", "Device"),
    column("state", "State"),
    column("why", "Order, or why not", "wide"),
    column("onset", "Since", "number"),
)


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything. `find` are words of device, fault or tenant."""

    state: str = "open"
    severity: str = ""
    find: str = ""

    def take(self, case: Case) -> bool:
        """Whether every word to find stands in the case."""
        device = f"{case.tenant}/{case.device_class}/{case.device} {case.component}"
        where = f"{device} {case.fault} {case.title}".lower()
        return all(word in where for word in self.find.lower().split())


@dataclass(frozen=True)
class Answer:
    """What the page shows."""

    cases: list[Case]
    totals: Totals
    more: bool = False


async def cases_page(desk: Desk, filters: Filters) -> None:
    """Build the list of cases."""
    if filters.state not in CASE_STATES:
        filters.state = ""
    if filters.severity not in SEVERITIES:
        filters.severity = ""
    async with frame(desk, "cases", "Cases") as live:
        with box("div", "head"):
            text("h1", "Cases")
            summary = text("p", "", "summary")
            box("div", "spread")
            _filter_bar(filters, live)
        sheet = Sheet(COLUMNS, label="Cases")

        def show(answer: Answer) -> None:
            summary.set_text(_summary(answer, filters))
            sheet.show([case_row(case) for case in answer.cases], empty=_empty(answer, filters))

        await live.watch(lambda: _ask(desk, filters), show)


def case_row(case: Case) -> Row:
    """Return the row of a case."""
    place = case.component and f"{case.fault} · {case.component}"
    cells: dict[str, Cell | None] = {
        "severity": {"mark": case.severity, "text": case.severity},
        "fault": {
            "text": case.title,
            "href": case_path(case.case_id),
            "main": True,
            "sub": place or case.fault,
        },
        "device": {"text": case.device, "sub": f"{case.tenant} · {case.device_class}"},
        "state": {"text": case.state.value, "tone": case.state.value},
        "why": _why(case),
        "onset": {"ms": case.onset},
    }
    return {"key": case.case_id, "tone": case.state.value, "cells": cells}


def _why(case: Case) -> Cell:
    if case.order_id is not None:
        return {
            "text": case.order_id,
            "href": order_path(case.order_id),
            "sub": "" if case.reason is Reason.CONFIRMED else why_words(case),
        }
    return {"text": upper_first(why_words(case)), "tone": "quiet" if case.ended_at else ""}


def _ask(desk: Desk, filters: Filters) -> Answer:
    page = desk.queries.cases(state=filters.state or None, severity=filters.severity or None, limit=PAGE_SIZE)
    found = [case for case in page.items if filters.take(case)]
    return Answer(found, desk.totals(), more=page.next is not None)


def _summary(answer: Answer, filters: Filters) -> str:
    number = len(answer.cases)
    if number == 0:
        return ""
    by_severity = [
        f"{count} {severity}"
        for severity in reversed(SEVERITIES)
        if (count := sum(case.severity == severity for case in answer.cases))
    ]
    newest = f"the newest {number}" if answer.more else f"{number}"
    return f"{newest} {filters.state}".strip() + f": {', '.join(by_severity)}"


def _empty(answer: Answer, filters: Filters) -> str:
    if filters.severity or filters.find or filters.state not in ("open", ""):
        return "No case matches these filters."
    watched = f"{answer.totals.devices} devices are being watched."
    if answer.totals.devices.number == 0:
        watched = "No device has spoken yet."
    return f"No case is open. {watched}" if filters.state else f"There has been no case so far. {watched}"


def _filter_bar(filters: Filters, live: Live) -> None:
    def setter(name: str) -> Change:
        async def change(value: str) -> None:
            setattr(filters, name, value)
            state = filters.state or "all"
            keep_address(with_filters("/cases", state=state, severity=filters.severity, find=filters.find))
            await live.look()

        return change

    with box("div", "filters"):
        choice("State", STATES, filters.state, setter("state"))
        choice("Severity", SEVERITY_CHOICES, filters.severity, setter("severity"))
        search("Find", filters.find, "device, fault, brand", setter("find"))
