"""A rule pack of the user's own: written with checks as you type, tried on the history, put in force."""

import asyncio
from dataclasses import dataclass

from nicegui import ui
from nicegui.elements.codemirror import CodeMirror
from nicegui.events import GenericEventArguments

from gateway.api.backtests import may_change_rules
from gateway.console.backtestpanel import BacktestPanel, action, enable
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.links import pack_path
from gateway.console.live import Region
from gateway.console.pages.missing import nothing_here
from gateway.console.parts import box, link, section, text
from gateway.errors import ForewarnError
from gateway.rulebook import NEW_PACK, PackProblem, Rulebook
from rules.loader import PackError

#: Seconds after the last key until a text is checked.
PAUSE = 0.3


@dataclass
class Draft:
    """What is being written.

    Attributes:
        problems: of `text`; None while it is not checked.
        tried: the text that was tried on the history last, None when none was.
    """

    name: str
    text: str
    new: bool = False
    problems: list[PackProblem] | None = None
    tried: str | None = None
    asked: int = 0

    @property
    def good(self) -> bool:
        """Whether the text was checked and nothing is wrong with it."""
        return self.problems == []


async def pack_page(desk: Desk, book: Rulebook | None, name: str | None, copied: str = "") -> None:
    """Build the page on which a pack is written; without a name it is a new one, or limits of `copied`."""
    async with frame(desk, "rules", t("Rule pack"), style="rules"):
        if book is None or not may_change_rules(desk.caller):
            ui.status_code(404 if book is None else 403)
            nothing_here(
                t("No gateway is at work here, so there are no rules.")
                if book is None
                else t("Rules are changed by engineers of all tenants: they concern all of them.")
            )
            return
        draft = await asyncio.to_thread(_draft, book, name, copied)
        if draft is None:
            ui.status_code(404)
            nothing_here(t("There is no pack of this name among your own."))
            return
        await _Editing(desk, book, draft).build()


def _draft(book: Rulebook, name: str | None, copied: str) -> Draft | None:
    if name is not None:
        try:
            written = book.text_of(name)
        except ForewarnError:
            return None
        return None if written is None else Draft(name, written)
    rule = book.rule(copied) if copied else None
    if rule is not None and (copy := book.copy_of(rule)) is not None:
        own, content = copy
        written = book.text_of(own)
        return Draft(own, content if written is None else written, new=written is None)
    taken = set(book.own_files())
    number = next(n for n in range(1, len(taken) + 2) if f"own{n}.yaml" not in taken)
    return Draft(f"own{number}.yaml", NEW_PACK.format(pack=f"own{number}"), new=True)


class _Editing:
    """The page of one draft."""

    def __init__(self, desk: Desk, book: Rulebook, draft: Draft) -> None:
        self._desk = desk
        self._book = book
        self._draft = draft

    async def build(self) -> None:
        """Build the page."""
        draft = self._draft
        with box("div", "headline"):
            with box("div", "crumbs"):
                link(t("Rules"), "/rules")
                text("span", draft.name, "code")
            with box("div", "title"):
                text("h1", t("New rule pack") if draft.new else t("Rule pack {name}", name=draft.name))
                box("div", "spread")
                self._force = action(t("Put in force"), "button primary", self._ask_for_force)
        with box("div", "pack-name" if draft.new else "hidden"), box("label", "field"):
            text("span", t("File, in the folder {folder}", folder=self._book.folder))
            field = box("input").props("type=text autocomplete=off spellcheck=false")
            field.props["value"] = draft.name
            field.on("input", self._rename, js_handler="(event) => emit(event.target.value)", throttle=0.2)
        self._answer = text("p", "", "answer")
        self._answer.props["role"] = "status"
        with box("div", "warning hidden") as self._warning:
            text("p", t("This text was not tried on the history. Its orders will be real ones."))
            action(t("Put in force without a backtest"), "button", self._put_in_force)
        with box("div", "columns"):
            with box("div", "main-column"), box("div", "editor"):
                self._editor = CodeMirror(
                    draft.text, language="YAML", indent="  ", line_wrapping=True, on_change=self._typed
                ).props('aria-label="YAML"')
            with box("div", "side-column"), section(t("Checks"), "checks"):
                self._problems = Region(box("div", "problems"), self._draw_problems)
        self._panel = BacktestPanel(self._desk, self._book)
        self._panel.build(lambda: (self._draft.name, self._draft.text), self._tried)
        await self._check()

    # Typing

    async def _typed(self) -> None:
        self._draft.text = self._editor.value
        await self._check_soon()

    async def _rename(self, event: GenericEventArguments) -> None:
        self._draft.name = str(event.args).strip()
        await self._check_soon()

    async def _check_soon(self) -> None:
        """Check when nothing more is typed for a moment."""
        draft = self._draft
        draft.problems = None
        draft.asked += 1
        asked = draft.asked
        self._show_state()
        await asyncio.sleep(PAUSE)
        if draft.asked == asked:
            await self._check()

    async def _check(self) -> None:
        draft = self._draft
        asked, content = draft.asked, draft.text
        try:
            problems = await asyncio.to_thread(self._book.check, draft.name, content)
        except ForewarnError as error:
            problems = [PackProblem(None, str(error))]
        if draft.asked != asked or self._editor.is_deleted:
            return
        draft.problems = problems
        lines = {problem.line for problem in problems if problem.line is not None}
        count = content.count("\n") + 1
        self._editor.decorations[:] = [
            {"kind": "line", "line": line, "class": "wrong-line"} for line in sorted(lines) if line <= count
        ]
        self._problems.show(problems)
        self._show_state()

    def _draw_problems(self, problems: list[PackProblem]) -> None:
        if not problems:
            text("p", t("Nothing is wrong with it."), "tone good")
            return
        with box("ul", "problem-list"):
            for problem in problems:
                with box("li", "problem"):
                    if problem.line is not None:
                        self._line_link(problem.line)
                    text("span", problem.sentence)

    def _line_link(self, line: int) -> None:
        action(t("Line {line}", line=line), "line-link", lambda: self._editor.reveal_line(line))

    def _show_state(self) -> None:
        good = self._draft.good
        enable(self._force, good)
        self._panel.enable(good)
        if not good:
            self._warning.classes(add="hidden")

    # Putting in force

    def _tried(self, content: str) -> None:
        self._draft.tried = content
        self._warning.classes(add="hidden")

    async def _ask_for_force(self) -> None:
        if not self._draft.good:
            return
        if self._draft.tried == self._draft.text:
            await self._put_in_force()
        else:
            self._warning.classes(remove="hidden")

    async def _put_in_force(self) -> None:
        draft = self._draft
        self._warning.classes(add="hidden")
        try:
            change = await self._book.put_in_force(draft.name, draft.text, by=self._desk.caller.name)
        except (PackError, ForewarnError) as error:
            self._say(str(error), good=False)
            return
        parts = [
            t("{count} added", count=len(change.added)),
            t("{count} changed", count=len(change.changed)),
            t("{count} removed", count=len(change.removed)),
        ]
        self._say(t("In force: {parts}.", parts=", ".join(parts)), good=True)
        if draft.new:
            draft.new = False
            ui.navigate.history.replace(pack_path(draft.name))

    def _say(self, sentence: str, *, good: bool) -> None:
        self._answer.set_text(sentence)
        self._answer.classes(replace=f"answer {'good' if good else 'bad'}")
