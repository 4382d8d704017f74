"""Plain words for people: reasons and states; those of values and names are `gateway.plainwords`'s."""

from diagnostics.case import Case, CaseState
from diagnostics.decision import Reason, Scalar
from diagnostics.orders.translations import ENGLISH
from diagnostics.orders.translations import catalogue_of as fault_texts
from gateway.console.language import language, msg, t
from gateway.plainwords import (
    NONE,
    action_words,
    number_words,
    signal_words,
    unit_of,
    upper_first,
    words_of,
)
from gateway.plainwords import value_words as english_value_words
from gateway.plainwords import with_unit as english_with_unit
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

#: The pages take all their words from here.
__all__ = [
    "CLASSES",
    "NONE",
    "OUTCOMES",
    "REASONS",
    "STATES",
    "action_words",
    "case_state_words",
    "class_words",
    "duration_words",
    "fact_words",
    "fault_title",
    "number_words",
    "outcome_words",
    "probe_state_words",
    "rejection_words",
    "severity_words",
    "signal_words",
    "state_words",
    "unit_of",
    "upper_first",
    "value_words",
    "why_words",
    "with_unit",
    "words_of",
]

#: Why there is no order (yet), short enough for a list.
REASONS: dict[Reason, str] = {
    Reason.CONFIRMED: msg("confirmed"),
    Reason.ALREADY_OPEN: msg("an order for it is open already"),
    Reason.WAITING_CONFIRMATION: msg("waiting for confirmation"),
    Reason.REFUTED_BY_PROBE: msg("the self test passed"),
    Reason.REMEDIED_REMOTELY: msg("remedied remotely"),
    Reason.BELOW_CONFIDENCE: msg("not sure enough"),
    Reason.OUT_OF_WARRANTY_POLICY: msg("out of warranty, held by policy"),
    Reason.IN_MAINTENANCE: msg("the device is in maintenance"),
    Reason.INHIBITED_BY_PARENT: msg("explained by a fault above it"),
    Reason.PART_OF_FLEET_INCIDENT: msg("part of a shared incident"),
    Reason.FLAPPING: msg("comes and goes too often"),
    Reason.RECENTLY_REPAIRED: msg("repaired a short while ago"),
    Reason.DISMISSED_BY_ENGINEER: msg("dismissed by an engineer"),
    Reason.SILENCED: msg("silenced"),
    Reason.ACKNOWLEDGED: msg("seen"),
    Reason.UNACKNOWLEDGED: msg("not seen after all"),
    Reason.DISMISSAL_UNDONE: msg("the dismissal was taken back"),
    Reason.ASSIGNED: msg("assigned"),
    Reason.COMMENTED: msg("comment"),
    Reason.ORDER_ENDED: msg("its order has ended"),
    Reason.RULE_ON_PROBATION: msg("the rule is on probation"),
    Reason.CLEARED_BEFORE_CONFIRMATION: msg("went away before it was confirmed"),
    Reason.DEVICE_UNKNOWN_POLICY: msg("the device is not registered, held by policy"),
    Reason.NEVER_AN_ORDER: msg("the owner mends it, never an order"),
    Reason.SUSPECTED: msg("suspected, not confirmed yet"),
    Reason.CLEARED: msg("went away"),
    Reason.REOPENED: msg("came back"),
    Reason.PROBE_SENT: msg("waiting for the self test"),
    Reason.PROBE_RUNNING: msg("the self test is running"),
    Reason.PROBE_INCONCLUSIVE: msg("the self test said nothing"),
    Reason.PROBE_EXPIRED: msg("the self test was not answered in time"),
    Reason.PROBE_ANSWERED: msg("the self test was answered"),
    Reason.REMEDY_SENT: msg("waiting for the remedy"),
    Reason.REMEDY_ANSWERED: msg("the remedy was answered"),
    Reason.STEADY: msg("steady again"),
    Reason.SEVERITY_CHANGED: msg("its severity changed"),
    Reason.RULE_WITHDRAWN: msg("its rule was changed or taken away"),
}

OUTCOMES = {
    "order": msg("order"),
    "no_order": msg("no order"),
    "pending": msg("waiting"),
    "note": msg("noted"),
}

CLASSES = {
    "phone": msg("phone"),
    "pc": msg("PC"),
    "server": msg("server"),
    "appliance": msg("appliance"),
}

