"""``smartctl --json``: one document a drive, ATA, SCSI or NVMe (smartmontools 7.0 and newer).

The JSON is smartmontools' own (smartctl(8), option ``-j``). Two kinds of numbers stand in it: those that
smartctl has interpreted (``temperature.current``, ``power_on_time.hours``, the text ``raw.string``) and raw
48-bit fields as the drive's firmware packed them. The interpreted ones are preferred; `_count` and
`_timeouts` say how the raw ones are split.
"""

import re
from typing import TypeGuard

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.documents import Broken, parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown

#: SMART attributes by number (contract section 7) that are plain counts.
COUNTS = {
    5: "disk.reallocated_sectors",
    10: "disk.spin_retries",
    12: "disk.power_cycles",
    187: "disk.reported_uncorrectable",
    189: "disk.high_fly_writes",
    196: "disk.reallocation_events",
    197: "disk.pending_sectors",
    198: "disk.offline_uncorrectable",
    199: "disk.crc_errors",
}
POWER_ON_HOURS, COMMAND_TIMEOUTS, AIRFLOW_TEMPERATURE, TEMPERATURE = 9, 188, 190, 194

_NVME = {
    "critical_warning": "nvme.critical_warning",
    "available_spare": "nvme.available_spare",
    "available_spare_threshold": "nvme.spare_threshold",
    "percentage_used": "nvme.percentage_used",
    "media_errors": "nvme.media_errors",
    "temperature": "disk.temperature",
    "power_on_hours": "disk.power_on_hours",
    "power_cycles": "disk.power_cycles",
}

# Self-test results: NVMe base specification 2.0, figure 99 (5, 6, 7 are failures); SCSI SPC-4, table 444
# (3 to 7 are failures). 0 is passed in both; the rest were aborted or are running and say nothing.
_NVME_FAILED = range(5, 8)
_SCSI_FAILED = range(3, 8)

_FACTS = {
    "model": ("model_name", "scsi_model_name", "scsi_product"),
    "serial": ("serial_number",),
    "firmware": ("firmware_version", "scsi_revision"),
    "family": ("model_family",),
}

_LEADING_INTEGER = re.compile(r"\s*(\d{1,18})(?![\dxX.])")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.:-]+", re.ASCII)
_MAX_COUNT = 2**32 - 1
_PLAUSIBLE_HOURS = 1_000_000  # over a hundred years
_PLAUSIBLE_DEGREES = range(-40, 151)


class Smartctl(Codec):
    """``smartctl --json --all``, one document a message."""

    def decode(self, message: Foreign) -> list[Extract]:
        """Return the readings and facts of one drive."""
        return [extract(parse_document(message.payload))]


def extract(document: object) -> Extract:
    """Return the readings and facts of one drive.

    Raises:
        Unusable: the document is not smartctl's, or smartctl could not read the drive.
    """
    if not isinstance(document, dict) or not isinstance(document.get("smartctl"), dict):
        raise Unusable(
            QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
            "expected the output of smartctl --json, with key smartctl",
        )
    component = component_of(document)
    signals = {**_health(document), **_ata(document), **_nvme(document), **_scsi(document)}
    facts = {name: fact for name, keys in _FACTS.items() if (fact := _first_text(document, keys))}
    if not signals:
        raise _nothing_read(document)
    seconds = _at(document, "local_time", "time_t")
    return Extract(
        ts=seconds * 1000 if _is_integer(seconds) else None,
        values={f"{signal}@{component}": value for signal, value in signals.items()},
        facts={"components": {component: facts}} if facts else {},
    )


def component_of(document: dict[str, object]) -> str:
    """Return what the drive is called on its machine: ``sda``, ``nvme0``; ``disk`` when that is not said.

    Drives behind a RAID controller share its device file; their number (``megaraid,5``) tells them apart.
    """
    name, kind = _at(document, "device", "name"), _at(document, "device", "type")
    path = name.rstrip("/").rpartition("/")[2] if isinstance(name, str) else ""
    number = kind.rpartition(",")[2] if isinstance(kind, str) and "," in kind else ""
    component = _NOT_IN_NAMES.sub("-", f"{path or 'disk'}:{number}" if number else path)
    return component[:64].strip("-") or "disk"


def _health(document: dict[str, object]) -> dict[str, object]:
    """Return what smartctl says of any drive."""
    signals: dict[str, object] = {}
    passed = _at(document, "smart_status", "passed")
    if isinstance(passed, bool):
        # A prefailure attribute at its threshold is by ATA's definition a failing drive, even where the
        # firmware's own verdict has not noticed.
        signals["disk.smart_passed"] = passed and not any(
            attribute.get("when_failed") == "now" and _at(attribute, "flags", "prefailure") is True
            for attribute in _rows(document, "ata_smart_attributes", "table")
        )
    degrees = _at(document, "temperature", "current")
    if _is_integer(degrees) and degrees in _PLAUSIBLE_DEGREES:
        signals["disk.temperature"] = degrees
    hours = _at(document, "power_on_time", "hours")
    if _is_integer(hours) and 0 <= hours <= _PLAUSIBLE_HOURS:
        signals["disk.power_on_hours"] = hours
    cycles = document.get("power_cycle_count")
    if _is_integer(cycles):
        signals["disk.power_cycles"] = cycles
    return signals


