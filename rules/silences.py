"""Signals that fell silent: noticed when time passes, and told at the time at which they were due."""

from collections.abc import Callable

import numpy as np

from rules.batch import Int64
from rules.bindings import Bindings, Silence
from rules.buckets import grown
from rules.devices import DeviceTable
from rules.lanes import NEVER
from rules.part import Part
from rules.points import Decided, Points
from rules.series import Series

_NEVER_DUE = int(np.iinfo(np.int64).max)


class Silences:
    """The silences that a rule asks for, in every lane of its set.

    A silence is due so long after the arrival of the last known reading, or of the lane's first message, and
    is told once. What the broker had kept from before is no sign of life, and so ends no silence.

    Attributes:
        fired: for each silence [capacity] int64, the due time that was told last.
    """

    def __init__(self, bindings: Bindings, devices: DeviceTable, capacity: int) -> None:
        self._bindings = bindings
        self._devices = devices
        self._lanes = bindings.lanes
        self.fired = [np.full(capacity, NEVER, dtype=np.int64) for _ in bindings.silences]
        self._soonest = NEVER  # before this moment nothing that is kept is due
        self._seen = 0

    def reserve(self, capacity: int) -> None:
        """Make room for more lanes."""
        if len(self.fired[0]) < capacity:
            self.fired = [grown(fired, capacity, NEVER) for fired in self.fired]

    def look_again(self) -> None:
        """Look at all lanes the next time: what was heard was moved, or the rule is for other devices."""
        self._soonest = NEVER

    def nothing_due(self, now: int) -> bool:
        """Return whether nothing can be due before `now`, known from the last look at all lanes."""
        return now <= self._soonest and self._seen == self._lanes.size

    def looked(self, now: int, soonest: int) -> None:
        """Note when the next silence may be due in any lane, of those that were told and speak again, too."""
        again = now + min(silence.window_ms for silence in self._bindings.silences)
        self._soonest, self._seen = min(soonest, again), self._lanes.size

    def next(self, rows: Int64, until: Int64, position: Int64, part: Part) -> tuple[Points, int]:
        """Return the next silence of each of N lanes that was due before `until`, and note that it was told.

        Returns:
            Where silences were due, and the soonest time at which one is due in the lanes where none was.
        """
        points = _unseen(part, rows)
        due = np.full(len(rows), _NEVER_DUE)
        deadlines = []
        for silence, fired in zip(self._bindings.silences, self.fired, strict=True):
            deadline = self._bindings.heard(silence, part, points) + silence.window_ms
            deadline = np.where(deadline == fired[rows], _NEVER_DUE, deadline)
            deadlines.append(deadline)
            due = np.minimum(due, deadline)
        now = due < until
        for deadline, fired in zip(deadlines, self.fired, strict=True):
            told = now & (deadline == due)
            fired[rows[told]] = due[told]
        lanes, arrival = rows[now], due[now]
        t = np.maximum(arrival, self._devices.watermark[self._lanes.parents[lanes]])
        where = position[now]
        decided = Decided(t, arrival, where, where - 1)
        silent = Points(part, lanes, np.full(len(lanes), -1), decided=decided)
        return silent, int(due[~now].min(initial=_NEVER_DUE))

    def candidates(self, part: Part, watched: Callable[[Int64], Int64]) -> Int64:
        """Return the lanes in which a silence may be due before a message of their device, ascending.

        Args:
            part: whose messages are noted and not kept yet.
            watched: which of some lanes the rule looks at.
        """
        children, _ = self._lanes.children(part.rows)
        lanes = np.sort(watched(children))
        places = np.searchsorted(part.rows, self._lanes.parents[lanes])
        last = part.arrival[part.ends[places] - 1]
        unseen = _unseen(part, lanes)
        found = np.zeros(len(lanes), dtype=np.bool_)
        for silence, fired in zip(self._bindings.silences, self.fired, strict=True):
            deadline = self._bindings.heard(silence, part, unseen) + silence.window_ms
            # What was told may be heard here and fall silent anew.
            told = (deadline == fired[lanes]) & (not self._is_read(silence, part))
            found |= (deadline < last) & ~told
        return lanes[found]

    def _is_read(self, silence: Silence, part: Part) -> bool:
        sources = ((self._lanes, silence.source.own), (self._devices.lanes, silence.source.outer))
        return any((s.kind, column) in part.series for s, column in sources if column is not None)

    def points(self, part: Part, touched: Points | None, candidates: Int64) -> Points:
        """Return where a rule looks that asks for silences: at every message, and when silences are due."""
        points = part.everywhere(self._lanes)
        if touched is not None:
            points = part.join(touched, points)
        silent = [entry for lane in candidates.tolist() for entry in self._told(part, lane)]
        rows = np.array(silent, dtype=np.int64).reshape(len(silent), 5)
        return _merged(part, points, rows)

    def _told(self, part: Part, lane: int) -> list[tuple[int, int, int, int, int]]:
        """Return (lane, message seen, t, arrival, position) of the silences of a lane, in order."""
        parent = int(self._lanes.parents[lane])
        place = int(np.searchsorted(part.rows, parent))
        begin, end = int(part.begins[place]), int(part.ends[place])
        unseen = _unseen(part, np.array([lane]))
        silences = self._bindings.silences
        heard = [int(self._bindings.heard(silence, part, unseen)[0]) for silence in silences]
        brings = [self._messages(part, silence, lane, parent) for silence in silences]
        watermark = int(self._devices.watermark[parent])
        found = []
        for message in range(begin, end):
            arrival = int(part.arrival[message])
            while True:
                due = [
                    (heard[k] + silence.window_ms, k)
                    for k, silence in enumerate(silences)
                    if heard[k] + silence.window_ms < arrival
                    and heard[k] + silence.window_ms != self.fired[k][lane]
                ]
                if not due:
                    break
                first = min(due)[0]
                for deadline, k in due:
                    if deadline == first:
                        self.fired[k][lane] = first
                position = int(part.position[message])
                found.append((lane, message - 1, max(first, watermark), first, position))
            for k, messages in enumerate(brings):
                if message in messages:
                    heard[k] = max(heard[k], arrival)
            watermark = int(part.t[message])
        return found

    def _messages(self, part: Part, silence: Silence, lane: int, parent: int) -> set[int]:
        """Return the live messages that bring a known reading of a silence's signal to a lane."""
        found: set[int] = set()
        sources = (
            (self._lanes, silence.source.own, lane),
            (self._devices.lanes, silence.source.outer, parent),
        )
        for lanes, column, row in sources:
            known = part.known(lanes, column) if column is not None else None
            if known is not None:
                series: Series = known.series
                begin, end = np.searchsorted(series.lane, [row, row + 1])
                messages = series.message[begin:end]
                if series.retained is not None:
                    messages = messages[~series.retained[begin:end]]
                found.update(messages.tolist())
        return found


def _unseen(part: Part, rows: Int64) -> Points:
    """Return lanes at a moment before all messages."""
    return Points(part, rows, np.full(len(rows), -1))


def _merged(part: Part, points: Points, silent: Int64) -> Points:
    """Return points, asked for, and silences by lane and in order.

    Args:
        part: whose messages are seen.
        points: by lane and in order.
        silent: [S, 5] int64, each a lane, the message that is seen, t, arrival and position; a silence comes
            after the message that was seen before it.
    """
    if not len(silent):
        return Points(part, points.lane, points.message, series=points.series)
    lane = np.concatenate([points.lane, silent[:, 0]])
    message = np.concatenate([points.message, silent[:, 1]])
    arrival = np.concatenate([points.arrival, silent[:, 3]])
    is_silence = np.arange(len(lane)) >= len(points)
    order = np.lexsort((arrival, is_silence, message, lane))
    decided = Decided(
        np.concatenate([points.t, silent[:, 2]]),
        arrival,
        np.concatenate([points.position, silent[:, 4]]),
        np.concatenate([points.upto, silent[:, 4] - 1]),
    )
    return Points(part, lane[order], message[order], decided=decided.take(order))
