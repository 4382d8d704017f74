import json

import pytest

from gateway.wire.codecs import Foreign
from gateway.wire.codecs.redfish import Redfish
from gateway.wire.profiles import load_profile
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap

WHEN = "2026-01-01T00:00:00Z"
SUPPLY = "/redfish/v1/Chassis/1/Power#/PowerSupplies/0"
GOOD = {"Health": "OK", "State": "Enabled"}


def extracts(document):
    codec = Redfish(SignalMap(load_profile("redfish").signals))
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(codec.decode(Foreign("redfish/host-1", payload, 0)))


def values(document):
    (extract,) = extracts(document)
    assert extract.refused == []
    return extract.values


def event(identifier, origin=SUPPLY, severity="Critical", **more):
    fields = {
        "MessageId": identifier,
        "OriginOfCondition": {"@odata.id": origin},
        "Severity": severity,
        "EventTimestamp": WHEN,
    }
    return {"@odata.type": "#Event.v1_4_0.Event", "Id": "1", "Name": "Event", "Events": [fields | more]}


@pytest.mark.parametrize(
    ("identifier", "severity", "origin", "expected"),
    [
        (
            "Power.1.0.PowerSupplyFailed",
            "Critical",
            SUPPLY,
            {"psu.ok@0": False, "error.code@0": "Power.1.0.PowerSupplyFailed"},
        ),
        ("Power.1.0.1.PowerSupplyRestored", "OK", SUPPLY, {"psu.ok@0": True, "error.code@0": ""}),
        ("Power.1.0.PowerSupplyRemoved", "OK", SUPPLY, {"psu.ok@0": None}),
        (
            "ResourceEvent.1.0.3.ResourceStatusChangedWarning",
            "Warning",
            "/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/Bay1",
            {"psu.ok@Bay1": False, "error.code@Bay1": "ResourceEvent.1.0.3.ResourceStatusChangedWarning"},
        ),
        (
            "ResourceEvent.1.0.ResourceStatusChangedCritical",
            "Critical",
            "/redfish/v1/Systems/1/Storage/1/Volumes/3",
            {"raid.state@3": "failed", "error.code@3": "ResourceEvent.1.0.ResourceStatusChangedCritical"},
        ),
        (  # of a kind that no signal of ours is of
            "ResourceEvent.1.0.ResourceStatusChangedOK",
            "OK",
            "/redfish/v1/Systems/1/Memory/DIMM3",
            {"error.code@DIMM3": ""},
        ),
        (
            "StorageDevice.1.2.VolumeDegraded",
            "Warning",
            "/redfish/v1/Systems/1/Storage/1/Volumes/3",
            {"raid.state@3": "degraded", "error.code@3": "StorageDevice.1.2.VolumeDegraded"},
        ),
        ("PSU0001", "Critical", SUPPLY, {"error.code@0": "PSU0001"}),  # a maker's own word: no guess
        ("IDRAC.2.8.PSU0001", "Critical", SUPPLY, {"error.code@0": "IDRAC.2.8.PSU0001"}),
        ("iLOEvents.2.1.BatteryFailure", "Critical", "", {"error.code": "iLOEvents.2.1.BatteryFailure"}),
    ],
)
def test_events(identifier, severity, origin, expected):
    (extract,) = extracts(event(identifier, origin, severity))
    assert extract.values == expected
    assert extract.ts == WHEN


def test_the_severity_may_stand_under_its_newer_name_and_the_origin_be_a_text():
    document = event("Power.1.0.PowerSupplyFailed", OriginOfCondition=SUPPLY, Severity=None)
    document["Events"][0]["MessageSeverity"] = "Warning"
    assert values(document)["error.code@0"] == "Power.1.0.PowerSupplyFailed"


def test_an_event_that_is_good_news_of_nothing_says_nothing():
    assert extracts(event("iLOEvents.2.1.UserLogin", severity="OK")) == []


def test_an_event_without_a_message_is_put_aside():
    (extract,) = extracts(event(None))
    assert [reason for reason, _ in extract.refused] == ["unknown_codec_payload"]


