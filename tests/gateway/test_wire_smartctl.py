import contextlib
import copy
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import SourceTable
from gateway.ports import Packet
from gateway.wire.codecs.smartctl import COUNTS, component_of
from gateway.wire.codecs.smartctl import extract as decode
from gateway.wire.decoder import Decoder
from gateway.wire.documents import Broken
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.sources import Source
from rules.signals import load_catalogue
from rules.symbols import Channel, Symbols

ARRIVAL = 1_767_225_600_000
CATALOGUE = load_catalogue()


def attribute(number, value, text=None, **more):
    return {"id": number, "raw": {"value": value, "string": str(value) if text is None else text}, **more}


def drive(*attributes, **more):
    document = {
        "smartctl": {"exit_status": 0},
        "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
        "local_time": {"time_t": 1_234_567_890},
        "smart_status": {"passed": True},
    }
    if attributes:
        document["ata_smart_attributes"] = {"table": list(attributes)}
    return document | more


def signals(document):
    return {key.partition("@")[0]: value for key, value in decode(document).values.items()}


@pytest.mark.parametrize(("number", "signal"), COUNTS.items())
def test_counts_by_number(number, signal):
    assert signals(drive(attribute(number, 24)))[signal] == 24
    assert signal in CATALOGUE


@pytest.mark.parametrize(
    ("number", "raw", "text", "signal", "expected"),
    [
        # Packed fields as real drives send them; models in the comments.
        (188, 17180131332, "17180131332", "disk.command_timeouts", 4),  # ST3000NM0033
        (188, 33, "33", "disk.command_timeouts", 33),  # Micron 5300: healthy
        (188, 4295032833, "4295032833", "disk.command_timeouts", 1),  # ST2000DM001
        (9, 9023116403587028, "47060h+35m+00.858s", "disk.power_on_hours", 47060),  # ST1000NM0008
        (9, 796, "796", "disk.power_on_hours", 796),
        (194, 64424509466, "26 (0 15 0 0 0)", "disk.temperature", 26),  # ST8000NM000A
        (194, 137440395293, "29 (Min/Max 22/32)", "disk.temperature", 29),  # HGST HUS726T4TALE6L4
        (194, 137440395293, None, "disk.temperature", 29),  # no text: the low byte
        (190, 470679568, "16 (Min/Max 14/28)", "disk.temperature", 16),  # INTEL SSDSC2BB240G4
        (194, 0xFB, "0xfb", "disk.temperature", -5),
        (5, 131072, "0 (2 0)", "disk.reallocated_sectors", 0),
        (197, 8, "8", "disk.pending_sectors", 8),
    ],
)
def test_packed_raw_values_are_split(number, raw, text, signal, expected):
    field = {"value": raw} if text is None else {"value": raw, "string": text}
    assert signals(drive({"id": number, "raw": field}))[signal] == expected


@pytest.mark.parametrize("raw", [281474976710655, -1, "12", None, {"deep": []}, 1.5])
def test_a_count_that_is_none_is_unknown_and_not_a_guess(raw):
    found = signals(drive({"id": 197, "raw": {"value": raw}}))["disk.pending_sectors"]
    assert isinstance(found, Broken)
    assert found.reason is QuarantineReason.OUT_OF_RANGE


def test_what_smartctl_has_interpreted_goes_before_the_raw_fields():
    document = drive(
        attribute(194, 64424509466, "26 (0 15 0 0 0)"),
        attribute(9, 9023116403587028, "9023116403587028"),
        temperature={"current": 31},
        power_on_time={"hours": 47060, "minutes": 35},
    )
    assert signals(document)["disk.temperature"] == 31
    assert signals(document)["disk.power_on_hours"] == 47060


def test_the_verdict():
    assert signals(drive())["disk.smart_passed"] is True
    assert signals(drive(smart_status={"passed": False}))["disk.smart_passed"] is False
    at_threshold = attribute(5, 900, when_failed="now", flags={"prefailure": True})
    assert signals(drive(at_threshold))["disk.smart_passed"] is False
    worn = attribute(9, 900, when_failed="now", flags={"prefailure": False})
    assert signals(drive(worn))["disk.smart_passed"] is True
    long_ago = attribute(5, 900, when_failed="past", flags={"prefailure": True})
    assert signals(drive(long_ago))["disk.smart_passed"] is True


