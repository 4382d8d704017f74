"""What Redfish documents of sensors, power supplies, drives and volumes say, in our names.

Thermal and Power are the older schemas, where one document holds all sensors; ThermalMetrics, Fan, Sensor,
PowerSupply and PowerSupplyMetrics the newer, one document a part (DSP8010; both are in use).
"""

import re

from gateway.wire.codecs.extract import Extract
from gateway.wire.reasons import Unusable
from gateway.wire.signalmap import SignalMap

_TYPE = re.compile(r"#?([A-Za-z]+)\.")
_LISTS = ("Temperatures", "Fans", "PowerSupplies", "Voltages", "PowerControl")
_TYPES = (
    "ThermalMetrics",
    "Fan",
    "Sensor",
    "PowerSupply",
    "PowerSupplyMetrics",
    "PowerSubsystem",
    "Drive",
    "Volume",
    "ComputerSystem",
)
_GONE = ("Absent", "Disabled")
_FACTS = {
    "Model": "model",
    "SerialNumber": "serial",
    "Manufacturer": "manufacturer",
    "BiosVersion": "firmware",
}
_VOLUME_STATES = {"OK": "optimal", "Warning": "degraded", "Critical": "failed"}


def is_read(document: dict[str, object]) -> bool:
    """Say whether a document is one of those that are read."""
    return kind_of(document) in _TYPES or any(isinstance(document.get(key), list) for key in _LISTS)


def read_sensors(document: dict[str, object], signals: SignalMap) -> Extract:
    """Return what a document says, by whichever of the schemas."""
    reader = _Reader(signals)
    for row in _there(document, "Temperatures"):
        reader.temperature(row, row.get("ReadingCelsius"), row.get("UpperThresholdCritical"))
    for row in _there(document, "Fans"):
        reader.fan(row)
    for row in _there(document, "PowerSupplies"):
        reader.supply(row, str(row.get("MemberId") or row.get("Name") or ""))
    for row in _there(document, "Voltages"):
        reader.place("voltage", row.get("ReadingVolts"), _called(row), unit="V")
    for row in _there(document, "PowerControl")[:1]:  # the others, where there are any, are parts of it
        reader.place("power.active", row.get("PowerConsumedWatts"), unit="W")
    for key in ("Redundancy", "PowerSupplyRedundancy"):
        if "PowerSupplies" in document:
            reader.redundancy(_there(document, key))
    reader.part(document, kind_of(document))
    return reader.extract


