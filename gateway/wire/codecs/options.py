"""Options of a codec, checked for their type."""

from collections.abc import Mapping
from typing import TypeVar

_Option = TypeVar("_Option", str, int, bool)


def checked_option(options: Mapping[str, object], key: str, default: _Option) -> _Option:
    """Return the option at a key, `default` where it is left out.

    Raises:
        ValueError: it is of another type than the default; the text says what was expected.
    """
    value = options.get(key, default)
    if type(value) is not type(default):
        kind = {str: "a text", int: "an integer", bool: "true or false"}[type(default)]
        raise ValueError(f"{key}: expected {kind}, got {value!r}")
    return value
