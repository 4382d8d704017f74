"""One rule: what it says in words, where it stands over the fleet, what it led to."""

from nicegui import ui

from diagnostics.case import Case
from gateway.api.backtests import may_change_rules
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import case_path, copy_path, pack_path
from gateway.console.pages.missing import nothing_here
from gateway.console.pages.rules import LANES_EVERY, SHOWN_STATES, lanes_of
from gateway.console.parts import Row, Sheet, box, column, fact, link, mark, section, text
from gateway.console.rulewords import rule_words
from gateway.console.words import why_words
from gateway.rulebook import Rulebook
from rules.model import Rule
from rules.tally import UNKNOWN

#: Cases that are gone through, and those of the rule that are shown.
_LOOKED_AT, _SHOWN = 2_000, 20


async def rule_page(desk: Desk, book: Rulebook | None, rule_id: str) -> None:
    """Build the page of a rule."""
    async with frame(desk, "rules", t("Rule"), style="rules") as live:
        rule = book.rule(rule_id) if book else None
        if book is None or rule is None:
            ui.status_code(404)
            nothing_here(t("No rule of this name is in force."))
            return
        ui.page_title(f"{rule.id} · forewarn")
        with box("div", "headline"):
            with box("div", "crumbs"):
                link(t("Rules"), "/rules")
                text("span", rule.id, "code")
            with box("div", "title"):
                mark(rule.severity, words=False)
                text("h1", rule.title or rule.fault)
                text("span", rule.fault, "chip")
                box("div", "spread")
                if may_change_rules(desk.caller):
                    _ways_to_change(book, rule)
        with box("div", "columns"):
            with box("div", "main-column"):
                _in_words(book, rule)
                with section(t("Its latest cases")):
                    sheet = Sheet(
                        [
                            column("case", t("Case"), "wide"),
                            column("device", t("Device")),
                            column("why", t("Why"), "wide"),
                            column("onset", t("Began"), "number"),
                        ],
                        label=t("Its latest cases"),
                    )
            with box("div", "side-column"):
                await _states(book, rule)
        await live.watch(
            lambda: _cases(desk, rule),
            lambda rows: sheet.show(rows, empty=t("It suspected nothing lately.")),
        )


def _ways_to_change(book: Rulebook, rule: Rule) -> None:
    own = book.file_of(rule)
    if own is not None:
        link(t("Edit"), pack_path(own), "button")
    elif rule.limits:
        link(t("Copy to edit"), copy_path(rule.id), "button")
    else:
        text("span", t("A shipped rule without limits: docs/rules.md says how it is changed."), "quiet")


def _in_words(book: Rulebook, rule: Rule) -> None:
    with section(t("In words")), box("dl", "facts rule-words"):
        for words in rule_words(rule, book.ruleset.catalogue, book.faults):
            with fact(words.name):
                text("span", words.text)
                if words.parts:
                    with box("ul", "listed"):
                        for part in words.parts:
                            text("li", part)
        with fact(t("Source")):
            text("span", rule.source or t("none given"), "" if rule.source else "quiet")
        with fact(t("Pack")):
            text("span", f"{rule.pack}, {rule.place}", "code")
    with section(t("As written")):
        text("pre", f"when: {rule.text}", "written")


async def _states(book: Rulebook, rule: Rule) -> None:
    """Show in how many lanes the rule stands where, counted anew every few seconds."""
    names = {
        "quiet": t("Quiet"),
        "pending": t("Pending"),
        "suspected": t("Suspected"),
        "clearing": t("Clearing"),
        UNKNOWN: t("Unknown"),
    }
    with section(t("Over the fleet"), "fleet-states"):
        with box("dl", "facts"):
            numbers = {}
            for state in SHOWN_STATES:
                with fact(names[state]):
                    numbers[state] = text("span", "")
        text(
            "p", t("Devices, or parts of devices. Unknown: no signal that the rule reads is fresh."), "quiet"
        )

    async def look() -> None:
        lanes = await lanes_of(book)
        stand = (lanes or {}).get(rule.id)
        for state, parts in SHOWN_STATES.items():
            numbers[state].set_text("-" if stand is None else f"{sum(stand[part] for part in parts):,}")

    await look()
    ui.timer(LANES_EVERY, look, immediate=False)


def _cases(desk: Desk, rule: Rule) -> list[Row]:
    rows: list[Row] = []
    cursor, seen = None, 0
    while seen < _LOOKED_AT:
        page = desk.queries.cases(cursor=cursor, limit=500)
        rows += [_row(case) for case in page.items if case.rule == rule.id]
        seen += len(page.items)
        cursor = page.next
        if cursor is None or len(rows) >= _SHOWN:
            break
    return rows[:_SHOWN]


def _row(case: Case) -> Row:
    return {
        "key": case.case_id,
        "cells": {
            "case": {
                "mark": case.severity,
                "text": case.title,
                "href": case_path(case.case_id),
                "main": True,
                "sub": case.order_id or case.state.value,
            },
            "device": {"text": case.device, "sub": case.component},
            "why": {"text": why_words(case)},
            "onset": {"ms": case.onset},
        },
    }
