import json

import pytest

from gateway.config import SourceTable
from gateway.errors import UserError
from gateway.ports import Packet
from gateway.wire.codecs import Foreign
from gateway.wire.decoder import Decoder
from gateway.wire.reasons import Unusable
from gateway.wire.sources import Source
from rules.signals import load_catalogue
from rules.symbols import Symbols

ARRIVAL = 1_767_225_600_000


def source(**options):
    return Source.of(SourceTable.model_validate({"profile": "tasmota", "options": options}), 0)


def say(topic, payload, **options):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return list(source(**options).codec.decode(Foreign(topic, body, ARRIVAL)))


def values(topic, payload):
    (extract,) = say(topic, payload)
    assert extract.refused == []
    return extract.values


def test_an_energy_meter():
    (extract,) = say(
        "tele/washer/SENSOR",
        {
            "Time": "2026-01-01T00:00:00",
            "ENERGY": {"TotalStartTime": "2020-10-21T22:15:00", "Total": 3.7, "Power": 1800, "Voltage": 231,
                       "Current": 7.9, "Factor": 0.98},
        },
    )  # fmt: skip
    assert extract.device == "washer"
    assert extract.values == {
        "energy.total": 3.7,
        "power.active": 1800,
        "power.voltage": 231,
        "power.current": 7.9,
        "ENERGY.Factor": 0.98,
    }


def test_a_meter_of_several_phases():
    assert values("tele/m/SENSOR", {"ENERGY": {"Power": [10, 20]}}) == {
        "power.active@1": 10,
        "power.active@2": 20,
    }


@pytest.mark.parametrize(("unit", "sent"), [("C", 20.0), ("F", 68), (None, 20)])
def test_sensors_say_their_unit_beside_them(unit, sent):
    document = {"AM2301": {"Temperature": sent, "Humidity": 40, "DewPoint": sent}, "TempUnit": unit}
    assert values("tele/m/SENSOR", document) == {
        "temperature@AM2301": 20.0,
        "humidity@AM2301": 40,
        "dew_point@AM2301": 20.0,
    }


def test_several_sensors_of_a_kind():
    document = {
        "DS18B20-1": {"Id": "3C01", "Temperature": 20.6},
        "DS18B20-2": {"Id": "3C02", "Temperature": None},
    }
    assert values("tele/m/SENSOR", document) == {"temperature@DS18B20-1": 20.6}


def test_a_state():
    state = {"Uptime": "0T00:10:11", "UptimeSec": 611, "POWER1": "OFF", "Wifi": {"RSSI": 44, "Signal": -78}}
    assert values("tele/m/STATE", state) == {"UptimeSec": 611, "POWER1": False, "wifi.rssi": -78}
    assert values("stat/m/POWER", b"ON") == {"POWER": True}
    assert values("stat/m/RESULT", {"POWER": "ON", "Command": "Unknown"}) == {"POWER": True}
    assert values("stat/m/STATUS10", {"StatusSNS": {"ENERGY": {"Power": 5}}}) == {"power.active": 5}


@pytest.mark.parametrize(("word", "online"), [(b"Online", True), (b"Offline", False)])
def test_presence(word, online):
    (extract,) = say("tele/m/LWT", word)
    assert (extract.device, extract.online) == ("m", online)


def test_what_the_device_is():
    (extract,) = say("tele/m/INFO1", {"Info1": {"Module": "Athom Plug V2", "Version": "13.1.0(tasmota)"}})
    assert (extract.facts, extract.values) == ({"model": "Athom Plug V2", "firmware": "13.1.0(tasmota)"}, {})


@pytest.mark.parametrize(
    ("time", "zone", "expected"),
    [
        ("2024-02-24T22:20:38", "", None),  # somebody's local time
        ("2024-02-24T22:20:38", "Europe/Berlin", 1_708_809_638_000),
        ("2024-07-24T22:20:38", "Europe/Berlin", 1_721_852_438_000),
        ("2024-02-24T22:20:38+01:00", "", 1_708_809_638_000),
        ("2024-02-24T21:20:38Z", "America/New_York", 1_708_809_638_000),
        ("1970-01-01T00:00:07", "Europe/Berlin", None),  # no clock was set yet
        ("soon", "Europe/Berlin", None),
        (1708809638, "Europe/Berlin", None),
    ],
)
def test_local_time_is_not_taken_for_utc(time, zone, expected):
    (extract,) = say("tele/m/SENSOR", {"Time": time, "X": {"Temperature": 1}}, zone=zone)
    assert extract.ts == expected


def test_a_time_zone_that_is_none_is_named():
    for zone in ("Europe/Atlantis", "../../etc/passwd"):
        with pytest.raises(UserError, match="zone: expected a time zone such as Europe/Berlin"):
            source(zone=zone)


@pytest.mark.parametrize("topic", ["cmnd/m/POWER", "stat/m/STATUS5", "tele/m/INFO2", "stat/m/RESULT"])
def test_commands_and_their_replies_are_no_readings(topic):
    assert [extract for extract in say(topic, {"StatusNET": {"Mac": "x"}}) if extract] == []


@pytest.mark.parametrize("topic", ["tele/SENSOR", "elsewhere/m/SENSOR", "tele"])
def test_what_is_not_tasmotas_says_so(topic):
    with pytest.raises(Unusable, match="expected tele/DEVICE"):
        say(topic, {"Time": "x"})


def test_a_leaf_that_is_a_number_names_a_reading_all_the_same():
    assert values("tele/m/0", b"7") == {"0": 7}


def test_a_cleared_topic_says_nothing():
    assert say("stat/m/POWER", b"") == []


def test_through_the_decoder_it_is_dated_by_arrival():
    symbols = Symbols()
    payload = b'{"Time":"2024-02-24T22:20:38","DS18B20":{"Temperature":20.6}}'
    inbound = Decoder(symbols, load_catalogue(), sources=[source()]).decode(
        [Packet("tele/cellar/SENSOR", payload, ARRIVAL)]
    )
    assert inbound.readings.ts.tolist() == [ARRIVAL]
    assert str(symbols.devices[int(inbound.readings.device[0])]) == "default/appliance/cellar"
