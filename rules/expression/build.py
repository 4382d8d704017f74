"""From the parser's tree to the typed one: names, types, units and what each function takes are checked."""

import difflib
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lark import Token, Tree
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive, v_args

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
    Type,
    WindowValue,
)
from rules.functions import WINDOW_FUNCTIONS
from rules.functions.definition import WindowFunction
from rules.signals import Catalogue
from rules.times import parse_duration
from rules.units import Loose, Unit, alike, of_function, scaled, spell

#: Every word that is followed by a bracket.
FUNCTIONS = (*WINDOW_FUNCTIONS, "absent", "fact", "limit", "n_of", "peers")
#: Walking and compiling a tree recurse; no rule that a person reads comes near this.
_DEEPEST = 150
_SHAPES = {
    None: ("signal, window", "disk.temperature, 1h"),
    "quantile": ("signal, part from 0 to 1, window", "disk.temperature, 0.9, 1h"),
    "ahead": ("signal, window, time ahead", "disk.temperature, 1d, 7d"),
}


class WrongPartError(Exception):
    """A part of an expression is wrong.

    Attributes:
        column: of its first character, from 1.
        problem: what was expected and what stood there.
    """

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(problem)
        self.column = column
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an expression that is understood.

    Attributes:
        begin: index of its first character.
        end: index after its last character.
        depth: how many parts stand within one another.
        lone: the first ``n_of``, ``absent`` or ``peers`` in it, as (index, word); ``n_of`` takes none.
    """

    node: Node
    unit: Unit
    begin: int
    end: int
    depth: int = 1
    lone: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A duration as an argument."""

    milliseconds: int
    begin: int
    end: int


Argument = Part | Span


