import json

import pytest

from gateway.config import SourceTable
from gateway.errors import UserError
from gateway.ports import Packet
from gateway.wire.announced import MAX_SHARED
from gateway.wire.codecs import CODECS, Foreign
from gateway.wire.decoder import Decoder
from gateway.wire.discovery import MAX_PARTS
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap
from gateway.wire.sources import Source
from rules.signals import load_catalogue
from rules.symbols import Symbols

ARRIVAL = 1_767_225_600_000
DEVICE = {"identifiers": ["wash-7"], "name": "Washer", "model": "W 900", "sw_version": "1.2"}


class Home:
    """A codec and the messages that it is given."""

    def __init__(self, signals=None, **options):
        self.codec = CODECS["homeassistant"](SignalMap(signals), options)

    def say(self, topic, payload=b""):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return list(self.codec.decode(Foreign(topic, body, ARRIVAL)))

    def announce(self, name="Power", component="sensor", **table):
        document = {"name": name, "state_topic": "wash-7/state", "device": DEVICE} | table
        return self.say(f"homeassistant/{component}/wash-7/{name.lower().replace(' ', '_')}/config", document)

    def values(self, topic, payload):
        extracts = self.say(topic, payload)
        assert [refused for extract in extracts for refused in extract.refused] == []
        return {key: value for extract in extracts for key, value in extract.values.items()}

    def refused(self, topic, payload):
        try:
            extracts = self.say(topic, payload)
        except Unusable as finding:
            return [finding.reason.value]
        return [reason.value for extract in extracts for reason, _ in extract.refused]


def test_an_announcement_says_what_the_device_is_and_where_its_reading_stands():
    home = Home()
    (extract,) = home.announce(
        device_class="power", unit_of_measurement="kW", value_template="{{ value_json.p }}"
    )
    assert extract.device == "wash-7"
    assert extract.facts == {"name": "Washer", "model": "W 900", "firmware": "1.2"}
    (reading,) = home.say("wash-7/state", {"p": 1.5, "q": 7})
    assert (reading.device, reading.values) == ("wash-7", {"power.active": 1500.0})


def test_keys_may_be_abbreviated_and_topics_have_a_base():
    home = Home()
    home.say(
        "homeassistant/sensor/x/config",
        {
            "~": "plug/1",
            "name": "Battery",
            "stat_t": "~/state",
            "val_tpl": "{{ value_json.b }}",
            "dev_cla": "battery",
            "unit_of_meas": "%",
            "avty": [{"t": "~/here", "pl_avail": "up", "pl_not_avail": "down"}],
            "dev": {"ids": "p1", "mf": "Acme", "mdl": "P", "sw": "3", "hw": "B", "sn": "0815"},
        },
    )
    assert home.values("plug/1/state", {"b": 83}) == {"battery.level": 83}
    assert [extract.online for extract in home.say("plug/1/here", b"down")] == [False]


def test_one_announcement_for_all_of_a_device():
    home = Home()
    parts = {
        "t": {"p": "sensor", "name": "Drum", "device_class": "temperature", "unit_of_measurement": "°F",
              "value_template": "{{ value_json.t }}"},
        "d": {"p": "binary_sensor", "device_class": "door", "state_topic": "wash-7/door"},
        "r": {"p": "button", "command_topic": "wash-7/cmd"},
        "gone": {"p": "sensor"},
    }  # fmt: skip
    config = {
        "dev": DEVICE,
        "o": {"name": "x"},
        "stat_t": "wash-7/state",
        "avty_t": "wash-7/up",
        "cmps": parts,
    }
    assert home.say("homeassistant/device/wash-7/config", config)[0].facts["model"] == "W 900"
    assert home.values("wash-7/state", {"t": 104}) == {"Drum": 40.0}
    assert home.values("wash-7/door", b"ON") == {"door.open": True}
    assert home.say("wash-7/up", b"offline")[0].online is False
    del config["cmps"]["d"]
    home.say("homeassistant/device/wash-7/config", config)
    assert home.refused("wash-7/door", b"ON") == ["not_announced"]


def test_the_base_topic_of_a_device_holds_for_its_parts():
    home = Home()
    part = {"p": "sensor", "name": "Drum", "stat_t": "~/drum"}
    home.say(
        "homeassistant/device/x/config", {"~": "wash/7", "dev": DEVICE, "avty_t": "~/up", "cmps": {"a": part}}
    )
    assert home.values("wash/7/drum", b"1") == {"Drum": 1}
    assert home.say("wash/7/up", b"online")[0].online is True


def test_a_state_before_its_announcement_says_so():
    home = Home()
    assert home.refused("wash-7/state", {"p": 1}) == ["not_announced"]
    home.announce(value_template="{{ value_json.p }}")
    assert home.values("wash-7/state", {"p": 1}) == {"Power": 1}


