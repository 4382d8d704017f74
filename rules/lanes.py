"""Lanes: the latest values of devices and components, as a struct of arrays that grows by doubling.

A `LaneSet` holds the lanes of one device class: those of the devices themselves (kind ``""``), or those of
one kind of component (kind ``disk``), whose parents are the devices' lanes. Only what rules read is kept;
memory a lane is 16 bytes a signal, 8 a silence, and what `rules.windows` says a window.
"""

from dataclasses import dataclass

import numpy as np

from rules.batch import Bool, Float64, Int64
from rules.functions import WINDOW_FUNCTIONS
from rules.signals import Catalogue
from rules.times import DAY_MS
from rules.windows import Window

NEVER = np.iinfo(np.int64).min
#: Freshness where the catalogue declares no period, contract section 9.
DEFAULT_FRESHNESS_MS = DAY_MS
_FRESH_PERIODS = 3


@dataclass(slots=True)
class Column:
    """A signal of a lane set.

    Attributes:
        signal: name.
        component: the component that its readings must name; None in a set of components, where it is the
            lane's own.
        freshness_ms: age beyond which its value is unknown.
    """

    index: int
    signal: str
    component: str | None
    freshness_ms: int


class LaneSet:
    """The lanes of one class and kind. Rows are int64 indexes; a call never names a row twice."""

    def __init__(self, device_class: str, kind: str, parent: "LaneSet | None", catalogue: Catalogue) -> None:
        self.device_class = device_class
        self.kind = kind
        self.parent = parent
        self._catalogue = catalogue
        self.size = 0
        self._capacity = 16
        self.columns: list[Column] = []
        self._column_of: dict[tuple[str, str | None], int] = {}
        self.values: list[Float64] = []  # [lanes] a column
        self.times: list[Int64] = []  # [lanes] a column, device time of the latest reading, NEVER without
        self.heard: dict[int, Int64] = {}  # arrival of the latest reading, of columns with a silence
        self.windows: dict[tuple[int, int], Window] = {}  # by column and ms
        self._windows_of: dict[int, list[Window]] = {}
        self._needs: dict[tuple[int, int], set[str]] = {}
        self.first_heard = self._column(NEVER)  # arrival of the lane's first message
        self.parents = self._column(0)  # row in the parent set; the own row in a set of devices
        self.ordinal = self._column(0)  # device number, or component number, among the interned
        self.member = np.zeros(self._capacity, dtype=np.bool_)
        # Components: rows by (parent row, component number), sorted.
        self._keys = np.empty(0, dtype=np.int64)
        self._rows = np.empty(0, dtype=np.int64)

    def _column(self, fill: int) -> Int64:
        return np.full(self._capacity, fill, dtype=np.int64)

    # What rules read; all of it is declared before the first lane comes.

    def column(self, signal: str, component: str | None) -> int:
        """Return the column of a signal, made when there is none."""
        key = (signal, component)
        index = self._column_of.get(key)
        if index is None:
            index = self._column_of[key] = len(self.columns)
            entry = self._catalogue.get(signal)
            period = entry.period_ms if entry else None
            freshness = _FRESH_PERIODS * period if period else DEFAULT_FRESHNESS_MS
            self.columns.append(Column(index, signal, component, freshness))
            self.values.append(np.full(self._capacity, np.nan))
            self.times.append(self._column(NEVER))
        return index

    def find_column(self, signal: str, component: str | None) -> int | None:
        """Return the column of a signal, None when no rule reads it here."""
        return self._column_of.get((signal, component))

    def listen(self, column: int) -> None:
        """Keep the arrival of a column's latest reading."""
        self.heard.setdefault(column, self._column(NEVER))

    def window(self, column: int, window_ms: int, function: str) -> None:
        """Keep what a function over a window needs."""
        needs = self._needs.setdefault((column, window_ms), set())
        needs.update(WINDOW_FUNCTIONS[function].needs)
        self.windows[(column, window_ms)] = Window(window_ms, frozenset(needs), self._capacity)
        self._windows_of[column] = [w for (windowed, _), w in self.windows.items() if windowed == column]

    # Lanes

    def add(self, parents: Int64, ordinals: Int64, arrival: Int64, *, member: bool) -> Int64:
        """Append lanes and return their rows. In a set of devices `parents` is ignored."""
        count = len(ordinals)
        rows = np.arange(self.size, self.size + count, dtype=np.int64)
        self._reserve(self.size + count)
        self.size += count
        self.parents[rows] = rows if self.parent is None else parents
        self.ordinal[rows] = ordinals
        self.first_heard[rows] = arrival
        self.member[rows] = member
        if self.parent is not None:
            keys = parents << 32 | ordinals
            order = np.argsort(keys)
            places = np.searchsorted(self._keys, keys[order])
            self._keys = np.insert(self._keys, places, keys[order])
            self._rows = np.insert(self._rows, places, rows[order])
        return rows

    def _reserve(self, size: int) -> None:
        if size <= self._capacity:
            return
        capacity = max(size, 2 * self._capacity)
        more = (0, capacity - self._capacity)
        self._capacity = capacity
        self.values = [np.pad(array, more, constant_values=np.nan) for array in self.values]
        self.times = [np.pad(array, more, constant_values=NEVER) for array in self.times]
        self.heard = {c: np.pad(array, more, constant_values=NEVER) for c, array in self.heard.items()}
        for window in self.windows.values():
            window.grow(capacity)
        self.first_heard = np.pad(self.first_heard, more, constant_values=NEVER)
        self.parents = np.pad(self.parents, more)
        self.ordinal = np.pad(self.ordinal, more)
        self.member = np.pad(self.member, more)

    @property
    def capacity(self) -> int:
        """How many lanes there is room for; arrays beside this set are kept as long."""
        return self._capacity

    def components(self, parents: Int64, component: int) -> tuple[Int64, Bool]:
        """Return the rows of a component of N devices, and which of them exist."""
        keys = parents << 32 | component
        places = np.searchsorted(self._keys, keys)
        inside = places < len(self._keys)
        found = np.zeros(len(keys), dtype=np.bool_)
        found[inside] = self._keys[places[inside]] == keys[inside]
        rows = np.full(len(keys), -1, dtype=np.int64)
        rows[found] = self._rows[places[found]]
        return rows, found

    def children(self, parents: Int64) -> Int64:
        """Return the rows of all components of N devices; in a set of devices, the devices' own."""
        if self.parent is None:
            return parents
        begin = np.searchsorted(self._keys, parents << 32)
        count = np.searchsorted(self._keys, (parents + 1) << 32) - begin
        offsets = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        rows: Int64 = self._rows[np.repeat(begin, count) + offsets]
        return rows

    # Readings

    def apply(self, column: int, rows: Int64, ts: Int64, value: Float64, arrival: Int64) -> Int64:
        """Take one reading for each of N rows and return the rows for which it was new, not a duplicate."""
        times = self.times[column]
        new = times[rows] != ts
        if not new.all():
            rows, ts, value, arrival = rows[new], ts[new], value[new], arrival[new]
        times[rows] = ts
        self.values[column][rows] = value
        known = ~np.isnan(value)
        if not known.all():
            ts, value, arrival = ts[known], value[known], arrival[known]
            valued = rows[known]
        else:
            valued = rows
        if column in self.heard:
            self.heard[column][valued] = arrival
        for window in self._windows_of.get(column, ()):
            window.add(valued, ts, value)
        return rows

    def forget(self, rows: Int64) -> None:
        """Start all windows anew: the part behind these lanes was exchanged."""
        for window in self.windows.values():
            window.forget(rows)

    def latest(self, column: int, rows: Int64, t: Int64) -> Float64:
        """Return the latest values of a column, nan where never reported or no longer fresh at t."""
        age = t - np.maximum(self.times[column][rows], 0)
        return np.where(age > self.columns[column].freshness_ms, np.nan, self.values[column][rows])