def test_the_values_of_a_report_come_as_texts_with_times_of_their_own():
    later = "2026-01-01T00:01:00Z"
    dell = {"Dell": {"FQDD": "Fan.Embedded.1A"}}
    sensor = {"Dell": {"FQDD": "iDRAC.Embedded.1#InletTemp"}}
    report = {
        "Timestamp": WHEN,
        "MetricValues": [
            {"MetricId": "RPMReading", "MetricValue": "7080", "Timestamp": later, "Oem": dell},
            {"MetricId": "TemperatureReading", "MetricValue": "22", "Timestamp": later, "Oem": sensor},
            {
                "MetricValue": "42.5",
                "MetricProperty": "/redfish/v1/Chassis/1/Thermal#/Temperatures/3/Reading",
            },
            {"MetricId": "Present", "MetricValue": "True"},
        ],
    }
    assert [(extract.ts, extract.values) for extract in extracts(report)] == [
        (later, {"fan.rpm@Fan.Embedded.1A": 7080, "TemperatureReading@InletTemp": 22}),
        (WHEN, {"Reading@3": 42.5, "Present": True}),
    ]


def test_temperatures_by_what_they_are_of():
    thermal = {
        "Temperatures": [
            {
                "Name": "Inlet",
                "PhysicalContext": "Intake",
                "ReadingCelsius": 19,
                "UpperThresholdCritical": 42,
            },
            {
                "Name": "Inlet 2",
                "PhysicalContext": "Intake",
                "ReadingCelsius": 20,
                "UpperThresholdCritical": 43,
            },
            {"Name": "CPU1 Temp", "PhysicalContext": "CPU", "ReadingCelsius": 40},
            {"Name": "P/S 2 Zone", "PhysicalContext": "PowerSupply", "ReadingCelsius": 34},
            {"Name": "Empty", "PhysicalContext": "CPU", "ReadingCelsius": 0, "Status": {"State": "Absent"}},
            {"Name": "Unread", "PhysicalContext": "CPU", "ReadingCelsius": None},
        ]
    }
    assert values(thermal) == {
        "inlet.temperature": 19,
        "inlet.limit": 42,
        "temperature@Inlet-2": 20,
        "cpu.temperature@CPU1-Temp": 40,
        "temperature@P-S-2-Zone": 34,
    }


def test_a_fan_in_turns_has_the_limit_of_its_maker_and_one_in_percent_has_none():
    thermal = {
        "Fans": [
            {"FanName": "Fan 1", "Reading": 3100, "ReadingUnits": "RPM", "LowerThresholdCritical": 600},
            {"Name": "Fan 2", "Reading": 23, "ReadingUnits": "Percent", "LowerThresholdCritical": 10},
            {"FanName": "Fan 3", "CurrentReading": 17, "Units": "Percent", "Status": GOOD},  # iLO 4
            {
                "Name": "System Board Fan1A",
                "Reading": 0,
                "ReadingUnits": "RPM",
                "Status": {"Health": "Critical"},
            },
            {"Name": "Fan 5", "Reading": 0, "ReadingUnits": "RPM", "Status": {"State": "Absent"}},
        ]
    }
    assert values(thermal) == {
        "fan.rpm@1": 3100,
        "fan.low_limit@1": 600,
        "fan.percent@2": 23,
        "fan.percent@3": 17,
        "fan.ok@3": True,
        "fan.rpm@System-Board-Fan1A": 0,
        "fan.ok@System-Board-Fan1A": False,
    }