def test_an_empty_announcement_removes_its_entity():
    home = Home()
    home.announce()
    assert home.say("homeassistant/sensor/wash-7/power/config") == []
    assert home.refused("wash-7/state", b"1") == ["not_announced"]
    assert home.codec.state() is None


def test_home_assistants_own_birth_says_nothing_of_a_device():
    assert Home().say("homeassistant/status", b"online") == []


def test_several_like_parts_are_told_apart_by_their_names():
    home = Home()
    for channel in ("Channel 1 Power", "Channel 2 Power", "Power"):
        template = f"{{{{ value_json['{channel}'] }}}}"
        home.announce(channel, device_class="power", unit_of_measurement="W", value_template=template)
    state = {"Channel 1 Power": 1, "Channel 2 Power": 2, "Power": 3}
    assert home.values("wash-7/state", state) == {
        "power.active@Channel-1": 1,
        "power.active@Channel-2": 2,
        "power.active": 3,
    }


def test_two_entities_of_one_name_do_not_become_one():
    home = Home()
    for key in ("in", "out"):
        document = {"name": "Temp", "state_topic": f"s/{key}", "device": DEVICE}
        home.say(f"homeassistant/sensor/wash-7/{key}/config", document)
    assert home.values("s/in", b"1") == {"Temp": 1}
    assert home.values("s/out", b"2") == {"Temp-out": 2}
    home.say("homeassistant/sensor/wash-7/out/config", document)
    assert home.values("s/out", b"2") == {"Temp-out": 2}


def test_names_of_the_user_go_before_device_classes():
    home = Home({"Power": "compressor.power"})
    home.announce(device_class="power", unit_of_measurement="kW")
    assert home.values("wash-7/state", b"0.1") == {"compressor.power": 100.0}


@pytest.mark.parametrize(
    ("table", "payload", "expected"),
    [
        ({}, b"ON", True),
        ({}, b"OFF", False),
        ({"payload_on": "wet", "payload_off": "dry"}, b"wet", True),
        (
            {"payload_on": False, "payload_off": True, "value_template": "{{ value_json.c }}"},
            {"c": False},
            True,
        ),
        ({"payload_on": 1, "payload_off": 0}, b"0", False),
        ({"value_template": "{{ 'ON' if value|float > 5 else 'OFF' }}"}, b"7.5", True),
        ({}, b"unknown", None),
    ],
)
def test_yes_and_no(table, payload, expected):
    home = Home()
    home.announce("Leak", "binary_sensor", **table)
    assert home.values("wash-7/state", payload) == {"Leak": expected}


def test_a_word_that_is_neither_yes_nor_no_is_refused():
    home = Home()
    home.announce("Leak", "binary_sensor")
    assert home.refused("wash-7/state", b"on") == ["wrong_type"]


@pytest.mark.parametrize(
    ("template", "payload", "expected"),
    [
        ("{{ value_json.a.b[1] }}", {"a": {"b": [1, 2]}}, {"X": 2}),
        ("{{ value_json['a b'] | float | round(1) }}", {"a b": "3.14"}, {"X": 3.1}),
        ("{{ value_json.mv / 1000 }}", {"mv": 3100}, {"X": 3.1}),
        ("{{ (value | int) * 2 }}", b"21", {"X": 42}),
        ("{{ value.split(',')[1] }}", b"1,2,3", {"X": 2}),
        ("{{ value | replace(',', '.') | float }}", b"3,5", {"X": 3.5}),
        ("{% if value_json.x is defined %}{{ value_json.x }}{% else %}0{% endif %}", {"y": 4}, {"X": 0}),
        ("{% set v = value_json.v %}{{ v if v in ['low', 'high'] else 0 }}", {"v": "high"}, {"X": "high"}),
        ("{{ value_json.get('m', {}) | default('low', true) }}", {"q": 1}, {"X": "low"}),
        ("{{ value_json.temp | default(0) }}", {"q": 1}, {"X": 0}),
        # What the message does not hold is not updated by it: no reading, and no fault.
        ("{{ value_json.temp }}", {"q": 1}, {}),
        ("{{ value_json.temp | float }}", {"q": 1}, {}),
        ("{{ value_json.temp * 2 }}", {"q": 1}, {}),
        ("{{ value_json.a.b.c }}", {"q": 1}, {}),
        ("{{ value_json.x if value_json.x is not undefined else None }}", {"q": 1}, {"X": None}),
        ("{{ value_json.x }}", b'{"x": nan}', "not_a_number"),
    ],
)  # fmt: skip
def test_templates(template, payload, expected):
    home = Home()
    home.announce("X", value_template=template)
    if isinstance(expected, str):
        ((value,),) = [extract.values.values() for extract in home.say("wash-7/state", payload)]
        assert value.reason.value == expected
    else:
        assert home.values("wash-7/state", payload) == expected


