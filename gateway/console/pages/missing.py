"""What a reader sees where there is nothing."""

from nicegui import ui

from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.parts import box, link, text


def nothing_here(sentence: str) -> None:
    """Say that there is no such thing, and lead back."""
    with box("div", "nothing"):
        text("h1", t("Nothing here"))
        text("p", sentence)
        link(t("Back to the queue"), "/cases")


async def missing_page(desk: Desk) -> None:
    """Build the page for addresses that do not exist."""
    ui.status_code(404)
    async with frame(desk, "", t("Nothing here")):
        nothing_here(t("There is no page at this address."))
