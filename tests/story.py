"""Incidents in virtual time: devices speak, time passes, and the journey is followed to its order."""

from dataclasses import dataclass, field

import msgspec

from diagnostics.faults import load_faults
from diagnostics.instruction import Instruction
from diagnostics.orders.registry import Registry
from diagnostics.silences import Silence, SilenceWord, said_at
from gateway.pipeline import EMPTY, Pipeline, Settings
from gateway.ports import Inbound, Notice, Packet
from gateway.wire.decoder import Decoder
from rules.loader import RuleSet, load_rules
from rules.symbols import DeviceId, Symbols
from rules.times import parse_duration, parse_instant

START = parse_instant("2026-03-02T08:00:00Z")


@dataclass
class Story:
    """A gateway without a world: packets go in at arrival times, what it decides is kept.

    `clock` is both the devices' time and that of arrival, unless a word says otherwise.
    """

    ruleset: RuleSet = field(default_factory=lambda: load_rules(["builtin"]))
    registry: Registry = field(default_factory=Registry)
    settings: Settings = field(default_factory=Settings)
    clock: int = START

    def __post_init__(self):
        self.symbols = Symbols()
        self.pipeline = Pipeline(
            symbols=self.symbols,
            ruleset=self.ruleset,
            faults=load_faults(),
            registry=self.registry,
            settings=self.settings,
        )
        self.decoder = Decoder(self.symbols, self.ruleset.catalogue)
        self.events, self.decisions, self.orders, self.commands, self.rejected = [], [], [], [], []
        self.reconnecting, self.devices = [], []
        self.changes, self.notices = [], []
        self.refused, self.silences = {}, {}
        self._said = 0
        self.cases = {}

    # what happens

    def says(self, device, leaf="telemetry", **body):
        """A device publishes on one of its topics; telemetry without ts carries the clock's."""
        if leaf == "telemetry" and "values" in body:
            body = {"ts": self.clock, **body}
        self.publish(device, leaf, body)

    def reads(self, device, values, at=None):
        """A device reports values now, or at a time of its own."""
        self.publish(device, "telemetry", {"ts": self.clock if at is None else at, "values": values})

    def publish(self, device, leaf, document, *, retained=False):
        packet = Packet(f"fw/{device}/{leaf}", msgspec.json.encode(document), self.clock, retained)
        self.take(self.pipeline.push(self.decoder.decode([packet])))

    def passes(self, duration):
        """Time passes; nobody speaks."""
        self.clock += parse_duration(duration)
        self.take(self.pipeline.tick(self.clock))

    def keeps_reading(self, device, values, *, every="1m", for_="10m"):
        """A device reports the same values again and again while time passes."""
        end = self.clock + parse_duration(for_)
        while self.clock < end:
            self.reads(device, values)
            self.passes(every)

    def take(self, effects):
        self.events += effects.write.events
        self.decisions += effects.write.decisions
        self.orders += effects.write.orders
        self.commands += effects.commands
        self.rejected += effects.write.rejected
        self.reconnecting += effects.reconnecting
        self.devices += effects.write.devices
        self.changes += effects.write.changes
        self.silences |= {silence.silence_id: silence for silence in effects.write.silences}
        self.notices += effects.notices
        self.refused |= effects.refused
        self.cases |= {case.case_id: case for case in effects.write.cases}

    def told(self, verb, case=None, *, who="anna", again=False, **said):
        """Somebody says something of a case, the latest when none is named; returns why it was refused."""
        case = case or list(self.cases.values())[-1]
        self._said += not again
        instruction = Instruction(
            instruction_id=f"I-{self._said}",
            verb=verb,
            case_id=case.case_id,
            component=case.component,
            fault=case.fault,
            who=who,
            **said,
        )
        device = self.symbols.devices.index[DeviceId(case.tenant, case.device_class, case.device)]
        notice = Notice("instruction", 0, device, self.clock, instruction.model_dump(mode="json"))
        self.take(self.pipeline.push(Inbound(EMPTY, (notice,))))
        return self.refused.get(instruction.instruction_id)

    def silenced(self, *, for_="4h", who="anna", note="why", tenant="acme", maintenance=False, **match):
        """Somebody asks for silence from now on; returns the silence."""
        self._said += 1
        silence = Silence(
            silence_id=f"S-{self._said}",
            tenant=tenant,
            match=match,
            maintenance=maintenance,
            starts=self.clock,
            ends=self.clock + parse_duration(for_),
            note=note,
            created_at=self.clock,
            created_by=who,
        )
        self.hushed("silence", silence=silence)
        return silence

    def hushed(self, verb, *, tenant="acme", who="anna", **said):
        """Somebody says something of a silence; returns why it was refused."""
        self._said += 1
        word = SilenceWord(verb=verb, instruction_id=f"I-{self._said}", who=who, **said)
        place = self.symbols.devices.intern(said_at(tenant))
        body = word.model_dump(mode="json", by_alias=True)
        self.take(self.pipeline.push(Inbound(EMPTY, (Notice("instruction", 0, place, self.clock, body),))))
        return self.refused.get(word.instruction_id)

    # what came of it

    def order_as_it_is(self, number=-1):
        """An order with all that happened to it since it was opened."""
        order = self.orders[number]
        for change in self.changes:
            order = change.applied(order) if change.order_id == order.order_id else order
        return order

    def door(self, number=-1):
        """The states that an order went through."""
        changes = [c for c in self.changes if c.order_id == self.orders[number].order_id]
        return [str(c.after) for c in changes if c.after != c.before]

    def minutes(self, instant):
        """An instant as minutes since the story began."""
        return (instant - START) / 60_000

    def steps(self):
        """The life of all cases: event, minute, fault."""
        return [(e.event, self.minutes(e.at), e.fault) for e in self.events]

    def reasons(self):
        return [d.reason.value for d in self.decisions]

    def answer(self, state, **result):
        """The device of the last command answers it."""
        command = self.commands[-1]
        device = f"{command.tenant}/{command.device_class}/{command.device}"
        self.publish(device, "reply", {"id": command.id, "state": state, "result": result})


def ruleset(folder, *rules):
    """Return rules as a user's own pack would give them."""
    import yaml

    path = folder / "pack.yaml"
    path.write_text(yaml.safe_dump({"pack": "story", "rules": list(rules)}))
    return load_rules([path])
