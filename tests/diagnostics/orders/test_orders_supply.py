from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from orders_world import OPENED_AT, SERVER, WASHER, world

from diagnostics.orders.borders import customs_border
from diagnostics.orders.calendars import parse_hours
from diagnostics.orders.entitlement import Decided, Entitled
from diagnostics.orders.estimate import estimate
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.logistics import Place, route
from diagnostics.orders.model import Customs, Entitlement, OrderDevice
from diagnostics.orders.provider import Assignment, Work, assign
from diagnostics.orders.registry import Part, Registry, Repairer, SiteEntry, Stock
from diagnostics.orders.subject import Subject
from diagnostics.orders.supply import Need, Supply, supply
from diagnostics.orders.terms import claims_of
from rules.times import HOUR_MS

BERLIN = Place("Lindenweg 3, DE", "DE", "")


def pump(number: str, *models: str, **changes: object) -> Part:
    part = Part(number, f"Pump {number}", "drain_pump", models, price=Decimal("30.00"), currency="EUR")
    return replace(part, **changes)


def subject(model: str | None = "W900", component_model: str | None = None) -> Subject:
    section = OrderDevice.model_validate(
        {
            "class": "appliance",
            "device": "wm-7",
            "component": None,
            "model": model,
            "serial": None,
            "firmware": None,
            "parent": None,
        }
    )
    return Subject(WASHER, None, model, component_model, section)


def supplied(
    parts: list[Part],
    stock: list[Stock],
    *needs: Need,
    destination: str | None = "DE",
    model: str | None = "W900",
    component_model: str | None = None,
) -> tuple[Supply, dict[str, str]]:
    gaps = Gaps()
    found = supply(
        needs=needs or (Need("drain_pump"),),
        registry=Registry(parts={part.number: part for part in parts}, stock=stock),
        subject=subject(model, component_model),
        destination=destination,
        gaps=gaps,
    )
    return found, {gap.field: gap.why for gap in gaps.entries()}


def chosen(found: Supply) -> list[tuple[str, str | None]]:
    return [(line.part.number, line.stock.warehouse if line.stock else None) for line in found.lines]


HERE, NEAR, FAR = ("WH-DE", "DE"), ("WH-FR", "FR"), ("WH-CH", "CH")


def test_the_warehouse_in_the_country_goes_first_then_the_customs_territory_then_any() -> None:
    stock = [Stock(*FAR, "P", 9), Stock(*NEAR, "P", 9), Stock(*HERE, "P", 1)]
    assert chosen(supplied([pump("P", "*")], stock)[0]) == [("P", "WH-DE")]
    assert chosen(supplied([pump("P", "*")], stock[:2])[0]) == [("P", "WH-FR")]
    assert chosen(supplied([pump("P", "*")], stock[:1])[0]) == [("P", "WH-CH")]


def test_a_part_in_stock_goes_before_one_made_more_closely_for_the_model() -> None:
    parts = [pump("CLOSE", "W900"), pump("WIDE", "W9*")]
    assert chosen(supplied(parts, [Stock(*HERE, "WIDE", 1)])[0]) == [("WIDE", "WH-DE")]
    both = [Stock(*HERE, "WIDE", 1), Stock(*HERE, "CLOSE", 1)]
    assert chosen(supplied(parts, both)[0]) == [("CLOSE", "WH-DE")]


def test_a_part_of_the_components_own_model_fits() -> None:
    found, _ = supplied([pump("P", "ST4000*")], [], model="R740", component_model="ST4000NM")
    assert [line.part.number for line in found.lines] == ["P"]


def test_a_part_for_the_component_goes_before_one_for_the_device_unless_it_is_out_of_stock() -> None:
    parts = [pump("HOST", "R740 rack server"), pump("OWN", "ST*")]
    stock = [Stock(*HERE, "HOST", 1), Stock(*FAR, "OWN", 1)]
    models = {"model": "R740 rack server", "component_model": "ST4000NM"}
    assert chosen(supplied(parts, stock, **models)[0]) == [("OWN", "WH-CH")]
    assert chosen(supplied(parts, stock[:1], **models)[0]) == [("HOST", "WH-DE")]
    assert chosen(supplied(parts, stock, model="R740 rack server")[0]) == [("HOST", "WH-DE")]


