"""The engine: batches of readings in, findings out.

A batch is cut into waves in which a device stands once; a wave is taken class by class: clocks, then all
readings, then every rule that one of them touches or whose timer runs, each for all its lanes at once. So the
result is the same whatever the order of devices and wherever the stream was cut into batches: rows of
different devices do not meet, and those of one device are taken in their order.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rules.batch import Bool, Float64, Int64, ReadingBatch
from rules.devices import DeviceTable
from rules.findings import Finding
from rules.lanes import NEVER, LaneSet
from rules.lifecycle import State
from rules.loader import RuleSet
from rules.model import DEVICE_CLASSES, Rule
from rules.rulelanes import RuleLanes
from rules.selector import classes_of
from rules.snapshot import (
    Arrays,
    Renumbering,
    restore_devices,
    restore_lanes,
    restore_rule,
    save_devices,
    save_lanes,
    save_rule,
    save_symbols,
)
from rules.symbols import DeviceId, Symbols


@dataclass(frozen=True, slots=True)
class FactsUpdate:
    """What a device says of itself, between the messages of a batch.

    Attributes:
        position: how many messages of the batch came before it.
        device: number in `Symbols.devices`.
        arrival: ms.
    """

    position: int
    device: int
    arrival: int
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch led to.

    Attributes:
        findings: in order of position, arrival, rule and lane.
        late: [M] bool, the message was older than its device's watermark and was not evaluated.
        repeated: [M] bool, the message was not newer than the watermark: its readings may have come before.
    """

    findings: list[Finding]
    late: Bool
    repeated: Bool


@dataclass(frozen=True, slots=True)
class RuleStanding:
    """Where a rule stands in a lane.

    Attributes:
        component: of the lane, ``""`` for the device's own.
        since: device time, ms: of the suspicion, or when the hold that runs began, later by what it was
            paused; None while the rule is quiet.
    """

    rule: Rule
    component: str
    state: State
    since: int | None


@dataclass(slots=True)
class _Route:
    """Where the readings of a channel go in one class."""

    column: int | None
    watchers: list[RuleLanes]
    components: list[tuple[LaneSet, int | None, bool, list[RuleLanes]]]
    component: int


@dataclass(slots=True)
class _Class:
    """All that is kept of the devices of one class."""

    devices: DeviceTable
    sets: dict[str, LaneSet]
    rules: list[RuleLanes]
    routes: dict[int, _Route] = field(default_factory=dict)

    def reserve(self) -> None:
        for rule in self.rules:
            rule.reserve()

    def hear_silences(self, rows: Int64, arrival: Int64, positions: Int64, findings: list[Finding]) -> None:
        """Tell what fell silent in N different devices before each of them speaks now.

        Args:
            rows: [N] int64, devices.
            arrival: [N] int64, when they speak.
            positions: [N] int64, where in the batch.
            findings: where findings go.
        """
        listening = [rule for rule in self.rules if rule.listens]
        if not listening:
            return
        clock = _Clock.of(self.devices.lanes.capacity, rows, arrival, arrival, positions)
        for rule in listening:
            lanes = rule.watched(rule.lanes.children(rows))
            parents = rule.lanes.parents[lanes]
            rule.fall_silent(lanes, clock.arrival[parents], clock.position[parents], findings)


@dataclass(slots=True)
class _Clock:
    """The times of the devices that speak in a wave, by device row."""

    t: Int64
    arrival: Int64
    position: Int64

    @classmethod
    def of(cls, capacity: int, rows: Int64, t: Int64, arrival: Int64, position: Int64) -> "_Clock":
        clock = cls(*(np.zeros(capacity, dtype=np.int64) for _ in range(3)))
        clock.t[rows], clock.arrival[rows], clock.position[rows] = t, arrival, position
        return clock


