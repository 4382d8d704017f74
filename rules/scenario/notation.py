"""The notation of a series: ``0.2x10 3.1x24 _x4 1+2x5 null``, one value a step.

After promtool's, with one difference: ``x10`` stands for ten values, of a ramp, too. (There it stands for ten
further ones.)

    value       a number, true, false, a text as it stands or between double quotes
    _           missing: no reading at this step
    null        a reading that the device could not take
    VALUExN     the value, N times
    A+BxN       N numbers: A, A+B, A+2B and so on
    A-BxN       the same downwards
"""

import math
import re
from decimal import Decimal
from enum import Enum

from rules.batch import Value
from rules.signals import SignalKind

#: Values of one series; a mistyped count would fill the memory.
MOST_STEPS = 200_000


class Missing(Enum):
    """No reading at a step."""

    MISSING = "_"


MISSING = Missing.MISSING
Step = Value | Missing

_ITEM = re.compile(r'"[^"]*"\S*|\S+')
_COUNTED = re.compile(r"(.+?)(?:x(\d+))?", re.DOTALL)
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RAMP = re.compile(rf"([-+]?{_NUMBER})([-+]{_NUMBER})?")

_EXPECTED = {
    "number": "a number such as 0.2, 0.2x10, 1+2x5, 9-1x3, _ or null",
    "boolean": "true, false, truex10, _ or null",
    "text": 'a text such as optimal, optimalx10, "two words"x10, _ or null',
}


class NotationError(ValueError):
    """An item of a series is none; the message says what was expected and what stood there."""


def expand(text: str, kind: SignalKind) -> list[Step]:
    """Return the values of a series of a signal of that kind, one a step.

    >>> expand("0x2 1+0.5x3 _ null", "number")
    [0.0, 0.0, 1.0, 1.5, 2.0, <Missing.MISSING: '_'>, None]

    Raises:
        NotationError: an item is not what it should be, or there are more than `MOST_STEPS` values.
    """
    steps: list[Step] = []
    for item in _ITEM.findall(text):
        found = _COUNTED.fullmatch(item)
        assert found is not None
        count = int(found[2]) if found[2] else 1
        if len(steps) + count > MOST_STEPS:
            raise NotationError(f"expected at most {MOST_STEPS} values, got more with {item!r}")
        values = _values(found[1], kind, count) if count else None
        if values is None or (count == 1 and _is_ramp_of_one(found, kind)):
            raise NotationError(f"expected {_EXPECTED[kind]}, got {item!r}")
        steps += values
    if not steps:
        raise NotationError(f"expected {_EXPECTED[kind]}, got nothing")
    return steps


def _values(word: str, kind: SignalKind, count: int) -> list[Step] | None:
    if word == "_":
        return [MISSING] * count
    if word == "null":
        return [None] * count
    if kind == "boolean":
        return [word == "true"] * count if word in ("true", "false") else None
    if kind == "text":
        text = word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' else word
        return None if '"' in text else [text] * count
    return _numbers(word, count)


def _numbers(word: str, count: int) -> list[Step] | None:
    """Return the numbers of a ramp; exact as written: 0.1+0.1x3 ends in 0.3."""
    found = _RAMP.fullmatch(word)
    if found is None:
        return None
    start, step = Decimal(found[1]), Decimal(found[2] or 0)
    if not math.isfinite(start) or not math.isfinite(start + step * (count - 1)):
        return None
    if not step:
        return [float(start)] * count
    return [float(start + step * number) for number in range(count)]


def _is_ramp_of_one(found: re.Match[str], kind: SignalKind) -> bool:
    """Say whether a ramp has no count: ``1+2`` is a slip, not a number."""
    ramp = _RAMP.fullmatch(found[1]) if kind == "number" else None
    return ramp is not None and ramp[2] is not None and found[2] is None


def shown(step: Step) -> str:
    """Return a value as the notation spells it."""
    match step:
        case Missing():
            return "_"
        case None:
            return "null"
        case bool():
            return "true" if step else "false"
        case float():
            return repr(step).removesuffix(".0")
    return str(step)
