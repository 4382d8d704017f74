"""Jinja templates that come from outside, bounded in what they may do, in time and in size.

An announcement says by a template where in a payload its reading stands. Whoever may publish may announce, so
a template is an attack's way in. Jinja's sandbox keeps it away from Python; it does not keep it from running
for hours (``9**9**9``, nested loops, a text doubled a hundred times). So only a part of the language is
taken, in which the work of a template grows no faster than its length times the payload's: no loops, no
macros, no joining of texts, arithmetic on plain numbers alone, and filters of our own.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import ChainableUndefined, TemplateError, Undefined, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gateway.wire.documents import Broken
from gateway.wire.reasons import shown

MAX_TEMPLATE = 2_048  # characters; the longest that agents are known to announce have some 400
MAX_DEPTH = 40  # of expressions within expressions
_REMEMBERED = 200_000  # characters of compiled templates; agents use few, for many entities
_SHORT = 4_096  # characters of a text in which parts may be replaced
_REPLACEMENT = 16  # characters that one may be replaced by
_WHOLE = 2**63  # past it integers become floats, whose digits cost nothing

_TAKEN: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.Assign,
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.Filter,
    nodes.Test,
    nodes.Call,
    nodes.Keyword,
    nodes.Compare,
    nodes.Operand,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Pos,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Pow,
    nodes.List,
    nodes.Tuple,
    nodes.Dict,
    nodes.Pair,
)
_METHODS = frozenset(
    ("get", "split", "strip", "lstrip", "rstrip", "lower", "upper", "startswith", "endswith", "replace")
)
_TESTS = frozenset(
    ("defined", "undefined", "none", "number", "string", "mapping", "boolean", "true", "false", "integer")
) | frozenset(("float", "in", "eq", "ne", "lt", "le", "gt", "ge", "equalto", "sequence"))


class Template:
    """A template that was looked at and compiled.

    Attributes:
        weight: how many parts it has; its work is at most this times the length of what it reads.
    """

    def __init__(self, source: str) -> None:
        """Compile a template.

        Raises:
            ValueError: it is none, or of the part of the language that is not taken.
        """
        if len(source) > MAX_TEMPLATE:
            raise ValueError(f"expected at most {MAX_TEMPLATE:,} characters, got {len(source):,}")
        try:
            tree = _ENVIRONMENT.parse(source)
            self.weight = _weigh(tree, 0)
            self._run = _ENVIRONMENT.from_string(source)
        except TemplateError as error:
            raise ValueError(shown(error.message, 200)) from None
        except (RecursionError, SyntaxError, MemoryError, OverflowError):
            raise ValueError("expected a template, got something too deep") from None

    def render(self, value: str, document: object) -> str | None:
        """Return what the template makes of a payload; None where it asks for what is not there.

        Args:
            value: the payload as text.
            document: the payload as JSON document; `Undefined` where it is not JSON.

        Raises:
            ValueError: it fails on this payload; the text says how.
        """
        try:
            return self._run.render(value=value, value_json=document).strip()
        except UndefinedError:
            return None
        except Exception as error:  # a template is a program, and may raise whatever Python does
            raise ValueError(shown(str(error) or type(error).__name__, 200)) from None


#: Stands for the document of a payload that is not JSON.
NO_DOCUMENT = ChainableUndefined(name="value_json")


class Templates:
    """Templates that were compiled, since that takes longer than to run them: some µs a character."""

    def __init__(self) -> None:
        self._compiled: dict[str, Template | str] = {}
        self._characters = 0

    def __contains__(self, source: str) -> bool:
        return source in self._compiled

    def compiled(self, source: str) -> Template | str:
        """Return the template, or a sentence that says why there is none."""
        found = self._compiled.get(source)
        if found is None:
            try:
                found = Template(source)
            except ValueError as error:
                found = str(error)
            self._characters += len(source)
            self._compiled[source] = found
            while self._characters > _REMEMBERED:
                oldest = next(iter(self._compiled))
                self._characters -= len(oldest)
                del self._compiled[oldest]
        return found


def readable(document: object) -> object:
    """Return a document as templates may have it: a number that is none as the word that stood there."""
    if isinstance(document, dict):
        return {key: readable(value) for key, value in document.items()}
    if isinstance(document, list):
        return [readable(value) for value in document]
    return document.text if isinstance(document, Broken) else document


def _weigh(node: nodes.Node, depth: int) -> int:
    """Count the parts of a template.

    Raises:
        ValueError: one is not taken.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"expected expressions at most {MAX_DEPTH} deep")
    taken = isinstance(node, _TAKEN)
    if not taken:
        raise ValueError(f"expected neither loops nor macros nor joined texts, got {type(node).__name__}")
    match node:
        case nodes.Filter() if node.node is None or node.name not in _FILTERS:
            raise ValueError(f"expected a filter of {', '.join(sorted(_FILTERS))}, got {shown(node.name)}")
        case nodes.Test() if node.name not in _TESTS:
            raise ValueError(f"expected a test of {', '.join(sorted(_TESTS))}, got {shown(node.name)}")
        case nodes.Call():
            _check_call(node)
        case nodes.List() | nodes.Tuple() | nodes.Dict():
            _check_literal(node)
        case nodes.Assign() if not isinstance(node.target, nodes.Name):
            raise ValueError("expected one name to be set")
    return 1 + sum(_weigh(child, depth + 1) for child in node.iter_child_nodes())


