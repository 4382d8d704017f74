"""The fleet: where faults gather, which rules cry wolf, what orders came to, how long they took."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from diagnostics.faults import load_faults
from gateway.api.fleet import (
    By,
    DelayBarDocument,
    DelayDocument,
    HealthDocument,
    NoisyRuleDocument,
    OutcomeDocument,
)
from gateway.console.filters import Change, choice, keep_address
from gateway.console.fleetboard import WINDOWS, Board, Filters
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import with_filters
from gateway.console.live import Live, Region
from gateway.console.parts import Cell, Row, Sheet, box, column, link, section, text
from gateway.console.words import CLASSES, NONE
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

#: Rows of a table on the page; all of them are in its CSV.
MOST_ROWS = 50
#: Below so many a share says little; it is shown in grey.
ENOUGH = 10
#: Shares from which a figure is marked: more than one case in two in vain; no fault found in one order of
#: five, and one repair of ten redone (docs/fleet.md says where these come from).
NOISY, NO_FAULT_FOUND, REDONE = 0.5, 0.2, 0.1


async def fleet_page(desk: Desk, filters: Filters) -> None:
    """Build the page of the fleet; what is counted comes once the page is there."""
    tenants = desk.caller.tenants()
    if tenants is None:
        tenants = frozenset(await asyncio.to_thread(desk.queries.fleet.tenants))
    async with frame(desk, "fleet", t("Fleet"), style="fleet") as live:
        _FleetPage(Board.of(desk), live, filters).build(sorted(tenants))


class _FleetPage:
    """One open page: its filters, and the tables that show what they choose."""

    def __init__(self, board: Board, live: Live, filters: Filters) -> None:
        self.board, self.live, self.filters = board, live, filters
        self.exports: list[tuple[TextElement, str]] = []

    def build(self, tenants: Sequence[str]) -> None:
        """Build filters and empty tables, and have them filled once the page is with its reader."""
        with box("div", "head"):
            text("h1", t("Fleet"))
            self.summary = text("p", "", "summary")
            box("div", "spread")
            with box("div", "filters"):
                self._filter_bar(tenants)
        with box("div", "fleet") as content:
            with self._table(t("Health"), "health"):
                self.health = _Table(t("Health"))
            with self._table(t("Noisy rules"), "rules"):
                self.rules = _Table(t("Noisy rules"))
            with self._table(t("What orders came to"), "outcomes"):
                self.outcomes = _Table(t("What orders came to"))
            with self._table(t("From first suspicion to order"), "delays"):
                self.bars = Region(box("div", "delays"), _draw_bars)
                self.delays = _Table(t("Time to order"))
        self._lead_exports()

        async def fill() -> None:
            with content:
                await self.live.watch(
                    lambda: (self.filters.by, self.board.health(self.filters)), self._show_health
                )
                await self.live.watch(lambda: self.board.rules(self.filters), self._show_rules)
                await self.live.watch(lambda: self.board.outcomes(self.filters), self._show_outcomes)
                await self.live.watch(lambda: self.board.delays(self.filters), self._show_delays)

        ui.timer(0.01, fill, once=True)

    def _table(self, title: str, name: str) -> Element:
        """Return a section to put a table in, with the link to its CSV."""
        outer = section(title, "with-filters")
        with outer, box("div", "filters"):
            export = link(t("CSV"), "", "export")
            export.props["download"] = ""
            export.props["aria-label"] = t("{table} as CSV", table=title)
            self.exports.append((export, name))
        return outer

    def _lead_exports(self) -> None:
        for export, name in self.exports:
            export.props["href"] = self.filters.table(name)

    def _filter_bar(self, tenants: Sequence[str]) -> None:
        def setter(name: str) -> Change:
            async def change(value: str) -> None:
                chosen = {"by": self.filters.by, "window": self.filters.window, "tenant": self.filters.tenant}
                self.filters = Filters.of(**(chosen | {name: value}))
                keep_address(self.filters.address())
                self._lead_exports()
                await self.live.look()

            return change

        by = [("model", t("model")), ("site", t("site")), ("firmware", t("firmware"))]
        choice(t("Devices by"), by, self.filters.by, setter("by"))
        windows = [(one, t("last {number} days", number=one.removesuffix("d"))) for one in WINDOWS]
        choice(t("Window"), windows, self.filters.window, setter("window"))
        if len(tenants) > 1:
            brands = [("", t("all")), *((tenant, tenant) for tenant in tenants)]
            choice(t("Brand"), brands, self.filters.tenant, setter("tenant"))

    def _show_health(self, answer: tuple[By, list[HealthDocument]]) -> None:
        by, rows = answer
        devices, faults = sum(row.devices for row in rows), sum(row.faults for row in rows)
        self.summary.set_text(
            t("{devices} devices, {faults} confirmed faults", devices=f"{devices:,}", faults=f"{faults:,}")
            + _first_of(rows)
        )
        empty = t("No device of the registry has a site.") if by == "site" else t("No device has spoken yet.")
        self.health.show(_health_columns(by), [_health_row(row) for row in rows[:MOST_ROWS]], empty)

    def _show_rules(self, rows: list[NoisyRuleDocument]) -> None:
        shown = [_rule_row(row) for row in rows[:MOST_ROWS]]
        self.rules.show(_rule_columns(), shown, t("No case began in this time."))

    def _show_outcomes(self, rows: list[OutcomeDocument]) -> None:
        empty = t("No order was closed in this time.")
        self.outcomes.show(_outcome_columns(), [_outcome_row(row) for row in rows[:MOST_ROWS]], empty)

    def _show_delays(self, answer: tuple[list[DelayDocument], list[DelayBarDocument]]) -> None:
        rows, bars = answer
        self.bars.show(bars if rows else [])
        empty = t("No order was opened in this time.")
        self.delays.show(_delay_columns(), [_delay_row(row) for row in rows[:MOST_ROWS]], empty)


class _Table:
    """A sheet that comes with its first rows: a table that was counted late is no news."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._columns: list[dict[str, str]] = []
        self._container = box("div", "table")
        with self._container:
            text("p", t("Counting…"), "empty").props["role"] = "status"

    def show(self, columns: list[dict[str, str]], rows: Sequence[Row], empty: str) -> None:
        """Show these rows in these columns, or the sentence `empty`."""
        if columns != self._columns:
            self._columns = columns
            self._container.clear()
            with self._container:
                self._sheet = Sheet(columns, label=self._label)
        self._sheet.show(rows, empty=empty)


