"""What could not be used, each with its reason: nothing is dropped in silence."""

from gateway.console.frame import Desk, frame
from gateway.console.parts import Row, Sheet, box, column, text
from gateway.console.words import words_of
from gateway.ports import Page, Quarantined

PAGE_SIZE = 200

COLUMNS = (
    column("arrival", "Arrived"),
    column("reason", "Reason"),
    column("detail", "What was expected", "wide"),
    column("topic", "Topic"),
    column("payload", "Payload"),
)


async def quarantine_page(desk: Desk) -> None:
    """Build the list of what could not be used."""
    async with frame(desk, "quarantine", "Quarantine") as live:
        with box("div", "head"):
            text("h1", "Quarantine")
            summary = text("p", "", "summary")
        sheet = Sheet(
            COLUMNS, label="Quarantine", empty="Nothing is in quarantine: every message could be used."
        )

        def show(page: Page[Quarantined]) -> None:
            shown = f"the newest {len(page.items)}" if page.next else str(len(page.items))
            summary.set_text(f"{shown}, kept with the reason" if page.items else "")
            sheet.show([_row(row) for row in page.items])

        await live.watch(lambda: desk.queries.quarantine(limit=PAGE_SIZE), show)


def _row(row: Quarantined) -> Row:
    message = row.message
    size = len(message.payload)
    return {
        "key": str(row.number),
        "cells": {
            "arrival": {"ms": message.arrival},
            "reason": {"text": words_of(message.reason)},
            "detail": {"text": message.detail},
            "topic": {"text": message.topic, "tone": "code"},
            "payload": {
                "text": "",
                "summary": f"{size:,} bytes",
                "details": message.payload.decode("utf-8", errors="replace"),
            },
        },
    }
