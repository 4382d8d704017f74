"""The pipeline's state in a file: what a restart begins with before it reads on in the history."""

import contextlib
import json
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gateway.errors import StoreUnavailableError
from rules.snapshot import Arrays

VERSION = 3
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


class UnusableStateError(Exception):
    """What is there is not a state that this version can begin with; the message says why."""


def save_state(path: Path, state: SavedState, *, unless: Callable[[], bool] = lambda: False) -> None:
    """Write a state so that the file is the old one or the new one whole, also after a crash.

    Arrays whose elements are all alike, which most are, are written as one element and their shape.

    Args:
        path: the file.
        state: what it is to hold.
        unless: asked at the end; the old file stays when it says so.

    Raises:
        StoreUnavailableError: it could not be written; the old one stands.
    """
    alike = {name: list(array.shape) for name, array in state.arrays.items() if _is_alike(array)}
    arrays = {name: array.flat[:1] if name in alike else array for name, array in state.arrays.items()}
    head = {"version": VERSION, "sequence": state.sequence, "alive_at": state.alive_at}
    text = json.dumps({**head, "names": sorted(arrays), "alike": alike, "state": state.document}).encode()
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            document = np.frombuffer(text, dtype=np.uint8)
            np.savez(file, allow_pickle=False, **{_DOCUMENT: document, **arrays})
            file.flush()
            os.fsync(file.fileno())
        if not unless():
            fresh.replace(path)
    except OSError as error:
        raise StoreUnavailableError(f"state not saved: {error.strerror}: {path}") from None
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)  # a part of a state is of no use, and a full disk is full enough


def _is_alike(array: np.ndarray[Any, Any]) -> bool:
    """Return whether all elements are the same bits; not-a-number, too."""
    if not array.size or array.dtype.itemsize not in _BITS or not array.flags.c_contiguous:
        return False
    bits = array.reshape(-1).view(_BITS[array.dtype.itemsize])
    # A look at a few spares the rest in most arrays that differ.
    return bool((bits[:64] == bits[0]).all() and (bits == bits[0]).all())


_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def load_state(path: Path) -> SavedState | None:
    """Read a state; None when there is none.

    The parts of the file carry checksums, and the document names them all, so what is damaged is not taken
    for a state.

    Raises:
        UnusableStateError: it is damaged, or another version's: the history must be read from its start.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(arrays.pop(_DOCUMENT).tobytes())
        if head["version"] != VERSION:
            raise UnusableStateError(f"{path}: expected version {VERSION}, got {head['version']!r}")
        if sorted(arrays) != head["names"]:
            raise UnusableStateError(f"{path}: damaged: expected other arrays than there are")
        for name, shape in head["alike"].items():
            arrays[name] = _filled(shape, arrays[name])
        return SavedState(head["sequence"], head["alive_at"], arrays, head["state"])
    except FileNotFoundError:
        return None
    except _DAMAGED as error:
        raise UnusableStateError(f"{path}: damaged: {error}") from None


#: What reading bytes as a zip file, as arrays and as JSON raises when they are not; `RuntimeError` for what
#: looks encrypted or compressed, `MemoryError` for a shape that cannot be.
_DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
)


def _filled(shape: list[int], element: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array of this shape whose elements are all the one given."""
    zero = not element.view(_BITS[element.dtype.itemsize]).any()
    return np.zeros(shape, dtype=element.dtype) if zero else np.full(shape, element[0])
