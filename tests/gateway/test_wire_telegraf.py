import json

import pytest

from gateway.wire.codecs import Foreign
from gateway.wire.codecs.line_protocol import LineProtocol
from gateway.wire.codecs.telegraf_json import TelegrafJson
from gateway.wire.documents import Broken
from gateway.wire.profiles import load_profile
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.signalmap import SignalMap

ARRIVAL = 1_767_225_600_000
NS = ARRIVAL * 1_000_000
SIGNALS = load_profile("telegraf").signals


def lines(*text, by=None, topic="telegraf/srv-1/x"):
    codec = by or LineProtocol(SignalMap(SIGNALS))
    return list(codec.decode(Foreign(topic, "\n".join(text).encode(), ARRIVAL)))


def values(line):
    (extract,) = lines(line)
    assert not extract.refused
    return extract.values


def test_a_line():
    (extract,) = lines(f"mem,host=srv-1 available_percent=93.5,total=25276502016i {NS}")
    assert (extract.device, extract.ts) == ("srv-1", ARRIVAL)
    assert extract.values == {"mem.available_percent": 93.5, "mem.total": 25276502016}


def test_a_batch_holds_several_hosts_and_each_time_is_a_message():
    found = lines(
        f"mem,host=a used=1i {NS}",
        f"mem,host=b used=2i {NS}",
        f"swap,host=a used=3i {NS}",
        f"mem,host=a used=4i {NS + 10**10}",
    )
    assert [(extract.device, extract.ts - ARRIVAL, extract.values) for extract in found] == [
        ("a", 0, {"mem.used": 1, "swap.used": 3}),
        ("b", 0, {"mem.used": 2}),
        ("a", 10_000, {"mem.used": 4}),
    ]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_the_unit_of_a_time_shows_in_its_size(unit):
    (extract,) = lines(f"mem,host=a used=1i {ARRIVAL // 1000 * unit}")
    assert extract.ts == ARRIVAL


def test_a_line_without_a_time_is_of_its_arrival():
    assert lines("mem,host=a used=1i")[0].ts is None


def test_without_the_tag_the_topic_names_the_host():
    assert lines("mem used=1i", topic="telegraf/srv-9/mem")[0].device == "srv-9"
    assert lines("mem used=1i", topic="telegraf")[0].device is None


def test_readings_of_other_machines_are_theirs():
    assert lines("ipmi_sensor,host=a,server=10.0.0.7,name=fan_1,unit=rpm value=900")[0].device == "10.0.0.7"
    assert lines("snmp,host=a,agent_host=switch-1 uptime=5i")[0].device == "switch-1"
    assert (
        lines("redfish_thermal_fans,host=a,source=srv-2,name=Fan\\ 1 reading_rpm=900i")[0].device == "srv-2"
    )


def test_a_line_that_is_none_costs_only_itself():
    (extract,) = lines("mem,host=a used=1i", "nonsense", "mem,host=a free=2i", "# comment", "", "mem x=")
    assert extract.values == {"mem.used": 1, "mem.free": 2}
    assert [reason for reason, _ in extract.refused] == [QuarantineReason.UNKNOWN_CODEC_PAYLOAD] * 2


def test_a_text_may_run_over_lines_and_quotes_in_tags_are_their_own():
    (extract,) = lines(
        'log,host=a,which=5" text="one',
        'two",count=2i',
        "mem,host=a used=1i",
    )
    assert extract.values == {"log.text@5": "one\ntwo", "log.count@5": 2, "mem.used": 1}


def test_a_payload_without_a_line_says_nothing():
    assert lines("", "# nothing today", "  ") == []


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"{}", b"cpu", b"cpu usage_idle", b"cpu,host=a x=nonsense"])
def test_what_is_no_line_protocol_says_so(payload):
    with pytest.raises(Unusable) as raised:
        LineProtocol(SignalMap()).decode(Foreign("telegraf/a/cpu", payload, ARRIVAL))
    assert raised.value.reason in (QuarantineReason.UNKNOWN_CODEC_PAYLOAD, QuarantineReason.NOT_UTF8)


def test_load_is_what_is_not_idle():
    assert values("cpu,cpu=cpu-total,host=a usage_idle=97.5")["cpu.load"] == 2.5
    assert values("cpu,cpu=cpu1,host=a usage_idle=97.5")["percpu.usage_active@cpu1"] == 2.5
    assert values("cpu,cpu=cpu-total,host=a usage_idle=97.5,usage_active=3")["cpu.load"] == 3
    assert "cpu.load" not in values("cpu,cpu=cpu-total,host=a usage_idle=-4")  # a counter that was reset


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        (
            "disk,path=/,device=vda1,fstype=ext4,mode=rw,host=a used_percent=25",
            "storage.free_ratio@root",
            0.75,
        ),
        ("disk,path=/var/lib,host=a used_percent=100", "storage.free_ratio@var-lib", 0.0),
        ("net,interface=eth0,host=a err_in=12i", "nic.rx_errors@eth0", 12),
        (
            "sensors,chip=coretemp-isa-0000,feature=package_id_0,host=a temp_input=61",
            "cpu.temperature@0",
            61,
        ),
        (
            "sensors,chip=nct6775-isa-0290,feature=fan2,host=a fan_input=900",
            "fan.rpm@nct6775-isa-0290:fan2",
            900,
        ),
        ("temp,sensor=coretemp_package_id_1,host=a temp=61", "cpu.temperature@1", 61),
        ("ipmi_sensor,name=fan_1,unit=rpm,host=a value=4200,status=1i", "fan.rpm@fan_1", 4200),
        ("ipmi_sensor,name=inlet_temp,unit=degrees_c,host=a value=24", "inlet.temperature", 24),
        ("smart_device,device=sda,host=a health_ok=false", "disk.smart_passed@sda", False),
        (
            "smart_attribute,device=sda,id=197,name=Current_Pending_Sector,host=a raw_value=8i",
            "disk.pending_sectors@sda",
            8,
        ),
        (
            "smart_attribute,device=sda,id=188,name=Command_Timeout,host=a raw_value=17180131332i",
            "disk.command_timeouts@sda",
            4,
        ),
        (
            "smartctl,name=/dev/nvme0,type=nvme,serial=S,host=a percentage_used=101i",
            "nvme.percentage_used@nvme0",
            101,
        ),
        (
            "redfish_power_powersupplies,name=PS1,source=b,host=a line_input_voltage=231",
            "psu.input_voltage@PS1",
            231,
        ),
        ("upsd,ups_name=ups1,host=a battery_charge_percent=98", "battery.level@ups1", 98),
    ],
)
def test_plugins_that_measure_what_our_rules_ask_for(line, key, value):
    assert values(line)[key] == value