def _check_call(node: nodes.Call) -> None:
    called = node.node
    by_name = isinstance(called, nodes.Name) and called.name in _GLOBALS
    method = isinstance(called, nodes.Getattr) and called.attr in _METHODS
    if not (by_name or method) or node.dyn_args is not None or node.dyn_kwargs is not None:
        name = getattr(called, "name", getattr(called, "attr", "something else"))
        known = ", ".join(sorted(_METHODS | _GLOBALS.keys()))
        raise ValueError(f"expected a call of {known}, got {shown(name)}")


def _check_literal(node: nodes.Node) -> None:
    """Hold lists to constants: lists of lists of lists print longer than they are."""
    for child in node.iter_child_nodes():
        parts = child.iter_child_nodes() if isinstance(child, nodes.Pair | nodes.Neg) else (child,)
        if not all(isinstance(part, nodes.Const | nodes.Neg) for part in parts):
            raise ValueError("expected lists of constants")


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with arithmetic held to numbers."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))

    def call_binop(self, context: object, operator: str, left: Any, right: Any) -> Any:
        """Calculate with two numbers."""
        del context
        for operand in (left, right):
            if isinstance(operand, Undefined):
                raise UndefinedError
        return _calculated(operator, left, right)

    def call(self, context: Any, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method or function; `str.replace` is the one that could let a text grow."""
        if getattr(called, "__name__", "") == "replace":
            return _replace(getattr(called, "__self__", None), *args)
        return super().call(context, called, *args, **kwargs)


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
    "**": math.pow,
}


def _calculated(operator: str, left: object, right: object) -> float:
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        raise SecurityError(f"expected numbers beside {operator}, got {shown(left)} and {shown(right)}")
    return _bounded(_OPERATORS[operator](_bounded(left), _bounded(right)))


def _bounded(number: float) -> float:
    return number if isinstance(number, float) or -_WHOLE <= number < _WHOLE else float(number)


_MISSING = object()


def _number(value: object, default: object = _MISSING) -> object:
    """Return a value as float; without a default, what is missing stays missing and a wrong word raises."""
    if isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return _otherwise(value, default)
    return _otherwise(value, default)


def _integer(value: object, default: object = _MISSING) -> object:
    number = _number(value, None)
    return int(number) if isinstance(number, float) and math.isfinite(number) else _otherwise(value, default)


def _otherwise(value: object, default: object) -> object:
    if default is not _MISSING:
        return default
    if isinstance(value, Undefined):
        return value
    raise ValueError(f"expected a number, got {shown(value)}")


def _rounded(value: object, precision: object = 0, method: str = "common") -> object:
    number = _number(value)
    if not isinstance(number, float):
        return number
    places = min(max(int(precision), -15), 15) if isinstance(precision, int | float) else 0
    scale = {"floor": math.floor, "ceil": math.ceil}.get(method)
    rounded = scale(number * 10.0**places) / 10.0**places if scale else round(number, places)
    return int(rounded) if places <= 0 else rounded


def _default(value: object, default: object = "", boolean: bool = False) -> object:
    return default if isinstance(value, Undefined) or (boolean and not value) else value


def _choice(value: object, yes: object = True, no: object = False, none: object = _MISSING) -> object:
    if value is None and none is not _MISSING:
        return none
    return yes if value else no


def _truth(value: object, default: object = _MISSING) -> object:
    word = str(value).strip().lower()
    if word in ("1", "true", "yes", "on", "enable"):
        return True
    if word in ("0", "false", "no", "off", "disable"):
        return False
    return _otherwise(value, default)


def _replace(text: object, old: object = "", new: object = "", *more: object) -> str:
    """Return a text with one part in another's place, bounded in growth."""
    text, old, new = str(text), str(old), str(new)
    if more or not old or len(text) > _SHORT or len(new) > _REPLACEMENT:
        raise SecurityError("expected a short text in which something short is replaced")
    return text.replace(old, new)


def _end(position: int) -> Callable[[object], object]:
    def pick(value: object) -> object:
        return value[position] if isinstance(value, str | list | tuple) and value else None

    return pick


_FILTERS: Mapping[str, Callable[..., object]] = {
    "float": _number,
    "int": _integer,
    "bool": _truth,
    "round": _rounded,
    "abs": lambda value: value if isinstance(value, Undefined) else abs(value),
    "default": _default,
    "d": _default,
    "is_defined": lambda value: value,
    "iif": _choice,
    "lower": lambda value: str(value).lower(),
    "upper": lambda value: str(value).upper(),
    "trim": lambda value: str(value).strip(),
    "string": str,
    "length": len,
    "count": len,
    "replace": _replace,
    "first": _end(0),
    "last": _end(-1),
    "add": lambda value, other: _calculated("+", _number(value), other),
    "multiply": lambda value, other: _calculated("*", _number(value), other),
    "is_number": lambda value: isinstance(_number(value, None), float),
}
_GLOBALS: Mapping[str, Callable[..., object]] = {
    name: _FILTERS[name] for name in ("float", "int", "bool", "iif", "is_number")
}


def _environment() -> _Environment:
    environment = _Environment(undefined=ChainableUndefined, autoescape=False, optimized=False, cache_size=0)
    environment.filters = dict(_FILTERS)
    environment.globals = dict(_GLOBALS)
    environment.tests = {name: test for name, test in environment.tests.items() if name in _TESTS}
    return environment


_ENVIRONMENT = _environment()
