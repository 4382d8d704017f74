from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders_world import FAULTS

from diagnostics.orders.calendars import Calendar, holidays_of, parse_hours
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.registry import Registry, ServiceLevel
from diagnostics.orders.sla import due
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant, to_rfc3339

OFFICE = parse_hours("Mon-Fri 08:00-17:00")
BERLIN = ZoneInfo("Europe/Berlin")


def after(start: str, duration: int, country: str | None = None, hours: str = OFFICE.text) -> str | None:
    found = Calendar(parse_hours(hours), BERLIN, country).after(parse_instant(start), duration)
    return None if found is None else to_rfc3339(found)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        # Wednesday, 2026-06-10; Berlin is two hours ahead of UTC.
        ("2026-06-10T08:00:00Z", 4 * HOUR_MS, "2026-06-10T12:00:00Z"),
        ("2026-06-10T13:00:00Z", 4 * HOUR_MS, "2026-06-11T08:00:00Z"),  # 15:00 to 17:00, 08:00 to 10:00
        ("2026-06-10T20:00:00Z", 1 * HOUR_MS, "2026-06-11T07:00:00Z"),  # begins when they open
        ("2026-06-12T14:30:00Z", 1 * HOUR_MS, "2026-06-15T06:30:00Z"),  # over the weekend
        ("2026-06-10T08:00:00Z", 1 * DAY_MS, "2026-06-11T08:00:00Z"),
        ("2026-06-12T08:00:00Z", 1 * DAY_MS, "2026-06-15T08:00:00Z"),  # Friday to Monday
        ("2026-06-13T08:00:00Z", 1 * DAY_MS, "2026-06-16T06:00:00Z"),  # Saturday counts as Monday's opening
        ("2026-06-10T08:00:00Z", DAY_MS + HOUR_MS, "2026-06-11T09:00:00Z"),
        ("2026-03-27T09:00:00Z", 1 * DAY_MS, "2026-03-30T08:00:00Z"),  # summer time began: 10:00 both days
    ],
)
def test_only_working_time_passes(start: str, duration: int, end: str) -> None:
    assert after(start, duration) == end


def test_public_holidays_of_the_country_are_off() -> None:
    # 2026-04-03 and 2026-04-06 are Good Friday and Easter Monday.
    assert after("2026-04-02T14:00:00Z", 2 * HOUR_MS) == "2026-04-03T07:00:00Z"
    assert after("2026-04-02T14:00:00Z", 2 * HOUR_MS, "DE") == "2026-04-07T07:00:00Z"
    assert after("2026-04-02T14:00:00Z", 2 * DAY_MS, "DE") == "2026-04-08T14:00:00Z"


def test_a_shorter_day_ends_what_would_be_later() -> None:
    hours = "Mon-Thu 08:00-17:00;Fri 08:00-12:00"
    assert after("2026-06-11T14:00:00Z", DAY_MS, hours=hours) == "2026-06-12T10:00:00Z"


def test_what_takes_ten_years_is_not_promised() -> None:
    assert after("2026-01-01T00:00:00Z", 366 * DAY_MS, hours="Sun 23:59-24:00") is not None
    assert after("2026-01-01T00:00:00Z", 23 * HOUR_MS, hours="Sun 23:59-24:00") is None
    assert after("9999-12-30T00:00:00Z", 5 * DAY_MS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon",
        "8-17",
        "Mon-Fri 17:00-08:00",
        "Fri-Mon 08:00-17:00",
        "Mon 08:00-12:00;Mon 11:00-13:00",
        "Mon 08:00-24:30",
        "Mon 08:99-17:00",
        "Mo 08:00-17:00",
    ],
)
def test_what_are_no_working_hours(text: str) -> None:
    with pytest.raises(ValueError, match="working hours"):
        parse_hours(text)


@given(
    start=st.integers(parse_instant("2020-01-01T00:00:00Z"), parse_instant("2040-01-01T00:00:00Z")),
    minutes=st.integers(1, 5_000),
)
def test_as_much_working_time_lies_between_as_was_asked_for(start: int, minutes: int) -> None:
    calendar = Calendar(OFFICE, BERLIN, "DE")
    start -= start % MINUTE_MS
    whole, rest = divmod(minutes, 24 * 60)
    end = calendar.after(start, rest * MINUTE_MS)
    assert end is not None
    assert calendar.minutes_between(start, end, 10**6) == rest
    later = calendar.after(start, (whole + 1) * DAY_MS)
    assert later is not None
    assert later > start
    assert any(begin <= later <= close for begin, close in calendar.spans(start))