def _ata(document: dict[str, object]) -> dict[str, object]:
    signals: dict[str, object] = {}
    raws = {
        attribute["id"]: attribute.get("raw")
        for attribute in _rows(document, "ata_smart_attributes", "table")
        if _is_integer(attribute.get("id"))
    }
    interpreted = _health(document)
    for number, signal in COUNTS.items():
        if number in raws:
            signals[signal] = _count(raws[number])
    if COMMAND_TIMEOUTS in raws:
        signals["disk.command_timeouts"] = _timeouts(raws[COMMAND_TIMEOUTS])
    if POWER_ON_HOURS in raws and "disk.power_on_hours" not in interpreted:
        signals["disk.power_on_hours"] = _within(_count(raws[POWER_ON_HOURS]), 0, _PLAUSIBLE_HOURS)
    for number in (TEMPERATURE, AIRFLOW_TEMPERATURE):
        if number in raws and "disk.temperature" not in interpreted | signals:
            signals["disk.temperature"] = _degrees(raws[number])
    failed = _ata_self_test_failed(document)
    if failed is not None:
        signals["disk.self_test_failed"] = failed
    return signals


def _ata_self_test_failed(document: dict[str, object]) -> bool | None:
    """Return the verdict of the latest self test that came to one, None without any."""
    log = document.get("ata_smart_self_test_log")
    for kind in ("extended", "standard"):
        for entry in _rows(log, kind, "table"):
            passed = _at(entry, "status", "passed")
            if isinstance(passed, bool):
                return not passed
    # Without a log the status byte of the SMART data is left; its 0 also stands for "never tested".
    return True if _at(document, "ata_smart_data", "self_test", "status", "passed") is False else None


def _nvme(document: dict[str, object]) -> dict[str, object]:
    log = document.get("nvme_smart_health_information_log")
    if not isinstance(log, dict):
        return {}
    signals: dict[str, object] = {
        signal: log[key] for key, signal in _NVME.items() if _is_integer(log.get(key))
    }
    for entry in _rows(document, "nvme_self_test_log", "table"):
        result = _at(entry, "self_test_result", "value")
        if _is_integer(result) and (result == 0 or result in _NVME_FAILED):
            signals["disk.self_test_failed"] = result != 0
            break
    return signals


def _scsi(document: dict[str, object]) -> dict[str, object]:
    signals: dict[str, object] = {}
    defects = document.get("scsi_grown_defect_list")
    if _is_integer(defects):
        signals["disk.grown_defects"] = defects
    for position in range(20):  # the log has twenty places, the latest test first (SPC-4, 7.3.24)
        result = _at(document, f"scsi_self_test_{position}", "result", "value")
        if _is_integer(result) and (result == 0 or result in _SCSI_FAILED):
            signals["disk.self_test_failed"] = result != 0
            break
    return signals


def _count(raw: object) -> object:
    """Return the count in a raw field.

    ``raw.string`` is what smartctl makes of the field with what its drive database knows of the model: the
    count, then whatever else is packed into it (``0 (2000 0)``, ``47060h+35m``). Its leading number is taken.
    A count past 32 bits is no count but something packed that nobody has described: unknown.
    """
    text, value = _at(raw, "string"), _at(raw, "value")
    leading = _LEADING_INTEGER.match(text) if isinstance(text, str) else None
    return _within(int(leading[1]) if leading else value, 0, _MAX_COUNT)


def _timeouts(raw: object) -> object:
    """Return the command timeouts in attribute 188.

    Seagate packs three 16-bit counters: all timeouts in the low word, those over 5 s and over 7.5 s above.
    Anything past 16 bits is such a packing, or its low word is the only part comparable with others.
    """
    count = _at(raw, "value")
    return count & 0xFFFF if _is_integer(count) and 0xFFFF < count < 2**48 else _count(raw)


def _degrees(raw: object) -> object:
    """Return the temperature in attribute 194 or 190: the low byte, signed; above it stand the extremes."""
    count = _count(raw)
    if _is_integer(count) and count in _PLAUSIBLE_DEGREES:
        return count
    value = _at(raw, "value")
    if not _is_integer(value) or value < 0:
        return Broken(QuarantineReason.OUT_OF_RANGE, shown(value))
    low = value & 0xFF
    return low - 256 if low > 0x7F else low


def _within(number: object, low: int, high: int) -> object:
    """Return a number, or what marks it as nonsense where it is outside of its range."""
    if _is_integer(number) and low <= number <= high:
        return number
    return Broken(QuarantineReason.OUT_OF_RANGE, "something else" if number is None else shown(number))


def _nothing_read(document: dict[str, object]) -> Unusable:
    """Say why there is no reading: smartctl's own message, where it has left one."""
    messages = [
        text
        for message in _rows(document, "smartctl", "messages")
        if isinstance(text := message.get("string"), str)
    ]
    if messages:
        return Unusable(
            QuarantineReason.SOURCE_REPORTED_ERROR, f"smartctl: {shown('; '.join(messages), 300)}"
        )
    return Unusable(QuarantineReason.UNKNOWN_CODEC_PAYLOAD, "smartctl's document has no reading of a drive")


def _at(document: object, *path: str) -> object:
    """Return what stands at a path of keys, None when the path ends early."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _rows(document: object, *path: str) -> list[dict[str, object]]:
    """Return the objects of the list at a path."""
    found = _at(document, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _first_text(document: dict[str, object], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if isinstance(text := document.get(key), str) and text), None)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
