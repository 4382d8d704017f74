"""The document of one order with all that happened to it."""

from typing import Self

from pydantic import Field

from diagnostics.orders.changes import OrderChange, PartUsed
from diagnostics.orders.filling import FIELDS, Filled, has_place
from diagnostics.orders.lifecycle import Actor, OrderOutcome
from diagnostics.orders.model import OrderState, ServiceOrder
from gateway.api.documents import Document, Instant
from gateway.api.queries import Queries


class ChangeDocument(Document):
    """A change of an order, or a note on it: `before` and `after` are alike then."""

    at: Instant
    who: str
    by: Actor
    before: OrderState
    after: OrderState
    why: str
    reason: str | None
    outcome: OrderOutcome | None
    parts_used: list[PartUsed]
    filled: list[Filled] = Field(description="fields that somebody filled in, and what they held before")

    @classmethod
    def of(cls, change: OrderChange) -> Self:
        """Return the document of a change."""
        return cls(
            at=change.at,
            who=change.who,
            by=change.by,
            before=change.before,
            after=change.after,
            why=change.why,
            reason=None if change.reason is None else change.reason.value,
            outcome=change.outcome,
            parts_used=change.parts_used,
            filled=change.filled,
        )


class OrderFileDocument(ServiceOrder):
    """A service order and its changes since it was opened, in the order in which they were made."""

    changes: list[ChangeDocument]
    fillable: list[str] = Field(description="fields that PATCH fills in, while the order is open")

    @classmethod
    def read(cls, reads: Queries, order_id: str) -> Self | None:
        """Return the document of an order, None when there is no such order."""
        order = reads.order(order_id)
        if order is None:
            return None
        changes = [ChangeDocument.of(change) for change in reads.order_changes(order_id)]
        fields = list(FIELDS)
        fillable = [f for f in fields if has_place(order, f)] if order.is_open else []
        return cls(**order.model_dump(), changes=changes, fillable=fillable)
