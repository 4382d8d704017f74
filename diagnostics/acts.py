"""What people do with a case that is in the book, and what that needs of the book."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from diagnostics import following, people, possible, wording
from diagnostics.case import Case, CaseState, Probe
from diagnostics.decision import Reason
from diagnostics.faults import FaultCatalogue
from diagnostics.instruction import Instruction, RefusedError, Verb
from diagnostics.journal import Journal, Verdict
from diagnostics.naming import TraitsOf, derived
from diagnostics.orders.model import OrderState
from diagnostics.probing import Probing
from diagnostics.settling import Settling
from rules.model import Rule
from rules.times import DAY_MS

#: A fault that goes away within so long of a remedy is taken as mended by it: the longest pause between two
#: readings for which the shipped rules wait.
REMEDY_WINDOW_MS = DAY_MS


class Book(Protocol):
    """What acts need of the case book."""

    journal: Journal
    rules: dict[str, Rule]
    faults: FaultCatalogue
    probing: Probing
    traits: TraitsOf
    settling: Settling


def act(book: Book, case: Case, instruction: Instruction, at: int) -> None:
    """Do with a case what somebody said, apart from what concerns its order alone.

    Raises:
        RefusedError: it cannot be done with the case as it stands; nothing has changed.
    """
    match instruction.verb:
        case Verb.CONFIRM:
            _confirm(book, case, instruction, at)
        case Verb.REOPEN:
            _reopen(book, case, instruction, at)
        case Verb.PROBE | Verb.REMEDY:
            _ask(book, case, instruction, at)
        case _:
            _SAID[instruction.verb](book.journal, case, instruction, at)


_SAID: Mapping[Verb, Callable[[Journal, Case, Instruction, int], None]] = {
    Verb.ACKNOWLEDGE: people.acknowledge,
    Verb.UNACKNOWLEDGE: people.unacknowledge,
    Verb.ASSIGN: people.assign,
    Verb.COMMENT: people.comment,
    Verb.DISMISS: people.dismiss,
}


def remedied_by(case: Case, at: int) -> Probe | None:
    """Return the remedy that a device did shortly before `at` (ms, arrival clock), if it did one."""
    done = [
        probe
        for probe in case.probes
        if probe.kind == "remedy"
        and probe.state == "passed"
        and probe.answered_at is not None
        and probe.answered_at <= at <= probe.answered_at + REMEDY_WINDOW_MS
    ]
    return done[-1] if done else None


def _ask(book: Book, case: Case, instruction: Instruction, at: int) -> None:
    """Ask the device for a self test or a remedy now.

    It goes the way of those that rules ask for. A self test that a rule waits for decides for that rule.
    """
    kind: Literal["probe", "remedy"] = "probe" if instruction.verb is Verb.PROBE else "remedy"
    offered = offers(case, kind, book.rules, book.faults)
    online = book.traits(case.key[0]).online
    refused = possible.why_not_asked(case, kind, instruction.action, offered, online)
    if refused is not None:
        raise RefusedError(refused)
    test = next(test for test in offered if test.action == instruction.action)
    probe = Probe(
        probe_id=derived("P-", case.case_id, instruction.action, instruction.instruction_id),
        rule=case.rule,
        action=instruction.action,
        component=test.component,
        sent_at=at,
        deadline=at,
        kind=kind,
        asked_by=instruction.who,
    )
    book.probing.send(book.journal, case, probe)


def offers(
    case: Case, kind: str, rules: Mapping[str, Rule], faults: FaultCatalogue
) -> list[possible.SelfTest]:
    """Return the self tests (``probe``) or remedies (``remedy``) that there are for a case."""
    fault = faults.get(case.fault)
    if kind == "remedy":
        return possible.remedies(case, fault)
    return possible.self_tests(case, possible.testers(rules.values()), fault)


def _reopen(book: Book, case: Case, instruction: Instruction, at: int) -> None:
    """Take a dismissal back; what would have confirmed the fault meanwhile confirms it now."""
    people.reopen(book.journal, case, instruction, at)
    for rule_id in list(case.standings):
        rule = book.rules.get(rule_id)
        if rule is not None:
            book.settling.settle(case, rule, at, at)
    book.settling.release(case, at)
    case.dismissal = None


def _confirm(book: Book, case: Case, instruction: Instruction, at: int) -> None:
    """Let an engineer's word confirm a case, open an order that was held back, or open one again."""
    if case.has_open_order:
        return
    people.require_open(case)
    words = wording.by_engineer(instruction.who, instruction.note)
    suspecting = [
        (standing, rule)
        for rule_id, standing in case.standings.items()
        if standing.suspected and (rule := book.rules.get(rule_id)) is not None
    ]
    if not suspecting:
        raise RefusedError(f"case {case.case_id}: no rule suspects the fault any more")
    for standing, _ in suspecting:
        standing.engineer = words
    case.held = None
    rule = suspecting[0][1]
    if case.order_id is not None:
        _open_again(book.journal, case, rule, instruction, at)
    elif case.state == CaseState.CONFIRMED:
        book.journal.verdicts.append(Verdict(case, rule, at, at, words, insisted=True))
    else:
        for _, rule in suspecting:
            book.settling.settle(case, rule, at, at)
        if case.state == CaseState.SUSPECTED:
            _still_waits(book.journal, case, instruction, at)


def _open_again(journal: Journal, case: Case, rule: Rule, instruction: Instruction, at: int) -> None:
    """Submit an order again that has ended, since an engineer says that the fault is there."""
    following.change_order(
        journal,
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
        journal.event(case, rule.id, "confirmed", at, Reason.REOPENED)
    for standing in case.standings.values():
        if standing.waits:
            standing.verdict = "confirmed"
    case.reason = Reason.REOPENED
    text = wording.with_note(
        f"Order {case.order_id} was opened again by {instruction.who}.", instruction.note
    )
    people.note(journal, case, instruction, at, reason=Reason.REOPENED, text=text, outcome="order")


def _still_waits(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """Note that a rule asks for more than an engineer's word."""
    text = wording.engineer_confirmed(instruction.who, instruction.note)
    people.note(
        journal, case, instruction, at, reason=Reason.WAITING_CONFIRMATION, text=text, outcome="pending"
    )
