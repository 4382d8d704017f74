"""The list of keys that the console listens to, opened by ``?``; what they do stands in console.js."""

from collections.abc import Sequence

from gateway.console.language import msg, t
from gateway.console.navigation import Entry
from gateway.console.parts import box, press, text

#: Keys and what they do, in the order of the list; those of actions do something where a page has them.
KEYS: tuple[tuple[str, str], ...] = (
    ("j k", msg("next and previous row")),
    ("enter", msg("open the row")),
    ("x", msg("select the row; with shift, all up to it")),
    ("a", msg("acknowledge")),
    ("d", msg("dismiss")),
    ("m", msg("assign to me")),
    ("s", msg("silence")),
    ("c", msg("comment")),
    ("z", msg("undo")),
    ("n", msg("show what is new")),
    ("/", msg("find")),
    ("?", msg("this list")),
    ("esc", msg("close, leave the field, select nothing")),
)


def keys_dialog(*sections: Sequence[Entry]) -> None:
    """Put the list of keys on the page, closed."""
    with box("dialog", "dialog keys").props("id=keys") as dialog:
        dialog.props["aria-label"] = t("Keyboard shortcuts")
        text("h2", t("Keyboard shortcuts"))
        with box("dl", "key-list"):
            for keys, words in KEYS:
                _key(keys, t(words))
            for entries in sections:
                for entry in entries:
                    if entry.key:
                        _key(f"g {entry.key}", t("go to: {section}", section=t(entry.title)))
        with box("label", "check"):
            box("input").props("type=checkbox id=keys-off")
            text("span", t("Switch single keys off in this browser"))
        with box("form", "dialog-end").props("method=dialog"):
            press(t("Close"), "primary").props["type"] = "submit"


def _key(keys: str, words: str) -> None:
    with box("dt"):
        for key in keys.split():
            text("kbd", key)
    text("dd", words)