def test_a_country_without_known_holidays_has_none() -> None:
    assert holidays_of("DE", 2026)
    assert holidays_of("ZZ", 2026) == frozenset()
    assert holidays_of("DE", 9000) == frozenset()


LEVELS = (
    ServiceLevel(1 * HOUR_MS, 8 * HOUR_MS),
    ServiceLevel(2 * HOUR_MS, 8 * HOUR_MS, country="DE"),
    ServiceLevel(3 * HOUR_MS, 8 * HOUR_MS, severity="critical"),
    ServiceLevel(4 * HOUR_MS, 8 * HOUR_MS, tenant="acme"),
    ServiceLevel(5 * HOUR_MS, 9 * HOUR_MS, tenant="acme", country="DE", hours=OFFICE),
)
OPENED = parse_instant("2026-06-10T20:00:00Z")


def answered(
    tenant: str,
    country: str | None,
    severity: str = "major",
    zone: str | None = "Europe/Berlin",
    levels: tuple[ServiceLevel, ...] = LEVELS,
) -> tuple[str | None, list[str], list[str]]:
    gaps = Gaps()
    found = due(
        registry=Registry(service_levels=levels),
        faults=FAULTS,
        tenant=tenant,
        country=country,
        region=None,
        zone=zone,
        severity=severity,
        urgency="U2",
        opened_at=OPENED,
        gaps=gaps,
    )
    return found.respond_by, [gap.why for gap in gaps.entries()], [one.why for one in gaps.choices()]


@pytest.mark.parametrize(
    ("tenant", "country", "severity", "by"),
    [
        ("bell", "FR", "major", "2026-06-10T21:00:00Z"),
        ("bell", "DE", "major", "2026-06-10T22:00:00Z"),
        ("bell", "DE", "critical", "2026-06-10T22:00:00Z"),
        ("bell", "FR", "critical", "2026-06-10T23:00:00Z"),
        ("acme", "FR", "critical", "2026-06-11T00:00:00Z"),
        ("acme", "DE", "major", "2026-06-11T11:00:00Z"),
    ],
)
def test_the_most_particular_service_level_counts(tenant: str, country: str, severity: str, by: str) -> None:
    assert answered(tenant, country, severity)[0] == by


def test_the_level_that_decides_is_told() -> None:
    assert answered("acme", "DE")[2] == [
        "service level acme, DE: answered within 5h, mended within 9h, within Mon-Fri 08:00-17:00 "
        "Europe/Berlin without public holidays of DE"
    ]
    assert answered("x", "DE", levels=())[2] == ["urgency U2: answered within 1d, mended within 2d"]


def test_what_the_level_needs_and_is_not_known_is_missing() -> None:
    by, gaps, choices = answered("acme", "DE", zone=None)
    assert by is None
    assert choices == []
    assert set(gaps) == {"the time zone of the site is not known, and acme, DE has business hours"}
    by, gaps, _ = answered("acme", None)
    assert by is None
    assert set(gaps) == {"the country of the site is not known, and service levels differ by country"}


@pytest.mark.parametrize(
    ("region", "resolve_by", "said"),
    [
        (None, "2026-06-04T12:00:00Z", "without public holidays of DE"),
        ("DE-HE", "2026-06-05T12:00:00Z", "without public holidays of DE-HE"),
        ("DE-BE", "2026-06-04T12:00:00Z", "without public holidays of DE-BE"),
        ("DE-XX", "2026-06-04T12:00:00Z", "without public holidays of DE; no others of DE-XX are known"),
    ],
)
def test_a_regions_own_holidays_are_off(region: str | None, resolve_by: str, said: str) -> None:
    gaps = Gaps()
    found = due(  # Corpus Christi, 4 June 2026, is off in Hesse and not in Berlin
        registry=Registry(service_levels=(ServiceLevel(HOUR_MS, DAY_MS, hours=OFFICE),)),
        faults=FAULTS,
        tenant="acme",
        country="DE",
        region=region,
        zone="Europe/Berlin",
        severity="major",
        urgency="U2",
        opened_at=parse_instant("2026-06-03T12:00:00Z"),
        gaps=gaps,
    )
    assert found.resolve_by == resolve_by
    assert gaps.choices()[0].why.endswith(said)
