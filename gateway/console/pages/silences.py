"""The silences: what is not ordered now and why, what was not, and who asked for it."""

from dataclasses import dataclass
from typing import cast

from diagnostics.silences import Silence, SilenceState
from gateway.console.filters import Change, choice, keep_address
from gateway.console.frame import Desk, frame
from gateway.console.links import case_path, with_filters
from gateway.console.parts import Cell, Row, Sheet, box, column, text
from gateway.ports import Page

PAGE_SIZE = 200
STATES = ("active", "pending", "expired")

COLUMNS = (
    column("match", "What fits", "wide"),
    column("tenant", "Brand"),
    column("state", "State"),
    column("note", "Why", "wide"),
    column("who", "Asked for by"),
    column("starts", "From", "number"),
    column("ends", "Until", "number"),
)


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything."""

    state: str = "active"
    tenant: str = ""


async def silences_page(desk: Desk, filters: Filters) -> None:
    """Build the list of silences."""
    if filters.state not in STATES:
        filters.state = ""

    def ask() -> Page[Silence]:
        return desk.queries.silences(
            state=cast(SilenceState, filters.state) if filters.state else None,
            tenants=[filters.tenant] if filters.tenant else None,
            limit=PAGE_SIZE,
        )

    async with frame(desk, "", "Silences") as live:

        async def change(value: str) -> None:
            filters.state = value
            state = filters.state or "all"
            keep_address(with_filters("/silences", state=state, tenant=filters.tenant))
            await live.look()

        with box("div", "head"):
            text("h1", "Silences")
            summary = text("p", "", "summary")
            box("div", "spread")
            with box("div", "filters"):
                chosen: Change = change
                choice("State", [("", "all"), *((s, s) for s in STATES)], filters.state, chosen)
        sheet = Sheet(COLUMNS, label="Silences")

        def show(page: Page[Silence]) -> None:
            now = desk.queries.now()
            newest = f"the newest {len(page.items)}" if page.next else f"{len(page.items)}"
            summary.set_text(f"{newest} {filters.state}".strip() if page.items else "")
            sheet.show([_row(silence, now) for silence in page.items], empty=_empty(filters))

        await live.watch(ask, show)


def _row(silence: Silence, now: int) -> Row:
    fits = ", ".join(f"{name} {pattern}" for name, pattern in silence.match.given().items())
    state = silence.state(now)
    what: Cell = {"text": fits, "sub": "maintenance" if silence.maintenance else ""}
    if silence.case_id is not None:
        what["href"] = case_path(silence.case_id)
    ended = f"ended by {silence.ended_by}" if silence.ended_by else ""
    return {
        "key": silence.silence_id,
        "cells": {
            "match": what,
            "tenant": {"text": silence.tenant},
            "state": {"text": state, "tone": "quiet" if state == "expired" else "", "sub": ended},
            "note": {"text": silence.note, "sub": silence.end_note},
            "who": {"text": silence.created_by},
            "starts": {"ms": silence.starts},
            "ends": {"ms": silence.over_at},
        },
    }


def _empty(filters: Filters) -> str:
    if filters.state == "active":
        return "Nothing is silenced: whatever is confirmed is ordered."
    return "No silence is like this." if filters.state or filters.tenant else "Nothing was ever silenced."
