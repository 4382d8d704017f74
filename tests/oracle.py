"""The engine in scalar lines: what the vectorised one must equal.

It keeps every reading of every lane in lists, looks at one message at a time and interprets the tree. It
shares the parser, the rule model and what a selector matches with the engine, and nothing that evaluates.
"""

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from rules.expression.tree import (
    Absent,
    Arithmetic,
    Choice,
    Comparison,
    Conjunction,
    Constant,
    Disjunction,
    FactValue,
    Inversion,
    LimitValue,
    PeerDistance,
    SignalValue,
    TimesTrue,
    WindowValue,
    walk,
)
from rules.model import AlsoWay, HeldWay
from rules.selector import fits

HOUR = 3_600_000
DAY = 24 * HOUR
LEAST_PEERS = 8
MOST_PEERS = 1000


@dataclass
class Reading:
    t: int
    value: object  # None: the device could not read it
    arrival: int
    before_exchange: bool = False  # of a part that is no longer there
    retained: bool = False  # kept by the broker: no sign of life


@dataclass
class RuleState:
    """One rule in one lane."""

    state: str = "quiet"
    ran: int = 0
    running_from: int | None = None
    suspected_at: int = 0
    ways: tuple = ()
    severity: str = ""
    turns: list = field(default_factory=list)  # when it became suspected or cleared
    flapping: bool = False
    fired: set = field(default_factory=set)


@dataclass
class Device:
    id: object
    first: int
    facts: dict = field(default_factory=dict)
    watermark: int | None = None
    readings: dict = field(default_factory=lambda: defaultdict(list))  # (signal, component) -> [Reading]
    firsts: dict = field(default_factory=dict)  # component -> arrival
    states: dict = field(default_factory=lambda: defaultdict(RuleState))  # (rule, component)
    counted: dict = field(
        default_factory=lambda: defaultdict(list)
    )  # (rule, component, n_of) -> [(t, truth)]


