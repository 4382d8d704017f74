"""What was put aside goes in again: which rows, as what, and what becomes of them."""

import json

import pytest
from story import Story, ruleset

from gateway.errors import StoreUnavailableError
from gateway.events import Events
from gateway.ledger.store import SqlLedger
from gateway.ports import LedgerWrite, Packet, Quarantined, Rejected
from gateway.resubmission import Resubmission, packets_of
from rules.symbols import DeviceId

NAME = "acme/server/srv-1"
SERVER = DeviceId("acme", "server", "srv-1")
TOPIC = f"fw/{NAME}/telemetry"
SILENT = {"id": "silent", "fault": "cpu.overheating", "when": "absent(cpu.load, 10m)"}


def rejected(topic=TOPIC, payload=b"{}", arrival=1000, reason="malformed_json", **more):
    return Rejected(topic, reason, "expected something else", payload, arrival, **more)


@pytest.fixture
def ledger(tmp_path):
    opened = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()


class Gateway:
    """Takes packets as the service does: decoder, pipeline, ledger."""

    def __init__(self, story, ledger):
        self.story, self.ledger = story, ledger
        self.batches = []
        self.keeps = True

    async def submit(self, packets):
        if not self.keeps:
            return False
        self.batches.append(packets)
        effects = self.story.pipeline.push(self.story.decoder.decode(packets))
        self.story.take(effects)
        self.ledger.commit(effects.write)
        self.readings = effects.readings
        return True


@pytest.fixture
def gateway(tmp_path, ledger):
    return Gateway(Story(ruleset(tmp_path, SILENT)), ledger)


def numbers(ledger, **filters):
    return [row.number for row in ledger.quarantine(**filters).items]


async def test_marked_rows_go_in_a_few_at_a_time_oldest_first_and_once(ledger, gateway):
    ledger.commit(LedgerWrite(rejected=[rejected(arrival=n, payload=b"%d" % n) for n in range(1, 8)]))
    assert ledger.request_retries().marked == 7
    resubmission = Resubmission(ledger, gateway.submit, Events(), rows_at_once=3)
    assert [await resubmission.look() for _ in range(4)] == [3, 3, 1, 0]
    assert [[p.payload for p in batch] for batch in gateway.batches] == [
        [b"1", b"2", b"3"], [b"4", b"5", b"6"], [b"7"],
    ]  # fmt: skip
    assert all(row.retried_at is not None for row in ledger.quarantine().items if row.number <= 7)


async def test_what_is_refused_again_is_a_new_row_and_is_not_tried_for_ever(ledger, gateway):
    ledger.commit(LedgerWrite(rejected=[rejected(payload=b"never json")]))
    resubmission = Resubmission(ledger, gateway.submit, Events())
    for expected in ([2, 1], [3, 2, 1]):
        ledger.request_retries(numbers=[expected[0] - 1])
        assert await resubmission.look() == 1
        assert await resubmission.look() == 0
        assert numbers(ledger) == expected
    assert {row.message.payload for row in ledger.quarantine().items} == {b"never json"}


async def test_a_fix_makes_readings_of_it_dated_by_their_first_arrival(ledger, gateway):
    payload = b'{"cpu.load": 5}'
    arrival = gateway.story.clock - 3_600_000
    ledger.commit(LedgerWrite(rejected=[rejected(payload=payload, arrival=arrival) for _ in range(2)]))
    ledger.commit(LedgerWrite(rejected=[rejected(payload=b'{"cpu.load": 6}', arrival=arrival)]))
    ledger.request_retries()
    assert await Resubmission(ledger, gateway.submit, Events()).look() == 3
    # Two rows of one payload are one message; two messages of one instant are told apart.
    assert gateway.readings.ts.tolist() == [arrival, arrival + 1]
    assert gateway.readings.value.tolist() == [5.0, 6.0]


