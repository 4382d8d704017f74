"""The pipeline's state in a file: what a restart begins with before it reads on in the history."""

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gateway.errors import StoreUnavailableError
from rules.snapshot import Arrays

VERSION = 2
_DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class SavedState:
    """A state and where in the history it stands.

    Attributes:
        sequence: the last number of the history that it has taken in.
        alive_at: when the gateway was last known to listen, its own clock, ms.
    """

    sequence: int
    alive_at: int
    arrays: Arrays
    document: dict[str, Any]


def save_state(path: Path, state: SavedState) -> None:
    """Write a state so that the file is the old one or the new one whole, also after a crash.

    Raises:
        StoreUnavailableError: it could not be written; the old one stands.
    """
    head = {"version": VERSION, "sequence": state.sequence, "alive_at": state.alive_at}
    text = json.dumps({**head, "state": state.document}).encode()
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            document = np.frombuffer(text, dtype=np.uint8)
            np.savez(file, allow_pickle=False, **{_DOCUMENT: document, **state.arrays})
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise StoreUnavailableError(f"state not saved: {error.strerror}: {path}") from None


def load_state(path: Path) -> SavedState | None:
    """Read a state; None when there is none that can be used, and the history must be read from its start.

    The parts of the file carry checksums, so what is damaged is not taken for a state.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(arrays.pop(_DOCUMENT).tobytes())
        if head["version"] != VERSION:
            return None
        return SavedState(head["sequence"], head["alive_at"], arrays, head["state"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
