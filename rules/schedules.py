"""Schedules: when a rule looks, by the clock on the wall where the device stands."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from rules.batch import Bool, Float64, Int64
from rules.model import Schedule
from rules.symbols import Interner
from rules.times import MINUTE_MS

#: Time zones change their offset at quarters of an hour and at no other moment.
_SLICE_MS = 15 * MINUTE_MS
_DAY_MINUTES = 24 * 60


def inside(schedule: Schedule, zones: Float64, texts: Interner[str], t: Int64) -> Bool:
    """Return [N] bool: the moment is inside the schedule; never where no time zone is known.

    Args:
        schedule: when the rule looks.
        zones: [N] float64, numbers of the texts that devices state as their time zone, nan without.
        texts: what these numbers stand for.
        t: [N] int64, moments in ms since 1970 UTC.
    """
    found = np.zeros(len(t), dtype=np.bool_)
    slices = t // _SLICE_MS
    keys = np.stack([np.nan_to_num(zones, nan=-1.0).astype(np.int64), slices])
    kinds, which = np.unique(keys, axis=1, return_inverse=True)
    which = which.reshape(-1)
    for index, (zone, part) in enumerate(kinds.T.tolist()):
        stated = texts[zone] if zone >= 0 else None
        offset = _offset(stated, part)
        if offset is None and schedule.zone is not None:
            offset = _offset(schedule.zone, part)
        if offset is None:
            continue
        of_kind = which == index
        minutes = t[of_kind] // MINUTE_MS + offset
        found[of_kind] = _looks(schedule, minutes)
    return found


def _looks(schedule: Schedule, local: Int64) -> Bool:
    """Return [N] bool for local times in minutes since Thursday, 1970-01-01."""
    today = (local // _DAY_MINUTES + 3) % 7  # Monday is 0
    minute = local % _DAY_MINUTES
    days = np.array([day in schedule.days for day in range(7)])
    if schedule.begin < schedule.end:
        return np.asarray(days[today] & (minute >= schedule.begin) & (minute < schedule.end))
    # A span that passes midnight belongs to the day on which it begins.
    yesterday = (today - 1) % 7
    return np.asarray(
        (days[today] & (minute >= schedule.begin)) | (days[yesterday] & (minute < schedule.end))
    )


@lru_cache(maxsize=65_536)
def _offset(name: str | None, part: int) -> int | None:
    """Return the minutes that a zone is ahead of UTC in a slice of time; None where nobody knows the zone."""
    zone = _zone(name)
    if zone is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=part * _SLICE_MS)
    offset = moment.astimezone(zone).utcoffset()
    return None if offset is None else int(offset.total_seconds() // 60)


@lru_cache(maxsize=1024)
def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None
