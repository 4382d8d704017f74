"""Times as foreign formats write them: in which unit a number counts, and in which zone a text is meant."""

import math
from datetime import UTC, datetime, tzinfo

from gateway.wire.documents import Broken
from gateway.wire.reasons import QuarantineReason, shown

#: Numbers below these count seconds, milliseconds, microseconds since 1970; others nanoseconds. Each unit
#: covers the years 1973 to 5138, in which no other does.
_SECONDS, _MILLISECONDS, _MICROSECONDS = 1e11, 1e14, 1e17


def instant_of(number: object) -> object:
    """Return a number since 1970, of whichever unit, in whole milliseconds; anything else as it stands.

    >>> instant_of(1767225600.25), instant_of(1767225600250), instant_of(1767225600250000000)
    (1767225600250, 1767225600250, 1767225600250)
    """
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(_float(number)):
        return number
    if number < _SECONDS:
        return round(number * 1000)
    if number < _MILLISECONDS:
        return round(number)
    return round(number / (1e3 if number < _MICROSECONDS else 1e6))


def moment_of(text: str, zone: tzinfo | None) -> object:
    """Return a date and time as text that says its zone.

    A text without one is local time: of `zone`, or None, not known, where no zone is given. What is no date
    stands as it is, for whoever judges it.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return text
    if moment.tzinfo is not None:
        return moment.isoformat()
    if zone is None:
        return None
    try:
        return moment.replace(tzinfo=zone).astimezone(UTC).isoformat()
    except OverflowError:  # the first or the last day of the calendar
        return text


def number_of(text: str) -> float | Broken | None:
    """Return the number that a text spells, `Broken` for nan and beyond float, None when it spells none."""
    try:
        number = float(text.replace("_", "?"))  # Python's own separator of thousands is nobody else's
    except ValueError:
        return None
    if math.isnan(number):
        return Broken(QuarantineReason.NOT_A_NUMBER, shown(text))
    return number if math.isfinite(number) else Broken(QuarantineReason.OUT_OF_RANGE, shown(text))


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
