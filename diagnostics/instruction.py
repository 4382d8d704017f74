"""What people say of a case or its order: it goes the way of everything that devices say."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from diagnostics.orders.changes import PartUsed
from diagnostics.orders.filling import Filled
from diagnostics.orders.lifecycle import Actor, OrderOutcome
from diagnostics.orders.model import OrderState


class Verb(StrEnum):
    """What is to be done; silences are `diagnostics.silences.SilenceWord`."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    COMMENT = "comment"
    DISMISS = "dismiss"
    CONFIRM = "confirm"
    UNACKNOWLEDGE = "unacknowledge"
    REOPEN = "reopen"  # take a dismissal back
    PROBE = "probe"
    REMEDY = "remedy"
    STATE = "state"  # of the order
    CLOSE = "close"  # the order
    FILL = "fill"  # fields of the order


class Instruction(BaseModel):
    """A word of an engineer or a repairer.

    Attributes:
        instruction_id: the same when the same is said again; done once.
        case_id: whose case, or the case of whose order.
        component: of the case, and so is `fault`: with the device they find it.
        who: a name.
        assignee: who is to look after the case; None for nobody.
        state: that the order is to be in.
        outcome: that it is closed with.
        action: self test or remedy that the device is asked for.
        filled: fields of the order and what they are to hold.
    """

    model_config = ConfigDict(frozen=True)

    instruction_id: str
    verb: Verb
    case_id: str
    component: str
    fault: str
    who: str
    by: Actor = Actor.ENGINEER
    note: str = ""
    assignee: str | None = None
    state: OrderState | None = None
    outcome: OrderOutcome | None = None
    parts_used: list[PartUsed] = []
    action: str = ""
    filled: list[Filled] = []


class RefusedError(Exception):
    """What was asked for cannot be done with the case or the order as it stands; why, in plain words."""
