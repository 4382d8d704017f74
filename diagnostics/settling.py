"""From a suspicion that is confirmed or refuted to an order, or to why there is none (yet)."""

from typing import Protocol

from diagnostics import following, silencing, wording
from diagnostics.case import Case, CaseState, Probe
from diagnostics.confirming import confirmation
from diagnostics.decision import Reason, Scalar
from diagnostics.journal import Journal, Verdict
from diagnostics.naming import TraitsOf
from diagnostics.silences import Silences
from rules.model import Rule


class Book(Protocol):
    """What settling needs of the case book."""

    journal: Journal
    rules: dict[str, Rule]
    silences: Silences
    traits: TraitsOf


def touch(journal: Journal, case: Case, at: int) -> None:
    """Note that a case has changed, at `at` ms."""
    case.updated = max(case.updated, at)
    journal.cases[case.case_id] = case


def values_of(case: Case, rule: Rule) -> dict[str, Scalar]:
    """Return what a rule saw in a case, by signal."""
    return {e.signal: e.value for e in case.evidence if e.rule == rule.id}


class Settling:
    """Settles what rules suspect in the cases of a book.

    Args:
        book: whose cases they are.
        reopen_window_ms: how long after the repair the same fault is the same order's.
    """

    def __init__(self, book: Book, reopen_window_ms: int) -> None:
        self._book = book
        self._reopen_ms = reopen_window_ms

    def settle(self, case: Case, rule: Rule, at: int, arrival: int) -> None:
        """Confirm a rule's suspicion when its ways suffice."""
        standing = case.standings[rule.id]
        if not standing.waits or (standing.flapping and not standing.engineer) or not case.is_open:
            return
        confirmed_by = confirmation(case, rule, standing)
        if confirmed_by is None:
            return
        standing.verdict = "confirmed"
        first = case.state != CaseState.CONFIRMED
        case.state = CaseState.CONFIRMED
        case.confirmed_at = at if case.confirmed_at is None else case.confirmed_at
        touch(self._book.journal, case, at)
        ended = case.order_id is not None and not case.has_open_order
        if case.has_open_order or not (first or ended or case.held):
            self._join(case, rule, at, confirmed_by, first=first)
            return
        since = None if case.held is None else case.held.at
        if not standing.engineer and self._holds_back(case, rule, at, arrival, confirmed_by, since=since):
            self._book.journal.event(case, rule.id, "confirmed", at, case.reason)
            return
        case.held = None
        if not ended:
            self._book.journal.event(case, rule.id, "confirmed", at, Reason.CONFIRMED)
        self._want_order(case, rule, at, arrival, confirmed_by, seen_at=at)

    def _join(self, case: Case, rule: Rule, at: int, confirmed_by: str, *, first: bool) -> None:
        """Note a confirmation that changes nothing: there is an order, or a reason against one, already."""
        if first:
            case.reason = Reason.ALREADY_OPEN  # it came back; a second rule that agrees changes nothing
        self._book.journal.event(case, rule.id, "confirmed", at, Reason.ALREADY_OPEN)
        self._book.journal.decide(
            case,
            rule.id,
            at=at,
            outcome="order" if case.order_id else "no_order",
            reason=Reason.ALREADY_OPEN,
            text=wording.already_open(case, confirmed_by),
            values=values_of(case, rule),
        )

    def _holds_back(
        self, case: Case, rule: Rule, at: int, arrival: int, confirmed_by: str, *, since: int | None = None
    ) -> bool:
        """Keep an order back while a silence goes on; `since` is when the fault was confirmed, if not now."""
        if not self._book.silences:
            return False
        silence = self._book.silences.over(case, rule.id, self._book.traits(case.key[0]), arrival)
        if silence is None:
            return False
        touch(self._book.journal, case, at)
        silencing.hold(
            self._book.journal,
            case,
            rule,
            silence,
            at=at,
            since=at if since is None else since,
            confirmed_by=confirmed_by,
            values=values_of(case, rule),
        )
        return True

    def _want_order(
        self, case: Case, rule: Rule, at: int, arrival: int, confirmed_by: str, *, seen_at: int
    ) -> None:
        """Ask for an order, or let the one that has ended follow its fault; confirmed at `seen_at`, ms."""
        if case.order_id is not None:
            self._confirm_ended(case, rule, at, confirmed_by, seen_at=seen_at)
            return
        case.reason = Reason.CONFIRMED
        insisted = bool(case.standings[rule.id].engineer)
        self._book.journal.verdicts.append(Verdict(case, rule, at, arrival, confirmed_by, insisted=insisted))

    def _confirm_ended(self, case: Case, rule: Rule, at: int, confirmed_by: str, *, seen_at: int) -> None:
        """Let an order that has ended follow its fault, which was confirmed anew at `seen_at`, ms.

        One that was repaired a short while ago comes back; any other does on an engineer's word.
        """
        ended = case.order_standing
        assert ended is not None
        assert case.order_id is not None
        back = following.is_back(case, seen_at, self._reopen_ms)
        reason = Reason.RECENTLY_REPAIRED if back else Reason.ORDER_ENDED
        if back:
            text = wording.recently_repaired(case.order_id, ended.ended_at or at, confirmed_by)
            following.reopen(self._book.journal, case, at=at, confirmed_by=confirmed_by)
        else:
            text = wording.order_ended(case, confirmed_by)
        case.reason = reason
        if seen_at == at:
            self._book.journal.event(case, rule.id, "confirmed", at, reason)
        self._book.journal.decide(
            case,
            rule.id,
            at=at,
            outcome="order" if back else "no_order",
            reason=reason,
            text=text,
            values=values_of(case, rule),
        )

    def refute(self, case: Case, rule_id: str, probe: Probe, arrival: int) -> None:
        """Let a passed self test refute a rule's suspicion, also one that time confirmed before it came."""
        standing = case.standings[rule_id]
        overturned = standing.suspected and standing.verdict == "confirmed" and not standing.engineer
        if not (standing.waits or overturned) or not case.is_open:
            return
        standing.verdict = "refuted"
        text = wording.refuted(probe, case)
        self._book.journal.event(case, rule_id, "refuted", arrival, Reason.REFUTED_BY_PROBE)
        self._book.journal.decide(
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
            case.held = None
            if case.has_open_order:
                following.refuted(self._book.journal, case, at=arrival, probe=probe)

    def release(self, case: Case, at: int) -> None:
        """Let the order of a case go on that waited for a silence, now that it is over."""
        held = case.held
        if held is None or case.state != CaseState.CONFIRMED:
            return  # one that was dismissed looks again if that is taken back
        case.held = None
        rule = silencing.rule_of(case, held, self._book.rules)
        if rule is None or case.has_open_order:
            return
        if not self._holds_back(case, rule, at, at, held.confirmed_by, since=held.at):
            touch(self._book.journal, case, at)
            self._want_order(case, rule, at, at, held.confirmed_by, seen_at=held.at)
