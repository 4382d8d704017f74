"""Units of what an expression computes: what may be added and compared, and what comes of it.

A unit is a text of the signal catalogue, ``""`` for counts and ratios. Constants, facts and limits take the
unit of whatever they stand beside; what is multiplied or divided by another quantity is not followed.
"""

from enum import Enum
from typing import Literal


class Loose(Enum):
    """Quantities without a unit of their own.

    Attributes:
        PLAIN: numbers as they stand in the rule; they scale a quantity and leave its unit alone.
        OPEN: facts, limits, products and quotients: they fit any unit.
    """

    PLAIN = "plain"
    OPEN = "open"


Unit = str | Loose

#: What the result of a function over a window has for a unit, see `rules.functions.definition`.
FunctionUnit = Literal["same", "none", "per second", "per hour"]


def alike(left: Unit, right: Unit) -> Unit | None:
    """Return the unit that two sides have in common, None when they do not fit.

    >>> alike("°C", Loose.PLAIN)
    '°C'
    >>> alike("°C", "%") is None
    True
    """
    if isinstance(left, Loose):
        return right if left is Loose.PLAIN or isinstance(right, str) else left
    return left if isinstance(right, Loose) or left == right else None


def scaled(operator: str, left: Unit, right: Unit) -> Unit:
    """Return the unit of a product or quotient: kept beside a plain number, otherwise open.

    >>> scaled("*", Loose.PLAIN, "V")
    'V'
    >>> scaled("/", "V", "A")
    <Loose.OPEN: 'open'>
    """
    if right is Loose.PLAIN:
        return left
    return right if left is Loose.PLAIN and operator == "*" else Loose.OPEN


def of_function(unit: str, function: FunctionUnit) -> str:
    """Return the unit of a function over readings of a unit.

    >>> of_function("%", "per hour"), of_function("", "per second"), of_function("%", "none")
    ('%/h', '1/s', '')
    """
    match function:
        case "same":
            return unit
        case "none":
            return ""
        case "per second":
            return f"{unit or '1'}/s"
        case "per hour":
            return f"{unit or '1'}/h"


def spell(unit: Unit) -> str:
    """Return a unit for people."""
    return unit if isinstance(unit, str) and unit else "no unit"
