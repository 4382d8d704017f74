"""One rule over one lane set: its conditions compiled, where it stands, and the findings that come of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rules.batch import Bool, Float64, Int8, Int64
from rules.bindings import Bindings, Shared, Source, View
from rules.devices import DeviceTable
from rules.expression.compile import Condition, compile_condition
from rules.expression.tree import (
    Absent,
    Constant,
    LimitValue,
    PeerDistance,
    SignalValue,
    WindowValue,
    limits,
    walk,
)
from rules.findings import Finding, Observation
from rules.fingerprint import fingerprint
from rules.lanes import NEVER, LaneSet
from rules.life import Evaluated, Life, Told
from rules.lifecycle import State
from rules.model import AlsoWay, Rule, Severity
from rules.part import Part, distinct
from rules.peers import PeerBook
from rules.points import Points
from rules.schedules import inside
from rules.selector import fits, selects
from rules.signals import Catalogue
from rules.silences import Silences
from rules.standings import Standings
from rules.symbols import Channel, Symbols


class RuleLanes:
    """A rule's life in every lane of a set.

    Attributes:
        standings: where it is not quiet.
        devices: of the class.
        read: columns whose readings it is evaluated for: of its own lanes, and of the devices'.
        silences: what it must be told of when a signal falls silent; None when it asks for no silence.
    """

    def __init__(
        self,
        rule: Rule,
        lanes: LaneSet,
        devices: DeviceTable,
        *,
        peers: PeerBook,
        symbols: Symbols,
        catalogue: Catalogue,
    ) -> None:
        self.rule = rule
        self.lanes = lanes
        self.fingerprint = fingerprint(rule)
        self.devices = devices
        self._symbols = symbols
        self._catalogue = catalogue
        self._bindings = Bindings(lanes, devices, peers, symbols.texts, self.fingerprint)
        ways = rule.confirm.ways if rule.confirm else ()
        self._when = self._compiled(rule.when)
        self._clear = self._compiled(rule.clear_when) if rule.clear_when else None
        self._also = [
            (bit, self._compiled(way.condition)) for bit, way in enumerate(ways) if isinstance(way, AlsoWay)
        ]
        self._steps = [self._compiled(step.condition) for step in rule.severities]
        self._life = Life(rule, listens=bool(self._bindings.silences))
        self._observed = self._observed_signals()
        self.read = self._bindings.read()
        self.silences = Silences(self._bindings, devices, lanes.capacity) if self._bindings.silences else None
        self._ask_facts()
        self.standings = Standings()
        self._enabled = np.zeros(devices.lanes.capacity, dtype=np.bool_)
        self._due = _NONE  # lanes in which a silence may be due before a message of the part
        self._limits: dict[str, Float64] = {}  # by name, of each device, where overrides make a difference
        if rule.overrides:
            self._limits = {name: np.full(devices.lanes.capacity, value) for name, value in rule.limits}

    def _compiled(self, node: Any) -> Condition:
        return compile_condition(node, self._bindings, self._symbols.texts)

    def _ask_facts(self) -> None:
        rule = self.rule
        self._selective = any(name != "class" for name, _ in rule.selector)
        for selector in (rule.selector, *(override.selector for override in rule.overrides)):
            for name, _ in selector:
                if name not in ("class", "tenant"):
                    self.devices.know(name)
        if rule.schedule is not None:
            self.devices.know("time_zone")

    def _observed_signals(self) -> list[tuple[Channel, Source, Constant | LimitValue | None]]:
        """Return the signals whose values go with a finding: of the conditions first, then the evidence."""
        trees = [self.rule.when]
        trees += [
            way.condition
            for way in (self.rule.confirm.ways if self.rule.confirm else ())
            if isinstance(way, AlsoWay)
        ]
        named: dict[Channel, Constant | LimitValue | None] = {}
        for tree in trees:
            limit = limits(tree)
            for node in walk(tree):
                if isinstance(node, SignalValue | WindowValue | Absent | PeerDistance):
                    key = (node.signal, node.component)
                    named.setdefault(Channel(*key), limit.get(key))
        for signal in self.rule.evidence:
            named.setdefault(Channel.parse(signal), None)
        return [
            (channel, self._bindings.source(channel.signal, channel.component), limit)
            for channel, limit in named.items()
        ]

    def reserve(self) -> None:
        """Grow with the lane sets."""
        if self.silences is not None:
            self.silences.reserve(self.lanes.capacity)
        more = self.devices.lanes.capacity - len(self._enabled)
        if more > 0:
            self._enabled = np.pad(self._enabled, (0, more))
            for name, value in self.rule.limits:
                if name in self._limits:
                    self._limits[name] = np.pad(self._limits[name], (0, more), constant_values=value)

    def select(self, rows: Int64) -> None:
        """Decide anew for devices whether the rule is for them, and within which limits."""
        if not self._selective:
            self._enabled[rows] = True
        if not self._selective and not self._limits:
            return
        if self.silences is not None:
            self.silences.look_again()
        for one, alike in self.devices.alike(rows):
            device, facts = self.devices.ids[one], self.devices.stated[one]
            if self._selective:
                self._enabled[alike] = selects(self.rule, device, facts)
            if self._limits:
                values = dict(self.rule.limits)
                for override in self.rule.overrides:
                    if fits(override.selector, device, facts):
                        values.update(override.limits)
                for name, value in values.items():
                    self._limits[name][alike] = value

    def _limit(self, name: str, rows: Int64) -> Float64 | float:
        """Return a threshold for devices."""
        found = self._limits.get(name)
        return dict(self.rule.limits)[name] if found is None else found[rows]

    def watched(self, rows: Int64) -> Int64:
        """Return those of N different lanes for which the rule is evaluated at all."""
        keep = self._enabled[self.lanes.parents[rows]] & self.lanes.member[rows]
        return rows if keep.all() else rows[keep]

    # Evaluation

    def count(self, part: Part) -> list[int]:
        """Note the truth of counted conditions wherever one of their signals is read; return the columns."""
        noted = []
        for counted in self._bindings.counted:
            points = part.points(self.lanes, counted.own, counted.outer)
            if points is None or not len(points):
                continue
            view = View(self._bindings, self._limit, part, points)
            true, false = counted.condition.true(view), counted.condition.false(view)
            truth = np.where(true, 1.0, np.where(false, 0.0, np.nan))
            part.read(self.lanes, counted.column, points.lane, points.message, truth)
            noted.append(counted.column)
        return noted

    def evaluate(self, part: Part, findings: list[Finding]) -> None:
        """Evaluate the lanes that messages touch, whose timer runs, or in which a signal fell silent."""
        points = part.points(self.lanes, *self.read)
        shared: Shared | None = None
        if self.silences is not None:
            points = self.silences.points(part, points, self._due)
        elif points is not None:
            shared = part.shared(self.lanes, *self.read)
        timed = self._timed(part)
        if points is None:
            if len(timed):
                whole = part.whole(self.lanes, timed)
                points = part.join(whole.take(_NOWHERE), whole)
                self._walk(part, self._view(part, points), findings)
            return
        if self._selective:
            enabled = self._enabled[self.lanes.parents[points.lane]]
            if not enabled.all():
                points, shared = points.take(enabled), None
        self._look(part, points, shared, timed, findings)

    def listen(self, part: Part) -> bool:
        """Return whether a signal fell silent before a message of a part that is noted and not kept yet."""
        if self.silences is None:
            return False
        self._due = self.silences.candidates(part, self.watched)
        return bool(len(self._due))

    def _timed(self, part: Part) -> Int64:
        """Return the lanes of devices that speak in which a timer runs."""
        if not len(self.standings) or self.silences is not None or not self._life.times:
            return _NONE
        return self.watched(part.of_devices(self.lanes, self.standings.timed()))

    def _look(
        self, part: Part, points: Points, shared: Shared | None, timed: Int64, findings: list[Finding]
    ) -> None:
        """Evaluate at points, and at all messages of lanes whose timer runs or may begin to run."""
        view = View(self._bindings, self._limit, part, points, shared=shared)
        true = self._when.true(view)
        if true.any() and self.rule.schedule is not None:
            true = true & self._inside(points)
        slots = self.standings.slots(points.lane)
        if part.kept:
            # No device speaks twice and none fell silent before: each lane has one point, and those that
            # are looked at for their timers alone are others.
            places = np.flatnonzero(~self._life.rests(points, true, slots, self.standings))
            if len(places):
                self._walk(part, view.take(places), findings)
            if len(timed) and len(points):
                places = np.minimum(np.searchsorted(points.lane, timed), len(points) - 1)
                timed = timed[points.lane[places] != timed]
            if len(timed):
                self._walk(part, self._view(part, part.whole(self.lanes, timed)), findings)
            return
        places = np.flatnonzero(true | (slots >= 0))
        lanes = distinct(np.concatenate([points.lane[places], timed]))
        if not len(lanes):
            return
        nearest = np.minimum(np.searchsorted(lanes, points.lane), len(lanes) - 1)
        chosen = points.take(lanes[nearest] == points.lane)
        if self._life.times and self.silences is None:
            chosen = part.join(chosen, part.whole(self.lanes, lanes))
        self._walk(part, self._view(part, chosen), findings)

    def fall_silent(self, rows: Int64, until: Int64, position: Int64, findings: list[Finding]) -> int:
        """Evaluate the lanes in which a signal fell silent before `until`, each time that one did, in order.

        Args:
            rows: [N] int64, different lanes.
            until: [N] int64, arrival time.
            position: [N] int64, row of the batch before which the silence is noticed.
            findings: where findings go.

        Returns:
            The soonest time at which another signal may fall silent in these lanes.
        """
        assert self.silences is not None
        nothing = Part.nothing()
        while True:
            points, soonest = self.silences.next(rows, until, position, nothing)
            if not len(points):
                return soonest
            order = np.argsort(points.lane)
            self._walk(nothing, self._view(nothing, points.take(order)), findings)

    def pass_time(self, now: int, position: int, findings: list[Finding]) -> None:
        """Evaluate all lanes in which a signal fell silent before `now`, arrival time."""
        if self.silences is None or self.silences.nothing_due(now):
            return
        rows = self.watched(np.arange(self.lanes.size, dtype=np.int64))
        everywhere = np.full(len(rows), position)
        soonest = self.fall_silent(rows, np.full(len(rows), now), everywhere, findings)
        self.silences.looked(now, soonest)

    def _view(self, part: Part, points: Points) -> View:
        return View(self._bindings, self._limit, part, points)

    def _inside(self, points: Points) -> Bool:
        """Return [N] bool: the schedule lets the rule look."""
        schedule = self.rule.schedule
        if schedule is None:
            return np.ones(len(points), dtype=np.bool_)
        zones = self.devices.fact("time_zone", "text")[self.lanes.parents[points.lane]]
        return inside(schedule, zones, self._symbols.texts, points.t)

    def _walk(self, part: Part, view: View, findings: list[Finding]) -> None:
        """Take the lanes from one evaluation to the next."""
        points = view.points
        if not len(points):
            return
        inside = self._inside(points) if self.rule.schedule is not None else None
        evaluated = Evaluated(
            when=_codes(self._when, view, inside),
            clear=_codes(self._clear, view, inside) if self._clear else None,
            also=[(bit, _truths(also, view, inside)) for bit, also in self._also],
            steps=[_codes(step, view, inside) for step in self._steps],
        )
        if part.kept:
            # Each lane stands here once, and for most of them this evaluation changes nothing.
            stirred = self._life.stirred(points, evaluated, self.standings)
            if not len(stirred):
                return
            points, evaluated = points.take(stirred), evaluated.take(stirred)
        told = self._life.walk(points, evaluated, self.standings, self.lanes.capacity)
        if told:
            self._tell(part, points, told, findings)

    def _tell(self, part: Part, points: Points, told: list[Told], findings: list[Finding]) -> None:
        places = np.array([step.place for step in told])
        seen = points.take(places)
        observations = self._observe(part, seen)
        ways = len(self.rule.confirm.ways) if self.rule.confirm else 0
        findings.extend(
            Finding(
                kind=step.kind,
                position=int(seen.position[index]),
                at=int(seen.t[index]),
                arrival=int(seen.arrival[index]),
                rule=self.rule,
                device=self.devices.ids[int(self.lanes.parents[seen.lane[index]])],
                component=self.component(int(seen.lane[index])),
                ways=tuple(bool(step.ways >> bit & 1) for bit in range(ways)),
                observations=observations[index],
                severity=self.severity(step.severity),
                changes=step.changes,
            )
            for index, step in enumerate(told)
        )

    def severity(self, number: int) -> Severity:
        """Return the severity of a number as `Standing` has it."""
        return self.rule.severities[number - 1].severity if number else self.rule.severity

    def component(self, row: int) -> str:
        """Return the component of a lane, ``""`` for a device's own."""
        if self.lanes.parent is None:
            return ""
        return self._symbols.components[int(self.lanes.ordinal[row])]

    def _observe(self, part: Part, points: Points) -> list[tuple[Observation, ...]]:
        """Return the values behind findings at points; signals that were never reported are left out."""
        found: list[list[Observation]] = [[] for _ in range(len(points))]
        view = self._view(part, points)
        for channel, source, limit in self._observed:
            value, time, own = view.reported(source)
            for index, (number, at, is_own) in enumerate(
                zip(value.tolist(), time.tolist(), own.tolist(), strict=True)
            ):
                if at == NEVER:
                    continue
                component = self.component(int(points.lane[index])) if is_own else channel.component
                found[index].append(
                    Observation(
                        signal=str(Channel(channel.signal, component)),
                        at=at,
                        value=self._plain(channel.signal, number),
                        limit=self._plain_limit(limit, int(points.lane[index])),
                    )
                )
        return [tuple(observations) for observations in found]

    def _plain_limit(self, limit: Constant | LimitValue | None, lane: int) -> float | bool | str | None:
        if isinstance(limit, LimitValue):
            row = self.lanes.parents[lane : lane + 1].astype(np.int64)
            return float(np.ravel(self._limit(limit.name, row))[0])
        return None if limit is None else limit.value

    def _plain(self, signal: str, value: float) -> float | bool | str | None:
        """Return a value of a column as devices spell it."""
        if np.isnan(value):
            return None
        entry = self._catalogue.get(signal)
        if entry is not None and entry.kind == "boolean":
            return value != 0.0
        if entry is not None and entry.kind == "text":
            return self._symbols.texts[int(value)]
        return value

    def begun(self, row: int) -> int | None:
        """Return when the lane was suspected, or when the hold that runs began; None while it is quiet."""
        standing = self.standings.get(row)
        if standing.state == State.QUIET:
            return None
        return standing.suspected_at if standing.state == State.SUSPECTED else standing.since

    # Saved states

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """Return where the rule stands, by name."""
        arrays = self.standings.save()
        if self.silences is not None:
            for number, fired in enumerate(self.silences.fired):
                arrays[f"fired/{number}"] = fired[: self.lanes.size]
        return arrays

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take up what `save` returned."""
        self.standings.restore(arrays, self.lanes.capacity)
        if self.silences is not None:
            for number, fired in enumerate(self.silences.fired):
                fired[: self.lanes.size] = arrays[f"fired/{number}"]


_NONE = np.empty(0, dtype=np.int64)
_NOWHERE = np.empty(0, dtype=np.intp)


def _codes(condition: Condition, view: View, inside: Bool | None) -> Int8:
    """Return a condition as 1, 0 and -1 for unknown; outside of its schedule a rule knows nothing."""
    codes = condition.codes(view)
    if inside is not None:
        codes[~inside] = -1
    return codes


def _truths(condition: Condition, view: View, inside: Bool | None) -> Int8:
    """Return a condition as 1 where it is true, else 0."""
    true = condition.true(view)
    return (true if inside is None else true & inside).astype(np.int8)
