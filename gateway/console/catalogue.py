"""What the console says, and what of it has no translation: ``python -m gateway.console.catalogue``."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from diagnostics.orders.translations import LANGUAGES
from gateway.backtest import words
from gateway.console.language import catalogue_of
from gateway.plainwords import words_of
from gateway.wire.reasons import QuarantineReason

#: Where the console's texts stand.
CONSOLE = Path(__file__).parent

#: The functions whose first argument is a text to be translated: `t` shows it, `msg` marks it in a table.
TRANSLATING = frozenset({"t", "msg"})


class Said(NamedTuple):
    """A text of the console and where it stands, ``path:line``."""

    text: str
    where: str


def said_in(folder: Path) -> Iterator[Said]:
    """Yield the texts to be translated in the Python files of a folder, in order of path and line."""
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield from _said_by(node, node.func.id, path.relative_to(folder))


def _said_by(call: ast.Call, function: str, path: Path) -> Iterator[Said]:
    first = call.args[0] if call.args else None
    if function in TRANSLATING and isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield Said(first.value, f"{path}:{call.lineno}")


def texts() -> dict[str, str]:
    """Return all texts of the console, and where each stands first."""
    found: dict[str, str] = {}
    for said in said_in(CONSOLE):
        found.setdefault(said.text, said.where)
    for text in words.TEXTS:
        found.setdefault(text, "gateway/backtest/words.py")
    for reason in QuarantineReason:
        found.setdefault(words_of(reason.value), "words.py: rejection_words")
    return found


def untranslated(language: str) -> dict[str, str]:
    """Return the texts without a translation into a language, and where they stand."""
    known = catalogue_of(language)
    return {text: where for text, where in texts().items() if text not in known}


def unsaid(language: str) -> list[str]:
    """Return the translated texts that the console says no more."""
    said = texts()
    return [text for text in catalogue_of(language) if text not in said]


def names_in(text: str) -> frozenset[str]:
    """Return the ``{names}`` in a text.

    >>> sorted(names_in("{here} of {all}"))
    ['all', 'here']
    """
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def misnamed(language: str) -> dict[str, str]:
    """Return the texts whose translation into a language does not have the same ``{names}``."""
    return {
        text: translated
        for text, translated in catalogue_of(language).items()
        if names_in(text) != names_in(translated)
    }


def report() -> list[str]:
    """Return a line for each thing to do, by language."""
    lines = []
    for language in LANGUAGES:
        lines += [
            f"{language}: {where}: no translation: {text!r}" for text, where in untranslated(language).items()
        ]
        lines += [f"{language}: other names: {text!r}: {said!r}" for text, said in misnamed(language).items()]
        lines += [f"{language}: said nowhere: {text!r}" for text in unsaid(language)]
    return lines


def main() -> int:
    """Print what is to be done; 1 when there is anything."""
    lines = report()
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, f"{len(texts())} texts, {len(lines)} to do"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
