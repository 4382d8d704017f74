"""The few elements that pages are made of. Text is always set as text: what devices send is never HTML."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from gateway.console.language import msg, t


class Cell(TypedDict, total=False):
    """What stands in a cell of a sheet.

    Attributes:
        text: the text; left out when `ms` is given.
        href: makes the text a link; with `main` the whole row follows it.
        ms: an instant, shown as relative time.
        due: the instant is a deadline and shows when it has passed.
        sub: a second, quieter line.
        unit: behind a number.
        tone: colour of the text by meaning.
        mark: shape of a severity in front of the text.
        summary: what opens the `details`.
        details: preformatted text that opens.
    """

    text: str
    href: str | None
    main: bool
    ms: int
    due: bool
    sub: str
    unit: str
    tone: str
    mark: str
    summary: str
    details: str


class Row(TypedDict, total=False):
    """A row of a sheet: `key` stays with it for life; `name` is what a reader calls it."""

    key: str
    name: str
    tone: str
    cells: dict[str, Cell | None]


def column(name: str, title: str, css: str = "") -> dict[str, str]:
    """Return a column of a sheet."""
    return {"name": name, "title": title, "class": css}


class Sheet(Element, component="sheet.js"):
    """A table that is fed with rows; only cells that changed are drawn anew.

    Args:
        columns: of `column`.
        label: what the table is called to those who do not see it.
        empty: stands there when there are no rows.
        hold: rows come and go only when nobody is at work in the sheet; until then it says how many are new.
        on_select: makes rows selectable and is told the keys of those that are.
    """

    def __init__(
        self,
        columns: Sequence[dict[str, str]],
        *,
        label: str,
        empty: str = "",
        hold: bool = False,
        on_select: Callable[[list[str]], None] | None = None,
    ) -> None:
        super().__init__()
        self._rows: Sequence[Row] = []
        self.props["columns"] = list(columns)
        self.props["label"] = label
        self.props["empty"] = empty
        self.props["rows"] = []
        self.props["hold"] = hold
        self.props["selectable"] = on_select is not None
        self.props["words"] = {
            "select": t("Select"),
            "all": t("Select all of this page"),
            "fresh": t("{number} new"),
            "changed": t("Not all of these are here any more: look again"),
        }
        if on_select is not None:
            self.on("select", lambda event: on_select([str(key) for key in event.args]))

    def show(self, rows: Sequence[Row], *, empty: str | None = None, of: str = "") -> None:
        """Show these rows, or the sentence `empty` when there are none.

        Rows of another list, such as after a filter has changed, are taken at once; `of` names the list.
        """
        if empty is not None and empty != self.props["empty"]:
            self.props["empty"] = empty
        if of != self.props.get("list", ""):
            self.props["list"] = of
        if rows != self._rows:
            self._rows = rows
            self.props["rows"] = rows


class Time(Element):
    """An instant: relative with the exact time on hover, or the other way round.

    One that is `due` shows when it has passed.
    """

    def __init__(self, ms: int, *, exact: bool = False, due: bool = False) -> None:
        super().__init__("fw-time")
        self.props["ms"] = ms
        if due:
            self.props["due"] = ""
        if exact:
            self.props["exact"] = ""


def box(tag: str = "div", css: str = "") -> Element:
    """Return an element to put others in."""
    return ui.element(tag).classes(css)


def text(tag: str, content: str, css: str = "") -> TextElement:
    """Return an element with a text."""
    return TextElement(tag=tag, text=content).classes(css)


def link(content: str, path: str, css: str = "") -> TextElement:
    """Return a link to another page."""
    element = text("a", content, css)
    element.props["href"] = path
    return element


def press(content: str, css: str = "", handler: str = "") -> TextElement:
    """Return a button; `handler` is the JavaScript function that it calls."""
    element = text("button", content, css)
    element.props["type"] = "button"
    if handler:
        element.on("click", js_handler=handler)
    return element


def mark(severity: str, *, words: bool = True) -> None:
    """Show a severity by shape, colour and word."""
    box("span", f"mark {severity}").props["aria-hidden"] = "true"
    if words:
        text("span", t({"critical": msg("critical"), "major": msg("major"), "minor": msg("minor")}[severity]))


def section(title: str, css: str = "") -> Element:
    """Return a titled section to put content in."""
    outer = box("section", f"section {css}")
    with outer:
        text("h2", title)
    return outer


@contextmanager
def fact(name: str) -> Iterator[None]:
    """Show a name, and open the place of its value; to be used inside a ``dl``."""
    text("dt", name)
    with box("dd"):
        yield
