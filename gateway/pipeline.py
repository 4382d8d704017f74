"""The journey of a message, in one place: readings -> findings -> cases -> verdicts -> service orders.

A `Pipeline` takes values and returns effects; it performs none. The service performs them (history, ledger,
acknowledgement, commands, in that order), recovery performs what was missed, replay collects them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, get_args

import numpy as np

from diagnostics import wording
from diagnostics.case import Case, Command
from diagnostics.casebook import CaseBook, RuleLane
from diagnostics.decision import Reason
from diagnostics.explaining import explanation
from diagnostics.faults import Fault, FaultCatalogue
from diagnostics.instruction import Instruction, RefusedError
from diagnostics.naming import Traits
from diagnostics.orders.load import RepairerLoad
from diagnostics.orders.policy import OrderPolicies, decide, overruled
from diagnostics.orders.prefill import prefill
from diagnostics.orders.registry import Registry
from diagnostics.orders.supply import kinds_of, needs_of
from diagnostics.silences import Silence, SilenceVerb, SilenceWord
from gateway.known import KnownDevices, merge, unstated
from gateway.ports import Inbound, LedgerWrite, Notice, Rejected
from gateway.rulechange import RuleChange, facts_asked
from gateway.wire.reasons import QuarantineReason, shown
from gateway.wire.refusals import MAX_KEPT_PAYLOAD
from gateway.wire.topics import Leaf, format_topic
from rules.batch import Bool, Int32, ReadingBatch
from rules.engine import Applied, Engine, FactsUpdate, RuleStanding
from rules.findings import Finding
from rules.loader import RuleSet
from rules.snapshot import Arrays, fingerprint
from rules.symbols import DeviceId, Symbols
from rules.tally import RuleTally
from rules.times import MINUTE_MS


@dataclass(frozen=True, slots=True)
class Settings:
    """What the pipeline is told by the configuration."""

    policies: OrderPolicies = field(default_factory=OrderPolicies)
    probe_deadline_ms: int = 30 * MINUTE_MS
    console_url: str | None = None
    topic_root: str = "fw"


@dataclass(slots=True)
class Effects:
    """What a batch asks of the world.

    Attributes:
        readings: to be kept, as they came.
        notices: to be kept: facts, status and replies that said something new.
        write: what changes in the ledger.
        commands: to be published once the ledger has them.
        repeated: [M] bool, messages that are not newer than what their device had sent; their readings may
            be kept already.
        late: [M] bool, messages that were not evaluated because they came too late.
        decided_at: arrival of the deciding message, ms, by order id.
        findings: of the rules, in order; what came of them stands in `write`.
        packets: [M] int32, position of the packet that brought each message, as in `Inbound`.
        refused: instructions that could not be followed, and why, by id; they are not kept.
        reconnecting: devices that began to come online too often; see `KnownDevices.came_online`.
    """

    readings: ReadingBatch
    notices: tuple[Notice, ...]
    write: LedgerWrite
    commands: list[Command]
    repeated: Bool
    late: Bool
    decided_at: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    packets: Int32 | None = None
    reconnecting: tuple[DeviceId, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)


class Evaluator(Protocol):
    """What evaluates rules over batches, as `rules.engine.Engine` does."""

    def apply(self, batch: ReadingBatch, facts: Sequence[FactsUpdate] = ()) -> Applied:
        """Take in a batch, with what devices say of themselves between its messages."""
        ...

    def tick(self, now: int) -> list[Finding]:
        """Let arrival time pass."""
        ...

    def not_listening(self, gap_ms: int) -> None:
        """Leave a span of arrival time out of every silence."""
        ...


class Answer(NamedTuple):
    """A device's answer to a self test, contract section 1; `arrival` in ms."""

    arrival: int
    device: DeviceId
    body: dict[str, object]


class Answers(Protocol):
    """What knows how devices answer self tests."""

    def due(self, asked: Sequence[Command], now: int) -> Sequence[Answer]:
        """Return the answers that arrive by `now` (ms), in order, each once.

        `asked` are self tests that were sent, those of earlier calls among them or not.
        """
        ...


