"""The open cases: findings and replies come in, confirmation is pursued, verdicts go out.

A case is one fault of one component of one device. Each rule that suspects it stands in the case with its own
way of confirmation:

    suspected -> (probes sent, waited for) -> confirmed -> order, or the reason why not
                                           -> refuted by a passed self test
              -> cleared before anything confirmed it

While a probe is out, the case waits for its reply or its deadline; only then do the other ways count. The
deadline runs on arrival time, everything else on device time. A rule that flaps confirms nothing until it is
steady again.
"""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, get_args

from diagnostics import wording
from diagnostics.case import Case, CaseState, Command, Evidence, Probe, ReplyState, Standing
from diagnostics.decision import Outcome, Reason, Scalar
from diagnostics.faults import FaultCatalogue
from diagnostics.journal import Journal, Verdict
from diagnostics.naming import derived
from diagnostics.standings import believe_again, hold_back, regrade, withdraw
from rules.findings import Finding
from rules.model import AlsoWay, EngineerWay, HeldWay, ProbeWay, Rule
from rules.symbols import DeviceId
from rules.times import MINUTE_MS

Key = tuple[DeviceId, str, str]


class RuleLane(NamedTuple):
    """A rule in one lane."""

    device: DeviceId
    component: str
    rule: str


#: Contract section 9: a probe that is not answered within 30 minutes of arrival time has expired.
DEFAULT_PROBE_DEADLINE_MS = 30 * MINUTE_MS
_REPLY_STATES: dict[str, ReplyState] = {state: state for state in get_args(ReplyState)}


