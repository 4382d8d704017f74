"""Rule packs from YAML files: read whole, checked whole, refused with file, line and key."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from rules.document import Document, read_document
from rules.expression.build import spelled_like
from rules.model import Override, PackEntry, Rule, RuleEntry
from rules.pack_shape import read_pack
from rules.rule_reader import EntryReader, RuleReader
from rules.signals import Catalogue, Signal, load_catalogue


class PackError(ValueError):
    """Packs are wrong.

    Attributes:
        problems: sentences with file, line, key, what was expected and what stood there.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules that are evaluated together and the catalogue that they are written against."""

    rules: tuple[Rule, ...]
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class _Pack:
    document: Document
    entry: PackEntry


def load_rules(sources: Iterable[str | Path]) -> RuleSet:
    """Load packs: ``builtin``, files, or folders whose ``*.yaml`` and ``*.yml`` files are read in order.

    Raises:
        PackError: any of them is wrong; nothing is loaded.
    """
    problems: list[str] = []
    return _load(_files(sources, problems), problems)


def read_packs(sources: Iterable[str | Path]) -> list[tuple[str, bytes]]:
    """Return the files that `load_rules` would load, by name, as they now stand.

    Raises:
        PackError: a file cannot be read, or a folder has none.
    """
    problems: list[str] = []
    files = list(_files(sources, problems))
    if problems:
        raise PackError(problems)
    return files


def load_files(files: Iterable[tuple[str, bytes]]) -> RuleSet:
    """Load packs from what `read_packs` returns, or from texts that stand in no file yet.

    Raises:
        PackError: any of them is wrong; nothing is loaded.
    """
    return _load(files, [])


def _load(files: Iterable[tuple[str, bytes]], problems: list[str]) -> RuleSet:
    """Load packs; `problems` has what is known to be wrong once `files` were gone through."""
    packs: list[_Pack] = []
    for name, content in files:
        document = read_document(name, content, problems)
        if document is not None and (shaped := read_pack(document, problems)) is not None:
            packs.append(_Pack(document, shaped))
    catalogue = load_catalogue().extended(_signals(packs))
    overrides = _overrides(packs, catalogue, problems)
    rules: list[Rule] = []
    places: dict[str, str] = {}
    for pack in packs:
        for index, entry in enumerate(pack.entry.rules):
            reader = RuleReader(pack.document, ("rules", index), catalogue, problems)
            if entry.id in places:
                reader.report(("id",), f"rule {entry.id!r} stands already at {places[entry.id]}")
            places[entry.id] = pack.document.place(("rules", index))
            rule = reader.read(
                entry, pack=pack.entry.pack, order=len(rules), overrides=tuple(overrides[entry.id])
            )
            if rule is not None and entry.enabled:
                rules.append(rule)
    if problems:
        raise PackError(problems)
    return RuleSet(tuple(rules), catalogue)


def _signals(packs: list[_Pack]) -> Iterator[Signal]:
    for pack in packs:
        for name, entry in pack.entry.signals.items():
            yield Signal(
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


def _overrides(packs: list[_Pack], catalogue: Catalogue, problems: list[str]) -> dict[str, list[Override]]:
    """Return what all packs override, by rule, in the order in which it was loaded."""
    rules: dict[str, RuleEntry] = {rule.id: rule for pack in packs for rule in pack.entry.rules}
    found: dict[str, list[Override]] = defaultdict(list)
    for pack in packs:
        for index, entry in enumerate(pack.entry.overrides):
            reader = EntryReader(pack.document, ("overrides", index), catalogue, problems)
            if entry.rule not in rules:
                hint = spelled_like(entry.rule, rules)
                reader.report(
                    ("rule",), f"expected a rule of the packs that are loaded, got {entry.rule!r}{hint}"
                )
                continue
            found[entry.rule].append(reader.override(entry, rules[entry.rule].limits))
    return found


def _files(sources: Iterable[str | Path], problems: list[str]) -> Iterator[tuple[str, bytes]]:
    for source in sources:
        if source == "builtin":
            folder = resources.files("rules").joinpath("packs")
            for item in sorted(folder.iterdir(), key=lambda item: item.name):
                if item.name.endswith(".yaml") and _is_pack(item.name):
                    yield f"builtin/{item.name}", item.read_bytes()
            continue
        path = Path(source)
        found = [path]
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and _is_pack(p.name))
            if not found:
                problems.append(f"{path}: expected rule packs (*.yaml), found none")
        for file in found:
            try:
                yield str(file), file.read_bytes()
            except OSError as error:
                problems.append(f"{file}: {error.strerror}")


def _is_pack(name: str) -> bool:
    """Return whether a YAML file of a folder is a pack and not a scenario file that stands beside one."""
    return not name.endswith((".test.yaml", ".test.yml"))
