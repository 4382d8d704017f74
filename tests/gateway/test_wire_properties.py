import json
import math
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.config import SourceTable
from gateway.ports import Packet
from gateway.wire.decoder import Decoder
from gateway.wire.reasons import QuarantineReason
from gateway.wire.sources import Source
from gateway.wire.topics import Leaf
from rules.batch import Kind
from rules.signals import load_catalogue
from rules.symbols import Symbols

ARRIVAL = 1_767_225_600_000
CATALOGUE = load_catalogue()
SMART = Source.of(
    SourceTable.model_validate(
        {"topic": "smart/#", "codec": "smartctl", "class": "server", "device": "{payload:serial_number}"}
    ),
    0,
)

own_topics = st.sampled_from([f"fw/acme/server/srv-1/{leaf.value}" for leaf in Leaf])
topics = own_topics | st.text(max_size=40) | st.just("smart/host/sda")


def decoder():
    return Decoder(Symbols(), CATALOGUE, sources=[SMART])


def check(inbound):
    batch = inbound.readings
    rows, readings = len(batch), len(batch.value)
    assert len(batch.ts) == len(batch.arrival) == rows
    assert len(batch.message) == len(batch.channel) == len(batch.kind) == readings
    assert sorted(batch.message.tolist()) == batch.message.tolist()
    for value, kind in zip(batch.value.tolist(), batch.kind.tolist(), strict=True):
        assert math.isnan(value) == (kind == Kind.UNKNOWN)
        assert not math.isinf(value)
        assert kind != Kind.BOOLEAN or value in (0.0, 1.0)
    for rejected in inbound.rejected:
        assert rejected.reason in set(QuarantineReason)
        rejected.detail.encode("utf-8", "surrogatepass")
    for notice in inbound.notices:
        json.dumps(notice.body, allow_nan=False).encode()


@given(topics, st.binary(max_size=300), st.booleans())
def test_any_bytes_on_any_topic_give_readings_or_a_reason(topic, payload, retained):
    check(decoder().decode([Packet(topic, payload, ARRIVAL, retained)]))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([10**400, -(10**400), "\ud800", "x" * 300, "1e5", "nan"])
)
names = (
    st.sampled_from(["ts", "values", "id", "state", "result", "online", "components", "model", "cpu.load"])
    | st.sampled_from(["smartctl", "device", "name", "serial_number", "ata_smart_attributes", "table", "raw"])
    | st.text(max_size=12)
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.slow
@given(topics, documents, st.booleans())
def test_any_document_on_any_topic_gives_readings_or_a_reason(topic, document, retained):
    payload = json.dumps(document).encode()
    check(decoder().decode([Packet(topic, payload, ARRIVAL, retained)]))


@pytest.mark.slow
@given(st.lists(st.tuples(own_topics, documents), max_size=6))
def test_a_batch_says_what_its_packets_say_one_by_one(packets):
    packets = [Packet(topic, json.dumps(document).encode(), ARRIVAL) for topic, document in packets]
    symbols, single_symbols = Symbols(), Symbols()
    together = Decoder(symbols, CATALOGUE, sources=[SMART])
    single = Decoder(single_symbols, CATALOGUE, sources=[SMART])
    whole = together.decode(packets)
    parts = [single.decode([packet]) for packet in packets]
    for column in ("ts", "arrival", "kind"):
        joined = [value for part in parts for value in getattr(part.readings, column).tolist()]
        assert getattr(whole.readings, column).tolist() == joined
    for column, table in (("device", "devices"), ("channel", "channels")):
        names = getattr(single_symbols, table)
        joined = [names[number] for part in parts for number in getattr(part.readings, column).tolist()]
        names = getattr(symbols, table)
        assert [names[number] for number in getattr(whole.readings, column).tolist()] == joined
    assert [replace(rejected, packet=-1) for rejected in whole.rejected] == [
        replace(rejected, packet=-1) for part in parts for rejected in part.rejected
    ]
    assert [notice.body for notice in whole.notices] == [n.body for part in parts for n in part.notices]


def kept(kind, value):
    """The contract's table in plain words: kind and value of a reading, UNKNOWN for what is of no use."""
    unknown = (Kind.UNKNOWN, None)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return unknown
    if isinstance(value, bool):
        if kind == "text":
            return unknown
        return (Kind.NUMBER if kind == "number" else Kind.BOOLEAN), float(value)
    if isinstance(value, str):
        fits = len(value) <= 256 and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
        return (Kind.TEXT, value) if fits and kind in ("text", None) else unknown
    try:
        number = float(value)
    except OverflowError:
        return unknown
    if kind == "boolean":
        return (Kind.BOOLEAN, number) if number in (0, 1) else unknown
    if kind == "text":
        return (Kind.TEXT, str(int(number))) if number.is_integer() else unknown
    return Kind.NUMBER, number


keys = st.sampled_from(["cpu.load", "fan.rpm@1", "psu.ok@1", "error.code", "raid.state@0", "of.their.own@x"])
values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=8)


@settings(max_examples=300)
@given(
    st.lists(st.dictionaries(keys, values), min_size=1, max_size=8), st.sampled_from(["full", "bare", "list"])
)
@example([{"error.code": 1e300}], "bare")
def test_every_way_through_the_decoder_keeps_the_same(messages, form):
    symbols = Symbols()
    under_test = Decoder(symbols, CATALOGUE)
    if form == "list":
        payloads = [json.dumps([{"ts": n, "values": v} for n, v in enumerate(messages)])]
    else:
        payloads = [json.dumps({"ts": 1, "values": v} if form == "full" else v) for v in messages]
    packets = [Packet("fw/a/server/s/telemetry", payload.encode(), ARRIVAL) for payload in payloads]
    batch = under_test.decode(packets).readings
    found = [{} for _ in messages]
    for row, channel, value, kind in zip(
        *(column.tolist() for column in (batch.message, batch.channel, batch.value, batch.kind)), strict=True
    ):
        plain = None if kind == Kind.UNKNOWN else symbols.texts[int(value)] if kind == Kind.TEXT else value
        found[row][str(symbols.channels[channel])] = (Kind(kind), plain)
    expected = []
    for message in messages:
        row = {}
        for key, value in message.items():
            signal = CATALOGUE.get(key.partition("@")[0])
            row[key] = kept(signal.kind if signal else None, value)
        expected.append(row)
    for row, wanted in zip(found, expected, strict=True):
        assert row.keys() == wanted.keys()
        for key, (kind, value) in wanted.items():
            if kind is Kind.TEXT and isinstance(message_value := value, str) and len(message_value) > 20:
                continue  # whether 1e300 is an integer is nobody's business
            assert row[key] == (kind, value)


@pytest.mark.parametrize("form", ["full", "bare"])
def test_a_reading_that_is_of_no_use_never_leaves_the_old_value_standing(form):
    symbols = Symbols()
    under_test = Decoder(symbols, CATALOGUE)
    for text in ("NaN", "1e999", '"hot"', "{}", "[1]", "null"):
        inner = f'{{"cpu.temperature": {text}, "cpu.load": 3}}'
        payload = f'{{"values": {inner}}}' if form == "full" else inner
        batch = under_test.decode([Packet("fw/a/server/s/telemetry", payload.encode(), ARRIVAL)]).readings
        assert batch.kind.tolist() == [Kind.UNKNOWN, Kind.NUMBER], text
