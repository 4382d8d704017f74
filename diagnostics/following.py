"""How an order follows its fault to the end: what evidence and people change of it, each change noted.

Functions over a case and the journal in which what they change is noted. The states and who may change them
stand in `diagnostics.orders.lifecycle`.
"""

from collections.abc import Sequence

from diagnostics import wording
from diagnostics.case import Case, OrderStanding, Probe
from diagnostics.decision import Reason
from diagnostics.instruction import Instruction, RefusedError, Verb
from diagnostics.journal import Journal
from diagnostics.orders.changes import OrderChange, PartUsed, change_id_of
from diagnostics.orders.diagnosis import evidence_section
from diagnostics.orders.filling import Filled
from diagnostics.orders.lifecycle import (
    BEFORE_LEAVING,
    Actor,
    ImpossibleChangeError,
    OrderOutcome,
    check,
    possible,
    state_of,
)
from diagnostics.orders.model import ENDED_ORDER_STATES, OrderState
from rules.model import Severity

#: Who causes what nobody said.
GATEWAY = "forewarn"


def change_order(
    journal: Journal,
    case: Case,
    *,
    at: int,
    why: str,
    key: str,
    who: str = GATEWAY,
    by: Actor = Actor.GATEWAY,
    to: OrderState | None = None,
    reason: Reason | None = None,
    outcome: OrderOutcome | None = None,
    parts_used: Sequence[PartUsed] = (),
    severity: Severity | None = None,
    evidence: bool = False,
    filled: Sequence[Filled] = (),
) -> None:
    """Change the order of a case, or note something of it, and keep who did, when and why.

    Args:
        journal: where the change is noted.
        case: it has an order.
        at: ms.
        why: in plain words.
        key: tells changes of one order at one time apart.
        who: a person or a system.
        by: what they are.
        to: the state from now on; None leaves it.
        reason: where the gateway decided.
        outcome: where it is closed.
        parts_used: where it is closed.
        severity: of the fault from now on; None leaves it.
        evidence: the order gets that of the case.
        filled: fields that somebody filled in.

    Raises:
        ImpossibleChangeError: there is no such door.
    """
    before = case.order_standing
    assert before is not None
    assert case.order_id is not None
    after = before.state if to is None else to
    if after != before.state:
        check(before.state, after, by)
        ended_at = before.ended_at if before.ended_at is not None else at
        ended = after in ENDED_ORDER_STATES
        case.order = OrderStanding(
            state=after,
            outcome=outcome if ended else None,
            ended_at=ended_at if ended else None,
            repairer=before.repairer,
        )
    case.updated = max(case.updated, at)
    journal.cases[case.case_id] = case
    journal.changes.append(
        OrderChange(
            change_id=change_id_of(case.order_id, at, key),
            order_id=case.order_id,
            at=at,
            who=who,
            by=by,
            before=before.state,
            after=after,
            why=why,
            reason=reason,
            outcome=outcome,
            parts_used=list(parts_used),
            severity=severity,
            evidence=evidence_section(case.evidence) if evidence else None,
            filled=list(filled),
        )
    )


def may_return(case: Case, at: int, window_ms: int) -> bool:
    """Whether the order of a case is open, or was repaired so short a time ago that it would open again.

    Args:
        case: open or over.
        at: ms.
        window_ms: how long after the repair the same fault is the same order's.
    """
    standing = case.order_standing
    if standing is None:
        return False
    return standing.is_open or (
        standing.repaired and standing.ended_at is not None and at <= standing.ended_at + window_ms
    )


def is_back(case: Case, at: int, window_ms: int) -> bool:
    """Whether a fault that is confirmed at `at` is that of an order which was repaired shortly before."""
    standing = case.order_standing
    if standing is None or standing.ended_at is None or at < standing.ended_at:
        return False
    return may_return(case, at, window_ms)


def reopen(journal: Journal, case: Case, *, at: int, confirmed_by: str) -> None:
    """Submit the order of a case again, since its fault came back after the repair."""
    standing = case.order_standing
    assert standing is not None
    assert standing.ended_at is not None
    change_order(
        journal,
        case,
        at=at,
        key="reopened",
        to=OrderState.SUBMITTED,
        reason=Reason.RECENTLY_REPAIRED,
        why=wording.order_reopened(standing.ended_at, confirmed_by),
    )


