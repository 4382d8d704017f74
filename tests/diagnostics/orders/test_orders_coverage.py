"""Clauses of coverage: parts and labour apart, by part and fault, by country, prolonged; who pays what."""

from dataclasses import replace
from datetime import date

import pytest
from orders_form import assert_a_partition
from orders_world import FAULTS, PHONE, PHONE_FACTS, WASHER, WASHER_FACTS, case_of, world

from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import prefill
from diagnostics.orders.registry import Coverage, DeviceEntry, Registry, SiteEntry
from gateway.cli.papers import order_lines
from rules.times import parse_instant

BOUGHT = date(2024, 6, 1)
ALL = Coverage("warranty", "acme", model="W9*", months=12, text="Maker's warranty")
PARTS = Coverage("warranty", "acme", model="W9*", months=24, text="Parts warranty", covers=("parts",))
WORK = Coverage(
    "warranty", "acme", model="W9*", months=12, text="Labour warranty", covers=("labour", "transport")
)
CONTRACT = Coverage(
    "contract",
    "acme",
    device=WASHER,
    starts=date(2024, 1, 1),
    text="Plan",
    contract="PP-1",
    covers=("labour",),
)
PUMP = 32.5


def order(
    *coverages: Coverage,
    at: str = "2025-12-01T12:00:00Z",
    fault: str = "washer.not_draining",
    site: SiteEntry | None = None,
    registry: Registry | None = None,
    load: dict[str, int] | None = None,
) -> ServiceOrder:
    known = registry or world()
    sites = {**known.sites, **({"kassel": site} if site else {})}
    found = prefill(
        case=case_of(WASHER, fault),
        confirmed_by="",
        explanation="",
        confidence=None,
        facts=WASHER_FACTS,
        registry=replace(known, coverages=coverages, sites=sites),
        faults=FAULTS,
        opened_at=parse_instant(at),
        reason="confirmed",
        console_url=None,
        load=load,
    )
    assert_a_partition(found)
    return found


def why(found: ServiceOrder, field: str) -> str:
    return "\n".join(choice.why for choice in found.choices if choice.field == field)


def shares(found: ServiceOrder) -> list[tuple[str, tuple[str, ...], float | None]]:
    return [(share.payer, tuple(share.of), share.amount) for share in found.estimate.shares]


def work(found: ServiceOrder) -> float:
    """What labour and the visit cost."""
    return round(66 * (found.service.minutes or 0) / 60 + 45, 2)


def test_labour_that_is_over_is_the_customers_while_parts_are_covered() -> None:
    found = order(PARTS, WORK)
    assert found.entitlement.status == "in_warranty"
    assert found.entitlement.coverage == "Parts warranty; does not cover labour, transport"
    assert found.entitlement.ends == "2026-06-01"
    assert found.estimate.payer == "customer"
    assert shares(found) == [
        ("customer", ("labour", "transport"), work(found)),
        ("brand", ("parts",), PUMP),
    ]
    assert why(found, "estimate.payer") == (
        "parts: brand (warranty of model W9* from 2024-06-01 for 24 months until 2026-06-01; in force on "
        "2025-12-01; covers only parts); labour and transport: customer (warranty of model W9* from "
        "2024-06-01 for 12 months until 2025-06-01; over on 2025-12-01)"
    )
    assert f"Ihr Anteil am Kostenvoranschlag: {work(found):.2f} EUR" in found.texts.customer


def test_while_both_are_in_force_the_brand_pays_all_of_it() -> None:
    found = order(PARTS, WORK, at="2025-03-01T12:00:00Z")
    assert (found.entitlement.status, found.estimate.payer, found.estimate.shares) == (
        "in_warranty",
        "brand",
        [],
    )
    assert order(PARTS, WORK, at="2026-08-01T12:00:00Z").estimate.payer == "customer"


def test_a_contract_pays_what_the_warranty_does_not() -> None:
    found = order(PARTS, CONTRACT)
    assert found.entitlement.contract == "PP-1"
    assert [share[:2] for share in shares(found)] == [
        ("customer", ("transport",)),
        ("contract", ("labour",)),
        ("brand", ("parts",)),
    ]
    joint = order(PARTS, replace(CONTRACT, covers=("labour", "transport")))
    assert joint.estimate.payer == "contract"
    assert "Garantie und Servicevertrag" in joint.texts.customer


def test_coverage_may_name_the_faults_and_the_kinds_of_parts() -> None:
    pump = replace(ALL, months=120, text="Ten years on the pump", part_kinds=("drain_pump",))
    later = "2030-01-01T12:00:00Z"
    assert order(ALL, pump, at=later).entitlement.coverage == "Ten years on the pump"
    other = order(ALL, pump, at=later, fault="washer.motor")
    assert other.entitlement.status == "out_of_warranty"
    assert order(replace(ALL, faults=("washer.motor",))).entitlement.status == "out_of_warranty"
    assert order(replace(ALL, months=24, faults=("washer.*",))).entitlement.status == "in_warranty"
    excluded = order(replace(ALL, months=24, excludes=("drain_*",)))
    assert excluded.entitlement.status == "out_of_warranty"
    assert why(excluded, "entitlement.status").endswith("; in force on 2025-12-01")


def test_another_length_in_a_country_stands_in_for_the_common_one() -> None:
    german = replace(ALL, months=24, countries=("DE", "AT"))
    found = order(ALL, german)
    assert (found.entitlement.status, found.entitlement.ends) == ("in_warranty", "2026-06-01")
    assert "for 24 months until 2026-06-01, in DE, AT; in force" in why(found, "entitlement.status")
    shorter = replace(ALL, months=6, countries=("DE",))
    assert order(replace(ALL, months=24), shorter).entitlement.status == "out_of_warranty"


