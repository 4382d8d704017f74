from datetime import date

import pytest
from orders_world import WASHER, world

from diagnostics.orders.entitlement import entitle
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.model import Entitlement
from diagnostics.orders.registry import Coverage, DeviceEntry
from diagnostics.orders.terms import months_later
from rules.times import MAX_INSTANT_MS, parse_instant

MAKERS = Coverage("warranty", "acme", model="W9*", months=24, text="Maker's warranty")
PLAN = Coverage(
    "contract",
    "acme",
    device=WASHER,
    starts=date(2024, 1, 1),
    ends=date(2027, 12, 31),
    text="Protection plan",
    contract="PP-1",
)


def entitled(
    *coverages: Coverage,
    at: str = "2026-01-01T12:00:00Z",
    zone: str | None = "Europe/Berlin",
    bought: date | None = date(2025, 1, 15),
    fault: str = "washer.motor",
    registered: bool = True,
) -> tuple[Entitlement, str | None, dict[str, str]]:
    gaps = Gaps()
    devices = {WASHER: DeviceEntry(WASHER, bought=bought)} if registered else {}
    found = entitle(
        registry=world(devices=devices, coverages=coverages),
        device=WASHER,
        model="W900",
        fault=fault,
        kinds=["motor"],
        opened_at=parse_instant(at),
        zone=zone,
        country="DE",
        gaps=gaps,
    )
    payers = {one.payer for one in found.decided}
    return (
        found.section,
        payers.pop() if len(payers) == 1 else "several",
        {gap.field: gap.why for gap in gaps.entries()},
    )


def test_a_makers_warranty_counts_from_the_purchase() -> None:
    entitlement, payer, gaps = entitled(MAKERS)
    assert entitlement == Entitlement(
        status="in_warranty", coverage="Maker's warranty", ends="2027-01-15", contract=None
    )
    assert payer == "brand"
    assert gaps == {}


def test_the_warranty_goes_before_the_contract() -> None:
    entitlement, payer, _ = entitled(PLAN, MAKERS)
    assert (entitlement.status, payer) == ("in_warranty", "brand")


def test_the_contract_stands_in_when_the_warranty_is_over() -> None:
    entitlement, payer, _ = entitled(PLAN, MAKERS, at="2027-06-01T12:00:00Z")
    assert entitlement == Entitlement(
        status="contract", coverage="Protection plan", ends="2027-12-31", contract="PP-1"
    )
    assert payer == "contract"


def test_after_the_end_the_customer_pays_and_the_order_says_since_when() -> None:
    entitlement, payer, gaps = entitled(MAKERS, at="2027-01-16T12:00:00Z")
    assert (entitlement.status, entitlement.ends, payer) == ("out_of_warranty", "2027-01-15", "customer")
    assert gaps == {}


@pytest.mark.parametrize(
    ("at", "zone", "status"),
    [
        ("2027-01-15T22:59:59Z", "Europe/Berlin", "in_warranty"),
        ("2027-01-15T23:00:00Z", "Europe/Berlin", "out_of_warranty"),
        ("2027-01-15T15:00:00Z", "Asia/Tokyo", "out_of_warranty"),
        ("2027-01-16T07:59:00Z", "America/Los_Angeles", "in_warranty"),
    ],
)
def test_the_last_day_ends_at_midnight_of_the_site(at: str, zone: str, status: str) -> None:
    assert entitled(MAKERS, at=at, zone=zone)[0].status == status


@pytest.mark.parametrize("zone", [None, "Nowhere/Town", "../etc"])
def test_near_the_end_without_a_time_zone_nothing_is_guessed(zone: str | None) -> None:
    entitlement, payer, gaps = entitled(MAKERS, at="2027-01-15T23:30:00Z", zone=zone)
    assert (entitlement.status, payer) == ("unknown", None)
    assert "time zone of the site is not known" in gaps["entitlement"]
    assert "estimate.payer" in gaps
    assert entitled(MAKERS, at="2027-01-14T05:00:00Z", zone=zone)[0].status == "in_warranty"