@pytest.mark.parametrize(
    ("template", "payload", "reason"),
    [
        ("{{ value_json.x }}", b"no json", "malformed_json"),
        ("{{ value_json.used if value_json is not undefined else None }}", b"{", "malformed_json"),
        ("{{ value | float }}", b"hot", "unknown_codec_payload"),
        ("{{ states('sun.sun') }}", b"1", "unknown_codec_payload"),
        ("{{ value", b"1", "unknown_codec_payload"),
    ],
)
def test_what_a_template_cannot_read_says_so(template, payload, reason):
    home = Home()
    home.announce("X", value_template=template)
    assert home.refused("wash-7/state", payload) == [reason]


def test_a_payload_needs_no_json_where_the_template_asks_for_none():
    home = Home()
    home.announce("X", value_template="{{ value_json.x if value_json is defined else value }}")
    assert home.values("wash-7/state", b"soft") == {"X": "soft"}


def test_moments_and_commands_are_no_readings():
    home = Home()
    home.announce("Seen", device_class="timestamp")
    assert home.say("wash-7/state", b"2026-01-01T00:00:00Z") == []
    home.announce("Light", "light", state_topic="wash-7/light")
    assert home.say("wash-7/light", {"state": "ON"}) == []


class TestAvailability:
    LIST = ({"topic": "bridge"}, {"topic": "wash-7/up", "value_template": "{{ value_json.state }}"})

    def verdicts(self, home, *messages):
        return [[extract.online for extract in home.say(topic, payload)] for topic, payload in messages]

    @pytest.mark.parametrize(
        ("mode", "expected"),
        [("all", [True, True, False]), ("any", [True, True, True]), ("latest", [True, True, False])],
    )
    def test_modes(self, mode, expected):
        home = Home()
        home.announce(availability=list(self.LIST), availability_mode=mode)
        found = self.verdicts(
            home,
            ("bridge", b"online"),
            ("wash-7/up", {"state": "online"}),
            ("wash-7/up", {"state": "offline"}),
        )
        assert found == [[verdict] for verdict in expected]

    @pytest.mark.parametrize(
        ("word", "expected"),
        [(b"online", True), (b"OFF", False), (b"Online", True), (b"false", False), (b"offline\0", False)],
    )
    def test_spellings(self, word, expected):
        home = Home()
        home.announce(availability_topic="wash-7/up")
        assert self.verdicts(home, ("wash-7/up", word)) == [[expected]]

    def test_words_of_its_own(self):
        home = Home()
        home.announce(availability_topic="u", payload_available="1 up", payload_not_available="0 down")
        assert self.verdicts(home, ("u", b"0 down"), ("u", b"1 up")) == [[False], [True]]
        assert home.refused("u", b"perhaps") == ["wrong_type"]

    def test_a_device_is_there_while_any_of_its_parts_is(self):
        home = Home()
        for part in ("a", "b"):
            home.announce(part, availability_topic=f"{part}/up")
        found = self.verdicts(
            home, ("a/up", b"online"), ("b/up", b"online"), ("a/up", b"offline"), ("b/up", b"offline")
        )
        assert found == [[True], [True], [True], [False]]


class TestAgentsWithTopicsOfTheirOwn:
    def home(self, **options):
        return Home(
            {"noise": "-", "disk_usage/*/*": "disk_usage.{1}@{2}"},
            device_level=2,
            presence="status",
            **options,
        )

    def test_topics_name_device_and_reading(self):
        home = self.home(bare=True)
        (extract,) = home.announce("CPU Percentage", state_topic="ps/pc-1/cpu_percent/total")
        assert extract.device == "pc-1"
        assert home.values("ps/pc-1/cpu_percent/total", b"7.5") == {"cpu_percent.total": 7.5}
        assert home.values("ps/pc-1/disk_usage/percent/|", b"3\0") == {"disk_usage.percent": 3}
        assert home.values("ps/pc-1/memory/*;", {"free": 1, "used": 2}) == {
            "memory.free": 1,
            "memory.used": 2,
        }

    def test_without_bare_what_was_not_announced_says_so(self):
        home = self.home()
        assert home.refused("ps/pc-1/x", b"7.5") == ["not_announced"]
        assert home.say("ps/pc-1/noise", b"7.5") == []

    def test_what_agents_are_told_is_no_reading(self):
        home = self.home(bare=True, commands="request")
        assert home.say("ps/request/cpu_percent", b"REQUEST") == []

    @pytest.mark.parametrize("topic", ["ps/pc-1/disk_usage/*;/|/error", "ps/pc-1/error/disk_usage"])
    def test_failures_come_with_their_words(self, topic):
        with pytest.raises(Unusable, match=r"'disk_usage: Parameter .* is not supported'") as raised:
            self.home(bare=True).say(topic, b"disk_usage: Parameter '*;' is not supported".replace(b"'", b""))
        assert raised.value.reason.value == "source_reported_error"

    def test_an_agent_that_died_is_gone_though_its_parts_were_left_available(self):
        home = self.home()
        home.announce(state_topic="l/h/cpu/state", availability_topic="l/h/cpu/up")
        assert home.say("l/h/status", b"offline")[0].online is False
        assert home.say("l/h/cpu/up", b"online")[0].online is False
        assert home.say("l/h/status", b"online")[0].online is True


