"""Who did and looked at what, for admins; every filter stands in the address."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlencode

from nicegui import ui

from gateway.access.principal import ALL_TENANTS, Role
from gateway.access.records import Deed
from gateway.api.accessing import AccessDesk
from gateway.console.forms import field, moment, send
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.parts import Row, Sheet, box, column, link, text
from gateway.errors import UserError
from gateway.ports import Page
from rules.times import parse_duration, parse_instant

PAGE_SIZE = 200
_DAY = parse_duration("1d")


@dataclass(frozen=True)
class Filters:
    """What the reader chose; ``""`` is everything. `start` and `end` are days, both within."""

    who: str = ""
    target: str = ""
    start: str = ""
    end: str = ""
    cursor: str = ""

    def address(self, path: str, **changes: str) -> str:
        """Return the address of these filters."""
        named = {
            "who": self.who,
            "object": self.target,
            "from": self.start,
            "to": self.end,
            "cursor": self.cursor,
        }
        kept = {name: value for name, value in (named | changes).items() if value}
        return f"{path}?{urlencode(kept)}" if kept else path

    @property
    def since(self) -> int | None:
        """The first ms that is meant."""
        return parse_instant(self.start) if self.start else None

    @property
    def until(self) -> int | None:
        """The first ms that is not meant any more."""
        if not self.end:
            return None
        return parse_instant(self.end) + (_DAY if len(self.end) == len("2026-01-01") else 0)


async def audit_page(desk: Desk, access: AccessDesk, filters: Filters) -> None:
    """Build the page of the audit trail."""
    async with frame(desk, "", t("Audit trail"), style="access"):
        with box("div", "head"):
            text("h1", t("Audit trail"))
            box("div", "spread")
            _filter_bar(filters)
        if not desk.caller.may_anywhere(Role.ADMIN):
            ui.status_code(403)
            text("p", t("The audit trail is read by admins."))
            return
        try:
            page = await asyncio.to_thread(_ask, desk, access, filters)
        except (UserError, ValueError) as error:
            text("p", str(error), "wrong")
            return
        columns = (
            column("at", t("When")),
            column("who", t("Who")),
            column("what", t("What")),
            column("object", t("Of")),
            column("tenant", t("Tenant")),
            column("address", t("From")),
            column("detail", t("More"), "wide"),
        )
        sheet = Sheet(columns, label=t("Audit trail"), empty=t("Nothing was done that is like this."))
        sheet.show([_row(deed) for deed in page.items])
        with box("div", "form row"):
            if page.next:
                link(t("Older"), filters.address("/audit", cursor=page.next), "button")
            link(t("Export as CSV"), filters.address("/audit.csv", cursor="", to=_end(filters)), "button")


def _end(filters: Filters) -> str:
    return "" if filters.until is None else str(filters.until)


def _filter_bar(filters: Filters) -> None:
    with box("form", "filters").props("method=get action=/audit role=search"):
        field(t("Who"), "who", filters.who, type="search", autocomplete="off", spellcheck="false")
        field(t("Of"), "object", filters.target, type="search", placeholder="order:*", autocomplete="off")
        field(t("From"), "from", filters.start, type="date")
        field(t("To"), "to", filters.end, type="date")
        send(t("Show"), "button")


def _ask(desk: Desk, access: AccessDesk, filters: Filters) -> Page[Deed]:
    return access.access.people.trail(
        tenants=desk.caller.tenants(Role.ADMIN),
        who=filters.who.strip() or None,
        target=filters.target.strip() or None,
        since=filters.since,
        until=filters.until,
        cursor=filters.cursor or None,
        limit=PAGE_SIZE,
    )


def _row(deed: Deed) -> Row:
    told = "; ".join(f"{key}: {_words(value)}" for key, value in deed.detail.items())
    return {
        "key": str(deed.number),
        "cells": {
            "at": {"text": moment(deed.at)},
            "who": {"text": deed.who or t("nobody")},
            "what": {"text": deed.what, "tone": "code"},
            "object": {"text": deed.target, "tone": "code"},
            "tenant": {"text": t("all") if deed.tenant == ALL_TENANTS else deed.tenant},
            "address": {"text": deed.address, "tone": "code"},
            "detail": {"text": told},
        },
    }


def _words(value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"before", "after"}:
        return f"{_words(value['before'])} → {_words(value['after'])}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={content}" for key, content in value.items()) or "-"
    return str(value)
