"""A typed tree becomes one function over lanes: numpy in, numpy out.

Inside, everything is float64: true is 1, false is 0, a text is its number among the interned texts,
unknown is nan. Three-valued logic is then arithmetic: a product of 0, 1 and nan is Kleene's ``and``, save
that a false side must win over an unknown one.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np

from rules.batch import Float64
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
    Node,
    SignalValue,
    WindowValue,
)
from rules.symbols import Interner


class LaneView(Protocol):
    """N lanes at one evaluation, as a compiled expression sees them. Handles come from a `Binder`."""

    def __len__(self) -> int:
        """Return N."""
        ...

    def signal(self, handle: int) -> Float64:
        """Return the latest values, nan where unknown or no longer fresh."""
        ...

    def window(self, handle: int) -> Float64:
        """Return the values of a function over a window."""
        ...

    def absent(self, handle: int) -> Float64:
        """Return 1 where the signal was silent for its window, else 0."""
        ...

    def fact(self, handle: int, mode: "Mode") -> Float64:
        """Return a fact as a number or as a text's number, nan where it is the other or was never stated."""
        ...


class Binder(Protocol):
    """Gives each leaf of a tree the handle by which a `LaneView` knows it."""

    def bind_signal(self, node: SignalValue) -> int:
        """Return the handle of a signal."""
        ...

    def bind_window(self, node: WindowValue) -> int:
        """Return the handle of a function over a window."""
        ...

    def bind_absent(self, node: Absent) -> int:
        """Return the handle of a silence."""
        ...

    def bind_fact(self, node: FactValue) -> int:
        """Return the handle of a fact."""
        ...


Mode = Literal["number", "text"]
Evaluate = Callable[[LaneView], Float64]

_ARITHMETIC: dict[str, Callable[[Float64, Float64], Float64]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": lambda left, right: left / np.where(right == 0.0, np.nan, right),
}
_COMPARISONS: dict[str, Callable[[Float64, Float64], Float64]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def compile_condition(node: Node, binder: Binder, texts: Interner[str]) -> Evaluate:
    """Return a function that gives, for N lanes, [N] float64: 1 true, 0 false, nan unknown."""
    return _Compiler(binder, texts).condition(node)


class _Compiler:
    def __init__(self, binder: Binder, texts: Interner[str]) -> None:
        self._binder = binder
        self._texts = texts

    def condition(self, node: Node) -> Evaluate:
        evaluate = self.node(node, "number")
        if node.type != "fact":
            return evaluate

        def truth(lanes: LaneView) -> Float64:
            value = evaluate(lanes)
            return np.where(np.isnan(value), np.nan, value != 0.0)

        return truth

    def node(self, node: Node, mode: Mode) -> Evaluate:
        """Compile any node; `mode` says how facts in it are to be read."""
        match node:
            case Constant():
                return self._constant(node)
            case SignalValue() | WindowValue() | Absent() | FactValue():
                return self._leaf(node, mode)
            case Choice():
                return self._choice(node, mode)
            case _:
                return self._operation(node)

    def _leaf(self, node: SignalValue | WindowValue | Absent | FactValue, mode: Mode) -> Evaluate:
        binder = self._binder
        match node:
            case SignalValue():
                signal = binder.bind_signal(node)
                return lambda lanes: lanes.signal(signal)
            case WindowValue():
                window = binder.bind_window(node)
                return lambda lanes: lanes.window(window)
            case Absent():
                silence = binder.bind_absent(node)
                return lambda lanes: lanes.absent(silence)
            case FactValue():
                fact = binder.bind_fact(node)
                return lambda lanes: lanes.fact(fact, mode)

    def _operation(self, node: Node) -> Evaluate:
        match node:
            case Arithmetic(operator=operator, left=left, right=right):
                operation = _ARITHMETIC[operator]
                a, b = self.node(left, "number"), self.node(right, "number")
                return lambda lanes: operation(a(lanes), b(lanes))
            case Comparison():
                return self._comparison(node)
            case Conjunction(left=left, right=right):
                return _conjunction(self.condition(left), self.condition(right))
            case Disjunction(left=left, right=right):
                return _disjunction(self.condition(left), self.condition(right))
            case Inversion(operand=operand):
                inner = self.condition(operand)
                return lambda lanes: 1.0 - inner(lanes)
        raise AssertionError(node)

    def _constant(self, node: Constant) -> Evaluate:
        value = float(self._texts.intern(node.value)) if isinstance(node.value, str) else float(node.value)
        return lambda lanes: np.full(len(lanes), value)

    def _comparison(self, node: Comparison) -> Evaluate:
        if "text" in (node.left.type, node.right.type):
            return self._compare(node, "text")
        as_numbers = self._compare(node, "number")
        if node.left.type != "fact" or node.right.type != "fact":
            return as_numbers
        as_texts = self._compare(node, "text")

        def compare_facts(lanes: LaneView) -> Float64:
            numbers = as_numbers(lanes)
            return np.where(np.isnan(numbers), as_texts(lanes), numbers)

        return compare_facts

    def _compare(self, node: Comparison, mode: Mode) -> Evaluate:
        operation = _COMPARISONS[node.operator]
        left, right = self.node(node.left, mode), self.node(node.right, mode)

        def compare(lanes: LaneView) -> Float64:
            a, b = left(lanes), right(lanes)
            return np.where(np.isnan(a) | np.isnan(b), np.nan, operation(a, b))

        return compare

    def _choice(self, node: Choice, mode: Mode) -> Evaluate:
        condition = self.condition(node.condition)
        value, other = self.node(node.value, mode), self.node(node.other, mode)

        def choose(lanes: LaneView) -> Float64:
            decided = condition(lanes)
            chosen = np.where(decided == 1.0, value(lanes), other(lanes))
            return np.where(np.isnan(decided), np.nan, chosen)

        return choose


def _conjunction(left: Evaluate, right: Evaluate) -> Evaluate:
    def conjoin(lanes: LaneView) -> Float64:
        a, b = left(lanes), right(lanes)
        return np.where((a == 0.0) | (b == 0.0), 0.0, a * b)

    return conjoin


def _disjunction(left: Evaluate, right: Evaluate) -> Evaluate:
    def disjoin(lanes: LaneView) -> Float64:
        a, b = left(lanes), right(lanes)
        return np.where((a == 1.0) | (b == 1.0), 1.0, a + b)

    return disjoin
