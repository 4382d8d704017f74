"""Filters of a list: links that look like tabs, and fields whose change is kept in the address."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from gateway.console.parts import box, text

Change = Callable[[str], Awaitable[None]]


def choice(label: str, options: Sequence[tuple[str, str]], chosen: str, change: Change) -> None:
    """Show a native select; `options` are (value, words)."""
    with box("div", "field"):
        named = text("label", label)
        with box("select") as select:
            for value, words in options:
                option = text("option", words)
                option.props["value"] = value
                if value == chosen:
                    option.props["selected"] = ""
        named.props["for"] = select.html_id
        select.on("change", _value(change), js_handler="(event) => emit(event.target.value)")


def search(label: str, value: str, placeholder: str, change: Change) -> None:
    """Show a search field that tells of every pause in typing."""
    with box("div", "field"):
        named = text("label", label)
        field = box("input").props("type=search autocomplete=off spellcheck=false")
        named.props["for"] = field.html_id
        field.props["placeholder"] = placeholder
        field.props["value"] = value
        field.on(
            "input", _value(change), js_handler="(event) => emit(event.target.value)", throttle=0.25,
            leading_events=False,
        )  # fmt: skip


def keep_address(path: str) -> None:
    """Put the filters into the browser's address, so that it can be kept and shared."""
    ui.navigate.history.replace(path)


def _value(change: Change) -> Callable[[GenericEventArguments], Awaitable[None]]:
    async def changed(event: GenericEventArguments) -> None:
        await change(str(event.args))

    return changed
