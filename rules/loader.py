"""Rule packs from YAML files: read whole, checked whole, refused with file, line and key."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import yaml
from pydantic import ValidationError

from rules.expression.parse import ExpressionError, parse
from rules.expression.tree import Node
from rules.model import (
    DEVICE_CLASSES,
    AlsoWay,
    Confirmation,
    ConfirmEntry,
    EngineerWay,
    HeldWay,
    PackEntry,
    Pattern,
    ProbeWay,
    Rule,
    RuleEntry,
    Scalar,
    Way,
    WayEntry,
)
from rules.selector import matches
from rules.signals import Catalogue, Signal, load_catalogue

_Path = tuple[str | int, ...]


class PackError(ValueError):
    """Packs are wrong.

    Attributes:
        problems: sentences with file, line, key, what was expected and what stood there.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: ``on``, ``off``, ``yes``, ``no`` and dates are texts."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile(r"(?:true|false)$") if tag.endswith(":bool") else pattern)
        for tag, pattern in resolvers
        if not tag.endswith(":timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules that are evaluated together and the catalogue that they are written against."""

    rules: tuple[Rule, ...]
    catalogue: Catalogue


@dataclass(slots=True)
class _Document:
    """A YAML file as plain values, and where each of them stands."""

    name: str
    value: object
    lines: dict[_Path, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: _Path) -> str:
        """Return ``file:line`` of the nearest enclosing entry of a path."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, (1, 1))[0]}"


def load_rules(sources: Iterable[str | Path]) -> RuleSet:
    """Load packs: ``builtin``, files, or folders whose ``*.yaml`` and ``*.yml`` files are read in order.

    Raises:
        PackError: any of them is wrong; nothing is loaded.
    """
    problems: list[str] = []
    packs: list[tuple[_Document, PackEntry]] = []
    for name, text in _files(sources, problems):
        document = _read(name, text, problems)
        if document is not None and (pack := _validate(document, problems)) is not None:
            packs.append((document, pack))
    catalogue = load_catalogue().extended(
        Signal(
            name=name,
            kind=entry.kind,
            unit=entry.unit,
            title=entry.title,
            low=entry.low,
            high=entry.high,
            values=tuple(entry.values),
            period_ms=entry.period,
            wraps=entry.wraps,
        )
        for _, pack in packs
        for name, entry in pack.signals.items()
    )
    rules: list[Rule] = []
    places: dict[str, str] = {}
    for document, pack in packs:
        for index, entry in enumerate(pack.rules):
            reader = _RuleReader(document, pack.pack, ("rules", index), catalogue, problems)
            if entry.id in places:
                reader.report(("id",), f"rule {entry.id!r} stands already at {places[entry.id]}")
            places[entry.id] = document.place(("rules", index))
            rule = reader.read(entry, len(rules))
            if rule is not None and entry.enabled:
                rules.append(rule)
    if problems:
        raise PackError(problems)
    return RuleSet(tuple(rules), catalogue)


def _files(sources: Iterable[str | Path], problems: list[str]) -> Iterator[tuple[str, bytes]]:
    for source in sources:
        if source == "builtin":
            folder = resources.files("rules").joinpath("packs")
            for item in sorted(folder.iterdir(), key=lambda item: item.name):
                if item.name.endswith(".yaml"):
                    yield f"builtin/{item.name}", item.read_bytes()
            continue
        path = Path(source)
        found = [path]
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and _is_pack(p))
            if not found:
                problems.append(f"{path}: expected rule packs (*.yaml), found none")
        for file in found:
            try:
                yield str(file), file.read_bytes()
            except OSError as error:
                problems.append(f"{file}: {error.strerror}")


def _is_pack(path: Path) -> bool:
    """Return whether a YAML file of a folder is a pack and not a scenario file that stands beside one."""
    return not path.name.endswith((".test.yaml", ".test.yml"))


def _read(name: str, text: bytes, problems: list[str]) -> _Document | None:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.append(f"{name}:{line}: not YAML: {error.problem}")
        return None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        problems.append(f"{name}:1: not YAML: {error}")
        return None
    if node is None:
        problems.append(f"{name}:1: expected {{pack: name, rules: [...]}}, the file is empty")
        return None
    document = _Document(name, None)
    document.value = _plain(node, (), document, problems)
    return document


def _plain(node: yaml.Node, path: _Path, document: _Document, problems: list[str]) -> object:
    """Return a YAML node as plain values and note where each stands; a key that comes twice is an error."""
    document.lines.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            document.lines[(*path, key)] = (key_node.start_mark.line + 1, value_node.start_mark.column + 1)
            if key in mapping:
                where = (*path, key)
                problems.append(f"{document.place(where)}: {_key(where)}: this key stands here twice")
            mapping[key] = _plain(value_node, (*path, key), document, problems)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, i), document, problems) for i, item in enumerate(node.value)]
    return _Loader("").construct_object(node)


def _validate(document: _Document, problems: list[str]) -> PackEntry | None:
    try:
        return PackEntry.model_validate(document.value)
    except ValidationError as error:
        for problem in error.errors():
            path = tuple(part for part in problem["loc"] if part not in ("str", "float", "bool"))
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                message = f"unknown key, expected one of: {', '.join(_known_keys(path))}"
            elif problem["type"] != "missing":
                message += f", got {problem['input']!r}"
            problems.append(f"{document.place(path)}: {_key(path)}: {message}")
        return None


def _known_keys(path: _Path) -> list[str]:
    model: type[PackEntry | RuleEntry | ConfirmEntry | WayEntry] = PackEntry
    if path[0] == "rules" and len(path) > 2:
        model = RuleEntry
        if path[2] == "confirm":
            model = ConfirmEntry if len(path) == 4 else WayEntry
    return sorted(model.model_fields)


def _key(path: _Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


class _RuleReader:
    """Checks one rule of a pack beyond its shape and builds it."""

    def __init__(
        self, document: _Document, pack: str, path: _Path, catalogue: Catalogue, problems: list[str]
    ) -> None:
        self._document = document
        self._pack = pack
        self._path = path
        self._catalogue = catalogue
        self._problems = problems

    def report(self, path: _Path, problem: str) -> None:
        """Note a problem at a key of the rule."""
        full = (*self._path, *path)
        self._problems.append(f"{self._document.place(full)}: {_key(full)}: {problem}")

    def read(self, entry: RuleEntry, order: int) -> Rule | None:
        """Return the rule, None when there were problems."""
        before = len(self._problems)
        when = self._expression(entry.when, ("when",))
        clear_when = self._expression(entry.clear_when, ("clear_when",)) if entry.clear_when else None
        confirm = self._confirmation(entry.confirm) if entry.confirm else None
        each, selector = self._selector(entry.for_devices)
        for index, signal in enumerate(entry.evidence):
            if signal.partition("@")[0] not in self._catalogue:
                self.report(("evidence", index), f"unknown signal {signal!r}{self._hint(signal)}")
        if len(self._problems) > before or when is None:
            return None
        return Rule(
            order=order,
            id=entry.id,
            pack=self._pack,
            fault=entry.fault,
            title=entry.title,
            selector=selector,
            each=each,
            when=when,
            hold_ms=entry.hold,
            clear_when=clear_when,
            clear_hold_ms=entry.clear_hold,
            confirm=confirm,
            severity=entry.severity,
            severities=(),
            limits=tuple(entry.limits.items()),
            overrides=(),
            flapping=None,
            schedule=None,
            evidence=tuple(entry.evidence),
            source=entry.source,
            parts=tuple(entry.parts),
            text=entry.when,
            clear_text=entry.clear_when,
            place=self._document.place(self._path),
        )

    def _hint(self, signal: str) -> str:
        nearest = self._catalogue.nearest(signal)
        return f"; did you mean {', '.join(nearest)}?" if nearest else ""

    def _expression(self, text: str, path: _Path) -> Node | None:
        try:
            return parse(text, self._catalogue)
        except ExpressionError as error:
            full = (*self._path, *path)
            line, column = self._document.lines.get(full, (1, 1))
            place = f"{self._document.name}:{line}:{column + error.column - 1}"
            self._problems.append(f"{place}: {_key(full)}: {error.problem}, in: {text}")
            return None

    def _selector(
        self, patterns: dict[str, Pattern]
    ) -> tuple[str, tuple[tuple[str, tuple[Scalar, ...]], ...]]:
        each = ""
        selector: list[tuple[str, tuple[Scalar, ...]]] = []
        for name, pattern in patterns.items():
            alternatives = tuple(pattern) if isinstance(pattern, list) else (pattern,)
            if name == "each":
                if not isinstance(pattern, str):
                    self.report(("for_devices", "each"), f"expected one component kind, got {pattern!r}")
                else:
                    each = pattern
                    if not any(signal.name.startswith(f"{each}.") for signal in self._catalogue):
                        self.report(("for_devices", "each"), f"no signal begins with {each!r} and a dot")
                continue
            if name == "class":
                self._check_classes(alternatives)
            selector.append((name, alternatives))
        return each, tuple(selector)

    def _check_classes(self, alternatives: tuple[Scalar, ...]) -> None:
        for alternative in alternatives:
            if not any(matches((alternative,), device_class) for device_class in DEVICE_CLASSES):
                expected = ", ".join(DEVICE_CLASSES)
                self.report(("for_devices", "class"), f"expected one of {expected}, got {alternative!r}")

    def _confirmation(self, entry: ConfirmEntry) -> Confirmation | None:
        if (entry.any_of is None) == (entry.all_of is None):
            self.report(("confirm",), "expected either any_of or all_of")
            return None
        name = "any_of" if entry.any_of is not None else "all_of"
        ways = [
            self._way(way, ("confirm", name, index))
            for index, way in enumerate(entry.any_of or entry.all_of or [])
        ]
        return Confirmation(name == "all_of", tuple(way for way in ways if way is not None))

    def _way(self, entry: WayEntry, path: _Path) -> Way | None:
        given = [name for name in WayEntry.model_fields if getattr(entry, name) is not None]
        if len(given) != 1:
            expected = "expected exactly one of probe, also, held, engineer"
            self.report(path, f"{expected}, got {', '.join(given) or 'none'}")
            return None
        if entry.probe is not None:
            return ProbeWay(entry.probe)
        if entry.held is not None:
            return HeldWay(entry.held)
        if entry.also is not None:
            condition = self._expression(entry.also, (*path, "also"))
            return AlsoWay(condition, entry.also) if condition is not None else None
        return EngineerWay()
