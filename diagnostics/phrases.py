"""Words for what a quantity did over a window, where there is better than "is above"."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
#: What a count of 0 and one of more say, by function.
HAPPENED = {"count": ("was not reported", "was reported"), "changes": ("did not change", "changed")}
#: The same of the growth of a boolean.
BECAME = ("did not become true", "became true")
#: What a smallest and a largest truth of 0 and of 1 say, by function.
SEEN = {
    "min": ("was false at least once", "was always true"),
    "max": ("was never true", "was true at least once"),
}
#: How a quantity that rises or falls is told: (what it did, amount 0; with more), by operator.
_GREW = {
    ">": ("grew", "grew by more than"),
    ">=": ("", "grew by at least"),
    "<": ("", "grew by less than"),
    "<=": ("did not grow", "grew by at most"),
    "==": ("did not grow", "grew by exactly"),
    "!=": ("grew", "did not grow by exactly"),
}
_ROSE = {
    ">": ("rose", "rose by more than"),
    ">=": ("did not fall", "rose by at least"),
    "<": ("fell", "did not rise by as much as"),
    "<=": ("did not rise", "did not rise by more than"),
}
_FELL = {
    ">": ("rose", "did not fall by as much as"),
    ">=": ("did not fall", "did not fall by more than"),
    "<": ("fell", "fell by more than"),
    "<=": ("did not rise", "fell by at least"),
}
#: How a limit of how often is told; its number may be another for another device.
_OFTEN = {
    ">": "more than {} times",
    ">=": "{} times or more",
    "<": "fewer than {} times",
    "<=": "{} times at most",
}


@dataclass(frozen=True, slots=True)
class Against:
    """What something is compared with.

    Attributes:
        value: the number; of a limit, what the rule sets it to.
        limit: what is added for a limit, with a space before it; ``""`` for a number as it stands.
    """

    value: float
    limit: str = ""


def truth(sign: str, against: Against, words: tuple[str, str]) -> str | None:
    """Return which word says what a comparison asks of a value that is 0 or 1.

    Returns:
        None when neither does, or when it is a limit that decides.
    """
    false, true = (_HOLDS[sign](value, against.value) for value in (0.0, 1.0))
    return None if false == true or against.limit else words[true]


def times(sign: str, against: Against, words: tuple[str, str]) -> str | None:
    """Return how often something happened, in words for never and for ever; None without a word for it."""
    never, ever = words
    number = against.value
    if against.limit:
        return f"{ever} {_OFTEN[sign].format(f'{number:g}')}{against.limit}" if sign in _OFTEN else None
    if sign in (">", ">="):
        least = math.floor(number) + 1 if sign == ">" else math.ceil(number)
        return None if least < 1 else ever if least == 1 else f"{ever} {least} times or more"
    if sign in ("<", "<="):
        most = math.ceil(number) - 1 if sign == "<" else math.floor(number)
        often = "once" if most == 1 else f"{most} times"
        return None if most < 0 else never if most == 0 else f"{ever} {often} at most"
    if number == 0:
        return never if sign == "==" else ever
    return None


def moved(function: Literal["increase", "delta"], sign: str, against: Against, size: str) -> str | None:
    """Return by how much something grew, or rose or fell; None without a word for it.

    Args:
        function: what looks at the window.
        sign: the comparison's operator.
        against: what it is compared with.
        size: its amount without a sign, with its unit.
    """
    if function == "increase" and against.value < 0:
        return None
    words: Mapping[str, tuple[str, str]] = (
        _GREW if function == "increase" else _ROSE if against.value >= 0 else _FELL
    )
    still, by = words.get(sign, ("", ""))
    if against.value == 0 and not against.limit:
        return still or None
    return f"{by} {size}{against.limit}" if by else None
