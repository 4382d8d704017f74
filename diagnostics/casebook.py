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
from typing import NamedTuple

from diagnostics import acts, following, probing, silencing, wording
from diagnostics.case import Case, CaseState, Command, Evidence, Key, OrderStanding, Probe, Standing
from diagnostics.decision import Outcome, Reason, Scalar
from diagnostics.faults import FaultCatalogue
from diagnostics.instruction import Instruction, RefusedError, Verb
from diagnostics.journal import Journal, Verdict
from diagnostics.naming import Traits, TraitsOf, derived
from diagnostics.orders.model import OrderState
from diagnostics.probing import DEFAULT_PROBE_DEADLINE_MS, Probing
from diagnostics.settling import Settling, touch, values_of
from diagnostics.silences import Silences, SilenceWord
from diagnostics.standings import believe_again, hold_back, regrade, withdraw
from rules.findings import Finding
from rules.model import ProbeWay, Rule
from rules.symbols import DeviceId
from rules.times import DAY_MS


class RuleLane(NamedTuple):
    """A rule in one lane."""

    device: DeviceId
    component: str
    rule: str


#: How long after a repair the same fault is the same order's: a courtesy that repairers give on their work.
DEFAULT_REOPEN_WINDOW_MS = 7 * DAY_MS
#: So many ids of what people said of a case are remembered, to know what is said again.
_REMEMBERED = 200


