"""What happened to a service order since it was opened: who changed what, when and why."""

from pydantic import BaseModel, ConfigDict, Field

from diagnostics.decision import Reason
from diagnostics.naming import derived
from diagnostics.orders.filling import Filled, filled_in, held
from diagnostics.orders.lifecycle import Actor, OrderOutcome
from diagnostics.orders.model import OrderEvidence, OrderState, ServiceOrder
from rules.model import Severity


class PartUsed(BaseModel):
    """A spare part that a technician built in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str = Field(min_length=1, max_length=100)
    quantity: int = Field(default=1, ge=1, le=1_000)


def change_id_of(order_id: str, at: int, key: str) -> str:
    """Return the id of a change: `key` tells changes of one order at one time (ms) apart."""
    return derived("OC-", order_id, at, key)


class OrderChange(BaseModel):
    """One change of one order; a note leaves its state as it is.

    Attributes:
        change_id: derived from what it is about, so that work done twice is kept once.
        at: ms since 1970 UTC: time of arrival of a word, device time of evidence.
        who: the person or the system that caused it.
        why: in plain words.
        reason: where the gateway decided.
        outcome: where it was closed.
        severity: of the fault from now on; None leaves it.
        evidence: all of it from now on; None leaves it.
        filled: fields that somebody filled in, with what they held before.
    """

    model_config = ConfigDict(frozen=True)

    change_id: str
    order_id: str
    at: int
    who: str
    by: Actor
    before: OrderState
    after: OrderState
    why: str
    reason: Reason | None = None
    outcome: OrderOutcome | None = None
    parts_used: list[PartUsed] = []
    severity: Severity | None = None
    evidence: list[OrderEvidence] | None = None
    filled: list[Filled] = []

    def against(self, order: ServiceOrder) -> "OrderChange":
        """Return the change with what the fields that are filled in held in an order before it."""
        if not self.filled:
            return self
        filled = [item.model_copy(update={"before": held(order, item.field)}) for item in self.filled]
        return self.model_copy(update={"filled": filled})

    def is_of(self, key: str) -> bool:
        """Whether it is the change that was made with this key."""
        return self.change_id == change_id_of(self.order_id, self.at, key)

    def applied(self, order: ServiceOrder) -> ServiceOrder:
        """Return the order as it is after this change; evidence and severity of one that is over stay."""
        changed = order.model_copy(update={"state": self.after}) if self.after != self.before else order
        if not changed.is_open:
            return changed
        if self.severity is not None:
            changed = changed.graded(self.severity)
        if self.evidence is not None:
            diagnosis = changed.diagnosis.model_copy(update={"evidence": self.evidence})
            changed = changed.model_copy(update={"diagnosis": diagnosis})
        return filled_in(changed, self.filled, self.who, self.at) if self.filled else changed
