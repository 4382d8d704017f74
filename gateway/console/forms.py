"""Native forms whose fields come to the gateway when they are sent."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from gateway.console.parts import box, text

#: What a form brings: the value of every field by its name, several of a name as a list.
Fields = dict[str, list[str]]
Taken = Callable[[Fields], Awaitable[None]]

_SEND = """(event) => {
  event.preventDefault();
  const fields = {};
  for (const [name, value] of new FormData(event.target)) (fields[name] ??= []).push(value);
  emit(fields);
}"""


@contextmanager
def form(taken: Taken, css: str = "form") -> Iterator[Element]:
    """Open a form to put fields in; `taken` hears of what is sent."""

    async def send(event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, dict) else {}
        await taken({str(name): [str(v) for v in values] for name, values in sent.items()})

    element = box("form", css)
    element.on("submit", send, js_handler=_SEND)
    with element:
        yield element


def field(label: str, name: str, value: str = "", **attributes: str) -> None:
    """Show a labelled field of a form; `attributes` are of HTML, ``_`` for ``-``."""
    with box("label", "field"):
        text("span", label)
        entry = box("input")
        for key, content in {"name": name, "value": value, **attributes}.items():
            entry.props[key.replace("_", "-")] = content


def pick(label: str, name: str, options: Sequence[tuple[str, str]], chosen: str = "") -> None:
    """Show a native select of a form; `options` are (value, words)."""
    with box("label", "field"):
        text("span", label)
        with box("select") as select:
            select.props["name"] = name
            for value, words in options:
                option = text("option", words)
                option.props["value"] = value
                if value == chosen:
                    option.props["selected"] = ""


def send(words: str, css: str = "button primary") -> None:
    """Show the button that sends the form."""
    text("button", words, css).props("type=submit")


def button(words: str, pressed: Callable[[], Awaitable[None]], css: str = "button") -> None:
    """Show a button beside forms."""

    async def press() -> None:
        await pressed()

    text("button", words, css).props("type=button").on("click", press)


def complaint() -> Callable[[str], None]:
    """Show a place for what is wrong with what was sent, and return what fills it; ``""`` empties it."""
    place = text("p", "", "wrong")
    place.props["role"] = "alert"
    place.set_visibility(False)

    def say(sentence: str) -> None:
        place.set_text(sentence)
        place.set_visibility(bool(sentence))

    return say


def show_secret(place: Element, words: str, secret: str) -> None:
    """Show a secret this once."""
    place.clear()
    with place, box("div", "secret"):
        text("p", words)
        text("code", secret)


def one_of(fields: Fields, name: str) -> str:
    """Return what a field holds; empty when it is not there."""
    return next(iter(fields.get(name, ())), "")


def moment(ms: int) -> str:
    """Return wall time to the second, in UTC; the frame's clock may run faster."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