class Oracle:
    """What a rule set finds in a stream of messages.

    Attributes:
        out: (kind, t, rule, device, component, ways, severity, changes), in order.
    """

    def __init__(self, ruleset):
        self.rules = ruleset.rules
        self.catalogue = ruleset.catalogue
        self.devices = {}
        self.out = []
        self.now = None

    # one word of a device at a time

    def facts(self, id, facts, arrival):
        device = self.devices.setdefault(id, Device(id, arrival))
        self.silence(device, arrival)  # what fell silent before did so under the facts as they were
        old = device.facts
        for component, serial in serials(facts).items():
            if component in serials(old) and serials(old)[component] != serial:
                self.exchange(device, component)
        components = {**old.get("components", {}), **facts.get("components", {})}
        device.facts = {**old, **facts, "components": components}

    def exchange(self, device, component):
        for (_, where), readings in device.readings.items():
            if where == component:
                for reading in readings:
                    reading.before_exchange = True
        for (_, where, _), truths in device.counted.items():
            if where == component:
                truths.clear()

    def message(self, id, ts, arrival, values, retained=False):
        device = self.devices.setdefault(id, Device(id, arrival))
        self.silence(device, arrival)
        if device.watermark is None or ts >= device.watermark:
            newer = device.watermark is None or ts > device.watermark
            device.watermark = ts
            fresh = set()
            for key, value in values.items():
                signal, _, component = key.partition("@")
                device.firsts.setdefault(component, arrival)
                readings = device.readings[(signal, component)]
                if not readings or readings[-1].t != ts:
                    readings.append(Reading(ts, value, arrival, retained=retained))
                    fresh.add((signal, component))
            self.count(device, fresh, ts, arrival)
            for rule, component in self.lanes(device):
                state = device.states[(rule.id, component)]
                running = state.state in ("pending", "clearing") or state.flapping
                timer = running or listens(rule) or waits_held(rule, state)
                if touches(fresh, nodes(rule), component) or (timer and newer):
                    self.evaluate(device, rule, component, ts, arrival)
        self.tick(arrival)

    def count(self, device, fresh, ts, arrival):
        """Note for every n_of whether its condition is true now, if a signal of it is new."""
        for rule in self.rules:
            for node in {n for n in nodes(rule) if isinstance(n, TimesTrue)}:
                for component in self.components(device, rule):
                    if touches(fresh, walk(node.condition), component):
                        true = truth(self.value(node.condition, device, rule, component, ts, arrival))
                        device.counted[(rule.id, component, node)].append((ts, true))

    def tick(self, now):
        self.now = max(self.now or now, now)
        for device in self.devices.values():
            self.silence(device, self.now)

    def silence(self, device, until):
        for rule, component in self.lanes(device):
            state = device.states[(rule.id, component)]
            absent = [n for n in nodes(rule) if isinstance(n, Absent)]
            while True:
                due = [(self.heard(device, component, n) + n.window_ms, n) for n in absent]
                due = [(d, n) for d, n in due if d < until and (d, n) not in state.fired]
                if not due:
                    break
                first = min(d for d, _ in due)
                state.fired.update((d, n) for d, n in due if d == first)
                t = max(first, device.watermark if device.watermark is not None else first)
                self.evaluate(device, rule, component, t, first)

    def lanes(self, device):
        """Yield the rules that are for a device now, with each of their lanes."""
        for rule in self.rules:
            if fits(rule.selector, device.id, device.facts):
                for component in self.components(device, rule):
                    yield rule, component

    def components(self, device, rule):
        """Return the lanes that a rule has in a device, were it for the device."""
        if not rule.each:
            return [""]
        return sorted({c for (s, c) in device.readings if c and s.startswith(rule.each + ".")})

    # the life of a rule

    def evaluate(self, device, rule, component, t, arrival):
        state = device.states[(rule.id, component)]
        inside = rule.schedule is None or looks(rule.schedule, device.facts, t)

        def holds(node):
            return truth(self.value(node, device, rule, component, t, arrival)) if inside else None

        when = holds(rule.when)
        was, ways_before, severity_before = is_suspected(state), state.ways, state.severity
        if not was:
            self.hold(state, when, t, rule.hold_ms, "quiet", "pending", "suspected")
        else:
            clear = holds(rule.clear_when) if rule.clear_when else (None if when is None else not when)
            self.hold(state, clear, t, rule.clear_hold_ms, "suspected", "clearing", "quiet")
        now = is_suspected(state)
        if now and not was:
            state.suspected_at = t
            state.severity = rule.severity
        ways = []
        for index, way in enumerate(rule.confirm.ways if rule.confirm else ()):
            true = False
            if now and isinstance(way, AlsoWay):
                true = holds(way.condition) is True
            if now and isinstance(way, HeldWay):
                true = was and ways_before[index]
                true = true or (when is not None and t - state.suspected_at >= way.duration_ms)
            ways.append(true)
        state.ways = tuple(ways)
        if now:
            state.severity = self.severity(rule, state.severity, holds)

        kinds = []
        if now != was:
            kinds.append("suspected" if now else "cleared")
            state.turns.append(t)
        elif now and ways_before != state.ways:
            kinds.append("ways")
        if now and was and severity_before != state.severity:
            kinds.append("severity")
        changes = 0
        if rule.flapping:
            state.turns = [turn for turn in state.turns if turn > t - rule.flapping.window_ms]
            changes = len(state.turns)
            if not state.flapping and changes >= rule.flapping.start:
                state.flapping = True
                kinds.append("flapping")
            elif state.flapping and changes <= rule.flapping.stop:
                state.flapping = False
                kinds.append("steady")
        for kind in kinds:
            told = (kind, t, rule.id, str(device.id), component, state.ways, state.severity, changes)
            self.out.append(told)

    def severity(self, rule, present, holds):
        """Return what the first condition that is true asks for; one that is unknown leaves all as it is."""
        for step in rule.severities:
            true = holds(step.condition)
            if true is None:
                return present
            if true:
                return step.severity
        return rule.severity

    def hold(self, state, condition, t, need, rest, running, done):
        if condition is None:
            if state.state == running and state.running_from is not None:
                state.ran += t - state.running_from
                state.running_from = None
        elif not condition:
            state.state, state.ran, state.running_from = rest, 0, None
        else:
            if state.state != running:
                state.ran = 0
                state.running_from = None
            if state.running_from is None:
                state.running_from = t
            state.state = running
            if state.ran + t - state.running_from >= need:
                state.state, state.ran, state.running_from = done, 0, None

    # values

    def series(self, device, component, node):
        """Return the readings that a signal of a lane means: its own where it has any, else the device's."""
        if not node.component and component and device.readings.get((node.signal, component)):
            return device.readings[(node.signal, component)]
        return device.readings.get((node.signal, node.component), [])

    def heard(self, device, component, node):
        first = device.firsts[component] if component else device.first
        own = device.readings.get((node.signal, component), []) if not node.component else []
        outer = device.readings.get((node.signal, node.component), [])
        return max([first, *(r.arrival for r in [*own, *outer] if r.value is not None and not r.retained)])

    def latest(self, device, component, node, t):
        """Return the latest value of a signal while it is fresh."""
        period = self.catalogue.get(node.signal).period_ms
        series = self.series(device, component, node)
        fresh = series and t - series[-1].t <= (3 * period if period else DAY)
        return series[-1].value if fresh else None

    def value(self, node, device, rule, component, t, arrival):
        look = lambda n: self.value(n, device, rule, component, t, arrival)  # noqa: E731
        match node:
            case Constant():
                return node.value
            case SignalValue():
                return self.latest(device, component, node, t)
            case FactValue():
                return device.facts.get(node.name)
            case LimitValue():
                limits = dict(rule.limits)
                for override in rule.overrides:
                    if fits(override.selector, device.id, device.facts):
                        limits.update(override.limits)
                return limits[node.name]
            case Absent():
                return arrival - self.heard(device, component, node) >= node.window_ms
            case WindowValue():
                series = self.series(device, component, node)
                known = [(r.t, r.value) for r in series if r.value is not None and not r.before_exchange]
                return window(node, known, t, self.catalogue.get(node.signal).wraps)
            case TimesTrue():
                counted = device.counted[(rule.id, component, node)]
                known = [(at, true) for at, true in counted if true is not None]
                inside = [true for _, true in within(known, node.window_ms, t)]
                return sum(inside) >= node.least if inside else None
            case PeerDistance():
                return self.peers(node, device, rule, component, t)
            case Inversion():
                inner = truth(look(node.operand))
                return None if inner is None else not inner
            case Choice():
                decided = truth(look(node.condition))
                return None if decided is None else look(node.value if decided else node.other)
            case Conjunction():
                sides = {truth(look(node.left)), truth(look(node.right))}
                return False if False in sides else None if None in sides else True
            case Disjunction():
                sides = {truth(look(node.left)), truth(look(node.right))}
                return True if True in sides else None if None in sides else False
            case Arithmetic():
                a, b = look(node.left), look(node.right)
                if isinstance(a, str) or isinstance(b, str) or a is None or b is None:
                    return None
                result = {
                    "+": lambda: a + b,
                    "-": lambda: a - b,
                    "*": lambda: a * b,
                    "/": lambda: a / b if b else math.nan,
                }[node.operator]()
                return None if math.isnan(result) else result
            case Comparison():
                a, b = look(node.left), look(node.right)
                if a is None or b is None or isinstance(a, str) != isinstance(b, str):
                    return None
                return {
                    "<": lambda: a < b,
                    "<=": lambda: a <= b,
                    ">": lambda: a > b,
                    ">=": lambda: a >= b,
                    "==": lambda: a == b,
                    "!=": lambda: a != b,
                }[node.operator]()

    def peers(self, node, device, rule, component, t):
        """Return how far a lane is from those of the same tenant, class and model, itself among them."""
        model = device.facts.get("model")
        if not isinstance(model, str):
            return None
        group = [
            (other, lane)
            for other in self.devices.values()
            if (other.id.tenant, other.id.device_class) == (device.id.tenant, device.id.device_class)
            and other.facts.get("model") == model
            for lane in self.components(other, rule)
        ][:MOST_PEERS]
        values = [self.own(other, lane, node, t) for other, lane in group]
        return distance(
            self.own(device, component, node, t), [value for value in values if value is not None]
        )

    def own(self, device, component, node, t):
        """Return the latest fresh value of a lane, and nothing of its device in its place."""
        where = node.component or component
        if not device.readings.get((node.signal, where)):
            return None
        return self.latest(device, component, node, t)


