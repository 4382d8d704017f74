"""Conditions of rules in plain English: the typed tree as a sentence, one method for each kind of node."""

import math
import operator
from collections.abc import Callable, Mapping
from functools import singledispatchmethod

from diagnostics.wording import shown
from rules.expression.tree import (
    Absent,
    Arithmetic,
    Choice,
    Comparison,
    Conjunction,
    Constant,
    Disjunction,
    FactValue,
    Inversion,
    LimitValue,
    Node,
    PeerDistance,
    SignalValue,
    TimesTrue,
    WindowValue,
    walk,
)
from rules.functions import WINDOW_FUNCTIONS
from rules.signals import Catalogue
from rules.times import format_duration
from rules.units import Loose, Unit, alike, of_function, scaled

_IS = {
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
    "==": "is",
    "!=": "is not",
}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_SIGNS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
#: What a count of 0 and one of more say; what a smallest and a largest truth of 0 and of 1 say.
_HAPPENED = {"count": ("was not reported", "was reported"), "changes": ("did not change", "changed")}
_SEEN = {
    "min": ("was false at least once", "was always true"),
    "max": ("was never true", "was true at least once"),
}
#: What a function over a window is called as a quantity.
_QUANTITIES = {
    "avg": "the mean of",
    "sum": "the sum of",
    "median": "the median of",
    "stddev": "the standard deviation of",
    "delta": "the change of",
    "increase": "the growth of",
    "rate": "the growth a second of",
    "slope": "the trend of",
    "min": "the smallest",
    "max": "the largest",
    "changes": "the number of changes of",
    "count": "the number of readings of",
}
#: How a quantity that rises or falls is told: (what it did, amount 0; with more), by function and operator.
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
_RATES = {"1/s": "a second", "1/min": "a minute", "1/h": "an hour"}
_AWAY = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}


def span(milliseconds: int) -> str:
    """Return a span as people say it after "the last": ``10 minutes``, ``hour``, ``24 hours``, ``1h30m``."""
    for word, size in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000)):
        number, rest = divmod(milliseconds, size)
        if number and not rest:
            return word if number == 1 else f"{number} {word}s"
    return format_duration(milliseconds)


def length(milliseconds: int) -> str:
    """Return a span as people say it after "for": ``10 minutes``, ``1 hour``."""
    text = span(milliseconds)
    return text if text[0].isdigit() else f"1 {text}"


def amount(value: float, unit: Unit) -> str:
    """Return a number with its unit, if it has one."""
    if isinstance(unit, str) and unit in _RATES:
        return f"{shown(value)} {_RATES[unit]}"
    return f"{shown(value)} {unit}" if isinstance(unit, str) and unit else shown(value)


def name(signal: str, component: str) -> str:
    """Return a signal as the pages spell it."""
    return f"`{signal}@{component}`" if component else f"`{signal}`"