class CaseBook:
    """Keeps the open cases, and the ended ones whose order is still open."""

    def __init__(
        self,
        rules: Iterable[Rule],
        faults: FaultCatalogue,
        probe_deadline_ms: int = DEFAULT_PROBE_DEADLINE_MS,
        *,
        reopen_window_ms: int = DEFAULT_REOPEN_WINDOW_MS,
        cancel_on_recovery: bool = False,
        traits: TraitsOf = lambda _device: Traits(),
    ) -> None:
        self.rules = {rule.id: rule for rule in rules}
        self.faults = faults
        self.traits = traits
        self.probing = Probing(probe_deadline_ms)
        self.silences = Silences()
        self.settling = Settling(self, reopen_window_ms)
        self._reopen_ms = reopen_window_ms
        self._cancel_on_recovery = cancel_on_recovery
        self._now = 0  # arrival clock, as far as `expire` was told
        self._lapses: list[tuple[int, str, Key]] = []  # heap: when a repaired order can come back no more
        self._cases: dict[Key, Case] = {}
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
        touch(self.journal, case, finding.at)
        self.settling.settle(case, finding.rule, finding.at, finding.arrival)

    def reply(self, device: DeviceId, body: Mapping[str, object], arrival: int) -> bool:
        """Take the answer to a probe; False when no such probe was sent to that device."""
        key = self.probing.key_of(str(body.get("id")))
        state = probing.REPLY_STATES.get(str(body.get("state")))
        if key is None or key[0] != device or state is None:
            return False
        case = self._cases[key]
        probe = next(p for p in case.probes if p.probe_id == body["id"])
        if not probing.answerable(case, probe):
            return False
        result = body.get("result")
        probe.result = dict(result) if isinstance(result, Mapping) else {}
        probe.answered_at = arrival
        touch(self.journal, case, arrival)
        if state == "running":
            probe.state = probe.state if probe.state == "expired" else "running"
            probing.note(self.journal, case, probe, arrival, Reason.PROBE_RUNNING)
            return True
        probe.state = state
        self.probing.answered(probe.probe_id)
        asking = self._asking(case, probe)
        if probe.kind == "remedy":
            probing.note(self.journal, case, probe, arrival, Reason.REMEDY_ANSWERED)
        elif state in ("unsupported", "error"):
            probing.note(self.journal, case, probe, arrival, Reason.PROBE_INCONCLUSIVE)
        elif not asking:
            probing.note(self.journal, case, probe, arrival, Reason.PROBE_ANSWERED, outcome="note")
        for rule_id in asking:
            if state != "passed":
                self.settling.settle(case, self.rules[rule_id], arrival, arrival)
            elif probe.kind == "probe":  # after a remedy the rules say whether the fault is gone
                self.settling.refute(case, rule_id, probe, arrival)
        return True

    def instruct(self, device: DeviceId, instruction: Instruction, at: int) -> None:
        """Take what an engineer or a repairer says of a case or its order; said again, it is done already.

        Args:
            device: of the case.
            instruction: what is said.
            at: ms, arrival clock.

        Raises:
            RefusedError: it cannot be done with the case or the order as they stand; nothing has changed.
        """
        case = self._cases.get((device, instruction.component, instruction.fault))
        if case is None or case.case_id != instruction.case_id:
            raise RefusedError(
                f"case {instruction.case_id} is over and has no order that can still change; possible: none"
            )
        if instruction.instruction_id in case.instructions:
            return
        if instruction.verb in (Verb.STATE, Verb.CLOSE):
            following.follow(self.journal, case, instruction, at)
            self._mind_lapse(case)
        elif instruction.verb is Verb.FILL:
            following.fill(self.journal, case, instruction, at)
        else:
            acts.act(self, case, instruction, at)
        case.instructions = [*case.instructions, instruction.instruction_id][-_REMEMBERED:]
        touch(self.journal, case, at)

    def hush(self, word: SilenceWord, at: int) -> None:
        """Begin or end a silence, as somebody says; said again, it is done already.

        Args:
            word: what is said.
            at: ms, arrival clock.

        Raises:
            RefusedError: there is no such silence that could end; nothing has changed.
        """
        if word.silence is not None:
            case = next((c for c in self._cases.values() if c.case_id == word.silence.case_id), None)
            silencing.begin(self.journal, self.silences, word.silence, case)
        elif silencing.end(self.journal, self.silences, word, at):
            self._release(at)

    def expire(self, now: int) -> None:
        """Let arrival time pass: end the waiting for probes whose deadline was before `now`, and silences.

        What was due earlier comes first. Cases whose order can come back no more leave the book.
        """
        self._now = max(self._now, now)
        while self._lapses and self._lapses[0][0] < now:
            _, case_id, of = heapq.heappop(self._lapses)
            lapsed = self._cases.get(of)
            if lapsed is not None and lapsed.case_id == case_id and self._done(lapsed):
                self.journal.cases[case_id] = lapsed
        while True:
            deadline, end = self.probing.next_deadline(now), self.silences.next_end(now)
            if end is not None and (deadline is None or end <= deadline):
                self._release(end)
            elif deadline is not None:
                self._give_up_waiting()
            else:
                return

    def _give_up_waiting(self) -> None:
        """End the waiting for the probe whose deadline was first."""
        deadline, probe_id, key = self.probing.take_overdue()
        case = self._cases[key]
        probe = next(p for p in case.probes if p.probe_id == probe_id)
        probe.state = "expired"
        touch(self.journal, case, deadline)
        probing.note(self.journal, case, probe, deadline, Reason.PROBE_EXPIRED)
        for rule_id in self._asking(case, probe):
            self.settling.settle(case, self.rules[rule_id], deadline, deadline)

    def _release(self, at: int) -> None:
        """Let the orders go on that waited for silences which are over by now, unless others go on."""
        self.silences.take_ended(at)
        for case in list(self._cases.values()):
            if case.held is not None and silencing.is_over(self.silences, case.held, at):
                self.settling.release(case, at)

    # What is done with verdicts

    def take_verdicts(self) -> list[Verdict]:
        """Return the cases that were confirmed since the last call; each wants an order or a reason."""
        verdicts, self.journal.verdicts = self.journal.verdicts, []
        return verdicts

    def open_order(self, verdict: Verdict, order_id: str, text: str, repairer: str | None = None) -> None:
        """Note that a case opened an order, and for which repairer."""
        case = verdict.case
        case.order_id, case.order = order_id, OrderStanding(repairer=repairer)
        case.reason = Reason.CONFIRMED
        self.journal.decide(
            case,
            verdict.rule.id,
            at=verdict.at,
            outcome="order",
            reason=Reason.CONFIRMED,
            text=text,
            values=values_of(case, verdict.rule),
        )

    def no_order(self, verdict: Verdict, reason: Reason, text: str) -> None:
        """Note why a confirmed case opens no order."""
        verdict.case.reason = reason
        values = values_of(verdict.case, verdict.rule)
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
            key = case.key
            if self._cases.get(key) is case and self._done(case):
                self._leave(case)
        return journal

    def _leave(self, case: Case) -> None:
        """Take a case out of the book; nobody waits for its probes any more."""
        del self._cases[case.key]
        self.probing.forget(case)

    def _done(self, case: Case) -> bool:
        """Return whether nothing can happen to a case any more."""
        return not (
            case.is_open
            or self._order_may_change(case)
            or any(standing.suspected or standing.flapping for standing in case.standings.values())
            or any(probing.answerable(case, probe) for probe in case.probes)
        )

    def _order_may_change(self, case: Case) -> bool:
        """Return whether the order of a case is not final, or may come back."""
        standing = case.order_standing
        resolved = standing is not None and standing.state == OrderState.RESOLVED
        return resolved or following.may_return(case, self._now, self._reopen_ms)

    def _mind_lapse(self, case: Case) -> None:
        """Remember to look again when an order that was repaired can come back no more."""
        if case.order is not None and case.order.ended_at is not None:
            heapq.heappush(self._lapses, (case.order.ended_at + self._reopen_ms, case.case_id, case.key))

    # Recovery and other rules

    def take_rules(self, rules: Iterable[Rule], kept: Collection[str], at: int) -> None:
        """Go on with other rules.

        Args:
            rules: those in force from now on.
            kept: ids of those that say what they said before. What the others suspected is withdrawn, also
                of those that exist still: they start quiet.
            at: ms, arrival clock.
        """
        self.rules = {rule.id: rule for rule in rules}
        self._flapping = {lane for lane in self._flapping if lane.rule in kept}
        for case in list(self._cases.values()):
            for rule_id, standing in case.standings.items():
                if standing.suspected and rule_id not in kept:
                    withdraw(self.journal, case, rule_id, changed=rule_id in self.rules, at=at)

    def __contains__(self, case: Case) -> bool:
        """Return whether a case is in the book: something can still happen to it."""
        return self._cases.get(case.key) is case

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
            key = case.key
            self._cases[key] = case
            self._mind_lapse(case)
            self.probing.restore(case)

    def waiting_commands(self, now: int) -> list[Command]:
        """Return the commands of probes that may still be answered; a crash may have swallowed them."""
        return self.probing.waiting_commands(self._cases, now)

    # The life of a case

    def _suspect(self, key: Key, finding: Finding) -> None:
        rule = finding.rule
        case = self._cases.get(key)
        reopened = (
            case is not None and not case.is_open and following.may_return(case, finding.at, self._reopen_ms)
        )
        if case is None or not (case.is_open or reopened):
            if case is not None:
                following.set_aside(self.journal, case, finding.at)
                self._leave(case)
            case = self._cases[key] = self._new_case(key, finding)
        elif reopened:
            case.state = CaseState.SUSPECTED
            case.ended_at = None
            case.held = case.dismissal = None
        before = case.standings.get(rule.id)
        standing = case.standings[rule.id] = Standing(
            suspected_at=finding.at,
            ways=list(finding.ways),
            severity=finding.severity,
            flapping=before is not None and before.flapping,
        )
        self._add_evidence(case, finding)
        touch(self.journal, case, finding.at)
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
        self.settling.settle(case, rule, finding.at, finding.arrival)

    def _grade(self, case: Case, standing: Standing, finding: Finding) -> None:
        standing.severity = finding.severity
        self._add_evidence(case, finding)
        touch(self.journal, case, finding.at)
        why = wording.by_rule(finding.rule, finding.severity)
        regrade(self.journal, case, finding.rule.id, at=finding.at, why=why, values=_observed(finding))

    def _flap(self, case: Case | None, standing: Standing | None, finding: Finding) -> None:
        """Begin or end to hold back a rule that comes and goes too often."""
        lane = RuleLane(finding.device, finding.component, finding.rule.id)
        begins = finding.kind == "flapping"
        (self._flapping.add if begins else self._flapping.discard)(lane)
        if case is None or standing is None or standing.flapping == begins:
            return
        touch(self.journal, case, finding.at)
        if begins:
            hold_back(self.journal, case, standing, finding)
            return
        believe_again(self.journal, case, standing, finding)
        if standing.waits and case.is_open:
            standing.ways = list(finding.ways)
            self._pursue(case, standing, finding)

    def _new_case(self, key: Key, finding: Finding) -> Case:
        device, component, code = key
        fault = self.faults.get(code)
        rule, traits = finding.rule, self.traits(device)
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
            model=traits.model,
            site=traits.site,
        )

    def _send_probe(self, case: Case, rule: Rule, way: ProbeWay, finding: Finding) -> None:
        asked = probing.latest(case.probes, way.action)
        if asked is not None and asked.pending:
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
            deadline=finding.arrival,
        )
        self.probing.send(self.journal, case, probe)

    def _clear(self, case: Case, standing: Standing, finding: Finding) -> None:
        rule = finding.rule
        standing.suspected = False
        touch(self.journal, case, finding.at)
        values = _observed(finding)
        waiting = standing.verdict == "waiting"
        reason = Reason.CLEARED_BEFORE_CONFIRMATION if waiting else Reason.CLEARED
        remedy = acts.remedied_by(case, finding.arrival)
        if remedy is not None:
            reason = Reason.REMEDIED_REMOTELY
        self.journal.event(case, rule.id, "cleared", finding.at, reason)
        outcome: Outcome = "no_order" if waiting or case.held else "note"
        over = case.is_open and not any(s.suspected for s in case.standings.values())
        cancels = over and following.cancels_on_recovery(case, self._cancel_on_recovery)
        self.journal.decide(
            case,
            rule.id,
            at=finding.at,
            outcome=outcome,
            reason=reason,
            text=wording.cleared(rule, case, waiting, cancels, remedy),
            values=values,
        )
        if over:
            if case.has_open_order:
                following.recovered(self.journal, case, at=finding.at, cancel=cancels)
            if case.state == CaseState.SUSPECTED or case.held or remedy:
                case.reason = reason
            case.held = None
            case.state = CaseState.CLEARED
            case.ended_at = finding.at
        why = wording.suspects_no_longer(rule.id)
        regrade(self.journal, case, rule.id, at=finding.at, why=why, values=values)

    def _asking(self, case: Case, probe: Probe) -> list[str]:
        """Return the rules of a case that wait for what a self test says."""
        return [
            rule_id
            for rule_id in case.standings
            if (rule := self.rules.get(rule_id)) is not None
            and any(
                isinstance(w, ProbeWay) and w.action == probe.action
                for w in (rule.confirm.ways if rule.confirm else ())
            )
        ]

    # Bookkeeping

    def _add_evidence(self, case: Case, finding: Finding) -> None:
        fresh = [
            Evidence(rule=finding.rule.id, signal=o.signal, at=o.at, value=o.value, limit=o.limit)
            for o in finding.observations
        ]
        replaced = {(e.rule, e.signal) for e in fresh}
        evidence = [e for e in case.evidence if (e.rule, e.signal) not in replaced] + fresh
        if evidence != case.evidence:
            case.evidence = evidence
            if case.has_open_order:
                following.more_evidence(self.journal, case, rule=finding.rule.id, at=finding.at)


def _observed(finding: Finding) -> dict[str, Scalar]:
    return {observation.signal: observation.value for observation in finding.observations}
