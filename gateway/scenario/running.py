"""A scenario through the pipeline: the same journey as live, in virtual time and without a world.

A message arrives when the device says that it is; between messages time passes exactly where something
can come of it: a signal has been silent for long enough, a self test is past its deadline, an answer is due.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from diagnostics.case import Command
from diagnostics.decision import Decision, Reason
from diagnostics.faults import FaultCatalogue
from diagnostics.orders.registry import Registry
from gateway.pipeline import Effects, Pipeline, Settings
from gateway.ports import Packet
from gateway.wire.decoder import Decoder
from gateway.wire.topics import Leaf, format_topic
from rules.engine import RuleStanding
from rules.expression.tree import Absent, Node, walk
from rules.findings import Finding
from rules.loader import RuleSet
from rules.model import AlsoWay, Rule, Severity
from rules.scenario.judging import Happening
from rules.scenario.model import Device, Reply, Scenario
from rules.scenario.notation import MISSING
from rules.scenario.spots import ScenarioError
from rules.symbols import Channel, DeviceId, Symbols

_ROOT = "fw"
# What happens at one instant, in this order.
_SPEAK, _ANSWER, _PASS, _LOOK = range(4)


@dataclass(slots=True)
class Course:
    """What came of a scenario.

    Attributes:
        happenings: in order of time.
        decisions: as the ledger would have them, in order of time.
        standings: where rules stood, by instant and device.
    """

    happenings: list[Happening] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    standings: dict[tuple[int, DeviceId], list[RuleStanding]] = field(default_factory=dict)

    def states(self, at: int, device: DeviceId) -> Sequence[RuleStanding]:
        """Return where the rules of a device stood at an instant that was looked at."""
        return self.standings.get((at, device), ())


def run_scenario(
    scenario: Scenario, ruleset: RuleSet, faults: FaultCatalogue, looks: Iterable[int] = ()
) -> Course:
    """Run a scenario.

    Args:
        scenario: the test.
        ruleset: the packs that it tests.
        faults: the fault catalogue.
        looks: instants at which it is noted where the rules stand, ms since 1970.

    Raises:
        ScenarioError: a device says something that the gateway would not take.
    """
    run = _Run(scenario, ruleset, faults)
    for at in {at for at in looks if at <= scenario.end}:
        run.plan(at + 1, _LOOK, at)
    return run.finish()


class _Run:
    """The agenda of a scenario, and the gateway that it happens to."""

    def __init__(self, scenario: Scenario, ruleset: RuleSet, faults: FaultCatalogue) -> None:
        self._scenario = scenario
        self._devices = {device.id: device for device in scenario.devices}
        symbols = Symbols()
        self._settings = Settings()
        self._pipeline = Pipeline(
            symbols=symbols, ruleset=ruleset, faults=faults, registry=Registry(), settings=self._settings
        )
        self._decoder = Decoder(symbols, ruleset.catalogue, root=_ROOT)
        self._course = Course()
        self._severity: dict[tuple[DeviceId, str, str], Severity] = {}
        self._asked: dict[tuple[DeviceId, str], int] = defaultdict(int)
        self._agenda: list[tuple[int, int, int, object]] = []
        self._planned = 0
        spoken: dict[int, list[Packet]] = defaultdict(list)
        for packet in _packets(scenario):
            spoken[packet.arrival].append(packet)
        for at, packets in spoken.items():
            self.plan(at, _SPEAK, packets)
        for at in _silences(scenario, ruleset):
            self.plan(at + 1, _PASS, None)
        self.plan(scenario.end + 1, _PASS, None)

    def plan(self, at: int, what: int, matter: object) -> None:
        """Put something on the agenda. Deadlines are past one ms after them."""
        self._planned += 1
        heapq.heappush(self._agenda, (at, what, self._planned, matter))

    def finish(self) -> Course:
        """Work off the agenda to the scenario's end."""
        while self._agenda:
            at, _, _, matter = heapq.heappop(self._agenda)
            if at > self._scenario.end + 1:
                break
            match matter:
                case None:
                    self._take(self._pipeline.tick(at))
                case int():
                    for device in self._devices:
                        self._course.standings[matter, device] = self._pipeline.states(device)
                case list():
                    self._take(self._pipeline.push(self._decoder.decode(matter)))
        self._course.happenings.sort(key=lambda happening: happening.at)
        self._course.decisions.sort(key=lambda decision: decision.at)
        return self._course

    def _take(self, effects: Effects) -> None:
        """Note what came of a step, and let devices answer."""
        write = effects.write
        for rejected in write.rejected:
            if not rejected.topic.endswith(f"/{Leaf.REPLY.value}"):  # an answer may come too late
                raise ScenarioError(
                    [
                        f"{self._scenario.place}: the gateway would not take this: "
                        f"{rejected.topic}: {rejected.detail}"
                    ]
                )
        for finding in effects.findings:
            self._note_finding(finding)
        for event in write.events:
            device = DeviceId(event.tenant, event.device_class, event.device)
            self._course.happenings.append(
                Happening(
                    kind=event.event,
                    at=event.at,
                    fault=event.fault,
                    rule=event.rule,
                    component=event.component,
                    device=device,
                    severity=self._severity.get((device, event.component, event.rule)),
                    reason=event.reason.value,
                )
            )
        severities = {order.case_id: order.fault.severity for order in write.orders}
        for decision in write.decisions:
            self._course.decisions.append(decision)
            self._note_decision(decision, severities)
        for command in effects.commands:
            self._answer(command)

    def _note_finding(self, finding: Finding) -> None:
        self._severity[finding.device, finding.component, finding.rule.id] = finding.severity
        if finding.kind in ("severity", "flapping", "steady"):
            self._course.happenings.append(
                Happening(
                    kind=finding.kind,
                    at=finding.at,
                    fault=finding.rule.fault,
                    rule=finding.rule.id,
                    component=finding.component,
                    device=finding.device,
                    severity=finding.severity,
                )
            )

    def _note_decision(self, decision: Decision, severities: Mapping[str, Severity]) -> None:
        opened = decision.outcome == "order" and decision.reason == Reason.CONFIRMED
        if decision.outcome == "order" and not opened:
            return
        self._course.happenings.append(
            Happening(
                kind="order" if opened else "no_order",
                at=decision.at,
                fault=decision.fault,
                rule=decision.rule,
                component=decision.component,
                device=DeviceId(decision.tenant, decision.device_class, decision.device),
                severity=severities.get(decision.case_id) if opened else None,
                reason=decision.reason.value,
                final=decision.outcome in ("order", "no_order"),
            )
        )

    def _answer(self, command: Command) -> None:
        """Plan what a device answers, and the end of waiting for it."""
        self.plan(command.expires + 1, _PASS, None)
        device = DeviceId(command.tenant, command.device_class, command.device)
        reply = self._reply(self._devices[device], command)
        if reply is None or reply.state == "none":
            return
        at = command.expires - self._settings.probe_deadline_ms + reply.after_ms
        while (end := self._devices[device].silence(at)) is not None:
            at = end  # the command waits for it at the broker
        document = {"id": command.id, "state": reply.state, "result": dict(reply.result)}
        self.plan(at, _ANSWER, [_packet(device, Leaf.REPLY, document, at)])

    def _reply(self, device: Device, command: Command) -> Reply | None:
        """Return the answer to a command: the next of those given, or the last once more."""
        named = f"{command.action}@{command.component}"
        key = named if named in device.replies else command.action
        replies = device.replies.get(key)
        if replies is None:
            return None
        asked = self._asked[device.id, key]
        self._asked[device.id, key] += 1
        return replies[min(asked, len(replies) - 1)]