@pytest.mark.parametrize(
    ("log", "failed"),
    [
        ({"standard": {"table": [{"status": {"value": 121, "passed": False}}]}}, True),
        ({"standard": {"table": [{"status": {"value": 0, "passed": True}}]}}, False),
        ({"extended": {"table": [{"status": {"value": 121, "passed": False}}]}}, True),
        (  # aborted by the host says nothing, the one before counts
            {"standard": {"table": [{"status": {"value": 25}}, {"status": {"value": 121, "passed": False}}]}},
            True,
        ),
        (  # repaired: the latest passed
            {
                "standard": {
                    "table": [{"status": {"passed": True}}, {"status": {"value": 121, "passed": False}}]
                }
            },
            False,
        ),
        ({"standard": {"count": 0}}, None),
    ],
)
def test_the_last_ata_self_test(log, failed):
    assert signals(drive(ata_smart_self_test_log=log)).get("disk.self_test_failed") is failed


def test_self_tests_without_a_log():
    passed = {"self_test": {"status": {"value": 0, "passed": True}}}
    failed = {"self_test": {"status": {"value": 112, "passed": False}}}
    assert "disk.self_test_failed" not in signals(drive(ata_smart_data=passed))
    assert signals(drive(ata_smart_data=failed))["disk.self_test_failed"] is True


def test_nvme():
    document = drive(
        device={"name": "/dev/nvme0", "type": "nvme"},
        nvme_smart_health_information_log={
            "critical_warning": 4,
            "available_spare": 3,
            "available_spare_threshold": 10,
            "percentage_used": 101,
            "media_errors": 17,
            "temperature": 41,
            "power_on_hours": 10147,
        },
        nvme_self_test_log={
            "table": [{"self_test_result": {"value": 1}}, {"self_test_result": {"value": 7}}]
        },
    )
    assert decode(document).values == {
        "disk.smart_passed@nvme0": True,
        "nvme.critical_warning@nvme0": 4,
        "nvme.available_spare@nvme0": 3,
        "nvme.spare_threshold@nvme0": 10,
        "nvme.percentage_used@nvme0": 101,
        "nvme.media_errors@nvme0": 17,
        "disk.temperature@nvme0": 41,
        "disk.power_on_hours@nvme0": 10147,
        "disk.self_test_failed@nvme0": True,
    }


def test_scsi():
    document = drive(
        scsi_grown_defect_list=260,
        scsi_model_name="SEAGATE ST373453LC",
        scsi_revision="DX10",
        serial_number="3HW",
        scsi_self_test_0={"result": {"value": 15}},
        scsi_self_test_1={"result": {"value": 7}},
    )
    assert signals(document)["disk.grown_defects"] == 260
    assert signals(document)["disk.self_test_failed"] is True
    assert decode(document).facts == {
        "components": {"sda": {"model": "SEAGATE ST373453LC", "serial": "3HW", "firmware": "DX10"}}
    }


@pytest.mark.parametrize(
    ("device", "component"),
    [
        ({"name": "/dev/sda", "type": "sat"}, "sda"),
        ({"name": "/dev/nvme0", "type": "nvme"}, "nvme0"),
        ({"name": "/dev/disk/by-id/ata-X Y", "type": "sat"}, "ata-X-Y"),
        ({"name": "/dev/bus/0", "type": "sat+megaraid,5"}, "0:5"),
        ({"name": "/dev/twa0", "type": "3ware,2"}, "twa0:2"),
        ({"name": "IOService:/x/", "type": "sat"}, "x"),
        ({"name": 7}, "disk"),
        ({}, "disk"),
        (None, "disk"),
        ({"name": "/dev/" + "x" * 99}, "x" * 64),
    ],
)
def test_a_drive_is_called_as_on_its_machine(device, component):
    assert component_of({"device": device}) == component


def test_a_drive_that_could_not_be_opened_says_so():
    document = {
        "smartctl": {
            "exit_status": 2,
            "messages": [
                {"string": "Smartctl open device: /dev/sdz failed: No such device", "severity": "error"}
            ],
        },
        "device": {"name": "/dev/sdz"},
        "local_time": {"time_t": 1},
    }
    with pytest.raises(Unusable) as raised:
        decode(document)
    assert raised.value.reason is QuarantineReason.SOURCE_REPORTED_ERROR
    assert "No such device" in raised.value.detail


