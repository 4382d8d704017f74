"""A small after-sales world that the tests of orders share: one registry, and cases in it."""

from datetime import date
from decimal import Decimal

from diagnostics.case import Case, Evidence, Probe
from diagnostics.faults import load_faults
from diagnostics.orders.registry import (
    Coverage,
    DeviceEntry,
    Owner,
    Part,
    Registry,
    Repairer,
    SiteEntry,
    Stock,
)
from rules.symbols import DeviceId
from rules.times import parse_instant

FAULTS = load_faults()
OPENED_AT = parse_instant("2026-01-01T00:10:00Z")

SERVER = DeviceId("acme", "server", "srv-1")
WASHER = DeviceId("acme", "appliance", "wm-7")
PHONE = DeviceId("bell", "phone", "ph-3")

SERVER_FACTS = {
    "model": "R740",
    "serial": "SRV0001",
    "firmware": "2.19.1",
    "components": {"sda": {"model": "ST4000NM0035", "serial": "ZC1ABC", "firmware": "TN05"}},
}
WASHER_FACTS = {"model": "W900", "serial": "W-55", "firmware": "1.4"}
PHONE_FACTS = {"model": "Lumo 7", "serial": "L7-1", "firmware": "14.2"}


def world(**changes: object) -> Registry:
    """Return the registry; `changes` replace whole tables."""
    tables: dict[str, object] = {
        "devices": {
            entry.id: entry
            for entry in (
                DeviceEntry(SERVER, model="R740", serial="SRV0001", owner="uhr", site="biel"),
                DeviceEntry(
                    WASHER,
                    model="W900",
                    serial="W-55",
                    owner="anna",
                    site="kassel",
                    bought=date(2024, 6, 1),
                ),
                DeviceEntry(PHONE, owner="camille", site="lyon", bought=date(2023, 1, 15)),
            )
        },
        "owners": {
            owner.id: owner
            for owner in (
                Owner("uhr", "Uhrwerk Jura AG", "it@uhrwerk.example.com", "fr", "Europe/Zurich"),
                Owner("anna", "Anna Weber", "anna@example.org", "de", "Europe/Berlin"),
                Owner("camille", "Camille Moreau", "camille@example.org", "fr", "Europe/Paris"),
            )
        },
        "sites": {
            site.id: site
            for site in (
                SiteEntry("biel", "rue Centrale 4, 2502 Biel/Bienne", "CH", "Europe/Zurich"),
                SiteEntry("kassel", "Lindenweg 3, 34117 Kassel", "DE", "Europe/Berlin"),
                SiteEntry("lyon", "8 rue du Moulin, 69002 Lyon", "FR", "Europe/Paris"),
            )
        },
        "coverages": (
            Coverage(
                "contract",
                "acme",
                device=SERVER,
                starts=date(2024, 5, 2),
                months=36,
                text="On-site repair with parts, all days",
                contract="SV-4711",
            ),
            Coverage(
                "warranty",
                "acme",
                model="W9*",
                months=24,
                text="Maker's warranty, parts and labour",
            ),
            Coverage(
                "warranty",
                "bell",
                model="Lumo *",
                months=24,
                text="Maker's warranty",
                excludes=("battery.worn",),
            ),
        ),
        "parts": {
            part.number: part
            for part in (
                Part(
                    "ACME-HDD-4T",
                    "Drive 4 TB SATA",
                    "drive",
                    ("ST4000*", "R7?0"),
                    "acme",
                    Decimal("149.90"),
                    "EUR",
                    "8471.70",
                    "TH",
                    weight_kg=Decimal("0.85"),
                ),
                Part(
                    "ACME-PUMP-1",
                    "Drain pump 30 W",
                    "drain_pump",
                    ("W900", "W910"),
                    "acme",
                    Decimal("32.50"),
                    "EUR",
                    "8413.70",
                    "IT",
                    return_required=False,
                    weight_kg=Decimal("0.62"),
                ),
                Part(
                    "BELL-BAT-7",
                    "Battery 4.4 Ah",
                    "battery",
                    ("Lumo 7*",),
                    "bell",
                    Decimal("39.00"),
                    "EUR",
                    "8507.60",
                    "CN",
                    weight_kg=Decimal("0.11"),
                ),
            )
        },
        "stock": (
            Stock("WH-Kassel", "DE", "ACME-HDD-4T", 6),
            Stock("WH-Kassel", "DE", "ACME-PUMP-1", 3),
            Stock("WH-Lyon", "FR", "ACME-HDD-4T", 0),
            Stock("WH-Lyon", "FR", "BELL-BAT-7", 12),
        ),
        "repairers": (
            Repairer(
                "CH-IT",
                "Keller IT Biel",
                ("CH",),
                ("on_site",),
                ("server", "pc"),
                country="CH",
                address="Bahnhofstrasse 1, 2502 Biel/Bienne",
                currency="EUR",
                labour_rate=Decimal(120),
                travel_fee=Decimal(80),
            ),
            Repairer(
                "DE-HA",
                "Vogt Hausgeräte Kassel",
                ("DE", "AT"),
                ("on_site",),
                ("appliance", "refrigeration"),
                tenants=("acme",),
                country="DE",
                address="Gartenstraße 9, 34117 Kassel",
                currency="EUR",
                labour_rate=Decimal(66),
                travel_fee=Decimal(45),
            ),
            Repairer(
                "FR-MO",
                "Garnier Mobiles Lyon",
                ("FR",),
                ("mail_in", "carry_in"),
                ("phone", "lithium_battery"),
                country="FR",
                address="2 avenue de la Gare, 69002 Lyon",
                currency="EUR",
                labour_rate=Decimal(54),
                travel_fee=None,
                shipping_fee=Decimal(12),
            ),
        ),
    }
    return Registry(**(tables | changes))


def case_of(
    device: DeviceId,
    fault: str,
    component: str = "",
    *,
    evidence: tuple[Evidence, ...] = (),
    probes: tuple[Probe, ...] = (),
    severity: str = "major",
) -> Case:
    """Return a confirmed case."""
    return Case.model_validate(
        {
            "case_id": f"{device}/{component}/{fault}",
            "tenant": device.tenant,
            "device_class": device.device_class,
            "device": device.device,
            "component": component,
            "fault": fault,
            "title": "Title of the rule",
            "rule": "rule_1",
            "severity": severity,
            "state": "confirmed",
            "onset": OPENED_AT - 600_000,
            "updated": OPENED_AT,
            "confirmed_at": OPENED_AT,
            "evidence": [item.model_dump() for item in evidence],
            "probes": [probe.model_dump() for probe in probes],
        }
    )


def drive_case() -> Case:
    """Return a server's drive that failed its self test."""
    return case_of(
        SERVER,
        "disk.media_wear",
        "sda",
        evidence=(
            Evidence(
                rule="pending_sectors_growing",
                signal="disk.pending_sectors@sda",
                at=OPENED_AT - 60_000,
                value=24,
                limit=0,
            ),
        ),
        probes=(
            Probe(
                probe_id="p1",
                rule="pending_sectors_growing",
                action="disk.self_test",
                component="sda",
                state="failed",
                sent_at=OPENED_AT - 50_000,
                deadline=OPENED_AT + 1_750_000,
                answered_at=OPENED_AT - 5_000,
            ),
        ),
    )
