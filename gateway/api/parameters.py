"""Query parameters in the notation of the outside world, checked."""

import re
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema

from rules.times import parse_duration, parse_instant


def _instant(value: object) -> object:
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return parse_instant(float(value))
    # A plus sign that a caller did not encode arrives as a space.
    return parse_instant(re.sub(r" (\d\d:?\d\d)$", r"+\1", value))


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    seconds = re.fullmatch(r"\d{1,9}", value)  # without a unit, as in Prometheus' queries
    milliseconds = parse_duration(f"{value}s" if seconds else value)
    if milliseconds == 0:
        raise ValueError(f"expected a duration above zero, got {value!r}")
    return milliseconds


_INSTANT_SCHEMA = WithJsonSchema({"type": "string", "examples": ["2026-01-01T00:10:00Z", "1767226200000"]})
_DURATION_SCHEMA = WithJsonSchema({"type": "string", "examples": ["30s", "10m", "1h30m", "60"]})

#: RFC 3339, or ms since 1970 UTC.
InstantParameter = Annotated[int, BeforeValidator(_instant), _INSTANT_SCHEMA]
#: ``30s``, ``10m``, ``2h``, ``7d``, or whole seconds.
DurationParameter = Annotated[int, BeforeValidator(_duration), _DURATION_SCHEMA]

Cursor = Annotated[str | None, Query(description="`next` of the page before", max_length=500)]
Limit = Annotated[int, Query(ge=1, le=1000, description="items on a page")]
