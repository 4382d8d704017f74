"""Cells of the CSV that forewarn writes: text that a spreadsheet would work out is kept from it."""

import re

#: What a spreadsheet takes for the beginning of a formula, or skips in front of one (OWASP, CSV Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

#: A cell somewhere in a table that `cell` has kept from being worked out.
_GUARDED = re.compile(r"(?:^|[,\n\"])\s*'+[=+\-@\t\r\n]")


def cell(value: object) -> object:
    """Return a value as a cell has it: text that would be a formula begins with an apostrophe.

    Numbers stay numbers, also negative ones. `plain` is the way back.

    >>> cell("=cmd()"), cell(-4.5)
    ("'=cmd()", -4.5)
    """
    return f"'{value}" if isinstance(value, str) and value.lstrip("'").startswith(FORMULA) else value


def plain(text: str) -> str:
    """Return what a cell says, of one that `cell` returned or of one that a person wrote.

    >>> plain("'+49 30 123"), plain("+49 30 123"), plain("'tis")
    ('+49 30 123', '+49 30 123', "'tis")
    """
    return text[1:] if text[:1] == "'" and text.lstrip("'").startswith(FORMULA) else text


def has_guarded(table: str) -> bool:
    """Say whether a table of CSV may hold a cell that begins with such an apostrophe."""
    return _GUARDED.search(table) is not None