def test_what_was_announced_outlives_a_restart():
    before, after = Home(), Home()
    before.announce(
        device_class="power", availability=[{"topic": "a"}, {"topic": "b"}], availability_mode="all"
    )
    before.say("a", b"online")
    before.say("b", b"offline")
    after.codec.restore(json.loads(json.dumps(before.codec.state())))
    assert after.codec.state() == before.codec.state()
    assert after.values("wash-7/state", b"5") == {"power.active": 5}
    assert after.say("a", b"online")[0].online is False


def test_what_is_announced_is_bounded():
    home = Home()
    parts = {str(n): {"p": "sensor", "stat_t": "s", "name": f"n{n}"} for n in range(MAX_PARTS + 1)}
    config = {"dev": DEVICE, "cmps": parts}
    assert home.refused("homeassistant/device/x/config", config) == ["too_many_signals"]
    del parts["0"]
    assert MAX_PARTS == MAX_SHARED
    assert home.refused("homeassistant/device/x/config", config) == []
    config["cmps"] = {"more": parts["1"]}
    assert home.refused("homeassistant/device/y/config", config) == ["too_many_signals"]
    assert home.refused("homeassistant/sensor/x/config", {"stat_t": "s" * 600}) == ["text_too_long"]
    assert home.refused("homeassistant/sensor/x/config", {"name": "X"}) == ["wrong_type"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device_level": "2"}, "sources.0.options: device_level: expected an integer, got '2'"),
        ({"bare": 1}, "sources.0.options: bare: expected true or false, got 1"),
        ({"prefix": 3}, "sources.0.options: prefix: expected a text, got 3"),
    ],
)
def test_wrong_options_are_named(options, message):
    table = SourceTable.model_validate({"profile": "psmqtt", "options": options})
    with pytest.raises(UserError) as raised:
        Source.of(table, 0)
    assert message in str(raised.value)


def test_retained_readings_are_of_unknown_age_and_retained_announcements_are_not():
    source = Source.of(SourceTable.model_validate({"profile": "linux2mqtt"}), 0)
    symbols = Symbols()
    decoder = Decoder(symbols, load_catalogue(), sources=[source])
    config = {"name": "CPU", "state_topic": "linux/h/cpu/state", "unit_of_measurement": "%", "device": DEVICE}
    packets = [
        Packet("homeassistant/sensor/linux/h_cpu/config", json.dumps(config).encode(), ARRIVAL, True),
        Packet("linux/h/cpu/state", b"40", ARRIVAL, True),
        Packet("linux/h/cpu/state", b"50", ARRIVAL + 1000, False),
    ]
    inbound = decoder.decode(packets)
    assert [rejected.reason for rejected in inbound.rejected] == ["retained_without_time"]
    assert inbound.readings.value.tolist() == [50.0]
    assert [str(symbols.channels[number]) for number in inbound.readings.channel] == ["cpu.load"]


def test_two_agents_with_announcements_stand_beside_each_other():
    sources = [
        Source.of(SourceTable.model_validate({"profile": name}), place)
        for place, name in enumerate(("linux2mqtt", "psmqtt"))
    ]
    cpu = {"name": "CPU", "unit_of_measurement": "%", "device": DEVICE}
    messages = [
        ("homeassistant/sensor/linux/h_cpu/config", cpu | {"state_topic": "linux/h/cpu/state"}),
        ("homeassistant/sensor/pc/cpu/config", cpu | {"state_topic": "psmqtt/pc/cpu_percent/total"}),
        ("linux/h/cpu/state", 40),
        ("psmqtt/pc/cpu_percent/total", 50),
    ]
    symbols = Symbols()
    decoder = Decoder(symbols, load_catalogue(), sources=sources)
    inbound = decoder.decode([Packet(topic, json.dumps(said).encode(), ARRIVAL) for topic, said in messages])
    assert not inbound.rejected
    assert [str(symbols.devices[int(number)]) for number in inbound.readings.device] == [
        "default/server/h",
        "default/pc/pc",
    ]
