"""``disk.self_test``: the drive's own short test, by ``smartctl --test=short``, and what it found."""

import asyncio
import time
from collections.abc import Mapping

from gateway.agent.drives import BAD_COMMAND, COMMAND_FAILED, NOT_OPENED, Document, Drive, Drives, messages
from gateway.agent.probes import Answer

#: Pause between looks at a running test, and the longest wait for its end, s. The standards give a short
#: test about two minutes (ATA ACS-4, 7.52; NVMe 2.0, 8.6).
POLL_SECONDS = 10.0
PATIENCE_SECONDS = 900.0

_RUNNING = 15
# ATA: high half of the self-test execution status (ACS-4, 9.10). SCSI: self-test results (SPC-4, table 444).
_ATA_BROKEN_OFF, _ATA_FAILED = range(1, 3), range(3, 9)
_SCSI_FAILED = range(3, 8)
_NVME_FAILED = range(5, 8)  # NVMe base specification 2.0, figure 99


async def self_test(drives: Drives, component: str, poll_seconds: float = POLL_SECONDS) -> Answer:
    """Have a drive test itself, and wait for what it found; an empty component means the only drive."""
    drive = _chosen(drives, component)
    if isinstance(drive, Answer):
        return drive
    _, before = await drives.ask(drive, "--capabilities", "--log=selftest")
    if _lacks_tests(before):
        return Answer("unsupported", {"reason": "the drive has no self test"})
    if _verdict(before) is None:
        return Answer("error", {"reason": "another self test of the drive is running"})
    refused = _refusal(*await drives.ask(drive, "--test=short"))
    return refused or await _found(drives, drive, poll_seconds)


async def _found(drives: Drives, drive: Drive, poll_seconds: float) -> Answer:
    """Wait for the end of a running test, and return what it found."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        await asyncio.sleep(poll_seconds)
        status, document = await drives.ask(drive, "--capabilities", "--log=selftest")
        if status is None or status & (BAD_COMMAND | NOT_OPENED):
            return Answer("error", {"reason": messages(document) or "the drive no longer answers"})
        found = _verdict(document)
        if found is not None:
            return found
    return Answer("error", {"reason": f"the test did not end within {PATIENCE_SECONDS:.0f} s"})


def _chosen(drives: Drives, component: str) -> Drive | Answer:
    known = drives.known
    if not known:
        return Answer("unsupported", {"reason": "no drive of this machine can be read by smartctl"})
    if component in known:
        return known[component]
    if not component and len(known) == 1:
        return next(iter(known.values()))
    return Answer("error", {"reason": f"component: expected one of {', '.join(sorted(known))}"})


def _lacks_tests(document: Document) -> bool:
    """Say whether a drive states that it has no self test."""
    ata = _at(document, "ata_smart_data", "capabilities", "self_tests_supported")
    nvme = _at(document, "nvme_optional_admin_commands", "self_test")
    return ata is False or nvme is False


def _refusal(status: int | None, document: Document) -> Answer | None:
    """Return the answer when a test could not be started, None when it was."""
    if status is None:
        return Answer("error", {"reason": "smartctl did not answer"})
    if not status & (BAD_COMMAND | NOT_OPENED | COMMAND_FAILED):
        return None
    told = messages(document) or f"smartctl ended with status {status}"
    words = told.lower()
    lacking = any(
        word in words for word in ("not support", "unsupported", "not implemented", "not available")
    )
    return Answer("unsupported" if lacking else "error", {"reason": told})


def _verdict(document: Document) -> Answer | None:
    """Return what the latest self test found, None while one runs."""
    ata = _at(document, "ata_smart_data", "self_test", "status")
    if isinstance(ata, dict):
        return _ata(ata, document)
    if isinstance(document.get("nvme_self_test_log"), dict):
        return _nvme(document)
    return _scsi(document)


def _ata(status: Document, document: Document) -> Answer | None:
    code = _integer(status.get("value")) >> 4
    if code == _RUNNING:
        return None
    latest = _first(_at(document, "ata_smart_self_test_log", "standard", "table"))
    result = _kept({"status": status.get("string"), "lifetime_hours": latest.get("lifetime_hours")})
    if code in _ATA_FAILED:
        return Answer("failed", result | _kept({"lba": latest.get("lba")}))
    return _broken_off(result) if code in _ATA_BROKEN_OFF else Answer("passed", result)


def _nvme(document: Document) -> Answer | None:
    if _integer(_at(document, "nvme_self_test_log", "current_self_test_operation", "value")) != 0:
        return None
    latest = _first(_at(document, "nvme_self_test_log", "table"))
    code = _integer(_at(latest, "self_test_result", "value"))
    result = _kept(
        {
            "status": _at(latest, "self_test_result", "string"),
            "lifetime_hours": latest.get("power_on_hours"),
            "lba": latest.get("lba"),
        }
    )
    if code in _NVME_FAILED:
        return Answer("failed", result)
    return Answer("passed", result) if latest and code == 0 else _broken_off(result)


def _scsi(document: Document) -> Answer | None:
    latest = document.get("scsi_self_test_0")
    code = _integer(_at(latest, "result", "value"))
    if code == _RUNNING:
        return None
    result = _kept({"status": _at(latest, "result", "string")})
    if code in _SCSI_FAILED:
        return Answer("failed", result)
    return Answer("passed", result) if isinstance(latest, dict) and code == 0 else _broken_off(result)


def _broken_off(result: dict[str, object]) -> Answer:
    return Answer("error", {"reason": "the test was broken off or left no result", **result})


def _kept(result: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in result.items() if isinstance(value, str | int)}


def _at(document: object, *path: str) -> object:
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _first(rows: object) -> Document:
    first = rows[0] if isinstance(rows, list) and rows else None
    return first if isinstance(first, dict) else {}


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