@pytest.mark.parametrize(
    "line",
    [
        "sensors,chip=coretemp-isa-0000,feature=package_id_0,host=a temp_crit=100",
        "sensors,chip=coretemp-isa-0000,feature=core_0,host=a temp_input=61",
        "temp,sensor=coretemp_core_0_crit,host=a temp=100",
        "temp,sensor=coretemp_core_0_max,host=a temp=100",
        "ipmi_sensor,name=cpu1_vrm_temp,unit=degrees_c,host=a value=90",
    ],
)
def test_limits_and_other_parts_are_no_temperature_of_the_processor(line):
    assert not any(key.startswith("cpu.temperature") for key in values(line))


def test_a_fan_in_percent_is_no_speed():
    assert values("ipmi_sensor,name=fan_1,unit=percent,host=a value=40") == {"ipmi.percent@fan_1": 40}


def test_a_count_past_32_bits_is_unknown_and_other_raw_fields_stay():
    (extract,) = lines(
        "smart_attribute,device=sda,id=5,host=a raw_value=281474976710655i",
        "smart_attribute,device=sda,id=1,name=Raw_Read_Error_Rate,host=a raw_value=281474976710655i",
    )
    assert isinstance(extract.values["disk.reallocated_sectors@sda"], Broken)
    assert extract.values["smart.1@sda"] == 281474976710655


def test_no_temperature_is_not_zero_degrees():
    assert "disk.temperature@sda" not in values(
        "smartctl,name=/dev/sda,serial=S,host=a temperature=0i,power_on_hours=1i"
    )


def test_attributes_that_know_only_the_serial_number_find_their_drive():
    one = LineProtocol(SignalMap(SIGNALS))
    lines("smartctl,name=/dev/bus/6,serial=Z1,type=sat+megaraid\\,14,host=a health_ok=true", by=one)
    other = LineProtocol(SignalMap(SIGNALS))
    other.restore(json.loads(json.dumps(one.state())))
    line = (
        "smartctl_attributes,name=Current_Pending_Sector,serial=Z1,type=sat+megaraid\\,14,host=a raw_value=8i"
    )
    for codec in (one, other):
        (extract,) = lines(line, by=codec)
        assert extract.values == {"disk.pending_sectors@6:14": 8}
    assert lines(line)[0].values == {"disk.pending_sectors@Z1": 8}  # before the drive has named itself


def test_drives_state_what_they_are():
    (extract,) = lines('smartctl,model=X\\ 1,name=/dev/sda,serial=S1,host=a firmware="F",health_ok=true')
    assert extract.facts == {"components": {"sda": {"model": "X 1", "serial": "S1", "firmware": "F"}}}


def test_series_of_a_metric_that_nobody_knows_stay_apart():
    (extract,) = lines("boiler,host=a,loop=1,site=x temp=60", "boiler,host=a,loop=2,site=x temp=70")
    assert extract.values == {"boiler.temp@1:x": 60, "boiler.temp@2:x": 70}


METRIC = {"name": "mem", "tags": {"host": "a"}, "fields": {"used": 1}, "timestamp": ARRIVAL // 1000}


def read_json(document):
    return list(
        TelegrafJson(SignalMap(SIGNALS)).decode(
            Foreign("telegraf/a/mem", json.dumps(document).encode(), ARRIVAL)
        )
    )


@pytest.mark.parametrize("document", [METRIC, {"metrics": [METRIC]}, [METRIC]])
def test_json_alone_and_in_batches(document):
    (extract,) = read_json(document)
    assert (extract.device, extract.ts, extract.values) == ("a", ARRIVAL, {"mem.used": 1})


def test_json_of_several_hosts_and_a_metric_that_is_none():
    first, second = read_json({"metrics": [METRIC, 7, METRIC | {"tags": {"host": "b"}}, {"name": "x"}]})
    assert (first.device, second.device) == ("a", "b")
    assert [detail.partition(":")[0] for _, detail in first.refused] == ["metrics[1]", "metrics[3]"]


@pytest.mark.parametrize("document", [7, {}, {"metrics": {}}, {"metrics": [1]}, {"name": "x", "fields": []}])
def test_what_is_no_metric_says_so(document):
    with pytest.raises(Unusable) as raised:
        read_json(document)
    assert raised.value.reason is QuarantineReason.UNKNOWN_CODEC_PAYLOAD


def test_an_empty_batch_says_nothing():
    assert read_json({"metrics": []}) == []


def test_both_profiles_name_alike():
    assert load_profile("telegraf-json").signals == SIGNALS