@pytest.mark.parametrize(
    ("pattern", "model", "fits"),
    [
        ("W900", "W900", True),
        ("w9*", "W900", True),
        ("W9?0", "W9X0", True),
        ("W900", "W9000", False),
        ("*", None, True),
        ("W*", None, False),
    ],
)
def test_models_are_matched_as_globs(pattern: str, model: str | None, fits: bool) -> None:
    assert (pump("P", pattern).fit(model) is not None) is fits


def test_why_no_part_is_told() -> None:
    assert supplied([], [])[1] == {"parts": "the registry has no part of kind drain_pump for acme"}
    other = [pump("P", "K300")]
    assert supplied(other, [])[1] == {"parts": "no part of kind drain_pump fits model W900"}
    why = "the model is not known, so no part of kind drain_pump can be chosen"
    assert supplied(other, [], model=None)[1] == {"parts": why}
    assert not supplied(other, [])[0].complete


def test_another_tenants_part_is_not_taken() -> None:
    found, gaps = supplied([pump("P", "*", tenant="bell")], [Stock(*HERE, "P", 5)])
    assert found.lines == ()
    assert "for acme" in gaps["parts"]


def test_out_of_stock_and_never_counted_are_two_things() -> None:
    found, gaps = supplied([pump("P", "*")], [Stock(*HERE, "P", 1)], Need("drain_pump", 2))
    assert (found.lines[0].in_stock, found.lines[0].stock) == (False, None)
    assert gaps == {"parts[0].warehouse": "no warehouse has 2 of part P in stock"}
    found, gaps = supplied([pump("P", "*")], [])
    assert found.lines[0].in_stock is None
    assert set(gaps) == {"parts[0].warehouse", "parts[0].in_stock"}


def test_without_a_destination_no_warehouse_of_several_is_picked() -> None:
    stock = [Stock(*HERE, "P", 1), Stock(*NEAR, "P", 1)]
    found, gaps = supplied([pump("P", "*")], stock, destination=None)
    assert (found.lines[0].in_stock, found.lines[0].stock) == (True, None)
    assert set(gaps) == {"parts[0].warehouse"}
    only, gaps = supplied([pump("P", "*")], stock[:1], destination=None)
    assert chosen(only) == [("P", "WH-DE")]
    assert gaps == {}


def test_equally_near_warehouses_the_one_with_the_whole_order_goes_first() -> None:
    parts = [pump("A", "*"), replace(pump("B", "*"), kind="inlet_valve")]
    stock = [Stock("WH-1", "DE", "A", 5), Stock("WH-2", "DE", "A", 5), Stock("WH-2", "DE", "B", 5)]
    found, _ = supplied(parts, stock, Need("drain_pump"), Need("inlet_valve"))
    assert chosen(found) == [("A", "WH-2"), ("B", "WH-2")]
    assert found.warehouses == ["WH-2"]


@pytest.mark.parametrize(
    ("origin", "destination", "border"),
    [
        ("DE", "DE", False),
        ("DE", "FR", False),
        ("DE", "CH", True),
        ("CH", "LI", False),
        ("GB", "IE", True),
        ("FR", "MC", False),
        ("DE", "TR", True),
        ("US", "US", False),
    ],
)
def test_customs_borders(origin: str, destination: str, border: bool) -> None:
    assert customs_border(origin, destination) is border


def customs_of(
    parts: list[Part], stock: list[Stock], destination: Place
) -> tuple[Customs | None, dict[str, str]]:
    needs = [Need(part.kind) for part in parts]
    found, _ = supplied(parts, stock, *needs, destination=destination.country)
    gaps = Gaps()
    logistics = route(
        supply=found,
        needed=True,
        fault=None,
        assignment=Assignment("on_site", None),
        site=SiteEntry("s"),
        destination=destination,
        gaps=gaps,
    )
    return logistics.customs, {gap.field: gap.why for gap in gaps.entries()}


def superseded(*numbers: str, stock: dict[str, int]) -> tuple[list[str], list[str]]:
    """Parts of which each supersedes the one before, only the first made for the model; parts, reasons."""
    line = [
        pump(number, *(("W900",) if place == 0 else ("X",)), superseded_by=following)
        for place, (number, following) in enumerate(zip(numbers, [*numbers[1:], None], strict=True))
    ]
    gaps = Gaps()
    found = supply(
        needs=(Need("drain_pump"),),
        registry=Registry(
            parts={part.number: part for part in line},
            stock=[Stock(*HERE, number, quantity) for number, quantity in stock.items()],
        ),
        subject=subject(),
        destination="DE",
        gaps=gaps,
    )
    return [line.part.number for line in found.lines], [choice.why for choice in gaps.choices()]


