"""The injected truth: what really is wrong with the fleet, as a JSON Lines file for those who score."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from rules.symbols import DeviceId
from rules.times import to_rfc3339
from simulators.faults import Fault, Lookalike
from simulators.plan import PlannedDevice


class Truth(msgspec.Struct, frozen=True):
    """One line: a fault that was injected, or a look-alike that is none.

    Attributes:
        kind: ``fault`` or ``lookalike``.
        device: ``tenant/class/device``.
        component: the part, None when it is the whole device.
        fault: the fault's code; of a look-alike, the fault that it must not be taken for.
        onset: device time at which it begins, RFC 3339.
        onset_ms: the same in ms since 1970 UTC.
        course: how it comes on; of a look-alike, its name.
    """

    kind: Literal["fault", "lookalike"]
    device: str
    component: str | None
    fault: str
    onset: str
    onset_ms: int
    course: str


class TruthFileError(Exception):
    """A truth file cannot be read; the message points at file and line."""


def truth_of(plan: Iterable[PlannedDevice]) -> list[Truth]:
    """Return what a plan will inject, in order of time."""
    entries: list[Truth] = []
    for device in plan:
        entries.extend(_of_fault(device.id, fault) for fault in device.faults)
        entries.extend(_of_lookalike(device.id, lookalike) for lookalike in device.lookalikes)
    return sorted(entries, key=lambda entry: (entry.onset_ms, entry.device))


def _of_fault(device: DeviceId, fault: Fault) -> Truth:
    return Truth(
        kind="fault",
        device=str(device),
        component=fault.component,
        fault=fault.code,
        onset=to_rfc3339(fault.onset_ms),
        onset_ms=fault.onset_ms,
        course=fault.course,
    )


def _of_lookalike(device: DeviceId, lookalike: Lookalike) -> Truth:
    return Truth(
        kind="lookalike",
        device=str(device),
        component=lookalike.component,
        fault=lookalike.resembles,
        onset=to_rfc3339(lookalike.onset_ms),
        onset_ms=lookalike.onset_ms,
        course=lookalike.name,
    )


def write_truth(entries: Sequence[Truth], path: Path) -> None:
    """Write the entries, one JSON object a line; the file is there whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    draft = path.with_name(path.name + ".part")
    draft.write_bytes(msgspec.json.Encoder().encode_lines(entries))
    draft.replace(path)


def read_truth(path: Path) -> list[Truth]:
    """Return the entries of a truth file.

    Raises:
        OSError: the file cannot be read.
        TruthFileError: a line is not an entry; says which, and what was expected.
    """
    decoder = msgspec.json.Decoder(Truth)
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            entries.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise TruthFileError(f"{path}:{number}: {error}") from None
    return entries
