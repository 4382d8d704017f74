"""A typed tree becomes functions over lanes: numpy in, numpy out.

A quantity is [N] float64 with nan for unknown; a text is its number among the interned texts. A condition is
three-valued and becomes two functions, [N] bool each: where it is true and where it is false; where it is
neither, it is unknown. Kleene's logic is then that of sets, and a rule that nobody breaks costs one look:
only what is true can make a quiet rule speak, and ``and`` looks at its right side only where its left side
is true.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int8
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
)
from rules.symbols import Interner

#: How a fact is read: as a number, or as a text's number.
Mode = Literal["number", "text"]


class LaneView(Protocol):
    """N lanes at one evaluation each, as a compiled expression sees them. Handles come from a `Binder`."""

    def __len__(self) -> int:
        """Return N."""
        ...

    def take(self, places: npt.NDArray[np.intp]) -> "LaneView":
        """Return some of the lanes."""
        ...

    def signal(self, handle: int) -> Float64:
        """Return the latest values, nan where unknown or no longer fresh."""
        ...

    def window(self, handle: int) -> Float64:
        """Return the values of a function over a window."""
        ...

    def times_true(self, handle: int) -> tuple[Bool, Bool]:
        """Return where a condition was true often enough, and where it was known and was not."""
        ...

    def peers(self, handle: int) -> Float64:
        """Return the distances from the peers, nan where unknown."""
        ...

    def absent(self, handle: int) -> Bool:
        """Return where the signal was silent for its window; it is not unknown."""
        ...

    def fact(self, handle: int, mode: Mode) -> Float64:
        """Return a fact as a number or as a text's number, nan where it is the other or was never stated."""
        ...

    def limit(self, name: str) -> Float64 | float:
        """Return a threshold of the rule."""
        ...


class Binder(Protocol):
    """Gives each leaf of a tree the handle by which a `LaneView` knows it."""

    def bind_signal(self, node: SignalValue) -> int:
        """Return the handle of a signal."""
        ...

    def bind_window(self, node: WindowValue) -> int:
        """Return the handle of a function over a window."""
        ...

    def bind_times_true(self, node: TimesTrue) -> int:
        """Return the handle of a condition whose readings are counted."""
        ...

    def bind_peers(self, node: PeerDistance) -> int:
        """Return the handle of a distance from peers."""
        ...

    def bind_absent(self, node: Absent) -> int:
        """Return the handle of a silence."""
        ...

    def bind_fact(self, node: FactValue) -> int:
        """Return the handle of a fact."""
        ...


