"""Questions that a page asks before it acts: native dialogs, whose fields are read when they are sent."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from nicegui import ui
from nicegui.events import GenericEventArguments

from gateway.console.language import t
from gateway.console.parts import box, press, text

Values = dict[str, str]

#: Reads the fields and closes the dialog; the browser checks before that what is required.
_SEND = """(event) => {
  event.preventDefault();
  emit(Object.fromEntries(new FormData(event.target)));
  event.target.reset();
  event.target.closest("dialog").close();
}"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a dialog.

    Attributes:
        options: (value, words) of a choice; none for a text.
        hint: what may be written, shown while nothing is.
        required: it is not sent without.
    """

    name: str
    label: str
    options: Sequence[tuple[str, str]] = ()
    hint: str = ""
    required: bool = False


class Dialog:
    """A question with fields and a button that says what it does.

    Args:
        title: what is asked.
        does: the word on the button.
        fields: to be filled in.
        send: is given their values.
    """

    def __init__(
        self, title: str, does: str, fields: Sequence[Field], send: Callable[[Values], Awaitable[None]]
    ) -> None:
        with box("dialog", "dialog") as dialog:
            dialog.props["aria-label"] = title
            with box("form", "form") as form:
                self._title = text("h2", title)
                self._says = text("p", "", "says")
                for field in fields:
                    _field(field)
                with box("div", "dialog-end"):
                    press(t("Cancel"), "plain", "(event) => event.currentTarget.closest('dialog').close()")
                    press(does, "primary").props["type"] = "submit"
        self._dialog = dialog

        async def sent(event: GenericEventArguments) -> None:
            await send({str(name): str(value) for name, value in event.args.items()})

        form.on("submit", sent, js_handler=_SEND)

    def ask(self, says: str, *, title: str | None = None) -> None:
        """Open it with a sentence that says what will happen."""
        if title is not None:
            self._title.set_text(title)
        self._says.set_text(says)
        ui.run_javascript(f"getElement({self._dialog.id}).showModal()")


def _field(field: Field) -> None:
    with box("label", "field"):
        text("span", field.label)
        if field.options:
            element = box("select")
            with element:
                for value, words in field.options:
                    text("option", words).props["value"] = value
        else:
            element = box("textarea").props("rows=3 maxlength=4000")
            element.props["placeholder"] = field.hint
        element.props["name"] = field.name
        if field.required:
            element.props["required"] = ""
