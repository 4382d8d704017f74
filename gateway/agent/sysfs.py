"""Files of ``/sys`` and ``/proc``: small texts and numbers that may be missing, or be refused to us."""

import re
from pathlib import Path

#: Where the kernel shows the machine; tests put a folder in its place.
SYS = Path("/sys")

Value = float | int | bool | str | None
Values = dict[str, Value]

_MOST_BYTES = 4_096
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.:-]+", re.ASCII)
_NAME_LENGTH = 64


def text_of(path: Path) -> str | None:
    """Return what stands in a file, without white space around it; None when it cannot be read or is empty.

    Reading may fail although the file is there: a sensor that sleeps, a driver that has none behind it.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return None
    return text.strip(" \t\r\n\0") or None


def integer_of(path: Path) -> int | None:
    """Return the integer in a file, None when there is none."""
    text = text_of(path)
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def entries(folder: Path) -> list[Path]:
    """Return what stands in a folder, in order of the numbers in the names; nothing when it is not there."""
    try:
        return sorted(folder.iterdir(), key=lambda path: _natural(path.name))
    except OSError:
        return []


def as_name(text: str) -> str:
    """Return a text as a name: 1 to 64 of ``A-Z a-z 0-9 _ . : -``; ``""`` when nothing of it is left."""
    return _NOT_IN_NAMES.sub("-", text)[:_NAME_LENGTH].strip("-")


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key by which ``hwmon2`` stands before ``hwmon10``."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)
    ]
