"""Instants and durations: milliseconds since 1970 UTC inside, RFC 3339 and ``10m`` outside."""

import math
import re
from datetime import UTC, datetime

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_UNITS_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"(\d{1,15})([smhd])")
_UNIT_WORDS = (("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS))

#: Longest duration: a hundred years, which fit into what a device's clock can say.
LONGEST_MS = 36_500 * DAY_MS

#: Last instant that `datetime` can print, 9999-12-31T23:59:59.999Z; devices with broken clocks go further.
MAX_INSTANT_MS = 253_402_300_799_999


def parse_duration(text: str) -> int:
    """Return the milliseconds of a duration such as ``30s``, ``10m``, ``2h``, ``7d`` or ``1h30m``.

    Raises:
        ValueError: the text is not a duration; the message says what was expected and what stood there.
    """
    position = total = 0
    while match := _DURATION.match(text, position):
        total += int(match[1]) * _UNITS_MS[match[2]]
        position = match.end()
    if position == 0 or position != len(text):
        raise ValueError(f"expected a duration such as 30s, 10m, 2h or 7d, got {text!r}")
    if total > LONGEST_MS:
        raise ValueError(f"expected a duration of at most {LONGEST_MS // DAY_MS}d, got {text!r}")
    return total


def format_duration(milliseconds: int) -> str:
    """Return a duration in the notation of `parse_duration`; parts below one second are dropped.

    >>> format_duration(5_400_000)
    '1h30m'
    """
    rest = milliseconds // SECOND_MS * SECOND_MS
    words = []
    for unit, size in _UNIT_WORDS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"


def to_rfc3339(instant_ms: int) -> str:
    """Return an instant as RFC 3339 in UTC, with milliseconds only where they are not zero.

    >>> to_rfc3339(1_767_226_200_000)
    '2026-01-01T00:10:00Z'
    """
    seconds, milliseconds = divmod(instant_ms, SECOND_MS)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{milliseconds:03d}Z" if milliseconds else f"{text}Z"


def parse_instant(value: str | float) -> int:
    """Return the milliseconds since 1970 UTC of an RFC 3339 text or of a number of milliseconds.

    A text without a zone is taken as UTC.

    Raises:
        ValueError: neither a finite number nor an RFC 3339 text, or outside the years 1970 to 9999.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"expected RFC 3339 or milliseconds since 1970, got {value!r}") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        instant = round(moment.timestamp() * SECOND_MS)
    else:
        if not math.isfinite(value):
            raise ValueError(f"expected a finite number of milliseconds, got {value!r}")
        instant = int(value)
    if not 0 <= instant <= MAX_INSTANT_MS:
        raise ValueError(f"expected an instant in the years 1970 to 9999, got {value!r}")
    return instant