class CaseBook:
    """Keeps the open cases, and the ended ones whose order is still open."""

    def __init__(
        self,
        rules: Iterable[Rule],
        faults: FaultCatalogue,
        probe_deadline_ms: int = DEFAULT_PROBE_DEADLINE_MS,
    ) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._faults = faults
        self._deadline_ms = probe_deadline_ms
        self._cases: dict[Key, Case] = {}
        self._pending: dict[str, Key] = {}  # probes of the cases that have no final answer, by probe id
        self._deadlines: list[tuple[int, str]] = []  # heap of (deadline, probe id)
        self._flapping: set[RuleLane] = set()  # remembered beyond the cases that end meanwhile
        self.journal = Journal()

    # What comes in

    def find(self, finding: Finding) -> None:
        """Take a finding of the engine."""
        key = (finding.device, finding.component, finding.rule.fault)
        if finding.kind == "suspected":
            self._suspect(key, finding)
            return
        case = self._cases.get(key)
        standing = case.standings.get(finding.rule.id) if case else None
        if finding.kind in ("flapping", "steady"):
            self._flap(case, standing, finding)
            return
        if case is None or standing is None or not standing.suspected:
            return
        if finding.kind == "severity":
            self._grade(case, standing, finding)
            return
        standing.ways = list(finding.ways)
        if finding.kind == "cleared":
            self._clear(case, standing, finding)
            return
        self._add_evidence(case, finding)
        self._touch(case, finding.at)
        self._settle(case, finding.rule, finding.at, finding.arrival)

    def reply(self, device: DeviceId, body: Mapping[str, object], arrival: int) -> bool:
        """Take the answer to a probe; False when no such probe was sent to that device."""
        key = self._pending.get(str(body.get("id")))
        state = _REPLY_STATES.get(str(body.get("state")))
        if key is None or key[0] != device or state is None:
            return False
        case = self._cases[key]
        probe = next(p for p in case.probes if p.probe_id == body["id"])
        if not _answerable(case, probe):
            return False
        result = body.get("result")
        probe.result = dict(result) if isinstance(result, Mapping) else {}
        probe.answered_at = arrival
        self._touch(case, arrival)
        if state == "running":
            probe.state = probe.state if probe.state == "expired" else "running"
            self._note_probe(case, probe, arrival, Reason.PROBE_RUNNING)
            return True
        probe.state = state
        del self._pending[probe.probe_id]
        if state in ("unsupported", "error"):
            self._note_probe(case, probe, arrival, Reason.PROBE_INCONCLUSIVE)
        for rule_id in self._asking(case, probe.action):
            if state == "passed":
                self._refute(case, rule_id, probe, arrival)
            else:
                self._settle(case, self._rules[rule_id], arrival, arrival)
        return True

    def expire(self, now: int) -> None:
        """End the waiting for probes whose deadline was before `now`, in order of deadline."""
        while self._deadlines and self._deadlines[0][0] < now:
            deadline, probe_id = heapq.heappop(self._deadlines)
            key = self._pending.get(probe_id)
            if key is None:
                continue
            case = self._cases[key]
            probe = next(p for p in case.probes if p.probe_id == probe_id)
            probe.state = "expired"
            self._touch(case, deadline)
            self._note_probe(case, probe, deadline, Reason.PROBE_EXPIRED)
            for rule_id in self._asking(case, probe.action):
                self._settle(case, self._rules[rule_id], deadline, deadline)

    def _note_probe(self, case: Case, probe: Probe, at: int, reason: Reason) -> None:
        self.journal.decide(
            case,
            probe.rule,
            at=at,
            outcome="pending",
            reason=reason,
            text=wording.PROBE_NOTES[reason](probe),
            values=wording.plain_result(probe),
        )

    # What is done with verdicts

    def take_verdicts(self) -> list[Verdict]:
        """Return the cases that were confirmed since the last call; each wants an order or a reason."""
        verdicts, self.journal.verdicts = self.journal.verdicts, []
        return verdicts

    def open_order(self, verdict: Verdict, order_id: str, text: str) -> None:
        """Note that a case opened an order."""
        case = verdict.case
        case.order_id = order_id
        case.reason = Reason.CONFIRMED
        self.journal.decide(
            case,
            verdict.rule.id,
            at=verdict.at,
            outcome="order",
            reason=Reason.CONFIRMED,
            text=text,
            values=self._values(case, verdict.rule),
        )

    def no_order(self, verdict: Verdict, reason: Reason, text: str) -> None:
        """Note why a confirmed case opens no order."""
        verdict.case.reason = reason
        values = self._values(verdict.case, verdict.rule)
        self.journal.decide(
            verdict.case,
            verdict.rule.id,
            at=verdict.at,
            outcome="no_order",
            reason=reason,
            text=text,
            values=values,
        )

    def take_journal(self) -> Journal:
        """Return what changed since the last call; cases that are over and done with leave the book."""
        journal, self.journal = self.journal, Journal()
        for case in journal.cases.values():
            key = _key_of(case)
            if self._cases.get(key) is case and self._done(case):
                self._leave(case)
        return journal

    def _leave(self, case: Case) -> None:
        """Take a case out of the book; nobody waits for its probes any more."""
        del self._cases[_key_of(case)]
        for probe in case.probes:
            self._pending.pop(probe.probe_id, None)

    def _done(self, case: Case) -> bool:
        """Return whether nothing can happen to a case any more."""
        return not (
            case.is_open
            or case.order_id
            or any(standing.suspected or standing.flapping for standing in case.standings.values())
            or any(_answerable(case, probe) for probe in case.probes)
        )

    # Recovery and other rules

    def take_rules(self, rules: Iterable[Rule], kept: Collection[str], at: int) -> None:
        """Go on with other rules.

        Args:
            rules: those in force from now on.
            kept: ids of those that say what they said before. What the others suspected is withdrawn, also
                of those that exist still: they start quiet.
            at: ms, arrival clock.
        """
        self._rules = {rule.id: rule for rule in rules}
        self._flapping = {lane for lane in self._flapping if lane.rule in kept}
        for case in list(self._cases.values()):
            for rule_id, standing in case.standings.items():
                if standing.suspected and rule_id not in kept:
                    withdraw(self.journal, case, rule_id, changed=rule_id in self._rules, at=at)

    def __contains__(self, case: Case) -> bool:
        """Return whether a case is in the book: something can still happen to it."""
        return self._cases.get(_key_of(case)) is case

    def snapshot(self) -> list[Case]:
        """Return all cases that must be known to go on."""
        return list(self._cases.values())

    def flapping(self) -> list[RuleLane]:
        """Return where rules flap, in order of names."""
        return sorted(self._flapping)

    def restore(self, cases: Sequence[Case], flapping: Iterable[RuleLane] = ()) -> None:
        """Go on from a snapshot."""
        self._flapping.update(flapping)
        for case in cases:
            key = _key_of(case)
            self._cases[key] = case
            for probe in case.probes:
                if probe.pending or probe.state == "expired":
                    self._pending[probe.probe_id] = key
                if probe.pending:
                    heapq.heappush(self._deadlines, (probe.deadline, probe.probe_id))

    def waiting_commands(self, now: int) -> list[Command]:
        """Return the commands of probes that may still be answered; a crash may have swallowed them."""
        return [
            self._command(self._cases[key], probe)
            for key in set(self._pending.values())
            for probe in self._cases[key].probes
            if probe.state == "sent" and probe.deadline >= now
        ]

    # The life of a case

    def _suspect(self, key: Key, finding: Finding) -> None:
        rule = finding.rule
        case = self._cases.get(key)
        reopened = case is not None and not case.is_open and case.order_id is not None
        if case is None or not (case.is_open or reopened):
            if case is not None:
                self._leave(case)
            case = self._cases[key] = self._new_case(key, finding)
        elif reopened:
            case.state = CaseState.SUSPECTED
            case.ended_at = None
        before = case.standings.get(rule.id)
        standing = case.standings[rule.id] = Standing(
            suspected_at=finding.at,
            ways=list(finding.ways),
            severity=finding.severity,
            flapping=before is not None and before.flapping,
        )
        self._add_evidence(case, finding)
        self._touch(case, finding.at)
        values = _observed(finding)
        reason = Reason.WAITING_CONFIRMATION if rule.confirm else Reason.SUSPECTED
        reason = Reason.REOPENED if reopened else reason
        self.journal.event(case, rule.id, "suspected", finding.at, reason)
        if reopened:
            self.journal.event(case, rule.id, "reopened", finding.at, Reason.REOPENED)
        self.journal.decide(
            case,
            rule.id,
            at=finding.at,
            outcome="pending",
            reason=reason,
            text=wording.suspected(case, rule, reopened),
            values=values,
        )
        why = wording.suspects_too(rule, finding.severity)
        regrade(self.journal, case, rule.id, at=finding.at, why=why, values=values)
        if case.state == CaseState.SUSPECTED:
            case.reason = Reason.FLAPPING if standing.flapping else Reason.WAITING_CONFIRMATION
        if RuleLane(key[0], key[1], rule.id) in self._flapping and not standing.flapping:
            hold_back(self.journal, case, standing, finding)
        self._pursue(case, standing, finding)

    def _pursue(self, case: Case, standing: Standing, finding: Finding) -> None:
        """Seek the confirmation of a suspicion, unless its rule flaps: no device is asked at every turn."""
        rule = finding.rule
        if standing.flapping:
            return
        if case.state == CaseState.SUSPECTED:
            for way in rule.confirm.ways if rule.confirm else ():
                if isinstance(way, ProbeWay):
                    self._send_probe(case, rule, way, finding)
        self._settle(case, rule, finding.at, finding.arrival)

    def _grade(self, case: Case, standing: Standing, finding: Finding) -> None:
        standing.severity = finding.severity
        self._add_evidence(case, finding)
        self._touch(case, finding.at)
        why = wording.by_rule(finding.rule, finding.severity)
        regrade(self.journal, case, finding.rule.id, at=finding.at, why=why, values=_observed(finding))

    def _flap(self, case: Case | None, standing: Standing | None, finding: Finding) -> None:
        """Begin or end to hold back a rule that comes and goes too often."""
        lane = RuleLane(finding.device, finding.component, finding.rule.id)
        begins = finding.kind == "flapping"
        (self._flapping.add if begins else self._flapping.discard)(lane)
        if case is None or standing is None or standing.flapping == begins:
            return
        self._touch(case, finding.at)
        if begins:
            hold_back(self.journal, case, standing, finding)
            return
        believe_again(self.journal, case, standing, finding)
        if standing.waits and case.is_open:
            standing.ways = list(finding.ways)
            self._pursue(case, standing, finding)

    def _new_case(self, key: Key, finding: Finding) -> Case:
        device, component, code = key
        fault = self._faults.get(code)
        rule = finding.rule
        return Case(
            case_id=derived("C-", *device, component, code, finding.at),
            tenant=device.tenant,
            device_class=device.device_class,
            device=device.device,
            component=component,
            fault=code,
            title=rule.title or (fault.title if fault else code),
            rule=rule.id,
            severity=finding.severity,
            onset=finding.at,
            updated=finding.at,
        )

    def _send_probe(self, case: Case, rule: Rule, way: ProbeWay, finding: Finding) -> None:
        if any(probe.action == way.action and probe.pending for probe in case.probes):
            return  # another rule of the case asks the same; its answer serves both
        probe_id = derived("P-", case.case_id, way.action, case.standings[rule.id].suspected_at)
        if finding.kind == "steady" and any(probe.probe_id == probe_id for probe in case.probes):
            return  # it was asked when the fault was suspected
        probe = Probe(
            probe_id=probe_id,
            rule=rule.id,
            action=way.action,
            component=case.component,
            sent_at=finding.arrival,
            deadline=finding.arrival + self._deadline_ms,
        )
        case.probes = [*(p for p in case.probes if p.probe_id != probe.probe_id), probe]
        self._pending[probe.probe_id] = (finding.device, case.component, case.fault)
        self.journal.commands.append(self._command(case, probe))
        heapq.heappush(self._deadlines, (probe.deadline, probe.probe_id))
        self._note_probe(case, probe, finding.arrival, Reason.PROBE_SENT)

    def _command(self, case: Case, probe: Probe) -> Command:
        return Command(
            tenant=case.tenant,
            device_class=case.device_class,
            device=case.device,
            id=probe.probe_id,
            action=probe.action,
            component=probe.component,
            expires=probe.deadline,
        )

    def _settle(self, case: Case, rule: Rule, at: int, arrival: int) -> None:
        """Confirm a rule's suspicion when its ways suffice."""
        standing = case.standings[rule.id]
        if not standing.waits or standing.flapping or not case.is_open:
            return
        confirmed_by = self._confirmation(case, rule, standing)
        if confirmed_by is None:
            return
        standing.verdict = "confirmed"
        first = case.state != CaseState.CONFIRMED
        case.state = CaseState.CONFIRMED
        case.confirmed_at = at if case.confirmed_at is None else case.confirmed_at
        self._touch(case, at)
        if case.order_id is not None or not first:
            if first:
                case.reason = Reason.ALREADY_OPEN  # it came back; a second rule that agrees changes nothing
            self.journal.event(case, rule.id, "confirmed", at, Reason.ALREADY_OPEN)
            text = wording.already_open(case, confirmed_by)
            outcome: Outcome = "order" if case.order_id else "no_order"
            self.journal.decide(
                case,
                rule.id,
                at=at,
                outcome=outcome,
                reason=Reason.ALREADY_OPEN,
                text=text,
                values=self._values(case, rule),
            )
            return
        case.reason = Reason.CONFIRMED
        self.journal.event(case, rule.id, "confirmed", at, Reason.CONFIRMED)
        self.journal.verdicts.append(Verdict(case, rule, at, arrival, confirmed_by))

    def _confirmation(self, case: Case, rule: Rule, standing: Standing) -> str | None:
        """Return in words what confirms a suspicion now, None when it must wait."""
        if rule.confirm is None:
            return wording.NO_CONFIRMATION_ASKED
        holding = []
        for way, held in zip(rule.confirm.ways, standing.ways, strict=True):
            probe = _latest_probe(case, way.action) if isinstance(way, ProbeWay) else None
            if probe is not None and probe.pending:
                return None
            if held or (probe is not None and probe.state == "failed"):
                holding.append(_words(way))
        enough = len(rule.confirm.ways) if rule.confirm.every else 1
        return " and ".join(holding) if len(holding) >= enough else None

    def _refute(self, case: Case, rule_id: str, probe: Probe, arrival: int) -> None:
        standing = case.standings[rule_id]
        if not standing.waits or not case.is_open:
            return
        standing.verdict = "refuted"
        text = wording.refuted(probe)
        self.journal.event(case, rule_id, "refuted", arrival, Reason.REFUTED_BY_PROBE)
        self.journal.decide(
            case,
            rule_id,
            at=arrival,
            outcome="no_order",
            reason=Reason.REFUTED_BY_PROBE,
            text=text,
            values=wording.plain_result(probe),
        )
        others = [s for s in case.standings.values() if s.suspected and s.verdict != "refuted"]
        if not others:
            case.state = CaseState.REFUTED
            case.ended_at = arrival
            case.reason = Reason.REFUTED_BY_PROBE

    def _clear(self, case: Case, standing: Standing, finding: Finding) -> None:
        rule = finding.rule
        standing.suspected = False
        self._touch(case, finding.at)
        values = _observed(finding)
        waiting = standing.verdict == "waiting"
        reason = Reason.CLEARED_BEFORE_CONFIRMATION if waiting else Reason.CLEARED
        self.journal.event(case, rule.id, "cleared", finding.at, reason)
        outcome: Outcome = "no_order" if waiting else "note"
        self.journal.decide(
            case,
            rule.id,
            at=finding.at,
            outcome=outcome,
            reason=reason,
            text=wording.cleared(rule, case, waiting),
            values=values,
        )
        if case.is_open and not any(s.suspected for s in case.standings.values()):
            if case.state == CaseState.SUSPECTED:
                case.reason = reason
            case.state = CaseState.CLEARED
            case.ended_at = finding.at
        why = wording.suspects_no_longer(rule.id)
        regrade(self.journal, case, rule.id, at=finding.at, why=why, values=values)

    def _asking(self, case: Case, action: str) -> list[str]:
        """Return the rules of a case that asked for a probe."""
        return [
            rule_id
            for rule_id in case.standings
            if (rule := self._rules.get(rule_id)) is not None
            and any(
                isinstance(w, ProbeWay) and w.action == action
                for w in (rule.confirm.ways if rule.confirm else ())
            )
        ]

    # Bookkeeping

    def _touch(self, case: Case, at: int) -> None:
        case.updated = max(case.updated, at)
        self.journal.cases[case.case_id] = case

    def _add_evidence(self, case: Case, finding: Finding) -> None:
        fresh = [
            Evidence(rule=finding.rule.id, signal=o.signal, at=o.at, value=o.value, limit=o.limit)
            for o in finding.observations
        ]
        replaced = {(e.rule, e.signal) for e in fresh}
        case.evidence = [e for e in case.evidence if (e.rule, e.signal) not in replaced] + fresh

    def _values(self, case: Case, rule: Rule) -> dict[str, Scalar]:
        return {e.signal: e.value for e in case.evidence if e.rule == rule.id}


def _key_of(case: Case) -> Key:
    return (DeviceId(case.tenant, case.device_class, case.device), case.component, case.fault)


def _observed(finding: Finding) -> dict[str, Scalar]:
    return {observation.signal: observation.value for observation in finding.observations}


def _answerable(case: Case, probe: Probe) -> bool:
    """Return whether an answer still counts: past the deadline while the case is open."""
    return probe.pending or (probe.state == "expired" and case.is_open)


def _latest_probe(case: Case, action: str) -> Probe | None:
    return next((probe for probe in reversed(case.probes) if probe.action == action), None)


def _words(way: ProbeWay | AlsoWay | HeldWay | EngineerWay) -> str:
    match way:
        case ProbeWay():
            return wording.by_probe(way)
        case AlsoWay():
            return wording.by_second_signal(way)
        case HeldWay():
            return wording.by_time(way)
        case EngineerWay():
            return wording.BY_ENGINEER
