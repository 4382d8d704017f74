"""A case: one fault of one component of one device, from suspicion to its end."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from diagnostics.decision import Reason, Scalar
from diagnostics.orders.lifecycle import OrderOutcome
from diagnostics.orders.model import ENDED_ORDER_STATES, OrderState
from rules.model import Severity
from rules.symbols import DeviceId
from rules.times import to_rfc3339

#: Device, component and fault: what a case is about. The book has one case of each at most.
Key = tuple[DeviceId, str, str]


class CaseState(StrEnum):
    """Where a case stands. ``suspected`` and ``confirmed`` are open."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    CLEARED = "cleared"
    DISMISSED = "dismissed"


#: What a device may answer to a probe, contract section 1.
ReplyState = Literal["running", "passed", "failed", "unsupported", "error"]
OPEN_CASE_STATES = frozenset({CaseState.SUSPECTED, CaseState.CONFIRMED})


class Evidence(BaseModel):
    """One value that spoke for the fault, with the limit that it was held against, where there was one."""

    model_config = ConfigDict(frozen=True)

    rule: str
    signal: str  # with its component: disk.pending_sectors@sda
    at: int  # device time of the reading, ms
    value: Scalar
    limit: Scalar = None


class Probe(BaseModel):
    """A self test that was asked of the device, or a remedy that it was told to try.

    Attributes:
        probe_id: the command's ``id``, derived from the case and the action.
        kind: a self test that passes speaks against the fault; after a remedy the rules do.
        asked_by: who asked for it; empty when a rule did.
        state: ``sent`` until the device answers; ``expired`` when it did not in time.
        sent_at: arrival clock, ms.
        deadline: arrival clock, ms.
        answered_at: arrival clock, ms.
    """

    probe_id: str
    rule: str
    action: str
    component: str
    state: ReplyState | Literal["sent", "expired"] = "sent"
    sent_at: int
    deadline: int
    answered_at: int | None = None
    result: dict[str, object] = Field(default_factory=dict)
    kind: Literal["probe", "remedy"] = "probe"
    asked_by: str = ""

    @property
    def pending(self) -> bool:
        """Whether an answer may still come."""
        return self.state in ("sent", "running")


class Standing(BaseModel):
    """How one rule stands in a case.

    Attributes:
        suspected_at: device time of its latest suspicion, ms.
        suspected: not cleared since.
        ways: for each way of its confirmation whether it holds now; probes are looked up in the case.
        verdict: what its latest suspicion came to.
        severity: what the rule says of the fault as it now is.
        flapping: it changes too often to be believed, so it confirms nothing.
        engineer: who confirmed it, in plain words; empty when no engineer did.
    """

    suspected_at: int
    suspected: bool = True
    ways: list[bool] = []
    verdict: Literal["waiting", "confirmed", "refuted"] = "waiting"
    severity: Severity = "major"
    flapping: bool = False
    engineer: str = ""

    @property
    def waits(self) -> bool:
        """Whether the rule suspects the fault and nothing has confirmed or refuted it."""
        return self.suspected and self.verdict == "waiting"


