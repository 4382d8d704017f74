"""How many orders each repairer has open now, counted from the orders that were opened here.

It follows the orders' changes one by one, so that it is the same wherever the stream of messages was cut.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from diagnostics.case import Case
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import ENDED_ORDER_STATES


class RepairerLoad:
    """Open orders by repairer."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._repairers: dict[str, str] = {}  # of orders that may still change, by order id
        self._followed = 0  # changes of the journal at hand that are counted

    def now(self, changes: Sequence[OrderChange]) -> Mapping[str, int]:
        """Return how many orders repairers have open.

        Args:
            changes: of orders since the journal was last taken; those seen before are not counted again.
        """
        for change in changes[self._followed :]:
            repairer = self._repairers.get(change.order_id)
            if repairer is not None:
                closed = change.after in ENDED_ORDER_STATES
                self._open[repairer] += (change.before in ENDED_ORDER_STATES) - closed
        self._followed = len(changes)
        return self._open

    def opened(self, order_id: str, repairer: str) -> None:
        """Count an order that was opened for a repairer."""
        self._repairers[order_id] = repairer
        self._open[repairer] += 1

    def taken(self, changes: Sequence[OrderChange], done: Iterable[Case]) -> None:
        """Be told that the journal with these changes was taken, and which cases are done with."""
        self.now(changes)
        self._followed = 0
        for case in done:
            self._repairers.pop(case.order_id or "", None)

    def restore(self, cases: Iterable[Case]) -> None:
        """Count the orders of cases that were saved."""
        for case in cases:
            standing = case.order_standing
            if case.order_id is not None and standing is not None and standing.repairer is not None:
                self._repairers[case.order_id] = standing.repairer
                self._open[standing.repairer] += standing.is_open
