"""A scenario through the pipeline: the same journey as live, in virtual time and without a world.

A message arrives when the device says that it is. What devices send is known from the start, but for their
answers: these hang on what they are asked. So a scenario is run as it stands, and once more with each answer
to a command that came of it, until all are answered; runs are alike up to the first answer that is new.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import NamedTuple

import msgspec

from diagnostics.case import CaseEvent, Command
from diagnostics.decision import Decision, Reason
from diagnostics.faults import FaultCatalogue
from diagnostics.orders.registry import Registry
from gateway.pipeline import Effects, Pipeline, Settings
from gateway.ports import Packet
from gateway.wire.decoder import Decoder
from gateway.wire.topics import Leaf, format_topic
from rules.engine import RuleStanding
from rules.findings import Finding
from rules.loader import RuleSet
from rules.model import Severity
from rules.scenario.judging import Happening
from rules.scenario.model import Device, Reply, Scenario
from rules.scenario.notation import MISSING
from rules.scenario.spots import ScenarioError
from rules.selector import classes_of
from rules.symbols import DeviceId, Symbols

_ROOT = "fw"
_SETTINGS = Settings()


class _Turn(IntEnum):
    """What happens at one instant, in this order."""

    SPEAK = 0  # facts and readings
    PASS = 1  # time passes at the gateway: silences and deadlines before this instant
    ANSWER = 2
    LOOK = 3  # where the rules stand is noted


class _Entry(NamedTuple):
    """An entry of the agenda."""

    at: int
    turn: _Turn
    packet: Packet | None = None
    look: int = 0


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
    classes = {device.id.device_class for device in scenario.devices}
    concerned = tuple(rule for rule in ruleset.rules if classes & set(classes_of(rule)))
    ruleset = replace(ruleset, rules=concerned)
    spoken = [_Entry(packet.arrival, _Turn.SPEAK, packet) for packet in _packets(scenario)]
    noted = [_Entry(at + 1, _Turn.LOOK, look=at) for at in sorted(set(looks)) if at <= scenario.end]
    answers = _Answers(scenario)
    while True:
        entries = [*spoken, *noted, *answers.entries, _Entry(scenario.end + 1, _Turn.PASS)]
        entries += [_Entry(entry.at, _Turn.PASS) for entry in noted]
        run = _Run(scenario, ruleset, faults)
        course = run.go(sorted(entries, key=lambda entry: (entry.at, entry.turn)))
        if not answers.add(run.commands):
            return course


class _Answers:
    """What the devices of a scenario answer to the commands that come of it.

    Attributes:
        entries: of the agenda, in the order of the commands.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._devices = {device.id: device for device in scenario.devices}
        self._asked: dict[tuple[DeviceId, str], int] = defaultdict(int)
        self._settled: set[str] = set()
        self.entries: list[_Entry] = []

    def add(self, commands: Iterable[Command]) -> bool:
        """Add the first answer to a command that was not there before; False when there is none."""
        for command in sorted(commands, key=lambda command: command.expires):
            if command.id in self._settled:
                continue
            self._settled.add(command.id)
            device = self._devices[DeviceId(command.tenant, command.device_class, command.device)]
            reply = self._reply(device, command)
            if reply.state == "none":
                continue
            sent = command.expires - _SETTINGS.probe_deadline_ms
            at = sent + reply.after_ms
            while (end := device.silence(at)) is not None:
                at = end  # the command waits for it at the broker
            document = {"id": command.id, "state": reply.state, "result": dict(reply.result)}
            # What silence brought about is known once the gateway has looked at the clock.
            self.entries.append(_Entry(sent + 1, _Turn.PASS))
            packet = _packet(device.id, Leaf.REPLY, document, at)
            self.entries.append(_Entry(max(at, sent + 1), _Turn.ANSWER, packet))
            return True
        return False

    def _reply(self, device: Device, command: Command) -> Reply:
        """Return the answer to a command: the next of those given, or the last once more."""
        named = f"{command.action}@{command.component}"
        key = named if named in device.replies else command.action
        replies = device.replies.get(key)
        if replies is None:
            return Reply("none")
        asked = self._asked[device.id, key]
        self._asked[device.id, key] += 1
        return replies[min(asked, len(replies) - 1)]


class _Run:
    """A gateway that a scenario happens to.

    Attributes:
        commands: that it sent.
    """

    def __init__(self, scenario: Scenario, ruleset: RuleSet, faults: FaultCatalogue) -> None:
        self._scenario = scenario
        symbols = Symbols()
        self._pipeline = Pipeline(
            symbols=symbols, ruleset=ruleset, faults=faults, registry=Registry(), settings=_SETTINGS
        )
        self._decoder = Decoder(symbols, ruleset.catalogue, root=_ROOT)
        self._course = Course()
        self._severities: dict[tuple[DeviceId, str, str], list[tuple[int, Severity]]] = defaultdict(list)
        self.commands: list[Command] = []

    def go(self, agenda: Iterable[_Entry]) -> Course:
        """Work off an agenda up to the scenario's end."""
        waiting: list[Packet] = []
        alone = len(self._scenario.devices) == 1
        for entry in agenda:
            if entry.at > self._scenario.end + 1:
                break
            # Devices that are compared with each other are taken instant by instant.
            if waiting and (entry.packet is None or (not alone and waiting[-1].arrival != entry.at)):
                self._push(waiting)
                waiting = []
            if entry.packet is not None:
                waiting.append(entry.packet)
            elif entry.turn == _Turn.PASS:
                self._take(self._pipeline.tick(entry.at))
            else:
                for device in self._scenario.devices:
                    standings = self._pipeline.states(device.id)
                    self._course.standings[entry.look, device.id] = standings
        self._push(waiting)
        self._course.happenings.sort(key=lambda happening: happening.at)
        self._course.decisions.sort(key=lambda decision: decision.at)
        return self._course

    def _push(self, packets: list[Packet]) -> None:
        if packets:
            self._take(self._pipeline.push(self._decoder.decode(packets)))

    def _take(self, effects: Effects) -> None:
        """Note what came of a step."""
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
                    severity=self._severity(device, event),
                    reason=event.reason.value,
                )
            )
        severities = {order.case_id: order.fault.severity for order in write.orders}
        for decision in write.decisions:
            self._course.decisions.append(decision)
            self._note_decision(decision, severities)
        self.commands += effects.commands

    def _note_finding(self, finding: Finding) -> None:
        lane = (finding.device, finding.component, finding.rule.id)
        self._severities[lane].append((finding.at, finding.severity))
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

    def _severity(self, device: DeviceId, event: CaseEvent) -> Severity | None:
        """Return what the rule of an event said of the fault then: a batch holds what it said later, too."""
        said = self._severities[device, event.component, event.rule]
        return next((severity for at, severity in reversed(said) if at <= event.at), None)

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
