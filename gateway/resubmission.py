"""What was put aside goes in again: the rows of the quarantine that somebody asked to be retried.

``forewarn quarantine retry`` marks rows in the ledger. The gateway that runs, or the next that does, takes
the marked ones a few at a time, oldest first, and submits them as the packets that they were. A row is marked
as retried once what came of it is kept: a gateway that ends in between submits it anew, which is recognised
as a repetition.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

from gateway.errors import StoreUnavailableError
from gateway.events import Events
from gateway.ports import Ledger, Packet, Quarantined

#: Rows of one look, so that what arrives meanwhile does not wait long.
ROWS_AT_ONCE = 500

#: Seconds between looks while messages come.
LOOK_SECONDS = 5.0


class Resubmission:
    """Submits marked rows of the quarantine."""

    def __init__(
        self,
        ledger: Ledger,
        submit: Callable[[Sequence[Packet]], Awaitable[bool]],
        events: Events,
        *,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        """Prepare.

        Args:
            ledger: where the rows stand.
            submit: takes packets in order of arrival and returns whether what came of them is kept.
            events: is told how many rows went in again.
            rows_at_once: of one look.
        """
        self._ledger = ledger
        self._submit = submit
        self._events = events
        self._rows_at_once = rows_at_once
        self._due = 0.0

    @property
    def due(self) -> bool:
        """Whether the last look was so long ago that one is taken although messages come."""
        return time.monotonic() >= self._due

    async def look(self) -> int:
        """Submit the oldest rows that wait for it and return how many; 0 when there is nothing to do.

        A ledger that is out of reach is none either: the next look finds what is left.
        """
        self._due = time.monotonic() + LOOK_SECONDS
        try:
            rows = await asyncio.to_thread(self._ledger.to_retry, self._rows_at_once)
            if not rows or not await self._submit(packets_of(rows)):
                return 0
            await asyncio.to_thread(self._ledger.mark_retried, [row.number for row in rows])
        except StoreUnavailableError:
            return 0
        self._events.resubmitted(rows=len(rows))
        if len(rows) == self._rows_at_once:
            self._due = 0.0
        return len(rows)


def packets_of(rows: Sequence[Quarantined]) -> list[Packet]:
    """Return the packets that rows were, in order of arrival, each once however many rows it had.

    Messages without a time are dated by their arrival. Those that a topic brought at the same instant are
    told apart by a millisecond each, or all but the first would be taken for repetitions of it.
    """
    found: dict[tuple[str, int, bytes], Packet] = {}
    taken: set[tuple[str, int]] = set()
    for row in sorted(rows, key=lambda row: (row.message.arrival, row.number)):
        message = row.message
        key = (message.topic, message.arrival, message.payload)
        if key in found:
            continue
        arrival = next(at for at in count(message.arrival) if (message.topic, at) not in taken)
        taken.add((message.topic, arrival))
        found[key] = Packet(message.topic, message.payload, arrival, message.retained, resubmitted=row.number)
    return sorted(found.values(), key=lambda packet: packet.arrival)