def test_a_warranty_of_other_countries_is_none_here_and_the_order_says_so() -> None:
    found = order(replace(ALL, months=24, countries=("FR",)))
    assert (found.entitlement.status, found.estimate.payer) == ("out_of_warranty", "customer")
    assert why(found, "entitlement.status").endswith("valid only in FR, and the site is in DE")


def test_without_the_country_nothing_is_guessed_when_it_matters() -> None:
    nowhere = SiteEntry("kassel", "Lindenweg 3", None, "Europe/Berlin")
    found = order(ALL, replace(ALL, months=24, countries=("DE",)), site=nowhere)
    assert found.entitlement.status == "unknown"
    gap = next(entry.why for entry in found.missing if entry.field == "entitlement")
    assert gap == "its coverage differs by country, and the country of the site is not known"
    assert order(replace(ALL, months=24), site=nowhere).entitlement.status == "in_warranty"


EXTENSION = Coverage("extension", "acme", device=WASHER, months=12, text="Plus one year", contract="EXT-9")


def test_an_extension_prolongs_the_warranty_and_the_clause_says_so() -> None:
    found = order(ALL, EXTENSION)
    assert found.entitlement.model_dump() == {
        "status": "in_warranty",
        "coverage": "Maker's warranty; prolonged: Plus one year",
        "ends": "2026-06-01",
        "contract": "EXT-9",
    }
    assert why(found, "entitlement.status") == (
        "warranty of model W9* for 12 months, prolonged by extension EXT-9 for 12 months from 2025-06-02 "
        "until 2026-06-01; in force on 2025-12-01"
    )
    assert order(ALL, EXTENSION, EXTENSION, at="2027-05-31T12:00:00Z").entitlement.status == "in_warranty"
    assert order(ALL, EXTENSION, at="2026-06-02T12:00:00Z").entitlement.status == "out_of_warranty"


def test_an_extension_prolongs_what_it_names_and_covers_no_more_than_both() -> None:
    found = order(
        replace(PARTS, months=12, term="parts"),
        replace(WORK, term="work"),
        replace(EXTENSION, extends="parts"),
    )
    assert [share[:2] for share in shares(found)] == [
        ("customer", ("labour", "transport")),
        ("brand", ("parts",)),
    ]
    lost = order(replace(ALL, kind="contract"), EXTENSION)
    assert lost.entitlement.status == "unknown"
    gap = next(entry.why for entry in lost.missing if entry.field == "entitlement")
    assert gap == "the registry has no warranty that its extension prolongs"


def test_what_is_not_known_of_one_part_of_the_cost_leaves_only_the_payer_open() -> None:
    base = world()
    undated = {WASHER: DeviceEntry(WASHER, "W900", "W-55", owner="anna", site="kassel")}
    parts = replace(PARTS, months=None, starts=date(2024, 6, 1), ends=date(2026, 6, 1))
    found = order(parts, WORK, registry=replace(base, devices=undated))
    assert (found.entitlement.status, found.estimate.payer) == ("in_warranty", None)
    gap = next(entry.why for entry in found.missing if entry.field == "estimate.payer")
    assert gap.startswith("who pays for labour, transport is not known: its coverage lasts 12 months")


@pytest.mark.parametrize(("promised", "channel"), [("carry_in", "carry_in"), ("on_site", "mail_in")])
def test_the_coverage_may_promise_a_way_of_service(promised: str, channel: str) -> None:
    lumo = Coverage("warranty", "bell", model="Lumo *", months=48, text="W", channels=(promised,))
    found = prefill(
        case=case_of(PHONE, "battery.failed"),
        confirmed_by="",
        explanation="",
        confidence=None,
        facts=PHONE_FACTS,
        registry=world(coverages=(lumo,)),
        faults=FAULTS,
        opened_at=parse_instant("2025-12-01T12:00:00Z"),
        reason="confirmed",
        console_url=None,
    )
    assert found.service.channel == channel
    assert promised in why(found, "service.channel")


def two_repairers(**limits: object) -> Registry:
    base = world()
    first = next(one for one in base.repairers if one.id == "DE-HA")
    return replace(base, repairers=[replace(first, **limits), replace(first, id="B", capacity=10)])


@pytest.mark.parametrize(
    ("limits", "load", "chosen", "said"),
    [
        ({"capacity": 3}, {"DE-HA": 2}, "DE-HA", "has 2 open orders of 3"),
        ({"capacity": 3}, {"DE-HA": 3}, "B", "DE-HA has 3 open orders and takes 3"),
        ({"jobs_a_day": 4}, {"DE-HA": 1}, "DE-HA", "has 1 open order and gets 4 a day done"),
        ({"jobs_a_day": 1}, {"DE-HA": 9}, "B", "gets 1 a day done and has"),
        # All are full: the one with the least for what it takes.
        ({"capacity": 3}, {"DE-HA": 4, "B": 11}, "B", "but has 11 open orders of 10"),
        ({"capacity": 30}, {"DE-HA": 30, "B": 11}, "DE-HA", "but has 30 open orders of 30"),
    ],
)
def test_capacity_and_load_decide_among_those_who_can(
    limits: dict[str, object], load: dict[str, int], chosen: str, said: str
) -> None:
    found = order(ALL, registry=two_repairers(**limits), load=load)
    assert found.service.provider is not None
    assert found.service.provider.id == chosen
    assert said in why(found, "service.provider")


def test_the_papers_say_who_pays_what() -> None:
    found = order(PARTS, WORK)
    assert found.estimate.payers == "customer: labour, transport; brand: parts"
    assert "paid labour, transport by customer, parts by brand" in "\n".join(order_lines(found.document()))
