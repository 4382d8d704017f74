"""Laws of the ledger: a write may be repeated, one open order for one fault, pages partition their list."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.case import Case, CaseEvent, CaseState, Evidence
from diagnostics.decision import Decision, Reason
from diagnostics.orders.model import OrderState, ServiceOrder
from gateway.errors import UserError
from gateway.ledger.store import SqlLedger
from gateway.ports import DeviceRecord, Ledger, LedgerWrite, Page, Rejected
from rules.symbols import DeviceId
from rules.times import to_rfc3339

T0 = 1_767_225_600_000

IDS = [DeviceId("acme", "pc", "a"), DeviceId("acme", "server", "a"), DeviceId("other", "pc", "b")]


def case_of(case_id: str = "C1", *, device: DeviceId = IDS[0], **changes: Any) -> Case:
    document: dict[str, Any] = {
        **device._asdict(),
        "case_id": case_id,
        "component": "sda",
        "fault": "disk.media_wear",
        "title": "Disk wears out",
        "rule": "pending_sectors_growing",
        "severity": "major",
        "onset": T0,
        "updated": T0,
        "evidence": [Evidence(rule="r", signal="disk.pending_sectors@sda", at=T0, value=24.0, limit=0.0)],
    }
    return Case(**(document | changes))


def order_of(
    order_id: str = "SO-1",
    *,
    device: DeviceId = IDS[0],
    component: str | None = "sda",
    fault: str = "disk.media_wear",
    state: OrderState = OrderState.SUBMITTED,
    opened: int = T0,
    case_id: str = "C1",
) -> ServiceOrder:
    return ServiceOrder.model_validate(
        {
            "order_id": order_id,
            "tenant": device.tenant,
            "state": state,
            "opened_at": to_rfc3339(opened),
            "case_id": case_id,
            "reason": "confirmed",
            "device": {
                "class": device.device_class,
                "device": device.device,
                "component": component,
                "model": None,
                "serial": "S\u00e4",
                "firmware": None,
                "parent": None,
            },
            "fault": {"code": fault, "title": "t", "severity": "major", "symptom": None, "iris": None},
            "diagnosis": {
                "confidence": 0.97,
                "causes": [],
                "explanation": "because",
                "evidence": [{"rule": "r", "signal": "s", "at": to_rfc3339(T0), "value": True, "limit": 0.0}],
                "probes": [],
                "remedies": [],
            },
            "customer": {"owner": None, "contact": None, "language": None, "time_zone": None},
            "site": {"address": None, "country": None},
            "entitlement": {"status": "unknown", "coverage": None, "ends": None, "contract": None},
            "service": {
                "channel": None,
                "provider": None,
                "skills": [],
                "minutes": None,
                "respond_by": None,
                "resolve_by": None,
            },
            "parts": [],
            "logistics": {"outbound": {"from": "x", "to": None}, "return": None, "customs": None},
            "estimate": {"currency": None, "parts": None, "labour": None, "transport": None, "payer": None},
            "missing": [{"field": "customer.contact", "why": "owner unknown"}],
            "links": {"console": None},
        }
    )


def decision_of(decision_id: str = "D1", *, device: DeviceId = IDS[0], **changes: Any) -> Decision:
    document: dict[str, Any] = {
        **device._asdict(),
        "decision_id": decision_id,
        "case_id": "C1",
        "component": "sda",
        "fault": "disk.media_wear",
        "rule": "r",
        "at": T0,
        "outcome": "pending",
        "reason": Reason.SUSPECTED,
        "text": "Suspected.",
        "values": {"disk.pending_sectors@sda": 24.0, "ok": True, "word": "x", "none": None},
    }
    return Decision(**(document | changes))


def event_of(case_id: str = "C1", **changes: Any) -> CaseEvent:
    document: dict[str, Any] = {
        **IDS[0]._asdict(),
        "event": "suspected",
        "at": T0,
        "component": "",
        "rule": "r",
        "fault": "disk.media_wear",
        "case_id": case_id,
        "reason": Reason.SUSPECTED,
    }
    return CaseEvent(**(document | changes))


def rejected_of(payload: bytes = b"{", **changes: Any) -> Rejected:
    document: dict[str, Any] = {
        "topic": "fw/acme/pc/a/telemetry",
        "reason": "json",
        "detail": "expected JSON",
        "payload": payload,
        "arrival": T0,
    }
    return Rejected(**(document | changes))


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    ledger = SqlLedger(url_of(tmp_path / "data" / "ledger.db"))
    yield ledger
    ledger.close()


@contextmanager
def fresh_ledger() -> Iterator[SqlLedger]:
    with TemporaryDirectory() as folder:
        ledger = SqlLedger(url_of(Path(folder) / "ledger.db"))
        try:
            yield ledger
        finally:
            ledger.close()


def rows_of(ledger: SqlLedger, table: str) -> list[dict[str, Any]]:
    with ledger._engine.begin() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.text(f"SELECT * FROM {table}"))]


def everything(ledger: SqlLedger) -> dict[str, Any]:
    case_ids = ["C1", "C2", "C3"]
    return {
        "devices": ledger.devices().items,
        "cases": ledger.cases().items,
        "events": [ledger.events(case_id) for case_id in case_ids],
        "decisions": ledger.decisions(),
        "orders": ledger.orders().items,
        "quarantine": [quarantined.message for quarantined in ledger.quarantine().items],
        "outbox": [
            (row["event_id"], row["type"], row["subject"], row["payload"])
            for row in rows_of(ledger, "outbox")
        ],
        "counters": rows_of(ledger, "counters"),
    }


devices = st.builds(
    DeviceRecord,
    id=st.sampled_from(IDS),
    facts=st.dictionaries(st.sampled_from(["model", "serial"]), st.none() | st.text("ab", max_size=2)),
    online=st.none() | st.booleans(),
    last_seen=st.integers(T0, T0 + 3),
)
case_ids = st.sampled_from(["C1", "C2", "C3"])
cases = st.builds(
    case_of,
    case_ids,
    device=st.sampled_from(IDS),
    updated=st.integers(T0, T0 + 3),
    state=st.sampled_from(CaseState),
    reason=st.sampled_from([Reason.SUSPECTED, Reason.CONFIRMED]),
)
orders = st.builds(
    order_of,
    st.sampled_from(["SO-1", "SO-2", "SO-3", "SO-4"]),
    device=st.sampled_from(IDS[:2]),
    component=st.sampled_from(["sda", None]),
    opened=st.integers(T0, T0 + 3),
)
writes = st.builds(
    LedgerWrite,
    cases=st.lists(cases, max_size=2),
    events=st.lists(
        st.builds(
            event_of, case_ids, event=st.sampled_from(["suspected", "cleared"]), at=st.integers(T0, T0 + 2)
        ),
        max_size=2,
    ),
    decisions=st.lists(st.builds(decision_of, st.sampled_from(["D1", "D2"])), max_size=2),
    orders=st.lists(orders, max_size=2),
    rejected=st.lists(st.builds(rejected_of, st.sampled_from([b"{", b"\xff\x00"])), max_size=2),
    devices=st.lists(devices, max_size=2),
)


@pytest.mark.slow
@given(st.lists(writes, min_size=1, max_size=4), st.data())
@settings(max_examples=40, deadline=None)
def test_work_repeated_after_a_crash_changes_nothing(told: list[LedgerWrite], data: st.DataObject) -> None:
    end = data.draw(st.integers(1, len(told)), label="crash after")
    start = data.draw(st.integers(0, end - 1), label="repeated from")
    with fresh_ledger() as once, fresh_ledger() as repeated:
        for write in told:
            once.commit(write)
        for write in told[:end]:
            repeated.commit(write)
        again = [repeated.commit(write) for write in told[start:end]]
        for write in told[end:]:
            repeated.commit(write)
        assert again == [[] for _ in again]
        assert everything(repeated) == everything(once)


@pytest.mark.slow
@given(st.lists(st.lists(orders, max_size=3), max_size=4))
@settings(max_examples=40, deadline=None)
def test_the_returned_orders_are_those_that_became_rows(batches: list[list[ServiceOrder]]) -> None:
    kept: dict[str, ServiceOrder] = {}
    with fresh_ledger() as ledger:
        for batch in batches:
            new = []
            for order in batch:
                faults = {
                    (o.tenant, o.device.device_class, o.device.device, o.device.component)
                    for o in kept.values()
                }
                about = (order.tenant, order.device.device_class, order.device.device, order.device.component)
                if order.order_id not in kept and about not in faults:
                    kept[order.order_id] = order
                    new.append(order)
            assert ledger.commit(LedgerWrite(orders=batch)) == new
        assert {order.order_id: order for order in ledger.orders().items} == kept
        assert {row["subject"] for row in rows_of(ledger, "outbox")} == set(kept)


def test_every_document_comes_back_as_it_was(ledger: SqlLedger) -> None:
    write = LedgerWrite(
        cases=[case_of()],
        events=[event_of()],
        decisions=[decision_of()],
        orders=[order_of()],
        rejected=[rejected_of(b"\x00\xff")],
        devices=[DeviceRecord(IDS[0], {"components": {"sda": {"serial": None}}}, None, T0)],
    )
    assert ledger.commit(write) == write.orders
    assert ledger.case("C1") == write.cases[0]
    assert ledger.events("C1") == write.events
    assert ledger.decisions() == write.decisions
    assert ledger.order("SO-1") == write.orders[0]
    assert [quarantined.message for quarantined in ledger.quarantine().items] == write.rejected
    assert ledger.device(IDS[0]) == write.devices[0]
    assert (ledger.case("C9"), ledger.order("SO-9"), ledger.device(IDS[1])) == (None, None, None)
    assert ledger.events("C9") == []


def test_the_later_state_of_a_case_wins_whichever_comes_last(ledger: SqlLedger) -> None:
    later = case_of(updated=T0 + 5, state=CaseState.CONFIRMED)
    ledger.commit(LedgerWrite(cases=[later]))
    ledger.commit(LedgerWrite(cases=[case_of(updated=T0 + 4)]))
    assert ledger.case("C1") == later
    same_time = case_of(updated=T0 + 5, state=CaseState.CLEARED)
    ledger.commit(LedgerWrite(cases=[same_time]))
    assert ledger.case("C1") == same_time
    assert [case.state for case in ledger.cases(state="cleared").items] == [CaseState.CLEARED]


def test_what_was_heard_of_a_device_later_wins_whichever_comes_last(ledger: SqlLedger) -> None:
    later = DeviceRecord(IDS[0], {"model": "W900"}, True, T0 + 5)
    ledger.commit(LedgerWrite(devices=[later]))
    ledger.commit(LedgerWrite(devices=[DeviceRecord(IDS[0], {}, False, T0 + 4)]))
    assert ledger.device(IDS[0]) == later
    went = DeviceRecord(IDS[0], {"model": "W900"}, False, T0 + 5)
    ledger.commit(LedgerWrite(devices=[went]))
    assert ledger.device(IDS[0]) == went


def test_a_second_order_waits_until_the_first_has_ended(ledger: SqlLedger) -> None:
    assert len(ledger.commit(LedgerWrite(orders=[order_of("SO-1"), order_of("SO-2")]))) == 1
    assert ledger.commit(LedgerWrite(orders=[order_of("SO-3", component="sdb")])) != []
    assert ledger.commit(LedgerWrite(orders=[order_of("SO-4", fault="disk.cable")])) != []
    closed = order_of("SO-1", state=OrderState.CLOSED)
    assert ledger.commit(LedgerWrite(orders=[closed])) == []
    assert ledger.commit(LedgerWrite(orders=[closed])) == []
    assert ledger.order("SO-1") == closed
    assert ledger.commit(LedgerWrite(orders=[order_of("SO-1")])) == [], "an end is an end"
    assert ledger.commit(LedgerWrite(orders=[order_of("SO-1", state=OrderState.CANCELLED)])) == []
    assert ledger.order("SO-1") == closed
    second = order_of("SO-2")
    assert ledger.commit(LedgerWrite(orders=[second])) == [second]
    kinds = [
        (row["subject"], row["type"].rpartition(".")[2], row["delivered"])
        for row in rows_of(ledger, "outbox")
    ]
    assert kinds == [
        ("SO-1", "opened", None),
        ("SO-3", "opened", None),
        ("SO-4", "opened", None),
        ("SO-1", "closed", None),
        ("SO-2", "opened", None),
    ]


def test_at_most_one_open_order_however_many_write_at_once(tmp_path: Path) -> None:
    url = url_of(tmp_path / "ledger.db")
    writers = 4
    opened: list[ServiceOrder] = []
    faults: list[BaseException] = []
    start = threading.Barrier(writers)

    def write(number: int) -> None:
        try:
            start.wait()
            ledger = SqlLedger(url)  # also opened at once: one migrates, the others wait
            for round_ in range(20):
                order = order_of(f"SO-{number}-{round_}", component=f"sd{round_}")
                opened.extend(ledger.commit(LedgerWrite(orders=[order], rejected=[rejected_of()])))
            ledger.close()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not faults
    assert sorted(str(order.device.component) for order in opened) == sorted(f"sd{n}" for n in range(20))
    ledger = SqlLedger.open_readonly(url)
    assert {order.order_id for order in ledger.orders().items} == {order.order_id for order in opened}
    assert len(ledger.quarantine().items) == 1
    ledger.close()


def pages_of(ask: Callable[..., Page[Any]], limit: int, between: Callable[[], object]) -> list[Any]:
    items: list[Any] = []
    cursor = None
    while True:
        page = ask(cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        items += page.items
        if page.next is None:
            return items
        assert len(page.items) == limit
        cursor = page.next
        between()


@pytest.mark.slow
@given(onsets=st.lists(st.integers(T0, T0 + 5), max_size=12), limit=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_pages_partition_their_list_also_while_rows_come_in(onsets: list[int], limit: int) -> None:
    with fresh_ledger() as ledger:
        devices = [DeviceRecord(DeviceId("t", "pc", f"d{n}"), {}, None, T0) for n in range(len(onsets))]
        ledger.commit(
            LedgerWrite(
                cases=[case_of(f"C{n}", onset=onset) for n, onset in enumerate(onsets)],
                orders=[order_of(f"SO-{n}", component=str(n), opened=at) for n, at in enumerate(onsets)],
                rejected=[rejected_of(b"%d" % n, arrival=at) for n, at in enumerate(onsets)],
                devices=devices,
            )
        )
        arriving = iter(range(500))

        def newer() -> None:
            n = next(arriving)
            ledger.commit(
                LedgerWrite(
                    cases=[case_of(f"N{n}", onset=T0 + 10 + n)],
                    orders=[order_of(f"SO-N{n}", component=f"n{n}", opened=T0 + 10 + n)],
                    rejected=[rejected_of(b"n%d" % n)],
                    devices=[DeviceRecord(DeviceId("a", "pc", f"{999 - n}"), {}, None, T0)],
                )
            )

        cases = [case.case_id for case in pages_of(ledger.cases, limit, newer)]
        expected = sorted(((at, f"C{n}") for n, at in enumerate(onsets)), reverse=True)
        assert [case for case in cases if case[0] == "C"] == [case_id for _, case_id in expected]
        orders = [order.order_id for order in pages_of(ledger.orders, limit, newer)]
        wanted = [f"SO-{case_id[1:]}" for _, case_id in expected]
        assert [order for order in orders if "N" not in order] == wanted
        numbers = [quarantined.number for quarantined in pages_of(ledger.quarantine, limit, newer)]
        assert numbers == sorted(set(numbers), reverse=True)
        assert set(range(1, len(onsets) + 1)) <= set(numbers)
        named = [record.id for record in pages_of(ledger.devices, limit, newer) if record.id.tenant == "t"]
        assert named == sorted(record.id for record in devices)


def test_lists_are_filtered(ledger: SqlLedger) -> None:
    ledger.commit(
        LedgerWrite(
            cases=[
                case_of("C1", device=IDS[0], severity="minor"),
                case_of("C2", device=IDS[1], state=CaseState.CONFIRMED, onset=T0 + 1),
                case_of("C3", device=IDS[2], state=CaseState.CLEARED, onset=T0 + 2),
            ],
            decisions=[
                decision_of("D1", device=IDS[0], at=T0 + 2),
                decision_of("D2", device=IDS[0], at=T0 + 1, fault="disk.cable"),
                decision_of("D3", device=IDS[2], case_id="C3"),
            ],
            orders=[
                order_of("SO-1", device=IDS[0]),
                order_of("SO-2", device=IDS[2], state=OrderState.REJECTED, opened=T0 + 1),
            ],
            rejected=[rejected_of(), rejected_of(reason="clock")],
            devices=[DeviceRecord(device, {}, True, T0) for device in IDS],
        )
    )

    def cases(**asked: Any) -> list[str]:
        return [case.case_id for case in ledger.cases(**asked).items]

    assert cases() == ["C3", "C2", "C1"]
    assert cases(state="open") == ["C2", "C1"]
    assert cases(state="cleared") == ["C3"]
    assert cases(severity="minor") == ["C1"]
    assert cases(tenant="acme") == ["C2", "C1"]
    assert cases(device="acme/server/a") == ["C2"]
    assert cases(device="acme/server/a", state="cleared") == []
    assert cases(device="nonsense") == []
    assert [order.order_id for order in ledger.orders(state="open").items] == ["SO-1"]
    assert [order.order_id for order in ledger.orders(state="rejected").items] == ["SO-2"]
    assert [order.order_id for order in ledger.orders(tenant="other").items] == ["SO-2"]
    assert [order.order_id for order in ledger.orders(device="acme/pc/a").items] == ["SO-1"]
    assert [d.decision_id for d in ledger.decisions()] == ["D3", "D2", "D1"]
    assert [d.decision_id for d in ledger.decisions(device=IDS[0])] == ["D2", "D1"]
    assert [d.decision_id for d in ledger.decisions(device=IDS[0], fault="disk.cable")] == ["D2"]
    assert [d.decision_id for d in ledger.decisions(case_id="C3")] == ["D3"]
    assert [q.message.reason for q in ledger.quarantine(reason="clock").items] == ["clock"]
    assert [record.id for record in ledger.devices(tenant="acme").items] == IDS[:2]
    assert [record.id for record in ledger.devices(device_class="pc").items] == [IDS[0], IDS[2]]


def test_open_cases_are_those_not_ended_and_those_whose_order_stands(ledger: SqlLedger) -> None:
    ended = CaseState.CLEARED
    ledger.commit(
        LedgerWrite(
            cases=[
                case_of("C1", onset=T0 + 3),
                case_of("C2", state=ended, order_id="SO-2", onset=T0 + 2),
                case_of("C3", state=ended, order_id="SO-3", onset=T0 + 1),
                case_of("C4", state=ended),
                case_of("C5", state=ended, onset=T0 + 4),
            ],
            orders=[
                order_of("SO-2", case_id="C2"),
                order_of("SO-3", component="sdb", case_id="C3", state=OrderState.CLOSED),
                order_of("SO-5", component="sdc", case_id="C5"),
            ],
        )
    )
    assert [case.case_id for case in ledger.open_cases()] == ["C2", "C1", "C5"]


def test_events_of_one_instant_stand_in_the_order_in_which_they_were_told(ledger: SqlLedger) -> None:
    told = [
        event_of(event="suspected", reason=Reason.SUSPECTED),
        event_of(event="confirmed", reason=Reason.CONFIRMED),
        event_of(event="cleared", reason=Reason.CLEARED),
    ]
    ledger.commit(LedgerWrite(events=[event_of(event="reopened", at=T0 + 1), *told]))
    ledger.commit(LedgerWrite(events=told))
    assert [event.event for event in ledger.events("C1")] == ["suspected", "confirmed", "cleared", "reopened"]


def test_the_quarantine_is_bounded_and_counts_what_it_dropped(tmp_path: Path) -> None:
    ledger = SqlLedger(url_of(tmp_path / "ledger.db"), quarantine_limit=5)
    for start in (0, 4, 8):
        ledger.commit(LedgerWrite(rejected=[rejected_of(b"%d" % n) for n in range(start, start + 4)]))
    kept = [quarantined.message.payload for quarantined in ledger.quarantine().items]
    assert kept == [b"11", b"10", b"9", b"8", b"7"]
    assert ledger.quarantine_dropped() == 7
    ledger.commit(LedgerWrite(rejected=[rejected_of(b"%d" % n) for n in range(20, 40)]))
    assert len(ledger.quarantine().items) == 5
    assert ledger.quarantine_dropped() == 27
    ledger.commit(LedgerWrite(rejected=[rejected_of(b"one more")]))
    assert len(ledger.quarantine().items) == 5
    assert ledger.quarantine_dropped() == 28
    ledger.close()


def test_the_same_bad_message_twice_in_one_batch_stands_twice_but_not_four_times(ledger: SqlLedger) -> None:
    write = LedgerWrite(rejected=[rejected_of(), rejected_of()])
    ledger.commit(write)
    ledger.commit(write)
    assert [quarantined.number for quarantined in ledger.quarantine().items] == [2, 1]


def test_a_topic_that_is_no_text_is_kept(ledger: SqlLedger) -> None:
    ledger.commit(LedgerWrite(rejected=[rejected_of(topic="fw/\udcff", detail="got \udcff")]))
    assert ledger.quarantine().items[0].message.topic == "fw/?"


@pytest.mark.parametrize(
    "cursor", ["", "x", "\u00e4", "WzFd", "bnVsbA", "W10", "WyJhIiwgMV0", "W3RydWUsICJhIl0"]
)
def test_a_cursor_that_no_page_gave(ledger: SqlLedger, cursor: str) -> None:
    with pytest.raises(UserError, match="cursor: expected one that a page of this list gave, got"):
        ledger.cases(cursor=cursor)


def test_an_empty_write_is_no_write(ledger: SqlLedger) -> None:
    assert ledger.commit(LedgerWrite()) == []


def test_it_is_a_ledger(ledger: SqlLedger) -> None:
    port: Ledger = ledger
    assert port.open_cases() == []
