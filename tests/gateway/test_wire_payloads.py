import base64
import json
import math
from pathlib import Path

import pytest

from gateway.ports import Packet
from gateway.wire.decoder import Decoder
from gateway.wire.reasons import QuarantineReason
from rules.batch import Kind
from rules.signals import load_catalogue
from rules.symbols import Symbols

FOLDER = Path(__file__).parents[1] / "golden" / "payloads"
ARRIVAL = 1_767_225_600_000
TOPIC = "fw/acme/server/srv-1/telemetry"


def payload_of(spelled):
    """A text, or parts: texts, {repeat, times} and {base64}."""
    if isinstance(spelled, str):
        return spelled.encode()
    parts = []
    for part in spelled:
        if isinstance(part, str):
            parts.append(part.encode())
        elif "base64" in part:
            parts.append(base64.b64decode(part["base64"]))
        else:
            parts.append(part["repeat"].encode() * part["times"])
    return b"".join(parts)


def messages_of(batch, symbols):
    rows = [{"ts": ts, "values": {}} for ts in batch.ts.tolist()]
    columns = (batch.message, batch.channel, batch.value, batch.kind)
    for row, channel, value, kind in zip(*(column.tolist() for column in columns), strict=True):
        shown = {
            Kind.NUMBER: value,
            Kind.BOOLEAN: bool(value) if value in (0.0, 1.0) else value,
            Kind.TEXT: symbols.texts[int(value)] if kind == Kind.TEXT else None,
            Kind.UNKNOWN: None,
        }[Kind(kind)]
        assert math.isnan(value) == (kind == Kind.UNKNOWN)
        rows[row]["values"][str(symbols.channels[channel])] = shown
    return rows


CASES = sorted(FOLDER.glob("*.json"))


def test_there_are_cases():
    assert len(CASES) > 80


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_payload(path):
    case = json.loads(path.read_text())
    symbols = Symbols()
    decoder = Decoder(symbols, load_catalogue())
    packet = Packet(
        case.get("topic", TOPIC), payload_of(case["payload"]), ARRIVAL, retained=case.get("retained", False)
    )
    # The same twice: what was learnt from the first must not change what becomes of the second.
    for turn in range(2):
        inbound = decoder.decode([packet])
        expected = case["expect"]
        messages = messages_of(inbound.readings, symbols)
        if turn:  # without a time of their own, two messages of one instant are told apart
            for message, wanted in zip(messages, expected.get("messages", []), strict=True):
                message["ts"] -= message["ts"] == wanted["ts"] + 1
        assert messages == expected.get("messages", []), case["about"]
        for message, wanted in zip(messages, expected.get("messages", []), strict=True):
            types = {key: type(value) for key, value in message["values"].items()}
            assert types == {key: type(value) for key, value in wanted["values"].items()}
        assert [{"kind": notice.kind, "body": notice.body} for notice in inbound.notices] == expected.get(
            "notices", []
        )
        assert [rejected.reason for rejected in inbound.rejected] == [
            wanted["reason"] for wanted in expected.get("rejected", [])
        ], inbound.rejected
        for rejected, wanted in zip(inbound.rejected, expected.get("rejected", []), strict=True):
            assert wanted["detail"] in rejected.detail
            assert rejected.topic == packet.topic
            assert packet.payload.startswith(rejected.payload)
            assert len(rejected.payload) <= 4096
            assert QuarantineReason(rejected.reason).sentence.endswith(".")


