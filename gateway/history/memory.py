"""A history that keeps nothing, for `forewarn replay`."""

# ruff: noqa: ARG002 - the Protocol fixes the arguments, and a store that forgets needs none of them

from collections.abc import Sequence

import numpy as np

from gateway.ports import Inbound, Notice, StoredReading
from rules.batch import ReadingBatch
from rules.symbols import DeviceId, Symbols


class MemoryHistory:
    """Numbers what it is given and forgets it.

    A replay reads its messages from files that stay where they are, never recovers and answers no question
    about readings, so keeping them would only bound the size of what can be replayed. It knows of no reading
    that came twice: telling is left to the engine's watermarks.
    """

    def __init__(self) -> None:
        self._sequence = 0

    def append(self, symbols: Symbols, readings: ReadingBatch, notices: Sequence[Notice]) -> int:
        """Return the number that the batch ends with, one for each message and notice."""
        self._sequence += len(readings) + len(notices)
        return self._sequence

    def known(self, symbols: Symbols, readings: ReadingBatch) -> list[bool]:
        """Say that none is known."""
        return [False] * len(readings.message)

    def since(self, symbols: Symbols, sequence: int, limit: int) -> tuple[Inbound, int]:
        """Return nothing."""
        integers, floats = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64)
        small, tiny = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int8)
        return Inbound(ReadingBatch(small, integers, integers, small, small, floats, tiny)), sequence

    def telemetry(
        self,
        device: DeviceId,
        *,
        signal: str | None = None,
        start: int | None = None,
        end: int | None = None,
        step: int | None = None,
        limit: int | None = None,
    ) -> list[StoredReading]:
        """Return nothing."""
        return []

    def close(self) -> None:
        """Do nothing."""
