"""Working hours and public holidays: which moments count, and when so much of them has passed.

No clock is read; instants come in as milliseconds since 1970 UTC. Holidays are those of the package
`holidays`, by country and year.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays

from rules.times import DAY_MS, MINUTE_MS

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SPAN = re.compile(r"([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? (\d{2}):(\d{2})-(\d{2}):(\d{2})")
_MINUTES_OF_DAY = 24 * 60

#: What is due later than that by working hours is not promised at all.
HORIZON_DAYS = 3_660

#: Holidays that follow the moon are worked out from tables that end with this century.
_LAST_HOLIDAY_YEAR = 2099


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """When someone works, in local time.

    Attributes:
        text: as it was written, such as ``Mon-Fri 08:00-17:00;Sat 09:00-12:00``.
        spans: for each weekday from Monday its spans, in minutes from midnight, ascending.
    """

    text: str
    spans: tuple[tuple[tuple[int, int], ...], ...]


def parse_hours(text: str) -> WorkingHours:
    """Read working hours such as ``Mon-Fri 08:00-17:00;Sat 09:00-12:00``.

    Raises:
        ValueError: it is not of that form, a span is backwards, or two overlap.
    """
    days: list[list[tuple[int, int]]] = [[] for _ in _WEEKDAYS]
    for piece in filter(None, map(str.strip, text.split(";"))):
        match = _SPAN.fullmatch(piece)
        if match is None or match[1] not in _WEEKDAYS or (match[2] or "Mon") not in _WEEKDAYS:
            raise ValueError(f"no working hours: {piece!r}")
        first = _WEEKDAYS.index(match[1])
        last = _WEEKDAYS.index(match[2]) if match[2] else first
        begin, end = int(match[3]) * 60 + int(match[4]), int(match[5]) * 60 + int(match[6])
        if first > last or not begin < end <= _MINUTES_OF_DAY or int(match[4]) > 59 or int(match[6]) > 59:
            raise ValueError(f"no working hours: {piece!r}")
        for day in range(first, last + 1):
            days[day].append((begin, end))
    for spans in days:
        spans.sort()
        if any(earlier[1] > later[0] for earlier, later in pairwise(spans)):
            raise ValueError(f"working hours overlap: {text!r}")
    if not any(days):
        raise ValueError("no working hours")
    return WorkingHours(text, tuple(map(tuple, days)))


@lru_cache(maxsize=4096)
def holidays_of(country: str, year: int, region: str | None = None) -> frozenset[date]:
    """Return the public holidays of a country in a year, with a region's own; none where none are known.

    Args:
        country: ISO 3166-1 alpha-2.
        year: of the Gregorian calendar.
        region: a subdivision by ISO 3166-2, such as ``DE-BY``; of one that is not known they are the whole
            country's.
    """
    if year > _LAST_HOLIDAY_YEAR or not holidays_known(country):
        return frozenset()
    part = region.partition("-")[2] if region is not None and region_known(country, region) else None
    return frozenset(holidays.country_holidays(country, subdiv=part, years=year))


@lru_cache(maxsize=512)
def holidays_known(country: str) -> bool:
    """Say whether public holidays of a country are known."""
    return country in _regions()


@lru_cache(maxsize=4096)
def region_known(country: str, region: str) -> bool:
    """Say whether the public holidays of a country's region, such as ``DE-BY``, are known."""
    of, _, part = region.partition("-")
    return of == country and part in _regions().get(country, ())


@lru_cache(maxsize=1)
def _regions() -> dict[str, frozenset[str]]:
    """Return the countries of which holidays are known, each with its subdivisions."""
    known = holidays.list_supported_countries(include_aliases=False)
    return {country: frozenset(parts) for country, parts in known.items()}


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working hours in a time zone.

    Attributes:
        country: whose public holidays are off, None when none are.
        region: of the country, whose own ones are off too.
    """

    hours: WorkingHours
    zone: ZoneInfo
    country: str | None = None
    region: str | None = None

    def spans(self, start: int) -> Iterator[tuple[int, int]]:
        """Yield the working spans that end after an instant, as instants, within `HORIZON_DAYS`."""
        day = datetime.fromtimestamp(start // 1000, UTC).astimezone(self.zone).date()
        for _ in range(HORIZON_DAYS):
            if not self._off(day):
                for begin, end in self.hours.spans[day.weekday()]:
                    from_ms, to_ms = self._instant(day, begin), self._instant(day, end)
                    if to_ms > max(start, from_ms):
                        yield max(start, from_ms), to_ms
            if day >= date.max - timedelta(days=2):
                return
            day += timedelta(days=1)

    def after(self, start: int, duration: int) -> int | None:
        """Return when a duration in ms has passed; None when it has not within `HORIZON_DAYS`.

        Its whole days are working days: the same time of day so many working days later, or that day's last
        moment. The rest is working time. What begins outside of the hours begins when they next do.
        """
        days, rest = divmod(duration, DAY_MS)
        moment = self._days_later(start, days) if days else start
        if moment is None or not rest:
            return moment
        for begin, end in self.spans(moment):
            if end - begin >= rest:
                return begin + rest
            rest -= end - begin
        return None

    def minutes_between(self, start: int, end: int, enough: int) -> int:
        """Return the working minutes between two instants; counting stops at `enough`."""
        found = 0
        for begin, until in self.spans(start):
            if begin >= end or found >= enough:
                break
            found += (min(until, end) - begin) // MINUTE_MS
        return min(found, enough)

    def days_between(self, start: int, end: int, enough: int) -> int:
        """Return on how many days there is working time between two instants; counting stops at `enough`."""
        days: set[date] = set()
        for begin, _ in self.spans(start):
            if begin >= end or len(days) >= enough:
                break
            days.add(datetime.fromtimestamp(begin // 1000, UTC).astimezone(self.zone).date())
        return len(days)

    def _days_later(self, start: int, days: int) -> int | None:
        first = next(self.spans(start), None)
        if first is None:
            return None
        begun = datetime.fromtimestamp(first[0] // 1000, UTC).astimezone(self.zone)
        counted, last = -1, None
        for begin, end in self.spans(first[0]):
            day = datetime.fromtimestamp(begin // 1000, UTC).astimezone(self.zone).date()
            if last is not None and day != last[0] and counted == days:
                return last[1]
            if last is None or day != last[0]:
                counted += 1
            wanted = self._instant(day, begun.hour * 60 + begun.minute) + first[0] % MINUTE_MS
            if counted == days and wanted <= end:
                return max(wanted, begin)
            last = (day, end)
        return None

    def _off(self, day: date) -> bool:
        return self.country is not None and day in holidays_of(self.country, day.year, self.region)

    def _instant(self, day: date, minutes: int) -> int:
        return _instant(self.zone, day, minutes)


@lru_cache(maxsize=65_536)
def _instant(zone: ZoneInfo, day: date, minutes: int) -> int:
    """Return the instant of a day's minute in a zone; orders of the same weeks ask for the same ones."""
    whole, rest = divmod(minutes, _MINUTES_OF_DAY)
    moment = datetime.combine(day + timedelta(days=whole), time(rest // 60, rest % 60), zone)
    return int(moment.timestamp() * 1000)