# conditions


def truth(value):
    return None if value is None or isinstance(value, str) else bool(value)


def nodes(rule):
    """Return all parts of a rule's expressions."""
    trees = [rule.when, rule.clear_when, *(step.condition for step in rule.severities)]
    ways = rule.confirm.ways if rule.confirm else ()
    trees += [way.condition for way in ways if isinstance(way, AlsoWay)]
    return [node for tree in trees if tree is not None for node in walk(tree)]


def touches(fresh, nodes, component):
    """Return whether one of the new readings is of a signal of these parts, in a lane."""
    return any(
        (node.signal, node.component or where) in fresh
        for node in nodes
        if hasattr(node, "signal")
        for where in {component, ""}
    )


def listens(rule):
    return any(isinstance(node, Absent) for node in nodes(rule))


def is_suspected(state):
    return state.state in ("suspected", "clearing")


def waits_held(rule, state):
    if not is_suspected(state) or not rule.confirm:
        return False
    held = [i for i, way in enumerate(rule.confirm.ways) if isinstance(way, HeldWay)]
    return any(not state.ways[i] for i in held)


def serials(facts):
    found = {"": facts["serial"]} if "serial" in facts else {}
    for name, part in facts.get("components", {}).items():
        if "serial" in part:
            found[name] = part["serial"]
    return found


