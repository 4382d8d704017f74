"""Payloads that are a single value or a word, and documents taken apart into such values."""

import math
import re
from collections.abc import Iterator

from gateway.wire.documents import Broken, parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
_NO_NUMBER = re.compile(r"[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_INTEGER_DIGITS = 18
_WORDS: dict[str, bool | None] = {
    "true": True,
    "false": False,
    "none": None,
    "null": None,
    "unknown": None,
    "unavailable": None,
}
_ONLINE = frozenset({"online", "on", "true", "1", "ready"})
_OFFLINE = frozenset({"offline", "off", "false", "0", "lost", "disconnected"})
_DEEPEST = 8


def text_of(payload: bytes) -> str:
    """Return a payload as text, without the NULs that C programs send behind it and without outer blanks.

    Raises:
        Unusable: reason not_utf8.
    """
    try:
        return payload.decode("utf-8-sig").rstrip("\0").strip()
    except UnicodeDecodeError as error:
        found = payload[error.start : error.start + 1].hex()
        raise Unusable(
            QuarantineReason.NOT_UTF8, f"expected UTF-8, got byte 0x{found} at {error.start}"
        ) from None


def reading_of(text: str) -> object:
    """Return the number, boolean or None that a text spells, `Broken` for ``nan``, else the text itself.

    >>> reading_of("7.60"), reading_of("True"), reading_of("unknown"), reading_of("Heat")
    (7.6, True, None, 'Heat')
    """
    if _NUMBER.fullmatch(text):
        if len(text) <= _INTEGER_DIGITS and text.lstrip("+-").isdigit():
            return int(text)
        number = float(text)
        return number if math.isfinite(number) else Broken(QuarantineReason.OUT_OF_RANGE, shown(text))
    if _NO_NUMBER.fullmatch(text):
        nan = text.lower().endswith("nan")
        return Broken(QuarantineReason.NOT_A_NUMBER if nan else QuarantineReason.OUT_OF_RANGE, text)
    return _WORDS.get(text.lower(), text) if len(text) <= len("unavailable") else text


def online_of(payload: bytes) -> bool:
    """Return whether a payload says that a device is there: a word, or ``{"state": word}``.

    Agents spell it online/offline, ON/OFF, Online/Offline, true/false.

    Raises:
        Unusable: it says neither.
    """
    text = text_of(payload)
    word: object = text.strip('"')
    if text.startswith("{"):
        document = parse_document(payload)
        word = document.get("state", document.get("online")) if isinstance(document, dict) else None
    online = online_word(str(word))
    if online is None:
        raise Unusable(
            QuarantineReason.WRONG_TYPE, f"expected a word such as online or offline, got {shown(word)}"
        )
    return online


def online_word(word: str) -> bool | None:
    """Return whether a word means that something is there, None for any other word."""
    lowered = word.lower()
    return True if lowered in _ONLINE else False if lowered in _OFFLINE else None


def leaves(document: dict[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the values in a document, each with its keys joined by ``/``; places in lists count from 1.

    What nests deeper than any device's document is yielded as it is, for the decoder to refuse.
    """
    yield from _leaves(document, "", 0)


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, object]]:
    if depth < _DEEPEST and isinstance(value, dict):
        parts = [(str(key), part) for key, part in value.items()]
    elif depth < _DEEPEST and isinstance(value, list):
        parts = [(str(place), part) for place, part in enumerate(value, 1)]
    else:
        yield path, value
        return
    for key, part in parts:
        yield from _leaves(part, f"{path}/{key}" if path else key, depth + 1)
