import json

import pytest

from gateway.wire.codecs import CODECS, Foreign
from gateway.wire.profiles import load_profile
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap

ARRIVAL = 1_767_225_600_000


class Homie:
    def __init__(self):
        self.codec = CODECS["homie"](SignalMap(load_profile("homie").signals))

    def say(self, topic, payload):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return [extract for extract in self.codec.decode(Foreign(topic, body, ARRIVAL)) if extract]


def test_properties_and_the_devices_own_statistics():
    homie = Homie()
    (extract,) = homie.say("homie/car/engine/temperature", b"21.5")
    assert (extract.device, extract.values) == ("car", {"engine.temperature": 21.5})
    (extract,) = homie.say("homie/car/$stats/cputemp", b"48")
    assert extract.values == {"cpu.temperature": 48}
    (extract,) = homie.say("homie/car/lights/on", b"true")
    assert extract.values == {"lights.on": True}


def test_units_are_said_beside_and_outlive_a_restart():
    homie, after = Homie(), Homie()
    assert homie.say("homie/car/engine/temperature/$unit", "°F".encode()) == []
    after.codec.restore(json.loads(json.dumps(homie.codec.state())))
    assert after.say("homie/car/engine/temperature", b"104")[0].values == {"engine.temperature": 40.0}


def test_version_5_describes_a_device_by_one_document():
    homie = Homie()
    nodes = {"engine": {"properties": {"temperature": {"datatype": "float", "unit": "K"}}}}
    (extract,) = homie.say("homie/5/car/$description", {"homie": "5.0", "name": "Super car", "nodes": nodes})
    assert (extract.device, extract.facts) == ("car", {"name": "Super car"})
    assert homie.say("homie/5/car/engine/temperature", b"300")[0].values == {"engine.temperature": 26.85}


@pytest.mark.parametrize(
    ("attribute", "word", "online"),
    [
        ("$state", b"ready", True),
        ("$state", b"alert", True),
        ("$state", b"lost", False),
        ("$state", b"disconnected", False),
        ("$online", b"true", True),
        ("$online", b"false", False),
    ],
)
def test_presence(attribute, word, online):
    (extract,) = Homie().say(f"homie/car/{attribute}", word)
    assert extract.online is online


def test_a_device_that_starts_or_sleeps_says_neither():
    assert Homie().say("homie/car/$state", b"init") == []
    assert Homie().say("homie/car/$state", b"sleeping") == []
    with pytest.raises(Unusable, match="expected a state such as ready"):
        Homie().say("homie/car/$state", b"confused")


def test_facts():
    assert Homie().say("homie/car/$fw/version", b"1.2.3")[0].facts == {"firmware": "1.2.3"}


@pytest.mark.parametrize(
    "topic",
    [
        "car/$homie",
        "car/$nodes",
        "car/$stats",
        "car/engine/$properties",
        "car/engine/speed/set",
        "$broadcast/alert",
    ],
)
def test_commands_and_descriptions_are_no_readings(topic):
    assert Homie().say(f"homie/{topic}", b"2") == []


@pytest.mark.parametrize("topic", ["homie", "homie/car", "elsewhere/car/engine/x", "homie/5/car"])
def test_what_is_not_homies_says_so(topic):
    with pytest.raises(Unusable, match="expected homie/DEVICE"):
        Homie().say(topic, b"2")
