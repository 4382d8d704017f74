"""The queue: open cases by urgency and age, why each waits, and what is done with many of them at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from diagnostics.case import Case
from diagnostics.decision import Reason
from gateway.api.queries import CASE_STATES, SEVERITIES, Totals
from gateway.console.bulk import ActBar
from gateway.console.filters import Change, choice, keep_address, search
from gateway.console.frame import Desk, frame
from gateway.console.language import msg, t
from gateway.console.links import case_path, order_path, with_filters
from gateway.console.live import Live, Region
from gateway.console.parts import Cell, Row, Sheet, box, column, link, text
from gateway.console.words import (
    CLASSES,
    NONE,
    REASONS,
    case_state_words,
    class_words,
    fault_title,
    number_words,
    severity_words,
    upper_first,
    why_words,
)
from gateway.ports import CaseCounts, CaseFilters, CaseOrder, Page

PAGE_SIZE = 100

#: Who looks after a case, as the address says it; everything else is a name.
ME, NOBODY = "me", "nobody"


@dataclass(frozen=True)
class Filters:
    """What the reader chose; ``""`` is everything. `device_class` is ``class`` in the address.

    Attributes:
        who: looks after it: ``me``, ``nobody`` or a name.
        seen: ``yes`` or ``no``.
        find: words of device, model, site, fault, order or person.
        after: the cursor of the page before.
    """

    state: str = "open"
    severity: str = ""
    brand: str = ""
    device_class: str = ""
    reason: str = ""
    who: str = ""
    seen: str = ""
    find: str = ""
    after: str = ""

    def known(self) -> "Filters":
        """Return them without values that there are none of."""
        values = {
            "state": CASE_STATES,
            "severity": SEVERITIES,
            "device_class": tuple(CLASSES),
            "reason": tuple(reason.value for reason in Reason),
            "seen": ("yes", "no"),
        }
        wrong = {name: "" for name, known in values.items() if getattr(self, name) not in known}
        return replace(self, **wrong)

    def address(self) -> str:
        """Return the address of the list with these filters."""
        chosen = asdict(self)
        chosen["class"] = chosen.pop("device_class")
        chosen["state"] = {"open": "", "": "all"}.get(self.state, self.state)
        return with_filters("/cases", **chosen)

    def asked(self, me: str) -> CaseFilters:
        """Return the filters of the store, for a reader called `me`."""
        return {
            "state": self.state or None,
            "severity": self.severity or None,
            "tenant": self.brand or None,
            "device_class": self.device_class or None,
            "reason": self.reason or None,
            "assignee": {"": None, ME: me, NOBODY: ""}.get(self.who, self.who),
            "acknowledged": {"yes": True, "no": False}.get(self.seen),
            "find": self.find or None,
        }


#: Ready-made filters, each an address.
VIEWS: tuple[tuple[str, Filters], ...] = (
    (msg("All open"), Filters()),
    (msg("Not seen yet"), Filters(seen="no")),
    (msg("Mine"), Filters(who=ME)),
    (msg("Nobody's"), Filters(who=NOBODY)),
    (msg("All there were"), Filters(state="")),
)


@dataclass(frozen=True)
class Answer:
    """What the page shows.

    Attributes:
        counts: of all pages.
        leaving: cases that are being dismissed.
    """

    page: Page[Case]
    counts: CaseCounts
    totals: Totals
    leaving: frozenset[str]


class Choice:
    """The filters of one open page."""

    def __init__(self, filters: Filters) -> None:
        self.filters = filters.known()


async def cases_page(desk: Desk, filters: Filters) -> None:
    """Build the queue."""
    chosen = Choice(filters)
    brands = sorted((await asyncio.to_thread(desk.queries.count_cases)).tenant)
    async with frame(desk, "cases", t("Queue"), style="queue") as live:
        with box("div", "head"):
            text("h1", t("Queue"))
            summary: Region[Answer] = Region(
                box("p", "summary"), lambda answer: _draw_summary(answer, chosen.filters)
            )
            box("div", "spread")
            with box("div", "filters"):
                _filter_bar(chosen, live, brands)
        with box("div", "above"):
            views = Region(box("nav", "views").props(_label(t("Views"))), _draw_views)
            box("div", "spread")
            bar = ActBar(desk, live)
        sheet = Sheet(
            _columns(),
            label=t("Cases by urgency"),
            hold=True,
            on_select=bar.selected if bar.may_act else None,
        ).classes("cards")
        pager = Region(box("nav", "pager").props(_label(t("Pages"))), _draw_pager)

        def ask() -> Answer:
            asked = chosen.filters.asked(desk.caller.name)
            order: CaseOrder = (
                "urgency" if chosen.filters.state in ("open", "suspected", "confirmed") else "newest"
            )
            page = desk.queries.cases(
                order=order, cursor=chosen.filters.after or None, limit=PAGE_SIZE, **asked
            )
            counts = desk.queries.count_cases(**asked)
            return Answer(page, counts, desk.totals(), frozenset(bar.leaving))

        def show(answer: Answer) -> None:
            summary.show(answer)
            views.show(chosen.filters)
            pager.show((answer.page.next, answer.counts.total, len(answer.page.items), chosen.filters))
            sheet.show(
                [case_row(case) for case in answer.page.items if case.case_id not in answer.leaving],
                empty=_empty(answer, chosen.filters),
                of=chosen.filters.address(),
            )

        await live.watch(ask, show)


def _label(words: str) -> str:
    return f'aria-label="{words}"'


def _columns() -> list[dict[str, str]]:
    return [
        column("severity", t("Severity")),
        column("fault", t("Fault"), "wide"),
        column("device", t("Device")),
        column("why", t("Order, or why it waits"), "wide"),
        column("who", t("Looked after by")),
        column("onset", t("Since"), "number"),
    ]


def case_row(case: Case) -> Row:
    """Return the row of a case."""
    place = f"{case.fault} · {case.component}" if case.component else case.fault
    cells: dict[str, Cell | None] = {
        "severity": {"mark": case.severity, "text": severity_words(case.severity)},
        "fault": {
            "text": fault_title(case.title),
            "href": case_path(case.case_id),
            "main": True,
            "sub": place,
        },
        "device": {
            "text": case.device,
            "sub": f"{case.tenant} · {case.model or class_words(case.device_class)}",
        },
        "why": _why(case),
        "who": _who(case),
        "onset": {"ms": case.onset},
    }
    return {
        "key": case.case_id,
        "name": f"{fault_title(case.title)}, {case.device}",
        "tone": case.state.value,
        "cells": cells,
    }


def _why(case: Case) -> Cell:
    state = upper_first(case_state_words(case.state.value))
    if case.order_id is not None:
        why = "" if case.reason is Reason.CONFIRMED else f": {why_words(case)}"
        return {"text": case.order_id, "href": order_path(case.order_id), "sub": f"{state}{why}"}
    return {"text": upper_first(why_words(case)), "tone": "quiet" if case.ended_at else "", "sub": state}


def _who(case: Case) -> Cell:
    seen = t("seen by {name}", name=case.acknowledged_by) if case.acknowledged_by else ""
    if case.assignee:
        return {"text": case.assignee, "sub": seen if case.acknowledged_by != case.assignee else ""}
    return {"text": upper_first(seen), "tone": "quiet"} if seen else {"text": NONE, "tone": "quiet"}


def _draw_summary(answer: Answer, filters: Filters) -> None:
    total = answer.counts.total
    if total == 0:
        return
    state = case_state_words(filters.state) if filters.state else ""
    text("span", f"{number_words(total)} {state}".strip())
    for severity in reversed(SEVERITIES):
        if number := answer.counts.severity.get(severity):
            with link("", replace(filters, severity=severity, after="").address(), "facet"):
                box("span", f"mark {severity}").props["aria-hidden"] = "true"
                text("span", f"{number_words(number)} {severity_words(severity)}")


def _draw_views(filters: Filters) -> None:
    for words, view in VIEWS:
        shown = link(t(words), view.address(), "view")
        if view == filters:
            shown.props["aria-current"] = "page"


def _draw_pager(shown: tuple[str | None, int, int, Filters]) -> None:
    following, total, here, filters = shown
    if following is None and not filters.after:
        return
    if filters.after:
        link(t("Back to the most urgent"), replace(filters, after="").address(), "plain")
    text("span", t("{here} of {all}", here=number_words(here), all=number_words(total)), "quiet")
    if following is not None:
        link(t("The next {number}", number=PAGE_SIZE), replace(filters, after=following).address(), "plain")


def _empty(answer: Answer, filters: Filters) -> str:
    if replace(filters, state="open") != Filters() or filters.state not in ("open", ""):
        return t("No case matches these filters.")
    watched = t("{number} devices are being watched.", number=answer.totals.devices)
    if answer.totals.devices.number == 0:
        watched = t("No device has spoken yet.")
    none = t("No case is open.") if filters.state else t("There has been no case so far.")
    return f"{none} {watched}"


def _filter_bar(chosen: Choice, live: Live, brands: Sequence[str]) -> None:
    filters = chosen.filters

    def setter(name: str) -> Change:
        async def change(value: str) -> None:
            chosen.filters = replace(chosen.filters, **{name: value, "after": ""})
            keep_address(chosen.filters.address())
            await live.look()

        return change

    every = ("", t("all"))
    states = [every, *((state, case_state_words(state)) for state in CASE_STATES)]
    choice(t("State"), states, filters.state, setter("state"))
    severities = [every, *((severity, severity_words(severity)) for severity in reversed(SEVERITIES))]
    choice(t("Severity"), severities, filters.severity, setter("severity"))
    if len(brands) > 1 or filters.brand:
        choice(t("Brand"), [every, *((name, name) for name in brands)], filters.brand, setter("brand"))
    classes = [every, *((name, class_words(name)) for name in CLASSES)]
    choice(t("Class"), classes, filters.device_class, setter("device_class"))
    reasons = [every, *((reason.value, upper_first(t(words))) for reason, words in REASONS.items())]
    choice(t("Why"), reasons, filters.reason, setter("reason"))
    search(t("Find"), filters.find, t("device, fault, brand"), setter("find"))
