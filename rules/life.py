"""How a rule goes from one evaluation of a lane to the next, and what it says on the way."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Int8, Int64
from rules.findings import FindingKind
from rules.lifecycle import RUNNING, State, advance
from rules.model import HeldWay, Rule
from rules.points import Points
from rules.standings import Standing, Standings


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A rule's conditions at N points, [N] int8 each: 1 true, 0 false, -1 unknown.

    Attributes:
        when: of suspicion.
        clear: of its end; None stands for "`when` is false".
        also: second conditions of the confirmation, each with its bit; 0 for unknown, too.
        steps: of severities, most severe first.
    """

    when: Int8
    clear: Int8 | None
    also: list[tuple[int, Int8]]
    steps: list[Int8]

    def runs(self, lanes: Int64) -> list[int]:
        """Return for each point the end of its run: of those of its lane at which all say the same."""
        codes = [self.when, *[codes for _, codes in self.also], *self.steps]
        codes += [] if self.clear is None else [self.clear]
        turns = lanes[1:] != lanes[:-1]
        for code in codes:
            turns |= code[1:] != code[:-1]
        ends = np.append(np.flatnonzero(turns) + 1, len(lanes))
        lengths = np.diff(ends, prepend=0)
        found: list[int] = np.repeat(ends, lengths).tolist()
        return found

    def take(self, places: npt.NDArray[np.intp]) -> "Evaluated":
        """Return what they say at some of the points."""
        return Evaluated(
            self.when[places],
            None if self.clear is None else self.clear[places],
            [(bit, codes[places]) for bit, codes in self.also],
            [codes[places] for codes in self.steps],
        )


@dataclass(frozen=True, slots=True)
class Told:
    """Something to say at one of the points.

    Attributes:
        place: of the point.
        ways: a bit for each way of confirmation that holds.
        severity: as `Standing` has it.
        changes: turns within the flapping window.
    """

    place: int
    kind: FindingKind
    ways: int
    severity: int
    changes: int


@dataclass(frozen=True, slots=True)
class _Said:
    """`Evaluated` as lists, which are faster to go through one by one; `also` with the bits' values."""

    when: list[int]
    clear: list[int] | None
    also: list[tuple[int, list[int]]]
    steps: list[list[int]]


