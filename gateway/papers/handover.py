"""A device's own data for a third party that its user names: one signed archive, machine-readable.

Regulation (EU) 2023/2854 (Data Act), article 5(1): on the user's request, readily available data and the
metadata that it takes to interpret them go to a third party in a structured, commonly used, machine-readable
format. People are left out (article 5(7)): of cases and orders only what is named here leaves, so that what
is added to them stays until somebody has thought of it.
"""

import csv
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnostics.orders.model import ServiceOrder
from gateway.csv_cells import cell
from gateway.errors import UserError
from gateway.papers.signing import SigningKey, is_signed
from gateway.ports import DeviceRecord, Ledger, StoredReading
from rules.signals import Catalogue
from rules.symbols import Channel, DeviceId
from rules.times import to_rfc3339

FORMAT = "forewarn.handover/1"
MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "public_key.pem"
PAGE = 500
LARGEST_MANIFEST = 1_000_000
CHUNK = 1 << 20

#: What leaves of an order; who owns the device, where it is and which contract covers it stay.
ORDER_KEYS = (
    *("order_id", "state", "opened_at", "case_id", "reason"),
    *("device", "fault", "diagnosis", "entitlement", "service", "parts", "estimate"),
)
WITHHELD = ("customer", "site", "logistics", "missing", "links", "entitlement.contract")
CASE_KEYS = {
    *("case_id", "component", "fault", "title", "rule", "severity", "state", "reason", "order_id"),
    *("onset", "updated", "confirmed_at", "ended_at", "evidence", "probes"),
}
DECISION_KEYS = {"at", "rule", "outcome", "reason", "text", "values"}

_CONTENTS = {
    "telemetry.csv": "all stored readings in order of time: ts (ms since 1970 UTC), signal, component, value",
    "signals.json": "what each signal measures, and its unit",
    "facts.json": "what the device said of itself",
    "cases.jsonl": "faults that were suspected, each with its events and decisions",
    "orders.jsonl": f"service orders without {', '.join(WITHHELD)}",
}


@dataclass(frozen=True, slots=True)
class Handover:
    """What is handed over of one device."""

    device: DeviceId
    record: DeviceRecord | None
    readings: list[StoredReading]
    cases: list[dict[str, Any]]
    orders: list[dict[str, Any]]

    @property
    def empty(self) -> bool:
        """Whether nothing is known of the device."""
        return not (self.record or self.readings or self.cases or self.orders)


def collected(device: DeviceId, ledger: Ledger, readings: list[StoredReading]) -> Handover:
    """Return what ledger and history have of a device."""
    name = str(device)
    return Handover(
        device=device,
        record=ledger.device(device),
        readings=readings,
        cases=list(_cases(ledger, name)),
        orders=[_without_people(order) for order in _orders(ledger, name)],
    )


def _cases(ledger: Ledger, device: str) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = ledger.cases(device=device, cursor=cursor, limit=PAGE)
        for case in page.items:
            yield {
                **case.model_dump(mode="json", include=CASE_KEYS),
                "events": [event.line() for event in ledger.events(case.case_id)],
                "decisions": [
                    decision.model_dump(mode="json", include=DECISION_KEYS)
                    for decision in ledger.decisions(case_id=case.case_id)
                ],
            }
        cursor = page.next
        if cursor is None:
            return


def _orders(ledger: Ledger, device: str) -> Iterator[ServiceOrder]:
    cursor = None
    while True:
        page = ledger.orders(device=device, cursor=cursor, limit=PAGE)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _without_people(order: ServiceOrder) -> dict[str, Any]:
    document = order.document()
    left = {key: document[key] for key in ORDER_KEYS}
    entitlement = left["entitlement"]
    assert isinstance(entitlement, dict)
    left["entitlement"] = {key: value for key, value in entitlement.items() if key != "contract"}
    return left


def write_archive(
    handover: Handover, catalogue: Catalogue, key: SigningKey, path: Path, *, made_at: int
) -> dict[str, Any]:
    """Write the archive and return its manifest.

    Args:
        handover: what goes in.
        catalogue: brings the meaning of signals.
        key: signs the manifest, which has the SHA-256 of every other file.
        path: must not exist; nothing stays there when writing fails.
        made_at: ms since 1970 UTC.

    Raises:
        UserError: the file is there already or cannot be written.
    """
    try:
        file = path.open("xb")
    except FileExistsError:
        raise UserError(f"{path}: is there already; name a new file") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    try:
        with file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            return _fill(archive, handover, catalogue, key, made_at)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UserError(f"{path}: {error.strerror}") from None
        raise


