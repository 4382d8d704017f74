import json

import pytest

from gateway.wire.codecs import CODECS, Foreign
from gateway.wire.profiles import load_profile
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap

ARRIVAL = 1_767_225_600_000
DEVICES = [
    {"type": "Coordinator", "friendly_name": "Coordinator", "ieee_address": "0x01"},
    {
        "type": "EndDevice",
        "friendly_name": "cellar/leak sensor",
        "ieee_address": "0x02",
        "power_source": "Battery",
        "software_build_id": "3000-0001",
        "manufacturer": "LUMI",
        "model_id": "lumi.sensor",
        "definition": {
            "model": "SJCGQ11LM",
            "vendor": "Aqara",
            "description": "Water leak sensor",
            "exposes": [
                {"property": "voltage", "unit": "mV"},
                {"features": [{"property": "inner", "unit": "°F"}]},
                {"property": "water_leak"},
            ],
        },
    },
    {"type": "Router", "friendly_name": "plug", "definition": None, "model_id": "TS011F"},
]


class Bridge:
    def __init__(self, **options):
        self.codec = CODECS["zigbee2mqtt"](SignalMap(load_profile("zigbee2mqtt").signals), options)

    def say(self, topic, payload):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return list(self.codec.decode(Foreign(topic, body, ARRIVAL)))


def values(payload, name="plug"):
    (extract,) = Bridge().say(f"zigbee2mqtt/{name}", payload)
    assert extract.refused == []
    return extract.values


def test_a_plug():
    state = {"state": "ON", "power": 94.2, "update": {"state": "idle"}, "linkquality": 83, "energy": None}
    assert values(state) == {"state": True, "power.active": 94.2, "linkquality": 83}


def test_a_friendly_name_may_hold_slashes():
    (extract,) = Bridge().say("zigbee2mqtt/cellar/leak sensor", {"water_leak": True, "battery": 40})
    assert extract.device == "cellar/leak sensor"
    assert extract.values == {"leak.detected": True, "battery.level": 40}


def test_a_contact_that_is_closed_is_a_door_that_is_not_open():
    assert values({"contact": True}) == {"open": False}


def test_what_the_devices_are():
    coordinator_is_left_out = Bridge().say("zigbee2mqtt/bridge/devices", DEVICES)
    assert [(extract.device, extract.facts) for extract in coordinator_is_left_out] == [
        (
            "cellar/leak sensor",
            {
                "serial": "0x02",
                "manufacturer": "Aqara",
                "model": "SJCGQ11LM",
                "power_source": "Battery",
                "firmware": "3000-0001",
                "description": "Water leak sensor",
            },
        ),
        ("plug", {"model": "TS011F"}),
    ]


def test_units_come_from_the_list_of_devices_and_outlive_a_restart():
    before, bridge = Bridge(), Bridge()
    before.say("zigbee2mqtt/bridge/devices", DEVICES)
    bridge.codec.restore(json.loads(json.dumps(before.codec.state())))
    (extract,) = bridge.say("zigbee2mqtt/cellar/leak sensor", {"voltage": 3005, "inner": 104})
    assert extract.values == {"battery.voltage": 3.005, "inner": 40.0}
    assert values({"voltage": 231}) == {"voltage": 231}


@pytest.mark.parametrize(
    ("payload", "online"),
    [(b"online", True), (b"offline", False), ({"state": "online"}, True), ({"state": "offline"}, False)],
)
def test_availability(payload, online):
    (extract,) = Bridge().say("zigbee2mqtt/cellar/leak sensor/availability", payload)
    assert (extract.device, extract.online) == ("cellar/leak sensor", online)


@pytest.mark.parametrize(
    ("seen", "ts"),
    [
        (1_767_225_500_000, 1_767_225_500_000),
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"),
        ("2026-01-01T01:00:00+01:00", "2026-01-01T01:00:00+01:00"),
        ("2026-01-01T01:00:00", None),
        (None, None),
    ],
)
def test_last_seen_is_the_time(seen, ts):
    (extract,) = Bridge().say("zigbee2mqtt/plug", {"power": 1, "last_seen": seen})
    assert (extract.ts, extract.values) == (ts, {"power.active": 1})


def test_one_value_a_topic():
    (extract,) = Bridge().say("zigbee2mqtt/cellar/plug/power", b"5.5")
    assert (extract.device, extract.values) == ("cellar/plug", {"power.active": 5.5})


@pytest.mark.parametrize(
    "topic",
    [
        "bridge/state",
        "bridge/event",
        "bridge/logging",
        "bridge/response/x",
        "p/set",
        "p/get",
        "p/set/x",
        "a/p/set",
    ],
)
def test_commands_and_the_bridges_own_messages_say_nothing_of_a_device(topic):
    for payload in (b"online", {"state": "ON"}):
        assert Bridge().say(f"zigbee2mqtt/{topic}", payload) == []


def test_a_cleared_topic_says_nothing():
    assert Bridge().say("zigbee2mqtt/plug", b"") == []


def test_a_base_topic_of_its_own():
    (extract,) = Bridge(base="home/zigbee").say("home/zigbee/plug", {"power": 1})
    assert extract.device == "plug"
    with pytest.raises(Unusable, match="expected home/zigbee/NAME"):
        Bridge(base="home/zigbee").say("zigbee2mqtt/plug", {"power": 1})


@pytest.mark.parametrize(("topic", "payload"), [("plug", b"online"), ("plug", b"[1]"), ("a/b", b"[1]")])
def test_what_is_no_document_says_so(topic, payload):
    with pytest.raises(Unusable, match="expected an object"):
        Bridge().say(f"zigbee2mqtt/{topic}", payload)


@pytest.mark.parametrize("devices", [{}, "x", 5])
def test_a_list_of_devices_that_is_none_says_so(devices):
    with pytest.raises(Unusable, match="expected a list of devices"):
        Bridge().say("zigbee2mqtt/bridge/devices", devices)
