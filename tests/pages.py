"""The documentation as data: pages, fenced examples, rows of tables."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md"))
    if path.is_file()
)


class Example(NamedTuple):
    """A fenced block."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def examples(*languages: str) -> list[Example]:
    """Return all fenced blocks of these languages."""
    return [example for path in PAGES for example in _fences(path) if example.language in languages]


def _fences(path: Path) -> Iterator[Example]:
    text = path.read_text(encoding="utf-8")
    for fence in re.finditer(r"^```([a-z]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield Example(path, text.count("\n", 0, fence.start()) + 1, fence[1], fence[2])


def rows(text: str, heading: str | None = None) -> list[list[str]]:
    """Return the cells of all rows of all tables of a page, or of the section under a heading."""
    if heading is not None:
        text = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
        text = re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def words(text: str) -> list[str]:
    """Return what stands between backquotes."""
    return re.findall(r"`([^`]+)`", text)
