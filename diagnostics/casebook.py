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

from diagnostics import following, people, wording
from diagnostics.case import Case, CaseState, Command, Evidence, OrderStanding, Probe, ReplyState, Standing
from diagnostics.decision import Outcome, Reason, Scalar
from diagnostics.faults import FaultCatalogue
from diagnostics.instruction import Instruction, RefusedError, Verb
from diagnostics.journal import Journal, Verdict
from diagnostics.naming import derived
from diagnostics.orders.model import OrderState
from diagnostics.standings import believe_again, hold_back, regrade, withdraw
from rules.findings import Finding
from rules.model import AlsoWay, EngineerWay, HeldWay, ProbeWay, Rule
from rules.symbols import DeviceId
from rules.times import DAY_MS, MINUTE_MS

Key = tuple[DeviceId, str, str]


class RuleLane(NamedTuple):
    """A rule in one lane."""

    device: DeviceId
    component: str
    rule: str


#: Contract section 9: a probe that is not answered within 30 minutes of arrival time has expired.
DEFAULT_PROBE_DEADLINE_MS = 30 * MINUTE_MS
#: How long after a repair the same fault is the same order's: a courtesy that repairers give on their work.
DEFAULT_REOPEN_WINDOW_MS = 7 * DAY_MS
#: So many ids of what people said of a case are remembered, to know what is said again.
_REMEMBERED = 200
_REPLY_STATES: dict[str, ReplyState] = {state: state for state in get_args(ReplyState)}


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
    ) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._faults = faults
        self._deadline_ms = probe_deadline_ms
        self._reopen_ms = reopen_window_ms
        self._cancel_on_recovery = cancel_on_recovery
        self._now = 0  # arrival clock, as far as `expire` was told
        self._lapses: list[tuple[int, str, Key]] = []  # heap: when a repaired order can come back no more
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
        match instruction.verb:
            case Verb.CONFIRM:
                self._confirm(case, instruction, at)
            case Verb.STATE | Verb.CLOSE:
                following.follow(self.journal, case, instruction, at)
                self._mind_lapse(case)
            case Verb.ACKNOWLEDGE:
                people.acknowledge(self.journal, case, instruction, at)
            case Verb.ASSIGN:
                people.assign(self.journal, case, instruction, at)
            case Verb.COMMENT:
                people.comment(self.journal, case, instruction, at)
            case Verb.DISMISS:
                people.dismiss(self.journal, case, instruction, at)
        case.instructions = [*case.instructions, instruction.instruction_id][-_REMEMBERED:]
        self._touch(case, at)

    def expire(self, now: int) -> None:
        """End the waiting for probes whose deadline was before `now`, in order of deadline.

        Cases whose order can come back no more leave the book.
        """
        self._now = max(self._now, now)
        while self._lapses and self._lapses[0][0] < now:
            _, case_id, of = heapq.heappop(self._lapses)
            lapsed = self._cases.get(of)
            if lapsed is not None and lapsed.case_id == case_id and self._done(lapsed):
                self.journal.cases[case_id] = lapsed
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
            or self._order_may_change(case)
            or any(standing.suspected or standing.flapping for standing in case.standings.values())
            or any(_answerable(case, probe) for probe in case.probes)
        )

    def _order_may_change(self, case: Case) -> bool:
        """Return whether the order of a case is not final, or may come back."""
        standing = case.order_standing
        resolved = standing is not None and standing.state == OrderState.RESOLVED
        return resolved or following.may_return(case, self._now, self._reopen_ms)

    def _mind_lapse(self, case: Case) -> None:
        """Remember to look again when an order that was repaired can come back no more."""
        if case.order is not None and case.order.ended_at is not None:
            heapq.heappush(self._lapses, (case.order.ended_at + self._reopen_ms, case.case_id, _key_of(case)))

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
            self._mind_lapse(case)
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
        if not standing.waits or (standing.flapping and not standing.engineer) or not case.is_open:
            return
        confirmed_by = self._confirmation(case, rule, standing)
        if confirmed_by is None:
            return
        standing.verdict = "confirmed"
        first = case.state != CaseState.CONFIRMED
        case.state = CaseState.CONFIRMED
        case.confirmed_at = at if case.confirmed_at is None else case.confirmed_at
        self._touch(case, at)
        standing_order = case.order_standing
        if standing_order is not None and not standing_order.is_open:
            self._confirm_ended(case, rule, at, confirmed_by)
            return
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
        self.journal.verdicts.append(
            Verdict(case, rule, at, arrival, confirmed_by, insisted=bool(standing.engineer))
        )

    def _confirm_ended(self, case: Case, rule: Rule, at: int, confirmed_by: str) -> None:
        """Let an order that has ended follow its fault, which is confirmed anew.

        One that was repaired a short while ago comes back; any other does on an engineer's word.
        """
        ended = case.order_standing
        assert ended is not None
        assert case.order_id is not None
        back = following.is_back(case, at, self._reopen_ms)
        reason = Reason.RECENTLY_REPAIRED if back else Reason.ORDER_ENDED
        if back:
            text = wording.recently_repaired(case.order_id, ended.ended_at or at, confirmed_by)
            following.reopen(self.journal, case, at=at, confirmed_by=confirmed_by)
        else:
            text = wording.order_ended(case, confirmed_by)
        case.reason = reason
        self.journal.event(case, rule.id, "confirmed", at, reason)
        self.journal.decide(
            case,
            rule.id,
            at=at,
            outcome="order" if back else "no_order",
            reason=reason,
            text=text,
            values=self._values(case, rule),
        )

    def _confirm(self, case: Case, instruction: Instruction, at: int) -> None:
        """Let an engineer's word confirm a case, open an order that a policy held, or open one again."""
        if case.has_open_order:
            return
        people.require_open(case)
        words = wording.by_engineer(instruction.who, instruction.note)
        suspecting = [
            (standing, rule)
            for rule_id, standing in case.standings.items()
            if standing.suspected and (rule := self._rules.get(rule_id)) is not None
        ]
        if not suspecting:
            raise RefusedError(f"case {case.case_id}: no rule suspects the fault any more")
        for standing, _ in suspecting:
            standing.engineer = words
        rule = suspecting[0][1]
        if case.order_id is not None:
            self._open_again(case, rule, instruction, at)
        elif case.state == CaseState.CONFIRMED:
            self.journal.verdicts.append(Verdict(case, rule, at, at, words, insisted=True))
        else:
            for _, rule in suspecting:
                self._settle(case, rule, at, at)
            if case.state == CaseState.SUSPECTED:
                self._still_waits(case, instruction, at)

    def _open_again(self, case: Case, rule: Rule, instruction: Instruction, at: int) -> None:
        """Submit an order again that has ended, since an engineer says that the fault is there."""
        following.change_order(
            self.journal,
            case,
            at=at,
            who=instruction.who,
            by=instruction.by,
            key=instruction.instruction_id,
            to=OrderState.SUBMITTED,
            reason=Reason.REOPENED,
            why=wording.with_note(f"Opened again by {instruction.who}.", instruction.note),
        )
        if case.state == CaseState.SUSPECTED:
            case.state = CaseState.CONFIRMED
            self.journal.event(case, rule.id, "confirmed", at, Reason.REOPENED)
        for standing in case.standings.values():
            if standing.waits:
                standing.verdict = "confirmed"
        case.reason = Reason.REOPENED
        text = wording.with_note(
            f"Order {case.order_id} was opened again by {instruction.who}.", instruction.note
        )
        people.note(self.journal, case, instruction, at, reason=Reason.REOPENED, text=text, outcome="order")

    def _still_waits(self, case: Case, instruction: Instruction, at: int) -> None:
        """Note that a rule asks for more than an engineer's word."""
        text = wording.engineer_confirmed(instruction.who, instruction.note)
        people.note(
            self.journal,
            case,
            instruction,
            at,
            reason=Reason.WAITING_CONFIRMATION,
            text=text,
            outcome="pending",
        )

    def _confirmation(self, case: Case, rule: Rule, standing: Standing) -> str | None:
        """Return in words what confirms a suspicion now, None when it must wait."""
        if standing.engineer and not (rule.confirm and rule.confirm.every and _asks_engineer(rule)):
            return standing.engineer
        if rule.confirm is None:
            return wording.NO_CONFIRMATION_ASKED
        holding = []
        for way, held in zip(rule.confirm.ways, standing.ways, strict=True):
            probe = _latest_probe(case, way.action) if isinstance(way, ProbeWay) else None
            if probe is not None and probe.pending:
                return None
            if isinstance(way, EngineerWay) and standing.engineer:
                holding.append(standing.engineer)
            elif held or (probe is not None and probe.state == "failed"):
                holding.append(_words(way))
        enough = len(rule.confirm.ways) if rule.confirm.every else 1
        return " and ".join(holding) if len(holding) >= enough else None

    def _refute(self, case: Case, rule_id: str, probe: Probe, arrival: int) -> None:
        """Let a passed self test refute a rule's suspicion, also one that time confirmed before it came."""
        standing = case.standings[rule_id]
        overturned = standing.suspected and standing.verdict == "confirmed" and not standing.engineer
        if not (standing.waits or overturned) or not case.is_open:
            return
        standing.verdict = "refuted"
        text = wording.refuted(probe, case)
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
            if case.has_open_order:
                following.refuted(self.journal, case, at=arrival, probe=probe)

    def _clear(self, case: Case, standing: Standing, finding: Finding) -> None:
        rule = finding.rule
        standing.suspected = False
        self._touch(case, finding.at)
        values = _observed(finding)
        waiting = standing.verdict == "waiting"
        reason = Reason.CLEARED_BEFORE_CONFIRMATION if waiting else Reason.CLEARED
        self.journal.event(case, rule.id, "cleared", finding.at, reason)
        outcome: Outcome = "no_order" if waiting else "note"
        over = case.is_open and not any(s.suspected for s in case.standings.values())
        cancels = over and following.cancels_on_recovery(case, self._cancel_on_recovery)
        self.journal.decide(
            case,
            rule.id,
            at=finding.at,
            outcome=outcome,
            reason=reason,
            text=wording.cleared(rule, case, waiting, cancels),
            values=values,
        )
        if over:
            if case.has_open_order:
                following.recovered(self.journal, case, at=finding.at, cancel=cancels)
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
        evidence = [e for e in case.evidence if (e.rule, e.signal) not in replaced] + fresh
        if evidence != case.evidence:
            case.evidence = evidence
            if case.has_open_order:
                following.more_evidence(self.journal, case, rule=finding.rule.id, at=finding.at)

    def _values(self, case: Case, rule: Rule) -> dict[str, Scalar]:
        return {e.signal: e.value for e in case.evidence if e.rule == rule.id}


def _key_of(case: Case) -> Key:
    return (DeviceId(case.tenant, case.device_class, case.device), case.component, case.fault)


def _observed(finding: Finding) -> dict[str, Scalar]:
    return {observation.signal: observation.value for observation in finding.observations}


def _asks_engineer(rule: Rule) -> bool:
    return rule.confirm is not None and any(isinstance(way, EngineerWay) for way in rule.confirm.ways)


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