def test_power_supplies_are_called_as_events_call_them():
    power = {
        "PowerSupplies": [
            {"@odata.id": SUPPLY, "Status": GOOD, "LineInputVoltage": 205, "LastPowerOutputWatts": 90},
            {"MemberId": "PSU.Slot.2", "Status": {"Health": "Critical"}, "LineInputVoltage": 0},
            {"MemberId": "PSU.Slot.3", "Status": {"State": "Absent", "Health": None}},
        ],
        "PowerControl": [{"PowerConsumedWatts": 221}, {"PowerConsumedWatts": 60}],
        "Redundancy": [{"Status": {"Health": "Critical", "State": "Enabled"}, "RedundancySet": [{}, {}]}],
        "Voltages": [{"Name": "12V", "ReadingVolts": 12.1}],
    }
    assert values(power) == {
        "psu.ok@0": True,
        "psu.input_voltage@0": 205,
        "psu.output_power@0": 90,
        "psu.ok@PSU.Slot.2": False,
        "psu.input_voltage@PSU.Slot.2": 0,
        "power.active": 221,
        "psu.redundant": False,
        "voltage@12V": 12.1,
    }


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (
            "Fan.v1_5_1.Fan",
            {"Name": "Fan 1", "SpeedPercent": {"Reading": 20.0, "SpeedRPM": 2200}, "Status": GOOD},
            {"fan.percent@1": 20.0, "fan.rpm@1": 2200, "fan.ok@1": True},
        ),
        (
            "ThermalMetrics.v1_3_1.ThermalMetrics",
            {
                "TemperatureReadingsCelsius": [
                    {"DeviceName": "01-Inlet", "PhysicalContext": "Intake", "Reading": 19},
                    {"DeviceName": "02-CPU 1", "PhysicalContext": "CPU", "Reading": 42},
                ]
            },
            {"inlet.temperature": 19, "cpu.temperature@02-CPU-1": 42},
        ),
        (
            "Sensor.v1_2_0.Sensor",
            {
                "ReadingType": "Temperature",
                "PhysicalContext": "Intake",
                "Reading": 24.5,
                "Thresholds": {"UpperCritical": {"Reading": 40}},
            },
            {"inlet.temperature": 24.5, "inlet.limit": 40},
        ),
        (
            "Sensor.v1_2_0.Sensor",
            {"Name": "PS1 Input", "ReadingType": "Voltage", "Reading": 230.1},
            {"voltage@PS1-Input": 230.1},
        ),
        (
            "PowerSupply.v1_7_0.PowerSupply",
            {
                "@odata.id": "/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/Bay1",
                "Status": {"Health": "Warning"},
            },
            {"psu.ok@Bay1": False},
        ),
        (
            "PowerSupplyMetrics.v1_2_0.PowerSupplyMetrics",
            {
                "@odata.id": "/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/Bay1/Metrics",
                "InputVoltage": {"Reading": 230.2},
                "OutputPowerWatts": {"Reading": 937.4},
            },
            {"psu.input_voltage@Bay1": 230.2, "psu.output_power@Bay1": 937.4},
        ),
        (
            "Drive.v1_17_0.Drive",
            {"@odata.id": "/redfish/v1/Chassis/1/Drives/0", "FailurePredicted": True},
            {"disk.smart_passed@0": False},
        ),
        (
            "Volume.v1_6_0.Volume",
            {"@odata.id": "/redfish/v1/Systems/1/Storage/1/Volumes/3", "Status": {"Health": "Warning"}},
            {"raid.state@3": "degraded"},
        ),
        (
            "Volume.v1_6_0.Volume",
            {
                "@odata.id": "/redfish/v1/Systems/1/Storage/1/Volumes/3",
                "Status": {"Health": "Warning"},
                "Operations": [{"OperationName": "Rebuilding", "PercentageComplete": 7}],
            },
            {"raid.state@3": "rebuilding"},
        ),
    ],
)
def test_documents_of_one_part(kind, fields, expected):
    assert values({"@odata.type": f"#{kind}"} | fields) == expected


def test_a_collection_may_hold_its_members():
    fan = {"@odata.type": "#Fan.v1_5_1.Fan", "Name": "Fan 1", "SpeedPercent": {"SpeedRPM": 2200}}
    members = [fan, fan | {"Name": "Fan 2"}, {"@odata.id": "/redfish/v1/Chassis/1/ThermalSubsystem/Fans/3"}]
    found = extracts({"@odata.type": "#FanCollection.FanCollection", "Members": members})
    assert [extract.values for extract in found] == [{"fan.rpm@1": 2200}, {"fan.rpm@2": 2200}]


def test_what_a_server_says_of_itself_is_facts():
    (extract,) = extracts(
        {
            "@odata.type": "#ComputerSystem.v1_4_0.ComputerSystem",
            "Model": "R740 ",
            "SerialNumber": "CN1",
            "SKU": "X",
        }
    )
    assert extract.facts == {"model": "R740", "serial": "CN1"}


@pytest.mark.parametrize(
    "document",
    [
        {"@odata.type": "#Chassis.v1_6_0.Chassis", "Model": "enclosure"},
        {"@odata.type": "#FanCollection.FanCollection", "Members": [{"@odata.id": "/redfish/v1"}]},
        {"@odata.type": "#ThermalSubsystem.v1_3_1.ThermalSubsystem", "Fans": {"@odata.id": "/redfish/v1"}},
    ],
)
def test_documents_that_lead_to_others_say_nothing(document):
    assert extracts(document) == []


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "unknown_codec_payload"),
        ([], "unknown_codec_payload"),
        ({"error": {"code": "Base.1.0.GeneralError", "message": "no session"}}, "source_reported_error"),
        (b"{", "malformed_json"),
    ],
)
def test_what_is_no_redfish(document, reason):
    with pytest.raises(Unusable) as raised:
        extracts(document)
    assert raised.value.reason == reason
