"""Text to typed tree. Errors say the column, what was expected and what stood there."""

from collections.abc import Callable, Collection
from importlib import resources

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from rules.expression.build import FUNCTIONS, WrongPartError, build, spelled_like
from rules.expression.tree import Node
from rules.signals import Catalogue

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
    "COMMA": "a comma",
    "$END": "the end",
}


class ExpressionError(ValueError):
    """An expression is wrong.

    Attributes:
        column: where, counted from 1 within the expression; line breaks count as characters. One more than
            the expression is long when it ends too early.
        problem: what was expected and what stood there.
    """

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(f"column {column}: {problem}")
        self.column = column
        self.problem = problem


_GRAMMAR = Lark(
    resources.files("rules").joinpath("expression", "grammar.lark").read_text(encoding="utf-8"),
    parser="lalr",
    propagate_positions=True,
    maybe_placeholders=False,
)


def parse(text: str, catalogue: Catalogue, limits: Collection[str] = ()) -> Node:
    """Return the typed tree of a condition.

    Args:
        text: the condition.
        catalogue: the signals that it may name.
        limits: names of the rule's limits.

    Raises:
        ExpressionError: it does not parse, a name is unknown, types or units do not fit, or it is not a
            condition.
    """
    try:
        part = build(_GRAMMAR.parse(text), text, catalogue, limits)
    except UnexpectedToken as error:
        raise _unexpected(error, text, catalogue) from None
    except UnexpectedEOF:
        raise ExpressionError(len(text) + 1, "expected more, got the end") from None
    except UnexpectedCharacters as error:
        place = error.pos_in_stream or 0
        if text[place] in "\"'":
            problem = f"expected a closing {text[place]} on the same line, the text has none"
        else:
            problem = f"expected {_expected(text[:place])}, got {text[place]!r}"
        raise ExpressionError(place + 1, problem) from None
    except VisitError as error:
        if isinstance(error.orig_exc, WrongPartError):
            raise ExpressionError(error.orig_exc.column, error.orig_exc.problem) from None
        raise
    if part.node.type not in ("boolean", "fact"):
        problem = f"expected a condition that is true or false, got a {part.node.type}"
        raise ExpressionError(part.begin + 1, problem)
    return part.node


def _unexpected(error: UnexpectedToken, text: str, catalogue: Catalogue) -> ExpressionError:
    before = error.token_history[-1] if error.token_history else None
    if isinstance(before, Token) and before.type == "NAME":
        hint = spelled_like(before, [*FUNCTIONS, *catalogue.nearest(before)])
        problem = (
            f"expected a signal such as disk.temperature or a function with its (, got {str(before)!r}{hint}"
        )
        return ExpressionError((before.start_pos or 0) + 1, problem)
    if error.token.type == "$END":
        return ExpressionError(len(text) + 1, f"expected {_expected(text)}, got the end")
    place = error.token.start_pos or 0
    return ExpressionError(place + 1, f"expected {_expected(text[:place])}, got {str(error.token)!r}")


def _expected(begun: str) -> str:
    """Return what may follow a beginning that parses: no closing bracket where none is open."""
    parser = _GRAMMAR.parse_interactive(begun)
    parser.exhaust_lexer()
    accepted: Callable[[], set[str]] = parser.accepts
    return ", ".join(sorted({_WORDS.get(name, name.lower()) for name in accepted()}))
