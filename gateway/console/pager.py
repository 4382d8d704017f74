"""Pages of a list that the server cuts: which one, how many there are, the one before and the next."""

from collections.abc import Awaitable, Callable

from gateway.console.language import t
from gateway.console.parts import box, press, text

Turn = Callable[[int], Awaitable[None]]


class Pager:
    """The buttons below a list.

    Args:
        size: rows of a page.
        turn: is given the number of the page that the reader turns to, from 1.
    """

    def __init__(self, size: int, turn: Turn) -> None:
        self._size, self._turn, self._page = size, turn, 1
        with box("nav", "pager") as self._outer:
            self._outer.props["aria-label"] = t("Pages")
            self._before = press(t("Previous"), "action")
            self._note = text("span", "", "quiet")
            self._after = press(t("Next"), "action")
        self._before.on("click", lambda: turn(self._page - 1))
        self._after.on("click", lambda: turn(self._page + 1))

    def show(self, page: int, total: int) -> None:
        """Show where a page stands among `total` rows."""
        self._page = page
        first, last = (page - 1) * self._size + 1, min(total, page * self._size)
        self._outer.set_visibility(total > self._size or page > 1)
        self._note.set_text(
            t("{first} to {last} of {total}", first=f"{first:,}", last=f"{last:,}", total=f"{total:,}")
        )
        for button, possible in ((self._before, page > 1), (self._after, last < total)):
            if possible:
                button.props.pop("disabled", None)
            else:
                button.props["disabled"] = ""


def page_of(text: str) -> int:
    """Return the number of a page in an address, 1 where it says none.

    >>> page_of("3"), page_of("x"), page_of("0")
    (3, 1, 1)
    """
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 8 else 1
