"""The engine: batches of readings in, findings out.

A batch is taken class by class. All readings are noted, by device and in order; then every rule that one of
them touches, or whose timer runs, is evaluated for all its lanes and all their messages at once. What a lane
knew at one of its messages is looked up in the readings up to that message, so the result is the same
whatever the order of devices and wherever the stream was cut into batches. What devices say of themselves
cuts a batch for that device: its messages before are taken first.
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
from rules.part import Part
from rules.peers import PeerBook
from rules.rulelanes import RuleLanes
from rules.selector import classes_of
from rules.snapshot import (
    Arrays,
    Renumbering,
    gathered,
    restore_devices,
    restore_lanes,
    save_devices,
    save_lanes,
    save_symbols,
    spread,
)
from rules.symbols import DeviceId, Symbols
from rules.tally import RuleTally


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
    """Where the readings of a channel go in one class.

    Attributes:
        column: of the devices' set, None when no rule reads it there.
        component: number of the channel's component.
        components: sets of components, the column there, and whether the reading makes its lane a member.
    """

    column: int | None
    component: int
    components: list[tuple[LaneSet, int | None, bool]]


@dataclass(slots=True)
class _Class:
    """All that is kept of the devices of one class."""

    devices: DeviceTable
    peers: PeerBook
    sets: dict[str, LaneSet]
    rules: list[RuleLanes]
    routes: dict[int, _Route] = field(default_factory=dict)

    def reserve(self) -> None:
        for rule in self.rules:
            rule.reserve()


class Engine:
    """Evaluates a rule set over the devices that speak to it."""

    def __init__(self, ruleset: RuleSet, symbols: Symbols) -> None:
        self.ruleset = ruleset
        self._symbols = symbols
        self._classes = {name: self._build_class(name) for name in DEVICE_CLASSES}
        self._row = np.empty(0, dtype=np.int32)  # by device number, -1 before its first word
        self._class_number = np.empty(0, dtype=np.int8)  # by device number, index in DEVICE_CLASSES
        self._now = NEVER

    def _build_class(self, device_class: str) -> _Class:
        rules = tuple(rule for rule in self.ruleset.rules if device_class in classes_of(rule))
        catalogue, symbols = self.ruleset.catalogue, self._symbols
        devices = DeviceTable(device_class, catalogue, symbols.texts)
        peers = PeerBook(symbols)
        sets = {"": devices.lanes}
        for kind in sorted({rule.each for rule in rules} - {""}):
            sets[kind] = LaneSet(device_class, kind, devices.lanes, catalogue)
        lanes = [
            RuleLanes(rule, sets[rule.each], devices, peers=peers, symbols=symbols, catalogue=catalogue)
            for rule in rules
        ]
        return _Class(devices, peers, sets, lanes)

    def apply(self, batch: ReadingBatch, facts: Sequence[FactsUpdate] = ()) -> Applied:
        """Take in a batch, with what devices say of themselves between its messages."""
        findings: list[Finding] = []
        with np.errstate(all="ignore"):
            self._know_devices()
            late, repeated, newer = self._watermarks(batch)
            self._compare(batch, facts, late)
            begin = np.searchsorted(batch.message, np.arange(len(batch) + 1))
            for messages, updates in _parts(batch, facts):
                for update in updates:
                    self._state_facts(update, findings)
                kept = messages[~late[messages]]
                for device_class, rows, positions in self._by_class(batch, kept):
                    part = _part_of(batch, rows, positions, newer)
                    self._note(device_class, batch, begin, part)
                    self._evaluate(device_class, part, findings)
            for device_class in self._classes.values():
                if not device_class.peers.idle:
                    device_class.peers.end()
            if len(batch):
                self._pass_time(int(batch.arrival.max()), len(batch), findings)
        findings.sort(key=in_order)
        return Applied(findings, late, repeated)

    def tick(self, now: int) -> list[Finding]:
        """Let arrival time pass: signals may have fallen silent before `now`."""
        findings: list[Finding] = []
        with np.errstate(all="ignore"):
            self._pass_time(now, 0, findings)
        findings.sort(key=in_order)
        return findings

    def not_listening(self, gap_ms: int) -> None:
        """Leave a span of arrival time out of every silence: the gateway itself was not listening."""
        for device_class in self._classes.values():
            for lanes in device_class.sets.values():
                heard = [column.arrays["heard"] for column in lanes.columns if "heard" in column.arrays]
                for array in (lanes.first_heard, *heard):
                    array[array != NEVER] += gap_ms
            for rule in device_class.rules:
                if rule.silences is not None:
                    rule.silences.look_again()

    def states(self, device: DeviceId) -> list[RuleStanding]:
        """Return where each rule that is for a device stands in each of its lanes."""
        number = self._symbols.devices.index.get(device, len(self._row))
        if number >= len(self._row) or self._row[number] < 0:
            return []
        row = self._row[number : number + 1].astype(np.int64)
        return [
            RuleStanding(
                rule.rule, rule.component(lane), State(rule.standings.get(lane).state), rule.begun(lane)
            )
            for rule in self._classes[device.device_class].rules
            for lane in rule.watched(rule.lanes.children(row)[0]).tolist()
        ]

    def tally(self) -> list[RuleTally]:
        """Return in how many lanes each rule stands where, in the order of the rules."""
        tallies = {rule.id: RuleTally(rule) for rule in self.ruleset.rules}
        for device_class in self._classes.values():
            for lanes in device_class.rules:
                tallies[lanes.rule.id].add(lanes)
        return list(tallies.values())

    # Saved states

    def snapshot(self) -> tuple[Arrays, dict[str, Any]]:
        """Return all state: arrays by path, and a document that JSON can hold. Most arrays are views."""
        arrays: Arrays = {"now": np.array([self._now])}
        document: dict[str, Any] = {"symbols": save_symbols(self._symbols), "classes": {}}
        for name, device_class in self._classes.items():
            for kind, lanes in device_class.sets.items():
                save_lanes(lanes, f"{name}/{kind}", arrays)
            for rule in device_class.rules:
                spread(arrays, f"{name}/rule/{rule.fingerprint}", rule.save())
            document["classes"][name] = save_devices(device_class.devices, name, arrays)
        return arrays, document

    def restore(self, arrays: Arrays, document: dict[str, Any]) -> None:
        """Take up a saved state; the engine is new. Rules that were not saved start quiet.

        The arrays are this engine's from then on: one whose views they are must not go on.
        """
        numbers = Renumbering(document["symbols"], self._symbols)
        texts = frozenset(signal.name for signal in self.ruleset.catalogue if signal.kind == "text")
        saved = gathered(arrays)
        self._now = int(arrays["now"][0])
        self._know_devices()
        for name, device_class in self._classes.items():
            for kind, lanes in device_class.sets.items():
                restore_lanes(lanes, f"{name}/{kind}", saved, texts, numbers)
            devices = device_class.devices
            restore_devices(devices, name, saved, document["classes"][name], self._symbols)
            device_class.reserve()
            rows = np.arange(devices.lanes.size, dtype=np.int64)
            self._row[devices.lanes.ordinal[rows]] = rows
            self._restore_peers(device_class)
            for rule in device_class.rules:
                rule.select(rows)
                found = saved.get(f"{name}/rule/{rule.fingerprint}")
                if found is not None:
                    rule.restore(found)

    def _restore_peers(self, device_class: _Class) -> None:
        """Put the latest values of devices beside those of their peers again."""
        if device_class.peers.idle:
            return
        devices = device_class.devices
        numbers = devices.lanes.ordinal[: devices.lanes.size].tolist()
        models = {
            number: model
            for number, stated in zip(numbers, devices.stated, strict=True)
            if isinstance(model := stated.get("model"), str)
        }
        for kind, lanes in device_class.sets.items():
            size = lanes.size
            owners = devices.lanes.ordinal[lanes.parents[:size]].tolist()
            parts = lanes.ordinal[:size].tolist() if kind else [-1] * size
            members = list(zip(owners, parts, strict=True))
            for column in lanes.columns:
                device_class.peers.restore(kind, column, members, models)

    # Batches

    def _watermarks(self, batch: ReadingBatch) -> tuple[Bool, Bool, Bool]:
        """Return, for each message, whether it is late, not newer than what its device sent before, or newer.

        A message's watermark is the newest time of those of its device before it; late ones do not move it.
        """
        count = len(batch)
        order = np.argsort(batch.device, kind="stable")
        device, t = batch.device[order].astype(np.int64), batch.ts[order]
        begins = np.append(True, device[1:] != device[:-1])[:count]
        before = self._watermark_of(device)
        if not begins.all():
            # Devices stand one after the other: what is behind is lifted above all that stood before.
            group = np.cumsum(begins) - 1
            first = np.flatnonzero(begins)
            highest = np.maximum.accumulate
            floor = np.where(before == NEVER, t.min() - 1, before)
            low = min(int(t.min()), int(floor.min()))
            span = max(int(t.max()), int(floor.max())) - low + 2
            if len(first) * span < np.iinfo(np.int64).max // 2:
                lifted = highest(np.maximum(t, floor) - low + group * span) + low - group * span
                running = np.append(lifted[:1], lifted[:-1])
                before = np.where(begins, before, running)
            else:
                for begin, end in zip(first.tolist(), np.append(first[1:], count).tolist(), strict=True):
                    running = highest(np.maximum(t[begin:end], floor[begin]))
                    before[begin + 1 : end] = running[:-1]
        late, newer = np.empty(count, dtype=np.bool_), np.empty(count, dtype=np.bool_)
        late[order], newer[order] = t < before, t > before
        return late, ~newer, newer

    def _watermark_of(self, device: Int64) -> Int64:
        """Return [N] int64: the watermarks of devices by number, NEVER for those that did not speak yet."""
        found = np.full(len(device), NEVER, dtype=np.int64)
        known = np.flatnonzero(device < len(self._row))
        rows, classes = self._row[device[known]], self._class_number[device[known]]
        for index, name in enumerate(DEVICE_CLASSES):
            chosen = np.flatnonzero((classes == index) & (rows >= 0))
            if len(chosen):
                found[known[chosen]] = self._classes[name].devices.watermark[rows[chosen]]
        return found

    def _compare(self, batch: ReadingBatch, facts: Sequence[FactsUpdate], late: Bool) -> None:
        """Let the devices of classes in which peers are compared know what the batch brings."""
        for name, device_class in self._classes.items():
            if device_class.peers.idle:
                continue
            of_class = self._class_number == DEVICE_CLASSES.index(name)
            moves = [
                (update.position, update.device, model)
                for update in facts
                if of_class[update.device] and isinstance(model := update.facts.get("model"), str)
            ]
            kept = of_class[batch.device] & ~late if len(batch) else late
            device_class.peers.begin(batch, kept, moves)

    def _evaluate(self, device_class: _Class, part: Part, findings: list[Finding]) -> None:
        """Evaluate the rules of a class over a part whose readings are noted, and keep these."""
        device_class.reserve()
        # All rules are asked; what one of them finds due is told in order with the messages.
        due = [rule.listen(part) for rule in device_class.rules]
        if part.single and not any(due):
            part.keep(device_class.sets)
            part.kept = True
        for rule in device_class.rules:
            noted = rule.count(part)
            if part.kept:
                for column in noted:
                    part.keep_column(rule.lanes, column)
        for rule in device_class.rules:
            rule.evaluate(part, findings)
        if not part.kept:
            part.keep(device_class.sets)
        device_class.devices.watermark[part.rows] = part.t[part.ends - 1]

    def _note(self, device_class: _Class, batch: ReadingBatch, begin: Int64, part: Part) -> None:
        """Note all readings of a part, column by column."""
        count = begin[part.position + 1] - begin[part.position]
        owner = np.repeat(np.arange(len(part)), count)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        readings = begin[part.position][owner] + offset
        channels = batch.channel[readings]
        # Numbers that fit into 16 bits are sorted by their digits, which is many times as fast.
        small = len(channels) and channels.max() < np.iinfo(np.uint16).max
        order = np.argsort(channels.astype(np.uint16) if small else channels, kind="stable")
        ranked = channels[order]
        cuts = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1
        pieces: dict[tuple[str, int], list[tuple[Int64, Int64, Float64]]] = defaultdict(list)
        for group in np.split(order, cuts) if len(order) else []:
            route = self._route(device_class, int(channels[group[0]]))
            messages, value = owner[group], batch.value[readings[group]]
            if route.column is not None:
                pieces[("", route.column)].append((part.row[messages], messages, value))
            for lanes, column, belongs in route.components:
                rows = self._lanes_of(part, lanes, route.component, messages, belongs=belongs)
                if column is not None:
                    pieces[(lanes.kind, column)].append((rows, messages, value))
        for (kind, column), found in pieces.items():
            rows, messages, value = found[0]
            if len(found) > 1 or kind:
                rows, messages, value = (np.concatenate(column) for column in zip(*found, strict=True))
                order = np.argsort(rows, kind="stable")
                rows, messages, value = rows[order], messages[order], value[order]
            part.read(device_class.sets[kind], column, rows, messages, value)

    def _lanes_of(
        self, part: Part, lanes: LaneSet, component: int, messages: Int64, *, belongs: bool
    ) -> Int64:
        """Return the lanes of a component that messages are about, made where there were none."""
        parents = part.row[messages]
        rows, found = lanes.components(parents, component)
        if not found.all():
            missing = np.flatnonzero(~found)
            _, first = np.unique(parents[missing], return_index=True)
            new = missing[first]
            ordinals = np.full(len(new), component, dtype=np.int64)
            added = lanes.add(parents[new], ordinals, part.arrival[messages[new]], member=belongs)
            if belongs:
                part.joins(lanes.kind, added, messages[new])
            rows, _ = lanes.components(parents, component)
        if belongs:
            strangers = np.flatnonzero(~lanes.member[rows])
            if len(strangers):
                _, first = np.unique(rows[strangers], return_index=True)
                joining = strangers[first]
                lanes.member[rows[joining]] = True
                part.joins(lanes.kind, rows[joining], messages[joining])
        # Channels are gone through one by one: what made a lane may not be what spoke of it first.
        if part.has_joined(lanes.kind):
            np.minimum.at(lanes.first_heard, rows, part.arrival[messages])
            if belongs:
                part.joins_before(lanes.kind, rows, messages)
        return rows

    def _route(self, device_class: _Class, channel: int) -> _Route:
        """Return where the readings of a channel go, worked out at its first reading."""
        found = device_class.routes.get(channel)
        if found is not None:
            return found
        signal, component = self._symbols.channels[channel]
        route = _Route(device_class.devices.lanes.find_column(signal, component), -1, [])
        if component:
            route.component = self._symbols.components.intern(component)
            for kind, lanes in device_class.sets.items():
                own = lanes.find_column(signal, None) if kind else None
                belongs = bool(kind) and signal.startswith(f"{kind}.")
                if own is not None or belongs:
                    route.components.append((lanes, own, belongs))
        device_class.routes[channel] = route
        return route

    def _pass_time(self, now: int, position: int, findings: list[Finding]) -> None:
        self._now = max(self._now, now)
        for device_class in self._classes.values():
            for rule in device_class.rules:
                rule.pass_time(self._now, position, findings)

    # Devices

    def _know_devices(self) -> None:
        """Make room for the devices that have a number and did not speak yet."""
        names = self._symbols.devices.names
        known = len(self._row)
        if len(names) > known:
            classes = [DEVICE_CLASSES.index(name.device_class) for name in names[known:]]
            self._row = np.append(self._row, np.full(len(classes), -1, dtype=np.int32))
            self._class_number = np.append(self._class_number, np.array(classes, dtype=np.int8))

    def _by_class(self, batch: ReadingBatch, messages: Int64) -> Iterator[tuple[_Class, Int64, Int64]]:
        """Yield class, device rows and positions of messages; devices that are new get their row."""
        self._introduce(batch, messages)
        numbers = batch.device[messages]
        classes = self._class_number[numbers]
        for index, name in enumerate(DEVICE_CLASSES):
            chosen = np.flatnonzero(classes == index)
            if len(chosen):
                yield self._classes[name], self._row[numbers[chosen]].astype(np.int64), messages[chosen]

    def _introduce(self, batch: ReadingBatch, messages: Int64) -> None:
        """Give rows to the devices of messages that have none."""
        numbers = batch.device[messages]
        unknown = np.flatnonzero(self._row[numbers] < 0)
        if len(unknown):
            _, first = np.unique(numbers[unknown], return_index=True)
            places = np.sort(unknown[first])
            self._add(numbers[places].astype(np.int64), batch.arrival[messages[places]])

    def _add(self, numbers: Int64, arrival: Int64) -> None:
        """Add different devices that speak for the first time."""
        names = [self._symbols.devices[number] for number in numbers.tolist()]
        classes = self._class_number[numbers]
        for index, device_class in enumerate(self._classes.values()):
            chosen = np.flatnonzero(classes == index)
            if not len(chosen):
                continue
            ids = [names[place] for place in chosen.tolist()]
            rows = device_class.devices.add(numbers[chosen], ids, arrival[chosen])
            self._row[numbers[chosen]] = rows
            device_class.reserve()
            for rule in device_class.rules:
                rule.select(rows)

    def _state_facts(self, update: FactsUpdate, findings: list[Finding]) -> None:
        number, arrival = np.array([update.device]), np.array([update.arrival])
        if self._row[update.device] < 0:
            self._add(number, arrival)
        row = self._row[number].astype(np.int64)
        device_class = self._classes[self._symbols.devices[update.device].device_class]
        # What had fallen silent before did so under the facts as they were.
        for rule in device_class.rules:
            if rule.silences is not None:
                lanes = rule.watched(rule.lanes.children(row)[0])
                if len(lanes):
                    until, position = np.full(len(lanes), arrival[0]), np.full(len(lanes), update.position)
                    rule.fall_silent(lanes, until, position, findings)
        exchanged = device_class.devices.state(int(row[0]), update.facts)
        for rule in device_class.rules:
            rule.select(row)
        for component in exchanged:
            device_class.devices.lanes.forget(row, component)
            number_of = self._symbols.components.index.get(component)
            for kind, own in device_class.sets.items():
                if kind and number_of is not None:
                    rows, found = own.components(row, number_of)
                    own.forget(rows[found], "")


def _part_of(batch: ReadingBatch, rows: Int64, positions: Int64, newer: Bool) -> Part:
    """Return messages of one class, at `positions` of a batch, whose devices are in `rows`."""
    order = np.argsort(rows, kind="stable")
    positions = positions[order]
    retained = batch.retained[positions]
    return Part(
        rows[order],
        batch.ts[positions],
        batch.arrival[positions],
        positions,
        newer[positions],
        retained=retained if retained.any() else None,
    )


def _parts(batch: ReadingBatch, facts: Sequence[FactsUpdate]) -> Iterator[tuple[Int64, list[FactsUpdate]]]:
    """Cut a batch where devices say what they are: a device's k-th facts come before the k-th part of it."""
    if not facts:
        if len(batch):
            yield np.arange(len(batch)), []
        return
    device = np.concatenate([batch.device, np.array([u.device for u in facts], dtype=np.int32)])
    place = np.concatenate(
        [2 * np.arange(len(batch)) + 1, np.array([2 * u.position for u in facts], dtype=np.int64)]
    )
    order = np.lexsort((np.arange(len(device)), place, device))
    ranked = device[order]
    states = order >= len(batch)
    stated = np.cumsum(states)
    begins = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    before: Int64 = (stated - states)[begins]
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = stated - np.repeat(before, np.diff(np.append(begins, len(order))))
    messages, updates = rank[: len(batch)], rank[len(batch) :]
    for number in range(int(rank.max()) + 1):
        now = [facts[index] for index in np.flatnonzero(updates == number).tolist()]
        yield np.flatnonzero(messages == number), now if number else []


def in_order(finding: Finding) -> tuple[int, int, int, str, str]:
    """Return what the findings of a batch are sorted by."""
    return (finding.position, finding.arrival, finding.rule.order, str(finding.device), finding.component)