def looks(schedule, facts, t):
    """Return whether t is inside a schedule by the device's local time; not where no zone is known."""
    zone = zone_of(facts.get("time_zone")) or zone_of(schedule.zone)
    if zone is None:
        return False
    local = datetime.fromtimestamp(t / 1000, UTC).astimezone(zone)
    today, minute = local.weekday(), local.hour * 60 + local.minute
    yesterday = (today - 1) % 7
    if schedule.begin < schedule.end:
        return today in schedule.days and schedule.begin <= minute < schedule.end
    return (today in schedule.days and minute >= schedule.begin) or (
        yesterday in schedule.days and minute < schedule.end
    )


def zone_of(name):
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    except (KeyError, ValueError, OSError):
        return None


# functions


def window(node, known, t, wraps=None):
    """Return a function over the readings of a signal.

    Args:
        node: which function, and its window.
        known: (time, value) of all readings that were no null, in order.
        t: the moment of evaluation.
        wraps: where the counter goes on from zero, None when a smaller value is a reset.
    """
    inside = within(known, node.window_ms, t)
    if node.function == "count":
        return len(inside)
    if not inside:
        return None
    values = [value for _, value in inside]
    # A step is in the window when the reading before it is; a step that changes nothing is none.
    steps = [(at, (before, after)) for (at, before), (_, after) in pairwise(known) if before != after]
    pairs = [pair for _, pair in within(steps, node.window_ms, t)]
    match node.function:
        case "avg":
            return sum(values) / len(values)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "sum":
            return sum(values)
        case "increase":
            return sum(grown(a, b, wraps) for a, b in pairs)
        case "rate":
            return sum(grown(a, b, wraps) for a, b in pairs) * 1000.0 / node.window_ms
        case "delta":
            return values[-1] - values[0]
        case "changes":
            return len(pairs)
        case "stddev":
            return statistics.pstdev(map(float, values))
        case "median":
            return quantile(last_of_each_part(known, node.window_ms, t), 0.5)
        case "quantile":
            return quantile(last_of_each_part(known, node.window_ms, t), node.parameter)
        case "slope":
            line = fitted(inside, t)
            return None if line is None else line[0] * HOUR
        case "forecast":
            line = fitted(inside, t)
            return None if line is None else line[1] + line[0] * node.parameter
        case "flatline":
            return equal_since(known) <= t - node.window_ms
    raise AssertionError(node.function)


def within(entries, window_ms, t):
    """Return the (time, value) that are in (t - w, t], the older edge exact to w/60.

    Time is cut into parts of w/60; a part is in the window as a whole when its latest entry is.
    """
    part = math.ceil(window_ms / 60)
    so_far = [(at, value) for at, value in entries if at <= t]
    latest = {at // part: at for at, _ in so_far}
    return [(at, value) for at, value in so_far if latest[at // part] > t - window_ms]


def grown(before, after, wraps):
    if after >= before:
        return after - before
    if wraps is not None and before >= 0.75 * wraps and after < 0.25 * wraps:
        return after - before + wraps
    return max(after, 0)


def last_of_each_part(known, window_ms, t):
    """Return the values that quantiles are taken of: one of each 4,000th part of the window."""
    part = math.ceil(window_ms / 4000)
    last = {at // part: (at, float(value)) for at, value in known if at <= t}
    return [value for at, value in last.values() if at > t - window_ms]


def quantile(values, q):
    ordered = sorted(values)
    rank = q * (len(ordered) - 1)
    below, above = ordered[math.floor(rank)], ordered[math.ceil(rank)]
    return below + (above - below) * (rank - math.floor(rank))


def fitted(inside, t):
    """Return slope (a ms) and value at t of the least-squares line; None below three readings."""
    times = [float(at - t) for at, _ in inside]
    if len(inside) < 3 or len(set(times)) < 2:
        return None
    line = statistics.linear_regression(times, [float(value) for _, value in inside])
    return line.slope, line.intercept


def equal_since(known):
    """Return the time of the first reading of those that equal the last one without a break."""
    since, last = known[-1]
    for at, value in reversed(known):
        if value != last:
            break
        since = at
    return since


def distance(value, peers):
    """Return |value - median| in scaled MADs; None below eight peers."""
    if value is None or len(peers) < LEAST_PEERS:
        return None
    middle = statistics.median(peers)
    mad = statistics.median(abs(peer - middle) for peer in peers)
    if mad == 0:
        return 0.0 if value == middle else math.inf
    return abs(value - middle) / (1.4826 * mad)
