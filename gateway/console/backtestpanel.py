"""A backtest on a page: begun, followed with a bar, shown side by side."""

import asyncio
from collections.abc import Callable

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from gateway.backtest.jobs import Job
from gateway.backtest.plan import USUAL_SPAN, Backtest
from gateway.backtest.result import BacktestResult, Difference
from gateway.backtest.words import lines_of, notes_of
from gateway.console.frame import Desk
from gateway.console.language import t
from gateway.console.links import device_path
from gateway.console.live import Region
from gateway.console.parts import Cell, Row, Sheet, box, column, section, text
from gateway.errors import ForewarnError
from gateway.rulebook import Rulebook
from rules.loader import PackError
from rules.symbols import DeviceId
from rules.times import parse_duration, parse_instant

#: Seconds between two looks at how far it is.
LOOK_EVERY = 0.5
#: Orders that are listed; the API has all of them.
MOST_SHOWN = 200

Current = Callable[[], tuple[str, str]]


class BacktestPanel:
    """Tries a pack on the last 30 days."""

    def __init__(self, desk: Desk, book: Rulebook) -> None:
        self._desk = desk
        self._book = book
        self._job: str | None = None
        self._text = ""
        self._began = 0.0
        self._good = False

    def build(self, current: Current, tried: Callable[[str], None]) -> None:
        """Build the panel.

        Args:
            current: gives name and text of the pack as it now stands.
            tried: is told the text that was tried, once the result is there.
        """
        self._current, self._tried = current, tried
        with section(t("Backtest"), "backtest"):
            with box("div", "backtest-bar"):
                self._begin_button = action(t("Try it on the last 30 days"), "button", self._begin)
                self._cancel_button = action(t("Cancel"), "button hidden", self._cancel)
                self._bar = box("progress", "hidden").props("max=1 value=0")
                self._bar.props["aria-label"] = t("Backtest")
                self._told = text("span", "", "quiet")
                self._told.props["role"] = "status"
            self._result = Region(box("div", "backtest-result"), _draw)
        self._timer = ui.timer(LOOK_EVERY, self._look, active=False)

    def enable(self, good: bool) -> None:
        """Let it be begun, or not: the text is wrong."""
        self._good = good
        self._show_buttons()

    def _show_buttons(self) -> None:
        enable(self._begin_button, self._good and self._job is None)
        running = self._job is not None
        for element in (self._cancel_button, self._bar):
            element.classes(**({"remove": "hidden"} if running else {"add": "hidden"}))

    async def _begin(self) -> None:
        if self._job is not None or not self._good:
            return
        name, self._text = self._current()
        try:
            job = await asyncio.to_thread(self._start, name, self._text)
        except (PackError, ForewarnError) as error:
            self._told.set_text(str(error))
            return
        self._job, self._began = job.id, asyncio.get_running_loop().time()
        self._told.set_text(t("Looking up the messages..."))
        self._show_buttons()
        self._timer.activate()

    def _start(self, name: str, content: str) -> Job:
        backtests = self._book.backtests
        now = backtests.now()
        asked = Backtest(
            today=backtests.packs(),
            candidate=self._book.files_with(name, content),
            since=max(now - parse_duration(USUAL_SPAN), 0),
            to=now,
        )
        return backtests.begin(asked, by=self._desk.caller.name)

    def _cancel(self) -> None:
        if self._job is not None:
            self._book.backtests.cancel(self._job)

    def _look(self) -> None:
        job = None if self._job is None else self._book.backtests.job(self._job)
        if job is not None and job.state == "running":
            self._show_progress(job)
            return
        self._timer.deactivate()
        self._job = None
        self._show_buttons()
        if job is None:
            return
        if job.result is not None:
            self._told.set_text("")
            self._result.show(job.result)
            self._tried(self._text)
        else:
            self._told.set_text(job.error or t("Cancelled."))

    def _show_progress(self, job: Job) -> None:
        done, total = job.progress.done, job.progress.total
        if not done:
            return
        spent = asyncio.get_running_loop().time() - self._began
        self._bar.props["value"] = round(done / total, 3)
        self._told.set_text(
            t(
                "{share} of {total} messages, about {left} s left",
                share=f"{done / total:.0%}",
                total=f"{total:,}",
                left=round(spent / done * (total - done)),
            )
        )


def _draw(result: BacktestResult) -> None:
    """Draw both sides, what differs and what must be known of the figures."""
    sides = Sheet(
        [
            column("what", t("Within 30 days"), "wide"),
            column("today", t("Today"), "number"),
            column("candidate", t("With this text"), "number"),
        ],
        label=t("Side by side"),
    )
    rows: list[Row] = []
    for number, (name, today, candidate) in enumerate(lines_of(result.today, result.candidate)):
        differs = "alert" if today != candidate else ""
        words = t(name.strip())
        what: Cell = {"text": "", "sub": words} if name.startswith(" ") else {"text": words}
        cells: dict[str, Cell | None] = {
            "what": what,
            "today": {"text": today},
            "candidate": {"text": candidate, "tone": differs},
        }
        rows.append({"key": str(number), "cells": cells})
    sides.show(rows)
    text("h2", t("Orders that differ"))
    listed = Sheet(
        [
            column("which", t("Which")),
            column("device", t("Device"), "wide"),
            column("today", t("Today")),
            column("candidate", t("With this text")),
            column("why", t("Why"), "wide"),
        ],
        label=t("Orders that differ"),
    )
    listed.show(
        [_difference(number, one) for number, one in enumerate(result.differences[:MOST_SHOWN])],
        empty=t("None: both open the same orders at the same times."),
    )
    if len(result.differences) > MOST_SHOWN:
        text("p", t("{count} more.", count=len(result.differences) - MOST_SHOWN), "quiet")
    with box("ul", "notes"):
        for note in notes_of(result):
            text("li", t(note.text, **note.values), "quiet")


def _difference(number: int, one: Difference) -> Row:
    kinds = {
        "only_today": t("only today"),
        "only_candidate": t("only with this text"),
        "moved": t("at another time"),
    }
    device = DeviceId(*one.device.split("/", 2))
    cells: dict[str, Cell | None] = {
        "which": {"text": kinds[one.kind], "tone": "quiet" if one.kind == "moved" else "alert"},
        "device": {
            "text": f"{device.device} {one.component}".strip(),
            "href": device_path(device),
            "sub": one.fault,
        },
        "today": {"ms": parse_instant(one.today)} if one.today else {"text": "-", "tone": "quiet"},
        "candidate": {"ms": parse_instant(one.candidate)}
        if one.candidate
        else {"text": "-", "tone": "quiet"},
        "why": {"text": one.rule, "summary": t("what was seen"), "details": one.why},
    }
    return {"key": str(number), "cells": cells}


def action(words: str, css: str, act: Callable[[], object]) -> TextElement:
    """Return a button that does something on the server."""
    button = text("button", words, css)
    button.props["type"] = "button"
    button.on("click", act)
    return button


def enable(button: TextElement, enabled: bool) -> None:
    """Let a button be pressed, or not."""
    if enabled:
        button.props.pop("disabled", None)
    else:
        button.props["disabled"] = ""
    button.update()
