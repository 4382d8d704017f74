import pytest

from gateway.wire.codecs import Foreign
from gateway.wire.codecs.prometheus_text import PrometheusText
from gateway.wire.profiles import load_profile
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.signalmap import SignalMap

ARRIVAL = 1_767_225_600_000


def decode(text):
    payload = text if isinstance(text, bytes) else text.encode()
    codec = PrometheusText(SignalMap(load_profile("node-exporter").signals))
    (extract,) = codec.decode(Foreign("prom/srv-1/metrics", payload, ARRIVAL))
    return extract


def test_an_exposition():
    extract = decode(
        "# HELP node_load1 1m load average.\n# TYPE node_load1 gauge\nnode_load1 0.25\n"
        'node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"} 61\n'
        'node_hwmon_temp_celsius{chip="platform_other_0",sensor="temp1"} 41\n'
        'node_network_receive_errs_total{device="eth0"} 12\n'
        "node_time_seconds 1.7672256e+09\ngo_goroutines 7\n"
    )
    assert extract.ts == ARRIVAL
    assert extract.values == {
        "node_load1": 0.25,
        "cpu.temperature@0": 61.0,
        "node_hwmon_temp_celsius@platform_other_0:temp1": 41.0,
        "nic.rx_errors@eth0": 12.0,
    }


def test_free_space_leaves_out_what_is_reserved():
    labels = '{device="/dev/vda",fstype="ext4",mountpoint="/"}'
    lines = [
        f"node_filesystem_{part}_bytes{labels} {size}"
        for part, size in (("avail", 30), ("free", 90), ("size", 100))
    ]
    assert decode("\n".join(lines)).values["storage.free_ratio@root"] == 0.75


def test_what_the_exporter_could_not_read_is_unknown():
    assert decode("node_load1 NaN").values == {"node_load1": None}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", QuarantineReason.UNKNOWN_CODEC_PAYLOAD),
        (b"# nothing", QuarantineReason.UNKNOWN_CODEC_PAYLOAD),
        (b'{"json": 1}', QuarantineReason.UNKNOWN_CODEC_PAYLOAD),
        (b'x{a="b" 1', QuarantineReason.UNKNOWN_CODEC_PAYLOAD),
        (b"\xff", QuarantineReason.NOT_UTF8),
        (b"a 1\n" * 300_000, QuarantineReason.PAYLOAD_TOO_LARGE),
        (b"a 1\n" * 6_000, QuarantineReason.TOO_MANY_SIGNALS),
    ],
)
def test_what_is_no_exposition_says_so(payload, reason):
    with pytest.raises(Unusable) as raised:
        decode(payload)
    assert raised.value.reason is reason
