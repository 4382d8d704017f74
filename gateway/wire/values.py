"""Single values: what may stand in a reading or a fact, and in which kind it is kept."""

import math

from gateway.wire.documents import Broken
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.topics import IDENTIFIER
from rules.batch import Value
from rules.signals import SignalKind

MAX_TEXT = 256  # characters; error codes and modes are short (contract section 1)


def checked_value(value: object, kind: SignalKind | None) -> Value:
    """Return a value of a document as a reading of a signal of that kind, None for any kind.

    A number takes booleans as 1 and 0, a boolean takes 0 and 1, a text takes integers (error codes).

    Raises:
        Unusable: it cannot be one.
    """
    scalar = checked_scalar(value)
    if scalar is None or kind is None:
        return float(scalar) if isinstance(scalar, int) and not isinstance(scalar, bool) else scalar
    if kind == "number" and isinstance(scalar, bool | int | float):
        return float(scalar)
    if kind == "boolean" and (isinstance(scalar, bool) or scalar in (0, 1)):
        return bool(scalar)
    if kind == "text" and isinstance(scalar, str):
        return scalar
    if kind == "text" and not isinstance(scalar, bool | str) and scalar == int(scalar):
        return str(int(scalar))
    raise Unusable(QuarantineReason.WRONG_KIND, f"expected a {kind}, got {shown(value)}")


def checked_scalar(value: object) -> int | float | bool | str | None:
    """Return a number, boolean, short text or None of a document as it stands.

    Raises:
        Unusable: it is something else, or cannot be kept.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _finite(value)
    if isinstance(value, str):
        return checked_text(value)
    if isinstance(value, Broken):
        raise Unusable(value.reason, f"expected a finite number, got {value.text}")
    name = "an object" if isinstance(value, dict) else "a list"
    raise Unusable(QuarantineReason.WRONG_TYPE, f"expected a number, boolean, short text or null, got {name}")


def checked_text(text: str) -> str:
    """Return a text that every store can keep.

    Raises:
        Unusable: reason text_too_long or bad_text.
    """
    if len(text) > MAX_TEXT:
        raise Unusable(
            QuarantineReason.TEXT_TOO_LONG, f"expected at most {MAX_TEXT} characters, got {len(text)}"
        )
    if not is_storable(text):
        raise Unusable(QuarantineReason.BAD_TEXT, f"expected Unicode text without NUL, got {shown(text)}")
    return text


def is_short_text(text: str) -> bool:
    """Say whether `checked_text` would take a text."""
    return len(text) <= MAX_TEXT and is_storable(text)


def is_storable(text: str) -> bool:
    """Say whether a text has neither NUL nor half a surrogate pair."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _finite(number: float) -> float:
    try:
        finite = math.isfinite(number)
    except OverflowError:  # an int of more than 308 digits
        finite = False
    if not finite:
        raise Unusable(QuarantineReason.OUT_OF_RANGE, "expected a number that a float can hold")
    return number if -(2**63) <= number < 2**63 else float(number)


def is_key(key: str) -> bool:
    """Say whether a text is ``SIGNAL`` or ``SIGNAL@COMPONENT``."""
    signal, at, component = key.partition("@")
    return bool(IDENTIFIER.fullmatch(signal)) and (not at or bool(IDENTIFIER.fullmatch(component)))
