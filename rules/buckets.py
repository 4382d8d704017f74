"""Readings of the recent past, in buckets: what functions over windows are computed from.

A window of w ms is cut into buckets of w/60, at most 61 of which reach into it. A bucket is in the window
when its latest entry is, so the older edge is exact to w/60, and exact to the millisecond wherever entries
are further apart than that. A bucket that the older edge cuts is complete by then, and so what a window holds
at a moment does not hang on where the stream was cut into batches.

A lane's buckets stand in a ring of a pool: rings of 4, of 8 and so on, each lane in the smallest that has
room for what is inside its window. So a device that speaks often pays for itself and not for the fleet.
Memory a lane: 5 bytes, and 8 (1 + accumulators) a slot of its ring.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int8, Int32, Int64

#: The time of a bucket that nothing is in.
EMPTY = np.iinfo(np.int64).min
_SMALLEST = 4
#: Fewer rings than these are not worth the work.
_LEAST_SPARSE = 256


def grown(array: npt.NDArray[Any], size: int, fill: float) -> npt.NDArray[Any]:
    """Return an array with room for `size` rows, what is new filled."""
    larger = np.full((size, *array.shape[1:]), fill, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


#: How what several entries of a bucket say is put together; ``first`` is that of the first.
_JOINED: dict[str, np.ufunc] = {
    "count": np.add,
    "sum": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "dx": np.add,
    "dxx": np.add,
    "dt": np.add,
    "dtt": np.add,
    "dtx": np.add,
    "increase": np.add,
    "changes": np.add,
}
#: What an entry says, from its value and time relative to its bucket's first value and beginning.
_TERMS: dict[str, Callable[[Float64, Float64, Float64], Float64]] = {
    "count": lambda value, _dx, _dt: np.ones_like(value),
    "sum": lambda value, _dx, _dt: value,
    "min": lambda value, _dx, _dt: value,
    "max": lambda value, _dx, _dt: value,
    "dx": lambda _value, dx, _dt: dx,
    "dxx": lambda _value, dx, _dt: dx * dx,
    "dt": lambda _value, _dx, dt: dt,
    "dtt": lambda _value, _dx, dt: dt * dt,
    "dtx": lambda _value, dx, dt: dt * dx,
}
_RELATIVE = frozenset({"dx", "dxx", "dtx"})


class Pool:
    """Rings of one size.

    Attributes:
        latest: [R, size] int64, time of the latest entry of each bucket.
        head: [R] int16, slot of the newest bucket.
    """

    def __init__(self, size: int, names: tuple[str, ...]) -> None:
        self.size = size
        self.used = 0
        self.free: list[int] = []
        self.latest = np.empty((0, size), dtype=np.int64)
        self.head = np.empty(0, dtype=np.int16)
        self.values = {name: np.empty((0, size)) for name in names}

    def take(self, count: int) -> Int64:
        """Return so many empty rings."""
        again = [self.free.pop() for _ in range(min(count, len(self.free)))]
        more = count - len(again)
        rows = np.concatenate(
            [np.array(again, dtype=np.int64), np.arange(self.used, self.used + more, dtype=np.int64)]
        )
        self.used += more
        if self.used > len(self.latest):
            room = max(self.used, len(self.latest) + len(self.latest) // 4)
            self.latest = grown(self.latest, room, EMPTY)
            self.head = grown(self.head, room, 0)
            self.values = {name: grown(array, room, 0.0) for name, array in self.values.items()}
        self.latest[rows] = EMPTY
        self.head[rows] = self.size - 1
        return rows

    def give_back(self, rows: Int64) -> None:
        """Let others have these rings."""
        self.free.extend(rows.tolist())

    @property
    def sparse(self) -> bool:
        """Whether most of the room is for rings that nobody has."""
        return len(self.free) > _LEAST_SPARSE and 2 * len(self.free) > self.used

    def compact(self, rows: Int32) -> None:
        """Keep these rings alone, in this order."""
        self.latest, self.head = self.latest[rows], self.head[rows]
        self.values = {name: array[rows] for name, array in self.values.items()}
        self.used, self.free = len(rows), []


#: Rings of one size among those of N lanes: which of the lanes (None: all), the pool, and its rows.
Rings = tuple[npt.NDArray[np.intp] | None, Pool, Int32]


@dataclass(slots=True)
class Grouped:
    """E entries of a batch, joined into G buckets; both stand by lane and then by time.

    Attributes:
        group: [E] int64, the entry's bucket.
        time: [E] int64.
        running: by accumulator, [E] float64, what the entry's bucket held once the entry was in.
        first: [G] int64, the bucket's first entry.
        last: [G] int64, the bucket's last entry.
        lane: [G] int64.
        oldest: [G] int64, the first bucket of the lane.
        merged: [G] bool, the bucket goes on where the lane's newest stood before.
    """

    group: Int64
    time: Int64
    running: dict[str, Float64]
    first: Int64
    last: Int64
    lane: Int64
    oldest: Int64
    merged: Bool


@dataclass(frozen=True, slots=True)
class _Begun:
    """Where buckets begin among entries; the names are those of `Grouped`."""

    group: Int64
    first: Int64
    lane: Int64
    merged: Bool


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where L lanes stand once E entries are in, [L] int64 each.

    Attributes:
        lane: different lanes.
        oldest: the lane's first bucket among those of the entries.
        newest: the lane's last.
        pushed: how many of them are new to its ring.
        merged: [L] bool, the first goes on where the lane's newest stood before.
    """

    lane: Int64
    oldest: Int64
    newest: Int64
    pushed: Int64
    merged: Bool

    def take(self, places: npt.NDArray[np.intp] | slice) -> "_Ends":
        """Return some of the lanes."""
        lane, oldest, newest = self.lane[places], self.oldest[places], self.newest[places]
        return _Ends(lane, oldest, newest, self.pushed[places], self.merged[places])


