"""Sentences with elements in them, in the order of words that their language has."""

from collections.abc import Callable
from string import Formatter

from gateway.console.parts import text


def phrase(template: str, **parts: Callable[[], object] | str) -> None:
    """Draw a sentence whose ``{names}`` are drawn by functions, or are texts.

    Args:
        template: translated already.
        parts: by name, all that the template names.
    """
    for words, name, _, _ in Formatter().parse(template):
        if words:
            text("span", words)
        if name is not None:
            part = parts[name]
            if callable(part):
                part()
            else:
                text("span", part)
