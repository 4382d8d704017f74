"""The engine in scalar lines: what the vectorised one must equal.

It keeps every reading of every lane in lists, looks at one message at a time and interprets the tree. It
shares the parser and the rule model with the engine, and nothing that evaluates.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

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
    SignalValue,
    WindowValue,
)
from rules.model import AlsoWay, HeldWay
from rules.selector import selects

DAY = 86_400_000


@dataclass
class RuleState:
    """One rule in one lane."""

    state: str = "quiet"
    ran: int = 0
    running_from: int | None = None
    suspected_at: int = 0
    ways: tuple = ()
    fired: set = field(default_factory=set)


@dataclass
class Device:
    id: object
    first: int
    facts: dict = field(default_factory=dict)
    watermark: int | None = None
    readings: dict = field(
        default_factory=lambda: defaultdict(list)
    )  # (signal, component) -> (ts, v, arrival)
    firsts: dict = field(default_factory=dict)  # component -> arrival
    states: dict = field(default_factory=lambda: defaultdict(RuleState))


class Oracle:
    def __init__(self, rules):
        self.rules = rules
        self.devices = {}
        self.out = []
        self.now = None

    # one word of a device at a time

    def facts(self, id, facts, arrival):
        device = self.devices.setdefault(id, Device(id, arrival))
        old = device.facts
        for component, serial in serials(facts).items():
            if component in serials(old) and serials(old)[component] != serial:
                for (_, where), readings in device.readings.items():
                    if where == component:
                        readings[:] = [(*r[:3], True) for r in readings]
        components = {**old.get("components", {}), **facts.get("components", {})}
        device.facts = {**old, **facts, "components": components}

    def message(self, id, ts, arrival, values):
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
                if not readings or readings[-1][0] != ts:
                    readings.append((ts, value, arrival, False))
                    fresh.add((signal, component))
            for rule, component in self.lanes(device):
                state = device.states[(rule.id, component)]
                names = {(n.signal, n.component) for n in leaves(rule) if hasattr(n, "signal")}
                touched = any(
                    (signal, explicit or where) in fresh
                    for signal, explicit in names
                    for where in {component, ""}
                )
                timer = state.state in ("pending", "clearing") or listens(rule) or waits_held(rule, state)
                if touched or (timer and newer):
                    self.evaluate(device, rule, component, ts, arrival)
        self.tick(arrival)

    def tick(self, now):
        self.now = max(self.now or now, now)
        for device in self.devices.values():
            self.silence(device, self.now)

    def silence(self, device, until):
        for rule, component in self.lanes(device):
            state = device.states[(rule.id, component)]
            while True:
                due = [
                    (self.heard(device, component, n) + n.window_ms, n)
                    for n in leaves(rule)
                    if isinstance(n, Absent)
                ]
                due = [
                    d
                    for d, n in due
                    if d < until and (d, n.signal, n.component, n.window_ms) not in state.fired
                ]
                if not due:
                    break
                for n in leaves(rule):
                    if isinstance(n, Absent):
                        d = self.heard(device, component, n) + n.window_ms
                        if d == min(due):
                            state.fired.add((d, n.signal, n.component, n.window_ms))
                t = max(min(due), device.watermark if device.watermark is not None else min(due))
                self.evaluate(device, rule, component, t, min(due))

    def lanes(self, device):
        for rule in self.rules:
            if selects(rule, device.id, device.facts):
                if not rule.each:
                    yield rule, ""
                    continue
                for component in sorted(
                    {c for (s, c) in device.readings if c and s.startswith(rule.each + ".")}
                ):
                    yield rule, component

    # the life of a rule

    def evaluate(self, device, rule, component, t, arrival):
        state = device.states[(rule.id, component)]
        look = lambda node: self.value(node, device, component, t, arrival)  # noqa: E731
        when = truth(look(rule.when))
        before = (state.state, state.ways)
        suspected = state.state in ("suspected", "clearing")
        if not suspected:
            self.hold(state, when, t, rule.hold_ms, "quiet", "pending", "suspected")
        else:
            clear = truth(look(rule.clear_when)) if rule.clear_when else (None if when is None else not when)
            self.hold(state, clear, t, rule.clear_hold_ms, "suspected", "clearing", "quiet")
        now = state.state in ("suspected", "clearing")
        if now and not suspected:
            state.suspected_at = t
        ways = []
        for index, way in enumerate(rule.confirm.ways if rule.confirm else ()):
            holds = False
            if now and isinstance(way, AlsoWay):
                holds = truth(look(way.condition)) is True
            if now and isinstance(way, HeldWay):
                holds = bool(before[1] and before[1][index]) and suspected
                holds = holds or (when is not None and t - state.suspected_at >= way.duration_ms)
            ways.append(holds)
        state.ways = tuple(ways)
        kind = "suspected" if now and not suspected else "cleared" if suspected and not now else None
        if kind is None and now and before[1] != state.ways:
            kind = "ways"
        if kind:
            self.out.append((kind, t, rule.id, str(device.id), component, state.ways))

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
        return max([first, *(r[2] for r in [*own, *outer] if r[1] is not None)])

    def value(self, node, device, component, t, arrival):
        look = lambda n: self.value(n, device, component, t, arrival)  # noqa: E731
        match node:
            case Constant():
                return node.value
            case SignalValue():
                series = self.series(device, component, node)
                return series[-1][1] if series and t - series[-1][0] <= DAY else None
            case FactValue():
                return device.facts.get(node.name)
            case Absent():
                return arrival - self.heard(device, component, node) >= node.window_ms
            case WindowValue():
                series = self.series(device, component, node)
                inside = [
                    r[1] for r in series if t - node.window_ms < r[0] <= t and r[1] is not None and not r[3]
                ]
                return window(node.function, inside, node.window_ms)
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
                return {
                    "+": lambda: a + b,
                    "-": lambda: a - b,
                    "*": lambda: a * b,
                    "/": lambda: a / b if b else None,
                }[node.operator]()
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


def truth(value):
    return None if value is None or isinstance(value, str) else bool(value)


def window(name, inside, window_ms):
    if name == "count":
        return len(inside)
    if not inside:
        return None
    pairs = list(pairwise(inside))
    increase = sum(b if b < a else b - a for a, b in pairs)
    return {
        "avg": sum(inside) / len(inside),
        "min": min(inside),
        "max": max(inside),
        "sum": sum(inside),
        "increase": increase,
        "rate": increase * 1000.0 / window_ms,
        "delta": inside[-1] - inside[0],
        "changes": sum(a != b for a, b in pairs),
    }[name]


def leaves(rule):
    from rules.expression.tree import walk

    trees = [rule.when, rule.clear_when]
    trees += [
        way.condition for way in (rule.confirm.ways if rule.confirm else ()) if isinstance(way, AlsoWay)
    ]
    return [node for tree in trees if tree is not None for node in walk(tree)]


def listens(rule):
    return any(isinstance(node, Absent) for node in leaves(rule))


def waits_held(rule, state):
    if state.state not in ("suspected", "clearing") or not rule.confirm:
        return False
    held = [i for i, way in enumerate(rule.confirm.ways) if isinstance(way, HeldWay)]
    return any(not state.ways[i] for i in held)


def serials(facts):
    found = {"": facts["serial"]} if "serial" in facts else {}
    for name, part in facts.get("components", {}).items():
        if "serial" in part:
            found[name] = part["serial"]
    return found