def test_without_a_date_of_purchase_a_models_warranty_is_unknown() -> None:
    entitlement, payer, gaps = entitled(MAKERS, bought=None)
    assert (entitlement.status, payer) == ("unknown", None)
    assert gaps["entitlement"] == ("its coverage lasts 24 months from a date of purchase that is not known")


def test_a_running_contract_needs_no_date_of_purchase() -> None:
    assert entitled(MAKERS, PLAN, bought=None)[0].status == "contract"


def test_a_fault_that_the_warranty_excludes_is_the_customers_and_the_order_says_why() -> None:
    makers = Coverage(
        "warranty", "acme", model="W9*", months=24, text="Maker's warranty", excludes=("washer.b*",)
    )
    entitlement, payer, _ = entitled(makers, fault="washer.bearing")
    assert (entitlement.status, payer) == ("out_of_warranty", "customer")
    assert entitlement.coverage == "Maker's warranty; does not cover washer.bearing"
    assert entitled(makers, fault="washer.motor")[0].status == "in_warranty"


def test_a_contract_covers_what_the_warranty_excludes() -> None:
    makers = Coverage("warranty", "acme", model="W9*", months=24, text="M", excludes=("*",))
    assert entitled(makers, PLAN)[0].status == "contract"


def test_nothing_in_the_registry_is_not_out_of_warranty() -> None:
    entitlement, _, gaps = entitled()
    assert entitlement.status == "unknown"
    assert gaps["entitlement"].startswith("the registry has no warranty and no contract")
    assert entitled(registered=False)[2]["entitlement"] == "the device is not in the registry"


def test_another_tenants_or_models_warranty_does_not_count() -> None:
    others = (
        Coverage("warranty", "bell", model="*", months=24, text="B"),
        Coverage("warranty", "acme", model="K*", months=24, text="K"),
    )
    assert entitled(*others)[0].status == "unknown"


def test_coverage_that_begins_later_is_unknown_today() -> None:
    later = Coverage("contract", "acme", device=WASHER, starts=date(2026, 2, 1), months=12, text="P")
    entitlement, _, gaps = entitled(later)
    assert entitlement.status == "unknown"
    assert gaps["entitlement"] == "its coverage begins only on 2026-02-01"


def test_a_contract_runs_until_it_is_cancelled() -> None:
    forever = Coverage("contract", "acme", device=WASHER, starts=date(2020, 1, 1), text="P", contract="C")
    entitlement, payer, gaps = entitled(forever)
    assert entitlement == Entitlement(status="contract", coverage="P", ends=None, contract="C")
    assert payer == "contract"
    assert gaps == {}


def test_an_agreed_first_day_counts_and_a_purchase_day_does_not() -> None:
    agreed = Coverage("warranty", "acme", device=WASHER, starts=date(2026, 1, 1), months=12, text="A")
    assert entitled(agreed)[0].ends == "2026-12-31"
    bought = Coverage("warranty", "acme", model="*", months=12, text="A")
    assert entitled(bought, bought=date(2026, 1, 1))[0].ends == "2027-01-01"


def test_a_coverage_without_words_is_noted() -> None:
    wordless = Coverage("warranty", "acme", model="*", months=24)
    assert "entitlement.coverage" in entitled(wordless)[2]


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2025, 12, 15), 1, date(2026, 1, 15)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 6, 1), 0, date(2024, 6, 1)),
        (date(9990, 1, 1), 999, date.max),
    ],
)
def test_months_are_calendar_months(day: date, months: int, later: date) -> None:
    assert months_later(day, months) == later


@pytest.mark.parametrize("zone", [None, "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("instant", [0, MAX_INSTANT_MS])
def test_the_ends_of_time_have_an_answer(zone: str | None, instant: int) -> None:
    gaps = Gaps()
    found = entitle(
        registry=world(),
        device=WASHER,
        model="W900",
        fault="washer.motor",
        kinds=None,
        opened_at=instant,
        zone=zone,
        country=None,
        gaps=gaps,
    )
    assert found.section.status in ("unknown", "out_of_warranty")
