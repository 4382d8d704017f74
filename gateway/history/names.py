"""Numbers of names: those that the file keeps, and those that a caller's tables have."""

from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

from rules.batch import Int32, Int64
from rules.symbols import Interner

T = TypeVar("T", bound=tuple[str, ...])

_UNKNOWN = -1


class Names(Generic[T]):
    """The names of devices, or of channels, as one file numbers them.

    The file outlives every `Symbols`, so it has numbers of its own; what a caller's numbers are in the file
    is remembered for the table that came last, which in a gateway is always the same one. So is what the
    file's numbers are in the caller's table.

    Attributes:
        stored: every name with its number in the file.
        saved: how many of them stand in the file; those after it are written with the next batch.
    """

    def __init__(self) -> None:
        self.stored: Interner[T] = Interner()
        self.saved = 0
        self._table: Interner[T] | None = None
        self._in_file: Int32 = np.empty(0, dtype=np.int32)
        self._reader: Interner[T] | None = None
        self._in_table: Int32 = np.empty(0, dtype=np.int32)  # the reader's numbers, by the file's

    def to_file(self, table: Interner[T], numbers: Int32, *, add: bool) -> Int32:
        """Return the file's numbers of a caller's numbers, int32 of the same shape.

        Names that the file does not know are given a number with `add`, else they are -1.
        """
        if table is not self._table:
            self._table, self._in_file = table, np.empty(0, dtype=np.int32)
        if len(table) > len(self._in_file):
            room = np.full(2 * len(table), _UNKNOWN, dtype=np.int32)
            room[: len(self._in_file)] = self._in_file
            self._in_file = room
        found = self._in_file[numbers]
        missing = np.unique(numbers[found == _UNKNOWN])
        if not len(missing):
            return found
        for number in missing.tolist():
            name = table[number]
            self._in_file[number] = self.stored.intern(name) if add else self.stored.index.get(name, _UNKNOWN)
        return self._in_file[numbers]

    def from_file(self, table: Interner[T], numbers: Int32 | Int64) -> Int32:
        """Return a caller's numbers of the file's, int32; new names are interned in the caller's table."""
        if table is not self._reader:
            self._reader, self._in_table = table, np.empty(0, dtype=np.int32)
        if len(self.stored) > len(self._in_table):
            room = np.full(2 * len(self.stored), _UNKNOWN, dtype=np.int32)
            room[: len(self._in_table)] = self._in_table
            self._in_table = room
        found = self._in_table[numbers]
        for number in np.unique(numbers[found == _UNKNOWN]).tolist():
            self._in_table[number] = table.intern(self.stored[number])
        return self._in_table[numbers]

    def unsaved_rows(self, columns: tuple[str, ...]) -> pa.Table:
        """Return the names that the file does not have yet, with their numbers, as rows of its table."""
        names = self.stored.names[self.saved :]
        parts = {column: [name[place] for name in names] for place, column in enumerate(columns)}
        numbers = np.arange(self.saved, len(self.stored), dtype=np.int32)
        return pa.table({"number": numbers} | {c: pa.array(p, pa.string()) for c, p in parts.items()})

    def mark_saved(self) -> None:
        """Take note that all names stand in the file."""
        self.saved = len(self.stored)
