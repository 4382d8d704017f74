"""Texts as papers can carry them: no control characters, times in the site's zone, cut where they must be."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from gateway.plainwords import shown
from rules.times import parse_instant

#: Stands behind a text of which a part was left out.
SHORTENED = "… (shortened)"


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, which says so where it was longer.

    >>> cut("a drive that loses sectors", 20)
    'a drive… (shortened)'
    """
    if len(text) <= most:
        return text
    return text[: most - len(SHORTENED)].rstrip() + SHORTENED


@dataclass(frozen=True, slots=True)
class Zone:
    """The time zone of the place that a paper is about, and what it is called on it."""

    name: str
    info: tzinfo

    @classmethod
    def of(cls, name: str | None) -> "Zone":
        """Return the zone of an IANA name; UTC when it is unknown, which its name then says."""
        if name is None:
            return cls("UTC, as the site's time zone is unknown", ZoneInfo("UTC"))
        try:
            return cls(name, ZoneInfo(name))
        except (KeyError, ValueError, OSError):  # a folder of the zone files is no zone either
            return cls(f"UTC, as {cut(shown(name), 40)} is no time zone", ZoneInfo("UTC"))

    def moment(self, instant_ms: int) -> datetime:
        """Return an instant, ms since 1970 UTC, on the clocks of the zone."""
        since = timedelta(milliseconds=instant_ms)
        return (datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + since).astimezone(self.info)

    def words(self, instant: int | str) -> str:
        """Return an instant, ms or RFC 3339, to the minute: ``2026-01-01 01:10``."""
        ms = parse_instant(instant) if isinstance(instant, str) else instant
        return f"{self.moment(ms):%Y-%m-%d %H:%M}"
