"""Orders and readings that the tests of papers share."""

from orders_world import OPENED_AT, SERVER, SERVER_FACTS, drive_case, world

from diagnostics.case import CaseEvent
from diagnostics.decision import Reason
from diagnostics.faults import load_faults
from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import prefill
from gateway.ledger.store import SqlLedger
from gateway.papers.dossier import gather
from gateway.ports import LedgerWrite, StoredReading
from rules.signals import load_catalogue
from rules.times import MINUTE_MS

EXPLANATION = "The drive loses sectors (disk sda). Seen: disk.pending_sectors@sda 24 (limit 0). Rule r1."
CONSOLE = "https://console.example.org"


def drive_order(**changes: object) -> ServiceOrder:
    """Return the order of a server's drive; `changes` are laid over its JSON, section by section."""
    order = prefill(
        case=drive_case(),
        confirmed_by="the self test disk.self_test, which failed",
        explanation=EXPLANATION,
        confidence=None,
        facts=SERVER_FACTS,
        registry=world(),
        faults=load_faults(),
        opened_at=OPENED_AT,
        reason="confirmed",
        console_url=CONSOLE,
    )
    document = order.document()
    for section, change in changes.items():
        document[section] = document[section] | change if isinstance(change, dict) else change
    return ServiceOrder.model_validate(document)


def events():
    case = drive_case()
    return [
        CaseEvent(
            event=event, at=at, tenant=case.tenant, device_class=case.device_class, device=case.device,
            component=case.component, rule=case.rule, fault=case.fault, case_id=case.case_id,
            reason=Reason.CONFIRMED,
        )
        for event, at in (("suspected", case.onset), ("confirmed", case.confirmed_at))
    ]  # fmt: skip


def readings(device, *, signal, start, end):
    """Return an hour of a drive that loses a sector every minute from its onset on."""
    assert device == SERVER
    assert signal == "disk.pending_sectors@sda"
    begin = OPENED_AT - 40 * MINUTE_MS
    return [
        StoredReading(ts, "disk.pending_sectors", "sda", float(max(0, minute - 30)), ts)
        for minute in range(60)
        if start <= (ts := begin + minute * MINUTE_MS) < end
    ]


def no_readings(device, *, signal, start, end):
    return []


def dossier_of(order, folder, found=readings):
    """Return the dossier of an order that a real ledger keeps."""
    ledger = SqlLedger(f"sqlite:///{folder}/ledger.db")
    try:
        ledger.commit(LedgerWrite(cases=[drive_case()], events=events(), orders=[order]))
        return gather(order, ledger, found, load_catalogue(), now=OPENED_AT + 5 * MINUTE_MS)
    finally:
        ledger.close()
