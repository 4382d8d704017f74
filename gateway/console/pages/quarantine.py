"""What could not be used, each with its reason: nothing is dropped in silence."""

from dataclasses import dataclass

from gateway.console.filters import Change, choice, keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import with_filters
from gateway.console.live import Live
from gateway.console.parts import Row, Sheet, box, column, text
from gateway.console.words import rejection_words
from gateway.ports import Page, Quarantined
from gateway.wire.reasons import QuarantineReason
from gateway.wire.topics import is_filter
from rules.times import parse_duration

PAGE_SIZE = 200
REASONS = tuple(reason.value for reason in QuarantineReason)
SPANS = ("1h", "24h", "7d")


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything. `topic` is an MQTT filter, `since` a span up to now."""

    reason: str = ""
    topic: str = ""
    since: str = ""


async def quarantine_page(desk: Desk, filters: Filters) -> None:
    """Build the list of what could not be used."""
    if filters.reason not in REASONS:
        filters.reason = ""
    if filters.since not in SPANS:
        filters.since = ""
    async with frame(desk, "quarantine", t("Quarantine")) as live:
        with box("div", "head"):
            text("h1", t("Quarantine"))
            summary = text("p", "", "summary")
            box("div", "spread")
            _filter_bar(filters, live)
        sheet = Sheet(_columns(), label=t("Quarantine")).classes("cards")

        def show(page: Page[Quarantined]) -> None:
            number = len(page.items)
            shown = t("the newest {number}", number=number) if page.next else str(number)
            summary.set_text(t("{number}, kept with the reason", number=shown) if number else "")
            sheet.show([_row(row) for row in page.items], empty=_empty(filters))

        await live.watch(lambda: _ask(desk, filters), show)


def _columns() -> list[dict[str, str]]:
    return [
        column("arrival", t("Arrived")),
        column("reason", t("Reason")),
        column("detail", t("What was expected"), "wide"),
        column("topic", t("Topic")),
        column("payload", t("Payload")),
    ]


def _filter_bar(filters: Filters, live: Live) -> None:
    def keep(name: str) -> Change:
        async def change(value: str) -> None:
            setattr(filters, name, value.strip())
            keep_address(with_filters("/quarantine", **vars(filters)))
            await live.look()

        return change

    with box("div", "filters"):
        reasons = [("", t("all")), *((reason, rejection_words(reason)) for reason in REASONS)]
        choice(t("Reason"), reasons, filters.reason, keep("reason"))
        spans = [("", t("ever")), *((span, t("last {span}", span=span)) for span in SPANS)]
        choice(t("Arrived"), spans, filters.since, keep("since"))
        search(t("Topic"), filters.topic, "fw/acme/#", keep("topic"))


def _ask(desk: Desk, filters: Filters) -> Page[Quarantined]:
    if filters.topic and not is_filter(filters.topic):
        return Page([])
    return desk.queries.quarantine(
        reason=filters.reason or None,
        topic=filters.topic or None,
        since=desk.queries.now() - parse_duration(filters.since) if filters.since else None,
        limit=PAGE_SIZE,
    )


def _empty(filters: Filters) -> str:
    if filters.topic and not is_filter(filters.topic):
        return t("This is no MQTT topic filter: + stands for one level, # at the end for all that follow.")
    if any(vars(filters).values()):
        return t("Nothing in quarantine is like this.")
    return t("Nothing is in quarantine: every message could be used.")


def _retry_words(row: Quarantined) -> str:
    if row.retry_requested_at is None:
        return ""
    return t("retried") if row.retried_at is not None else t("waits to be retried")


def _row(row: Quarantined) -> Row:
    message = row.message
    size = len(message.payload)
    return {
        "key": str(row.number),
        "cells": {
            "arrival": {"ms": message.arrival},
            "reason": {"text": rejection_words(message.reason), "sub": _retry_words(row)},
            "detail": {"text": message.detail},
            "topic": {"text": message.topic, "tone": "code"},
            "payload": {
                "text": "",
                "summary": t("the first {number} bytes", number=f"{size:,}")
                if message.truncated
                else t("{number} bytes", number=f"{size:,}"),
                "details": message.payload.decode("utf-8", errors="replace"),
            },
        },
    }