class Pipeline:
    """The engine, the open cases and what devices said of themselves."""

    def __init__(
        self,
        *,
        symbols: Symbols,
        ruleset: RuleSet,
        faults: FaultCatalogue,
        registry: Registry,
        settings: Settings,
        evaluator: "Evaluator | None" = None,
        answers: "Answers | None" = None,
    ) -> None:
        """Begin with devices that never spoke.

        Args:
            symbols: the numbers that batches come with.
            ruleset: the rules.
            faults: what the faults are that they name.
            registry: whose devices they are.
            settings: of the configuration.
            evaluator: what evaluates the rules, where that is not an engine of this pipeline's own.
            answers: what answers self tests besides the devices that speak; a backtest knows of some.
        """
        self.symbols = symbols
        self.ruleset = ruleset
        self._engine = Engine(ruleset, symbols)
        self._evaluator: Evaluator = evaluator or self._engine
        self._answers = answers
        self._book = CaseBook(
            ruleset.rules,
            faults,
            settings.probe_deadline_ms,
            reopen_window_ms=settings.policies.reopen_window_ms,
            cancel_on_recovery=settings.policies.cancel_on_recovery,
            traits=self._traits,
        )
        self._faults = faults
        self._registry = registry
        self._settings = settings
        self._known = KnownDevices(symbols)
        self._load = RepairerLoad()
        self._now = 0  # arrival of the last that was taken in
        self._lines: dict[str, bytes] = {}  # cases of the book as they are saved, by id

    def use_registry(self, registry: Registry) -> None:
        """Fill in orders from another registry from now on. On any thread."""
        self._registry = registry

    def push(self, inbound: Inbound) -> Effects:
        """Take in a decoded batch."""
        readings = inbound.readings
        changed: dict[int, None] = {}  # devices, in order of their change
        rejected: list[Rejected] = []
        refused: dict[str, str] = {}
        reconnecting: list[DeviceId] = []
        notices, updates = self._hear(inbound, changed, reconnecting)
        applied = self._evaluator.apply(readings, updates)
        write = LedgerWrite()
        decided_at = self._pursue(applied.findings, notices, rejected, refused, write)
        if len(readings):
            latest = int(readings.arrival.max())
            self._now = max(self._now, latest)
            decided_at |= self._expire(latest, write)
        self._see(inbound, changed)
        write.rejected = [*inbound.rejected, *rejected]
        commands = self._take(write)
        changed.update(dict.fromkeys(self._numbers(write.cases)))  # never heard of before its own cases
        write.devices = self._known.write(changed)
        return Effects(
            readings=readings,
            notices=tuple(notice for notice in notices if _said_id(notice) not in refused),
            write=write,
            commands=commands,
            repeated=applied.repeated,
            late=applied.late,
            decided_at=decided_at,
            findings=tuple(applied.findings),
            packets=inbound.packets,
            reconnecting=tuple(reconnecting),
            refused=refused,
        )

    def tick(self, now: int) -> Effects:
        """Let arrival time pass: silences and deadlines."""
        write = LedgerWrite()
        findings = self._evaluator.tick(now)
        decided_at = self._pursue(findings, [], [], {}, write) | self._expire(now, write)
        self._now = max(self._now, now)
        return self._without_messages(write, decided_at, findings)

    def _without_messages(
        self, write: LedgerWrite, decided_at: dict[str, int], findings: Sequence[Finding]
    ) -> Effects:
        none = np.zeros(0, dtype=np.bool_)
        return Effects(EMPTY, (), write, self._take(write), none, none, decided_at, findings=tuple(findings))

    def states(self, device: DeviceId) -> list[RuleStanding]:
        """Return where each rule that is for a device stands in each of its lanes."""
        return self._engine.states(device)

    def tally(self) -> list[RuleTally]:
        """Return in how many lanes each rule stands where."""
        return self._engine.tally()

    def not_listening(self, gap_ms: int) -> None:
        """Leave a span out of every silence: the gateway itself was not listening."""
        self._evaluator.not_listening(gap_ms)

    def waiting_commands(self, now: int) -> list[Command]:
        """Return the commands of probes that may still be answered."""
        return self._book.waiting_commands(now)

    @property
    def now(self) -> int:
        """Arrival of the last that was taken in, ms."""
        return self._now

    def last_seen(self, device: DeviceId) -> int | None:
        """Return the arrival of a device's last message, ms; None when it never spoke.

        The ledger is told at most once a minute of a device that says nothing new. Any thread may ask.
        """
        number = self.symbols.devices.index.get(device)
        return None if number is None else self._known.last_seen(number)

    def reconnects(self, device: DeviceId, now: int) -> int:
        """Return how often a reconnecting device came online within the last minute, 0 when it is steady.

        Any thread may ask.
        """
        number = self.symbols.devices.index.get(device)
        return 0 if number is None else self._known.reconnects(number, now)

    def unwritten(self) -> LedgerWrite:
        """Return when devices were last heard of, of those of which the ledger does not know it yet."""
        return LedgerWrite(devices=self._known.write(self._known.unwritten().tolist()))

    # The steps of a batch

    def _hear(
        self, inbound: Inbound, changed: dict[int, None], reconnecting: list[DeviceId]
    ) -> tuple[list[Notice], list[FactsUpdate]]:
        """Return the notices that say something new, and what of it the engine must know."""
        kept: list[Notice] = []
        updates = self._introductions(inbound)
        facts: dict[int, dict[str, object]] = {}  # as they will be; `_pursue` states them in their turn
        for notice in inbound.notices:
            if _is_sign_of_life(notice):
                self._known.hear(np.array([notice.device]), np.array([notice.arrival]))
            self._now = max(self._now, notice.arrival)
            if notice.kind in ("reply", "instruction"):
                kept.append(notice)
                continue
            body = notice.body
            outdated = notice.retained and notice.arrival < (self._known.last_seen(notice.device) or 0)
            if notice.kind == "facts":
                if notice.device not in facts:
                    facts[notice.device] = self._known.facts(notice.device)
                if outdated:
                    body = unstated(facts[notice.device], body)
                if not merge(facts[notice.device], body):
                    continue
                updates.append(FactsUpdate(notice.position, notice.device, notice.arrival, body))
            elif outdated:
                continue  # the device was heard since; what it then was says nothing of now
            elif self._known.online(notice.device) != notice.body.get("online"):
                online = bool(notice.body.get("online"))
                self._known.connect(notice.device, online)
                live = online and not notice.retained
                if live and self._known.came_online(notice.device, notice.arrival):
                    reconnecting.append(self.symbols.devices[notice.device])
            else:
                continue
            kept.append(replace(notice, body=body) if body is not notice.body else notice)
            changed[notice.device] = None
        return kept, updates

    def _introductions(self, inbound: Inbound) -> list[FactsUpdate]:
        """Return what the registry knows of devices that speak for the first time; their own words win."""
        readings = inbound.readings
        numbers, rows = np.unique(readings.device.astype(np.int64), return_index=True)
        new = self._known.unknown(numbers)
        first: dict[int, tuple[int, int]] = {}
        kept: dict[int, int] = {}  # when a device lived of which a broker had kept the first word
        for number, row in zip(numbers[new].tolist(), rows[new].tolist(), strict=True):
            first[number] = (row, int(readings.arrival[row]))
            if readings.retained[row]:
                kept[number] = min(int(readings.ts[row]), int(readings.arrival[row]))
        for notice in inbound.notices:
            number = notice.device
            if notice.kind == "instruction":
                continue  # a person spoke; and a silence is of no device
            if number in first:
                if notice.position <= first[number][0]:
                    first[number] = (notice.position, notice.arrival)
            elif self._known.unknown(np.array([number]))[0]:
                first[number] = (notice.position, notice.arrival)
        updates = []
        for number, (position, arrival) in first.items():
            stated = self._registered(number)
            if stated is not None:
                updates.append(FactsUpdate(position, number, arrival, stated))
            self._known.introduce(number, kept.get(number, arrival))
        return updates

    def _registered(self, number: int) -> dict[str, object] | None:
        """Return what the registry says of a device, None when it does not know it."""
        entry = self._registry.devices.get(self.symbols.devices[number])
        if entry is None:
            return None
        site = self._registry.sites.get(entry.site) if entry.site else None
        owner = self._registry.owners.get(entry.owner) if entry.owner else None
        zone = (site.time_zone if site else None) or (owner.time_zone if owner else None)
        known = {"model": entry.model, "firmware": entry.firmware, "time_zone": zone}
        return {name: value for name, value in known.items() if value is not None}

    def _traits(self, device: DeviceId) -> Traits:
        """Return what silences and people's words look at, beside the case."""
        number = self.symbols.devices.index[device]
        entry = self._registry.devices.get(device)
        model = self._known.facts(number).get("model")
        return Traits(
            model=model if isinstance(model, str) else (entry.model if entry else None),
            site=entry.site if entry else None,
            online=self._known.online(number),
        )

    def _see(self, inbound: Inbound, changed: dict[int, None]) -> None:
        """Note when devices were last heard of. What a broker had kept is no sign of life."""
        readings = inbound.readings
        live = np.flatnonzero(~readings.retained)
        numbers, rows = np.unique(readings.device[live][::-1].astype(np.int64), return_index=True)
        latest = live[len(live) - 1 - rows]
        self._known.hear(numbers, readings.arrival[latest])
        # Agents exist whose last will says that they are gone and who never say that they are back.
        left = {notice.device: notice.position for notice in inbound.notices if notice.kind == "status"}
        spoke = (
            latest >= np.array([left.get(number, 0) for number in numbers.tolist()]) if left else latest >= 0
        )
        changed.update(dict.fromkeys(self._known.back(numbers[spoke]).tolist()))
        if len(live) < len(readings):
            numbers = np.unique(readings.device.astype(np.int64))
        changed.update(dict.fromkeys(self._known.due(numbers).tolist()))

    def _numbers(self, cases: Sequence[Case]) -> list[int]:
        """Return the devices of cases."""
        index = self.symbols.devices.index
        return [index[DeviceId(case.tenant, case.device_class, case.device)] for case in cases]

    def _pursue(
        self,
        findings: Sequence[Finding],
        notices: Sequence[Notice],
        rejected: list[Rejected],
        refused: dict[str, str],
        write: LedgerWrite,
    ) -> dict[str, int]:
        """Let findings, facts and replies have their effect in the order of their arrival.

        Returns the arrival of what decided, by the id of the order that it opened.
        """
        decided_at: dict[str, int] = {}
        steps: list[tuple[int, int, int, Finding | Notice]] = []
        steps += [(f.arrival, f.position, _TURN.get(f.kind, 2), f) for f in findings]
        steps += [(n.arrival, n.position, 0, n) for n in notices if n.kind != "status"]
        for arrival, _, _, step in sorted(steps, key=lambda item: item[:3]):
            decided_at |= self._expire(arrival, write)
            if isinstance(step, Finding):
                self._book.find(step)
            elif step.kind == "facts":
                facts = self._known.facts(step.device)
                merge(facts, step.body)
                self._known.state(step.device, facts)
            elif step.kind == "instruction":
                self._instruct(step, refused)
            elif not self._book.reply(self.symbols.devices[step.device], step.body, arrival):
                rejected.append(self._unasked(step))
            decided_at |= self._open_orders(write)
        return decided_at

    def _instruct(self, notice: Notice, refused: dict[str, str]) -> None:
        try:
            if notice.body["verb"] in get_args(SilenceVerb):
                self._book.hush(SilenceWord.model_validate(notice.body), notice.arrival)
            else:
                instruction = Instruction.model_validate(notice.body)
                self._book.instruct(self.symbols.devices[notice.device], instruction, notice.arrival)
        except RefusedError as error:
            refused[str(_said_id(notice))] = str(error)

    def _unasked(self, reply: Notice) -> Rejected:
        """Return a reply that nobody waits for, as it is put aside.

        Written anew from what the history keeps of it, so that recovery comes to the same row.
        """
        payload = json.dumps(reply.body).encode()
        return Rejected(
            format_topic(self._settings.topic_root, self.symbols.devices[reply.device], Leaf.REPLY),
            QuarantineReason.UNKNOWN_PROBE.value,
            f"id {shown(reply.body.get('id'))}: no self test with this id is waited for",
            payload[:MAX_KEPT_PAYLOAD],
            reply.arrival,
            reply.packet,
            truncated=len(payload) > MAX_KEPT_PAYLOAD,
        )

    def _expire(self, now: int, write: LedgerWrite) -> dict[str, int]:
        decided_at = self._take_answers(now, write)
        self._book.expire(now)
        return decided_at | self._open_orders(write)

    def _take_answers(self, now: int, write: LedgerWrite) -> dict[str, int]:
        """Take the answers to self tests that did not come with the messages, up to `now`."""
        decided_at: dict[str, int] = {}
        if self._answers is not None:
            for answer in self._answers.due(self._book.journal.commands, now):
                self._book.expire(answer.arrival)
                self._book.reply(answer.device, answer.body, answer.arrival)
                decided_at |= self._open_orders(write)
        return decided_at

    def _open_orders(self, write: LedgerWrite) -> dict[str, int]:
        """Fill in an order for each verdict at once, before anything later is known, or note why none."""
        decided_at = {}
        for verdict in self._book.take_verdicts():
            case, rule = verdict.case, verdict.rule
            device = DeviceId(case.tenant, case.device_class, case.device)
            number_of = self.symbols.devices.index[device]
            facts = self._known.facts(number_of)
            fault = self._faults.get(case.fault)
            against = decide(
                case,
                fault,
                self._registry,
                self._settings.policies,
                facts=facts,
                kinds=self._kinds(case, fault, rule.parts),
            )
            if against is not None and not (verdict.insisted and overruled(against)):
                self._book.no_order(verdict, against, wording.NO_ORDER[against])
                continue
            order = prefill(
                case=case,
                confirmed_by=verdict.confirmed_by,
                explanation=explanation(
                    case, rule, self.ruleset.catalogue, {**(self._registered(number_of) or {}), **facts}
                ),
                confidence=None,
                facts=facts,
                registry=self._registry,
                faults=self._faults,
                opened_at=verdict.at,
                reason=Reason.CONFIRMED.value,
                console_url=self._settings.console_url,
                parts_hint=rule.parts,
                load=self._load.now(self._book.journal.changes),
            )
            provider = order.service.provider.id if order.service.provider else None
            opened = wording.order_opened(order.order_id, verdict.confirmed_by)
            self._book.open_order(verdict, order.order_id, opened, provider)
            if provider is not None:
                self._load.opened(order.order_id, provider)
            write.orders.append(order)
            decided_at[order.order_id] = verdict.arrival
        return decided_at

    def _kinds(self, case: Case, fault: Fault | None, hints: Sequence[str]) -> list[str] | None:
        """Return the kinds of parts that the repair takes, None when they are not known."""
        return kinds_of(
            needs_of(
                fault=fault, hints=hints, faults=self._faults, registry=self._registry, tenant=case.tenant
            )
        )

    def _take(self, write: LedgerWrite) -> list[Command]:
        journal = self._book.take_journal()
        write.cases = [case.model_copy(deep=True) for case in journal.cases.values()]
        write.events, write.decisions = journal.events, journal.decisions
        write.changes = journal.changes
        write.silences = list(journal.silences.values())
        for case in journal.cases.values():
            if case in self._book:
                self._lines[case.case_id] = case.model_dump_json().encode()
            else:
                self._lines.pop(case.case_id, None)
        done = (case for case in journal.cases.values() if case not in self._book)
        self._load.taken(journal.changes, done)
        return journal.commands

    # Other rules

    def reload(self, ruleset: RuleSet) -> tuple[RuleChange, Effects]:
        """Go on with other rules: what stays the same goes on where it stood, what is new starts quiet.

        Blocks for as long as a state takes to be taken up. When it raises nothing has changed.
        """
        before = self.ruleset
        arrays, document = self._engine.snapshot()
        engine = Engine(ruleset, self.symbols)
        engine.restore(arrays, document)
        self._engine = self._evaluator = engine
        self.ruleset = ruleset
        change = RuleChange.between(_fingerprints(before), _fingerprints(ruleset))
        return change, self._take_rules(change.kept, facts_asked(before))

    def _take_rules(self, kept: frozenset[str], asked: frozenset[str]) -> Effects:
        """Withdraw what rules suspected that are not `kept`, and tell the engine what it had not `asked`."""
        write = LedgerWrite()
        self._book.take_rules(self.ruleset.rules, kept, self._now)
        updates = []
        if facts_asked(self.ruleset) - asked:
            for number, facts in self._known.with_facts():
                stated = {**(self._registered(number) or {}), **facts}
                if stated:
                    updates.append(FactsUpdate(0, number, self._now, stated))
        findings = self._evaluator.apply(EMPTY, updates).findings
        return self._without_messages(write, self._pursue(findings, [], [], {}, write), findings)

    # Recovery

    def snapshot(self) -> tuple[Arrays, dict[str, Any]]:
        """Return all state: arrays by path, and a document that JSON can hold. The arrays are views."""
        arrays, engine = self._engine.snapshot()
        arrays |= self._known.snapshot()
        arrays["cases/lines"] = np.frombuffer(b"\n".join(self._lines.values()), dtype=np.uint8)
        return arrays, {
            "engine": engine,
            "now": self._now,
            "silences": [silence.model_dump(mode="json") for silence in self._book.silences],
            "flapping": [[*lane.device, lane.component, lane.rule] for lane in self._book.flapping()],
            "rules": _fingerprints(self.ruleset),
            "asked": sorted(facts_asked(self.ruleset)),
        }

    def restore(self, arrays: Arrays, document: dict[str, Any]) -> Effects:
        """Go on from a snapshot; the pipeline is new.

        Returns:
            What it means that rules are others than those of the snapshot.
        """
        self._engine.restore(arrays, document["engine"])
        self._known.restore(arrays)
        self._now = document["now"]
        lines = arrays["cases/lines"].tobytes().splitlines()
        cases = [Case.model_validate_json(line) for line in lines]
        self._lines = {case.case_id: line for case, line in zip(cases, lines, strict=True)}
        flapping = (RuleLane(DeviceId(*names[:3]), *names[3:]) for names in document["flapping"])
        self._book.restore(cases, flapping)
        self._book.silences.restore([Silence.model_validate(s) for s in document.get("silences", [])])
        self._load.restore(cases)
        change = RuleChange.between(document["rules"], _fingerprints(self.ruleset))
        return self._take_rules(change.kept, frozenset(document["asked"]))


def _is_sign_of_life(notice: Notice) -> bool:
    """Return whether the device itself spoke just now; ``offline`` may be the last will, the broker's."""
    if notice.kind == "instruction" or notice.retained:
        return False
    return not (notice.kind == "status" and notice.body.get("online") is False)


def _said_id(notice: Notice) -> object:
    """Return the id of an instruction, None of any other notice."""
    return notice.body["instruction_id"] if notice.kind == "instruction" else None


def _fingerprints(ruleset: RuleSet) -> dict[str, str]:
    return {rule.id: fingerprint(rule) for rule in ruleset.rules}


#: Of what one message led to, facts and replies count first, then whether a rule is to be believed in what it
#: says; that it is steady again counts for how things stand after all.
_TURN = {"flapping": 1, "steady": 3}

EMPTY = ReadingBatch(
    device=np.zeros(0, dtype=np.int32),
    ts=np.zeros(0, dtype=np.int64),
    arrival=np.zeros(0, dtype=np.int64),
    message=np.zeros(0, dtype=np.int32),
    channel=np.zeros(0, dtype=np.int32),
    value=np.zeros(0, dtype=np.float64),
    kind=np.zeros(0, dtype=np.int8),
)