def _fill(
    archive: zipfile.ZipFile, handover: Handover, catalogue: Catalogue, key: SigningKey, made_at: int
) -> dict[str, Any]:
    record = handover.record
    contents: dict[str, Iterable[str]] = {
        "telemetry.csv": _telemetry(handover.readings),
        "signals.json": [_json(_signals(handover.readings, catalogue))],
        "facts.json": [_json(record.facts if record else {})],
        "cases.jsonl": (_line(case) for case in handover.cases),
        "orders.jsonl": (_line(order) for order in handover.orders),
    }
    files = [_add(archive, name, texts) for name, texts in contents.items()]
    _add(archive, PUBLIC_KEY, [key.public_pem.decode("ascii")])
    manifest = {
        "format": FORMAT,
        "device": str(handover.device),
        "made_at": to_rfc3339(made_at),
        "basis": "Regulation (EU) 2023/2854, article 5",
        "readings": len(handover.readings),
        "withheld": list(WITHHELD),
        "files": files,
        "signature": {"algorithm": "Ed25519", "file": SIGNATURE, "over": MANIFEST, "public_key": PUBLIC_KEY},
    }
    text = _json(manifest)
    archive.writestr(MANIFEST, text)
    archive.writestr(SIGNATURE, key.sign(text.encode("utf-8")))
    return manifest


def _add(archive: zipfile.ZipFile, name: str, texts: Iterable[str]) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as file:
        for text in texts:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(data)
            size += len(data)
            file.write(data)
    return {"name": name, "sha256": digest.hexdigest(), "bytes": size, "holds": _CONTENTS.get(name, "")}


def _telemetry(readings: Iterable[StoredReading]) -> Iterator[str]:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["ts", "signal", "component", "value"])
    for number, reading in enumerate(readings, 1):
        value = reading.value  # a number that is negative stays one
        shown = cell(value) if isinstance(value, str) else plain_value(value)
        writer.writerow([reading.ts, cell(reading.signal), cell(reading.component), shown])
        if number % 10_000 == 0:
            yield rows.getvalue()
            rows.seek(0)
            rows.truncate()
    yield rows.getvalue()


def plain_value(value: float | bool | str | None) -> str:
    """Return a value as devices spell it; nothing when the device could not read it.

    >>> [plain_value(value) for value in (True, 24.0, 61.5, None, "E21")]
    ['true', '24', '61.5', '', 'E21']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _signals(readings: Iterable[StoredReading], catalogue: Catalogue) -> dict[str, dict[str, str]]:
    names = sorted({Channel.parse(reading.signal).signal for reading in readings})
    known = {name: catalogue.get(name) for name in names}
    return {
        name: {"title": signal.title, "unit": signal.unit}
        if signal
        else {"title": "the device's own", "unit": ""}
        for name, signal in known.items()
    }


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _line(document: object) -> str:
    return json.dumps(document, ensure_ascii=False) + "\n"


def check_archive(path: Path, public_pem: bytes | None = None) -> dict[str, Any]:
    """Return the manifest of an archive in which nothing was changed since it was signed.

    Args:
        path: the archive.
        public_pem: the key that must have signed it; None takes the archive's own, which shows that it is
            whole, not who made it.

    Raises:
        UserError: what is wrong, with the file in the archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _checked(archive, path, public_pem)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: expected a zip archive that is whole: {error}") from None


def _checked(archive: zipfile.ZipFile, path: Path, public_pem: bytes | None) -> dict[str, Any]:
    names = archive.namelist()
    for name in (MANIFEST, SIGNATURE, PUBLIC_KEY):
        if names.count(name) != 1:
            raise UserError(f"{path}: expected one {name}, got {names.count(name)}")
    text, signature, own_key = (_small(archive, name, path) for name in (MANIFEST, SIGNATURE, PUBLIC_KEY))
    if not is_signed(own_key if public_pem is None else public_pem, signature, text):
        raise UserError(f"{path}: {MANIFEST}: the signature is not that of the key")
    try:
        manifest = json.loads(text)
        told = {entry["name"]: (entry["sha256"], entry["bytes"]) for entry in manifest["files"]}
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: {MANIFEST}: expected the manifest of a hand-over") from None
    others = sorted(set(names) ^ {*told, MANIFEST, SIGNATURE, PUBLIC_KEY})
    if others or len(names) != len(set(names)):
        raise UserError(f"{path}: files and manifest differ: {', '.join(others) or 'a name comes twice'}")
    for name, (sha256, size) in told.items():
        digest = hashlib.sha256()
        with archive.open(name) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != sha256 or archive.getinfo(name).file_size != size:
            raise UserError(f"{path}: {name}: was changed since it was signed")
    assert isinstance(manifest, dict)
    return manifest


def _small(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    if archive.getinfo(name).file_size > LARGEST_MANIFEST:
        raise UserError(f"{path}: {name}: expected at most {LARGEST_MANIFEST} bytes")
    return archive.read(name)
