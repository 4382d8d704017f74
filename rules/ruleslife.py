"""How a rule goes from one evaluation of a lane to the next, and what it says on the way."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.findings import FindingKind
from rules.lifecycle import RUNNING, State, advance
from rules.model import HeldWay, Rule
from rules.part import Points
from rules.standings import Standing, Standings

#: What a condition says at each of N points; None is unknown.
Codes = list[bool | None]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A rule's conditions at N points.

    Attributes:
        when: of suspicion.
        clear: of its end; None stands for "`when` is false".
        also: second conditions of the confirmation, each with its bit.
        steps: of severities, most severe first.
    """

    when: Codes
    clear: Codes | None
    also: list[tuple[int, Codes]]
    steps: list[Codes]


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


class Life:
    """What of a rule decides how it goes on; it keeps nothing of any lane.

    Attributes:
        times: whether a lane of it can have a timer, so that messages without its signals matter, too.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._flapping = rule.flapping
        ways = rule.confirm.ways if rule.confirm else ()
        self._held = [(1 << bit, way.duration_ms) for bit, way in enumerate(ways) if isinstance(way, HeldWay)]
        self._all_held = sum(bit for bit, _ in self._held)
        self._names = (rule.severity, *(step.severity for step in rule.severities))
        self.times = bool(rule.hold_ms or rule.clear_hold_ms or self._held or rule.flapping)

    def walk(self, points: Points, evaluated: Evaluated, standings: Standings, capacity: int) -> list[Told]:
        """Take lanes from point to point, keep where they end, and return what is to be said, in order."""
        told: list[Told] = []
        lanes, t, asked = points.lane.tolist(), points.t.tolist(), points.asked.tolist()
        place, count = 0, len(lanes)
        while place < count:
            lane = lanes[place]
            standing = standings.get(lane)
            known = not standing.quiet
            timer = self._timer(standing)
            while place < count and lanes[place] == lane:
                if asked[place] or timer:
                    before = len(told)
                    self._step(standing, place, t[place], evaluated, told)
                    if before != len(told) or standing.state != State.QUIET:
                        known = True
                    timer = self._timer(standing)
                place += 1
            if known:
                standings.put(lane, standing, timer=timer, capacity=capacity)
        return told

    def _timer(self, standing: Standing) -> bool:
        """Return whether the lane is looked at whenever its device speaks."""
        if RUNNING[standing.state] or standing.flapping:
            return True
        waits = standing.ways & self._all_held != self._all_held
        return waits and standing.state >= State.SUSPECTED

    def _step(self, standing: Standing, place: int, t: int, evaluated: Evaluated, told: list[Told]) -> None:
        when = evaluated.when[place]
        was = standing.state >= State.SUSPECTED
        if not was:
            condition, need = when, self._rule.hold_ms
        else:
            need = self._rule.clear_hold_ms
            if evaluated.clear is not None:
                condition = evaluated.clear[place]
            else:
                condition = None if when is None else not when
        standing.state, standing.since, standing.paused = advance(
            state=standing.state,
            since=standing.since,
            paused=standing.paused,
            condition=condition,
            t=t,
            need_ms=need,
        )
        now = standing.state >= State.SUSPECTED
        ways_before, severity_before = standing.ways, standing.severity
        if now and not was:
            standing.suspected_at, standing.severity = t, 0
        standing.ways = self._confirming(standing, place, t, evaluated, was) if now else 0
        if now and evaluated.steps:
            standing.severity = self._severity(standing.severity, place, evaluated)
        if now != was and self._flapping is not None:
            standing.turns.append(t)
        changes = self._changes(standing, t)
        for kind in self._kinds(standing, was, now, ways_before, severity_before, changes):
            told.append(Told(place, kind, standing.ways, standing.severity, changes))

    def _confirming(self, standing: Standing, place: int, t: int, evaluated: Evaluated, was: bool) -> int:
        """Return a bit for each way that holds. Having been held for its time stays so."""
        ways = 0
        for bit, codes in evaluated.also:
            if codes[place]:
                ways |= 1 << bit
        # An unknown condition is no ground to confirm on: stale readings never do.
        known = evaluated.when[place] is not None
        for held, duration in self._held:
            if (was and standing.ways & held) or (known and t - standing.suspected_at >= duration):
                ways |= held
        return ways

    def _severity(self, present: int, place: int, evaluated: Evaluated) -> int:
        """Return what the first condition that is true asks for; one that is unknown leaves all as it is."""
        for number, codes in enumerate(evaluated.steps, start=1):
            if codes[place] is None:
                return present
            if codes[place]:
                return number
        return 0

    def _changes(self, standing: Standing, t: int) -> int:
        if self._flapping is None or not standing.turns:
            return 0
        edge = t - self._flapping.window_ms
        if standing.turns[0] <= edge:
            standing.turns = [turn for turn in standing.turns if turn > edge]
        return len(standing.turns)

    def _kinds(
        self, standing: Standing, was: bool, now: bool, ways: int, severity: int, changes: int
    ) -> Iterator[FindingKind]:
        if now != was:
            yield "suspected" if now else "cleared"
        elif now and ways != standing.ways:
            yield "ways"
        if now and was and self._names[severity] != self._names[standing.severity]:
            yield "severity"
        if self._flapping is None:
            return
        if not standing.flapping and changes >= self._flapping.start:
            standing.flapping = True
            yield "flapping"
        elif standing.flapping and changes <= self._flapping.stop:
            standing.flapping = False
            yield "steady"
