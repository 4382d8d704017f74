import json

import pytest

from gateway.wire.codecs import Foreign
from gateway.wire.codecs.glances import Glances
from gateway.wire.profiles import load_profile
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.signalmap import SignalMap

ARRIVAL = 1_767_225_600_000


def codec(**options):
    return Glances(SignalMap(load_profile("glances").signals), options)


def decode(topic, payload, by=None):
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return (by or codec()).decode(Foreign(f"glances/srv-1/{topic}", payload, ARRIVAL))


def values(topic, payload):
    return [value for extract in decode(topic, payload) for value in extract.values.items()]


def test_one_value_a_topic():
    (extract,) = decode("cpu/total", b"7.7")
    assert (extract.device, extract.ts, extract.values) == ("srv-1", None, {"cpu.load": 7.7})


def test_one_document_a_plugin_says_the_same():
    assert values("cpu", {"total": 7.7, "idle": 92.2, "history_size": 28800.0, "cpu_user_careful": 50.0}) == [
        ("cpu.load", 7.7),
        ("cpu.idle", 92.2),
    ]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("fs/_/percent", b"26.4"),
        ("fs", {"/": {"percent": 26.4}}),
    ],
)
def test_free_space_is_what_is_not_used(topic, payload):
    found = dict(values(topic, payload))
    assert found == {"storage.free_ratio@root": pytest.approx(0.736), "fs.percent@root": 26.4}


def test_mount_points_are_named_alike_in_both_forms():
    assert dict(values("fs", {"/var/lib": {"percent": 50.0}})) == dict(values("fs/_var_lib/percent", b"50.0"))
    assert dict(values("fs/_var_lib/percent", b"50.0"))["storage.free_ratio@_var_lib"] == 0.5


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"true", True),
        (b"False", False),
        (b"12", 12.0),
        (b"", None),
        (b"up", "up"),
        (b"1_000", "1_000"),
        (b"3\0", 3.0),
    ],
)
def test_bare_values(payload, value):
    assert values("ports/gateway/status", payload) == [("ports.gateway.status", value)]


def test_sensors_come_with_their_unit():
    document = {
        "Package id 0": {"label": "Package id 0", "value": 122, "unit": "F", "type": "temperature_core"},
        "fan1": {"label": "fan1", "value": 900, "unit": "R", "type": "fan_speed"},
        "Ambient": {"label": "Ambient", "value": 21, "unit": "C", "type": "temperature_core"},
    }
    assert dict(values("sensors", document)) == {
        "cpu.temperature@0": 50.0,
        "fan.rpm@fan1": 900,
        "sensors.value@Ambient": 21.0,
    }


def test_a_plugin_that_has_nothing_to_say_says_nothing():
    assert decode("sensors", b"{}") == []


def test_the_operating_system_is_a_fact():
    for topic, payload in (("system", {"hr_name": "Debian 12"}), ("system/hr_name", b"Debian 12")):
        (extract,) = decode(topic, payload)
        assert extract.facts == {"os": "Debian 12"}
        assert not extract.values


def test_the_will_says_offline_and_the_next_values_mean_that_it_is_back():
    one = codec()
    assert decode("cpu/total", b"1", one)[0].online is None
    assert decode("availability", b"offline", one)[0].online is False
    other = codec()
    other.restore(json.loads(json.dumps(one.state())))
    for glances in (one, other):
        assert decode("sensors", b"{}", glances) == []
        assert decode("cpu/total", b"1", glances)[0].online is True
        assert decode("cpu/total", b"1", glances)[0].online is None
        assert glances.state() is None


def test_a_host_that_says_online_is():
    assert decode("availability", b"online")[0].online is True


def test_another_word_is_no_availability():
    with pytest.raises(Unusable, match="expected online or offline, got 'asleep'"):
        decode("availability", b"asleep")


def test_another_prefix():
    message = Foreign("site/7/srv-1/cpu/total", b"7.7", ARRIVAL)
    assert codec(prefix="site/7").decode(message)[0].device == "srv-1"
    with pytest.raises(Unusable) as raised:
        codec().decode(message)
    assert raised.value.reason is QuarantineReason.UNKNOWN_CODEC_PAYLOAD
    with pytest.raises(ValueError, match="prefix: expected the first levels"):
        codec(prefix=7)


def test_a_document_of_more_values_than_a_device_has_is_cut_and_says_so():
    (extract,) = decode("processlist", {str(number): number for number in range(3_000)})
    assert len(extract.values) == 2_000
    assert [reason for reason, _ in extract.refused] == [QuarantineReason.TOO_MANY_SIGNALS]
