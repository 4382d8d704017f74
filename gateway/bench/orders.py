"""``forewarn bench orders``: orders a second from a confirmed case to the committed outbox row, on one core.

A registry as the demo's, invented for a fleet; a confirmed case of each fault of each device in turn; each is
filled in, and committed to a ledger on this machine's disk together with its case and the outbox row.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from diagnostics.case import Case, Evidence
from diagnostics.faults import FaultCatalogue, load_faults
from diagnostics.orders.completeness import Completeness, completeness
from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import order_id, prefill
from diagnostics.orders.registry import Registry
from gateway.ledger.outbox import SqlOutbox
from gateway.ledger.store import SqlLedger
from gateway.ports import LedgerWrite
from gateway.registry import load_registry
from gateway.registry_database import RegistryDatabase
from gateway.registry_import import IMPORTED, import_files
from rules.symbols import DeviceId
from rules.times import parse_instant
from simulators.registry import write_registry

Progress = Callable[[str], None]

NOW = parse_instant("2026-03-02T09:00:00Z")
TARGET = 500  # orders a second on one core; issue 5

_MODELS = {"phone": "Lumo 7", "pc": "Desk 320", "server": "R740", "appliance": "W900"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Of a run: orders that are measured, devices of the fleet, orders of a commit, seed of the registry."""

    orders: int = 5_000
    devices: int = 2_000
    batch: int = 100
    seed: int = 1


def measure_files(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure with a registry of CSV files, held in memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "registry"
        _invent(settings, folder)
        return _measure(settings, load_registry(folder), Path(name), progress)


def measure_imported(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure with a registry that was imported, and is looked into for each order."""
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name) / "in", Path(name) / "registry.db"
        _invent(settings, folder)
        database = RegistryDatabase(path)
        files = [folder / f"{table}.csv" for table in IMPORTED if (folder / f"{table}.csv").exists()]
        import_files(files, database, Registry())
        database.close()
        return _measure(settings, load_registry(Path(name) / "none", path), Path(name), progress)


def fleet(count: int) -> list[tuple[DeviceId, dict[str, object]]]:
    """Return devices of all classes with the facts that they tell."""
    devices = []
    for number in range(count):
        device_class = list(_MODELS)[number % len(_MODELS)]
        facts: dict[str, object] = {
            "model": _MODELS[device_class],
            "serial": f"S{number:06d}",
            "firmware": "1.0",
        }
        if device_class in ("pc", "server"):
            facts["components"] = {"sda": {"model": "ST4000NM0035", "serial": f"Z{number}", "firmware": "T"}}
        tenant = "bell" if number % 3 == 0 else "acme"
        devices.append((DeviceId(tenant, device_class, f"{device_class}-{number}"), facts))
    return devices


def _invent(settings: Settings, folder: Path) -> None:
    write_registry(
        fleet(settings.devices), folder, settings.seed, datetime.fromtimestamp(NOW // 1000, UTC).date()
    )


def _measure(settings: Settings, registry: Registry, folder: Path, progress: Progress) -> dict[str, Any]:
    faults = load_faults()
    facts = dict(fleet(settings.devices))
    cases = list(islice(_cases(settings.devices, faults), settings.orders))
    for case in cases[: settings.orders // 10]:  # what is worked out once is worked out
        _fill(case, facts, registry, faults)
    progress(f"{settings.orders} orders, {settings.batch} to a commit")
    url = f"sqlite:///{folder / 'ledger.db'}"
    ledger = SqlLedger(url)
    outbox = SqlOutbox(url)
    outbox.share_out({"target": "*"})
    filled: list[ServiceOrder] = []
    prefill_s = prefill_cpu = commit_s = commit_cpu = 0.0
    for start in range(0, len(cases), settings.batch):
        piece = cases[start : start + settings.batch]
        begun, cpu = perf_counter(), process_time()
        orders = [_fill(case, facts, registry, faults) for case in piece]
        prefill_s += perf_counter() - begun
        prefill_cpu += process_time() - cpu
        begun, cpu = perf_counter(), process_time()
        opened = ledger.commit(LedgerWrite(cases=piece, orders=orders))
        commit_s += perf_counter() - begun
        commit_cpu += process_time() - cpu
        assert len(opened) == len(orders)
        filled += orders
    outbox.close()
    ledger.close()
    total, cpu_total = prefill_s + commit_s, prefill_cpu + commit_cpu
    whole = sum(map(completeness, filled), start=Completeness(0, 0))
    return {
        "orders": len(filled),
        "devices": settings.devices,
        "batch": settings.batch,
        "target_orders_per_second": TARGET,
        "orders_per_second": round(len(filled) / total, 1),
        "orders_per_cpu_second": round(len(filled) / cpu_total, 1),
        "prefill_us_per_order": round(prefill_s / len(filled) * 1e6, 1),
        "prefill_cpu_us_per_order": round(prefill_cpu / len(filled) * 1e6, 1),
        "commit_us_per_order": round(commit_s / len(filled) * 1e6, 1),
        "commit_cpu_us_per_order": round(commit_cpu / len(filled) * 1e6, 1),
        "fields_filled_in": round(whole.ratio, 4),
    }


def _cases(devices: int, faults: FaultCatalogue) -> Iterator[Case]:
    """Yield a confirmed case of each fault of each device in turn, and then of later onsets."""
    pairs = [
        (device, fault)
        for device, _ in fleet(devices)
        for fault in faults
        if fault.order and device.device_class in fault.classes
    ]
    for number, (device, fault) in enumerate(_mixed(pairs)):
        onset = NOW + number
        component = "sda" if fault.code.startswith("disk.") else ""
        # Orders of a fault that is ordered already would be the same order: later ones are of other parts.
        again = number // len(pairs)
        yield Case(
            case_id=f"C-{number}",
            tenant=device.tenant,
            device_class=device.device_class,
            device=device.device,
            component=f"{component}{again}" if again else component,
            fault=fault.code,
            title=fault.title,
            rule="bench",
            severity=fault.severity,
            onset=onset,
            updated=onset,
            confirmed_at=onset,
            evidence=[Evidence(rule="bench", signal="bench.value", at=onset, value=1.0, limit=0.0)],
        )


def _mixed(pairs: Sequence[Any]) -> Iterator[Any]:
    """Yield pairs again and again, neighbours far from each other, as they come from a fleet."""
    step = next(number for number in (7919, 6007, 5003, 1) if len(pairs) % number)
    order = sorted(range(len(pairs)), key=lambda place: place * step % len(pairs))
    return (pairs[place] for place in cycle(order))


def _fill(
    case: Case, facts: dict[DeviceId, dict[str, object]], registry: Registry, faults: FaultCatalogue
) -> ServiceOrder:
    order = prefill(
        case=case,
        confirmed_by="the self test, which failed",
        explanation="What was seen, in a sentence of usual length, with the values behind it.",
        confidence=None,
        facts=facts[DeviceId(case.tenant, case.device_class, case.device)],
        registry=registry,
        faults=faults,
        opened_at=case.onset,
        reason="confirmed",
        console_url="http://127.0.0.1:8080",
    )
    case.order_id = order_id(case)
    return order


Measurement = Callable[[Settings, Progress], dict[str, Any]]

#: By name; those with True run unless others are asked for.
MEASUREMENTS: dict[str, tuple[Measurement, bool]] = {
    "files": (measure_files, True),
    "imported": (measure_imported, True),
}
