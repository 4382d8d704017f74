"""The language of the console: texts stand in English in the code, others in gettext catalogues.

``t("No case is open.")`` gives the text in the reader's language; one without a translation stays English.
Values are put in by name: ``t("{number} devices", number=3)``. Texts from devices and people are never passed
through here.
"""

import weakref
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from importlib import resources
from typing import Literal

from nicegui import Client, context
from nicegui.slot import Slot

from diagnostics.orders.translations import ENGLISH, language_of, parse_po

#: What a reader may choose, by BCP 47 tag, each in its own words.
LANGUAGES = {"en": "English", "de": "Deutsch", "zh": "中文"}

#: The same as the framework of the pages calls them; it sets the ``lang`` of a page.
TAGS: dict[str, Literal["en-GB", "de", "zh-CN"]] = {"en": "en-GB", "de": "de", "zh": "zh-CN"}

#: Of work that belongs to no page: threads that ask for one take its context along.
_current: ContextVar[str] = ContextVar("console_language", default=ENGLISH)
_of_client: "weakref.WeakKeyDictionary[Client, str]" = weakref.WeakKeyDictionary()


def speak(language: str) -> None:
    """Let the page that is being built speak one of `LANGUAGES`, from now to its end."""
    _current.set(language)
    _of_client[context.client] = language


def language() -> str:
    """Return the language of the page at work.

    What was asked once in a task holds for the rest of it: what was pressed may be drawn anew meanwhile, and
    then no page is known any more.
    """
    for slot in reversed(Slot.get_stack()):
        parent = slot._parent()
        if parent is not None:
            _current.set(_of_client.get(parent.client, _current.get()))
            break
    return _current.get()


def preferred(accepted: str | None) -> str:
    """Return the best of `LANGUAGES` for an ``Accept-Language`` header (RFC 9110, 12.5.4).

    >>> preferred("fr;q=0.9, de-AT;q=0.8, en;q=0.5")
    'de'
    """
    wanted: list[tuple[float, str]] = []
    for entry in (accepted or "").split(","):
        tag, _, weight = entry.strip().partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if quality > 0 and (found := language_of(tag)) is not None:
            wanted.append((quality, found))
    return max(wanted, key=lambda entry: entry[0], default=(0.0, ENGLISH))[1]


@cache
def catalogue_of(language: str) -> Mapping[str, str]:
    """Return the console's translations into one of `LANGUAGES`; none for English."""
    if language == ENGLISH:
        return {}
    path = resources.files("gateway").joinpath("console", "locale", f"{language}.po")
    return parse_po(path.read_text(encoding="utf-8"))


def msg(text: str) -> str:
    """Return a text as it is, marked to be translated by `t` when it is shown: for tables of words."""
    return text


def t(text: str, /, **values: object) -> str:
    """Return a text in the language of the page at work, with values put in."""
    translated = catalogue_of(language()).get(text, text)
    return translated.format(**values) if values else translated