class Buckets:
    """The buckets of one signal and one length of window, for all lanes of a set."""

    def __init__(self, window_ms: int, parts: int, names: frozenset[str]) -> None:
        self.window_ms = window_ms
        self.width_ms = -(-window_ms // parts)
        # `first` comes before what is relative to it.
        self.names = tuple(sorted(names, key=lambda name: (name != "first", name)))
        self.pools: dict[int, Pool] = {}
        self._size: Int8 = np.empty(
            0, dtype=np.int8
        )  # by lane: binary logarithm of the ring's size, 0 for none
        self._row: Int32 = np.empty(0, dtype=np.int32)  # by lane

    def reserve(self, lanes: int) -> None:
        """Make room for so many lanes."""
        if lanes > len(self._size):
            self._size, self._row = grown(self._size, lanes, 0), grown(self._row, lanes, 0)

    def rings(self, lanes: Int64) -> list[Rings]:
        """Return the rings of N lanes, size by size; lanes that have none are left out."""
        if not len(self._size):
            return []
        sizes = self._size.take(lanes)
        if not len(sizes):
            return []
        first = int(sizes[0])
        if (sizes == first).all():
            return [(None, self.pools[1 << first], self._row.take(lanes))] if first else []
        found: list[Rings] = []
        for size in np.flatnonzero(np.bincount(sizes)).tolist():
            if size:
                places = np.flatnonzero(sizes == size)
                found.append((places, self.pools[1 << size], self._row[lanes[places]]))
        return found

    def newest(self, name: str | None, lanes: Int64, fill: float) -> npt.NDArray[Any]:
        """Return the newest bucket's accumulator, or its latest time where no name is given."""
        found = np.full(len(lanes), fill, dtype=np.int64 if name is None else np.float64)
        for places, pool, rows in self.rings(lanes):
            array = pool.latest if name is None else pool.values[name]
            found[slice(None) if places is None else places] = array[rows, pool.head[rows]]
        return found

    def group(self, lane: Int64, time: Int64, value: Float64, terms: Mapping[str, Float64]) -> Grouped:
        """Join entries into buckets, the first of each lane with the lane's newest where they share one.

        Args:
            lane: [E] int64, ascending.
            time: [E] int64, ascending within a lane and not before what the lane holds.
            value: [E] float64.
            terms: what entries say of accumulators that do not follow from their value, [E] float64 each.
        """
        number = time // self.width_ms
        begins_lane = np.empty(len(lane), dtype=np.bool_)
        begins = np.empty(len(lane), dtype=np.bool_)
        begins_lane[:1] = True
        begins_lane[1:] = lane[1:] != lane[:-1]
        begins[:1] = True
        begins[1:] = begins_lane[1:] | (number[1:] != number[:-1])
        first = np.flatnonzero(begins)
        group = np.cumsum(begins) - 1
        own = lane[first]
        of_lane = begins_lane[first]
        before = self.newest(None, own, EMPTY)
        merged = of_lane & (before != EMPTY) & (before // self.width_ms == number[first])
        dt = (time - number * self.width_ms).astype(np.float64)
        running = self._running(_Begun(group, first, own, merged), value, dt, terms)
        oldest = np.flatnonzero(of_lane)[np.cumsum(of_lane) - 1]
        last = np.append(first[1:], len(lane)) - 1
        return Grouped(group, time, running, first, last, own, oldest, merged)

    def _running(
        self, begun: "_Begun", value: Float64, dt: Float64, terms: Mapping[str, Float64]
    ) -> dict[str, Float64]:
        """Return, by accumulator, what each entry's bucket held once the entry was in."""
        group, first, lane, merged = begun.group, begun.first, begun.lane, begun.merged
        running: dict[str, Float64] = {}
        joins = bool(merged.any())
        dx = value
        if "first" in self.names:
            beginning = value[first]
            if joins:
                beginning = np.where(merged, self.newest("first", lane, 0.0), beginning)
            running["first"] = beginning[group]
            dx = value - running["first"]
        for name in self.names:
            if name == "first":
                continue
            if name == "last":
                running[name] = value
                continue
            term = terms[name] if name in terms else _TERMS[name](value, dx, dt)
            join = _JOINED[name]
            if joins:
                term = np.array(term)
                before = self.newest(name, lane[merged], 0.0)
                term[first[merged]] = join(before, term[first[merged]])
            running[name] = _accumulated(join, term, first)
        return running

    def add(self, lane: Int64, time: Int64, value: Float64, terms: Mapping[str, Float64]) -> None:
        """Keep one entry for each of E different lanes: `group` and `commit` at once, and faster.

        Args:
            lane: [E] int64.
            time: [E] int64, not before what the lane holds.
            value: [E] float64.
            terms: as for `group`.
        """
        self._begin(lane)
        number = time // self.width_ms
        crowded = []
        for places, pool, rows in self.rings(lane):
            chosen: slice | npt.NDArray[Any] = slice(None) if places is None else places
            own = number[chosen]
            latest = pool.latest.reshape(-1)
            base = rows.astype(np.int64) * pool.size
            head = pool.head.take(rows)
            merged = latest.take(base + head) // self.width_ms == own
            slot = np.where(merged, head, (head + 1) & (pool.size - 1))
            to = base + slot
            full = ~merged & (latest.take(to) > time[chosen] - self.window_ms)
            if full.any():
                every = np.arange(len(lane)) if places is None else places
                crowded.append(every[full])
                free = ~full
                chosen, own, to, merged = every[free], own[free], to[free], merged[free]
                pool.head[rows[free]] = slot[free]
            else:
                pool.head[rows] = slot
            latest[to] = time[chosen]
            self._add_values(
                pool,
                to,
                merged,
                (
                    value[chosen],
                    (time[chosen] - own * self.width_ms).astype(np.float64),
                    {name: term[chosen] for name, term in terms.items()},
                ),
            )
        for places in crowded:
            self._enlarge(lane[places])
            rest = {name: term[places] for name, term in terms.items()}
            self.add(lane[places], time[places], value[places], rest)

    def _add_values(
        self, pool: Pool, to: Int64, merged: Bool, entries: tuple[Float64, Float64, Mapping[str, Float64]]
    ) -> None:
        """Write what entries say into a pool.

        Args:
            pool: of the rings.
            to: [E] int64, slots of all its rings in a row.
            merged: [E] bool, joined with what stands there.
            entries: values, times relative to the buckets' beginnings, and terms as for `group`.
        """
        value, dt, terms = entries
        joins = bool(merged.any())
        dx = value
        for name in self.names:
            array = pool.values[name].reshape(-1)
            if name == "first":
                first = np.where(merged, array.take(to), value) if joins else value
                array[to] = first
                dx = value - first
            elif name == "last":
                array[to] = value
            else:
                term = terms[name] if name in terms else _TERMS[name](value, dx, dt)
                array[to] = np.where(merged, _JOINED[name](array.take(to), term), term) if joins else term

    def _begin(self, lanes: Int64) -> None:
        """Give lanes that have no ring one of the smallest."""
        fresh = self._size[lanes] == 0
        if fresh.any():
            self._place(lanes[fresh], _SMALLEST)

    def commit(self, grouped: Grouped) -> None:
        """Keep what was joined."""
        newest = np.flatnonzero(np.append(grouped.oldest[1:] != grouped.oldest[:-1], True))
        oldest = grouped.oldest[newest]
        merged = grouped.merged[oldest]
        ends = _Ends(grouped.lane[newest], oldest, newest, newest - oldest + ~merged, merged)
        latest = grouped.time[grouped.last]
        self._make_room(ends, latest)
        for places, pool, rows in self.rings(ends.lane):
            own = ends if places is None else ends.take(places)
            self._write(pool, rows, grouped, own)

    def _write(self, pool: Pool, rows: Int32, grouped: Grouped, ends: _Ends) -> None:
        """Write the buckets of lanes that have rings of one size, as many of the newest as they hold."""
        head = pool.head[rows].astype(np.int64)
        written = np.minimum(ends.pushed + ends.merged, pool.size)
        back = np.arange(written.sum()) - np.repeat(np.cumsum(written) - written, written)
        ring = np.repeat(rows, written)
        slot = (np.repeat(head + ends.pushed, written) - back) % pool.size
        entry = grouped.last[np.repeat(ends.newest, written) - back]
        pool.latest[ring, slot] = grouped.time[entry]
        for name, array in pool.values.items():
            array[ring, slot] = grouped.running[name][entry]
        pool.head[rows] = (head + ends.pushed) % pool.size

    def _make_room(self, ends: _Ends, latest: Int64) -> None:
        """Move lanes to larger rings until nothing that is still inside the window is overwritten.

        Args:
            ends: of the lanes.
            latest: by bucket of the entries, the time of its latest.
        """
        self._begin(ends.lane)
        while len(ends.lane):
            edge = latest[ends.newest] - self.window_ms
            size = np.int64(1) << self._size[ends.lane].astype(np.int64)
            # The latest time of the newest bucket that would be overwritten.
            lost = np.full(len(ends.lane), EMPTY)
            beyond = ends.newest - size
            of_entries = beyond >= ends.oldest
            lost[of_entries] = latest[beyond[of_entries]]
            for places, pool, rows in self.rings(ends.lane):
                chosen = np.arange(len(ends.lane)) if places is None else places
                kept = ~of_entries[chosen] & (ends.pushed[chosen] <= pool.size)
                slot = (pool.head[rows[kept]] + ends.pushed[chosen[kept]]) % pool.size
                lost[chosen[kept]] = pool.latest[rows[kept], slot]
            # A newest bucket that goes on among the entries is not lost where it stood.
            lost[ends.merged & (ends.pushed == 0)] = EMPTY
            ends = ends.take(np.flatnonzero(lost > edge))
            self._enlarge(ends.lane)

    def _place(self, lanes: Int64, size: int) -> Int64:
        pool = self.pools.get(size)
        if pool is None:
            pool = self.pools[size] = Pool(size, self.names)
        rows = pool.take(len(lanes))
        self._size[lanes] = size.bit_length() - 1
        self._row[lanes] = rows
        return rows

    def _enlarge(self, lanes: Int64) -> None:
        """Give lanes rings of twice the size, with what theirs held."""
        if not len(lanes):
            return
        for places, pool, rows in self.rings(lanes):
            movers = lanes if places is None else lanes[places]
            turn = (pool.head[rows].astype(np.int64)[:, None] + 1 + np.arange(pool.size)) % pool.size
            latest = pool.latest[rows[:, None], turn]
            values = {name: array[rows[:, None], turn] for name, array in pool.values.items()}
            pool.give_back(rows.astype(np.int64))
            to = self._place(movers, 2 * pool.size)
            larger = self.pools[2 * pool.size]
            larger.latest[to, : pool.size] = latest
            for name, array in values.items():
                larger.values[name][to, : pool.size] = array
            larger.head[to] = pool.size - 1
            self._tidy(pool)

    def _tidy(self, pool: Pool) -> None:
        """Give back the room of rings that lanes have left."""
        if pool.sparse:
            lanes = np.flatnonzero(self._size == pool.size.bit_length() - 1)
            pool.compact(self._row[lanes])
            self._row[lanes] = np.arange(len(lanes))

    def forget(self, lanes: Int64) -> None:
        """Start anew: the part behind these lanes was exchanged."""
        if not len(self._size):
            return
        for places, pool, rows in self.rings(lanes):
            pool.give_back(rows.astype(np.int64))
            self._size[lanes if places is None else lanes[places]] = 0

    # Saved states

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that is kept, by name; what stands in pools are views."""
        arrays: dict[str, npt.NDArray[Any]] = {"size": self._size, "row": self._row}
        for size, pool in self.pools.items():
            arrays[f"{size}/latest"] = pool.latest[: pool.used]
            arrays[f"{size}/head"] = pool.head[: pool.used]
            arrays[f"{size}/free"] = np.array(pool.free, dtype=np.int64)
            for name, array in pool.values.items():
                arrays[f"{size}/values/{name}"] = array[: pool.used]
        return arrays

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]], lanes: int) -> None:
        """Take up what `save` returned, unless other accumulators were kept then.

        Args:
            arrays: by name; they are ours from now on.
            lanes: for how many there is room.
        """
        sizes = {int(name.partition("/")[0]) for name in arrays if "/" in name}
        names = {name.rpartition("/")[2] for name in arrays if "/values/" in name}
        if sizes and names != set(self.names):
            return
        self._size, self._row = (grown(arrays[name][:lanes], lanes, 0) for name in ("size", "row"))
        for size in sizes:
            pool = self.pools[size] = Pool(size, self.names)
            pool.latest, pool.head = arrays[f"{size}/latest"], arrays[f"{size}/head"]
            pool.used = len(pool.latest)
            pool.free = arrays[f"{size}/free"].tolist()
            pool.values = {name: arrays[f"{size}/values/{name}"] for name in self.names}


def _accumulated(join: np.ufunc, term: Float64, first: Int64) -> Float64:
    """Return [E] float64: what is joined from the beginning of each entry's group up to it."""
    entries, groups = len(term), len(first)
    if entries == groups:
        return term
    length = np.diff(np.append(first, entries))
    longest = int(length.max())
    result = np.array(term)
    if groups <= longest:
        for begin, count in zip(first.tolist(), length.tolist(), strict=True):
            join.accumulate(term[begin : begin + count], out=result[begin : begin + count])
        return result
    for rank in range(1, longest):
        places = first[length > rank] + rank
        result[places] = join(result[places - 1], term[places])
    return result
