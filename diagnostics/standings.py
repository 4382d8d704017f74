"""How rules stand in a case, besides confirmation: how bad they say it is, whether they are to be believed.

Functions over a case and the journal in which what they change is noted.
"""

from collections.abc import Mapping

from diagnostics import wording
from diagnostics.case import Case, CaseState, Standing
from diagnostics.decision import Outcome, Reason, Scalar
from diagnostics.following import change_order
from diagnostics.journal import Journal
from rules.findings import Finding
from rules.model import Severity

_RANK: dict[Severity, int] = {"minor": 0, "major": 1, "critical": 2}


def regrade(
    journal: Journal, case: Case, rule: str, *, at: int, why: str, values: Mapping[str, Scalar]
) -> None:
    """Give an open case the highest severity of the rules that suspect it, and its order with it.

    Args:
        journal: where the change is noted, if there is one.
        case: whose standings have changed.
        rule: the rule that changed.
        at: ms.
        why: in plain words.
        values: what the rule saw.
    """
    said: list[Severity] = [
        standing.severity
        for standing in case.standings.values()
        if standing.suspected and standing.verdict != "refuted"
    ]
    if not case.is_open or not said:
        return
    before, after = case.severity, max(said, key=lambda severity: _RANK[severity])
    if after == before:
        return
    case.severity = after
    journal.decide(
        case,
        rule,
        at=at,
        outcome="note",
        reason=Reason.SEVERITY_CHANGED,
        text=wording.severity_changed(before, after, why, values),
        values={"severity_before": before, "severity": after, **values},
    )
    if case.has_open_order:
        change_order(
            journal,
            case,
            at=at,
            key=f"severity {rule}",
            severity=after,
            reason=Reason.SEVERITY_CHANGED,
            why=wording.severity_changed(before, after, why, values),
        )


def hold_back(journal: Journal, case: Case, standing: Standing, finding: Finding) -> None:
    """Believe a rule no longer that comes and goes too often."""
    standing.flapping = True
    waits = standing.waits and case.is_open
    if waits and case.state == CaseState.SUSPECTED:
        case.reason = Reason.FLAPPING
    journal.decide(
        case,
        finding.rule.id,
        at=finding.at,
        outcome="pending" if waits else "note",
        reason=Reason.FLAPPING,
        text=wording.flapping(finding.rule, finding.changes, waits),
        values={"changes": finding.changes},
    )


def believe_again(journal: Journal, case: Case, standing: Standing, finding: Finding) -> None:
    """Believe a rule again that has become steady."""
    standing.flapping = False
    waits = standing.waits and case.is_open
    if waits and case.state == CaseState.SUSPECTED:
        case.reason = Reason.WAITING_CONFIRMATION
    journal.decide(
        case,
        finding.rule.id,
        at=finding.at,
        outcome="pending" if waits else "note",
        reason=Reason.STEADY,
        text=wording.steady(finding.rule, finding.changes, waits),
        values={"changes": finding.changes},
    )


def withdraw(journal: Journal, case: Case, rule: str, *, changed: bool, at: int) -> None:
    """Take back what a rule suspects that no longer exists, or says something else now.

    A confirmed case stays as it is, and so does its order.
    """
    standing = case.standings[rule]
    held = case.held is not None  # its order waits for the end of a silence, and is not opened any more
    waited = (standing.waits and case.state == CaseState.SUSPECTED) or held
    confirmed = standing.verdict == "confirmed" and case.state == CaseState.CONFIRMED and not held
    standing.suspected = standing.flapping = False
    case.updated = max(case.updated, at)
    if not confirmed:
        journal.event(case, rule, "cleared", at, Reason.RULE_WITHDRAWN)
    outcome: Outcome = "no_order" if waited else "note"
    journal.decide(
        case,
        rule,
        at=at,
        outcome=outcome,
        reason=Reason.RULE_WITHDRAWN,
        text=wording.withdrawn(rule, case, changed=changed, confirmed=confirmed),
    )
    unsettled = case.state == CaseState.SUSPECTED or held
    if unsettled and not any(s.suspected for s in case.standings.values()):
        case.held = None
        case.state = CaseState.CLEARED
        case.ended_at = at
        case.reason = Reason.RULE_WITHDRAWN
    regrade(journal, case, rule, at=at, why=wording.suspects_no_longer(rule), values={})
