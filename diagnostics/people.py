"""What an engineer says of a case, apart from confirming it: seen, assigned, commented on, dismissed.

Functions over a case and the journal in which what they change is noted. What is so already is not done
again.
"""

from diagnostics import wording
from diagnostics.case import Case, CaseState, Dismissal
from diagnostics.decision import Outcome, Reason
from diagnostics.following import change_order
from diagnostics.instruction import Instruction, RefusedError
from diagnostics.journal import Journal
from diagnostics.orders.lifecycle import OrderOutcome
from diagnostics.orders.model import OrderState
from diagnostics.possible import is_over, why_not_reopened


def note(
    journal: Journal,
    case: Case,
    instruction: Instruction,
    at: int,
    *,
    reason: Reason,
    text: str,
    outcome: Outcome = "note",
) -> None:
    """Keep what was said of a case among its decisions."""
    case.updated = max(case.updated, at)
    journal.decide(
        case,
        case.rule,
        at=at,
        outcome=outcome,
        reason=reason,
        text=text,
        values={"who": instruction.who, **({"note": instruction.note} if instruction.note else {})},
        key=instruction.instruction_id,
    )


def acknowledge(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """Note who has seen an open case; the first who says so stays.

    Raises:
        RefusedError: the case is over.
    """
    if case.acknowledged_by is not None:
        return
    require_open(case)
    case.acknowledged_by = instruction.who
    text = wording.with_note(f"Seen by {instruction.who}.", instruction.note)
    note(journal, case, instruction, at, reason=Reason.ACKNOWLEDGED, text=text)


def unacknowledge(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """Take back that an open case was seen, whoever had said so.

    Raises:
        RefusedError: the case is over.
    """
    if case.acknowledged_by is None:
        return
    require_open(case)
    text = f"{instruction.who} took back that {case.acknowledged_by} has seen it."
    case.acknowledged_by = None
    text = wording.with_note(text, instruction.note)
    note(journal, case, instruction, at, reason=Reason.UNACKNOWLEDGED, text=text)


def assign(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """Give an open case to somebody who looks after it, or to nobody.

    Raises:
        RefusedError: the case is over.
    """
    if case.assignee == instruction.assignee:
        return
    require_open(case)
    case.assignee = instruction.assignee
    given = f"Given to {case.assignee}" if case.assignee else "Given to nobody"
    text = wording.with_note(f"{given} by {instruction.who}.", instruction.note)
    note(journal, case, instruction, at, reason=Reason.ASSIGNED, text=text)


def comment(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """Keep what somebody has to say."""
    text = f"{instruction.who}: {instruction.note}"
    note(journal, case, instruction, at, reason=Reason.COMMENTED, text=text)


def dismiss(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """End a case in which an engineer sees no fault; an order that is open for it is cancelled.

    Raises:
        RefusedError: the case is over otherwise.
    """
    if case.state == CaseState.DISMISSED:
        return
    require_open(case)
    order = case.order_standing
    case.dismissal = Dismissal(
        at=at,
        state=case.state,
        reason=case.reason,
        waiting=[rule for rule, standing in case.standings.items() if standing.verdict == "waiting"],
        order=order.state if order is not None and order.is_open else None,
    )
    case.state = CaseState.DISMISSED
    case.ended_at = at
    case.reason = Reason.DISMISSED_BY_ENGINEER
    for standing in case.standings.values():
        if standing.verdict == "waiting":
            standing.verdict = "refuted"
    text = wording.dismissed(instruction.who, instruction.note)
    note(journal, case, instruction, at, reason=Reason.DISMISSED_BY_ENGINEER, text=text, outcome="no_order")
    if case.has_open_order:
        change_order(
            journal,
            case,
            at=at,
            who=instruction.who,
            by=instruction.by,
            key=instruction.instruction_id,
            to=OrderState.CANCELLED,
            outcome=OrderOutcome.CANCELLED,
            reason=Reason.DISMISSED_BY_ENGINEER,
            why=text,
        )


def reopen(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """Take back that a case was dismissed: it goes on where it stood, and so does its order.

    Raises:
        RefusedError: it was not dismissed, that is too long ago, or the fault is not seen any more.
    """
    if case.is_open and case.dismissal is None:
        raise RefusedError(why_not_reopened(case, at) or "")
    if case.is_open:
        return
    refused = why_not_reopened(case, at)
    if refused is not None:
        raise RefusedError(refused)
    assert case.dismissal is not None
    before = case.dismissal
    case.state, case.reason, case.ended_at = before.state, before.reason, None
    for rule in before.waiting:
        case.standings[rule].verdict = "waiting"
    text = wording.with_note(f"{instruction.who} took the dismissal back.", instruction.note)
    note(
        journal,
        case,
        instruction,
        at,
        reason=Reason.DISMISSAL_UNDONE,
        text=text,
        outcome="order" if before.order else "pending",
    )
    if before.order is not None:
        change_order(
            journal,
            case,
            at=at,
            who=instruction.who,
            by=instruction.by,
            key=instruction.instruction_id,
            to=OrderState.SUBMITTED,
            reason=Reason.DISMISSAL_UNDONE,
            why=text,
        )


def require_open(case: Case) -> None:
    """Let a case pass that is not over.

    Raises:
        RefusedError: it is.
    """
    if not case.is_open:
        raise RefusedError(is_over(case))
