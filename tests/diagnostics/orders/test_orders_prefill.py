import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from orders_world import (
    FAULTS,
    OPENED_AT,
    PHONE,
    PHONE_FACTS,
    SERVER,
    SERVER_FACTS,
    WASHER,
    WASHER_FACTS,
    case_of,
    drive_case,
    world,
)

from diagnostics.case import Case, Evidence, Probe
from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import order_id, prefill
from diagnostics.orders.registry import DeviceEntry, Owner, Registry, SiteEntry
from rules.symbols import DeviceId
from rules.times import MAX_INSTANT_MS, parse_instant

GOLDEN = Path(__file__).parent / "golden"


def order_of(
    case: Case,
    facts: Mapping[str, object],
    registry: Registry | None = None,
    *,
    confirmed_by: str = "the drive's own self test failed",
    explanation: str = "Pending sectors grew from 0 to 24 in a day",
    console_url: str | None = "https://desk.example.com/",
    parts_hint: Sequence[str] = (),
    opened_at: int = OPENED_AT,
    confidence: float | None = None,
) -> ServiceOrder:
    return prefill(
        case=case,
        confirmed_by=confirmed_by,
        explanation=explanation,
        confidence=confidence,
        facts=facts,
        registry=world() if registry is None else registry,
        faults=FAULTS,
        opened_at=opened_at,
        reason="confirmed",
        console_url=console_url,
        parts_hint=parts_hint,
    )


def missing(order: ServiceOrder) -> dict[str, str]:
    return {entry.field: entry.why for entry in order.to_ask}


def golden_orders() -> dict[str, ServiceOrder]:
    return {
        "server_drive_across_a_customs_border": order_of(drive_case(), SERVER_FACTS),
        "washer_pump_under_warranty": order_of(
            case_of(
                WASHER,
                "washer.not_draining",
                evidence=(
                    Evidence(rule="not_draining", signal="water.level", at=OPENED_AT, value=62.0),
                    Evidence(rule="not_draining", signal="drain.pump_on", at=OPENED_AT, value=True),
                ),
                probes=(
                    Probe(
                        probe_id="p",
                        rule="not_draining",
                        action="washer.drain_test",
                        component="",
                        state="failed",
                        sent_at=OPENED_AT - 300_000,
                        deadline=OPENED_AT,
                        answered_at=OPENED_AT - 60_000,
                    ),
                ),
            ),
            WASHER_FACTS,
            explanation="The drain pump ran for ten minutes and the water did not fall",
            confirmed_by="a drain-only programme that left the water where it was",
        ),
        "phone_battery_of_an_unregistered_device": order_of(
            case_of(DeviceId("bell", "phone", "ph-99"), "battery.failed"),
            {"model": "Lumo 7"},
            explanation="The battery calls itself dead",
            confirmed_by="two reports an hour apart",
            console_url=None,
        ),
    }


@pytest.mark.parametrize("name", list(golden_orders()))
def test_an_order_is_what_its_golden_file_says(name: str) -> None:
    # The files were read as the technician would. FOREWARN_GOLDEN=write makes them anew, to be read again.
    path = GOLDEN / f"{name}.json"
    text = json.dumps(golden_orders()[name].document(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("FOREWARN_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_the_same_case_always_gives_the_same_order_id() -> None:
    assert order_id(drive_case()) == order_id(drive_case()) == "SO-BXOGENQ44BDX"


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "bell"},
        {"device_class": "pc"},
        {"device": "srv-2"},
        {"component": "sdb"},
        {"fault": "disk.cable"},
        {"onset": OPENED_AT},
    ],
)
def test_another_case_gives_another_order_id(change: dict[str, object]) -> None:
    assert order_id(drive_case().model_copy(update=change)) != order_id(drive_case())


@pytest.mark.parametrize("change", [{"updated": OPENED_AT + 1}, {"case_id": "x"}, {"severity": "minor"}])
def test_what_a_case_comes_to_later_does_not_change_the_order_id(change: dict[str, object]) -> None:
    assert order_id(drive_case().model_copy(update=change)) == order_id(drive_case())