Quantity = Callable[[LaneView], Float64 | float]
Mask = Callable[[LaneView], Bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """Where it is true and where it is false, each worked out only when asked for."""

    true: Mask
    false: Mask

    def codes(self, lanes: LaneView) -> Int8:
        """Return [N] int8: 1 true, 0 false, -1 unknown."""
        true = self.true(lanes)
        codes = true.astype(np.int8)
        codes[~(true | self.false(lanes))] = -1
        return codes


_ARITHMETIC: dict[str, Callable[[Float64 | float, Float64 | float], Float64]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda left, right: np.divide(left, np.where(np.equal(right, 0.0), np.nan, right)),
}
_COMPARISONS: dict[str, Callable[[Float64 | float, Float64 | float], Bool]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
#: Comparisons with nan are false, but for this one.
_UNEQUAL = "!="
#: Where no more than one lane in so many is left, the rest is worked out for these alone.
_FEW = 4
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def compile_condition(node: Node, binder: Binder, texts: Interner[str]) -> Condition:
    """Return where a condition is true and where it is false, for N lanes at a time."""
    return _Compiler(binder, texts).condition(node)


class _Compiler:
    def __init__(self, binder: Binder, texts: Interner[str]) -> None:
        self._binder = binder
        self._texts = texts

    def condition(self, node: Node) -> Condition:
        match node:
            case Comparison():
                return self._comparison(node)
            case Conjunction() | Disjunction() | Inversion():
                return self._logic(node)
            case Choice():
                return self._choice(node)
            case Absent() | TimesTrue():
                return self._told(node)
        return _truth(self.quantity(node, "number"))

    def _logic(self, node: Conjunction | Disjunction | Inversion) -> Condition:
        if isinstance(node, Inversion):
            inner = self.condition(node.operand)
            return Condition(inner.false, inner.true)
        a, b = self.condition(node.left), self.condition(node.right)
        if isinstance(node, Conjunction):
            return Condition(_both(a.true, b.true), _either(a.false, b.false))
        return Condition(_either(a.true, b.true), _both(a.false, b.false))

    def _choice(self, node: Choice) -> Condition:
        decided = self.condition(node.condition)
        a, b = self.condition(node.value), self.condition(node.other)
        return Condition(
            _either(_both(decided.true, a.true), _both(decided.false, b.true)),
            _either(_both(decided.true, a.false), _both(decided.false, b.false)),
        )

    def _told(self, node: Absent | TimesTrue) -> Condition:
        if isinstance(node, Absent):
            silence = self._binder.bind_absent(node)
            return Condition(lambda lanes: lanes.absent(silence), lambda lanes: ~lanes.absent(silence))
        times = self._binder.bind_times_true(node)
        return Condition(lambda lanes: lanes.times_true(times)[0], lambda lanes: lanes.times_true(times)[1])

    def quantity(self, node: Node, mode: Mode) -> Quantity:
        """Compile what has a value; `mode` says how facts in it are to be read."""
        match node:
            case Constant():
                text = isinstance(node.value, str)
                value = float(self._texts.intern(str(node.value)) if text else node.value)
                return lambda _: value
            case Arithmetic(operator=operator, left=left, right=right):
                operation = _ARITHMETIC[operator]
                a, b = self.quantity(left, "number"), self.quantity(right, "number")
                return lambda lanes: operation(a(lanes), b(lanes))
            case Choice(value=value_node, condition=condition, other=other_node):
                return self._chosen(self.condition(condition), value_node, other_node, mode)
            case SignalValue() | WindowValue() | PeerDistance() | FactValue() | LimitValue():
                return self._leaf(node, mode)
        return _number(self.condition(node))

    def _leaf(
        self, node: SignalValue | WindowValue | PeerDistance | FactValue | LimitValue, mode: Mode
    ) -> Quantity:
        binder = self._binder
        match node:
            case SignalValue():
                signal = binder.bind_signal(node)
                return lambda lanes: lanes.signal(signal)
            case WindowValue():
                window = binder.bind_window(node)
                return lambda lanes: lanes.window(window)
            case PeerDistance():
                peers = binder.bind_peers(node)
                return lambda lanes: lanes.peers(peers)
            case FactValue():
                fact = binder.bind_fact(node)
                return lambda lanes: lanes.fact(fact, mode)
            case LimitValue():
                return lambda lanes: lanes.limit(node.name)

    def _chosen(self, decided: Condition, value: Node, other: Node, mode: Mode) -> Quantity:
        a, b = self.quantity(value, mode), self.quantity(other, mode)

        def choose(lanes: LaneView) -> Float64:
            return np.where(decided.true(lanes), a(lanes), np.where(decided.false(lanes), b(lanes), np.nan))

        return choose

    def _comparison(self, node: Comparison) -> Condition:
        if "text" in (node.left.type, node.right.type):
            return self._compare(node, "text")
        as_numbers = self._compare(node, "number")
        if node.left.type != "fact" or node.right.type != "fact":
            return as_numbers
        as_texts = self._compare(node, "text")
        return Condition(_either(as_numbers.true, as_texts.true), _either(as_numbers.false, as_texts.false))

    def _compare(self, node: Comparison, mode: Mode) -> Condition:
        left, right = self.quantity(node.left, mode), self.quantity(node.right, mode)
        return Condition(
            _compared(node.operator, left, right), _compared(_OPPOSITE[node.operator], left, right)
        )


def _compared(operator: str, left: Quantity, right: Quantity) -> Mask:
    operation = _COMPARISONS[operator]
    if operator != _UNEQUAL:
        return lambda lanes: _spread(operation(left(lanes), right(lanes)), lanes)

    def differ(lanes: LaneView) -> Bool:
        a, b = left(lanes), right(lanes)
        return _spread(operation(a, b) & ~np.isnan(a) & ~np.isnan(b), lanes)

    return differ


def _spread(mask: Bool, lanes: LaneView) -> Bool:
    """Return a mask of N lanes, also where both sides were constants."""
    return mask if np.ndim(mask) else np.full(len(lanes), mask, dtype=np.bool_)


def _both(left: Mask, right: Mask) -> Mask:
    def both(lanes: LaneView) -> Bool:
        mask = left(lanes)
        places = np.flatnonzero(mask)
        if not len(places):
            return mask
        if len(places) * _FEW > len(mask):
            return mask & right(lanes)
        found = np.zeros(len(mask), dtype=np.bool_)
        found[places] = right(lanes.take(places))
        return found

    return both


def _either(left: Mask, right: Mask) -> Mask:
    def either(lanes: LaneView) -> Bool:
        mask = left(lanes)
        return mask if mask.all() else mask | right(lanes)

    return either


def _truth(value: Quantity) -> Condition:
    """Return what a boolean signal, a fact or a constant says as a condition: nan is unknown, 0 is false."""

    def true(lanes: LaneView) -> Bool:
        number = value(lanes)
        return _spread(np.not_equal(number, 0.0) & ~np.isnan(number), lanes)

    return Condition(true, lambda lanes: _spread(np.equal(value(lanes), 0.0), lanes))


def _number(condition: Condition) -> Quantity:
    """Return a condition as 1, 0 and nan."""
    return lambda lanes: np.where(condition.true(lanes), 1.0, np.where(condition.false(lanes), 0.0, np.nan))
