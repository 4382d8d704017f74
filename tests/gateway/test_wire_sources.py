import json

import pytest

from gateway.config import SourceTable
from gateway.errors import UserError
from gateway.ports import Packet
from gateway.wire.decoder import Decoder
from gateway.wire.sources import Source
from rules.signals import load_catalogue
from rules.symbols import Symbols

ARRIVAL = 1_767_225_600_000
DRIVE = {
    "smartctl": {"exit_status": 0},
    "device": {"name": "/dev/sda", "type": "sat"},
    "serial_number": "WD 4/7",
    "model_name": "WD40",
    "smart_status": {"passed": True},
}


def source(**changes):
    table = {"topic": "smart/+/#", "codec": "smartctl", "class": "server", "device": "{2}"} | changes
    return Source.of(SourceTable.model_validate(table), 0)


def decode(topic, *sources, payload=None):
    symbols = Symbols()
    decoder = Decoder(symbols, load_catalogue(), sources=sources)
    packet = Packet(topic, json.dumps(DRIVE).encode() if payload is None else payload, ARRIVAL)
    inbound = decoder.decode([packet])
    return [str(symbols.devices[number]) for number in inbound.readings.device], inbound


def test_levels_of_the_topic_name_the_device():
    devices, inbound = decode("smart/host-1/sda", source(tenant="acme"))
    assert devices == ["acme/server/host-1"]
    assert inbound.notices[0].body == {"components": {"sda": {"model": "WD40", "serial": "WD 4/7"}}}
    assert inbound.notices[0].position == 0
    assert not inbound.rejected


def test_the_payload_names_the_device_and_odd_characters_become_dashes():
    devices, _ = decode("smart/host-1/sda", source(device="disk-{payload:serial_number}", tenant="{2}"))
    assert devices == ["host-1/server/disk-WD-4-7"]


def test_the_first_source_that_takes_a_topic_reads_it():
    first, second = source(topic="smart/a/#", tenant="one"), source(tenant="two")
    assert decode("smart/a/x", first, second)[0] == ["one/server/a"]
    assert decode("smart/b/x", first, second)[0] == ["two/server/b"]


def test_topics_of_the_contract_are_never_foreign():
    devices, inbound = decode("fw/acme/pc/p/telemetry", source(topic="#"), payload=b'{"cpu.load": 1}')
    assert devices == ["acme/pc/p"]
    assert not inbound.rejected


@pytest.mark.parametrize(
    ("changes", "topic", "reason"),
    [
        ({"device": "{payload:nowhere}"}, "smart/h/sda", "bad_identifier"),
        ({"device": "{5}"}, "smart/h/sda", "bad_identifier"),
        ({"class": "{2}"}, "smart/h/sda", "unknown_class"),
        ({"device": "{2}{2}{2}{2}{2}{2}{2}"}, "smart/ten-letter/sda", "bad_identifier"),
        ({}, "elsewhere/h", "bad_topic"),
    ],
)
def test_what_cannot_be_told_whose_it_is_is_put_aside(changes, topic, reason):
    devices, inbound = decode(topic, source(**changes))
    assert devices == []
    assert [rejected.reason for rejected in inbound.rejected] == [reason]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"topic": "a/#/b"}, "sources.0.topic: expected an MQTT topic filter, got 'a/#/b'"),
        (
            {"device": "{host}"},
            "sources.0.device: expected a text with {1}, {2}..., {device} or {payload:KEY}",
        ),
        ({"device": "{0}"}, "sources.0.device: expected a text with {1}, {2}..., {device} or {payload:KEY}"),
        (
            {"topic": "a/+", "tenant": "{3}"},
            "sources.0.tenant: expected a level from {1} to {2} of a/+, got {3}",
        ),
    ],
)
def test_a_wrong_entry_points_at_its_key(changes, message):
    with pytest.raises(UserError) as raised:
        source(**changes)
    assert message in str(raised.value)


def test_names_of_the_users_go_before_those_of_the_profile():
    table = {"profile": "glances", "signals": {"cpu/total": "-", "cpu/idle": "cpu.load"}}
    signals = Source.of(SourceTable.model_validate(table), 0).codec.signals
    assert signals.key("cpu/total") is None
    assert signals.key("cpu/idle") == ("cpu.load", None)
    assert signals.key("now/iso") is None
