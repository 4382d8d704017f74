"""The demo's invented registry, read by the gateway and used for orders."""

from datetime import date
from pathlib import Path

import pytest

from diagnostics.case import Case
from diagnostics.faults import load_faults
from diagnostics.orders.completeness import Completeness, completeness
from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import prefill
from diagnostics.orders.registry import Registry
from gateway.registry import load_registry
from rules.symbols import DeviceId
from rules.times import parse_instant
from simulators.registry import write_registry
from simulators.registry_data import PART_KINDS, WORKSHOPS

FAULTS = load_faults()
TODAY = date(2026, 1, 1)
NOW = parse_instant("2026-01-01T12:00:00Z")

MODELS = {"phone": "Lumo 7", "pc": "Aero 14", "server": "R740", "appliance": "W900"}


def fleet(size: int = 200) -> list[tuple[DeviceId, dict[str, object]]]:
    """A fleet as the demo's: four classes, two tenants, facts as devices tell them."""
    devices = []
    for number in range(size):
        device_class = list(MODELS)[number % 4]
        tenant = "bell" if number % 3 == 0 else "acme"
        facts: dict[str, object] = {
            "model": MODELS[device_class],
            "serial": f"S{number:05d}",
            "firmware": "1.0",
        }
        if device_class in ("pc", "server"):
            facts["components"] = {
                "sda": {"model": "ST4000NM0035", "serial": f"Z{number}", "firmware": "TN05"},
                "nvme0": {"model": "PM9A3", "serial": f"N{number}", "firmware": "G1"},
            }
        devices.append((DeviceId(tenant, device_class, f"{device_class}-{number}"), facts))
    return devices


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("invented") / "registry"
    write_registry(fleet(), folder, seed=1, today=TODAY)
    return load_registry(folder)


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> list[ServiceOrder]:
    """Of four invented registries, since one fleet may happen to be without one gap or another."""
    folder = tmp_path_factory.mktemp("several") / "registry"
    found = []
    for seed in range(1, 5):
        write_registry(fleet(), folder, seed=seed, today=TODAY)
        found += orders_of_everything(load_registry(folder), every=3)
    return found


def orders_of_everything(registry: Registry, every: int = 1) -> list[ServiceOrder]:
    """An order of every fault of every device that can have it, or of each third one and so on."""
    combinations = [
        (device, facts, fault)
        for device, facts in fleet()
        for fault in FAULTS
        if fault.order and device.device_class in fault.classes
    ]
    return [
        prefill(
            case=Case(
                case_id="c",
                tenant=device.tenant,
                device_class=device.device_class,
                device=device.device,
                component="sda" if fault.code.startswith("disk.") else "",
                fault=fault.code,
                title=fault.title,
                rule="r",
                severity=fault.severity,
                onset=NOW,
                updated=NOW,
            ),
            confirmed_by="",
            explanation="",
            confidence=None,
            facts=facts,
            registry=registry,
            faults=FAULTS,
            opened_at=NOW,
            reason="confirmed",
            console_url=None,
        )
        for device, facts, fault in combinations[::every]
    ]


def test_its_kinds_of_parts_are_the_catalogues() -> None:
    assert set(PART_KINDS) == FAULTS.kinds


def test_its_workshops_can_do_what_the_catalogue_asks() -> None:
    for fault in FAULTS:
        for device_class in fault.classes:
            skills = set(FAULTS.skills(fault, device_class))
            channels = set(FAULTS.channels(fault, device_class))
            assert any(
                skills <= set(workshop.skills) and channels & set(workshop.channels) for workshop in WORKSHOPS
            ), (fault.code, device_class)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> dict[str, bytes]:
        write_registry(fleet(40), tmp_path / name, seed=seed, today=TODAY)
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    first = written("a", 7)
    assert first == written("b", 7)
    assert first != written("c", 8)
    assert len(first) == 8


def test_writing_again_replaces_what_was_there(tmp_path: Path) -> None:
    write_registry(fleet(40), tmp_path, seed=1, today=TODAY)
    write_registry(fleet(4), tmp_path, seed=1, today=TODAY)
    assert len(load_registry(tmp_path).devices) <= 4


@pytest.mark.parametrize("size", [0, 1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_a_small_fleet_has_a_registry_too(tmp_path: Path, size: int, seed: int) -> None:
    write_registry(fleet(size), tmp_path, seed=seed, today=TODAY)
    load_registry(tmp_path)


def test_facts_that_say_nothing_do_no_harm(tmp_path: Path) -> None:
    odd: list[tuple[DeviceId, dict[str, object]]] = [
        (DeviceId("acme", "pc", "a"), {}),
        (DeviceId("acme", "pc", "b"), {"model": 7, "components": {"sda": 3, "sdb": {"model": None}}}),
        (DeviceId("acme", "server", "c"), {"model": "X", "components": []}),
    ]
    write_registry(odd, tmp_path, seed=1, today=TODAY)
    load_registry(tmp_path)


def test_most_orders_can_be_acted_on_and_a_few_miss_something(orders: list[ServiceOrder]) -> None:
    complete = sum(not order.to_ask for order in orders) / len(orders)
    assert 0.9 < complete < 0.99


def test_nearly_all_fields_of_all_orders_are_filled_in(orders: list[ServiceOrder]) -> None:
    total = sum(map(completeness, orders), start=Completeness(0, 0))
    print(
        f"completeness on the demo's registry: {total.ratio:.2%} of {total.filled + total.missing:,} fields"
    )
    assert 0.99 <= total.ratio < 1


def test_every_way_that_an_order_can_turn_out_is_seen(orders: list[ServiceOrder]) -> None:
    assert {order.entitlement.status for order in orders} == {
        "in_warranty",
        "contract",
        "out_of_warranty",
        "unknown",
    }
    assert {order.service.channel for order in orders} >= {"on_site", "mail_in", "carry_in"}
    assert any(order.logistics.customs for order in orders)
    fields = {entry.field for order in orders for entry in order.missing}
    assert {"customer.contact", "site.address", "parts[0].warehouse"} <= fields


def test_each_kind_is_found_for_the_devices_that_need_it(orders: list[ServiceOrder]) -> None:
    unfound = [
        (order.fault.code, entry.why) for order in orders for entry in order.missing if entry.field == "parts"
    ]
    assert unfound == []


def test_people_are_invented_and_reachable_nowhere(registry: Registry) -> None:
    contacts = [owner.contact for owner in registry.owners.values() if owner.contact]
    assert contacts
    assert all(contact.endswith((".example.com", "@example.org")) for contact in contacts)
    assert len({site.country for site in registry.sites.values()}) >= 5
    assert len({owner.language for owner in registry.owners.values()}) >= 4


def test_an_appliance_that_names_its_sort_has_that_sorts_parts_only(tmp_path: Path) -> None:
    devices = [
        (DeviceId("acme", "appliance", "w"), {"model": "W900", "kind": "washer"}),
        (DeviceId("acme", "appliance", "f"), {"model": "K300", "kind": "fridge"}),
    ]
    write_registry(devices, tmp_path, seed=1, today=TODAY)
    parts = load_registry(tmp_path).parts.values()
    fitting = {
        model: {part.kind for part in parts if part.fit(model) is not None} for model in ("W900", "K300")
    }
    assert "drain_pump" in fitting["W900"] - fitting["K300"]
    assert "compressor" in fitting["K300"] - fitting["W900"]
