"""A case: what is wrong in plain words, what speaks for it, and the ledger of every decision about it."""

import asyncio

from nicegui import ui

from diagnostics.case import Case, CaseEvent, CaseState, Evidence, Probe
from diagnostics.decision import Decision
from diagnostics.naming import part_words
from gateway.api.queries import CaseFile
from gateway.console.charts import Charts
from gateway.console.frame import Desk, frame
from gateway.console.links import device_path, order_path
from gateway.console.live import Region
from gateway.console.pages.missing import nothing_here
from gateway.console.panels import Panel, evidence_panels
from gateway.console.parts import Row, Sheet, Time, box, column, fact, link, mark, section, text
from gateway.console.words import (
    OUTCOMES,
    action_words,
    class_words,
    signal_words,
    unit_of,
    upper_first,
    value_words,
    why_words,
    words_of,
)
from rules.signals import Catalogue
from rules.symbols import DeviceId

EVIDENCE = (
    column("signal", "Signal", "wide"),
    column("value", "Value", "number"),
    column("limit", "Limit", "number"),
    column("at", "Measured", "number"),
)

_STATE_WORDS = {
    CaseState.SUSPECTED: "Suspected",
    CaseState.CONFIRMED: "Confirmed",
    CaseState.REFUTED: "Refuted",
    CaseState.CLEARED: "Cleared",
    CaseState.DISMISSED: "Dismissed",
}


async def case_page(desk: Desk, case_id: str) -> None:
    """Build the page of a case."""
    async with frame(desk, "cases", "Case") as live:
        case = await asyncio.to_thread(desk.queries.ledger.case, case_id)
        if case is None:
            ui.status_code(404)
            nothing_here(f"There is no case {case_id}.")
            return
        ui.page_title(f"{case.title}, {case.device} · forewarn")
        headline = Region(box("div", "headline"), _draw_headline)
        with box("div", "columns"):
            with box("div", "main-column"):
                with section("Why"):
                    ledger = Region(box("ol", "ledger"), _draw_ledger)
                with section("Evidence"):
                    evidence = Sheet(EVIDENCE, label="Evidence", empty="No value was noted.")
                    charts = Charts(box("div", "charts tall"), empty="No reading of these signals is stored.")
            with box("aside", "side-column"):
                with section("At a glance"):
                    glance = Region(box("dl", "facts"), _draw_glance)
                with section("Self tests"):
                    probes = Region(box("div", "probes"), _draw_probes)
                with section("Timeline"):
                    timeline = Region(box("ol", "timeline"), _draw_timeline)

        def ask() -> tuple[CaseFile, list[Panel]] | None:
            file = desk.queries.case_file(case_id)
            if file is None:
                return None
            return file, evidence_panels(desk.queries, file.case, file.events)

        def show(answer: tuple[CaseFile, list[Panel]] | None) -> None:
            if answer is None:
                return
            file, panels = answer
            headline.show(file.case)
            glance.show(file.case)
            probes.show(file.case.probes)
            timeline.show(file.events)
            ledger.show(file.decisions)
            evidence.show([_evidence_row(desk.queries.catalogue, one) for one in file.case.evidence])
            charts.show(panels)

        await live.watch(ask, show)


def _draw_headline(case: Case) -> None:
    device = DeviceId(case.tenant, case.device_class, case.device)
    with box("p", "crumbs"):
        link("Cases", "/cases")
        text("span", case.case_id, "code")
    with box("div", "title"):
        mark(case.severity, words=False)
        text("h1", case.title)
        text("span", case.state.value, f"chip {case.state.value}")
    with box("p", "lead"):
        text("span", f"{_STATE_WORDS[case.state]} ")
        Time(_since(case))
        text("span", " on ")
        if case.component:
            text("span", f"{_part(case)} of ")
        text("span", f"{class_words(case.device_class)} ")
        link(case.device, device_path(device))
        text("span", f" ({case.tenant}). ")
        if case.order_id is None:
            text("span", f"No order{'' if case.ended_at else ' yet'}: {why_words(case)}.")
        else:
            text("span", "Its order is ")
            link(case.order_id, order_path(case.order_id))
            text("span", ".")


def _part(case: Case) -> str:
    return part_words(case.component, (evidence.signal for evidence in case.evidence))


def _since(case: Case) -> int:
    if case.state is CaseState.CONFIRMED and case.confirmed_at is not None:
        return case.confirmed_at
    return case.ended_at or case.onset


def _draw_glance(case: Case) -> None:
    with fact("Severity"):
        mark(case.severity)
    with fact("Fault"):
        text("span", case.fault, "code")
    if case.component:
        with fact("Component"):
            text("span", _part(case))
    with fact("Rule"):
        text("span", case.rule, "code")
    with fact("Since"):
        Time(case.onset, exact=True)
    if case.confirmed_at is not None:
        with fact("Confirmed"):
            Time(case.confirmed_at, exact=True)
    if case.ended_at is not None:
        with fact("Ended"):
            Time(case.ended_at, exact=True)
    with fact("Order"):
        if case.order_id is None:
            text("span", "none", "quiet")
        else:
            link(case.order_id, order_path(case.order_id))


def _evidence_row(catalogue: Catalogue, evidence: Evidence) -> Row:
    unit = unit_of(catalogue, evidence.signal)
    return {
        "key": f"{evidence.signal} {evidence.at}",
        "cells": {
            "signal": {
                "text": upper_first(signal_words(catalogue, evidence.signal)),
                "sub": evidence.signal,
            },
            "value": {"text": value_words(evidence.value), "unit": unit},
            "limit": None
            if evidence.limit is None
            else {"text": value_words(evidence.limit), "unit": unit, "tone": "quiet"},
            "at": {"ms": evidence.at},
        },
    }


def _draw_probes(probes: list[Probe]) -> None:
    if not probes:
        text("p", "No self test was asked for.", "quiet")
    for probe in probes:
        with box("div", "probe"):
            text("span", upper_first(action_words(probe.action)), "name")
            text("span", probe.state, f"chip {probe.state}")
            with box("p", "quiet"):
                if probe.pending:
                    text("span", "asked ")
                    Time(probe.sent_at)
                    text("span", ", answer due ")
                    Time(probe.deadline)
                else:
                    text("span", "answered " if probe.answered_at else "asked ")
                    Time(probe.answered_at or probe.sent_at)
            for name, value in probe.result.items():
                text("p", f"{words_of(name)}: {value}", "quiet")


def _draw_timeline(events: list[CaseEvent]) -> None:
    for event in reversed(events):
        with box("li", event.event):
            text("span", event.event, "name")
            Time(event.at)


def _draw_ledger(decisions: list[Decision]) -> None:
    if not decisions:
        text("li", "Nothing was decided yet.", "empty")
    for decision in reversed(decisions):
        with box("li", decision.outcome):
            text("span", OUTCOMES[decision.outcome], "outcome")
            text("p", decision.text)
            Time(decision.at)
