import json

import pytest

from gateway.config import SourceTable
from gateway.wire.codecs import Foreign
from gateway.wire.reasons import Unusable
from gateway.wire.sources import Source

ARRIVAL = 1_767_225_600_000
TS = 1_680_962_879.62


def say(topic, payload, profile="shelly"):
    source = Source.of(SourceTable.model_validate({"profile": profile}), 0)
    assert source.takes(topic)
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return list(source.codec.decode(Foreign(topic, body, ARRIVAL)))


def notified(method="NotifyStatus", profile="shelly", ts=TS, **params):
    params = {name.replace("_", ":"): part for name, part in params.items()}
    document = {"src": "plug-1", "dst": "plug-1/events", "method": method, "params": {"ts": ts} | params}
    (extract,) = say("plug-1/events/rpc", document, profile)
    assert extract.refused == []
    return extract


SWITCH = {
    "id": 0,
    "output": True,
    "apower": 1800.5,
    "voltage": 231,
    "current": 7.9,
    "temperature": {"tC": 41, "tF": 106},
}


def test_a_switch():
    extract = notified(switch_0=SWITCH, switch_1={"id": 1, "apower": 5})
    assert (extract.device, extract.ts) == ("plug-1", 1_680_962_879_620)
    assert extract.values == {
        "switch.output@switch:0": True,
        "power.active@switch:0": 1800.5,
        "power.voltage@switch:0": 231,
        "power.current@switch:0": 7.9,
        "temperature@switch:0": 41,
        "power.active@switch:1": 5,
    }


def test_a_plug_before_one_appliance_gives_it_its_power():
    assert notified(profile="shelly-plug", switch_0={"id": 0, "apower": 94}).values == {"power.active": 94}


def test_an_update_tells_only_what_changed():
    assert notified(switch_0={"id": 0, "apower": 0}).values == {"power.active@switch:0": 0}
    assert notified(switch_0={"id": 0, "voltage": None}).values == {}


def test_errors_are_codes_of_their_component():
    assert notified(switch_0={"id": 0, "errors": ["overtemp", "overpower"]}).values == {
        "error.code@switch:0": "overpower,overtemp"
    }
    assert notified(switch_0={"id": 0, "errors": []}).values == {"error.code@switch:0": None}
    whole = notified("NotifyFullStatus", switch_0={"id": 0, "apower": 3}, cloud={"connected": True})
    assert whole.values == {"error.code@switch:0": None, "power.active@switch:0": 3}


def test_a_battery():
    part = {"id": 0, "battery": {"V": 5.4, "percent": 87}, "external": {"present": False}}
    assert notified(devicepower_0=part).values == {
        "battery.voltage": 5.4,
        "battery.level": 87,
        "power.plugged": False,
    }


@pytest.mark.parametrize("ts", [None, 3.5, "x", True, 1e300])
def test_without_a_clock_the_time_of_arrival_counts(ts):
    assert notified(ts=ts, temperature_0={"id": 0, "tC": 19.8}).ts is None


def test_the_address_is_the_serial_number():
    assert notified("NotifyFullStatus", sys={"mac": "B8D61A8B17CC", "uptime": 3}).facts == {
        "serial": "B8D61A8B17CC"
    }


@pytest.mark.parametrize(("word", "online"), [(b"true", True), (b"false", False)])
def test_presence(word, online):
    (extract,) = say("plug-1/online", word)
    assert (extract.device, extract.online) == ("plug-1", online)


def test_a_component_on_a_topic_of_its_own():
    (extract,) = say("plug-1/status/switch:0", {"id": 0, "apower": 4.5})
    assert (extract.device, extract.values["power.active@switch:0"]) == ("plug-1", 4.5)


def test_events_are_no_readings():
    event = {"component": "input:0", "id": 0, "event": "single_push", "ts": TS}
    assert say("b/events/rpc", {"method": "NotifyEvent", "params": {"ts": TS, "events": [event]}}) == []


@pytest.mark.parametrize(
    "document", [[], {}, {"method": "NotifyStatus"}, {"method": "Switch.Set", "params": {}}]
)
def test_what_is_no_notification_says_so(document):
    with pytest.raises(Unusable, match="expected method NotifyStatus"):
        say("b/events/rpc", document)


def test_a_component_that_is_none_is_refused_and_the_rest_is_read():
    document = {"method": "NotifyStatus", "params": {"switch:0": 5, "switch:1": {"id": 1, "apower": 5}}}
    (extract,) = say("b/events/rpc", document)
    assert [reason.value for reason, _ in extract.refused] == ["not_an_object"]
    assert extract.values == {"power.active@switch:1": 5}
