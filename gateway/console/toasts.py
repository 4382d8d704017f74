"""Short notes at the edge of the page: what was done, and the button that takes it back."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from gateway.console.language import t
from gateway.console.parts import box, press, text

#: Seconds that a note stays; one that can be taken back stays a little longer than it takes to read it.
STAYS = 7.0


class Toasts:
    """The notes of one page, read out to those who do not see them."""

    def __init__(self) -> None:
        self._box = box("div", "toasts").props("role=status aria-live=polite")

    def say(
        self,
        sentence: str,
        *,
        undo: Callable[[], Awaitable[None]] | None = None,
        bad: bool = False,
        seconds: float = STAYS,
    ) -> None:
        """Show a note for some seconds; with `undo` it has a button that calls it and takes the note away."""
        if self._box.is_deleted:
            return  # the reader has left
        with self._box, box("div", f"toast {'bad' if bad else ''}") as toast:
            text("span", sentence)

            def gone() -> None:
                if not toast.is_deleted:
                    toast.delete()

            if undo is not None:
                taken_back = undo

                async def back() -> None:
                    gone()
                    await taken_back()

                button = press(t("Undo"), "action")
                button.props["data-shortcut"] = "z"
                with button:
                    text("kbd", "z")
                button.on("click", back)
            ui.timer(seconds, gone, once=True)
