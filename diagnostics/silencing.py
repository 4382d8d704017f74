"""What silences do to cases: they begin and end by people's words, and hold orders back in between."""

from collections.abc import Mapping

from diagnostics import wording
from diagnostics.case import Case, Held
from diagnostics.decision import Reason, Scalar
from diagnostics.instruction import RefusedError
from diagnostics.journal import Journal
from diagnostics.silences import Silence, Silences, SilenceWord
from rules.model import Rule


def begin(journal: Journal, silences: Silences, silence: Silence, case: Case | None) -> None:
    """Keep a silence, and note it in the ledger of the case that it was asked for at, if at one."""
    if silences.get(silence.silence_id) is not None:
        return
    silences.keep(silence)
    journal.silences[silence.silence_id] = silence
    if case is not None:
        _note(journal, case, silence)


def end(journal: Journal, silences: Silences, word: SilenceWord, at: int) -> bool:
    """End a silence early, at `at` ms; False when it is over already.

    Raises:
        RefusedError: there is none of that id.
    """
    silence = silences.get(word.silence_id)
    if silence is None:
        raise RefusedError(f"silence {word.silence_id} is over, or there never was one")
    if silence.state(at) == "expired":
        return False
    silence = silence.model_copy(update={"ended_at": at, "ended_by": word.who, "end_note": word.note})
    silences.keep(silence)
    journal.silences[silence.silence_id] = silence
    return True


def hold(
    journal: Journal,
    case: Case,
    rule: Rule,
    silence: Silence,
    *,
    at: int,
    since: int,
    confirmed_by: str,
    values: Mapping[str, Scalar],
) -> None:
    """Keep the order of a confirmed case back until a silence ends.

    Args:
        journal: where it is noted.
        case: it is confirmed and has no open order.
        rule: whose suspicion was confirmed.
        silence: that it falls under.
        at: ms.
        since: when it was confirmed, ms.
        confirmed_by: in plain words.
        values: what the rule saw.
    """
    case.held = Held(silence_id=silence.silence_id, rule=rule.id, confirmed_by=confirmed_by, at=since)
    case.reason = Reason.IN_MAINTENANCE if silence.maintenance else Reason.SILENCED
    journal.decide(
        case,
        rule.id,
        at=at,
        outcome="pending",
        reason=case.reason,
        text=wording.held_by_silence(silence, confirmed_by),
        values={**values, "silence": silence.silence_id, "who": silence.created_by},
    )


def is_over(silences: Silences, held: Held, at: int) -> bool:
    """Whether the silence that an order waits for is over."""
    silence = silences.get(held.silence_id)
    return silence is None or silence.state(at) == "expired"


def rule_of(case: Case, held: Held, rules: Mapping[str, Rule]) -> Rule | None:
    """Return the rule for which an order is asked now: the one that was held, or another that stands."""
    confirmed = [
        rule_id
        for rule_id, standing in case.standings.items()
        if standing.suspected and standing.verdict == "confirmed" and rule_id in rules
    ]
    if not confirmed:
        return None
    return rules[held.rule if held.rule in confirmed else confirmed[0]]


def _note(journal: Journal, case: Case, silence: Silence) -> None:
    case.updated = max(case.updated, silence.created_at)
    journal.decide(
        case,
        case.rule,
        at=silence.created_at,
        outcome="note",
        reason=Reason.IN_MAINTENANCE if silence.maintenance else Reason.SILENCED,
        text=wording.silence_begun(silence),
        values={"silence": silence.silence_id, "who": silence.created_by},
        key=silence.silence_id,
    )
