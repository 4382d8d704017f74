import pytest

from gateway.wire.codecs import Foreign
from gateway.wire.codecs.collectd import Collectd
from gateway.wire.documents import Broken
from gateway.wire.profiles import load_profile
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.signalmap import SignalMap

ARRIVAL = 1_767_225_600_000


def codec():
    return Collectd(SignalMap(load_profile("collectd").signals))


def decode(topic, payload, by=None):
    (extract,) = (by or codec()).decode(Foreign(f"collectd/srv-1/{topic}", payload, ARRIVAL))
    assert extract.device == "srv-1"
    return extract


def test_a_value_and_its_trailing_nul():
    extract = decode("memory/memory-used", b"1767225600.227:399056896\0")
    assert extract.ts == 1_767_225_600_227
    assert extract.values == {"memory.memory-used": 399056896.0}


def test_values_of_one_type_have_the_names_of_types_db():
    assert decode("load/load", b"1767225600:0.5:0.4:0.3").values == {
        "load.load.shortterm": 0.5,
        "load.load.midterm": 0.4,
        "load.load.longterm": 0.3,
    }
    assert decode("interface-eth0/if_octets", b"1767225600:1:2").values == {
        "interface.if_octets.rx@eth0": 1.0,
        "interface.if_octets.tx@eth0": 2.0,
    }


def test_values_of_a_type_of_ones_own_are_numbered():
    assert decode("my/own", b"1:5:6").values == {"my.own.0": 5.0, "my.own.1": 6.0}
    assert decode("load/load", b"1:5:6").values == {"load.load.0": 5.0, "load.load.1": 6.0}


def test_a_rate_that_is_not_known_yet_is_unknown_and_no_fault_of_the_sender():
    extract = decode("interface-lo/if_errors", b"1767225600:nan:-nan\0")
    assert extract.values == {"interface.if_errors.rx@lo": None, "interface.if_errors.tx@lo": None}
    assert decode("a/b", b"1:U").values == {"a.b": None}
    assert not extract.refused


def test_the_share_that_is_not_idle_is_load():
    assert decode("cpu/percent-idle", b"1:75.5").values == {"cpu.load": 24.5}
    assert decode("cpu/percent-idle", b"1:100.04").values == {"cpu.load": 0.0}  # types.db allows 100.1
    assert decode("cpu/percent-idle", b"1:nan").values == {"cpu.load": None}
    assert decode("cpu/percent-active", b"1:24.5").values == {"cpu.load": 24.5}
    assert decode("cpu-1/percent-active", b"1:24.5").values == {"percpu.percent-active@1": 24.5}
    assert decode("cpu-0/cpu-idle", b"1:99").values == {"percpu.cpu-idle@0": 99.0}  # jiffies, no percent


def test_free_space_is_known_once_both_its_parts_have_come():
    one = codec()
    assert "storage.free_ratio@root" not in decode("df-root/df_complex-free", b"10:75\0", one).values
    assert "storage.free_ratio@root" not in decode("df-root/df_complex-reserved", b"10:900", one).values
    assert "storage.free_ratio@var" not in decode("df-var/df_complex-used", b"10:25", one).values
    assert decode("df-root/df_complex-used", b"10:25", one).values["storage.free_ratio@root"] == 0.75
    assert decode("df-var/df_complex-free", b"10:0", one).values["storage.free_ratio@var"] == 0.0


def test_parts_of_different_times_are_no_whole():
    one = codec()
    decode("df-root/df_complex-free", b"10:75", one)
    assert "storage.free_ratio@root" not in decode("df-root/df_complex-used", b"20:25", one).values
    assert decode("df-root/df_complex-free", b"20:25", one).values["storage.free_ratio@root"] == 0.5


def test_an_empty_file_system_of_no_size_has_no_ratio():
    one = codec()
    decode("df-x/df_complex-free", b"10:0", one)
    assert decode("df-x/df_complex-used", b"10:0", one).values == {"df.df_complex-used@x": 0.0}


@pytest.mark.parametrize(
    ("topic", "payload", "values"),
    [
        ("df-root/percent_bytes-free", b"1:40", {"storage.free_ratio@root": 0.4}),
        ("hddtemp/temperature-sda", b"1:38", {"disk.temperature@sda": 38.0}),
        ("smart-sda/smart_poweron", b"1:7200", {"disk.power_on_hours@sda": 2.0}),
        ("smart-sda/smart_temperature", b"1:31.5", {"disk.temperature@sda": 31.5}),
        (
            "sensors-coretemp-isa-0001/temperature-temp1",
            b"1:63",
            {"cpu.temperature@1": 63.0},
        ),
        (
            "sensors-coretemp-isa-0000/temperature-temp2",
            b"1:61",
            {"core.temperature@coretemp-isa-0000:temp2": 61.0},
        ),
        ("sensors-nct6775-isa-0290/fanspeed-fan2", b"1:900", {"fan.rpm@nct6775-isa-0290:fan2": 900.0}),
        ("ipmi/fanspeed-FAN 1 fan_device (29.1)", b"1:4200", {"fan.rpm@FAN-1-fan_device-29.1": 4200.0}),
        ("ipmi/temperature-Inlet Temp system_board (7.1)", b"1:24", {"inlet.temperature": 24.0}),
        (
            "ipmi/temperature-CPU1 VRM Temp processor (3.1)",
            b"1:90",
            {"ipmi.temperature-CPU1-VRM-Temp-processor-3.1": 90.0},
        ),
        ("nut-ups/percent-charge", b"1:98", {"battery.level@ups": 98.0}),
    ],
)
def test_plugins_that_measure_what_our_rules_ask_for(topic, payload, values):
    assert decode(topic, payload).values == values


def test_smart_counts_are_the_last_of_four_values():
    topic = "smart-sda/smart_attribute-current-pending-sector"
    assert decode(topic, b"1:100:100:0:8").values == {
        "smart.current-pending-sector.current@sda": 100.0,
        "smart.current-pending-sector.worst@sda": 100.0,
        "smart.current-pending-sector.threshold@sda": 0.0,
        "disk.pending_sectors@sda": 8.0,
    }
    packed = decode(topic, b"1:100:100:0:281474976710655").values["disk.pending_sectors@sda"]
    assert isinstance(packed, Broken)
    assert packed.reason is QuarantineReason.OUT_OF_RANGE


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", b"12", b"12:", b":12", b"x:12", b"1:2:x", b"1 2", b"\xff\xfe:1", b"1:1_0", b"1:2" * 4000],
)
def test_what_is_no_value_list_says_so(payload):
    with pytest.raises(Unusable) as raised:
        decode("a/b", payload)
    assert raised.value.reason is QuarantineReason.UNKNOWN_CODEC_PAYLOAD


@pytest.mark.parametrize("topic", ["collectd", "collectd/host", "a//b", "host/plugin/"])
def test_a_topic_that_names_no_value_says_so(topic):
    with pytest.raises(Unusable, match="expected a topic that ends in HOST/PLUGIN/TYPE"):
        codec().decode(Foreign(topic, b"1:2", ARRIVAL))


def test_now_is_the_time_of_arrival():
    assert decode("a/b", b"N:2").ts is None


def test_infinity_is_put_aside_and_what_stands_beside_it_is_kept():
    values = decode("interface-lo/if_octets", b"1:inf:2").values
    assert isinstance(values["interface.if_octets.rx@lo"], Broken)
    assert values["interface.if_octets.tx@lo"] == 2.0
