"""YAML whose every value knows where it stands, and says so when it is not what it should be."""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from rules.document import compose, plain_scalar
from rules.times import parse_duration, parse_instant

T = TypeVar("T")

_MOST_LEVELS = 16


class ScenarioError(ValueError):
    """A scenario file is wrong.

    Attributes:
        problems: sentences with file, line, key, what was expected and what stood there.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@contextmanager
def told(problems: list[str]) -> Iterator[None]:
    """Note what is wrong with one part of a file, so that the other parts are looked at as well."""
    try:
        yield
    except ScenarioError as error:
        problems += error.problems


@dataclass(frozen=True, slots=True)
class Spot:
    """A value of a file, with its place.

    Attributes:
        key: how the value is reached, such as ``tests[2].expect[0].at``.
        line: of its key in a mapping, else its own.
    """

    file: str
    key: str
    line: int
    node: yaml.Node

    @property
    def place(self) -> str:
        """Return ``file:line``."""
        return f"{self.file}:{self.line}"

    @property
    def is_mapping(self) -> bool:
        """Whether a mapping stands here."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether a list stands here."""
        return isinstance(self.node, yaml.SequenceNode)

    def problem(self, sentence: str) -> ScenarioError:
        """Return an error at this place."""
        return ScenarioError([f"{self.place}: {self.key or 'the file'}: {sentence}"])

    def expected(self, what: str) -> ScenarioError:
        """Return an error that says what was expected here and what stands here."""
        return self.problem(f"expected {what}, got {self._got()}")

    def _got(self) -> str:
        match self.node:
            case yaml.MappingNode():
                return "a mapping"
            case yaml.SequenceNode():
                return "a list"
            case yaml.ScalarNode(value="", style=None):
                return "nothing"
        return repr(self.node.value)

    def entries(
        self, known: Collection[str] | None = None, required: Collection[str] = ()
    ) -> dict[str, "Spot"]:
        """Return the entries of a mapping.

        Raises:
            ScenarioError: it is none, or has a key twice, one that is not known, or not one that must be.
        """
        if not isinstance(self.node, yaml.MappingNode):
            raise self.expected("a mapping")
        found: dict[str, Spot] = {}
        for key_node, node in self.node.value:
            name = str(key_node.value)
            key = f"{self.key}.{name}" if self.key else name
            spot = Spot(self.file, key, key_node.start_mark.line + 1, node)
            if known is not None and name not in known:
                raise spot.problem(f"unknown key, expected one of: {', '.join(sorted(known))}")
            if name in found:
                raise spot.problem("this key stands here twice")
            found[name] = spot
        for name in required:
            if name not in found:
                raise self.problem(f"expected the key {name}, it is missing")
        return found

    def items(self) -> list["Spot"]:
        """Return the items of a list.

        Raises:
            ScenarioError: it is none.
        """
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.expected("a list")
        return [
            Spot(self.file, f"{self.key}[{number}]", node.start_mark.line + 1, node)
            for number, node in enumerate(self.node.value)
        ]

    def text(self, what: str = "a text", pattern: str = r"(?s).+") -> str:
        """Return a scalar as it is written.

        Raises:
            ScenarioError: it is none, or does not fit the pattern.
        """
        if not isinstance(self.node, yaml.ScalarNode) or not re.fullmatch(pattern, self.node.value):
            raise self.expected(what)
        return str(self.node.value)

    def choice(self, choices: Collection[str]) -> str:
        """Return a scalar that is one of these words."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.value not in choices:
            raise self.expected(f"{'one of ' if len(choices) > 1 else ''}{', '.join(choices)}")
        return str(self.node.value)

    def count(self, least: int, most: int) -> int:
        """Return a whole number in these bounds."""
        text = self.text(f"a number from {least} to {most}", r"\d{1,9}")
        if not least <= int(text) <= most:
            raise self.expected(f"a number from {least} to {most}")
        return int(text)

    def duration(self) -> int:
        """Return the ms of a duration."""
        return self._parsed(parse_duration, "a duration such as 30s, 10m or 2h")

    def instant(self) -> int:
        """Return an RFC 3339 instant in ms since 1970."""
        return self._parsed(parse_instant, "RFC 3339 such as 2026-03-02T08:00:00Z")

    def moment(self, start: int) -> int:
        """Return an instant that is given from `start` on (``16m``) or in RFC 3339, in ms since 1970."""
        what = "a time from the start on such as 16m, or RFC 3339"
        if isinstance(self.node, yaml.ScalarNode) and "T" in self.node.value:
            return self._parsed(parse_instant, what)
        return start + self._parsed(parse_duration, what)

    def _parsed(self, parse: Callable[[str], T], what: str) -> T:
        try:
            return parse(self.text(what))
        except ValueError:
            raise self.expected(what) from None

    def plain(self, levels: int = _MOST_LEVELS) -> object:
        """Return the value as Python's: what stands in facts and results."""
        if levels < 0:
            raise self.problem(f"expected at most {_MOST_LEVELS} levels")
        match self.node:
            case yaml.MappingNode():
                return {name: spot.plain(levels - 1) for name, spot in self.entries().items()}
            case yaml.SequenceNode():
                return [spot.plain(levels - 1) for spot in self.items()]
        try:
            return plain_scalar(self.node)
        except ValueError:
            raise self.expected("a number, a text, true, false or null") from None


def read_root(path: Path) -> Spot:
    """Return the root of a YAML file.

    Raises:
        ScenarioError: it cannot be read, or is not YAML.
    """
    problems: list[str] = []
    try:
        composed = compose(str(path), path.read_bytes(), "{tests: [...]}", problems)
    except OSError as error:
        raise ScenarioError([f"{path}: {error.strerror}"]) from None
    if composed is None:
        raise ScenarioError(problems)
    return Spot(str(path), "", composed[1].start_mark.line + 1, composed[1])
