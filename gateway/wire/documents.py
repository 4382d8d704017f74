"""Bytes to JSON documents: fast where a payload is clean, lenient where a part of it is not JSON.

Devices print ``nan``, ``Infinity`` and numbers beyond float. A strict parser would cost the good readings
that stand beside them, so such a number becomes a `Broken` in its place and everything else is kept.
"""

import json
import math
import re
from dataclasses import dataclass

import msgspec

from gateway.wire.reasons import QuarantineReason, Unusable, shown


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands in a document where a number stood that no float can hold."""

    reason: QuarantineReason
    text: str


_STRICT = msgspec.json.Decoder()
_WORDS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[-+]?\b(?:nan|inf(?:inity)?)\b', re.IGNORECASE | re.DOTALL)

# Beyond 2**63 an integer is no count of anything; a float keeps its size without the cost of its digits.
_INTEGER_DIGITS = 18


def parse_document(payload: bytes) -> object:
    """Return the JSON document in a payload; numbers that are none become `Broken`.

    Trailing NULs (C programs send their terminator) and a byte order mark are not held against it. Of a
    key that stands twice the last value counts.

    Raises:
        Unusable: reason empty_payload, not_utf8, malformed_json or too_deep.
    """
    if not payload:
        raise Unusable(QuarantineReason.EMPTY_PAYLOAD, "expected a message, got no bytes")
    try:
        return _STRICT.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _parse_leniently(payload)


def _parse_leniently(payload: bytes) -> object:
    try:
        text = payload.decode("utf-8-sig").rstrip("\0")
    except UnicodeDecodeError as error:
        found = payload[error.start : error.start + 1].hex()
        raise Unusable(
            QuarantineReason.NOT_UTF8, f"expected UTF-8, got byte 0x{found} at {error.start}"
        ) from None
    try:
        return _loads(text)
    except RecursionError:
        raise Unusable(QuarantineReason.TOO_DEEP, "objects and lists nest too deep") from None
    except json.JSONDecodeError:
        pass
    try:
        return _loads(_WORDS.sub(_as_json_word, text))
    except RecursionError:
        raise Unusable(QuarantineReason.TOO_DEEP, "objects and lists nest too deep") from None
    except json.JSONDecodeError as error:
        around = text[max(0, error.pos - 10) : error.pos + 20]
        raise Unusable(
            QuarantineReason.MALFORMED_JSON, f"{error.msg} at character {error.pos}: {shown(around)}"
        ) from None


def _loads(text: str) -> object:
    return json.loads(text, parse_constant=_constant, parse_int=_integer, parse_float=_float)


def _as_json_word(match: "re.Match[str]") -> str:
    """Spell what C's printf makes of a number as Python's parser knows it; leave strings alone."""
    word = match[0].lower()
    if word.startswith('"'):
        return match[0]
    if word.endswith("nan"):
        return "NaN"
    return "-Infinity" if word.startswith("-") else "Infinity"


def _constant(word: str) -> Broken:
    reason = QuarantineReason.NOT_A_NUMBER if word == "NaN" else QuarantineReason.OUT_OF_RANGE
    return Broken(reason, word)


def _integer(digits: str) -> int | float | Broken:
    return int(digits) if len(digits) <= _INTEGER_DIGITS else _float(digits)


def _float(digits: str) -> float | Broken:
    number = float(digits)
    return number if math.isfinite(number) else Broken(QuarantineReason.OUT_OF_RANGE, shown(digits))
