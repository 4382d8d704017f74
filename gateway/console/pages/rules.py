"""The rules in force, in words, with where they stand over the fleet."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from nicegui import ui

from gateway.api.backtests import may_change_rules
from gateway.console.filters import keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import new_pack_path, pack_path, rule_path, with_filters
from gateway.console.live import Shared
from gateway.console.pages.missing import nothing_here
from gateway.console.parts import Cell, Row, Sheet, box, column, link, section, text
from gateway.console.rulecounts import RuleCounts, count_by_rule
from gateway.console.rulewords import sentence_of
from gateway.errors import OutsideError
from gateway.rulebook import Rulebook
from rules.model import Rule
from rules.tally import UNKNOWN

#: Seconds between two counts of lanes, and for which the counts of cases are kept.
LANES_EVERY = 5.0
_CASES_FOR = 30.0

#: States of a rule's life that stand under one heading.
SHOWN_STATES: dict[str, tuple[str, ...]] = {
    "quiet": ("quiet",),
    "pending": ("pending", "pending_paused"),
    "suspected": ("suspected",),
    "clearing": ("clearing", "clearing_paused"),
    UNKNOWN: (UNKNOWN,),
}

Lanes = Mapping[str, Mapping[str, int]]


@dataclass
class Filters:
    """What the reader chose: words of id, title, fault or pack."""

    find: str = ""

    def take(self, rule: Rule) -> bool:
        """Whether every word to find stands in the rule."""
        where = f"{rule.id} {rule.title} {rule.fault} {rule.pack} {rule.severity}".lower()
        return all(word in where for word in self.find.lower().split())


def columns() -> list[dict[str, str]]:
    """Return the columns of the list, in the reader's language."""
    return [
        column("rule", t("Rule"), "wide"),
        column("says", t("Says"), "wide"),
        column("quiet", t("Quiet"), "number"),
        column("pending", t("Pending"), "number"),
        column("suspected", t("Suspected"), "number"),
        column("clearing", t("Clearing"), "number"),
        column(UNKNOWN, t("Unknown"), "number"),
        column("cases", t("Cases, 30 days"), "number"),
        column("orders", t("Orders, 30 days"), "number"),
        column("pack", t("Pack")),
    ]


async def lanes_of(book: Rulebook) -> Lanes | None:
    """Return lanes by rule and state, None while the gateway is not at work."""
    try:
        return {tally.rule.id: tally.states for tally in await book.service.tally()}
    except OutsideError:
        return None


async def rules_page(desk: Desk, book: Rulebook | None, filters: Filters) -> None:
    """Build the list of rules."""
    async with frame(desk, "rules", t("Rules"), style="rules") as live:
        if book is None:
            nothing_here(t("No gateway is at work here, so there are no rules."))
            return
        counted = Shared(lambda: count_by_rule(desk.queries), seconds=_CASES_FOR)
        shown: dict[str, Lanes | None] = {"lanes": await lanes_of(book)}

        async def change(value: str) -> None:
            filters.find = value.strip()
            keep_address(with_filters("/rules", find=filters.find))
            await live.look()

        with box("div", "head"):
            text("h1", t("Rules"))
            summary = text("p", "", "summary")
            box("div", "spread")
            with box("div", "filters"):
                search(t("Find"), filters.find, t("rule, fault, pack"), change)
        if may_change_rules(desk.caller):
            await _own_packs(book)
        sheet = Sheet(columns(), label=t("Rules"))

        def ask() -> tuple[list[Row], str]:
            rules = [rule for rule in book.ruleset.rules if filters.take(rule)]
            rows = [_row(book, rule, shown["lanes"], counted.get()) for rule in rules]
            return rows, _summary(rules, counted.get())

        def show(answer: tuple[list[Row], str]) -> None:
            rows, told = answer
            summary.set_text(told)
            sheet.show(rows, empty=t("No rule matches these words."))

        async def look_again() -> None:
            shown["lanes"] = await lanes_of(book)

        ui.timer(LANES_EVERY, look_again, immediate=False)
        await live.watch(ask, show)


async def _own_packs(book: Rulebook) -> None:
    files = await asyncio.to_thread(book.own_files)
    with section(t("Your own packs"), "own-packs"), box("div", "packs"):
        for name in files:
            link(name, pack_path(name), "pack-file code")
        if not files:
            text("span", t("There is none yet."), "quiet")
        link(t("Write a new pack"), new_pack_path(), "button")


def _summary(rules: list[Rule], counts: RuleCounts) -> str:
    cases, orders = (sum(of.get(rule.id, 0) for rule in rules) for of in (counts.cases, counts.orders))
    return t(
        "{rules} in force; within 30 days cases: {cases}, orders: {orders}",
        rules=len(rules), cases=f"{cases:,}", orders=f"{orders:,}",
    )  # fmt: skip


def _row(book: Rulebook, rule: Rule, lanes: Lanes | None, counts: RuleCounts) -> Row:
    cells: dict[str, Cell | None] = {
        "rule": {
            "mark": rule.severity,
            "text": rule.title or rule.fault,
            "href": rule_path(rule.id),
            "main": True,
            "sub": rule.id,
        },
        "says": {"text": sentence_of(rule, book.ruleset.catalogue, book.faults)},
        "cases": _number(counts.cases.get(rule.id, 0)),
        "orders": _number(counts.orders.get(rule.id, 0)),
        "pack": {"text": rule.pack, "sub": rule.fault},
    }
    for name, states in SHOWN_STATES.items():
        stand = (lanes or {}).get(rule.id)
        cells[name] = None if stand is None else _number(sum(stand[state] for state in states), name)
    return {"key": rule.id, "cells": cells}


def _number(number: int, state: str = "") -> Cell:
    if not number:
        return {"text": "0", "tone": "quiet"}
    return {"text": f"{number:,}", "tone": "alert" if state == "suspected" else ""}