def _packets(scenario: Scenario) -> Iterator[Packet]:
    """Yield all that devices say unasked up to the end, facts before the readings of their instant."""
    for device in scenario.devices:
        if device.facts and scenario.start <= scenario.end:
            yield _packet(device.id, Leaf.FACTS, device.facts, scenario.start)
        for change in device.changes:
            if change.at <= scenario.end:
                yield _packet(device.id, Leaf.FACTS, change.facts, change.at)
    for device in scenario.devices:
        for number in _spoken(device, scenario):
            at = scenario.at(number)
            values = {
                str(series.channel): value
                for series in device.series
                if (value := series.step(number)) is not MISSING
            }
            yield _packet(device.id, Leaf.TELEMETRY, {"ts": at, "values": values}, at)


def _packet(device: DeviceId, leaf: Leaf, document: object, at: int) -> Packet:
    return Packet(format_topic(_ROOT, device, leaf), msgspec.json.encode(document), at)


def _spoken(device: Device, scenario: Scenario) -> Iterator[int]:
    """Yield the steps at which a device sends a message."""
    for number in range(device.steps):
        at = scenario.at(number)
        if at > scenario.end:
            return
        if device.silence(at) is None:
            yield number


def _silences(scenario: Scenario, ruleset: RuleSet) -> set[int]:
    """Return the instants at which a signal may have been silent for as long as a rule asks, and more."""
    windows: dict[str, set[int]] = defaultdict(set)
    for rule in ruleset.rules:
        for tree in _conditions(rule):
            for node in walk(tree):
                if isinstance(node, Absent):
                    windows[node.signal].add(node.window_ms)
    found: set[int] = set()
    for device in scenario.devices if windows else ():
        spoken = [scenario.at(number) for number in _spoken(device, scenario)]
        heard = _heard(device, scenario)
        # A signal that never came is counted from the first message of its device or component.
        begun = {times[0] for times in heard.values() if times} | set(spoken[:1])
        for signal, lengths in windows.items():
            times = {at for channel, all_ in heard.items() if channel.signal == signal for at in all_}
            found |= {at + length for at in times | begun for length in lengths}
    return {at for at in found if at <= scenario.end}


def _heard(device: Device, scenario: Scenario) -> dict[Channel, list[int]]:
    """Return when each of a device's series had a reading."""
    spoken = list(_spoken(device, scenario))
    return {
        series.channel: [scenario.at(number) for number in spoken if series.step(number) is not MISSING]
        for series in device.series
    }


def _conditions(rule: Rule) -> Iterator[Node]:
    yield rule.when
    if rule.clear_when is not None:
        yield rule.clear_when
    for step in rule.severities:
        yield step.condition
    for way in rule.confirm.ways if rule.confirm else ():
        if isinstance(way, AlsoWay):
            yield way.condition