def _first_of(rows: Sequence[HealthDocument]) -> str:
    """Say that a table goes on, where it does."""
    if len(rows) <= MOST_ROWS:
        return ""
    return t("; the worst {shown} of {all} rows, all in the CSV", shown=MOST_ROWS, all=f"{len(rows):,}")


def _health_columns(by: By) -> list[dict[str, str]]:
    names = {
        "model": [
            column("model", t("Model"), "wide"),
            column("class", t("Class"), "beside"),
            column("brand", t("Brand"), "beside"),
        ],
        "firmware": [
            *(column("model", t("Model"), "wide"), column("firmware", t("Firmware"))),
            *(column("class", t("Class"), "beside"), column("brand", t("Brand"), "beside")),
        ],
        "site": [
            *(column("site", t("Site"), "wide"), column("country", t("Country"))),
            column("brand", t("Brand"), "beside"),
        ],
    }
    return [
        *names[by],
        column("devices", t("Devices"), "number"),
        column("open", t("With open cases"), "number"),
        column("faults", t("Faults"), "number"),
        column("rate", t("Per 100 devices"), "number"),
        column("worst", t("Most frequent"), "wide"),
    ]


def _health_row(row: HealthDocument) -> Row:
    model: Cell = {"text": row.model or t("not said"), "tone": "" if row.model else "quiet"}
    if row.model:
        find = f"{row.model} {row.firmware or ''}".strip()
        model["href"] = with_filters("/devices", **{"class": row.device_class, "find": find})
    cells: dict[str, Cell | None] = {
        "model": model,
        "firmware": {"text": row.firmware or t("not said"), "tone": "" if row.firmware else "quiet"},
        "site": {"text": row.site or NONE},
        "country": {"text": row.country or NONE, "tone": "" if row.country else "quiet"},
        "class": {"text": t(CLASSES.get(row.device_class or "", row.device_class or ""))},
        "brand": {"text": row.tenant},
        "devices": {"text": f"{row.devices:,}"},
        "open": _count(row.with_open_cases, tone="alert"),
        "faults": _count(row.faults),
        "rate": {
            "text": NONE if row.faults_per_100 is None else f"{row.faults_per_100:,.1f}",
            "tone": "" if row.faults else "quiet",
        },
        "worst": _fault_cell(row.worst_fault, f"{row.worst_faults:,} x") if row.worst_fault else None,
    }
    key = (row.tenant, row.device_class, row.model, row.firmware, row.site)
    return {"key": "\n".join(map(str, key)), "cells": cells}


def _rule_columns() -> list[dict[str, str]]:
    return [
        column("rule", t("Rule"), "wide"),
        column("cases", t("Cases"), "number"),
        column("confirmed", t("Confirmed"), "number"),
        column("dismissed", t("Dismissed"), "number"),
        column("refuted", t("Refuted"), "number"),
        column("cleared", t("Cleared early"), "number"),
        column("flapping", t("Flapping"), "number"),
        column("none", t("No fault found"), "number"),
        column("noise", t("In vain"), "number"),
    ]