def test_names_that_run_into_each_other_stay_apart() -> None:
    one = drive_case().model_copy(update={"device": "a", "component": "bc"})
    two = drive_case().model_copy(update={"device": "ab", "component": "c"})
    assert order_id(one) != order_id(two)


def test_with_everything_known_nothing_is_missing_but_what_nobody_can_tell() -> None:
    order = order_of(drive_case(), SERVER_FACTS)
    assert order.to_ask == []
    # Servers have no IRIS codes.
    assert [entry.field for entry in order.missing] == ["fault.iris", "diagnosis.confidence"]


def test_a_confidence_that_is_not_known_stands_in_missing_and_one_that_is_does_not() -> None:
    unknown = order_of(drive_case(), SERVER_FACTS)
    assert unknown.diagnosis.confidence is None
    assert "repairers' findings" in unknown.missing[-1].why
    known = order_of(drive_case(), SERVER_FACTS, confidence=0.9)
    assert known.diagnosis.confidence == 0.9
    assert [entry.field for entry in known.missing] == ["fault.iris"]


def test_a_component_that_tells_its_name_stands_beside_its_device() -> None:
    device = order_of(drive_case(), SERVER_FACTS).device
    assert (device.model, device.serial) == ("R740", "SRV0001")
    assert device.part is not None
    assert (device.part.model, device.part.serial, device.part.firmware) == ("ST4000NM0035", "ZC1ABC", "TN05")


def test_a_component_without_a_name_says_so_when_it_must_come_back() -> None:
    order = order_of(drive_case(), {"model": "R740", "serial": "SRV0001", "firmware": "2.19.1"})
    assert (order.device.model, order.device.serial, order.device.part) == ("R740", "SRV0001", None)
    assert "the device did not say the serial number of sda" in missing(order)["device.part.serial"]
    assert [part.part for part in order.parts] == ["ACME-HDD-4T"]


def test_the_device_is_believed_before_the_registry_and_the_difference_is_told() -> None:
    order = order_of(drive_case(), {"model": "R750", "serial": "OTHER"})
    assert (order.device.model, order.device.serial) == ("R750", "OTHER")
    whys = [entry.why for entry in order.choices if entry.field in ("device.serial", "device.model")]
    assert any("the device says OTHER, the registry SRV0001" in why for why in whys)
    assert any("the device says R750, the registry R740" in why for why in whys)


def test_the_registry_fills_in_what_the_device_does_not_say() -> None:
    order = order_of(case_of(WASHER, "washer.not_draining"), {})
    assert (order.device.model, order.device.serial) == ("W900", "W-55")
    assert missing(order) == {
        "device.firmware": "the device did not say it and the registry does not have it"
    }


@pytest.mark.parametrize(
    "nonsense", [None, True, 1.5, [], {}, "", "   ", "x" * 201, "a\x00b", "\ud800", 10**300]
)
def test_names_that_are_none_count_as_not_said(nonsense: object) -> None:
    facts = {"model": nonsense, "serial": nonsense, "firmware": nonsense, "parent": nonsense}
    order = order_of(case_of(DeviceId("acme", "server", "srv-9"), "bmc.silent"), facts)
    device = order.device
    assert (device.model, device.serial, device.firmware, device.parent) == (None, None, None, None)
    assert {"device.model", "device.serial", "device.firmware"} <= set(missing(order))


def test_an_unregistered_device_says_everywhere_that_it_is_not_registered() -> None:
    order = order_of(case_of(DeviceId("acme", "appliance", "new"), "washer.motor"), WASHER_FACTS)
    gaps = missing(order)
    for field in (
        "customer.owner",
        "customer.contact",
        "customer.language",
        "customer.time_zone",
        "site.address",
        "site.country",
    ):
        assert gaps[field] == "the device is not in the registry"
    assert gaps["service.provider"] == "the country of the site is not known"
    assert order.entitlement.status == "unknown"
    assert order.estimate.payer is None


