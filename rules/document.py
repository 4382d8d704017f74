"""YAML files as plain values that know where they stand, so that messages can point."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

#: Keys and indexes that lead to an entry.
Path = tuple[str | int, ...]

# YAML as people mean it: on, off, yes, no, dates, times of day, 0x1F and 007 are texts, 1e9 is a number.
_RESOLVERS = (
    ("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)$"), "tf"),
    ("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)$"), ["~", "n", ""]),
    ("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        re.compile(
            r"(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$"
        ),
        "-+.0123456789",
    ),
)


class _Loader(yaml.SafeLoader):
    """Safe, and with the resolvers above in place of YAML 1.1's."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  PyYAML's own name for it, on each class


for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_tag, _pattern, list(_first))


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where an entry stands: the line of its key, and from which index of the file its value goes on."""

    line: int
    begin: int
    end: int
    style: str | None


@dataclass(slots=True)
class Document:
    """A YAML file as plain values.

    Attributes:
        name: of the file, for messages.
        text: of the file.
        value: of the whole.
    """

    name: str
    text: str
    value: object = None
    _entries: dict[Path, _Entry] = field(default_factory=dict)

    def note(self, path: Path, node: yaml.Node, line: int) -> None:
        """Keep where an entry stands; its key stands in `line`, from 0."""
        style = node.style if isinstance(node, yaml.ScalarNode) else None
        self._entries[path] = _Entry(line + 1, node.start_mark.index, node.end_mark.index, style)

    def place(self, path: Path) -> str:
        """Return ``file:line`` of the nearest enclosing entry of a path."""
        while path and path not in self._entries:
            path = path[:-1]
        return f"{self.name}:{self._entries[path].line if path in self._entries else 1}"

    def place_in(self, path: Path, value: str, offset: int) -> str:
        """Return ``file:line:column`` of a character of a text, whatever quotes and lines it is written in.

        Args:
            path: of the text.
            value: the text as YAML reads it.
            offset: of the character in `value`; its length for the place behind it.
        """
        entry = self._entries.get(path)
        if entry is None:
            return self.place(path)
        index = _index_in_source(self.text, entry, value, offset)
        line_begin = self.text.rfind("\n", 0, index) + 1
        return f"{self.name}:{self.text.count(chr(10), 0, index) + 1}:{index - line_begin + 1}"

    def report(self, path: Path, problem: str) -> str:
        """Return a problem with the place and the key that it is about."""
        return f"{self.place(path)}: {spell(path)}: {problem}"


def spell(path: Path) -> str:
    """Return a path as people write it: ``rules[0].when``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def read_document(name: str, content: bytes, problems: list[str]) -> Document | None:
    """Return a YAML file, None when it is none; what is wrong with it is added to `problems`."""
    composed = compose(name, content, "{pack: name, rules: [...]}", problems)
    if composed is None:
        return None
    text, node = composed
    document = Document(name, text)
    document.note((), node, node.start_mark.line)
    document.value = _Reader(document, problems).plain(node, ())
    return document


def compose(name: str, content: bytes, shape: str, problems: list[str]) -> tuple[str, yaml.Node] | None:
    """Return the text of a YAML file and its root, None when it is none; `problems` takes what is wrong.

    Args:
        name: of the file, for messages.
        content: of the file.
        shape: what an empty file should have been.
        problems: sentences with file, line and what was expected.
    """
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else f"{name}:1"
        problems.append(f"{place}: not YAML: {error.problem}")
        return None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(f"{name}:{line}: not YAML: expected UTF-8, got byte 0x{content[error.start]:02x}")
        return None
    except (yaml.YAMLError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).replace("\n", " ")
        problems.append(f"{name}:1: not YAML: {reason}")
        return None
    if node is None:
        problems.append(f"{name}:1: expected {shape}, the file is empty")
        return None
    return text, node


def plain_scalar(node: yaml.Node) -> object:
    """Return a scalar as a text, a number, true, false or None.

    Raises:
        ValueError: it carries a tag that says something else.
    """
    try:
        return _Loader("").construct_object(node)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


class _Reader:
    """Turns YAML's nodes into plain values; a key that comes twice is a problem."""

    def __init__(self, document: Document, problems: list[str]) -> None:
        self._document = document
        self._problems = problems
        self._within: list[yaml.Node] = []

    def plain(self, node: yaml.Node, path: Path) -> object:
        if any(node is outer for outer in self._within):
            self._problems.append(self._document.report(path, "expected a value, got a reference to itself"))
            return None
        self._within.append(node)
        try:
            return self._value(node, path)
        finally:
            self._within.pop()

    def _value(self, node: yaml.Node, path: Path) -> object:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self._document.note((*path, index), item, item.start_mark.line)
                items.append(self.plain(item, (*path, index)))
            return items
        try:
            return plain_scalar(node)
        except ValueError:
            written = self._document.text[node.start_mark.index : node.end_mark.index]
            problem = f"expected a text, a number, true or false, got {written[:40]}"
            self._problems.append(self._document.report(path, problem))
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            where = (*path, key)
            self._document.note(where, value_node, key_node.start_mark.line)
            if key in mapping:
                self._problems.append(self._document.report(where, "this key stands here twice"))
            mapping[key] = self.plain(value_node, where)
        return mapping


def _index_in_source(text: str, entry: _Entry, value: str, offset: int) -> int:
    """Return the index in the file of a character of a text.

    Folding, quotes and indents change blanks and put signs between, never the order of the characters: the
    n-th that is no blank in the text is the n-th that is none in what was written.
    """
    written = list(_characters(text, entry))
    before = sum(not character.isspace() for character in value[:offset])
    if offset < len(value) and before < len(written):
        return written[before]
    return written[before - 1] + 1 if before else entry.begin


def _characters(text: str, entry: _Entry) -> Iterator[int]:
    """Yield the indexes of the characters of a text as written, without blanks, quotes and what escapes."""
    index = entry.begin
    if entry.style in ("|", ">"):
        index = text.find("\n", index) + 1
    elif entry.style in ('"', "'"):
        index += 1
    escape = {'"': "\\", "'": "'"}.get(entry.style or "")
    while index < entry.end:
        if text[index] == escape:
            index += 1
        if index < entry.end and not text[index].isspace():
            yield index
        index += 1
