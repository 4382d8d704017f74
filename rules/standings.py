"""Where a rule stands in the lanes in which it is not quiet; a lane that is quiet costs four bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Int32, Int64
from rules.buckets import grown
from rules.lanes import NEVER
from rules.lifecycle import State

_FIRST_SLOTS = 16
_COLUMNS: dict[str, tuple[type, int]] = {
    "lane": (np.int64, -1),
    "state": (np.int8, 0),
    "since": (np.int64, NEVER),
    "paused": (np.int64, NEVER),
    "suspected_at": (np.int64, NEVER),
    "ways": (np.int64, 0),
    "severity": (np.int8, 0),
    "flapping": (np.bool_, 0),
    "timer": (np.bool_, 0),
    "turned": (np.bool_, 0),
}


@dataclass(slots=True)
class Standing:
    """A rule in one lane.

    Attributes:
        state: a `State`.
        since: device time at which the running hold began, later by what it was paused, ms.
        paused: device time at which it was paused, ms.
        suspected_at: device time, ms.
        ways: a bit for each way of confirmation that holds.
        severity: of the fault: 0 for the rule's own, else the number of its step from 1.
        flapping: the lane changes too often to be believed.
        turns: when it became suspected or cleared, within the flapping window.
    """

    state: int = State.QUIET
    since: int = NEVER
    paused: int = NEVER
    suspected_at: int = NEVER
    ways: int = 0
    severity: int = 0
    flapping: bool = False
    turns: list[int] = field(default_factory=list)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to remember."""
        return self.state == State.QUIET and not self.flapping and not self.turns


class Standings:
    """The lanes in which a rule is not quiet.

    Attributes:
        columns: by name, one entry a slot; ``lane`` is -1 where a slot is free, ``timer`` says that the
            lane is looked at whenever its device speaks, ``turned`` that it has turned within the flapping
            window.
    """

    def __init__(self) -> None:
        self._slot: Int32 = np.empty(0, dtype=np.int32)  # by lane, -1 for quiet; empty while all are
        self._free: list[int] = []
        self._used = 0
        self._turns: dict[int, list[int]] = {}  # by lane
        self.columns: dict[str, npt.NDArray[Any]] = {
            name: np.empty(0, dtype=dtype) for name, (dtype, _) in _COLUMNS.items()
        }

    def __len__(self) -> int:
        return self._used - len(self._free)

    def slots(self, lanes: Int64) -> Int64:
        """Return [N] int64: the slots of lanes, which ascend, -1 for quiet ones."""
        if not self._used:
            return np.full(len(lanes), -1, dtype=np.int64)
        if not len(lanes) or lanes[-1] < len(self._slot):
            return self._slot.take(lanes).astype(np.int64)
        known = lanes < len(self._slot)
        found = np.full(len(lanes), -1, dtype=np.int64)
        found[known] = self._slot[lanes[known]]
        return found

    def timed(self) -> Int64:
        """Return the lanes in which a timer runs, ascending."""
        return np.sort(self.columns["lane"][: self._used][self.columns["timer"][: self._used]])

    def get(self, lane: int) -> Standing:
        """Return where the rule stands in a lane."""
        slot = int(self._slot[lane]) if lane < len(self._slot) else -1
        if slot < 0:
            return Standing()
        columns = self.columns
        return Standing(
            int(columns["state"][slot]),
            int(columns["since"][slot]),
            int(columns["paused"][slot]),
            int(columns["suspected_at"][slot]),
            int(columns["ways"][slot]),
            int(columns["severity"][slot]),
            bool(columns["flapping"][slot]),
            self._turns.get(lane, []),
        )

    def put(self, lane: int, standing: Standing, *, timer: bool, capacity: int) -> None:
        """Keep where the rule stands in a lane.

        Args:
            lane: its row.
            standing: to be kept.
            timer: whether the lane is looked at whenever its device speaks.
            capacity: for how many lanes there is room in their set.
        """
        slot = int(self._slot[lane]) if lane < len(self._slot) else -1
        if standing.quiet:
            self._turns.pop(lane, None)
            if slot >= 0:
                self._slot[lane] = -1
                self.columns["lane"][slot], self.columns["timer"][slot] = -1, False
                self._free.append(slot)
            return
        if slot < 0:
            slot = self._take(lane, capacity)
        if standing.turns:
            self._turns[lane] = standing.turns
        else:
            self._turns.pop(lane, None)
        columns = self.columns
        columns["turned"][slot] = bool(standing.turns)
        columns["state"][slot] = standing.state
        columns["since"][slot] = standing.since
        columns["paused"][slot] = standing.paused
        columns["suspected_at"][slot] = standing.suspected_at
        columns["ways"][slot] = standing.ways
        columns["severity"][slot] = standing.severity
        columns["flapping"][slot] = standing.flapping
        columns["timer"][slot] = timer

    def _take(self, lane: int, capacity: int) -> int:
        if lane >= len(self._slot):
            self._slot = grown(self._slot, capacity, -1)
        if self._free:
            slot = self._free.pop()
        else:
            slot, self._used = self._used, self._used + 1
            if slot >= len(self.columns["lane"]):
                room = max(_FIRST_SLOTS, 2 * slot)
                self.columns = {
                    name: grown(array, room, _COLUMNS[name][1]) for name, array in self.columns.items()
                }
        self._slot[lane] = slot
        self.columns["lane"][slot] = lane
        return slot

    # Saved states

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that is kept, by name."""
        used = np.flatnonzero(self.columns["lane"][: self._used] >= 0)
        arrays = {name: array[used] for name, array in self.columns.items()}
        lanes = sorted(self._turns)
        arrays["turns/lane"] = np.array(lanes, dtype=np.int64)
        arrays["turns/count"] = np.array([len(self._turns[lane]) for lane in lanes], dtype=np.int64)
        arrays["turns/at"] = np.array([at for lane in lanes for at in self._turns[lane]], dtype=np.int64)
        return arrays

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]], capacity: int) -> None:
        """Take up what `save` returned."""
        count = self._used = len(arrays["lane"])
        if count:
            self._slot = np.full(capacity, -1, dtype=np.int32)
            self._slot[arrays["lane"]] = np.arange(count)
        self.columns = {name: arrays[name].copy() for name in _COLUMNS}
        ends = np.cumsum(arrays["turns/count"])
        parts = np.split(arrays["turns/at"], ends[:-1]) if len(ends) else []
        self._turns = {
            lane: part.tolist() for lane, part in zip(arrays["turns/lane"].tolist(), parts, strict=True)
        }