SEVERITY_WORDS = {"critical": msg("critical"), "major": msg("major"), "minor": msg("minor")}

#: Of cases and their events.
STATES = {
    "open": msg("open"),
    "suspected": msg("suspected"),
    "confirmed": msg("confirmed"),
    "refuted": msg("refuted"),
    "cleared": msg("cleared"),
    "dismissed": msg("dismissed"),
    "reopened": msg("reopened"),
}

#: Of self tests.
PROBE_STATES = {
    "sent": msg("sent"),
    "running": msg("running"),
    "passed": msg("passed"),
    "failed": msg("failed"),
    "unsupported": msg("unsupported"),
    "error": msg("error"),
    "expired": msg("expired"),
}

#: Of orders, TMF621.
ORDER_STATE_WORDS = {
    "open": msg("open"),
    "submitted": msg("submitted"),
    "acknowledged": msg("acknowledged"),
    "inProgress": msg("in progress"),
    "pending": msg("pending"),
    "held": msg("held"),
    "resolved": msg("resolved"),
    "closed": msg("closed"),
    "cancelled": msg("cancelled"),
    "rejected": msg("rejected"),
}

#: What an order came to.
ORDER_OUTCOMES = {
    "repaired": msg("repaired"),
    "no_fault_found": msg("no fault found"),
    "other_fault": msg("another fault"),
    "cancelled": msg("cancelled"),
}


def fact_words(name: str) -> str:
    """Return what a fact of a device is called."""
    return t("Operating system") if name == "os" else upper_first(words_of(name))


def class_words(device_class: str) -> str:
    """Return what a class of devices is called in a sentence."""
    return t(CLASSES.get(device_class, device_class))


def severity_words(severity: str) -> str:
    """Return what a severity is called."""
    return t(SEVERITY_WORDS.get(severity, severity))


def case_state_words(state: str) -> str:
    """Return what a state of cases, or a step of their life, is called."""
    return t(STATES.get(state, state))


def probe_state_words(state: str) -> str:
    """Return what became of a self test."""
    return t(PROBE_STATES.get(state, state))


def outcome_words(outcome: str) -> str:
    """Return what an order came to."""
    return t(ORDER_OUTCOMES.get(outcome, words_of(outcome)))


def rejection_words(reason: str) -> str:
    """Return why a message could not be used."""
    return t(words_of(reason))


def fault_title(title: str) -> str:
    """Return the title of a fault in the language of the page, as the fault catalogue has it."""
    spoken = language()
    return title if spoken == ENGLISH else fault_texts(spoken).get(title, title)


#: What stands for values that are no numbers.
VALUES = {"unknown": msg("unknown"), "yes": msg("yes"), "no": msg("no")}


def value_words(value: Scalar) -> str:
    """Return a value without its unit, in the language of the page; an unknown one says so."""
    words = english_value_words(value)
    return words if isinstance(value, str) else t(VALUES.get(words, words))


def with_unit(value: Scalar, unit: str) -> str:
    """Return a value with its unit, where it is a number."""
    if value is None or isinstance(value, bool):
        return value_words(value)
    return english_with_unit(value, unit)


def duration_words(ms: int) -> str:
    """Return a length of time in its largest whole unit, as short as it is written beside numbers.

    >>> duration_words(600_000), duration_words(5_400_000), duration_words(7_200_000)
    ('10 min', '90 min', '2 h')
    """
    for unit, length in ((msg("d"), DAY_MS), (msg("h"), HOUR_MS), (msg("min"), MINUTE_MS)):
        if ms >= length and ms % length == 0:
            return f"{ms // length} {t(unit)}"
    return f"{ms / SECOND_MS:g} {t(msg('s'))}"


def why_words(case: Case) -> str:
    """Return in a few words why a case has an order, or why not (yet)."""
    pending = next((probe for probe in case.probes if probe.pending), None)
    if case.state is CaseState.SUSPECTED and pending is not None:
        return t("waiting for the {test}", test=action_words(pending.action))
    if case.order_id is None and case.reason is Reason.CONFIRMED:
        return t("confirmed, order not opened yet")
    return t(REASONS[case.reason])


def state_words(state: str) -> str:
    """Return an order's state as words.

    >>> state_words("inProgress")
    'in progress'
    """
    return t(ORDER_STATE_WORDS.get(state, state))