class Engine:
    """Evaluates a rule set over the devices that speak to it."""

    def __init__(self, ruleset: RuleSet, symbols: Symbols) -> None:
        self.ruleset = ruleset
        self._symbols = symbols
        self._classes = {name: self._build_class(name) for name in DEVICE_CLASSES}
        self._row = np.empty(0, dtype=np.int64)  # by device number, -1 before its first word
        self._class_number = np.empty(0, dtype=np.int64)  # by device number, index in DEVICE_CLASSES
        self._now = NEVER

    def _build_class(self, device_class: str) -> _Class:
        rules = tuple(rule for rule in self.ruleset.rules if device_class in classes_of(rule))
        catalogue = self.ruleset.catalogue
        devices = DeviceTable(device_class, catalogue, self._symbols.texts)
        sets = {"": devices.lanes}
        for kind in sorted({rule.each for rule in rules} - {""}):
            sets[kind] = LaneSet(device_class, kind, devices.lanes, catalogue)
        return _Class(
            devices, sets, [RuleLanes(r, sets[r.each], devices, self._symbols, catalogue) for r in rules]
        )

    def apply(self, batch: ReadingBatch, facts: Sequence[FactsUpdate] = ()) -> Applied:
        """Take in a batch, with what devices say of themselves between its messages."""
        late = np.zeros(len(batch), dtype=np.bool_)
        repeated = np.zeros(len(batch), dtype=np.bool_)
        findings: list[Finding] = []
        begin = np.searchsorted(batch.message, np.arange(len(batch) + 1))
        with np.errstate(all="ignore"):
            for messages, updates in _waves(batch, facts):
                for update in updates:
                    self._state_facts(update, findings)
                for device_class, rows, positions in self._by_class(batch, messages):
                    wave = _Wave(self, batch, begin, device_class, findings)
                    wave.run(rows, positions, late, repeated)
            if len(batch):
                self._tick(int(batch.arrival[-1]), len(batch), findings)
        findings.sort(key=_order)
        return Applied(findings, late, repeated)

    def tick(self, now: int) -> list[Finding]:
        """Let arrival time pass: signals may have fallen silent before `now`."""
        findings: list[Finding] = []
        with np.errstate(all="ignore"):
            self._tick(now, 0, findings)
        findings.sort(key=_order)
        return findings

    def not_listening(self, gap_ms: int) -> None:
        """Leave a span of arrival time out of every silence: the gateway itself was not listening."""
        for device_class in self._classes.values():
            for lanes in device_class.sets.values():
                for heard in (lanes.first_heard, *lanes.heard.values()):
                    heard[heard != NEVER] += gap_ms

    def states(self, device: DeviceId) -> list[RuleStanding]:
        """Return where each rule that is for a device stands in each of its lanes."""
        number = self._symbols.devices.index.get(device, len(self._row))
        if number >= len(self._row) or self._row[number] < 0:
            return []
        row = self._row[number : number + 1]
        return [
            RuleStanding(rule.rule, rule.component(lane), State(int(rule.state[lane])), rule.begun(lane))
            for rule in self._classes[device.device_class].rules
            for lane in rule.watched(rule.lanes.children(row)).tolist()
        ]

    def snapshot(self) -> tuple[Arrays, dict[str, Any]]:
        """Return all state: arrays by path, and a document that JSON can hold. The arrays are views."""
        arrays: Arrays = {"now": np.array([self._now])}
        document: dict[str, Any] = {"symbols": save_symbols(self._symbols), "classes": {}}
        for name, device_class in self._classes.items():
            for kind, lanes in device_class.sets.items():
                save_lanes(lanes, f"{name}/{kind}", arrays)
            for rule in device_class.rules:
                save_rule(rule, name, arrays)
            document["classes"][name] = save_devices(device_class.devices, name, arrays)
        return arrays, document

    def restore(self, arrays: Arrays, document: dict[str, Any]) -> None:
        """Take up a saved state; the engine is new. Rules that were not saved start quiet."""
        numbers = Renumbering(document["symbols"], self._symbols)
        texts = frozenset(signal.name for signal in self.ruleset.catalogue if signal.kind == "text")
        self._now = int(arrays["now"][0])
        self._row = np.full(len(self._symbols.devices), -1, dtype=np.int64)
        self._class_number = np.full(len(self._symbols.devices), -1, dtype=np.int64)
        for index, (name, device_class) in enumerate(self._classes.items()):
            for kind, lanes in device_class.sets.items():
                restore_lanes(lanes, f"{name}/{kind}", arrays, texts, numbers)
            devices = device_class.devices
            restore_devices(devices, name, arrays, document["classes"][name], self._symbols)
            device_class.reserve()
            rows = np.arange(devices.lanes.size, dtype=np.int64)
            self._row[devices.lanes.ordinal[rows]] = rows
            self._class_number[devices.lanes.ordinal[rows]] = index
            for rule in device_class.rules:
                rule.select(rows)
                restore_rule(rule, name, arrays)

    def _tick(self, now: int, position: int, findings: list[Finding]) -> None:
        self._now = max(self._now, now)
        for device_class in self._classes.values():
            for rule in device_class.rules:
                if rule.listens and rule.lanes.size:
                    rows = rule.watched(np.arange(rule.lanes.size, dtype=np.int64))
                    until = np.full(len(rows), self._now)
                    rule.fall_silent(rows, until, np.full(len(rows), position), findings)

    def _by_class(self, batch: ReadingBatch, messages: Int64) -> Iterator[tuple[_Class, Int64, Int64]]:
        """Yield class, device rows and message positions of a wave; devices that are new get their row."""
        numbers = batch.device[messages].astype(np.int64)
        rows = self._rows(numbers, batch.arrival[messages])
        classes = self._class_number[numbers]
        for index, name in enumerate(DEVICE_CLASSES):
            chosen = classes == index
            if chosen.any():
                yield self._classes[name], rows[chosen], messages[chosen]

    def _rows(self, numbers: Int64, arrival: Int64) -> Int64:
        """Return the rows of different devices in their class, made where there was none."""
        missing = len(self._symbols.devices) - len(self._row)
        if missing > 0:
            room = max(missing, len(self._row))
            self._row = np.pad(self._row, (0, room), constant_values=-1)
            self._class_number = np.pad(self._class_number, (0, room), constant_values=-1)
        unknown = self._row[numbers] < 0
        if unknown.any():
            new: dict[str, list[int]] = defaultdict(list)
            for place in np.flatnonzero(unknown).tolist():
                new[self._symbols.devices[int(numbers[place])].device_class].append(place)
            for name, places in new.items():
                device_class = self._classes[name]
                ids = [self._symbols.devices[int(numbers[place])] for place in places]
                rows = device_class.devices.add(numbers[places], ids, arrival[places])
                self._row[numbers[places]] = rows
                self._class_number[numbers[places]] = DEVICE_CLASSES.index(name)
                device_class.reserve()
                for rule in device_class.rules:
                    rule.select(rows)
        return self._row[numbers]

    def _state_facts(self, update: FactsUpdate, findings: list[Finding]) -> None:
        number, arrival = np.array([update.device]), np.array([update.arrival])
        row = self._rows(number, arrival)
        device_class = self._classes[self._symbols.devices[update.device].device_class]
        # What had fallen silent before did so under the facts as they were.
        device_class.hear_silences(row, arrival, np.array([update.position]), findings)
        exchanged = device_class.devices.state(int(row[0]), update.facts)
        for rule in device_class.rules:
            rule.select(row)
        for component in exchanged:
            if component == "":
                device_class.devices.lanes.forget(row)
                continue
            number_of = self._symbols.components.index.get(component)
            for kind, lanes in device_class.sets.items():
                if kind and number_of is not None:
                    rows, found = lanes.components(row, number_of)
                    lanes.forget(rows[found])

    def route(self, device_class: _Class, channel: int) -> _Route:
        """Return where the readings of a channel go, worked out at its first reading."""
        found = device_class.routes.get(channel)
        if found is not None:
            return found
        signal, component = self._symbols.channels[channel]
        devices = device_class.devices.lanes
        column = devices.find_column(signal, component)
        route = _Route(column, [], [], -1)
        if column is not None:
            route.watchers = [
                rule for rule in device_class.rules if any(s.outer == column for s in rule.sources())
            ]
        if component:
            route.component = self._symbols.components.intern(component)
            for kind, lanes in device_class.sets.items():
                own = lanes.find_column(signal, None)
                belongs = signal.startswith(f"{kind}.")
                if kind and (own is not None or belongs):
                    watchers = [
                        rule
                        for rule in device_class.rules
                        if rule.lanes is lanes and any(s.own == own is not None for s in rule.sources())
                    ]
                    route.components.append((lanes, own, belongs, watchers))
        device_class.routes[channel] = route
        return route