def test_a_batch_keeps_the_order_of_arrival_and_the_place_of_notices():
    symbols = Symbols()
    decoder = Decoder(symbols, load_catalogue())
    packets = [
        Packet("fw/acme/pc/a/telemetry", b'[{"ts":1,"cpu.load":1},{"ts":2,"cpu.load":2}]', 10),
        Packet("fw/acme/pc/a/facts", b'{"model":"M"}', 11),
        Packet("fw/acme/pc/b/telemetry", b'{"ts":0,"values":{"cpu.load":3}}', 12),
        Packet("fw/acme/pc/b/status", b'{"online":false}', 13),
    ]
    inbound = decoder.decode(packets)
    devices = [str(symbols.devices[number]) for number in inbound.readings.device]
    assert devices == ["acme/pc/a", "acme/pc/a", "acme/pc/b"]
    assert inbound.readings.arrival.tolist() == [10, 10, 12]
    assert inbound.readings.message.tolist() == [0, 1, 2]
    assert inbound.readings.value.tolist() == [1.0, 2.0, 3.0]
    assert [(notice.kind, notice.position, notice.arrival) for notice in inbound.notices] == [
        ("facts", 2, 11),
        ("status", 3, 13),
    ]


def test_messages_without_time_that_arrive_at_one_instant_are_told_apart():
    symbols = Symbols()
    decoder = Decoder(symbols, load_catalogue())

    def times(device, payload, arrival):
        readings = decoder.decode([Packet(f"fw/acme/pc/{device}/telemetry", payload, arrival)]).readings
        return readings.ts.tolist()

    assert times("a", b'{"cpu.load": 1}', 100) == [100]
    assert times("a", b'{"values": {"cpu.load": 2}}', 100) == [101]
    assert times("a", b'[{"cpu.load": 3}, {"cpu.load": 4}]', 100) == [102, 103]
    assert times("b", b'{"cpu.load": 1}', 100) == [100]
    assert times("a", b'{"ts": 100, "values": {"cpu.load": 1}}', 100) == [100]
    assert times("a", b'{"cpu.load": 5}', 1_000) == [1_000]


def test_an_empty_batch_is_a_batch():
    readings = Decoder(Symbols(), load_catalogue()).decode([]).readings
    assert len(readings) == 0
    assert [column.dtype.name for column in (readings.device, readings.ts, readings.message)] == [
        "int32",
        "int64",
        "int32",
    ]
    assert [column.dtype.name for column in (readings.channel, readings.value, readings.kind)] == [
        "int32",
        "float64",
        "int8",
    ]


def test_a_device_that_makes_up_names_is_stopped():
    symbols = Symbols()
    decoder = Decoder(symbols, load_catalogue())

    def send(device, first, last):
        values = {f"made.up.{number}": 1 for number in range(first, last)}
        packet = Packet(f"fw/acme/pc/{device}/telemetry", json.dumps(values).encode(), ARRIVAL)
        return decoder.decode([packet])

    for start in range(0, 2000, 100):
        assert not send("a", start, start + 100).rejected
    refused = send("a", 1990, 2010)
    assert len(refused.readings.value) == 10
    assert {rejected.reason for rejected in refused.rejected} == {"too_many_signals"}
    assert len(symbols.channels) == 2000
    assert not send("b", 0, 1000).rejected
    assert send("a", 0, 2000).readings.value.tolist() == [1.0] * 2000


def test_a_device_that_makes_up_texts_is_stopped():
    symbols = Symbols()
    decoder = Decoder(symbols, load_catalogue())

    def send(device, text):
        payload = json.dumps({"values": {"error.code": text}}).encode()
        return decoder.decode([Packet(f"fw/acme/pc/{device}/telemetry", payload, ARRIVAL)])

    for number in range(2000):
        assert not send("a", f"E{number}").rejected
    refused = send("a", "E-one-more")
    assert [rejected.reason for rejected in refused.rejected] == ["too_many_texts"]
    assert refused.readings.kind.tolist() == [Kind.UNKNOWN]
    assert not send("a", "E7").rejected
    assert not send("b", "E-one-more").rejected


def test_the_documentation_lists_every_reason_in_its_words():
    text = (Path(__file__).parents[2] / "docs" / "quarantine.md").read_text()
    for reason in QuarantineReason:
        assert f"| `{reason.value}` | {reason.sentence} |" in text
