"""Lanes: the latest values of devices and components, as arrays that grow with the lanes.

A `LaneSet` holds the lanes of one device class: those of the devices themselves (kind ``""``), or those of
one kind of component (kind ``disk``), whose parents are the devices' lanes. Only what rules read is kept,
from its first reading on: 16 bytes a lane and signal, 8 more for a silence, 24 for windows, and what
`rules.buckets` says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int32, Int64
from rules.buckets import grown
from rules.functions import WINDOW_FUNCTIONS
from rules.signals import Catalogue
from rules.times import DAY_MS
from rules.windows import Window

NEVER = int(np.iinfo(np.int64).min)
#: Freshness where the catalogue declares no period, contract section 9.
DEFAULT_FRESHNESS_MS = DAY_MS
_FRESH_PERIODS = 3
#: Arrays of a column and what stands in them before the first reading.
_FILLS: dict[str, float] = {
    "values": np.nan,
    "times": NEVER,
    "heard": NEVER,
    "known_value": np.nan,
    "known_time": NEVER,
    "equal_since": NEVER,
}


@dataclass(slots=True)
class Column:
    """A signal of a lane set; its arrays are there from the first reading on, [capacity] each.

    Attributes:
        signal: name.
        component: the component that its readings must name; None in a set of components, where it is the
            lane's own.
        freshness_ms: age beyond which its value is unknown.
        wraps: value at which the counter goes on from zero, None when a smaller value is a reset.
        derived: whether the engine works its readings out itself: then only its windows are kept.
        listens: whether a rule asks how long it has been silent.
        windows: by length and number of parts.
        arrays: ``values`` and ``times`` (device time) of the latest readings; ``heard``, the arrival of the
            latest that was known; ``known_value``, ``known_time`` of the latest that was known, where windows
            ask for it and it was not always the latest; and ``equal_since``, the time of the first that
            equals it without a break, where a function asks.
    """

    index: int
    signal: str
    component: str | None
    freshness_ms: int
    wraps: float | None
    derived: bool = False
    listens: bool = False
    windows: dict[tuple[int, int], Window] = field(default_factory=dict)
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As readings spell it."""
        return f"{self.signal}@{self.component}" if self.component else self.signal

    @property
    def empty(self) -> bool:
        """Whether there never was a reading, in any lane."""
        return not self.arrays

    def begin(self, capacity: int) -> None:
        """Make room for the first reading."""
        names = [] if self.derived else ["values", "times"]
        names += ["heard"] if self.listens else []
        names += ["equal_since"] if any(window.runs for window in self.windows.values()) else []
        names += ["known_value", "known_time"] if self.derived else []
        for name in names:
            if name not in self.arrays:
                fill = _FILLS[name]
                dtype = np.float64 if np.isnan(fill) else np.int64
                self.arrays[name] = np.full(capacity, fill, dtype=dtype)
        for _, buckets in self.buckets():
            buckets.reserve(capacity)

    def part_known(self) -> None:
        """Keep what was known apart from what is the latest: from now on they differ somewhere."""
        if self.windows and "known_value" not in self.arrays:
            self.arrays["known_value"] = self.arrays["values"].copy()
            self.arrays["known_time"] = self.arrays["times"].copy()

    def known(self, rows: Int64) -> tuple[Float64, Int64]:
        """Return values and times of the latest readings that were known; nan and NEVER without one."""
        value = self.arrays.get("known_value", self.arrays.get("values"))
        time = self.arrays.get("known_time", self.arrays.get("times"))
        assert value is not None
        assert time is not None
        return value.take(rows), time.take(rows)

    def grow(self, capacity: int) -> None:
        """Make room for more lanes."""
        for name, array in self.arrays.items():
            self.arrays[name] = grown(array, capacity, _FILLS[name])
        if self.arrays:
            for _, buckets in self.buckets():
                buckets.reserve(capacity)

    def buckets(self) -> Iterator[tuple[str, Any]]:
        """Yield all buckets of its windows, each with a name."""
        for (window_ms, parts), window in self.windows.items():
            for name, buckets in window.kept:
                yield f"{window_ms}/{parts}/{name}", buckets

    def forget(self, rows: Int64) -> None:
        """Start all windows anew: the part behind these lanes was exchanged."""
        if self.empty or not self.windows:
            return
        self.part_known()
        for name in ("known_value", "known_time", "equal_since"):
            if name in self.arrays:
                self.arrays[name][rows] = _FILLS[name]
        for _, buckets in self.buckets():
            buckets.forget(rows)

    def is_fresh(self, times: Int64, t: Int64 | int) -> Bool:
        """Return [N] bool: a reading of `times` is fresh at `t`; one from the future is."""
        # The edge is never far below zero, and so NEVER is behind it.
        return np.asarray(times >= t - self.freshness_ms)


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
        self._needs: dict[tuple[int, int, int], frozenset[str]] = {}
        self.first_heard = np.full(
            self._capacity, NEVER, dtype=np.int64
        )  # arrival of the lane's first message
        self.parents: Int32 = np.zeros(
            self._capacity, dtype=np.int32
        )  # row in the parent set, or the own row
        self.ordinal: Int32 = np.zeros(self._capacity, dtype=np.int32)  # of the device, or of the component
        self.member = np.zeros(self._capacity, dtype=np.bool_)
        # Components: rows by (parent row, component number), sorted.
        self._keys = np.empty(0, dtype=np.int64)
        self._rows = np.empty(0, dtype=np.int32)

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
            self.columns.append(Column(index, signal, component, freshness, entry.wraps if entry else None))
        return index

    def derive(self, name: str, window_ms: int) -> int:
        """Return the column of what the engine works out and counts over a window, made where it is new."""
        index = self.column(name, None)
        self.columns[index].derived = True
        for function in ("count", "sum"):
            self.window(index, window_ms, function)
        return index

    def find_column(self, signal: str, component: str | None) -> int | None:
        """Return the column of a signal, None when no rule reads it here."""
        return self._column_of.get((signal, component))

    def listen(self, column: int) -> None:
        """Keep the arrival of a column's latest reading."""
        self.columns[column].listens = True

    def window(self, column: int, window_ms: int, function: str) -> None:
        """Keep what a function over a window needs."""
        definition = WINDOW_FUNCTIONS[function]
        key = (column, window_ms, definition.buckets)
        needs = self._needs[key] = self._needs.get(key, frozenset()) | definition.needs
        self.columns[column].windows[(window_ms, definition.buckets)] = Window(
            window_ms, definition.buckets, needs
        )

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
            keys = parents.astype(np.int64) << 32 | ordinals
            order = np.argsort(keys)
            places = np.searchsorted(self._keys, keys[order])
            self._keys = np.insert(self._keys, places, keys[order])
            self._rows = np.insert(self._rows, places, rows[order])
        return rows

    def _reserve(self, size: int) -> None:
        if size <= self._capacity:
            return
        capacity = self._capacity = max(size, self._capacity + self._capacity // 4)
        for column in self.columns:
            column.grow(capacity)
        self.first_heard = grown(self.first_heard, capacity, NEVER)
        self.parents = grown(self.parents, capacity, 0)
        self.ordinal = grown(self.ordinal, capacity, 0)
        self.member = grown(self.member, capacity, 0)

    @property
    def capacity(self) -> int:
        """How many lanes there is room for; arrays beside this set are kept as long."""
        return self._capacity

    def components(self, parents: Int64, component: int) -> tuple[Int64, Bool]:
        """Return the rows of a component of N devices, and which of them exist."""
        keys = parents.astype(np.int64) << 32 | component
        places = np.minimum(np.searchsorted(self._keys, keys), max(len(self._keys) - 1, 0))
        if not len(self._keys):
            return np.full(len(keys), -1, dtype=np.int64), np.zeros(len(keys), dtype=np.bool_)
        found = self._keys[places] == keys
        return np.where(found, self._rows[places], -1).astype(np.int64), found

    def children(self, parents: Int64) -> tuple[Int64, Int64]:
        """Return the lanes of N devices: their rows, and for each the place among the N of its device."""
        if self.parent is None:
            return parents, np.arange(len(parents))
        keys = parents.astype(np.int64) << 32
        begin = np.searchsorted(self._keys, keys)
        count = np.searchsorted(self._keys, keys + (1 << 32)) - begin
        places = np.repeat(np.arange(len(parents)), count)
        offsets = np.arange(len(places)) - np.repeat(np.cumsum(count) - count, count)
        return self._rows[begin[places] + offsets].astype(np.int64), places

    def latest(self, column: int, rows: Int64) -> tuple[Float64, Int64]:
        """Return values and times of the latest readings of a column; nan and NEVER without one."""
        arrays = self.columns[column].arrays
        if not arrays:
            return np.full(len(rows), np.nan), np.full(len(rows), NEVER, dtype=np.int64)
        return arrays["values"].take(rows), arrays["times"].take(rows)

    def forget(self, rows: Int64, component: str) -> None:
        """Start windows anew: the part behind these lanes was exchanged.

        Args:
            rows: lanes.
            component: in a set of devices the component that was exchanged, ``""`` for the device; the
                columns of its readings start anew.
        """
        for column in self.columns:
            if (column.component or "") == component:
                column.forget(rows)