async def test_what_goes_in_again_is_no_sign_of_life(ledger, gateway):
    story = gateway.story
    story.publish(NAME, "facts", {"model": "M2", "components": {"sda": {"serial": "new"}}})
    story.reads(NAME, {"cpu.load": 1})
    story.publish(NAME, "status", {"online": False})
    heard, before = story.clock, story.clock - 3_600_000
    old = {"model": "M1", "firmware": "1", "components": {"sda": {"serial": "old", "model": "D"}}}
    ledger.commit(
        LedgerWrite(
            rejected=[
                rejected(f"fw/{NAME}/status", b'{"online": true}', before),
                rejected(f"fw/{NAME}/facts", json.dumps(old).encode(), before),
                rejected(TOPIC, b'{"cpu.load": 9}', before),
            ]
        )
    )
    ledger.request_retries()
    assert await Resubmission(ledger, gateway.submit, Events()).look() == 3
    assert story.pipeline.last_seen(SERVER) == heard
    record = ledger.device(SERVER)
    assert record.online is False, "it was online once"
    assert record.facts == {
        "model": "M2", "firmware": "1", "components": {"sda": {"serial": "new", "model": "D"}},
    }  # fmt: skip
    story.passes("11m")
    assert story.steps()[0][:2] == ("suspected", 10)


async def test_what_is_not_kept_is_not_marked_and_comes_again(ledger, gateway):
    ledger.commit(LedgerWrite(rejected=[rejected()]))
    ledger.request_retries()
    resubmission = Resubmission(ledger, gateway.submit, Events())
    gateway.keeps = False
    assert await resubmission.look() == 0
    gateway.keeps = True
    assert await resubmission.look() == 1


async def test_a_ledger_that_is_out_of_reach_is_asked_again_later(ledger, gateway):
    class Away:
        def to_retry(self, _limit):
            raise StoreUnavailableError("database is locked")

    assert await Resubmission(Away(), gateway.submit, Events()).look() == 0


def test_rows_that_were_not_kept_whole_are_told_and_left(ledger):
    ledger.commit(LedgerWrite(rejected=[rejected(truncated=True), rejected(arrival=2), rejected(arrival=3)]))
    request = ledger.request_retries(numbers=[1, 2, 99])
    assert (request.marked, request.cut_numbers, request.missing) == (1, (1,), (99,))
    request = ledger.request_retries(reason="malformed_json")
    assert (request.marked, request.cut, request.cut_numbers) == (1, 1, (1,)), "2 waits already"
    assert [row.number for row in ledger.to_retry(10)] == [2, 3]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"topic": "fw/acme/#"}, [3, 2, 1]),
        ({"topic": "fw/acme/+/srv.1/telemetry"}, [2]),
        ({"topic": "fw/acme/pc/p/facts"}, [1]),
        ({"topic": "fw/acme/+/+"}, []),
        ({"topic": "#"}, [4, 3, 2, 1]),
        ({"reason": "too_deep"}, [3]),
        ({"since": 30}, [4, 3]),
        ({"topic": "fw/acme/#", "since": 20, "reason": "malformed_json"}, [2]),
    ],
)
def test_filters_are_those_of_mqtt(ledger, filters, expected):
    rows = [
        rejected("fw/acme/pc/p/facts", arrival=10),
        rejected("fw/acme/server/srv.1/telemetry", arrival=20),
        rejected("fw/acme/server/srv_1/telemetry", arrival=30, reason="too_deep"),
        rejected("tele/acme/x", arrival=40),
    ]
    ledger.commit(LedgerWrite(rejected=rows))
    assert numbers(ledger, **filters) == expected
    assert ledger.request_retries(**filters).marked == len(expected)


@pytest.mark.parametrize(("size", "whole"), [(4_096, True), (4_097, False), (300_000, False)])
def test_a_row_says_whether_it_was_kept_whole(tmp_path, size, whole):
    story = Story(ruleset(tmp_path, SILENT))
    (row,) = story.decoder.decode([Packet(TOPIC, b"x" * size, 5)]).rejected
    assert row.truncated is not whole


def test_what_was_too_large_was_cut_before_it_came_here(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    story.decoder.max_payload = 100
    (row,) = story.decoder.decode([Packet(TOPIC, b"x" * 101, 5)]).rejected
    assert row.truncated


def test_a_packet_knows_its_row_and_whether_a_broker_had_kept_it():
    rows = [Quarantined(7, rejected(payload=b"a", arrival=5, retained=True))]
    assert packets_of(rows) == [Packet(TOPIC, b"a", 5, retained=True, resubmitted=7)]