class _Wave:
    """One class's part of a wave."""

    def __init__(
        self, engine: Engine, batch: ReadingBatch, begin: Int64, device_class: _Class, findings: list[Finding]
    ) -> None:
        self._engine = engine
        self._batch = batch
        self._begin = begin
        self._class = device_class
        self._devices = device_class.devices
        self._findings = findings
        self._touched: dict[int, list[Int64]] = defaultdict(list)  # lanes, by rule
        self._outer: dict[int, list[Int64]] = defaultdict(list)  # devices whose lanes all are, by rule

    def run(self, rows: Int64, positions: Int64, late: Bool, repeated: Bool) -> None:
        """Take the wave; `late` and `repeated` are written by position."""
        batch, devices = self._batch, self._devices
        t = batch.ts[positions]
        watermark = devices.watermark[rows]
        late[positions] = t < watermark
        repeated[positions] = t <= watermark
        kept = t >= watermark
        if not kept.all():
            rows, positions, t = rows[kept], positions[kept], t[kept]
        if not len(rows):
            return
        arrival = batch.arrival[positions]
        self._class.hear_silences(rows, arrival, positions, self._findings)
        newer = t > devices.watermark[rows]
        devices.watermark[rows] = t
        self._apply(rows, positions, t, arrival)
        self._class.reserve()
        clock = _Clock.of(devices.lanes.capacity, rows, t, arrival, positions)
        self._evaluate(rows[newer], clock)

    def _apply(self, rows: Int64, positions: Int64, t: Int64, arrival: Int64) -> None:
        """Write all readings of the wave into the lanes and note which rules they touch."""
        batch = self._batch
        count = self._begin[positions + 1] - self._begin[positions]
        owner = np.repeat(np.arange(len(rows)), count)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        readings = self._begin[positions][owner] + offset
        channels = batch.channel[readings]
        order = np.argsort(channels, kind="stable")
        cuts = np.flatnonzero(np.diff(channels[order])) + 1
        for group in np.split(order, cuts) if len(order) else []:
            route = self._engine.route(self._class, int(channels[group[0]]))
            who = owner[group]
            value = batch.value[readings[group]]
            self._apply_channel(route, rows[who], t[who], value, arrival[who])

    def _apply_channel(self, route: _Route, rows: Int64, t: Int64, value: Float64, arrival: Int64) -> None:
        if route.column is not None:
            new = self._devices.lanes.apply(route.column, rows, t, value, arrival)
            for rule in route.watchers:
                self._outer[rule.rule.order].append(new)
        for lanes, column, belongs, watchers in route.components:
            known, found = lanes.components(rows, route.component)
            if not found.all():
                missing = ~found
                ordinals = np.full(int(missing.sum()), route.component, dtype=np.int64)
                known[missing] = lanes.add(rows[missing], ordinals, arrival[missing], member=belongs)
            if belongs:
                lanes.member[known] = True
            if column is not None:
                new = lanes.apply(column, known, t, value, arrival)
                for rule in watchers:
                    self._touched[rule.rule.order].append(new)

    def _evaluate(self, spoke: Int64, clock: _Clock) -> None:
        """Evaluate the rules that were touched, and those whose timer runs in a device that spoke."""
        children: dict[str, Int64] = {}
        for rule in self._class.rules:
            # Only now do all lanes exist that this wave brings.
            parts = self._touched.get(rule.rule.order, [])
            parts = [*parts, *(rule.lanes.children(rows) for rows in self._outer.get(rule.rule.order, []))]
            if rule.timers or rule.listens:
                kind = rule.lanes.kind
                if kind not in children:
                    children[kind] = rule.lanes.children(spoke)
                lanes = children[kind]
                parts = [*parts, lanes if rule.listens else lanes[rule.timer[lanes]]]
            if not parts:
                continue
            rows = parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))
            rows = rule.watched(rows)
            if len(rows):
                parents = rule.lanes.parents[rows]
                rule.evaluate(
                    rows, clock.t[parents], clock.arrival[parents], clock.position[parents], self._findings
                )


def _waves(batch: ReadingBatch, facts: Sequence[FactsUpdate]) -> Iterator[tuple[Int64, list[FactsUpdate]]]:
    """Cut a batch so that no device stands twice in a wave: its k-th word is in the k-th wave."""
    device = np.concatenate([batch.device, np.array([u.device for u in facts], dtype=np.int32)])
    place = np.concatenate(
        [2 * np.arange(len(batch)) + 1, np.array([2 * u.position for u in facts], dtype=np.int64)]
    )
    if not len(device):
        return
    order = np.lexsort((place, device))
    ranked = device[order]
    first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    by_rank = np.lexsort((place, rank))
    for wave in np.split(by_rank, np.flatnonzero(np.diff(rank[by_rank])) + 1):
        messages = wave[wave < len(batch)]
        yield messages, [facts[index - len(batch)] for index in wave[wave >= len(batch)].tolist()]


def _order(finding: Finding) -> tuple[int, int, int, str, str]:
    return (finding.position, finding.arrival, finding.rule.order, str(finding.device), finding.component)
