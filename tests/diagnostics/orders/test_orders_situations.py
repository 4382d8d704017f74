"""Sixteen situations: each class in warranty, out of it, across a customs border, and with gaps.

The files were read as the technician would who has to act on them. FOREWARN_GOLDEN=write makes them anew, to
be read again.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from orders_form import assert_a_partition
from orders_world import FAULTS, case_of

from diagnostics.case import Evidence, Probe
from diagnostics.orders.calendars import parse_hours
from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import prefill
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
from rules.times import DAY_MS, HOUR_MS, parse_instant

GOLDEN = Path(__file__).parents[2] / "golden" / "orders"

#: Thursday before Good Friday, 16:30 in Berlin.
OPENED_AT = parse_instant("2026-04-02T14:30:00Z")
OFFICE = parse_hours("Mon-Fri 08:00-17:00")
ALWAYS = parse_hours("Mon-Sun 00:00-24:00")

DEVICES = {
    "phone": DeviceId("acme", "phone", "ph-1"),
    "pc": DeviceId("acme", "pc", "pc-1"),
    "server": DeviceId("acme", "server", "srv-1"),
    "appliance": DeviceId("acme", "appliance", "wm-1"),
}
FACTS: dict[str, dict[str, object]] = {
    "phone": {"model": "Lumo 7", "serial": "L7-0001", "firmware": "14.2"},
    "pc": {
        "model": "Desk 320",
        "serial": "D3-0001",
        "firmware": "1.9",
        "components": {"1": {"model": "FAN-8038", "serial": "F-77", "firmware": "-"}},
    },
    "server": {
        "model": "R740",
        "serial": "SRV0001",
        "firmware": "2.19.1",
        "components": {"sda": {"model": "ST4000NM0035", "serial": "ZC1ABC", "firmware": "TN05"}},
    },
    "appliance": {"model": "W900", "serial": "W-0001", "firmware": "1.4"},
}
FAULT_OF = {
    "phone": ("battery.failed", "", "battery.health", 41.0, 60.0, "battery.test"),
    "pc": ("fan.stopped", "1", "fan.rpm@1", 0.0, 70.0, "fan.test"),
    "server": ("disk.media_wear", "sda", "disk.pending_sectors@sda", 24.0, 0.0, "disk.self_test"),
    "appliance": ("washer.not_draining", "", "water.level", 62.0, 10.0, "washer.drain_test"),
}
SEEN = {
    "phone": ("The battery holds less than it must", "the battery's own test, which failed"),
    "pc": ("A fan stands still although the processor is hot", "the fan test, which failed"),
    "server": ("The drive is losing sectors", "the drive's own self test, which failed"),
    "appliance": ("The drain pump ran and the water did not fall", "the drain test, which failed"),
}
PARTS = (
    Part(
        "LUMO-BAT", "Battery 4.4 Ah", "battery", ("Lumo 7",), None, Decimal("39.00"), "EUR", "8507.60", "CN"
    ),
    Part("FAN-01", "Fan 80 mm", "fan", ("FAN-8038",), None, Decimal("16.00"), "EUR", "8414.59", "CN"),
    Part(
        "HDD-4T",
        "Drive 4 TB SATA",
        "drive",
        ("ST4000*",),
        None,
        Decimal("149.90"),
        "EUR",
        "8471.70",
        "TH",
        return_required=True,
        superseded_by="HDD-6T",
    ),
    Part(
        "HDD-6T",
        "Drive 6 TB SATA",
        "drive",
        ("ST6000*",),
        None,
        Decimal("179.00"),
        "EUR",
        "8471.70",
        "TH",
        True,
    ),
    Part(
        "PUMP-1", "Drain pump 30 W", "drain_pump", ("W900",), None, Decimal("32.50"), "EUR", "8413.70", "IT"
    ),
)
WEIGHTS = {"LUMO-BAT": "0.11", "FAN-01": "0.14", "HDD-4T": "0.85", "HDD-6T": "0.85", "PUMP-1": "0.62"}
LANGUAGES = {"phone": "zh-CN", "pc": "de", "server": "en-GB", "appliance": "de"}
NAMES = {"phone": "Li Wei", "pc": "Jonas Seidel", "server": "Pennine Foods Ltd", "appliance": "Anna Weber"}


def world(device_class: str, *, country: str = "DE", bought: date = date(2025, 3, 15)) -> Registry:
    device = DEVICES[device_class]
    zone = {"DE": "Europe/Berlin", "CH": "Europe/Zurich"}[country]
    address = {"DE": ("Lindenweg 3, 34117 Kassel", "34117"), "CH": ("Bahnhofstrasse 4, 2502 Biel", "2502")}[
        country
    ]

    def repairer(name: str, classes: str, channels: str, skills: str, **changes: object) -> Repairer:
        usual = Repairer(
            f"{country}-{name}",
            f"{name.capitalize()} {address[0].rpartition(' ')[2]}",
            (country,),
            tuple(channels.split()),
            tuple(skills.split()),
            (),
            country,
            f"Am Markt 2, {address[0].rpartition(', ')[2]}",
            "EUR",
            Decimal(72),
            Decimal(45),
            Decimal(12),
            classes=(classes,) if classes else (),
            hours=OFFICE,
            time_zone=zone,
        )
        return replace(usual, **changes)

    return Registry(
        devices={device: DeviceEntry(device, owner="o", site="s", bought=bought)},
        owners={"o": Owner("o", NAMES[device_class], "desk@example.org", LANGUAGES[device_class], zone)},
        sites={"s": SiteEntry("s", address[0], country, zone, address[1])},
        coverages=[
            Coverage("warranty", "acme", model="*", months=24, text="Maker's warranty, parts and labour"),
        ],
        parts={part.number: replace(part, weight_kg=Decimal(WEIGHTS[part.number])) for part in PARTS},
        stock=[
            Stock("WH-Kassel", "DE", number, quantity)
            for number, quantity in (
                ("LUMO-BAT", 4),
                ("FAN-01", 9),
                ("HDD-4T", 0),
                ("HDD-6T", 3),
                ("PUMP-1", 2),
            )
        ],
        repairers=[
            repairer("far", "", "on_site", "pc server appliance", postal_areas=("80000-89999", "1*")),
            repairer("mobile", "phone", "mail_in carry_in", "phone lithium_battery"),
            repairer("machines", "", "on_site mail_in", "pc server", hours=ALWAYS),
            repairer("home", "appliance", "on_site", "appliance refrigeration"),
        ],
        service_levels=[
            ServiceLevel(DAY_MS, 3 * DAY_MS, hours=OFFICE),
            ServiceLevel(4 * HOUR_MS, 2 * DAY_MS, tenant="acme", country="CH", hours=OFFICE),
        ],
    )


def in_warranty(device_class: str) -> Registry:
    return world(device_class)


def out_of_warranty(device_class: str) -> Registry:
    return world(device_class, bought=date(2021, 3, 15))


def across_a_border(device_class: str) -> Registry:
    return world(device_class, country="CH")


def with_gaps(device_class: str) -> Registry:
    """Each class lacks something else."""
    full = world(device_class)
    entry = full.devices[DEVICES[device_class]]
    if device_class == "phone":  # nobody registered it
        return replace(full, devices={})
    if device_class == "pc":  # no date of purchase, no contact, and the part is out of stock
        owners = {"o": replace(full.owners["o"], contact=None, language="fr")}
        return replace(full, devices={entry.id: replace(entry, bought=None)}, owners=owners, stock=[])
    if device_class == "server":  # nobody knows the site's postal code, and all repairers serve by area
        sites = {"s": replace(full.sites["s"], postal_code=None)}
        areas = [replace(one, postal_areas=("34*",)) for one in full.repairers]
        return replace(full, sites=sites, repairers=areas)
    # The site has neither country nor time zone.
    return replace(
        full,
        sites={"s": replace(full.sites["s"], country=None, time_zone=None)},
        owners={"o": replace(full.owners["o"], time_zone=None)},
    )


SITUATIONS: tuple[Callable[[str], Registry], ...] = (in_warranty, out_of_warranty, across_a_border, with_gaps)


def order_in(device_class: str, registry: Registry) -> ServiceOrder:
    fault, component, signal, value, limit, probe = FAULT_OF[device_class]
    seen, confirmed = SEEN[device_class]
    case = case_of(
        DEVICES[device_class],
        fault,
        component,
        evidence=(Evidence(rule="rule_1", signal=signal, at=OPENED_AT - 60_000, value=value, limit=limit),),
        probes=(
            Probe(
                probe_id="p1",
                rule="rule_1",
                action=probe,
                component=component,
                state="failed",
                sent_at=OPENED_AT - 50_000,
                deadline=OPENED_AT + 1_750_000,
                answered_at=OPENED_AT - 5_000,
            ),
        ),
    )
    return prefill(
        case=case,
        confirmed_by=confirmed,
        explanation=seen,
        confidence=None,
        facts=FACTS[device_class],
        registry=registry,
        faults=FAULTS,
        opened_at=OPENED_AT,
        reason="confirmed",
        console_url="https://desk.example.com",
    )


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
@pytest.mark.parametrize("device_class", list(DEVICES))
def test_an_order_is_what_a_technician_can_act_on(
    device_class: str, situation: Callable[[str], Registry]
) -> None:
    order = order_in(device_class, situation(device_class))
    assert_a_partition(order)
    assert bool(order.to_ask) == (situation is with_gaps)
    assert (order.logistics.customs is not None) == (situation is across_a_border)
    text = json.dumps(order.document(), indent=2, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{device_class}_{situation.__name__}.json"
    if os.environ.get("FOREWARN_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_there_is_no_golden_order_of_no_situation() -> None:
    names = {f"{name}_{situation.__name__}.json" for name in DEVICES for situation in SITUATIONS}
    assert {path.name for path in GOLDEN.iterdir()} == names
