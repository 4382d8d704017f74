"""Plain words for people: reasons and states; those of values and names are `gateway.plainwords`'s."""

from diagnostics.case import Case, CaseState
from diagnostics.decision import Reason
from gateway.plainwords import (
    NONE,
    action_words,
    number_words,
    signal_words,
    unit_of,
    upper_first,
    value_words,
    words_of,
)

#: The pages take all their words from here.
__all__ = [
    "CLASSES",
    "NONE",
    "OUTCOMES",
    "REASONS",
    "action_words",
    "class_words",
    "fact_words",
    "number_words",
    "signal_words",
    "state_words",
    "unit_of",
    "upper_first",
    "value_words",
    "why_words",
    "words_of",
]

#: Why there is no order (yet), short enough for a list.
REASONS: dict[Reason, str] = {
    Reason.CONFIRMED: "confirmed",
    Reason.ALREADY_OPEN: "an order for it is open already",
    Reason.WAITING_CONFIRMATION: "waiting for confirmation",
    Reason.REFUTED_BY_PROBE: "the self test passed",
    Reason.REMEDIED_REMOTELY: "remedied remotely",
    Reason.BELOW_CONFIDENCE: "not sure enough",
    Reason.OUT_OF_WARRANTY_POLICY: "out of warranty, held by policy",
    Reason.IN_MAINTENANCE: "the device is in maintenance",
    Reason.INHIBITED_BY_PARENT: "explained by a fault above it",
    Reason.PART_OF_FLEET_INCIDENT: "part of a shared incident",
    Reason.FLAPPING: "comes and goes too often",
    Reason.RECENTLY_REPAIRED: "repaired a short while ago",
    Reason.DISMISSED_BY_ENGINEER: "dismissed by an engineer",
    Reason.SILENCED: "silenced",
    Reason.ACKNOWLEDGED: "seen",
    Reason.UNACKNOWLEDGED: "not seen after all",
    Reason.DISMISSAL_UNDONE: "the dismissal was taken back",
    Reason.ASSIGNED: "assigned",
    Reason.COMMENTED: "comment",
    Reason.ORDER_ENDED: "its order has ended",
    Reason.RULE_ON_PROBATION: "the rule is on probation",
    Reason.CLEARED_BEFORE_CONFIRMATION: "went away before it was confirmed",
    Reason.DEVICE_UNKNOWN_POLICY: "the device is not registered, held by policy",
    Reason.NEVER_AN_ORDER: "the owner mends it, never an order",
    Reason.SUSPECTED: "suspected, not confirmed yet",
    Reason.CLEARED: "went away",
    Reason.REOPENED: "came back",
    Reason.PROBE_SENT: "waiting for the self test",
    Reason.PROBE_RUNNING: "the self test is running",
    Reason.PROBE_INCONCLUSIVE: "the self test said nothing",
    Reason.PROBE_EXPIRED: "the self test was not answered in time",
    Reason.PROBE_ANSWERED: "the self test was answered",
    Reason.REMEDY_SENT: "waiting for the remedy",
    Reason.REMEDY_ANSWERED: "the remedy was answered",
    Reason.STEADY: "steady again",
    Reason.SEVERITY_CHANGED: "its severity changed",
    Reason.RULE_WITHDRAWN: "its rule was changed or taken away",
}

OUTCOMES = {
    "order": "order",
    "no_order": "no order",
    "pending": "waiting",
    "note": "noted",
}

CLASSES = {"phone": "phone", "pc": "PC", "server": "server", "appliance": "appliance"}


def fact_words(name: str) -> str:
    """Return what a fact of a device is called."""
    return "Operating system" if name == "os" else upper_first(words_of(name))


def class_words(device_class: str) -> str:
    """Return what a class of devices is called in a sentence."""
    return CLASSES.get(device_class, device_class)


def why_words(case: Case) -> str:
    """Return in a few words why a case has an order, or why not (yet)."""
    pending = next((probe for probe in case.probes if probe.pending), None)
    if case.state is CaseState.SUSPECTED and pending is not None:
        return f"waiting for the {action_words(pending.action)}"
    if case.order_id is None and case.reason is Reason.CONFIRMED:
        return "confirmed, order not opened yet"
    return REASONS[case.reason]


def state_words(state: str) -> str:
    """Return an order's state as words.

    >>> state_words("inProgress")
    'in progress'
    """
    return "in progress" if state == "inProgress" else state