def test_references_that_lead_nowhere_are_told() -> None:
    lost = DeviceEntry(WASHER, model="W900", serial="W-55", owner="nobody", site="nowhere")
    gaps = missing(order_of(case_of(WASHER, "washer.motor"), WASHER_FACTS, world(devices={WASHER: lost})))
    assert gaps["customer.contact"] == "the registry has no owner nobody"
    assert gaps["site.address"] == "the registry has no site nowhere"


def test_an_owner_without_a_contact_is_missing_only_that() -> None:
    owners = {"anna": Owner("anna", "Anna Weber", None, "de", "Europe/Berlin")}
    order = order_of(case_of(WASHER, "washer.not_draining"), WASHER_FACTS, world(owners=owners))
    assert missing(order) == {"customer.contact": "the registry does not have it for owner anna"}
    assert order.customer.owner == "Anna Weber"


def test_a_mailed_device_goes_to_the_repairer_and_so_does_its_part() -> None:
    order = order_of(case_of(PHONE, "battery.failed"), PHONE_FACTS)
    assert order.service.channel == "mail_in"
    workshop = "Garnier Mobiles Lyon, 2 avenue de la Gare, 69002 Lyon, FR"
    assert order.logistics.outbound is not None
    assert (order.logistics.outbound.origin, order.logistics.outbound.to) == ("WH-Lyon", workshop)
    assert order.logistics.device is not None
    assert order.logistics.device.origin == "8 rue du Moulin, 69002 Lyon, FR"
    assert order.logistics.device.to == workshop
    assert order.estimate.transport == 12.0
    assert order.entitlement.status == "out_of_warranty"
    assert order.estimate.payer == "customer"


def test_a_battery_that_may_swell_is_carried_in_and_nothing_is_charged_for_the_way() -> None:
    order = order_of(case_of(PHONE, "battery.swelling_risk"), PHONE_FACTS)
    assert order.service.channel == "carry_in"
    assert order.service.urgency == "U1"
    assert order.fault.danger
    assert order.estimate.transport == 0.0
    assert "must not be mailed" in order.diagnosis.remedies[0].action


def test_respond_and_resolve_follow_the_urgency() -> None:
    order = order_of(case_of(WASHER, "appliance.leak"), WASHER_FACTS)
    assert order.service.respond_by == "2026-01-01T04:10:00Z"
    assert order.service.resolve_by == "2026-01-02T00:10:00Z"


def test_a_fault_without_parts_sends_nothing() -> None:
    order = order_of(case_of(SERVER, "room.cooling"), SERVER_FACTS)
    assert order.parts == []
    assert order.logistics.outbound is None
    assert order.logistics.return_leg is not None
    assert not order.logistics.return_leg.required
    assert order.estimate.parts == 0.0
    assert "parts" not in missing(order)


def test_a_fault_of_the_users_own_uses_its_rules_words() -> None:
    case = case_of(WASHER, "washer.knob_lost", severity="critical")
    order = order_of(case, WASHER_FACTS, parts_hint=["drain pump", "left knob"])
    assert order.fault.title == "Title of the rule"
    assert order.service.urgency == "U1"
    assert [part.part for part in order.parts] == ["ACME-PUMP-1"]
    gaps = missing(order)
    assert gaps["fault.symptom"] == "fault washer.knob_lost is not in the fault catalogue"
    assert gaps["parts[1]"] == "the registry has no part of kind left_knob for acme"
    assert gaps["service.minutes"] == "the fault catalogue does not say how long the repair takes"
    assert gaps["estimate.parts"] == "not every part that is needed was found"


def test_an_unknown_fault_without_hints_does_not_pretend_that_it_needs_no_part() -> None:
    order = order_of(case_of(WASHER, "washer.knob_lost"), WASHER_FACTS)
    assert "parts" in missing(order)
    assert order.estimate.parts is None
    assert "logistics.outbound" in missing(order)