class PlainConditions:
    """Tells conditions that are written against a catalogue.

    Args:
        catalogue: of the signals.
        limits: the rule's thresholds, by name.
    """

    def __init__(self, catalogue: Catalogue, limits: Mapping[str, float]) -> None:
        self._catalogue = catalogue
        self._limits = limits

    def condition(self, node: Node, *, negated: bool = False) -> str:
        """Return a clause that says when the condition is true; `negated`: when it is false."""
        return self._condition(node, negated)

    def quantity(self, node: Node, unit: Unit = Loose.OPEN) -> str:
        """Return what a number or text is called.

        Args:
            node: the number or text.
            unit: of what it stands beside; numbers as they stand and limits take it.
        """
        return self._quantity(node, unit)

    def unit(self, node: Node) -> Unit:
        """Return the unit of a number."""
        match node:
            case Constant():
                return Loose.PLAIN
            case SignalValue(signal=signal):
                return self._unit_of(signal)
            case WindowValue(function=function, signal=signal, type="number"):
                return of_function(self._unit_of(signal), WINDOW_FUNCTIONS[function].unit)
            case PeerDistance():
                return ""
            case Arithmetic():
                return self._arithmetic_unit(node)
        return Loose.OPEN

    def _arithmetic_unit(self, node: Arithmetic) -> Unit:
        left, right = self.unit(node.left), self.unit(node.right)
        if node.operator in "*/":
            return scaled(node.operator, left, right)
        common = alike(left, right)
        return Loose.OPEN if common is None else common

    def limit_units(self, *trees: Node) -> dict[str, str]:
        """Return the units of the limits that stand beside a quantity with one."""
        units: dict[str, str] = {}
        for tree in trees:
            for part in walk(tree):
                if isinstance(part, Comparison | Arithmetic) and getattr(part, "operator", "") not in "*/":
                    unit = alike(self.unit(part.left), self.unit(part.right))
                    for side in (part.left, part.right):
                        for limit in walk(side):
                            if isinstance(limit, LimitValue) and isinstance(unit, str):
                                units.setdefault(limit.name, unit)
        return units

    def _unit_of(self, signal: str) -> str:
        entry = self._catalogue.get(signal)
        return entry.unit if entry else ""

    def _is_boolean(self, signal: str) -> bool:
        entry = self._catalogue.get(signal)
        return entry is not None and entry.kind == "boolean"

    # Conditions, by kind of node

    @singledispatchmethod
    def _condition(self, node: Node, _negated: bool) -> str:
        raise TypeError(f"expected a condition, got {node}")

    @_condition.register
    def _(self, node: Constant, negated: bool) -> str:
        return "never" if bool(node.value) is negated else "always"

    @_condition.register
    def _(self, node: SignalValue, negated: bool) -> str:
        return f"{name(node.signal, node.component)} is {'false' if negated else 'true'}"

    @_condition.register
    def _(self, node: FactValue, negated: bool) -> str:
        return f"{self.quantity(node)} is {'false' if negated else 'true'}"

    @_condition.register
    def _(self, node: Absent, negated: bool) -> str:
        signal, window = name(node.signal, node.component), length(node.window_ms)
        return (
            f"a value of {signal} came within {window}"
            if negated
            else f"no value of {signal} came for {window}"
        )

    @_condition.register
    def _(self, node: WindowValue, negated: bool) -> str:
        """Return the clause of ``flatline``, the one function over a window that is a condition."""
        has = "has not" if negated else "has"
        return f"{name(node.signal, node.component)} {has} stood still for {length(node.window_ms)}"

    @_condition.register
    def _(self, node: TimesTrue, negated: bool) -> str:
        times = f"fewer than {node.least}" if negated else f"{node.least} or more"
        return f"{self._grouped(node.condition)} at {times} readings of the last {span(node.window_ms)}"

    @_condition.register
    def _(self, node: Inversion, negated: bool) -> str:
        return self.condition(node.operand, negated=not negated)

    @_condition.register
    def _(self, node: Conjunction, negated: bool) -> str:
        parts = (self._grouped(part, negated=negated) for part in _flat(node, Conjunction))
        return (" or " if negated else " and ").join(parts)

    @_condition.register
    def _(self, node: Disjunction, negated: bool) -> str:
        parts = (self._grouped(part, negated=negated) for part in _flat(node, Disjunction))
        return (" and " if negated else " or ").join(parts)

    @_condition.register
    def _(self, node: Choice, negated: bool) -> str:
        value, other = (self._grouped(part, negated=negated) for part in (node.value, node.other))
        return f"{value} if {self._grouped(node.condition)}, else {other}"

    @_condition.register
    def _(self, node: Comparison, negated: bool) -> str:
        left, right, sign = node.left, node.right, node.operator
        if isinstance(left, Constant) and not isinstance(right, Constant):
            left, right, sign = right, left, _MIRRORED[sign]
        if negated:
            sign = _OPPOSITE[sign]
        if isinstance(right, Constant) and isinstance(right.value, float | bool):
            told = self._against_number(left, sign, float(right.value))
            if told:
                return told
        common = alike(self.unit(left), self.unit(right))
        unit = Loose.OPEN if common is None else common
        return f"{self.quantity(left, unit)} {_IS[sign]} {self.quantity(right, unit)}"

    def _grouped(self, node: Node, *, negated: bool = False) -> str:
        """Return a clause, in brackets when it is made of several."""
        text = self.condition(node, negated=negated)
        while isinstance(node, Inversion):
            node = node.operand
        return f"({text})" if isinstance(node, Conjunction | Disjunction | Choice | TimesTrue) else text

    def _against_number(self, node: Node, sign: str, number: float) -> str | None:
        """Return the comparison of a quantity with a number where there is a better word than "is above"."""
        match node:
            case SignalValue(signal=signal, component=component) if self._is_boolean(signal):
                word = _truth(sign, number, ("is false", "is true"))
                return f"{name(signal, component)} {word}" if word else None
            case PeerDistance(signal=signal, component=component) if sign in _AWAY:
                distance = f"{_AWAY[sign]} {shown(number)} scaled deviations"
                return f"{name(signal, component)} is {distance} from the median of its peers"
            case WindowValue(signal=signal, component=component, window_ms=window):
                told = self._over_window_against(node, sign, number)
                return f"{name(signal, component)} {told} in the last {span(window)}" if told else None
        return None

    def _over_window_against(self, node: WindowValue, sign: str, number: float) -> str | None:
        unit = self._unit_of(node.signal)
        match node.function:
            case "count" | "changes":
                return _times(sign, number, _HAPPENED[node.function])
            case "min" | "max" if self._is_boolean(node.signal):
                return _truth(sign, number, _SEEN[node.function])
            case "increase" if number >= 0:
                return _moved(_GREW, sign, number, unit)
            case "delta":
                return _moved(_ROSE if number >= 0 else _FELL, sign, number, unit)
        return None

    # Quantities, by kind of node

    @singledispatchmethod
    def _quantity(self, node: Node, _unit: Unit) -> str:
        return self.condition(node)

    @_quantity.register
    def _(self, node: Constant, unit: Unit) -> str:
        if isinstance(node.value, str):
            return f'"{node.value}"'
        return shown(node.value) if isinstance(node.value, bool) else amount(node.value, unit)

    @_quantity.register
    def _(self, node: SignalValue, _unit: Unit) -> str:
        return name(node.signal, node.component)

    @_quantity.register
    def _(self, node: FactValue, _unit: Unit) -> str:
        return f"what the device states as `{node.name}`"

    @_quantity.register
    def _(self, node: LimitValue, unit: Unit) -> str:
        return f"{amount(self._limits[node.name], unit)} (limit `{node.name}`)"

    @_quantity.register
    def _(self, node: PeerDistance, _unit: Unit) -> str:
        return f"the distance of {name(node.signal, node.component)} from its peers"

    @_quantity.register
    def _(self, node: WindowValue, _unit: Unit) -> str:
        signal, window = name(node.signal, node.component), f"the last {span(node.window_ms)}"
        if node.function == "forecast":
            return f"{signal} as the line through {window} has it {length(int(node.parameter))} ahead"
        if node.function == "quantile":
            return f"the {shown(100 * node.parameter)} % quantile of {signal} over {window}"
        if node.function == "avg" and self._is_boolean(node.signal):
            return f"the part of the readings of {window} at which {signal} was true"
        if node.function not in _QUANTITIES:
            return self.condition(node)
        within = "of" if node.function in ("min", "max") else "over"
        return f"{_QUANTITIES[node.function]} {signal} {within} {window}"

    @_quantity.register
    def _(self, node: Arithmetic, unit: Unit) -> str:
        inner = unit if node.operator in "+-" else Loose.OPEN
        if node.operator == "-" and node.left == Constant(0.0):
            return f"minus {self._operand(node.right, inner)}"
        left, right = self._operand(node.left, inner), self._operand(node.right, inner)
        return f"{left} {_SIGNS[node.operator]} {right}"

    @_quantity.register
    def _(self, node: Choice, unit: Unit) -> str:
        first, second = self.quantity(node.value, unit), self.quantity(node.other, unit)
        return f"{first} if {self._grouped(node.condition)}, else {second}"

    def _operand(self, node: Node, unit: Unit) -> str:
        text = self.quantity(node, unit)
        return f"({text})" if isinstance(node, Arithmetic | Choice) else text


