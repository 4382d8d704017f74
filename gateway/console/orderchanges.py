"""What happened to an order since it was opened: who changed what, when and why."""

from diagnostics.orders.changes import OrderChange
from diagnostics.orders.filling import JsonValue
from diagnostics.orders.lifecycle import Actor
from gateway.console.gaps import field_words
from gateway.console.language import msg, t
from gateway.console.parts import Time, box, text
from gateway.console.words import NONE, state_words, words_of

ACTORS = {
    Actor.GATEWAY: msg("the gateway"),
    Actor.ENGINEER: msg("support desk"),
    Actor.REPAIRER: msg("repairer"),
}
#: Characters of a value that are shown.
SHORT = 120


def draw_changes(changes: list[OrderChange]) -> None:
    """Draw the changes, the latest first."""
    if not changes:
        text("p", t("Nothing has happened to it since it was opened."), "quiet")
        return
    with box("ol", "changes"):
        for change in reversed(changes):
            _draw(change)


def _draw(change: OrderChange) -> None:
    with box("li", change.by.value):
        with box("p", "change-head"):
            text("b", change.who)
            text("span", t(ACTORS[change.by]), "quiet")
            if change.outcome is not None:
                text("span", t(words_of(change.outcome.value)), "chip")
            elif change.after != change.before:
                text("span", t(state_words(change.after.value)), "chip")
            Time(change.at)
        text("p", change.why, "prose")
        if change.parts_used:
            with box("p", "used-parts"):
                text("span", t("Built in:"), "quiet")
                for used in change.parts_used:
                    text("span", f"{used.quantity} x {used.part}", "code")
        if change.filled:
            with box("dl", "facts"):
                for item in change.filled:
                    text("dt", field_words(item.field))
                    with box("dd"):
                        if item.before not in (None, [], ""):
                            text("del", value_words_of(item.before), "quiet")
                        text("ins", value_words_of(item.value))


def value_words_of(value: JsonValue) -> str:
    """Return what a field holds as words: of lists and sections what is said in them.

    >>> value_words_of({"id": "r-1", "name": "Moreau"})
    'r-1, Moreau'
    """
    if value is None:
        return NONE
    if isinstance(value, dict):
        words = ", ".join(value_words_of(one) for one in value.values() if one is not None)
    elif isinstance(value, list):
        words = "; ".join(map(value_words_of, value)) or NONE
    else:
        words = str(value)
    return words if len(words) <= SHORT else f"{words[: SHORT - 1]}…"
