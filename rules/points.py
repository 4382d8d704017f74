"""Where rules look: lanes at moments."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Int64

if TYPE_CHECKING:
    from rules.part import Part
    from rules.series import Series


class Points:
    """N evaluations: lanes at moments, by lane and then in their order.

    Attributes:
        lane: [N] int64.
        message: [N] int64, the last message of the part that is seen, -1 and below for none.
        series: what the points are the readings of, if they are just that.
    """

    def __init__(
        self,
        part: "Part",
        lane: Int64,
        message: Int64,
        *,
        series: "Series | None" = None,
        decided: "Decided | None" = None,
        asked: Bool | None = None,
    ) -> None:
        """Say where to look.

        Args:
            part: whose messages are seen.
            lane: lanes.
            message: the last message that each of them sees.
            series: the points are just its readings.
            decided: when and by what each is decided, where that is not the message that is seen.
            asked: evaluated whatever happened before; None is always, False only while a timer runs.
        """
        self._part = part
        self.lane = lane
        self.message = message
        self.series = series
        self._decided = decided
        self._asked = asked

    def __len__(self) -> int:
        return len(self.lane)

    @cached_property
    def t(self) -> Int64:
        """[N] int64, device time."""
        return self._part.t.take(self.message) if self._decided is None else self._decided.t

    @property
    def arrival(self) -> Int64:
        """[N] int64, arrival of what decides."""
        return self._part.arrival[self.message] if self._decided is None else self._decided.arrival

    @property
    def position(self) -> Int64:
        """[N] int64, row in the batch of what decides."""
        return self._part.position[self.message] if self._decided is None else self._decided.position

    @property
    def upto(self) -> Int64:
        """[N] int64, the last row of the batch that is seen of other devices."""
        return self.position if self._decided is None else self._decided.upto

    @property
    def asked(self) -> Bool:
        """[N] bool, evaluated whatever happened before; else only while a timer runs in the lane."""
        return np.ones(len(self.lane), dtype=np.bool_) if self._asked is None else self._asked

    def take(self, places: npt.NDArray[np.intp] | Bool) -> "Points":
        """Return some of them."""
        return Points(
            self._part,
            self.lane[places],
            self.message[places],
            decided=None if self._decided is None else self._decided.take(places),
            asked=None if self._asked is None else self._asked[places],
        )

    def of(self, lane: Int64) -> "Points":
        """Return the same moments in other lanes."""
        return Points(self._part, lane, self.message, decided=self._decided, asked=self._asked)


@dataclass(frozen=True, slots=True)
class Decided:
    """When and by what N points are decided; [N] int64 each."""

    t: Int64
    arrival: Int64
    position: Int64
    upto: Int64

    def take(self, places: npt.NDArray[np.intp] | Bool) -> "Decided":
        """Return some of them."""
        return Decided(self.t[places], self.arrival[places], self.position[places], self.upto[places])