class Life:
    """What of a rule decides how it goes on; it keeps nothing of any lane.

    Attributes:
        times: whether a lane of it can have a timer, so that messages without its signals matter, too.
    """

    def __init__(self, rule: Rule, *, listens: bool) -> None:
        """Take what decides.

        Args:
            rule: whose life it is.
            listens: it asks for silences, whose times are those of arrival and may be ahead of the device's.
        """
        self._rule = rule
        self._listens = listens
        self._flapping = rule.flapping
        ways = rule.confirm.ways if rule.confirm else ()
        self._held = [(1 << bit, way.duration_ms) for bit, way in enumerate(ways) if isinstance(way, HeldWay)]
        self._all_held = sum(bit for bit, _ in self._held)
        self._names = (rule.severity, *(step.severity for step in rule.severities))
        self._simple = not ways and not rule.severities and rule.clear_when is None
        self.times = bool(rule.hold_ms or rule.clear_hold_ms or self._held or rule.flapping)

    def rests(self, points: Points, true: Bool, slots: Int64, standings: Standings) -> Bool:
        """Return [N] bool: all that is known of N different lanes so far is that they stay as they are.

        A quiet lane does where `when` is not true. Where it is, a hold that is not over goes on; and a lane
        that is suspected stays so, if nothing but `when` decides on the rule.
        """
        rests = ~true & (slots < 0)
        if self._flapping is not None or not len(standings):
            return rests
        columns = standings.columns
        state = columns["state"].take(slots, mode="clip")
        going = true & (slots >= 0)
        if self._simple:
            rests |= going & (state == State.SUSPECTED)
        if self._rule.hold_ms:
            ran = points.t - columns["since"].take(slots, mode="clip")
            rests |= going & (state == State.PENDING) & (ran < self._rule.hold_ms)
        return rests

    def stirred(self, points: Points, evaluated: Evaluated, standings: Standings) -> npt.NDArray[np.intp]:
        """Return the places at which something may change, of points in N different lanes.

        What is left out: quiet lanes without suspicion, holds that run and are not over, and suspected lanes
        whose ways and severity stay what they are.
        """
        slots = standings.slots(points.lane)
        known = slots >= 0
        columns = standings.columns
        when = evaluated.when
        if not len(columns["lane"]):
            return np.flatnonzero(when == 1)
        clear = evaluated.clear if evaluated.clear is not None else np.where(when < 0, when, 1 - when)
        state = np.where(known, columns["state"][slots], State.QUIET)
        ran = points.t - columns["since"][slots]
        rests = (state == State.QUIET) & (when != 1)
        rests |= (state == State.PENDING) & (when == 1) & (ran < self._rule.hold_ms)
        suspected = (state == State.SUSPECTED) & (clear != 1)
        suspected |= (state == State.CLEARING) & (clear == 1) & (ran < self._rule.clear_hold_ms)
        if suspected.any():
            suspected &= self._ways(points, evaluated, standings, slots) == columns["ways"][slots]
            if evaluated.steps:
                present = columns["severity"][slots]
                suspected &= _severities(evaluated.steps, present) == present
        rests |= suspected
        if self._flapping is not None:
            rests &= ~(known & (columns["turned"][slots] | columns["flapping"][slots]))
        return np.flatnonzero(~rests)

    def _ways(self, points: Points, evaluated: Evaluated, standings: Standings, slots: Int64) -> Int64:
        """Return [N] int64: the bits of the ways that hold in lanes that are suspected and stay so."""
        before = standings.columns["ways"][slots]
        ways = before & self._all_held
        for bit, codes in evaluated.also:
            ways |= np.where(codes == 1, 1 << bit, 0)
        lasted = points.t - standings.columns["suspected_at"][slots]
        for held, duration in self._held:
            ways |= np.where((evaluated.when >= 0) & (lasted >= duration), held, 0)
        return np.asarray(ways)

    def walk(self, points: Points, evaluated: Evaluated, standings: Standings, capacity: int) -> list[Told]:
        """Take lanes from point to point, keep where they end, and return what is to be said, in order."""
        told: list[Told] = []
        lanes, t, asked = points.lane.tolist(), points.t.tolist(), points.asked.tolist()
        said = _Said(
            evaluated.when.tolist(),
            None if evaluated.clear is None else evaluated.clear.tolist(),
            [(1 << bit, codes.tolist()) for bit, codes in evaluated.also],
            [codes.tolist() for codes in evaluated.steps],
        )
        ends = evaluated.runs(points.lane)
        place, count = 0, len(lanes)
        while place < count:
            lane = lanes[place]
            standing = standings.get(lane)
            known = not standing.quiet
            timer = self._timer(standing)
            while place < count and lanes[place] == lane:
                if not asked[place] and not timer:
                    place += 1
                    continue
                self._step(standing, place, t[place], said, told)
                known = known or not standing.quiet
                timer = self._timer(standing)
                place = self._next(standing, place, t, ends[place], said)
            if known:
                standings.put(lane, standing, timer=timer, capacity=capacity)
        return told

    def _next(self, standing: Standing, place: int, t: list[int], end: int, said: "_Said") -> int:
        """Return the next place at which something may change.

        Up to `end` all conditions say the same as at `place`, so until then only a hold that is over can
        change anything; or the same again, where suspicion and its end are true at once.
        """
        if end == place + 1 or self._listens or self._turns_back(standing, place, said):
            return place + 1
        dues = []
        if standing.state == State.PENDING:
            dues.append(standing.since + self._rule.hold_ms)
        elif standing.state == State.CLEARING:
            dues.append(standing.since + self._rule.clear_hold_ms)
        if standing.state >= State.SUSPECTED and said.when[place] >= 0:
            dues += [standing.suspected_at + d for bit, d in self._held if not standing.ways & bit]
        return bisect_left(t, min(dues), place + 1, end) if dues else end

    def _turns_back(self, standing: Standing, place: int, said: "_Said") -> bool:
        """Return whether the same conditions once more may change something at any time."""
        if standing.flapping or standing.turns:
            return True
        if standing.state == State.QUIET:
            return said.when[place] == 1
        return standing.state == State.SUSPECTED and said.clear is not None and said.clear[place] == 1

    def _timer(self, standing: Standing) -> bool:
        """Return whether the lane is looked at whenever its device speaks."""
        if RUNNING[standing.state] or standing.flapping:
            return True
        waits = standing.ways & self._all_held != self._all_held
        return waits and standing.state >= State.SUSPECTED

    def _step(self, standing: Standing, place: int, t: int, said: "_Said", told: list[Told]) -> None:
        when = said.when[place]
        was = standing.state >= State.SUSPECTED
        if not was:
            condition, need = when, self._rule.hold_ms
        else:
            need = self._rule.clear_hold_ms
            condition = (when if when < 0 else 1 - when) if said.clear is None else said.clear[place]
        standing.state, standing.since, standing.paused = advance(
            state=standing.state,
            since=standing.since,
            paused=standing.paused,
            condition=None if condition < 0 else condition == 1,
            t=t,
            need_ms=need,
        )
        now = standing.state >= State.SUSPECTED
        ways_before, severity_before = standing.ways, standing.severity
        if now and not was:
            standing.suspected_at, standing.severity = t, 0
        standing.ways = self._confirming(standing, place, t, said, was) if now else 0
        if now and said.steps:
            standing.severity = self._severity(standing.severity, place, said)
        if now != was and self._flapping is not None:
            standing.turns.append(t)
        changes = self._changes(standing, t)
        kinds: list[FindingKind] = []
        if now != was:
            kinds.append("suspected" if now else "cleared")
        elif now and ways_before != standing.ways:
            kinds.append("ways")
        if now and was and self._names[severity_before] != self._names[standing.severity]:
            kinds.append("severity")
        kinds += self._flaps(standing, changes)
        told.extend(Told(place, kind, standing.ways, standing.severity, changes) for kind in kinds)

    def _confirming(self, standing: Standing, place: int, t: int, said: "_Said", was: bool) -> int:
        """Return a bit for each way that holds. Having been held for its time stays so."""
        ways = 0
        for bit, codes in said.also:
            if codes[place] == 1:
                ways |= bit
        # An unknown condition is no ground to confirm on: stale readings never do.
        known = said.when[place] >= 0
        for held, duration in self._held:
            if (was and standing.ways & held) or (known and t - standing.suspected_at >= duration):
                ways |= held
        return ways

    def _severity(self, present: int, place: int, said: "_Said") -> int:
        """Return what the first condition that is true asks for; one that is unknown leaves all as it is."""
        for number, codes in enumerate(said.steps, start=1):
            if codes[place] < 0:
                return present
            if codes[place]:
                return number
        return 0

    def _changes(self, standing: Standing, t: int) -> int:
        if self._flapping is None or not standing.turns:
            return 0
        edge = t - self._flapping.window_ms
        # Not in order of time: a silence has the time of its arrival, which a device's clock may be behind.
        standing.turns = [turn for turn in standing.turns if turn > edge]
        return len(standing.turns)

    def _flaps(self, standing: Standing, changes: int) -> list[FindingKind]:
        """Return whether a lane begins to flap, or ceases to."""
        if self._flapping is None:
            return []
        if not standing.flapping and changes >= self._flapping.start:
            standing.flapping = True
            return ["flapping"]
        if standing.flapping and changes <= self._flapping.stop:
            standing.flapping = False
            return ["steady"]
        return []


def _severities(steps: list[Int8], present: Int8) -> Int8:
    """Return [N] int8: what `Life` makes of the conditions of severities, lane by lane."""
    result = np.zeros_like(present)
    open_yet = np.ones(len(present), dtype=np.bool_)
    for number, codes in enumerate(steps, start=1):
        result = np.where(open_yet & (codes == 1), number, result).astype(present.dtype)
        result = np.where(open_yet & (codes < 0), present, result)
        open_yet &= codes == 0
    return result