def _flat(node: Node, kind: type) -> list[Node]:
    """Return what a chain of ``and``, or of ``or``, joins."""
    if isinstance(node, kind) and isinstance(node, Conjunction | Disjunction):
        return [*_flat(node.left, kind), *_flat(node.right, kind)]
    return [node]


def _truth(sign: str, number: float, words: tuple[str, str]) -> str | None:
    """Return which word says what a comparison asks of a value that is 0 or 1; None when neither does."""
    false, true = (_HOLDS[sign](value, number) for value in (0.0, 1.0))
    return None if false == true else words[true]


def _times(sign: str, number: float, words: tuple[str, str]) -> str | None:
    """Return how often something happened, in words for never and for ever."""
    never, ever = words
    if sign in (">", ">="):
        least = math.floor(number) + 1 if sign == ">" else math.ceil(number)
        return None if least < 1 else ever if least == 1 else f"{ever} {least} times or more"
    if sign in ("<", "<="):
        most = math.ceil(number) - 1 if sign == "<" else math.floor(number)
        return None if most < 0 else never if most == 0 else f"{ever} {most} times at most"
    if number == 0:
        return never if sign == "==" else ever
    return None


def _moved(words: Mapping[str, tuple[str, str]], sign: str, number: float, unit: Unit) -> str | None:
    """Return by how much something moved."""
    still, by = words.get(sign, ("", ""))
    if number == 0:
        return still or None
    return f"{by} {amount(abs(number), unit)}" if by else None
