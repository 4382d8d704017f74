"""The feed of changes: what was committed goes to everyone who listens, and nobody slow holds it up."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from diagnostics.case import Case
from diagnostics.orders.model import ServiceOrder
from gateway.api.documents import CaseDocument
from gateway.api.views import Change

#: Changes that wait for one reader; past it the oldest go and the reader is told how many it missed.
BACKLOG = 1_000


class Feed:
    """Fulfils `Changes`. Publishing never blocks and may come from any thread."""

    def __init__(self, backlog: int = BACKLOG) -> None:
        self._backlog = backlog
        self._readers: set[_Reader] = set()
        self._closed = False

    @property
    def readers(self) -> int:
        """How many follow at the moment."""
        return len(self._readers)

    def case_changed(self, case: Case) -> None:
        """Tell everyone of a case as it now stands; call it after the commit."""
        self._publish(Change("case", CaseDocument.of(case).model_dump(mode="json", by_alias=True)))

    def order_changed(self, order: ServiceOrder) -> None:
        """Tell everyone of an order as it now stands; call it after the commit."""
        self._publish(Change("order", order.document()))

    async def subscribe(self) -> AsyncIterator[Change]:
        """Yield every change from now on, until the reader leaves or the feed is closed."""
        reader = _Reader(asyncio.get_running_loop(), self._backlog)
        self._readers.add(reader)
        try:
            while not self._closed:
                for change in await reader.take():
                    yield change
        finally:
            self._readers.discard(reader)

    def close(self) -> None:
        """Let every reader go; the server can then shut down without waiting for them."""
        self._closed = True
        for reader in tuple(self._readers):
            reader.wake()

    def _publish(self, change: Change) -> None:
        for reader in tuple(self._readers):
            reader.put(change)


class _Reader:
    """The changes that wait for one subscriber."""

    def __init__(self, loop: asyncio.AbstractEventLoop, backlog: int) -> None:
        self._loop = loop
        self._waiting: deque[Change] = deque()
        self._backlog = backlog
        self._missed = 0
        self._arrived = asyncio.Event()

    def put(self, change: Change) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._append, change)

    def wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    def _append(self, change: Change) -> None:
        if len(self._waiting) == self._backlog:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append(change)
        self._arrived.set()

    async def take(self) -> list[Change]:
        await self._arrived.wait()
        self._arrived.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        if self._missed:
            taken.insert(0, Change("lagged", {"missed": self._missed}))
            self._missed = 0
        return taken