def spelled_like(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` with the nearest names, nothing when none is near."""
    nearest = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {', '.join(nearest)}?" if nearest else ""


def build(tree: Tree[Token], text: str, catalogue: Catalogue, limits: Collection[str]) -> Part:
    """Return what a parsed expression means.

    Args:
        tree: of the grammar, with positions.
        text: what was parsed, for messages.
        catalogue: the signals that it may name.
        limits: names of the rule's limits.

    Raises:
        VisitError: its ``orig_exc`` is a `WrongPartError`.
    """
    return _Builder(text, catalogue, limits).transform(tree)


@v_args(meta=True, inline=True)
class _Builder(Transformer_NonRecursive[Token, Part]):
    """Builds the tree from the leaves up; methods are named after the grammar's rules."""

    def __init__(self, text: str, catalogue: Catalogue, limits: Collection[str]) -> None:
        super().__init__()
        self._text = text
        self._catalogue = catalogue
        self._limits = limits

    # Leaves

    def number(self, meta: Meta, token: Token) -> Part:
        value = float(token)
        if not math.isfinite(value):
            raise WrongPartError(
                meta.start_pos + 1, "expected a number that can be computed with, got too large a one"
            )
        return _leaf(meta, Constant(value), Loose.PLAIN)

    def text(self, meta: Meta, token: Token) -> Part:
        return _leaf(meta, Constant(str(token)[1:-1]), Loose.PLAIN)

    def yes(self, meta: Meta) -> Part:
        return _leaf(meta, Constant(True), Loose.PLAIN)

    def no(self, meta: Meta) -> Part:
        return _leaf(meta, Constant(False), Loose.PLAIN)

    def duration(self, meta: Meta, token: Token) -> Span:
        try:
            return Span(parse_duration(str(token)), meta.start_pos, meta.end_pos)
        except ValueError as error:
            raise WrongPartError(meta.start_pos + 1, str(error)) from None

    def signal(self, meta: Meta, token: Token) -> Part:
        name, _, component = str(token).partition("@")
        entry = self._catalogue.get(name)
        if entry is None:
            nearest = self._catalogue.nearest(name)
            hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
            raise WrongPartError(meta.start_pos + 1, f"unknown signal {name!r}{hint}")
        return _leaf(meta, SignalValue(name, component, entry.kind), entry.unit)

    # Functions

    def call(self, meta: Meta, name: Token, *arguments: Argument) -> Part:
        match str(name):
            case "fact":
                return _leaf(meta, FactValue(self._name(name, arguments)), Loose.OPEN)
            case "limit":
                return _leaf(meta, LimitValue(self._limit(name, arguments)), Loose.OPEN)
            case "absent":
                signal, window = self._arguments(name, arguments, "signal, window", "disk.temperature, 1h")
                source = self._signal(signal)
                node: Node = Absent(source.signal, source.component, self._window(window))
                return _leaf(meta, node, Loose.OPEN, lone="absent")
            case "peers":
                (signal,) = self._arguments(name, arguments, "signal", "compressor.power")
                source = self._signal(signal)
                if source.type != "number":
                    raise self._wrong(
                        signal, "a signal of numbers", f"{source.signal}, which is {source.type}"
                    )
                return _leaf(meta, PeerDistance(source.signal, source.component), "", lone="peers")
            case "n_of":
                return self._times_true(meta, name, arguments)
        function = WINDOW_FUNCTIONS.get(str(name))
        if function is not None:
            return self._window_value(meta, name, function, arguments)
        hint = spelled_like(name, FUNCTIONS) or f"; expected one of {', '.join(sorted(FUNCTIONS))}"
        raise WrongPartError((name.start_pos or 0) + 1, f"unknown function {str(name)!r}{hint}")

    def _window_value(
        self, meta: Meta, name: Token, function: WindowFunction, arguments: tuple[Argument, ...]
    ) -> Part:
        parts = self._arguments(name, arguments, *_SHAPES[function.parameter])
        source = self._signal(parts[0])
        if source.type == "text" and not function.takes_text:
            raise self._wrong(parts[0], "a signal of numbers", f"{source.signal}, which is text")
        parameter = 0.0
        if function.parameter == "quantile":
            parameter, window = self._quantile(parts[1]), self._window(parts[2])
        elif function.parameter == "ahead":
            window, parameter = self._window(parts[1]), float(self._span(parts[2]).milliseconds)
        else:
            window = self._window(parts[1])
        entry = self._catalogue.get(source.signal)
        unit = of_function(entry.unit if entry else "", function.unit)
        node = WindowValue(function.name, source.signal, source.component, window, parameter, function.type)
        return _leaf(meta, node, unit if function.type == "number" else Loose.OPEN)

    def _times_true(self, meta: Meta, name: Token, arguments: tuple[Argument, ...]) -> Part:
        condition, times, window = self._arguments(
            name, arguments, "condition, times, window", "drum.vibration > 20, 3, 7d"
        )
        if not isinstance(condition, Part):
            raise self._wrong(condition, "a condition")
        node = self._condition(condition, "n_of")
        if condition.lone is not None:
            place, word = condition.lone
            raise WrongPartError(place + 1, f"n_of counts readings and takes no {word} in its condition")
        least = times.node.value if isinstance(times, Part) and isinstance(times.node, Constant) else None
        if isinstance(least, bool) or not isinstance(least, float) or least < 1 or least != int(least):
            raise self._wrong(times, "a whole number of times, 1 or more")
        counted = TimesTrue(node, int(least), self._window(window))
        return self._joined(meta, counted, Loose.OPEN, condition, lone=(meta.start_pos, "n_of"))

    def _arguments(
        self, name: Token, arguments: tuple[Argument, ...], names: str, example: str
    ) -> tuple[Argument, ...]:
        if len(arguments) != names.count(",") + 1:
            problem = (
                f"expected {name}({names}), for example {name}({example}), got {len(arguments)} in brackets"
            )
            raise WrongPartError((name.start_pos or 0) + 1, problem)
        return arguments

    def _signal(self, argument: Argument) -> SignalValue:
        if isinstance(argument, Part) and isinstance(argument.node, SignalValue):
            return argument.node
        raise self._wrong(argument, "a signal")

    def _span(self, argument: Argument) -> Span:
        if isinstance(argument, Span):
            return argument
        raise self._wrong(argument, "a duration such as 10m")

    def _window(self, argument: Argument) -> int:
        span = self._span(argument)
        if span.milliseconds == 0:
            raise self._wrong(argument, "a window longer than 0s")
        return span.milliseconds

    def _quantile(self, argument: Argument) -> float:
        value = (
            argument.node.value
            if isinstance(argument, Part) and isinstance(argument.node, Constant)
            else None
        )
        if isinstance(value, float) and 0.0 <= value <= 1.0:
            return value
        raise self._wrong(argument, "a number from 0 to 1")

    def _name(self, name: Token, arguments: tuple[Argument, ...]) -> str:
        example = "model" if name == "fact" else "hot"
        if len(arguments) != 1:
            raise WrongPartError(
                (name.start_pos or 0) + 1, f'expected {name}("name"), for example {name}("{example}")'
            )
        match arguments[0]:
            case Part(node=Constant(value=str(text))) if text:
                return text
        raise self._wrong(arguments[0], f'a name in quotes such as "{example}"')

    def _limit(self, name: Token, arguments: tuple[Argument, ...]) -> str:
        limit = self._name(name, arguments)
        if limit not in self._limits:
            known = spelled_like(limit, self._limits) or (
                f"; the rule has {', '.join(self._limits)}" if self._limits else "; the rule has no limits"
            )
            raise WrongPartError(arguments[0].begin + 1, f"unknown limit {limit!r}{known}")
        return limit

    # Operators

    def arithmetic(self, meta: Meta, left: Part, operator: Token, right: Part) -> Part:
        for side in (left, right):
            self._number(side, operator)
        if operator in "*/":
            unit: Unit = scaled(operator, left.unit, right.unit)
        else:
            unit = self._alike(left, operator, right)
        return self._joined(meta, Arithmetic(str(operator), left.node, right.node), unit, left, right)

    def signed(self, meta: Meta, sign: Token, operand: Part) -> Part:
        self._number(operand, sign)
        node = operand.node
        if sign == "-" and isinstance(node, Constant):
            node = Constant(-float(node.value))  # a limit below zero is a constant like any other
        elif sign == "-":
            node = Arithmetic("-", Constant(0.0), node)
        return self._joined(meta, node, operand.unit, operand)

    def compare(self, meta: Meta, left: Part, operator: Token, right: Part) -> Part:
        if operator in ("==", "!="):
            types = {left.node.type, right.node.type}
            if "text" in types and types & {"number", "boolean"}:
                problem = f"{operator} needs two sides alike, got a {left.node.type} and a {right.node.type}"
                raise WrongPartError((operator.start_pos or 0) + 1, problem)
        else:
            for side in (left, right):
                self._number(side, operator)
        self._alike(left, operator, right)
        return self._joined(meta, Comparison(str(operator), left.node, right.node), Loose.OPEN, left, right)

    def conjunction(self, meta: Meta, left: Part, right: Part) -> Part:
        node = Conjunction(self._condition(left, "and"), self._condition(right, "and"))
        return self._joined(meta, node, Loose.OPEN, left, right)

    def disjunction(self, meta: Meta, left: Part, right: Part) -> Part:
        node = Disjunction(self._condition(left, "or"), self._condition(right, "or"))
        return self._joined(meta, node, Loose.OPEN, left, right)

    def inversion(self, meta: Meta, operand: Part) -> Part:
        return self._joined(meta, Inversion(self._condition(operand, "not")), Loose.OPEN, operand)

    def choose(self, meta: Meta, value: Part, condition: Part, other: Part) -> Part:
        types = {value.node.type, other.node.type} - {"fact"}
        if len(types) > 1:
            problem = f"expected a {value.node.type} after else as before if, got a {other.node.type}"
            raise WrongPartError(other.begin + 1, problem)
        merged: Type = types.pop() if types else "fact"
        node = Choice(value.node, self._condition(condition, "if"), other.node, merged)
        common = alike(value.unit, other.unit)
        unit = Loose.OPEN if common is None else common
        return self._joined(meta, node, unit, value, condition, other)

    # Checks

    def _condition(self, part: Part, word: str) -> Node:
        if part.node.type in ("boolean", "fact"):
            return part.node
        raise WrongPartError(
            part.begin + 1, f"{word} needs a condition that is true or false, got a {part.node.type}"
        )

    def _number(self, part: Part, operator: Token) -> None:
        if part.node.type not in ("number", "fact"):
            raise WrongPartError(
                part.begin + 1, f"{operator} needs a number on each side, got a {part.node.type}"
            )

    def _alike(self, left: Part, operator: Token, right: Part) -> Unit:
        unit = alike(left.unit, right.unit)
        if unit is None:
            sides = " and ".join(f"{spell(side.unit)} ({self._source(side)})" for side in (left, right))
            problem = f"{operator} needs the same unit on each side, got {sides}"
            raise WrongPartError((operator.start_pos or 0) + 1, problem)
        return unit

    def _joined(
        self, meta: Meta, node: Node, unit: Unit, *parts: Part, lone: tuple[int, str] | None = None
    ) -> Part:
        depth = 1 + max(part.depth for part in parts)
        if depth > _DEEPEST:
            problem = f"expected at most {_DEEPEST} operations within one another, this has more"
            raise WrongPartError(meta.start_pos + 1, problem)
        lone = lone or next((part.lone for part in parts if part.lone is not None), None)
        return Part(node, unit, meta.start_pos, meta.end_pos, depth, lone)

    def _source(self, argument: Argument) -> str:
        return self._text[argument.begin : argument.end]

    def _wrong(self, argument: Argument, expected: str, got: str | None = None) -> WrongPartError:
        return WrongPartError(argument.begin + 1, f"expected {expected}, got {got or self._source(argument)}")


def _leaf(meta: Meta, node: Node, unit: Unit, lone: str | None = None) -> Part:
    return Part(node, unit, meta.start_pos, meta.end_pos, lone=(meta.start_pos, lone) if lone else None)
