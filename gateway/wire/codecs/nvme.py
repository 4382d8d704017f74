"""``nvme smart-log -o json`` (nvme-cli): the health log of one NVMe controller.

The document does not say which drive it is of, nor when it was read. The drive is what a level of the topic
calls ``nvme0`` or ``nvme0n1``, or a key ``device`` that a script added; older and newer versions of nvme-cli
spell keys differently, and ``-v`` takes the critical warning apart into its bits.
"""

import re

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.documents import Broken, parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import fit

#: Keys of nvme-cli 1.x and 2.x; the longer ones are those of the NVMe specification, which forks of it use.
_NAMES = {
    "critical_warning": "nvme.critical_warning",
    "temperature": "disk.temperature",
    "composite_temperature": "disk.temperature",
    "avail_spare": "nvme.available_spare",
    "available_spare": "nvme.available_spare",
    "spare_thresh": "nvme.spare_threshold",
    "available_spare_threshold": "nvme.spare_threshold",
    "percent_used": "nvme.percentage_used",
    "percentage_used": "nvme.percentage_used",
    "media_errors": "nvme.media_errors",
    "power_cycles": "disk.power_cycles",
    "power_on_hours": "disk.power_on_hours",
    "unsafe_shutdowns": "nvme.unsafe_shutdowns",
    "num_err_log_entries": "nvme.error_log_entries",
}
_ASKED_FOR = ("critical_warning", "percent_used", "percentage_used", "avail_spare", "available_spare")

#: Bits of the critical warning (NVMe base specification 2.0, figure 207) by the words of ``-v``.
_BITS = {
    "available_spare": 1,
    "temp_threshold": 2,
    "reliability_degraded": 4,
    "ro": 8,
    "vmbu_failed": 16,
    "pmr_ro": 32,
}

_DRIVE = re.compile(r"nvme\d+\w*", re.ASCII)
_KELVIN = range(200, 474)  # what a drive can report: -73 to 200 degrees Celsius; 0 is "not measured"


class Nvme(Codec):
    """The output of ``nvme smart-log -o json``, one drive a message."""

    def decode(self, message: Foreign) -> list[Extract]:
        """Return the readings of one drive."""
        document, inner = _log(parse_document(message.payload))
        component = inner or _drive(document) or _level(message) or "disk"
        extract = Extract()
        for key, name in _NAMES.items():
            if key in document:
                value = _value(key, document[key])
                self.signals.place(extract.values, name, value, component=component)
        return [extract]


def _log(document: object) -> tuple[dict[str, object], str]:
    """Return the log in a document, and the drive's name where it stands around it.

    Raises:
        Unusable: there is none.
    """
    name = ""
    if isinstance(document, dict) and len(document) == 1:
        name, inner = next(iter(document.items()))
        document = inner if isinstance(inner, dict) else document
    if not isinstance(document, dict) or not any(key in document for key in _ASKED_FOR):
        error = document.get("error") if isinstance(document, dict) else None
        if isinstance(error, str):
            raise Unusable(QuarantineReason.SOURCE_REPORTED_ERROR, f"nvme: {shown(error, 300)}")
        raise Unusable(
            QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
            "expected the output of nvme smart-log -o json, with key critical_warning",
        )
    return document, _part(name) if _DRIVE.search(name) else ""


def _drive(document: dict[str, object]) -> str:
    """Return the drive that a key names, empty when none does."""
    named = (document.get(key) for key in ("device", "name", "DevicePath", "device_name"))
    return next((_part(text) for text in named if isinstance(text, str) and _part(text)), "")


def _part(path: str) -> str:
    return fit(path.rstrip("/").rpartition("/")[2])


def _level(message: Foreign) -> str | None:
    """Return the last level of the topic that is called as drives are."""
    levels = [] if message.topic.startswith("$") else message.topic.split("/")
    return next((level for level in reversed(levels) if _DRIVE.fullmatch(level)), None)


def _value(key: str, found: object) -> object:
    """Return the value of a key as the catalogue means it."""
    if key == "critical_warning" and isinstance(found, dict):
        found = _warning(found)
    number = _number(found)
    if not key.endswith("temperature") or not isinstance(number, int | float):
        return number
    if number == 0:
        return None
    if int(number) in _KELVIN:
        return round(number - 273.15, 2)
    return Broken(QuarantineReason.OUT_OF_RANGE, f"{number} K")


def _warning(bits: dict[str, object]) -> object:
    """Return the critical warning that ``-v`` took apart."""
    if "value" in bits:
        return bits["value"]
    return sum(bit for word, bit in _BITS.items() if bits.get(word) in (1, True))


def _number(found: object) -> object:
    """Return a number; 128-bit counters come as texts from some versions, with or without separators."""
    if isinstance(found, str):
        text = found.strip().rstrip("%").replace(",", "")
        try:
            return int(text, 0 if text.lower().startswith("0x") else 10) if len(text) < 40 else found
        except ValueError:
            return found
    return found
