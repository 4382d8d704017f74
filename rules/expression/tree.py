"""The typed tree of an expression. Every node knows its type; the parser refuses what does not fit."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

#: ``fact`` is whatever the device says of itself: it takes the type of what it is compared with.
Type = Literal["number", "boolean", "text", "fact"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal number, text, true or false."""

    value: float | str | bool

    @property
    def type(self) -> Type:
        """The type of the literal."""
        if isinstance(self.value, bool):
            return "boolean"
        return "text" if isinstance(self.value, str) else "number"


@dataclass(frozen=True, slots=True)
class SignalValue:
    """The latest value of a signal, of the lane's own component unless one is named."""

    signal: str
    component: str
    type: Type


@dataclass(frozen=True, slots=True)
class FactValue:
    """What the device says of itself."""

    name: str
    type: Type = "fact"


@dataclass(frozen=True, slots=True)
class LimitValue:
    """A threshold of the rule, by its name among the rule's `limits`; models may override it."""

    name: str
    type: Type = "number"


@dataclass(frozen=True, slots=True)
class WindowValue:
    """A function over the readings of a signal in (t - window, t].

    Attributes:
        parameter: what the function takes beside: the quantile in [0, 1], the milliseconds of a forecast.
    """

    function: str
    signal: str
    component: str
    window_ms: int
    parameter: float = 0.0
    type: Type = "number"


@dataclass(frozen=True, slots=True)
class TimesTrue:
    """``n_of(condition, n, window)``: the condition was true at n readings or more in (t - window, t].

    A reading is an evaluation at which a signal of the condition was new. Unknown when the window holds no
    reading at which the condition was known.
    """

    condition: "Node"
    least: int
    window_ms: int
    type: Type = "boolean"


@dataclass(frozen=True, slots=True)
class PeerDistance:
    """``peers(x)``: how many scaled MADs the lane is away from the median of its peers."""

    signal: str
    component: str
    type: Type = "number"


@dataclass(frozen=True, slots=True)
class Absent:
    """Whether a signal was silent for so long of arrival time."""

    signal: str
    component: str
    window_ms: int
    type: Type = "boolean"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``+ - * /`` of two numbers; division by zero is unknown."""

    operator: str
    left: "Node"
    right: "Node"
    type: Type = "number"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``< <= > >= == !=``; unknown when a side is."""

    operator: str
    left: "Node"
    right: "Node"
    type: Type = "boolean"


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Three-valued ``and``: false when a side is false, else unknown when a side is unknown."""

    left: "Node"
    right: "Node"
    type: Type = "boolean"


@dataclass(frozen=True, slots=True)
class Disjunction:
    """Three-valued ``or``: true when a side is true, else unknown when a side is unknown."""

    left: "Node"
    right: "Node"
    type: Type = "boolean"


@dataclass(frozen=True, slots=True)
class Inversion:
    """Three-valued ``not``."""

    operand: "Node"
    type: Type = "boolean"


@dataclass(frozen=True, slots=True)
class Choice:
    """``value if condition else other``; unknown when the condition is."""

    value: "Node"
    condition: "Node"
    other: "Node"
    type: Type


Node = (
    Constant
    | SignalValue
    | FactValue
    | LimitValue
    | WindowValue
    | TimesTrue
    | PeerDistance
    | Absent
    | Arithmetic
    | Comparison
    | Conjunction
    | Disjunction
    | Inversion
    | Choice
)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of reading."""
    yield node
    for field in fields(node):
        child = getattr(node, field.name)
        if isinstance(child, Node):
            yield from walk(child)


def limits(node: Node) -> dict[tuple[str, str], Constant | LimitValue]:
    """Return what signals are compared with directly, by (signal, component).

    It is what the evidence of an order calls the limit of a value.
    """
    found: dict[tuple[str, str], Constant | LimitValue] = {}
    for part in walk(node):
        if not isinstance(part, Comparison):
            continue
        for signal, other in ((part.left, part.right), (part.right, part.left)):
            if isinstance(signal, SignalValue) and isinstance(other, Constant | LimitValue):
                found.setdefault((signal.signal, signal.component), other)
    return found