def _rule_row(row: NoisyRuleDocument) -> Row:
    cells: dict[str, Cell | None] = {
        "rule": {"text": row.rule, "tone": "code"},
        "cases": {"text": f"{row.cases:,}"},
        "confirmed": _count(row.confirmed),
        "dismissed": _count(row.dismissed),
        "refuted": _count(row.refuted),
        "cleared": _count(row.cleared_before_confirmation),
        "flapping": _count(row.flapping),
        "none": _count(row.no_fault_found),
        "noise": _share(row.noise, row.cases, NOISY),
    }
    return {"key": row.rule, "cells": cells}


def _outcome_columns() -> list[dict[str, str]]:
    return [
        column("fault", t("Fault"), "wide"),
        column("closed", t("Closed"), "number"),
        column("repaired", t("Repaired"), "number"),
        column("none", t("No fault found"), "number"),
        column("other", t("Other fault"), "number"),
        column("cancelled", t("Cancelled"), "number"),
        column("none_rate", t("No fault found, share"), "number"),
        column("redo_30", t("Redone in 30 days"), "number"),
        column("redo_90", t("Redone in 90 days"), "number"),
    ]


def _outcome_row(row: OutcomeDocument) -> Row:
    looked_at = row.closed - row.cancelled
    cells: dict[str, Cell | None] = {
        "fault": _fault_cell(row.fault),
        "closed": {"text": f"{row.closed:,}"},
        "repaired": _count(row.repaired),
        "none": _count(row.no_fault_found),
        "other": _count(row.other_fault),
        "cancelled": _count(row.cancelled),
        "none_rate": _share(row.no_fault_found_rate, looked_at, NO_FAULT_FOUND),
        "redo_30": _share(row.redo_rate_30_days, row.watched_30_days, REDONE, of=True),
        "redo_90": _share(row.redo_rate_90_days, row.watched_90_days, REDONE, of=True),
    }
    return {"key": row.fault, "cells": cells}


def _delay_columns() -> list[dict[str, str]]:
    return [
        column("fault", t("Fault"), "wide"),
        column("orders", t("Orders"), "number"),
        column("median", t("Half within"), "number"),
        column("p90", t("Nine of ten within"), "number"),
    ]


def _delay_row(row: DelayDocument) -> Row:
    cells: dict[str, Cell | None] = {
        "fault": _fault_cell(row.fault),
        "orders": {"text": f"{row.orders:,}"},
        "median": {"text": span_words(row.median_seconds)},
        "p90": {"text": span_words(row.p90_seconds)},
    }
    return {"key": row.fault, "cells": cells}


def _draw_bars(bars: list[DelayBarDocument]) -> None:
    """Draw how many orders took how long, as a list whose items are as long as their numbers."""
    if not bars:
        return
    most = max(bar.orders for bar in bars)
    with box("ol", "bars") as outer:
        outer.props["aria-label"] = t("Orders by the time from first suspicion")
        for bar in bars:
            with box("li"):
                text("span", _bar_words(bar), "name")
                box("span", "bar-line").style(f"--share: {bar.orders / most:.4f}").props["aria-hidden"] = (
                    "true"
                )
                text("b", f"{bar.orders:,}")


def _bar_words(bar: DelayBarDocument) -> str:
    if bar.below_seconds is None:
        return t("{span} and more", span=span_words(bar.above_seconds))
    return t("under {span}", span=span_words(bar.below_seconds))


def span_words(seconds: float) -> str:
    """Return a span of time in its largest unit.

    >>> span_words(90), span_words(5400)
    ('1.5 min', '1.5 h')
    """
    ms = seconds * SECOND_MS
    units: tuple[tuple[int, Callable[[str], str]], ...] = (
        (DAY_MS, lambda number: t("{number} d", number=number)),
        (HOUR_MS, lambda number: t("{number} h", number=number)),
        (MINUTE_MS, lambda number: t("{number} min", number=number)),
    )
    for unit, words in units:
        if ms >= unit:
            return words(f"{ms / unit:.1f}".removesuffix(".0"))
    return t("{number} s", number=f"{seconds:.0f}")


def _fault_cell(code: str, sub: str = "") -> Cell:
    """Return a fault by its title; ``*`` is all of them together."""
    if code == "*":
        return {"text": t("All together"), "tone": "confirmed"}
    return {"text": _titles().get(code, code), "sub": f"{sub} {code}".strip()}


@cache
def _titles() -> dict[str, str]:
    return {fault.code: fault.title for fault in load_faults()}


def _count(number: int, *, tone: str = "") -> Cell:
    return {"text": f"{number:,}", "tone": tone if number else "quiet"}


def _share(share: float | None, of_how_many: int, limit: float, *, of: bool = False) -> Cell:
    """Return a share in percent: marked from `limit` on, grey where it is of too few to say much."""
    if share is None:
        return {"text": NONE, "tone": "quiet"}
    tone = "quiet" if of_how_many < ENOUGH else "alert" if share >= limit else ""
    shown: Cell = {"text": f"{share:.0%}", "tone": tone}
    if of:
        shown["sub"] = t("of {number}", number=f"{of_how_many:,}")
    return shown