class OrderStanding(BaseModel):
    """How the order of a case stands.

    Attributes:
        outcome: what it was closed with.
        ended_at: when it was over, ms; None while it is open.
        repairer: whose it is, as the registry names it; None when none was found.
    """

    state: OrderState = OrderState.SUBMITTED
    outcome: OrderOutcome | None = None
    ended_at: int | None = None
    repairer: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the order is still to be done."""
        return self.state not in ENDED_ORDER_STATES

    @property
    def repaired(self) -> bool:
        """Whether it ended with the fault put right, as far as the repairer said."""
        closed = self.state == OrderState.CLOSED and self.outcome == OrderOutcome.REPAIRED
        return closed or self.state == OrderState.RESOLVED


class Held(BaseModel):
    """An order that waits for the end of a silence.

    Attributes:
        silence_id: of the silence.
        rule: the rule whose suspicion was confirmed.
        confirmed_by: in plain words.
        at: ms, when it was confirmed.
    """

    silence_id: str
    rule: str
    confirmed_by: str
    at: int


class Dismissal(BaseModel):
    """What a case was before it was dismissed, so that this can be taken back.

    Attributes:
        at: ms, when it was dismissed.
        waiting: the rules whose suspicion had not been judged.
        order: the state of its order, None when none was open.
    """

    at: int
    state: CaseState
    reason: Reason
    waiting: list[str]
    order: OrderState | None = None


class Case(BaseModel):
    """The present state of one case; its history stands in events and decisions.

    Attributes:
        case_id: derived from device, component, fault and onset.
        component: ``""`` when the fault is the device's own.
        rule: the rule that suspected first.
        severity: the highest that a rule which suspects the fault gives it.
        onset: device time of the first suspicion, ms.
        updated: time of the last change, ms.
        reason: the last reason, the answer to "why (not) an order?".
        order_id: the order that the case opened; a fault that returns while it is open joins it.
        order: how it stands; None while there is none.
        acknowledged_by: who has seen the case, and is first to say so.
        assignee: who looks after it.
        instructions: the latest ids of what people said of it; said again, it is done already.
        standings: by rule id; several rules may speak for the same fault.
        model: of the device, as it was known when the fault was suspected; and so is `site`.
        held: what waits for the end of a silence.
        dismissal: what it was before it was dismissed; None when it was not.
    """

    case_id: str
    tenant: str
    device_class: str
    device: str
    component: str
    fault: str
    title: str
    rule: str
    severity: Severity
    state: CaseState = CaseState.SUSPECTED
    onset: int
    updated: int
    confirmed_at: int | None = None
    ended_at: int | None = None
    reason: Reason = Reason.SUSPECTED
    evidence: list[Evidence] = []
    probes: list[Probe] = []
    order_id: str | None = None
    order: OrderStanding | None = None
    acknowledged_by: str | None = None
    assignee: str | None = None
    instructions: list[str] = []
    standings: dict[str, Standing] = {}
    model: str | None = None
    site: str | None = None
    held: Held | None = None
    dismissal: Dismissal | None = None

    @property
    def key(self) -> Key:
        """What the case is about."""
        return (DeviceId(self.tenant, self.device_class, self.device), self.component, self.fault)

    @property
    def is_open(self) -> bool:
        """Whether the case has not come to its end."""
        return self.state in OPEN_CASE_STATES

    @property
    def order_standing(self) -> OrderStanding | None:
        """How the order stands; one of which nothing else is known is as it was opened."""
        return None if self.order_id is None else self.order or OrderStanding()

    @property
    def has_open_order(self) -> bool:
        """Whether there is an order for the case that is still to be done."""
        standing = self.order_standing
        return standing is not None and standing.is_open


class CaseEvent(BaseModel):
    """A step in the life of a case, as `forewarn replay --cases` writes it."""

    model_config = ConfigDict(frozen=True)

    event: Literal["suspected", "confirmed", "refuted", "cleared", "reopened"]
    at: int
    tenant: str
    device_class: str
    device: str
    component: str
    rule: str
    fault: str
    case_id: str
    reason: Reason

    def line(self) -> dict[str, str | None]:
        """Return the event as the contract spells it."""
        return {
            "event": self.event,
            "at": to_rfc3339(self.at),
            "tenant": self.tenant,
            "class": self.device_class,
            "device": self.device,
            "component": self.component or None,
            "rule": self.rule,
            "fault": self.fault,
            "case_id": self.case_id,
            "reason": self.reason.value,
        }


class Command(BaseModel):
    """A probe on its way to a device, as it is published on the device's ``command`` topic."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    device_class: str
    device: str
    id: str
    action: str
    component: str
    args: dict[str, object] = {}
    expires: int  # arrival clock, ms