class _Reader:
    """Puts parts of documents into an extract."""

    def __init__(self, signals: SignalMap) -> None:
        self.extract = Extract()
        self._signals = signals

    def place(self, name: str, value: object, component: str = "", unit: str | None = None) -> None:
        """Put in a reading, unless there is none; a value of no use is put aside with its name."""
        if value is None:
            return
        try:
            self._signals.place(self.extract.values, name, value, unit=unit, component=component)
        except Unusable as finding:
            self.extract.refused.append((finding.reason, finding.detail))

    def temperature(self, row: dict[str, object], degrees: object, limit: object) -> None:
        """Read a sensor of temperature: of the air that enters, of a processor, or of something else.

        A device has one inlet; where several sensors stand in it, the first that is told is taken for it.
        """
        context, name = row.get("PhysicalContext"), _called(row)
        if context == "Intake" and "inlet.temperature" not in self.extract.values:
            self.place("inlet.temperature", degrees, unit="Cel")
            self.place("inlet.limit", limit, unit="Cel")
        elif context == "CPU":
            self.place("cpu.temperature", degrees, name, unit="Cel")
        else:
            self.place("temperature", degrees, name, unit="Cel")

    def fan(self, row: dict[str, object]) -> None:
        """Read a fan; iLO 4 spells speed and unit in a way of its own."""
        name = _called(row)
        name = name[3:].strip(" -_") if name.lower().startswith("fan") and len(name) > 3 else name
        speed, unit = row.get("Reading", row.get("CurrentReading")), row.get("ReadingUnits", row.get("Units"))
        if unit == "RPM":
            self.place("fan.rpm", speed, name, unit="RPM")
            self.place("fan.low_limit", row.get("LowerThresholdCritical"), name, unit="RPM")
        elif unit == "Percent":
            self.place("fan.percent", speed, name)
        self.place("fan.rpm", at(row, "SpeedPercent", "SpeedRPM"), name, unit="RPM")
        self.place("fan.percent", at(row, "SpeedPercent", "Reading"), name)
        self.place("fan.ok", _is_ok(row), name)

    def supply(self, row: dict[str, object], otherwise: str) -> None:
        """Read a power supply, which is called as events call it: by the end of its address."""
        name = part_of(text_of(row, "@odata.id"))[1] or otherwise
        self.place("psu.ok", _is_ok(row), name)
        self.place("psu.input_voltage", row.get("LineInputVoltage"), name, unit="V")
        self.place("psu.output_power", row.get("PowerOutputWatts", row.get("LastPowerOutputWatts")), name)

    def redundancy(self, groups: list[dict[str, object]]) -> None:
        """Read whether another supply can carry the load: every group of two and more is whole."""
        states = [
            ok
            for group in groups
            if at(group, "Status", "State") == "Enabled"
            and len(each(group, "RedundancySet") or each(group, "RedundancyGroup")) > 1
            and (ok := _is_ok(group)) is not None
        ]
        if states:
            self.place("psu.redundant", all(states))

    def part(self, document: dict[str, object], kind: str) -> None:
        """Read a document of one part."""
        path = text_of(document, "@odata.id")
        match kind:
            case "ThermalMetrics":
                for row in each(document, "TemperatureReadingsCelsius"):
                    self.temperature(row, row.get("Reading"), None)
            case "Fan" if _is_there(document):
                self.fan(document)
            case "Sensor" if _is_there(document):
                self._sensor(document)
            case "PowerSupply" if _is_there(document):
                self.supply(document, text_of(document, "Id"))
            case "PowerSupplyMetrics":
                name = part_of(path.rpartition("/")[0])[1]
                self.place("psu.input_voltage", at(document, "InputVoltage", "Reading"), name, unit="V")
                self.place("psu.output_power", at(document, "OutputPowerWatts", "Reading"), name)
            case "PowerSubsystem":
                self.redundancy(_there(document, "PowerSupplyRedundancy"))
            case "Drive" if isinstance(predicted := document.get("FailurePredicted"), bool):
                self.place("disk.smart_passed", not predicted, part_of(path)[1])
            case "Volume":
                self._volume(document, part_of(path)[1])
            case "ComputerSystem":
                facts = {fact: text_of(document, key).strip() for key, fact in _FACTS.items()}
                self.extract.facts.update({fact: text for fact, text in facts.items() if text})

    def _sensor(self, row: dict[str, object]) -> None:
        reading, name = row.get("Reading"), _called(row)
        match row.get("ReadingType"):
            case "Temperature":
                self.temperature(row, reading, at(row, "Thresholds", "UpperCritical", "Reading"))
            case "Rotational" if row.get("ReadingUnits") in ("RPM", "{rev}/min"):
                self.place("fan.rpm", reading, name, unit="RPM")
                limit = at(row, "Thresholds", "LowerCritical", "Reading")
                self.place("fan.low_limit", limit, name, unit="RPM")
            case str() as kind:
                self.place(kind.lower(), reading, name)

    def _volume(self, document: dict[str, object], name: str) -> None:
        operations = " ".join(text_of(row, "OperationName") for row in each(document, "Operations"))
        health = at(document, "Status", "Health")
        if "rebuil" in operations.lower():
            self.place("raid.state", "rebuilding", name)
        elif isinstance(health, str):
            self.place("raid.state", _VOLUME_STATES.get(health), name)


def kind_of(document: dict[str, object]) -> str:
    """Return the schema of a document: ``Thermal`` of ``#Thermal.v1_4_0.Thermal``."""
    found = _TYPE.match(text_of(document, "@odata.type"))
    return found[1] if found else ""


def part_of(path: str) -> tuple[str, str]:
    """Return what collection a resource stands in, and what it is called there; either may be empty.

    >>> part_of("/redfish/v1/Chassis/1/Power#/PowerSupplies/0")
    ('PowerSupplies', '0')
    """
    levels = [level for level in re.split(r"[/#]", path.replace("%23", "#")) if level]
    return (levels[-2], levels[-1]) if len(levels) > 1 else ("", "")


def at(document: object, *path: str) -> object:
    """Return what stands at a path of keys, None when the path ends early."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def each(document: dict[str, object], key: str) -> list[dict[str, object]]:
    """Return the objects of the list under a key."""
    found = document.get(key)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _there(document: dict[str, object], key: str) -> list[dict[str, object]]:
    """Return those objects of a list that are in their place and switched on."""
    return [row for row in each(document, key) if _is_there(row)]


def _is_there(row: dict[str, object]) -> bool:
    return at(row, "Status", "State") not in _GONE


def _is_ok(row: dict[str, object]) -> bool | None:
    """Say whether a part calls itself good, None when it says nothing."""
    health = at(row, "Status", "Health")
    return health == "OK" if health in ("OK", "Warning", "Critical") else None


def _called(row: dict[str, object]) -> str:
    """Return what a sensor is called; names are unique in a document, numbers not in all."""
    for key in ("Name", "FanName", "DeviceName", "MemberId", "Id"):
        if text := text_of(row, key):
            return text
    return ""


def text_of(row: dict[str, object], key: str) -> str:
    """Return the text under a key, empty where there is none."""
    value = row.get(key)
    return value if isinstance(value, str) else ""