def test_a_rule_may_name_a_part_number_and_its_kind_without_doubling_it() -> None:
    order = order_of(
        case_of(WASHER, "washer.not_draining"), WASHER_FACTS, parts_hint=["ACME-PUMP-1", "drain pump"]
    )
    assert [(part.part, part.quantity) for part in order.parts] == [("ACME-PUMP-1", 1)]


def test_the_explanation_says_what_confirmed_it_once() -> None:
    def explained(explanation: str, confirmed_by: str) -> str:
        order = order_of(drive_case(), SERVER_FACTS, explanation=explanation, confirmed_by=confirmed_by)
        return order.diagnosis.explanation

    assert explained("It grew.", "a self test.") == "It grew. Confirmed by: a self test."
    assert explained("It grew", "a self test") == "It grew. Confirmed by: a self test."
    assert explained("It grew; a self test failed.", "a self test") == "It grew; a self test failed."
    assert explained("", "a self test") == "Confirmed by: a self test."
    assert explained("It grew.", "") == "It grew."


def test_a_remedy_that_was_run_tells_how_it_went() -> None:
    remedies = order_of(drive_case(), SERVER_FACTS).diagnosis.remedies
    assert [remedy.state for remedy in remedies] == ["proposed", "proposed", "failed"]


def test_values_that_json_cannot_carry_are_unknown() -> None:
    case = case_of(
        WASHER,
        "washer.motor",
        evidence=(Evidence(rule="r", signal="motor.current", at=1, value=float("nan"), limit=float("inf")),),
    )
    evidence = order_of(case, WASHER_FACTS).diagnosis.evidence[0]
    assert (evidence.value, evidence.limit) == (None, None)


def test_a_site_without_a_country_keeps_customs_open() -> None:
    sites = {"biel": SiteEntry("biel", "rue Centrale 4, 2502 Biel/Bienne", None, "Europe/Zurich")}
    order = order_of(drive_case(), SERVER_FACTS, world(sites=sites))
    assert order.logistics.customs is None
    assert "whether customs ask" in missing(order)["logistics.customs"]


def test_no_link_without_an_address_of_the_console() -> None:
    assert order_of(drive_case(), SERVER_FACTS, console_url=None).links.console is None
    order = order_of(drive_case(), SERVER_FACTS)
    assert order.links.console == f"https://desk.example.com/orders/{order.order_id}"


def test_the_parent_is_the_devices_word_else_the_registrys() -> None:
    entry = replace(world().devices[WASHER], parent="home-gateway")
    registry = world(devices={WASHER: entry})
    case = case_of(WASHER, "washer.motor")
    assert order_of(case, WASHER_FACTS, registry).device.parent == "home-gateway"
    assert order_of(case, {**WASHER_FACTS, "parent": "hub-2"}, registry).device.parent == "hub-2"


def test_the_warranty_ends_with_the_day_of_the_site_not_of_its_owner() -> None:
    # Its contract ends on 2027-05-01: at 23:30 in Berlin that day it is the next one already in Tokyo.
    late = parse_instant("2027-05-01T21:30:00Z")
    owners = {"uhr": Owner("uhr", "Uhrwerk", "it@example.com", "ja", "Asia/Tokyo")}
    here = SiteEntry("biel", "rue Centrale 4", "CH", "Europe/Zurich")
    zoneless = SiteEntry("biel", "rue Centrale 4", "CH")

    def status(site: SiteEntry) -> str:
        registry = world(owners=owners, sites={"biel": site})
        return order_of(drive_case(), SERVER_FACTS, registry, opened_at=late).entitlement.status

    assert status(here) == "contract"
    assert status(zoneless) == "out_of_warranty"


def test_the_last_instant_has_its_times_too() -> None:
    order = order_of(drive_case(), SERVER_FACTS, opened_at=MAX_INSTANT_MS)
    assert order.service.respond_by == order.service.resolve_by == "9999-12-31T23:59:59.999Z"
