import json

import pytest

from gateway.wire.codecs import Foreign
from gateway.wire.codecs.nvme import Nvme
from gateway.wire.documents import Broken
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap

# As nvme-cli 1.16 prints it.
LOG = {
    "critical_warning": 0,
    "temperature": 310,
    "avail_spare": 100,
    "spare_thresh": 10,
    "percent_used": 3,
    "endurance_grp_critical_warning_summary": 0,
    "data_units_read": 35551134,
    "power_cycles": 1021,
    "power_on_hours": 5124,
    "unsafe_shutdowns": 41,
    "media_errors": 0,
    "num_err_log_entries": 12,
    "temperature_sensor_1": 310,
}


def read(document, topic="nvme/host-1/nvme0"):
    (extract,) = Nvme(SignalMap()).decode(Foreign(topic, json.dumps(document).encode(), 0))
    return extract


def test_a_health_log():
    extract = read(LOG)
    assert extract.ts is None
    assert extract.values == {
        "nvme.critical_warning@nvme0": 0,
        "disk.temperature@nvme0": 36.85,
        "nvme.available_spare@nvme0": 100,
        "nvme.spare_threshold@nvme0": 10,
        "nvme.percentage_used@nvme0": 3,
        "nvme.media_errors@nvme0": 0,
        "disk.power_cycles@nvme0": 1021,
        "disk.power_on_hours@nvme0": 5124,
        "nvme.unsafe_shutdowns@nvme0": 41,
        "nvme.error_log_entries@nvme0": 12,
    }


@pytest.mark.parametrize(
    ("warning", "expected"),
    [
        (4, 4),
        ("0x04", 4),
        ({"value": 5, "available_spare": 1, "reliability_degraded": 1}, 5),  # with -v
        ({"available_spare": 1, "temp_threshold": 0, "ro": 1}, 9),
    ],
)
def test_the_critical_warning_is_a_number_or_its_bits(warning, expected):
    assert read(LOG | {"critical_warning": warning}).values["nvme.critical_warning@nvme0"] == expected


@pytest.mark.parametrize(
    ("kelvin", "expected"),
    [(310, 36.85), (273, -0.15), (0, None), (36, Broken("out_of_range", "36 K")), ("310", 36.85)],
)
def test_temperatures_are_kelvin(kelvin, expected):
    assert read(LOG | {"temperature": kelvin}).values["disk.temperature@nvme0"] == expected


def test_other_spellings_of_the_same():
    values = read(
        {
            "available_spare": 99,
            "available_spare_threshold": 5,
            "percentage_used": "7%",
            "media_errors": "1,234",
        }
    ).values
    assert values == {
        "nvme.available_spare@nvme0": 99,
        "nvme.spare_threshold@nvme0": 5,
        "nvme.percentage_used@nvme0": 7,
        "nvme.media_errors@nvme0": 1234,
    }


@pytest.mark.parametrize(
    ("document", "topic", "component"),
    [
        (LOG, "nvme/host-1/nvme1n1", "nvme1n1"),
        (LOG, "hosts/h/nvme2/smart", "nvme2"),
        (LOG | {"device": "/dev/nvme3"}, "nvme/host-1/nvme1", "nvme3"),
        ({"nvme4": LOG}, "nvme/host-1/smart", "nvme4"),
        (LOG, "nvme/host-1", "disk"),
        (LOG, "$ingest/nvme/default/server/nvme9", "disk"),
    ],
)
def test_which_drive_it_is(document, topic, component):
    assert f"nvme.media_errors@{component}" in read(document, topic).values


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "unknown_codec_payload"),
        ([LOG], "unknown_codec_payload"),
        ({"temperature": 300}, "unknown_codec_payload"),
        ({"error": "failed to open /dev/nvme0"}, "source_reported_error"),
    ],
)
def test_what_is_no_health_log(document, reason):
    with pytest.raises(Unusable) as raised:
        read(document)
    assert raised.value.reason == reason
