"""Text to typed tree. Errors say the column, what was expected and what stood there."""

import difflib
from importlib import resources
from typing import Any, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

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
    Type,
    WindowValue,
)
from rules.functions import WINDOW_FUNCTIONS
from rules.signals import Catalogue
from rules.times import parse_duration

#: What the grammar's terminals are called in messages.
_WORDS = {
    "NUMBER": "a number",
    "TEXT": 'a "text"',
    "SIGNAL": "a signal",
    "NAME": "a function",
    "DURATION": "a duration such as 10m",
    "COMPARATOR": "a comparison",
    "SIGN": "+ or -",
    "FACTOR": "* or /",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "the end",
}


class ExpressionError(ValueError):
    """An expression is wrong.

    Attributes:
        column: where, counted from 1 within the expression; line breaks count as characters.
        problem: what was expected and what stood there.
    """

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(f"column {column}: {problem}")
        self.column = column
        self.problem = problem


class _TokenError(Exception):
    """A problem at a token, on its way out of lark's transformer."""

    def __init__(self, token: Token, problem: str) -> None:
        self.column = (token.start_pos or 0) + 1
        self.problem = problem


_GRAMMAR = Lark(
    resources.files("rules").joinpath("expression", "grammar.lark").read_text(encoding="utf-8"),
    parser="lalr",
    propagate_positions=True,
    maybe_placeholders=False,
)


def parse(text: str, catalogue: Catalogue) -> Node:
    """Return the typed tree of a condition.

    Raises:
        ExpressionError: it does not parse, a name is unknown, types do not fit, or it is not a condition.
    """
    try:
        tree = _GRAMMAR.parse(text)
        node = cast(Node, _Builder(catalogue).transform(tree))
    except UnexpectedToken as error:
        expected = ", ".join(sorted({_WORDS.get(name, name.lower()) for name in error.expected}))
        got = repr(str(error.token)) if error.token.type != "$END" else "the end"
        place = len(text) if error.token.type == "$END" else (error.token.start_pos or 0)
        raise ExpressionError(place + 1, f"expected {expected}, got {got}") from None
    except UnexpectedEOF:
        raise ExpressionError(len(text) + 1, "expected more, got the end") from None
    except UnexpectedCharacters as error:
        place = error.pos_in_stream or 0
        raise ExpressionError(place + 1, f"unexpected {text[place]!r}") from None
    except VisitError as error:
        if isinstance(error.orig_exc, _TokenError):
            raise ExpressionError(error.orig_exc.column, error.orig_exc.problem) from None
        raise
    if node.type not in ("boolean", "fact"):
        raise ExpressionError(1, f"expected a condition that is true or false, got a {node.type}")
    return node


@v_args(inline=True)
class _Builder(Transformer[Any, Any]):
    """Builds the tree from the leaves up and checks types on the way."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self._catalogue = catalogue

    def number(self, token: Token) -> Constant:
        return Constant(float(token))

    def text(self, token: Token) -> Constant:
        return Constant(str(token)[1:-1])

    def yes(self) -> Constant:
        return Constant(True)

    def no(self) -> Constant:
        return Constant(False)

    def duration(self, token: Token) -> Token:
        return token

    def signal(self, token: Token) -> SignalValue:
        name, _, component = str(token).partition("@")
        entry = self._catalogue.get(name)
        if entry is None:
            nearest = self._catalogue.nearest(name)
            hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
            raise _TokenError(token, f"unknown signal {name!r}{hint}")
        return SignalValue(name, component, entry.kind)

    def call(self, name: Token, *arguments: Node | Token) -> Node:
        if name == "fact":
            return self._fact(name, *arguments)
        if name == "absent":
            signal, window = self._signal_and_window(name, *arguments)
            return Absent(signal.signal, signal.component, window)
        if name in WINDOW_FUNCTIONS:
            signal, window = self._signal_and_window(name, *arguments)
            if signal.type == "text" and not WINDOW_FUNCTIONS[name].takes_text:
                raise _TokenError(name, f"{name} needs a signal of numbers, {signal.signal} is text")
            return WindowValue(str(name), signal.signal, signal.component, window)
        known = [*WINDOW_FUNCTIONS, "absent", "fact"]
        nearest = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else f"; expected one of {', '.join(sorted(known))}"
        raise _TokenError(name, f"unknown function {str(name)!r}{hint}")

    def _fact(self, name: Token, *arguments: Node | Token) -> FactValue:
        match arguments:
            case (Constant(value=str(fact)),) if fact:
                return FactValue(fact)
        raise _TokenError(name, 'expected fact("name")')

    def _signal_and_window(self, name: Token, *arguments: Node | Token) -> tuple[SignalValue, int]:
        match arguments:
            case (SignalValue() as signal, Token() as window):
                milliseconds = parse_duration(str(window))
                if milliseconds > 0:
                    return signal, milliseconds
                raise _TokenError(window, "expected a window longer than 0s")
        raise _TokenError(name, f"expected {name}(signal, window), for example {name}(disk.temperature, 1h)")

    def arithmetic(self, left: Node, operator: Token, right: Node) -> Arithmetic:
        for side in (left, right):
            self._require(side, "number", operator)
        return Arithmetic(str(operator), left, right)

    def signed(self, sign: Token, operand: Node) -> Node:
        self._require(operand, "number", sign)
        if isinstance(operand, Constant) and sign == "-":
            return Constant(-float(operand.value))  # a limit below zero is a constant like any other
        return operand if sign == "+" else Arithmetic("-", Constant(0.0), operand)

    def compare(self, left: Node, operator: Token, right: Node) -> Comparison:
        types = {left.type, right.type}
        if operator in ("==", "!="):
            if "text" in types and types & {"number", "boolean"}:
                raise _TokenError(operator, f"{operator} compares a {left.type} with a {right.type}")
        else:
            for side in (left, right):
                self._require(side, "number", operator)
        return Comparison(str(operator), left, right)

    def conjunction(self, left: Node, right: Node) -> Conjunction:
        return Conjunction(self._condition(left), self._condition(right))

    def disjunction(self, left: Node, right: Node) -> Disjunction:
        return Disjunction(self._condition(left), self._condition(right))

    def inversion(self, operand: Node) -> Inversion:
        return Inversion(self._condition(operand))

    def choose(self, value: Node, condition: Node, other: Node) -> Choice:
        types = {value.type, other.type} - {"fact"}
        if len(types) > 1:
            raise _TokenError(_here(), f"both sides of if must be alike, got {value.type} and {other.type}")
        merged: Type = types.pop() if types else "fact"
        return Choice(value, self._condition(condition), other, merged)

    def _condition(self, node: Node) -> Node:
        if node.type not in ("boolean", "fact"):
            raise _TokenError(
                _here(), f"and, or, not and if need conditions that are true or false, got a {node.type}"
            )
        return node

    def _require(self, node: Node, wanted: Type, token: Token) -> None:
        if node.type not in (wanted, "fact"):
            raise _TokenError(token, f"{token} needs a {wanted} on each side, got a {node.type}")


def _here() -> Token:
    return Token("", "", start_pos=0)
