"""What readers do with an order from the console: the words of the API's actions, by the same way."""

import re
from collections.abc import Mapping, Sequence

from diagnostics.case import Case
from diagnostics.instruction import Instruction, Verb
from diagnostics.orders.changes import PartUsed
from diagnostics.orders.filling import Filled, JsonValue, NotFillableError, checked, has_place
from diagnostics.orders.lifecycle import OrderOutcome
from diagnostics.orders.model import OrderState, ServiceOrder
from gateway.api.views import Word
from gateway.console.actions import Actions, NotDoneError, instruction_id
from gateway.console.language import t
from rules.symbols import DeviceId

#: What acts on orders are called in the audit trail.
DEEDS = {Verb.STATE: "order.state", Verb.CLOSE: "order.close", Verb.FILL: "order.patch"}

#: ``2 x FAN-7``, ``FAN-7 x 2``, ``FAN-7``.
_USED = re.compile(r"(?:(\d{1,4})\s*[x*\u00d7]\s+)?(\S.*?)(?:\s+[x*\u00d7]\s*(\d{1,4}))?")


class OrderActions(Actions):
    """The hands of one reader on orders. Each returns once it is kept, with why it was refused, or None.

    All of them raise NotDoneError: it is not kept, nobody can say, or the reader may not.
    """

    async def set_state(self, order: ServiceOrder, case: Case, state: OrderState, note: str) -> str | None:
        """Bring an order to a state."""
        return await self._say_of(order, case, Verb.STATE, note=note, state=state)

    async def close(
        self,
        order: ServiceOrder,
        case: Case,
        outcome: OrderOutcome,
        parts_used: Sequence[PartUsed],
        note: str,
    ) -> str | None:
        """Close an order with what it came to."""
        return await self._say_of(
            order, case, Verb.CLOSE, note=note, outcome=outcome, parts_used=list(parts_used)
        )

    async def fill(self, order: ServiceOrder, case: Case, fields: Mapping[str, JsonValue]) -> str | None:
        """Let fields hold what somebody filled in; None empties one."""
        try:
            filled = [Filled(field=field, value=checked(field, value)) for field, value in fields.items()]
        except NotFillableError as error:
            return str(error)
        for field in fields:
            if not has_place(order, field, list(fields)):
                return t("The order has no {section}.", section=field.rpartition(".")[0])
        return await self._say_of(order, case, Verb.FILL, filled=filled)

    async def _say_of(
        self,
        order: ServiceOrder,
        case: Case,
        verb: Verb,
        *,
        note: str = "",
        state: OrderState | None = None,
        outcome: OrderOutcome | None = None,
        parts_used: Sequence[PartUsed] = (),
        filled: Sequence[Filled] = (),
    ) -> str | None:
        self._check([order.tenant])
        instruction = Instruction(
            verb=verb,
            case_id=case.case_id,
            component=case.component,
            fault=case.fault,
            who=self.who,
            instruction_id=instruction_id(),
            note=note,
            state=state,
            outcome=outcome,
            parts_used=list(parts_used),
            filled=list(filled),
        )
        device = DeviceId(case.tenant, case.device_class, case.device)
        (refused,) = await self._tell([Word(device, instruction)])
        if refused is None:
            await self._keep(DEEDS[verb], f"order:{order.order_id}", order.tenant)
        return refused


def parts_used_of(text: str) -> list[PartUsed]:
    """Return parts as people write them, separated by commas or lines.

    >>> [(one.part, one.quantity) for one in parts_used_of("2 x FAN-7, CLAMP")]
    [('FAN-7', 2), ('CLAMP', 1)]

    Raises:
        NotDoneError: something there is no part.
    """
    parts = []
    for entry in filter(None, map(str.strip, re.split(r"[,;\n]", text))):
        found = _USED.fullmatch(entry)
        quantity = int((found and (found[1] or found[3])) or 1)
        if found is None or not 1 <= quantity <= 1_000 or len(found[2]) > 100:
            raise NotDoneError(t('Expected a part such as "2 x FAN-7", got "{entry}".', entry=entry[:80]))
        parts.append(PartUsed(part=found[2], quantity=quantity))
    return parts