def test_what_supersedes_a_part_is_sent_in_its_place() -> None:
    assert superseded("A", "B", "C", stock={"C": 2, "A": 2}) == (["C"], ["C supersedes A"])
    assert superseded("A", "B", stock={}) == (["B"], ["B supersedes A"])


def test_a_superseded_part_is_used_up_where_its_successor_is_not_there() -> None:
    parts, reasons = superseded("A", "B", stock={"A": 1, "B": 0})
    assert parts == ["A"]
    assert reasons[0] == "A is taken as long as it is in stock; B supersedes it"


def test_parts_that_supersede_each_other_in_a_circle_end_somewhere() -> None:
    circle = [pump("A", "*", superseded_by="B"), pump("B", "*", superseded_by="A")]
    assert len(chosen(supplied(circle, [Stock(*HERE, "B", 1)])[0])) == 1


def test_an_alternative_of_a_part_out_of_stock_is_told() -> None:
    gaps = Gaps()
    parts = [pump("CLOSE", "W900"), pump("ANY", "*")]
    supply(
        needs=(Need("drain_pump"),),
        registry=Registry(parts={part.number: part for part in parts}, stock=[Stock(*HERE, "ANY", 1)]),
        subject=subject(),
        destination="DE",
        gaps=gaps,
    )
    assert [choice.why for choice in gaps.choices()] == ["ANY in place of CLOSE, which no warehouse has"]


def test_what_crosses_a_border_is_weighed_with_all_that_crosses() -> None:
    pumps = pump("A", "*", weight_kg=Decimal("0.85"))
    valve = replace(pump("B", "*", weight_kg=Decimal("0.4")), kind="inlet_valve")
    stock = [Stock(*HERE, "A", 1), Stock(*HERE, "B", 1)]
    customs, _ = customs_of([pumps, valve], stock, Place("x", "CH", ""))
    assert customs is not None
    assert customs.weight_kg == 1.25


def test_customs_facts_are_of_the_parts_that_cross() -> None:
    inside = pump("A", "*", tariff_number="8413.70", origin_country="IT")
    outside = replace(
        pump("B", "*", tariff_number="8481.80", origin_country="CN"),
        kind="inlet_valve",
        price=Decimal("7.25"),
    )
    stock = [Stock(*FAR, "A", 1), Stock(*HERE, "B", 1)]
    customs, _ = customs_of([inside, outside], stock, Place("x", "CH", ""))
    assert customs == Customs(tariff_number="8481.80", origin_country="CN", value=7.25, currency="EUR")
    both, _ = customs_of([inside, outside], stock, Place("x", "NO", ""))
    assert both == Customs(
        tariff_number="8413.70; 8481.80", origin_country="IT; CN", value=37.25, currency="EUR"
    )
    assert customs_of([outside], stock, BERLIN)[0] is None


def test_half_a_declaration_is_none_and_says_what_is_wanting() -> None:
    bare = pump("A", "*", price=None)
    customs, gaps = customs_of([bare], [Stock(*HERE, "A", 1)], Place("x", "CH", ""))
    assert customs == Customs(tariff_number=None, origin_country=None, value=None, currency=None)
    assert {field for field in gaps if field.startswith("logistics.customs")} == {
        "logistics.customs.tariff_number",
        "logistics.customs.origin_country",
        "logistics.customs.value",
        "logistics.customs.currency",
        "logistics.customs.weight_kg",
    }


def repairer(**changes: object) -> Repairer:
    usual = Repairer(
        "R",
        "Repairs",
        ("DE",),
        ("on_site",),
        ("appliance",),
        currency="EUR",
        labour_rate=Decimal(60),
        travel_fee=Decimal(40),
        shipping_fee=Decimal(9),
    )
    return replace(usual, **changes)


def assigned(
    *repairers: Repairer,
    country: str | None = "DE",
    postal_code: str | None = None,
    chosen: list[str] | None = None,
) -> tuple[Assignment, dict[str, str]]:
    gaps = Gaps()
    found = assign(
        registry=Registry(repairers=repairers),
        site=SiteEntry("s", country=country, postal_code=postal_code),
        work=Work(
            tenant="acme",
            device_class="appliance",
            channels=("on_site", "mail_in"),
            skills=("appliance",),
            minutes=60,
            opened_at=OPENED_AT,
            resolve_by=OPENED_AT + 4 * HOUR_MS,
        ),
        gaps=gaps,
    )
    if chosen is not None:
        chosen.extend(choice.why for choice in gaps.choices())
    return found, {gap.field: gap.why for gap in gaps.entries()}


