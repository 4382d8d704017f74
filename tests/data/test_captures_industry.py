"""Sparkplug, SenML and Redfish as real programs sent them, through the decoder with the shipped profiles.

tests/golden/captures holds what came out, in our names and values and none of theirs. FOREWARN_GOLDEN=write
writes it anew; read it line by line before it is kept.
"""

import base64
import json
import os
from pathlib import Path

import pytest

from gateway.config import SourceTable
from gateway.ports import Packet
from gateway.wire.decoder import Decoder
from gateway.wire.sources import Source
from rules.batch import Kind
from rules.signals import load_catalogue
from rules.symbols import Symbols
from rules.times import to_rfc3339

pytestmark = pytest.mark.data

GOLDEN = Path(__file__).parents[1] / "golden" / "captures"
DOCUMENTS_ARRIVE = 1_798_761_600_000  # after all of them were written
IN_FULL = 40  # messages that are written out; the rest is counted

#: Golden file, profile, files.
CAPTURES = [
    ("industry-sparkplug-pysparkplug", "sparkplug", "sparkplug/pysparkplug.jsonl"),
    ("industry-sparkplug-tahu", "sparkplug", "sparkplug/tahu_js_sparkplug-client.jsonl"),
    ("industry-senml", "senml", "senml/kpn_senml.jsonl"),
    ("industry-redfish-dell", "redfish", "telegraf_fixtures/plugins/inputs/redfish/testdata/dell/*.json"),
    ("industry-redfish-hp", "redfish", "telegraf_fixtures/plugins/inputs/redfish/testdata/hp/**/*.json"),
]


def packets(pattern):
    """Return the messages of a capture; skip, saying so, where there is none."""
    folder = os.environ.get("FOREWARN_DATA")
    if not folder:
        pytest.skip("FOREWARN_DATA does not name the folder with captures/")
    paths = sorted((Path(folder) / "captures").glob(pattern))
    if not paths:
        pytest.skip(f"{folder}/captures holds no {pattern}")
    for path in paths:
        if path.suffix == ".json":
            yield path.stem, Packet(f"redfish/host-1/{path.stem}", path.read_bytes(), DOCUMENTS_ARRIVE)
        else:
            for line in path.read_text(encoding="utf-8").splitlines():
                message = json.loads(line)
                payload = message["payload"]
                raw = base64.b64decode(payload) if message["enc"] == "base64" else payload.encode()
                topic = message["topic"]
                yield topic, Packet(topic, raw, int(message["t"] * 1000), message["retain"])


def value(symbols, kind, number):
    match kind:
        case Kind.UNKNOWN:
            return None
        case Kind.BOOLEAN:
            return bool(number)
        case Kind.TEXT:
            return symbols.texts[int(number)]
    return round(float(number), 6)


def said(symbols, inbound):
    """Return what a message gave: readings by device and time, notices, reasons."""
    batch = inbound.readings
    rows = [
        {"device": str(symbols.devices[device]), "at": to_rfc3339(int(ts)), "values": {}}
        for device, ts in zip(batch.device, batch.ts, strict=True)
    ]
    for row, channel, kind, number in zip(batch.message, batch.channel, batch.kind, batch.value, strict=True):
        rows[row]["values"][str(symbols.channels[channel])] = value(symbols, kind, number)
    notices = [{"device": str(symbols.devices[one.device]), one.kind: one.body} for one in inbound.notices]
    return [*rows, *notices, *({"refused": one.reason} for one in inbound.rejected)]


@pytest.mark.parametrize(("name", "profile", "pattern"), CAPTURES, ids=[name for name, *_ in CAPTURES])
def test_a_capture_gives_what_it_gave(name, profile, pattern):
    symbols = Symbols()
    source = Source.of(SourceTable.model_validate({"profile": profile}), 0)
    decoder = Decoder(symbols, load_catalogue(), sources=[source])
    found = [[label, *said(symbols, decoder.decode([packet]))] for label, packet in packets(pattern)]
    lines = [*found[:IN_FULL], {"messages": len(found), "silent": sum(len(one) == 1 for one in found)}]
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    assert len(text) < 60_000
    golden = GOLDEN / f"{name}.jsonl"
    if os.environ.get("FOREWARN_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text.splitlines() == golden.read_text(encoding="utf-8").splitlines()
