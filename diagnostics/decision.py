"""Reasons: every decision, to open an order or not, is kept with the values that led to it."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

Scalar = float | bool | str | None


class Reason(StrEnum):
    """Why something was decided; the words of the contract, section 6, and those found missing there."""

    CONFIRMED = "confirmed"
    ALREADY_OPEN = "already_open"
    WAITING_CONFIRMATION = "waiting_confirmation"
    REFUTED_BY_PROBE = "refuted_by_probe"
    REMEDIED_REMOTELY = "remedied_remotely"
    BELOW_CONFIDENCE = "below_confidence"
    OUT_OF_WARRANTY_POLICY = "out_of_warranty_policy"
    IN_MAINTENANCE = "in_maintenance"
    INHIBITED_BY_PARENT = "inhibited_by_parent"
    PART_OF_FLEET_INCIDENT = "part_of_fleet_incident"
    FLAPPING = "flapping"
    RECENTLY_REPAIRED = "recently_repaired"
    DISMISSED_BY_ENGINEER = "dismissed_by_engineer"
    RULE_ON_PROBATION = "rule_on_probation"
    CLEARED_BEFORE_CONFIRMATION = "cleared_before_confirmation"
    DEVICE_UNKNOWN_POLICY = "device_unknown_policy"
    SILENCED = "silenced"  # somebody asked for silence; the order waits for its end
    NEVER_AN_ORDER = "never_an_order"  # the owner mends it: a full storage, a filter
    SUSPECTED = "suspected"
    CLEARED = "cleared"
    REOPENED = "reopened"
    PROBE_SENT = "probe_sent"
    PROBE_RUNNING = "probe_running"
    PROBE_INCONCLUSIVE = "probe_inconclusive"  # unsupported, error
    PROBE_EXPIRED = "probe_expired"
    PROBE_ANSWERED = "probe_answered"  # passed or failed, and no rule decides by it
    REMEDY_SENT = "remedy_sent"
    REMEDY_ANSWERED = "remedy_answered"
    STEADY = "steady"  # a rule that flapped no longer does
    SEVERITY_CHANGED = "severity_changed"
    ACKNOWLEDGED = "acknowledged"  # somebody has seen the case
    UNACKNOWLEDGED = "unacknowledged"  # that was taken back
    DISMISSAL_UNDONE = "dismissal_undone"
    ASSIGNED = "assigned"
    COMMENTED = "commented"
    ORDER_ENDED = "order_ended"  # the fault is still seen, and what its order came to asks for no second one
    RULE_WITHDRAWN = "rule_withdrawn"  # it is no longer among the packs, or says something else now


Outcome = Literal["order", "no_order", "pending", "note"]


class Decision(BaseModel):
    """One line of the ledger of a case.

    Attributes:
        decision_id: derived from what it is about, so that work repeated after a crash writes the same row.
        at: ms since 1970 UTC, on the clock that decided: device time, or arrival time for deadlines.
        outcome: ``order`` opened or joined one, ``no_order`` ended the case without one, ``pending`` waits.
        text: the decision in plain words, complete without the values.
        values: the values that led to it, by signal or by name.
    """

    model_config = ConfigDict(frozen=True)

    decision_id: str
    case_id: str
    tenant: str
    device_class: str
    device: str
    component: str
    fault: str
    rule: str
    at: int
    outcome: Outcome
    reason: Reason
    text: str
    values: dict[str, Scalar] = {}
