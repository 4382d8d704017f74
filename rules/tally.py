"""How many lanes a rule watches, by where it stands in them: what is shown of a rule over the fleet."""

from dataclasses import dataclass, field

import numpy as np

from rules.batch import Bool, Int64
from rules.lanes import LaneSet
from rules.lifecycle import State
from rules.model import Rule
from rules.rulelanes import RuleLanes

#: Of a quiet lane in which the rule has nothing to go by: no signal that it reads has a fresh value.
UNKNOWN = "unknown"
#: In the order of a rule's life.
TALLIED = (UNKNOWN, *(state.name.lower() for state in State))


@dataclass(slots=True)
class RuleTally:
    """Lanes of a rule by state; `states` has every one of `TALLIED`. Lanes of all classes are added up."""

    rule: Rule
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TALLIED, 0))

    @property
    def lanes(self) -> int:
        """In how many lanes the rule is evaluated."""
        return sum(self.states.values())

    def add(self, lanes: RuleLanes) -> None:
        """Add the lanes of one class. Costs a look at each lane and signal; conditions are not evaluated."""
        rows = lanes.watched(np.arange(lanes.lanes.size, dtype=np.int64))
        slots = lanes.standings.slots(rows)
        stand = slots >= 0
        states = lanes.standings.columns["state"][slots[stand]]
        for state, number in zip(State, np.bincount(states, minlength=len(State)).tolist(), strict=True):
            self.states[state.name.lower()] += number
        quiet = rows[~stand]
        parents = lanes.lanes.parents[quiet].astype(np.int64)
        now = lanes.devices.watermark[parents]
        known = np.zeros(len(quiet), dtype=np.bool_)
        own, outer = lanes.read
        for columns, of, at in ((own, lanes.lanes, quiet), (outer, lanes.devices.lanes, parents)):
            for column in columns:
                known |= _fresh(of, column, at, now)
        self.states[State.QUIET.name.lower()] += int(known.sum())
        self.states[UNKNOWN] += int((~known).sum())


def _fresh(lanes: LaneSet, column: int, rows: Int64, now: Int64) -> Bool:
    """Return [N] bool: the latest reading of a column is known and fresh at `now`, ms by lane."""
    signal = lanes.columns[column]
    if signal.derived:
        return np.zeros(len(rows), dtype=np.bool_)  # what it is worked out from is asked, too
    value, time = lanes.latest(column, rows)
    return signal.is_fresh(time, now) & ~np.isnan(value)