def test_the_first_able_repairer_of_the_best_channel_goes() -> None:
    mailed = repairer(id="M", channels=("mail_in",))
    second = repairer(id="S")
    assert assigned(mailed, repairer(), second)[0] == Assignment("on_site", repairer())
    assert assigned(mailed)[0] == Assignment("mail_in", mailed)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"countries": ("FR",)}, "no repairer is authorised for acme in DE"),
        ({"tenants": ("bell",)}, "no repairer is authorised for acme in DE"),
        ({"skills": ("phone",)}, "no repairer for acme in DE has the skills appliance"),
        (
            {"channels": ("carry_in",)},
            "no repairer for acme in DE with these skills serves by on_site or mail_in",
        ),
    ],
)
def test_why_nobody_goes_is_told(changes: dict[str, object], why: str) -> None:
    found, gaps = assigned(repairer(**changes))
    assert found == Assignment("on_site", None)
    assert gaps == {"service.provider": why}


def test_a_repairer_for_another_class_does_not_go() -> None:
    found, gaps = assigned(repairer(classes=("phone",)))
    assert found.repairer is None
    assert gaps == {"service.provider": "no repairer for acme in DE serves class appliance"}


@pytest.mark.parametrize(
    ("areas", "code", "serves"),
    [
        ((), None, True),
        (("34000-34999",), "34117", True),
        (("34000-34999",), "35000", False),
        (("34000-34999",), "3411", False),
        (("34000-34999",), None, None),
        (("69*",), "69002", True),
        (("69*",), "68999", False),
        (("DE:34*", "AT:6*"), "34117", True),
        (("AT:6*",), "34117", False),
        (("AT:6*",), None, False),
        (("DE:*",), "34117", True),
        (("34117",), "34117", True),
        (("61000-61999",), "61-001", True),
        (("LS1*",), "ls1 4ap", True),
    ],
)
def test_postal_areas(areas: tuple[str, ...], code: str | None, serves: bool | None) -> None:
    assert repairer(postal_areas=areas).serves_postal_code("DE", code) is serves


def test_the_repairer_of_the_postal_area_goes_and_the_order_says_why() -> None:
    far, near = repairer(id="FAR", postal_areas=("8*",)), repairer(id="NEAR", postal_areas=("34*",))
    why: list[str] = []
    assert assigned(far, near, postal_code="34117", chosen=why)[0].repairer == near
    assert why == [
        "NEAR: authorised for acme in DE, trained for appliance, serves postal code 34117; "
        "passed over: FAR does not serve postal code 34117"
    ]


def test_without_a_postal_code_nobody_is_chosen_by_area() -> None:
    found, gaps = assigned(repairer(postal_areas=("34*",)))
    assert found.repairer is None
    assert gaps == {
        "service.provider": "the postal code of the site is not known, and R serve by postal area"
    }
    everywhere = repairer(id="E")
    assert assigned(repairer(postal_areas=("34*",)), everywhere)[0].repairer == everywhere


def test_a_device_that_is_mailed_comes_from_everywhere() -> None:
    mailed = repairer(channels=("mail_in",), postal_areas=("34*",))
    assert assigned(mailed)[0] == Assignment("mail_in", mailed)


def test_who_works_before_it_is_due_goes_first() -> None:
    # 2026-01-01, 01:10 in Berlin; due at 05:10. A public holiday, but not in Japan.
    day = repairer(id="DAY", hours=parse_hours("Mon-Sun 08:00-17:00"), time_zone="Europe/Berlin")
    night = repairer(id="NIGHT", hours=parse_hours("Mon-Sun 00:00-24:00"), time_zone="Europe/Berlin")
    why: list[str] = []
    assert assigned(day, night, chosen=why)[0].repairer == night
    assert "works 60 min or more until 2026-01-01T04:10:00Z" in why[0]
    assert "DAY does not work long enough before it is due" in why[0]
    closed = replace(night, country="DE")  # whose first of January is off
    assert assigned(closed, chosen=why)[0].repairer == closed
    assert "but does not work 60 min" in why[1]


def test_nobody_at_all_and_nowhere_to_go() -> None:
    assert assigned()[1] == {"service.provider": "the registry has no repairers"}
    assert assigned(repairer(), country=None)[1] == {
        "service.provider": "the country of the site is not known"
    }


