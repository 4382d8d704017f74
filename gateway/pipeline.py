"""The journey of a message, in one place: readings -> findings -> cases -> verdicts -> service orders.

A `Pipeline` takes values and returns effects; it performs none. The service performs them (history, ledger,
acknowledgement, commands, in that order), recovery performs what was missed, replay collects them.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diagnostics import wording
from diagnostics.case import Case, Command
from diagnostics.casebook import CaseBook
from diagnostics.decision import Reason
from diagnostics.faults import FaultCatalogue
from diagnostics.orders.policy import OrderPolicies, decide
from diagnostics.orders.prefill import order_id, prefill
from diagnostics.orders.registry import Registry
from gateway.ports import DeviceRecord, Inbound, LedgerWrite, Notice, Rejected
from gateway.wire.reasons import QuarantineReason
from rules.batch import Bool, ReadingBatch
from rules.engine import Engine, FactsUpdate, RuleStanding
from rules.findings import Finding
from rules.loader import RuleSet
from rules.snapshot import Arrays
from rules.symbols import DeviceId, Symbols
from rules.times import MINUTE_MS

#: A device's ``last_seen`` is written to the ledger at most this often while nothing else of it changes.
SEEN_EVERY_MS = MINUTE_MS


@dataclass(frozen=True, slots=True)
class Settings:
    """What the pipeline is told by the configuration."""

    policies: OrderPolicies = field(default_factory=OrderPolicies)
    probe_deadline_ms: int = 30 * MINUTE_MS
    console_url: str | None = None


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
    """

    readings: ReadingBatch
    notices: tuple[Notice, ...]
    write: LedgerWrite
    commands: list[Command]
    repeated: Bool
    late: Bool
    decided_at: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


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
    ) -> None:
        self.symbols = symbols
        self.ruleset = ruleset
        self._engine = Engine(ruleset, symbols)
        self._book = CaseBook(ruleset.rules, faults, settings.probe_deadline_ms)
        self._faults = faults
        self._registry = registry
        self._settings = settings
        self._devices: dict[DeviceId, DeviceRecord] = {}
        self._written: dict[DeviceId, int] = {}  # last_seen as the ledger has it

    def push(self, inbound: Inbound) -> Effects:
        """Take in a decoded batch."""
        readings = inbound.readings
        changed: dict[DeviceId, DeviceRecord] = {}
        rejected: list[Rejected] = []
        notices, updates = self._hear(inbound, changed)
        applied = self._engine.apply(readings, updates)
        write = LedgerWrite()
        decided_at = self._pursue(applied.findings, notices, rejected, write)
        if len(readings):
            decided_at |= self._expire(int(readings.arrival[-1]), write)
        self._see(readings, changed)
        write.rejected = [*inbound.rejected, *rejected]
        write.devices = [
            DeviceRecord(record.id, dict(record.facts), record.online, record.last_seen)
            for record in changed.values()
        ]
        return Effects(
            readings=readings,
            notices=tuple(notices),
            write=write,
            commands=self._take(write),
            repeated=applied.repeated,
            late=applied.late,
            decided_at=decided_at,
            findings=tuple(applied.findings),
        )

    def tick(self, now: int) -> Effects:
        """Let arrival time pass: silences and deadlines."""
        write = LedgerWrite()
        findings = self._engine.tick(now)
        decided_at = self._pursue(findings, [], [], write) | self._expire(now, write)
        nothing = np.zeros(0, dtype=np.bool_)
        return Effects(
            EMPTY, (), write, self._take(write), nothing, nothing, decided_at, findings=tuple(findings)
        )

    def states(self, device: DeviceId) -> list[RuleStanding]:
        """Return where each rule that is for a device stands in each of its lanes."""
        return self._engine.states(device)

    def not_listening(self, gap_ms: int) -> None:
        """Leave a span out of every silence: the gateway itself was not listening."""
        self._engine.not_listening(gap_ms)

    def waiting_commands(self, now: int) -> list[Command]:
        """Return the commands of probes that may still be answered."""
        return self._book.waiting_commands(now)

    # The steps of a batch

    def _hear(
        self, inbound: Inbound, changed: dict[DeviceId, DeviceRecord]
    ) -> tuple[list[Notice], list[FactsUpdate]]:
        """Return the notices that say something new, and what of it the engine must know."""
        kept: list[Notice] = []
        updates = self._introductions(inbound)
        facts: dict[int, dict[str, object]] = {}  # as they will be; `_pursue` states them in their turn
        for notice in inbound.notices:
            record = self._record(self.symbols.devices[notice.device], notice.arrival)
            record.last_seen = max(record.last_seen, notice.arrival)
            if notice.kind == "reply":
                kept.append(notice)
                continue
            if notice.kind == "facts":
                if not _merge(facts.setdefault(notice.device, deepcopy(record.facts)), notice.body):
                    continue
                updates.append(FactsUpdate(notice.position, notice.device, notice.arrival, notice.body))
            elif record.online != notice.body.get("online"):
                record.online = bool(notice.body.get("online"))
            else:
                continue
            kept.append(notice)
            self._mark(record, changed)
        return kept, updates

    def _introductions(self, inbound: Inbound) -> list[FactsUpdate]:
        """Return what the registry knows of devices that speak for the first time; their own words win."""
        readings = inbound.readings
        first: dict[int, tuple[int, int]] = {}
        numbers, rows = np.unique(readings.device, return_index=True)
        for number, row in zip(numbers.tolist(), rows.tolist(), strict=True):
            first[number] = (row, int(readings.arrival[row]))
        for notice in inbound.notices:
            if notice.device not in first or notice.position <= first[notice.device][0]:
                first[notice.device] = (notice.position, notice.arrival)
        updates = []
        for number, (position, arrival) in first.items():
            device = self.symbols.devices[number]
            if device in self._devices:
                continue
            entry = self._registry.devices.get(device)
            if entry is not None:
                known = {"model": entry.model, "firmware": entry.firmware}
                stated = {name: value for name, value in known.items() if value is not None}
                updates.append(FactsUpdate(position, number, arrival, stated))
            self._record(device, arrival)
        return updates

    def _record(self, device: DeviceId, arrival: int) -> DeviceRecord:
        record = self._devices.get(device)
        if record is None:
            record = self._devices[device] = DeviceRecord(device, {}, None, arrival)
        return record

    def _see(self, readings: ReadingBatch, changed: dict[DeviceId, DeviceRecord]) -> None:
        """Note when devices were last heard of."""
        numbers, rows = np.unique(readings.device[::-1], return_index=True)
        for number, row in zip(numbers.tolist(), rows.tolist(), strict=True):
            record = self._devices[self.symbols.devices[number]]
            record.last_seen = max(record.last_seen, int(readings.arrival[len(readings) - 1 - row]))
            if record.last_seen - self._written.get(record.id, -SEEN_EVERY_MS) >= SEEN_EVERY_MS:
                self._mark(record, changed)

    def _mark(self, record: DeviceRecord, changed: dict[DeviceId, DeviceRecord]) -> None:
        self._written[record.id] = record.last_seen
        changed[record.id] = record

    def _pursue(
        self,
        findings: Sequence[Finding],
        notices: Sequence[Notice],
        rejected: list[Rejected],
        write: LedgerWrite,
    ) -> dict[str, int]:
        """Let findings, facts and replies have their effect in the order of their arrival.

        Returns the arrival of what decided, by the id of the order that it opened.
        """
        decided_at: dict[str, int] = {}
        steps: list[tuple[int, int, int, Finding | Notice]] = []
        steps += [(f.arrival, f.position, 1, f) for f in findings]
        steps += [(n.arrival, n.position, 0, n) for n in notices if n.kind != "status"]
        for arrival, _, _, step in sorted(steps, key=lambda item: item[:3]):
            decided_at |= self._expire(arrival, write)
            if isinstance(step, Finding):
                self._book.find(step)
            elif step.kind == "facts":
                _merge(self._devices[self.symbols.devices[step.device]].facts, step.body)
            elif not self._book.reply(device := self.symbols.devices[step.device], step.body, arrival):
                detail = f"id {step.body.get('id')!r}: no self test with this id is waited for"
                reason = QuarantineReason.UNKNOWN_PROBE.value
                rejected.append(Rejected(f"{device}/reply", reason, detail, b"", arrival))
            decided_at |= self._open_orders(write)
        return decided_at

    def _expire(self, now: int, write: LedgerWrite) -> dict[str, int]:
        self._book.expire(now)
        return self._open_orders(write)

    def _open_orders(self, write: LedgerWrite) -> dict[str, int]:
        """Fill in an order for each verdict at once, before anything later is known, or note why none."""
        decided_at = {}
        for verdict in self._book.take_verdicts():
            case, rule = verdict.case, verdict.rule
            device = DeviceId(case.tenant, case.device_class, case.device)
            facts = self._devices[device].facts
            fault = self._faults.get(case.fault)
            against = decide(case, fault, self._registry, self._settings.policies, facts=facts)
            if against is not None:
                self._book.no_order(verdict, against, wording.NO_ORDER[against])
                continue
            number = order_id(case)
            self._book.open_order(verdict, number, wording.order_opened(number, verdict.confirmed_by))
            write.orders.append(
                prefill(
                    case=case,
                    confirmed_by=verdict.confirmed_by,
                    explanation=wording.explanation(case, rule),
                    confidence=None,
                    facts=facts,
                    registry=self._registry,
                    faults=self._faults,
                    opened_at=verdict.at,
                    reason=Reason.CONFIRMED.value,
                    console_url=self._settings.console_url,
                    parts_hint=rule.parts,
                )
            )
            decided_at[number] = verdict.arrival
        return decided_at

    def _take(self, write: LedgerWrite) -> list[Command]:
        journal = self._book.take_journal()
        write.cases = [case.model_copy(deep=True) for case in journal.cases.values()]
        write.events, write.decisions = journal.events, journal.decisions
        return journal.commands

    # Recovery

    def snapshot(self) -> tuple[Arrays, dict[str, Any]]:
        """Return all state: arrays by path, and a document that JSON can hold."""
        arrays, engine = self._engine.snapshot()
        devices = [[*r.id, r.facts, r.online, r.last_seen] for r in self._devices.values()]
        cases = [case.model_dump(mode="json") for case in self._book.snapshot()]
        return arrays, {"engine": engine, "devices": devices, "cases": cases}

    def restore(self, arrays: Arrays, document: dict[str, Any]) -> None:
        """Go on from a snapshot; the pipeline is new."""
        self._engine.restore(arrays, document["engine"])
        for tenant, device_class, device, facts, online, last_seen in document["devices"]:
            known = DeviceId(tenant, device_class, device)
            self._devices[known] = DeviceRecord(known, facts, online, last_seen)
            self._written[known] = last_seen
        self._book.restore([Case.model_validate(case) for case in document["cases"]])


def _merge(facts: dict[str, object], stated: Mapping[str, object]) -> bool:
    """Lay what a device states over what it had stated; return whether that changed anything."""
    changed = False
    for name, value in stated.items():
        before = facts.get(name)
        if name == "components" and isinstance(value, Mapping):
            components = facts.setdefault(name, {})
            assert isinstance(components, dict)
            for component, part in value.items():
                merged = {**components.get(component, {}), **part}
                changed |= merged != components.get(component)
                components[component] = merged
        elif name not in facts or before != value:
            facts[name] = value
            changed = True
    return changed


EMPTY = ReadingBatch(
    device=np.zeros(0, dtype=np.int32),
    ts=np.zeros(0, dtype=np.int64),
    arrival=np.zeros(0, dtype=np.int64),
    message=np.zeros(0, dtype=np.int32),
    channel=np.zeros(0, dtype=np.int32),
    value=np.zeros(0, dtype=np.float64),
    kind=np.zeros(0, dtype=np.int8),
)
