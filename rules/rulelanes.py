"""One rule over one lane set: its conditions compiled, its states, and the findings they give."""

import numpy as np

from rules.batch import Bool, Int64
from rules.bindings import Bindings, Source, View
from rules.devices import DeviceTable
from rules.expression.compile import compile_condition
from rules.expression.tree import Absent, SignalValue, WindowValue, limits, walk
from rules.findings import Finding, Observation
from rules.lanes import NEVER, LaneSet
from rules.lifecycle import RUNNING, State, advance
from rules.model import AlsoWay, HeldWay, Rule
from rules.selector import selects
from rules.signals import Catalogue
from rules.symbols import Channel, Symbols


class RuleLanes:
    """A rule's life in every lane of a set.

    Memory a lane: 34 bytes, and 8 a silence.

    Attributes:
        state: [capacity] int8, a `State`.
        timer: [capacity] bool, the lane wants an evaluation whenever its device speaks.
    """

    def __init__(
        self, rule: Rule, lanes: LaneSet, devices: DeviceTable, symbols: Symbols, catalogue: Catalogue
    ) -> None:
        self.rule = rule
        self.lanes = lanes
        self._devices = devices
        self._symbols = symbols
        self._catalogue = catalogue
        self._bindings = Bindings(lanes, devices)
        self._when = compile_condition(rule.when, self._bindings, symbols.texts)
        self._clear = (
            compile_condition(rule.clear_when, self._bindings, symbols.texts) if rule.clear_when else None
        )
        ways = rule.confirm.ways if rule.confirm else ()
        self._also = [
            (bit, compile_condition(way.condition, self._bindings, symbols.texts))
            for bit, way in enumerate(ways)
            if isinstance(way, AlsoWay)
        ]
        self._held = [(bit, way.duration_ms) for bit, way in enumerate(ways) if isinstance(way, HeldWay)]
        self._ways = len(ways)
        self._observed = self._observed_signals()
        self._selective = any(name != "class" for name, _ in rule.selector)
        for name, _ in rule.selector:
            if name not in ("class", "tenant"):
                devices.know(name)
        capacity = lanes.capacity
        self.state = np.zeros(capacity, dtype=np.int8)
        self.since = np.full(capacity, NEVER, dtype=np.int64)
        self.paused = np.full(capacity, NEVER, dtype=np.int64)
        self.suspected_at = np.full(capacity, NEVER, dtype=np.int64)
        self.ways = np.zeros(capacity, dtype=np.int64)
        self.timer = np.zeros(capacity, dtype=np.bool_)
        self.timers = 0
        self.fired = [np.full(capacity, NEVER, dtype=np.int64) for _ in self._bindings.silences]
        self._enabled = np.zeros(devices.lanes.capacity, dtype=np.bool_)

    def _observed_signals(self) -> list[tuple[Channel, Source, float | bool | str | None]]:
        """Return the signals whose values go with a finding: of the conditions first, then the evidence."""
        trees = [self.rule.when]
        trees += [
            way.condition
            for way in (self.rule.confirm.ways if self.rule.confirm else ())
            if isinstance(way, AlsoWay)
        ]
        named: dict[Channel, float | bool | str | None] = {}
        for tree in trees:
            limit = limits(tree)
            for node in walk(tree):
                if isinstance(node, SignalValue | WindowValue | Absent):
                    key = (node.signal, node.component)
                    named.setdefault(Channel(*key), limit.get(key))
        for signal in self.rule.evidence:
            named.setdefault(Channel.parse(signal), None)
        return [
            (channel, self._bindings.source(channel.signal, channel.component), limit)
            for channel, limit in named.items()
        ]

    @property
    def listens(self) -> bool:
        """Whether silence matters to the rule, so that time passing alone can change it."""
        return bool(self._bindings.silences)

    def sources(self) -> list[Source]:
        """Return what the rule reads and so must be evaluated for; evidence alone is only looked at."""
        bindings = self._bindings
        return [
            *bindings.sources,
            *(window.source for window in bindings.windows),
            *(silence.source for silence in bindings.silences),
        ]

    def reserve(self) -> None:
        """Grow with the lane sets."""
        more = (0, self.lanes.capacity - len(self.state))
        if more[1]:
            self.state = np.pad(self.state, more)
            self.ways = np.pad(self.ways, more)
            self.timer = np.pad(self.timer, more)
            self.since = np.pad(self.since, more, constant_values=NEVER)
            self.paused = np.pad(self.paused, more, constant_values=NEVER)
            self.suspected_at = np.pad(self.suspected_at, more, constant_values=NEVER)
            self.fired = [np.pad(array, more, constant_values=NEVER) for array in self.fired]
        more = (0, self._devices.lanes.capacity - len(self._enabled))
        if more[1]:
            self._enabled = np.pad(self._enabled, more)

    def select(self, rows: Int64) -> None:
        """Decide anew for devices whether the rule is for them."""
        if not self._selective:
            self._enabled[rows] = True
            return
        for row in rows.tolist():
            self._enabled[row] = selects(self.rule, self._devices.ids[row], self._devices.stated[row])

    def watched(self, rows: Int64) -> Int64:
        """Return those of N different lanes for which the rule is evaluated at all."""
        keep = self._enabled[self.lanes.parents[rows]] & self.lanes.member[rows]
        return rows if keep.all() else rows[keep]

    def fall_silent(self, rows: Int64, until: Int64, position: Int64, findings: list[Finding]) -> None:
        """Evaluate the lanes in which a signal fell silent before `until`, each time that one did, in order.

        Args:
            rows: [N] int64, different lanes.
            until: [N] int64, arrival time.
            position: [N] int64, row of the batch before which the silence is noticed.
            findings: where findings go.
        """
        while True:
            deadlines = np.stack([self._deadline(number, rows, until) for number in range(len(self.fired))])
            deadline = deadlines.min(axis=0)
            due = deadline < until
            if not due.any():
                return
            for number, fired in enumerate(self.fired):
                now = due & (deadlines[number] == deadline)
                fired[rows[now]] = deadline[now]
            lanes, arrival = rows[due], deadline[due]
            t = np.maximum(arrival, self._devices.watermark[self.lanes.parents[lanes]])
            self.evaluate(lanes, t, arrival, position[due], findings)

    def _deadline(self, number: int, rows: Int64, until: Int64) -> Int64:
        """Return [N] int64: when a signal fell silent; `until` where it has not or that was told before."""
        silence = self._bindings.silences[number]
        deadline = self._bindings.heard(silence, rows) + silence.window_ms
        return np.where(deadline == self.fired[number][rows], until, deadline)

    def evaluate(
        self, rows: Int64, t: Int64, arrival: Int64, position: Int64, findings: list[Finding]
    ) -> None:
        """Evaluate N different lanes and append what follows.

        Args:
            rows: [N] int64, lanes.
            t: [N] int64, device time.
            arrival: [N] int64, time of arrival of the deciding message.
            position: [N] int64, its row in the batch.
            findings: where findings go.
        """
        view = View(self._bindings, rows, t, arrival)
        state = self.state[rows]
        when = self._when(view)
        suspected = state >= State.SUSPECTED
        if not state.any() and not (when == 1.0).any():
            return
        condition, need = when, np.full(len(rows), self.rule.hold_ms)
        if suspected.any():
            clear = self._clear(view) if self._clear else 1.0 - when
            condition = np.where(suspected, clear, when)
            need = np.where(suspected, self.rule.clear_hold_ms, need)
        following, since, paused = advance(
            state=state,
            since=self.since[rows],
            paused=self.paused[rows],
            condition=condition,
            t=t,
            need_ms=need,
        )
        self.state[rows], self.since[rows], self.paused[rows] = following, since, paused
        after = following >= State.SUSPECTED
        begun = after & ~suspected
        ended = suspected & ~after
        self.suspected_at[rows[begun]] = t[begun]
        before = self.ways[rows]
        ways = np.where(after, before, 0)
        if self._ways and after.any():
            held = t - self.suspected_at[rows]
            # An unknown condition is no ground to confirm on: stale readings never do.
            ways = np.where(after, self._confirming(view, np.where(np.isnan(when), -1, held), before), 0)
        self.ways[rows] = ways
        self._set_timers(rows, RUNNING[following] | (after & self._waiting(ways)))
        told = begun | ended | (after & (ways != before))
        findings.extend(
            Finding(
                kind="suspected" if begun[index] else "cleared" if ended[index] else "ways",
                position=int(position[index]),
                at=int(t[index]),
                arrival=int(arrival[index]),
                rule=self.rule,
                device=self._devices.ids[int(self.lanes.parents[rows[index]])],
                component=self.component(int(rows[index])),
                ways=tuple(bool(ways[index] >> bit & 1) for bit in range(self._ways)),
                observations=self._observe(rows[index : index + 1]),
                severity=self.rule.severity,
            )
            for index in np.flatnonzero(told).tolist()
        )

    def component(self, row: int) -> str:
        """Return the component of a lane, ``""`` for a device's own."""
        if self.lanes.parent is None:
            return ""
        return self._symbols.components[int(self.lanes.ordinal[row])]

    def begun(self, row: int) -> int | None:
        """Return when the lane was suspected, or when the hold that runs began; None while it is quiet."""
        state = self.state[row]
        if state == State.QUIET:
            return None
        return int(self.suspected_at[row] if state == State.SUSPECTED else self.since[row])

    def _confirming(self, view: View, held: Int64, before: Int64) -> Int64:
        """Return [N] int64: a bit for each way that holds. Having been held for its time stays so.

        Args:
            view: the lanes.
            held: [N] int64, ms since the suspicion, negative where that says nothing.
            before: [N] int64, the bits at the evaluation before.
        """
        ways = np.zeros_like(before)
        for bit, also in self._also:
            ways |= np.where(also(view) == 1.0, 1 << bit, 0)
        for bit, duration in self._held:
            ways |= np.where(held >= duration, 1 << bit, before & 1 << bit)
        return ways

    def _waiting(self, ways: Int64) -> Bool:
        """Return [N] bool: a lane that is suspected has not been so for all the times that count."""
        held = 0
        for bit, _ in self._held:
            held |= 1 << bit
        return np.asarray(ways & held != held)

    def _set_timers(self, rows: Int64, timer: Bool) -> None:
        self.timers += int(timer.sum()) - int(self.timer[rows].sum())
        self.timer[rows] = timer

    def _observe(self, row: Int64) -> tuple[Observation, ...]:
        """Return the values behind a finding; signals that were never reported are left out."""
        lanes, devices = self.lanes, self._devices.lanes
        found = []
        for channel, source, limit in self._observed:
            place, index, column = (lanes, row, source.own)
            component = self.component(int(row[0]))
            if column is None or lanes.times[column][row[0]] == NEVER:
                place, index, column, component = devices, lanes.parents[row], source.outer, channel.component
            if column is None or place.times[column][index[0]] == NEVER:
                continue
            found.append(
                Observation(
                    signal=str(Channel(channel.signal, component)),
                    at=int(place.times[column][index[0]]),
                    value=self._plain(channel.signal, float(place.values[column][index[0]])),
                    limit=limit,
                )
            )
        return tuple(found)

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
