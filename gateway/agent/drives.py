"""Drives, as ``smartctl --json`` shows them (smartmontools 7.0 and newer)."""

from dataclasses import dataclass

import structlog

from gateway.agent.programs import Run, run
from gateway.agent.sysfs import Value, Values
from gateway.wire.codecs.smartctl import component_of, extract
from gateway.wire.documents import parse_document
from gateway.wire.reasons import Unusable

log = structlog.get_logger("forewarn.agent")

#: How long one drive may take to answer, s: a failing one retries for a long time.
ANSWER_SECONDS = 120.0
_SCAN_SECONDS = 30.0

# smartctl(8), exit status: bit 0 the command line, bit 1 the device could not be opened or identified (or
# sleeps), bit 2 a command to it failed. The other bits speak of the drive's health.
BAD_COMMAND, NOT_OPENED, COMMAND_FAILED = 1, 2, 4

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Drive:
    """A drive that smartctl has found and read.

    Attributes:
        component: what readings call it, ``sda``.
        address: how smartctl is told which one: its device file, and its type where that is needed.
    """

    component: str
    address: tuple[str, ...]


class Drives:
    """Finds the machine's drives and reads them.

    What is lacking, smartctl or the right to open drives, is said once in the log and again when it changes.

    Attributes:
        known: drives read so far, by component.
        facts: model, serial number and firmware by component.
    """

    def __init__(self) -> None:
        self.known: dict[str, Drive] = {}
        self.facts: dict[str, dict[str, object]] = {}
        self._said: dict[str, str] = {}

    async def read(self) -> Values:
        """Return the readings of all drives that are there and awake; a sleeping one is left alone."""
        values: Values = {}
        for address in await self._scan():
            document = await self._asked(["--all", "--nocheck=standby"], address)
            if document is not None:
                values |= self._of(document, address)
        return values

    async def ask(self, drive: Drive, *options: str) -> tuple[int | None, Document]:
        """Run smartctl on one drive; return its exit status (None: too slow) and its document."""
        return _taken(await run(["smartctl", "--json", *options, *drive.address], seconds=ANSWER_SECONDS))

    async def _scan(self) -> list[tuple[str, ...]]:
        told = await run(["smartctl", "--scan", "--json"], seconds=_SCAN_SECONDS)
        if told is None:
            self._say("smartctl", "smartctl is not installed: drives are not watched")
            return []
        _, document = _taken(told)
        devices = document.get("devices")
        addresses = [
            address
            for device in (devices if isinstance(devices, list) else [])
            if isinstance(device, dict) and (address := _address(device))
        ]
        self._say("smartctl", "" if addresses else "smartctl finds no drive")
        return addresses

    async def _asked(self, options: list[str], address: tuple[str, ...]) -> Document | None:
        status, document = _taken(
            await run(["smartctl", "--json", *options, *address], seconds=ANSWER_SECONDS)
        )
        if status is None:
            self._say(address[-1], f"it did not answer smartctl within {ANSWER_SECONDS:.0f} s")
            return None
        return None if _sleeps(document) else document

    def _of(self, document: Document, address: tuple[str, ...]) -> Values:
        try:
            found = extract(document)
        except Unusable as finding:
            self._say(address[-1], finding.detail)
            return {}
        self._say(address[-1], "")
        component = component_of(document)
        self.known[component] = Drive(component, address)
        facts = found.facts.get("components")
        if isinstance(facts, dict):
            self.facts |= facts
        # What smartctl shows and no drive can mean stands there as a Broken: the drive could not tell.
        return {key: _plain(value) for key, value in found.values.items()}

    def _say(self, what: str, trouble: str) -> None:
        if self._said.get(what, "") == trouble:
            return
        self._said[what] = trouble
        if trouble:
            log.warning("drive_unread", what=what, detail=trouble)
        else:
            log.info("drive_read_again", what=what)


def messages(document: Document) -> str:
    """Return what smartctl complains of, ``""`` for nothing."""
    smartctl = document.get("smartctl")
    told = smartctl.get("messages") if isinstance(smartctl, dict) else None
    texts = [row.get("string") for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    return "; ".join(text for text in texts if isinstance(text, str))


def _address(device: Document) -> tuple[str, ...] | None:
    """Return how smartctl is told of a drive that its scan has found.

    The scan calls what looks like SCSI ``scsi``; told so, smartctl would not notice that it is a SATA drive.
    """
    name, kind = device.get("name"), device.get("type")
    if not isinstance(name, str) or not name.startswith("/"):
        return None
    if not isinstance(kind, str) or kind == "scsi":
        return (name,)
    return (f"--device={kind}", name)


def _taken(told: Run | None) -> tuple[int | None, Document]:
    if told is None:
        return None, {}
    try:
        document = parse_document(told.output.encode())
    except Unusable:
        document = None
    return told.status, document if isinstance(document, dict) else {}


def _sleeps(document: Document) -> bool:
    """Say whether smartctl left a drive alone because it would have had to wake it."""
    text = messages(document).upper()
    return "STANDBY" in text or "SLEEP MODE" in text


def _plain(value: object) -> Value:
    return value if isinstance(value, float | int | bool | str) else None