def set_aside(journal: Journal, case: Case, at: int) -> None:
    """Close a resolved order whose case makes room for a new one of the same fault."""
    standing = case.order_standing
    if standing is not None and standing.state == OrderState.RESOLVED:
        change_order(
            journal,
            case,
            at=at,
            key="set_aside",
            to=OrderState.CLOSED,
            outcome=OrderOutcome.REPAIRED,
            why=wording.SET_ASIDE,
        )


def recovered(journal: Journal, case: Case, *, at: int, cancel: bool) -> None:
    """Note on an open order that its fault is no longer seen, and cancel it where that is asked for."""
    change_order(
        journal,
        case,
        at=at,
        key="recovered",
        to=OrderState.CANCELLED if cancel else None,
        outcome=OrderOutcome.CANCELLED if cancel else None,
        reason=Reason.CLEARED,
        why=wording.order_recovered(cancel),
    )


def cancels_on_recovery(case: Case, policy: bool) -> bool:
    """Whether an order is cancelled when its fault clears: the policy says so and nobody has left."""
    standing = case.order_standing
    return policy and standing is not None and standing.state in BEFORE_LEAVING


def refuted(journal: Journal, case: Case, *, at: int, probe: Probe) -> None:
    """Cancel an open order whose fault a self test refuted; note it only when somebody is at work on it."""
    standing = case.order_standing
    assert standing is not None
    cancel = OrderState.CANCELLED in possible(standing.state, Actor.GATEWAY)
    change_order(
        journal,
        case,
        at=at,
        key="refuted",
        to=OrderState.CANCELLED if cancel else None,
        outcome=OrderOutcome.CANCELLED if cancel else None,
        reason=Reason.REFUTED_BY_PROBE,
        why=wording.order_refuted(probe, cancel),
    )


def more_evidence(journal: Journal, case: Case, *, rule: str, at: int) -> None:
    """Give an open order the evidence that its case now has."""
    change_order(
        journal, case, at=at, key=f"evidence {rule}", evidence=True, why=wording.order_more_evidence(rule)
    )


def fill(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """Fill in fields of the open order of a case.

    Raises:
        RefusedError: the case has no order, or it is over.
    """
    standing = case.order_standing
    if standing is None:
        raise RefusedError(f"case {case.case_id} has no order")
    if not standing.is_open:
        raise RefusedError(f"order {case.order_id} is {standing.state}: expected one that is open")
    change_order(
        journal,
        case,
        at=at,
        who=instruction.who,
        by=instruction.by,
        key=instruction.instruction_id,
        why=instruction.note or wording.filled(instruction.who, [item.field for item in instruction.filled]),
        filled=instruction.filled,
    )


def follow(journal: Journal, case: Case, instruction: Instruction, at: int) -> None:
    """Do what was said about the order of a case: bring it to a state, or close it with an outcome.

    What is so already is not done again; a note is kept.

    Raises:
        RefusedError: the case has no order, or it cannot be brought there.
    """
    standing = case.order_standing
    if standing is None:
        raise RefusedError(f"case {case.case_id} has no order")
    outcome = None
    if instruction.verb is Verb.CLOSE:
        assert instruction.outcome is not None
        outcome = instruction.outcome
        to = state_of(outcome)
        if standing.state == to and standing.outcome == outcome:
            return
        if standing.state == to:
            raise RefusedError(f"order {case.order_id} is {to} already, with the outcome {standing.outcome}")
    else:
        assert instruction.state is not None
        to = instruction.state
        if to is OrderState.CANCELLED:
            outcome = OrderOutcome.CANCELLED
        if standing.state == to and not instruction.note:
            return
    try:
        change_order(
            journal,
            case,
            at=at,
            who=instruction.who,
            by=instruction.by,
            key=instruction.instruction_id,
            to=to,
            outcome=outcome,
            parts_used=instruction.parts_used,
            why=instruction.note or wording.said(instruction.who, to, outcome),
        )
    except ImpossibleChangeError as error:
        raise RefusedError(f"order {case.order_id}: {error}") from None
