"""What repairers and their systems answer to orders: by webhook, or in the tickets that are read back.

An answer goes the way of what an engineer says: an instruction between two batches, kept in the history
(docs/decisions/0009). Whoever answers does so for the orders of one tenant, or of all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from diagnostics.instruction import Instruction, Verb
from diagnostics.orders.changes import PartUsed
from diagnostics.orders.lifecycle import Actor, OrderOutcome
from diagnostics.orders.model import OrderState, ServiceOrder
from gateway.ports import Ledger
from rules.symbols import DeviceId

ALL_TENANTS = "*"

#: Seconds after which an answer counts as not kept; senders of webhooks wait no longer than 15.
KEPT_WITHIN = 10.0


class NoSuchOrderError(Exception):
    """There is no such order, or none of the tenant of whoever answers: the two look alike."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says of an order.

    Attributes:
        key: the same when the same is said again; it has its effect once.
        who: a person or a system.
        state: that the order is in; None leaves it, and so does an outcome, which names its own.
        outcome: what it came to.
        note: in their words.
    """

    key: str
    order_id: str
    who: str
    state: OrderState | None = None
    outcome: OrderOutcome | None = None
    parts_used: tuple[PartUsed, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The order after an answer; `repeated` when the same had been said before."""

    order: ServiceOrder
    repeated: bool


class Answering:
    """Lets answers have their effect.

    Args:
        ledger: where orders stand.
        instruct: does what an instruction about a case of a device says, and returns once that is kept.
    """

    def __init__(self, ledger: Ledger, instruct: Callable[[DeviceId, Instruction], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._instruct = instruct

    async def take(self, answer: Answer, *, tenant: str) -> Answered:
        """Let an answer from somebody of a tenant (``*``: of all) have its effect; returns once it is kept.

        Raises:
            NoSuchOrderError: there is none that they may speak of.
            RefusedError: not as the order stands; the message says what is possible.
            TimeoutError: it was not kept in time, and may be yet.
            OutsideError: the gateway is not at work, or a store is away.
        """
        order = await asyncio.to_thread(self._order, answer.order_id, tenant)
        if await asyncio.to_thread(self._was_said, answer):
            return Answered(order, repeated=True)
        case = await asyncio.to_thread(self._ledger.case, order.case_id)
        if case is None:
            raise NoSuchOrderError(f"there is no case of order {order.order_id}")
        outcome = answer.outcome
        if outcome is None and (order.state, answer.state) == (OrderState.RESOLVED, OrderState.CLOSED):
            outcome = OrderOutcome.REPAIRED  # which they had said
        instruction = Instruction(
            instruction_id=answer.key,
            verb=Verb.STATE if outcome is None else Verb.CLOSE,
            case_id=case.case_id,
            component=case.component,
            fault=case.fault,
            who=answer.who,
            by=Actor.REPAIRER,
            note=answer.note,
            state=answer.state or order.state,
            outcome=outcome,
            parts_used=list(answer.parts_used),
        )
        async with asyncio.timeout(KEPT_WITHIN):
            await self._instruct(DeviceId(case.tenant, case.device_class, case.device), instruction)
        return Answered(await asyncio.to_thread(self._order, answer.order_id, tenant), repeated=False)

    def _order(self, order_id: str, tenant: str) -> ServiceOrder:
        order = self._ledger.order(order_id)
        if order is None or tenant not in (ALL_TENANTS, order.tenant):
            raise NoSuchOrderError(f"there is no order {order_id}")
        return order

    def _was_said(self, answer: Answer) -> bool:
        """Whether the ledger has a change by this answer: also long after its case was forgotten."""
        return any(change.is_of(answer.key) for change in self._ledger.order_changes(answer.order_id))