@pytest.mark.parametrize("document", [None, 7, [], {}, {"smartctl": 3}, {"device": {}}])
def test_what_is_not_of_smartctl_says_so(document):
    with pytest.raises(Unusable) as raised:
        decode(document)
    assert raised.value.reason is QuarantineReason.UNKNOWN_CODEC_PAYLOAD


FULL = drive(
    *(
        attribute(number, 1, when_failed="", flags={"prefailure": True})
        for number in (*COUNTS, 9, 188, 190, 194)
    ),
    temperature={"current": 30},
    power_on_time={"hours": 5},
    nvme_smart_health_information_log={"critical_warning": 0, "media_errors": 0},
    nvme_self_test_log={"table": [{"self_test_result": {"value": 0}}]},
    ata_smart_self_test_log={"standard": {"table": [{"status": {"passed": True}}]}},
    ata_smart_data={"self_test": {"status": {"passed": True}}},
    scsi_grown_defect_list=0,
    scsi_self_test_0={"result": {"value": 0}},
    model_name="X",
    serial_number="Y",
)


def places(value, path=()):
    yield path
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(inner, (*path, key))


PLACES = [path for path in places(FULL) if path]
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def put(document, path, value):
    """Put a value at a place, unless an earlier change has taken the place away."""
    *way, last = path
    with contextlib.suppress(KeyError, IndexError, TypeError):
        for key in way:
            document = document[key]
        document[last] = value


@pytest.mark.slow
@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=4))
def test_whatever_stands_in_any_place_nothing_is_raised(changes):
    document = copy.deepcopy(FULL)
    for path, value in changes:
        put(document, path, value)
    decoder = Decoder(Symbols(), CATALOGUE, sources=[SOURCE])
    inbound = decoder.decode([Packet("smart/h/sda", json.dumps(document).encode(), ARRIVAL)])
    assert len(inbound.readings) == 1 or inbound.rejected


SOURCE = Source.of(
    SourceTable.model_validate(
        {"topic": "smart/+/+", "codec": "smartctl", "class": "server", "device": "{2}"}
    ),
    0,
)


@pytest.mark.data
def test_documents_of_real_drives():
    folder = os.environ.get("FOREWARN_DATA")
    if not folder:
        pytest.skip("FOREWARN_DATA does not name the folder with captures/smartctl")
    paths = sorted(Path(folder).glob("captures/smartctl/*.json"))
    if not paths:
        pytest.skip(f"{folder} holds no captures/smartctl/*.json")
    assert len(paths) >= 84
    symbols = Symbols()
    decoder = Decoder(symbols, CATALOGUE, sources=[SOURCE])
    seen = {}
    for path in paths:
        document = json.loads(path.read_bytes())
        inbound = decoder.decode([Packet("smart/host-1/x", path.read_bytes(), ARRIVAL)])
        batch = inbound.readings
        assert not inbound.rejected, path.name
        assert batch.ts.tolist() == [document["local_time"]["time_t"] * 1000]
        component = document["device"]["name"].rpartition("/")[2]
        readings = {}
        for channel, value in zip(batch.channel.tolist(), batch.value.tolist(), strict=True):
            name, of = symbols.channels[channel]
            assert of == component
            signal = CATALOGUE.get(name)
            assert signal.low is None or value >= signal.low, (path.name, name, value)
            assert signal.high is None or value <= signal.high, (path.name, name, value)
            readings[name] = value
        assert readings["disk.smart_passed"] == document["smart_status"]["passed"]
        assert readings["disk.temperature"] == document["temperature"]["current"]
        assert readings["disk.power_on_hours"] == document["power_on_time"]["hours"]
        assert all(readings.get(name, 0) < 1000 for name in COUNTS.values())
        assert readings.get("disk.command_timeouts", 0) <= 33, path.name
        assert inbound.notices[0].body["components"][component]["serial"] == "REDACTED"
        if document["device"]["type"] == "nvme":
            assert {"nvme.critical_warning", "nvme.available_spare", "nvme.media_errors"} <= readings.keys()
        seen[path.name] = readings
    assert seen["SEAGATE_ST373453LC_26.json"]["disk.grown_defects"] == 260


def test_every_signal_of_the_codec_is_in_the_catalogue():
    assert all(Channel.parse(key).signal in CATALOGUE for key in decode(FULL).values)
