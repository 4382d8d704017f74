"""Whatever the registry lacks and whatever the device says, the order is valid and says what it lacks."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from orders_form import assert_a_partition
from orders_world import FAULTS, PHONE, SERVER, WASHER, case_of, world

from diagnostics.case import Evidence
from diagnostics.orders.calendars import parse_hours
from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import order_id, prefill
from diagnostics.orders.registry import (
    Coverage,
    DeviceEntry,
    Owner,
    Part,
    Registry,
    Repairer,
    ServiceLevel,
    SiteEntry,
    Stock,
)
from rules.symbols import DeviceId
from rules.times import DAY_MS, HOUR_MS, MAX_INSTANT_MS

DEVICES = st.sampled_from([SERVER, WASHER, PHONE, DeviceId("acme", "toaster", "t-1")])
CODES = st.sampled_from([*(fault.code for fault in FAULTS), "own.fault"])
COUNTRIES = st.sampled_from(["DE", "FR", "CH", None])
ZONES = st.sampled_from(["Europe/Berlin", "Asia/Tokyo", "No/Where", None])
WORDS = st.none() | st.sampled_from(["W900", "R740", "Lumo 7", "x"])
DAYS = st.none() | st.dates(date(2000, 1, 1), date(9999, 12, 31))
MONEY = st.none() | st.decimals(0, 10_000, places=2, allow_nan=False)
HOURS = st.sampled_from([None, parse_hours("Mon-Fri 08:00-17:00"), parse_hours("Sun 23:00-24:00")])
REGIONS = st.sampled_from([None, "DE-BY", "DE-XX", "CH-BE"])
LANGUAGES = st.sampled_from([None, "de", "de-CH", "zh", "zh-TW", "fr", "x"])
CURRENCIES = st.sampled_from(["EUR", "CHF", None])
KINDS = st.sampled_from(sorted(FAULTS.kinds))
NUMBERS = st.sampled_from(["P1", "P2", "P3"])
CHANNELS = st.sampled_from(["on_site", "carry_in", "mail_in", "parts_only", "remote"])
SKILLS = ("phone", "pc", "server", "appliance", "refrigeration", "lithium_battery", "room_cooling")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)

FACTS = st.dictionaries(
    st.sampled_from(["model", "serial", "firmware", "parent", "components", "other"]),
    JSON | WORDS | st.dictionaries(st.just("sda"), st.dictionaries(st.just("model"), WORDS | JSON)),
)


@st.composite
def registries(draw: st.DrawFn) -> Registry:
    """A registry of which any cell may be empty and any reference may lead nowhere."""
    entries = [
        DeviceEntry(
            device,
            draw(WORDS),
            draw(WORDS),
            draw(WORDS),
            draw(WORDS),
            draw(st.sampled_from(["o", "lost", None])),
            draw(st.sampled_from(["s", "lost", None])),
            draw(DAYS),
        )
        for device in draw(st.sets(DEVICES))
    ]
    coverage = st.builds(
        Coverage,
        st.sampled_from(["warranty", "contract", "extension"]),
        st.just("acme"),
        device=st.none() | DEVICES,
        model=st.sampled_from(["*", "W9*", None]),
        starts=DAYS,
        ends=DAYS,
        months=st.none() | st.integers(0, 1200),
        text=WORDS,
        contract=WORDS,
        excludes=st.sampled_from([(), ("*",), ("battery.worn",), ("drive",)]),
        faults=st.sampled_from([(), ("disk.*",)]),
        part_kinds=st.sampled_from([(), ("drive", "battery")]),
        covers=st.sampled_from([(), ("parts",), ("labour", "transport")]),
        countries=st.sampled_from([(), ("DE",), ("FR", "CH")]),
        channels=st.lists(CHANNELS, max_size=2).map(tuple),
        term=st.sampled_from(["base", None]),
        extends=st.sampled_from(["base", None]),
    )
    part = st.builds(
        Part,
        NUMBERS,
        st.just("Part"),
        KINDS,
        st.sampled_from([(), ("*",), ("W9*", "R7*")]),
        st.sampled_from(["acme", None]),
        MONEY,
        CURRENCIES,
        WORDS,
        COUNTRIES,
        st.sampled_from([True, False, None]),
        MONEY,
        NUMBERS | st.none(),
    )
    stock = st.builds(
        Stock, st.sampled_from(["WH1", "WH2"]), st.sampled_from(["DE", "CH"]), NUMBERS, st.integers(0, 3)
    )
    repairer = st.builds(
        Repairer,
        st.just("R"),
        st.just("Repairs"),
        st.sampled_from([(), ("DE", "FR", "CH")]),
        st.lists(CHANNELS, max_size=3).map(tuple),
        st.sampled_from([(), SKILLS]),
        st.sampled_from([(), ("bell",)]),
        COUNTRIES,
        WORDS,
        CURRENCIES,
        MONEY,
        MONEY,
        MONEY,
        st.sampled_from([(), ("34*",), ("DE:1-5",), ("CH:*",)]),
        st.sampled_from([(), ("server",)]),
        HOURS,
        ZONES,
        REGIONS,
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 3),
    )
    level = st.builds(
        ServiceLevel,
        st.sampled_from([HOUR_MS, 30 * HOUR_MS]),
        st.sampled_from([2 * HOUR_MS, 3 * DAY_MS, 366 * DAY_MS]),
        st.sampled_from(["acme", None]),
        COUNTRIES,
        st.sampled_from(["minor", "critical", None]),
        HOURS,
        st.booleans(),
    )
    return Registry(
        devices={entry.id: entry for entry in entries},
        owners=draw(
            st.sampled_from([{}])
            | st.builds(Owner, st.just("o"), WORDS, WORDS, LANGUAGES, ZONES).map(lambda o: {"o": o})
        ),
        sites=draw(
            st.sampled_from([{}])
            | st.builds(
                SiteEntry, st.just("s"), WORDS, COUNTRIES, ZONES, st.sampled_from(["34117", None]), REGIONS
            ).map(lambda s: {"s": s})
        ),
        coverages=draw(st.lists(coverage, max_size=3)),
        parts={found.number: found for found in draw(st.lists(part, max_size=4))},
        stock=draw(st.lists(stock, max_size=4)),
        repairers=draw(st.lists(repairer, max_size=2)),
        service_levels=draw(st.lists(level, max_size=3)),
    )


def nulls(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of everything in a document that is null."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from nulls(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from nulls(inner, f"{path}[{number}]")
    elif value is None:
        yield path


# What may be null without being missing: there is none, or nobody could know, and no dispatcher waits for it.
MAY_BE_NULL = (
    "device.component",
    "device.parent",
    "device.part",
    "diagnosis.causes",
    "diagnosis.evidence",
    "entitlement.ends",  # runs until cancelled
    "entitlement.contract",
    "logistics.outbound",  # no part is needed
    "logistics.return.to",  # nothing comes back
    "logistics.customs",  # no border is crossed
    "logistics.device",
    "estimate.shares",  # an amount, of a cost that is missing
    "links.console",
)


def may_be_null(path: str, order: ServiceOrder) -> bool:
    if path == "logistics.outbound":
        return not order.parts and "parts" not in {entry.field for entry in order.missing}
    if path == "logistics.return.to":
        return order.logistics.return_leg is not None and not order.logistics.return_leg.required
    return path.startswith(MAY_BE_NULL) and not path.startswith(
        ("logistics.customs.", "logistics.outbound.", "logistics.device.")
    )


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    device=DEVICES,
    code=CODES,
    component=st.sampled_from(["", "sda", "1"]),
    facts=FACTS,
    registry=registries(),
    opened_at=st.integers(0, MAX_INSTANT_MS) | st.integers(1_700_000_000_000, 1_900_000_000_000),
    hints=st.lists(KINDS | NUMBERS | st.sampled_from(["NTC", "Left Knob", ""]), max_size=3),
    severity=st.sampled_from(["minor", "major", "critical"]),
    load=st.integers(0, 4),
    value=st.none() | st.booleans() | st.floats() | st.text(max_size=3),
)
@example(
    device=SERVER,
    code="disk.media_wear",
    component="sda",
    facts={},
    registry=Registry(),
    opened_at=0,
    hints=[],
    severity="major",
    load=0,
    value=None,
)
def test_any_gap_gives_a_valid_order_that_says_what_is_missing(
    device: DeviceId,
    code: str,
    component: str,
    facts: dict[str, object],
    registry: Registry,
    opened_at: int,
    hints: list[str],
    severity: str,
    load: int,
    value: float | bool | str | None,
) -> None:
    signal = "psu.redundant" if isinstance(value, bool) else "nvme.critical_warning@0"
    case = case_of(
        device,
        code,
        component,
        evidence=(Evidence(rule="r", signal=signal, at=0, value=value),),
        severity=severity,
    )
    order = prefill(
        case=case,
        confirmed_by="held for ten minutes",
        explanation="Seen.",
        confidence=None,
        facts=facts,
        registry=registry,
        faults=FAULTS,
        opened_at=opened_at,
        reason="confirmed",
        console_url=None,
        parts_hint=hints,
        load={"R": load},
    )
    document = order.document()
    assert ServiceOrder.model_validate(document) == order
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert order.order_id == order_id(case)

    gaps = {entry.field for entry in order.missing}
    told = tuple(f"{gap}." for gap in gaps)
    for path in nulls(document):
        assert path in gaps or path.startswith(told) or may_be_null(path, order), path
    assert_a_partition(order)
    assert (order.entitlement.status == "unknown") == ("entitlement" in gaps)
    assert (order.estimate.payer is None) == ("estimate.payer" in gaps)
    assert order.estimate.payer is not None or order.entitlement.status != "out_of_warranty"
    shares = order.estimate.shares
    assert len(shares) != 1
    assert order.estimate.payer in ([share.payer for share in shares] or [order.estimate.payer])
    if shares and all(share.amount is not None for share in shares):
        costs = (order.estimate.parts, order.estimate.labour, order.estimate.transport)
        assert sum(share.amount for share in shares) == pytest.approx(sum(map(float, costs)), abs=0.03)
    assert len(order.missing) == len({(entry.field, entry.why) for entry in order.missing})
    for amount in (order.estimate.parts, order.estimate.labour, order.estimate.transport):
        assert amount is None or amount == 0 or order.estimate.currency is not None
    if not hints:
        needed = {need.kind for need in getattr(FAULTS.get(code), "parts", ())}
        assert len(order.parts) == len(needed) or gaps & {"parts", f"parts[{len(order.parts)}]"}


@settings(max_examples=100, deadline=None)
@given(
    dropped=st.sets(
        st.sampled_from(["devices", "owners", "sites", "coverages", "parts", "stock", "repairers"])
    )
)
def test_a_missing_file_never_costs_more_than_what_it_would_have_told(dropped: set[str]) -> None:
    empty: dict[str, object] = {"coverages": (), "stock": (), "repairers": ()}
    registry = world(**{name: empty.get(name, {}) for name in dropped})
    order = prefill(
        case=case_of(WASHER, "washer.not_draining"),
        confirmed_by="a test",
        explanation="Seen.",
        confidence=0.9,
        facts={"model": "W900", "serial": "W-55", "firmware": "1"},
        registry=registry,
        faults=FAULTS,
        opened_at=1_767_226_200_000,
        reason="confirmed",
        console_url=None,
    )
    assert (order.to_ask == []) == (not dropped)
    assert (order.customer.contact == "anna@example.org") == (not dropped & {"devices", "owners"})
    assert (order.site.country == "DE") == (not dropped & {"devices", "sites"})
    assert (order.entitlement.status == "in_warranty") == (not dropped & {"devices", "coverages"})
    assert bool(order.parts) == ("parts" not in dropped)
    provided = not dropped & {"devices", "sites", "repairers"}
    assert (order.service.provider is not None) == provided
    assert (order.estimate.labour == float(Decimal("49.50"))) == provided
