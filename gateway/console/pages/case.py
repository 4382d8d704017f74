"""A case: what is wrong in plain words, what speaks for it, what was decided, and what can be done."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nicegui import ui

from diagnostics.case import Case, CaseState, Evidence
from diagnostics.naming import part_words
from diagnostics.silences import Silence
from gateway.api.casework import Possible, SimilarCase
from gateway.api.queries import CaseFile
from gateway.console.caseacts import CaseActs
from gateway.console.casestory import Story, draw_probes, draw_story, draw_timeline
from gateway.console.charts import Charts
from gateway.console.filters import choice, keep_address
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import case_path, device_path, order_path, with_filters
from gateway.console.live import Live, Region
from gateway.console.pages.missing import nothing_here
from gateway.console.panels import Panel, evidence_panels, signals_of
from gateway.console.parts import Row, Sheet, Time, box, column, fact, link, mark, section, text
from gateway.console.phrases import phrase
from gateway.console.words import (
    NONE,
    case_state_words,
    class_words,
    fault_title,
    outcome_words,
    signal_words,
    unit_of,
    upper_first,
    value_words,
    why_words,
)
from rules.signals import Catalogue
from rules.symbols import DeviceId

#: Earlier cases that are shown.
SIMILAR = 5


@dataclass(frozen=True)
class View:
    """What the reader chose to see of a case, as the address says it.

    Attributes:
        over: a signal that is laid over the charts; ``""`` for none.
        story: ``oldest`` for the ledger as it came; else newest first.
    """

    over: str = ""
    story: str = ""

    def address(self, case_id: str) -> str:
        """Return the address of a case seen so."""
        return with_filters(case_path(case_id), over=self.over, story=self.story)


@dataclass(frozen=True)
class Answer:
    """What the page shows."""

    file: CaseFile
    panels: list[Panel]
    possible: Possible
    silences: list[Silence]
    similar: list[SimilarCase]
    view: View


async def case_page(desk: Desk, case_id: str, view: View) -> None:
    """Build the page of a case."""
    async with frame(desk, "cases", t("Case"), style="queue") as live:
        case = await asyncio.to_thread(desk.queries.ledger.case, case_id)
        if case is None:
            ui.status_code(404)
            nothing_here(t("There is no case {case}.", case=case_id))
            return
        ui.page_title(f"{fault_title(case.title)}, {case.device} · forewarn")
        signals = await asyncio.to_thread(signals_of, desk.queries, case)
        page = _CasePage(desk, live, case_id, view, signals)
        await live.watch(page.ask, page.show)


class _CasePage:
    """The elements of the page, and what fills them."""

    def __init__(self, desk: Desk, live: Live, case_id: str, view: View, signals: Sequence[str]) -> None:
        self._desk = desk
        self._live = live
        self._case_id = case_id
        self._view = view
        self._headline = Region(box("div", "headline"), _draw_headline)
        with box("div", "columns case"):
            with box("div", "main-column"):
                self._build_evidence(signals)
                self._build_story()
                with section(t("Similar cases, and what was found then")):
                    self._similar = Sheet(
                        _similar_columns(),
                        label=t("Similar cases"),
                        empty=t("No earlier case of this fault is known."),
                    )
            with box("div", "acts-column"), section(t("What can be done")):
                self._acts = CaseActs(desk, live)
            with box("aside", "side-column"):
                self._build_side()

    def _build_evidence(self, signals: Sequence[str]) -> None:
        with section(t("Evidence"), "with-filters"):
            with box("div", "filters"):
                words = [
                    (one, upper_first(signal_words(self._desk.queries.catalogue, one))) for one in signals
                ]
                choice(t("Lay over"), [("", t("lay nothing over")), *words], self._view.over, self._lay_over)
            self._charts = Charts(
                box("div", "charts tall"), empty=t("No reading of these signals is stored.")
            )
            self._evidence = Sheet(_evidence_columns(), label=t("Evidence"), empty=t("No value was noted."))

    def _build_story(self) -> None:
        with section(t("Story"), "with-filters"):
            with box("div", "filters"):
                orders = [("", t("newest first")), ("oldest", t("as it came"))]
                choice(t("Sequence"), orders, self._view.story, self._tell)
            catalogue = self._desk.queries.catalogue
            self._story: Region[Story] = Region(
                box("ol", "ledger"), lambda story: draw_story(story, catalogue)
            )

    def _build_side(self) -> None:
        with section(t("At a glance")):
            self._glance = Region(box("dl", "facts"), _draw_glance)
        with section(t("Self tests")):
            self._probes = Region(box("div", "probes"), draw_probes)
        with section(t("Timeline")):
            self._timeline = Region(box("ol", "timeline"), draw_timeline)

    async def _lay_over(self, signal: str) -> None:
        await self._look(replace(self._view, over=signal))

    async def _tell(self, story: str) -> None:
        await self._look(replace(self._view, story=story))

    async def _look(self, view: View) -> None:
        self._view = view
        keep_address(view.address(self._case_id))
        await self._live.look()

    def ask(self) -> Answer | None:
        """Return what there is to show; None when the case is gone."""
        queries, view = self._desk.queries, self._view
        file = queries.case_file(self._case_id)
        if file is None:
            return None
        return Answer(
            file=file,
            panels=evidence_panels(queries, file.case, file.events, over=view.over),
            possible=queries.possible(file.case),
            silences=queries.silences_of(file.case),
            similar=queries.similar_cases(file.case, SIMILAR),
            view=view,
        )

    def show(self, answer: Answer | None) -> None:
        """Show it."""
        if answer is None:
            return
        file, catalogue = answer.file, self._desk.queries.catalogue
        self._headline.show((file.case, answer.silences))
        self._acts.show(file.case, answer.possible)
        self._glance.show(file.case)
        self._probes.show(file.case.probes)
        self._timeline.show(file.events)
        self._story.show(Story(file.decisions, answer.view.story != "oldest"))
        self._evidence.show([_evidence_row(catalogue, one) for one in file.case.evidence])
        self._charts.show(answer.panels)
        self._similar.show([_similar_row(one) for one in answer.similar])


def _draw_headline(shown: tuple[Case, Sequence[Silence]]) -> None:
    case, silences = shown
    with box("p", "crumbs"):
        link(t("Queue"), "/cases")
        text("span", case.case_id, "code")
    with box("div", "title"):
        mark(case.severity, words=False)
        text("h1", fault_title(case.title))
        text("span", case_state_words(case.state.value), f"chip {case.state.value}")
    with box("p", "lead"):
        _draw_lead(case)
    for silence in silences:
        _draw_silence(silence)


def _draw_silence(silence: Silence) -> None:
    with box("p", "silenced"):
        phrase(
            t("Silenced by {name} until {end}: {why}"),
            name=silence.created_by,
            end=lambda: Time(silence.over_at, exact=True),
            why=silence.note,
        )


def _draw_lead(case: Case) -> None:
    device = DeviceId(case.tenant, case.device_class, case.device)
    where = (
        t("{state} {when} on {part} of {class} {device} ({brand}).")
        if case.component
        else t("{state} {when} on {class} {device} ({brand}).")
    )
    phrase(
        where,
        state=upper_first(case_state_words(case.state.value)),
        when=lambda: Time(_since(case)),
        part=_part(case),
        device=lambda: link(case.device, device_path(device)),
        brand=case.tenant,
        **{"class": class_words(case.device_class)},
    )
    text("span", " ")
    if case.order_id is not None:
        order_id = case.order_id
        phrase(t("Its order is {order}."), order=lambda: link(order_id, order_path(order_id)))
    elif case.ended_at:
        text("span", t("No order: {why}.", why=why_words(case)))
    else:
        text("span", t("No order yet: {why}.", why=why_words(case)))


def _part(case: Case) -> str:
    return part_words(case.component, (evidence.signal for evidence in case.evidence))


def _since(case: Case) -> int:
    if case.state is CaseState.CONFIRMED and case.confirmed_at is not None:
        return case.confirmed_at
    return case.ended_at or case.onset


def _draw_glance(case: Case) -> None:
    with fact(t("Severity")):
        mark(case.severity)
    with fact(t("Fault")):
        text("span", case.fault, "code")
    if case.component:
        with fact(t("Component")):
            text("span", _part(case))
    with fact(t("Rule")):
        text("span", case.rule, "code")
    with fact(t("Since")):
        Time(case.onset, exact=True)
    if case.confirmed_at is not None:
        with fact(t("Confirmed")):
            Time(case.confirmed_at, exact=True)
    if case.ended_at is not None:
        with fact(t("Ended")):
            Time(case.ended_at, exact=True)
    with fact(t("Seen by")):
        text("span", case.acknowledged_by or NONE, "" if case.acknowledged_by else "quiet")
    with fact(t("Looked after by")):
        text("span", case.assignee or NONE, "" if case.assignee else "quiet")
    with fact(t("Order")):
        if case.order_id is None:
            text("span", t("none"), "quiet")
        else:
            link(case.order_id, order_path(case.order_id))


def _evidence_columns() -> list[dict[str, str]]:
    return [
        column("signal", t("Signal"), "wide"),
        column("value", t("Value"), "number"),
        column("limit", t("Limit"), "number"),
        column("at", t("Measured"), "number"),
    ]


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


def _similar_columns() -> list[dict[str, str]]:
    return [
        column("device", t("Device")),
        column("found", t("What was found"), "wide"),
        column("parts", t("Parts")),
        column("onset", t("Since"), "number"),
    ]


def _similar_row(similar: SimilarCase) -> Row:
    case, last = similar.case, similar.last
    model = case.model or class_words(case.device_class)
    found = why_words(case) if last is None or last.outcome is None else outcome_words(last.outcome)
    said = f"{last.who}: {last.why}" if last is not None and last.why else ""
    parts = [f"{one.quantity} x {one.part}" for one in last.parts_used] if last is not None else []
    return {
        "key": case.case_id,
        "cells": {
            "device": {
                "text": case.device,
                "href": case_path(case.case_id),
                "main": True,
                "sub": f"{model} · {t('same model')}" if similar.same_model else model,
            },
            "found": {"text": upper_first(found), "sub": said},
            "parts": {"text": ", ".join(parts) or NONE, "tone": "" if parts else "quiet"},
            "onset": {"ms": case.onset},
        },
    }