def costs(
    parts: list[Part], assignment: Assignment, minutes: int | None = 45
) -> tuple[tuple[str | None, float | None, float | None, float | None], dict[str, str]]:
    gaps = Gaps()
    needs = [Need(part.kind, 2) for part in parts]
    found = supplied(parts, [], *needs)[0] if needs else Supply((), complete=True)
    figures = estimate(supply=found, assignment=assignment, minutes=minutes, entitled=BY_BRAND, gaps=gaps)
    assert figures.payer == "brand"
    return (figures.currency, figures.parts, figures.labour, figures.transport), {
        gap.field: gap.why for gap in gaps.entries()
    }


ON_SITE = Assignment("on_site", repairer())
BY_BRAND = Entitled(
    Entitlement(status="in_warranty", coverage="W", ends=None, contract=None),
    tuple(Decided(claim, "brand") for claim in claims_of(None)),
    (),
    date(2026, 1, 1),
    "DE",
    "washer.not_draining",
)


def test_parts_labour_and_the_visit_are_priced() -> None:
    assert costs([pump("P", "*")], ON_SITE) == (("EUR", 60.0, 45.0, 40.0), {})


def test_several_currencies_are_never_added_up() -> None:
    figures, gaps = costs([pump("P", "*", currency="CHF")], ON_SITE)
    assert figures == (None, None, None, None)
    why = "prices are in several currencies: parts in CHF, labour in EUR, transport in EUR"
    assert gaps == dict.fromkeys(
        ("estimate.currency", "estimate.parts", "estimate.labour", "estimate.transport"), why
    )


def test_a_price_that_is_not_known_leaves_its_line_open() -> None:
    figures, gaps = costs([pump("P", "*", price=None)], ON_SITE)
    assert figures == ("EUR", None, 45.0, 40.0)
    assert gaps == {"estimate.parts": "the registry has no price of part P"}


def test_parts_of_several_currencies_leave_their_line_open() -> None:
    parts = [pump("A", "*"), replace(pump("B", "*", currency="CHF"), kind="inlet_valve")]
    figures, gaps = costs(parts, ON_SITE)
    assert figures == ("EUR", None, 45.0, 40.0)
    assert gaps == {"estimate.parts": "the parts are priced in several currencies"}


def test_without_a_repairer_only_the_parts_are_known() -> None:
    figures, gaps = costs([pump("P", "*")], Assignment("on_site", None))
    assert figures == ("EUR", 60.0, None, None)
    assert set(gaps) == {"estimate.labour", "estimate.transport"}


def test_fees_that_are_not_in_the_registry_are_named() -> None:
    bare = repairer(labour_rate=None, travel_fee=None)
    figures, gaps = costs([pump("P", "*")], Assignment("on_site", bare))
    assert figures == ("EUR", 60.0, None, None)
    assert gaps["estimate.labour"] == "the registry has no labour rate of repairer R"
    assert gaps["estimate.transport"] == "the registry has no travel fee of repairer R"


def test_no_price_at_all_has_no_currency() -> None:
    figures, gaps = costs([], Assignment("carry_in", None))
    assert figures == (None, 0.0, None, 0.0)
    assert gaps["estimate.currency"] == "no price is known"


def test_the_way_is_paid_as_the_channel_asks() -> None:
    def way(channel: str) -> float | None:
        return costs([], Assignment(channel, repairer()))[0][3]

    assert [way(channel) for channel in ("on_site", "mail_in", "carry_in", "remote")] == [40.0, 9.0, 0.0, 0.0]


def test_half_a_cent_is_rounded_up_as_bills_do() -> None:
    odd = repairer(labour_rate=Decimal("0.7"))
    assert costs([], Assignment("carry_in", odd), minutes=3)[0][2] == 0.04


def test_a_world_registry_is_indexed_once_and_stays_the_same() -> None:
    registry = world()
    assert registry.coverages_of(SERVER, None) == registry.coverages_of(SERVER, "W900x")[:1]
    assert registry.stock_of("nothing") == ()


def test_of_two_parts_that_fit_the_nearer_goes_first() -> None:
    parts = [pump("A", "W900"), pump("B", "W900")]
    stock = [Stock(*FAR, "A", 5), Stock(*HERE, "B", 5)]
    assert chosen(supplied(parts, stock)[0]) == [("B", "WH-DE")]
    assert chosen(supplied(parts, stock, destination="CH")[0]) == [("A", "WH-CH")]
