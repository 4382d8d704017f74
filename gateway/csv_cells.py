"""Cells of the CSV that forewarn writes: text that a spreadsheet would work out is kept from it."""

#: What a spreadsheet takes for the beginning of a formula, or skips in front of one (OWASP, CSV Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> object:
    """Return a value as a cell has it: text that would be a formula begins with an apostrophe.

    Numbers stay numbers, also negative ones.

    >>> cell("=cmd()"), cell(-4.5)
    ("'=cmd()", -4.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
