"""The feed of changes: what was committed goes to everyone who listens, and nobody slow holds it up."""

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from diagnostics.case import Case
from diagnostics.orders.model import ServiceOrder
from gateway.access.principal import Principal, Role
from gateway.api.documents import CaseDocument
from gateway.api.scope import shown_to
from gateway.api.views import Change

#: Changes that wait for one reader; past it the oldest go and the reader is told how many it missed.
BACKLOG = 1_000
#: Changes that are kept for readers who were away; they hold references to what is committed anyway.
KEPT = 1_000


@dataclass(frozen=True, slots=True)
class _Entry:
    """A change in its place."""

    number: int
    of: Case | ServiceOrder

    def shown(self, caller: Principal | None, epoch: str) -> Change:
        """Return the change as a reader may see it."""
        place = f"{epoch}-{self.number}"
        if isinstance(self.of, Case):
            return Change("case", CaseDocument.of(self.of).model_dump(mode="json", by_alias=True), place)
        order = self.of if caller is None else shown_to(caller, self.of)
        return Change("order", order.document(), place)


class Feed:
    """Fulfils `Changes`. Publishing never blocks and may come from any thread.

    Args:
        backlog: changes that wait for one reader.
        kept: changes that are kept for readers who come back.
    """

    def __init__(self, backlog: int = BACKLOG, kept: int = KEPT) -> None:
        self._backlog = backlog
        self._kept: deque[_Entry] = deque(maxlen=kept)
        self._epoch = secrets.token_hex(4)  # tells a place in this feed from one before a restart
        self._latest = 0
        self._order = threading.Lock()
        self._readers: set[_Reader] = set()
        self._closed = False

    @property
    def readers(self) -> int:
        """How many follow at the moment."""
        return len(self._readers)

    def here(self) -> str:
        """Return the id of the place where the feed now stands."""
        return f"{self._epoch}-{self._latest}"

    def case_changed(self, case: Case) -> None:
        """Tell everyone of a case as it now stands; call it after the commit."""
        self._publish(case.model_copy())

    def order_changed(self, order: ServiceOrder) -> None:
        """Tell everyone of an order as it now stands; call it after the commit."""
        self._publish(order)

    async def subscribe(
        self, caller: Principal | None = None, *, after: str | None = None
    ) -> AsyncIterator[Change]:
        """Yield every change from now on, until the reader leaves or the feed is closed.

        Args:
            caller: hears of their tenants alone, and personal data as they may see it; None hears all.
            after: an id that was heard: what came since comes first. Where some of it is not known any more,
                or the id is of before a restart, ``lagged`` comes first.
        """
        reader = _Reader(asyncio.get_running_loop(), self._backlog, caller)
        with self._order:
            gap = after is not None and self._go_on(reader, str(after))
            self._readers.add(reader)
            here = self.here()
        try:
            if gap:
                yield Change("lagged", {"missed": None}, here)
            while not self._closed:
                missed, entries = await reader.take()
                if missed:
                    before = entries[0].number - 1 if entries else self._latest
                    yield Change("lagged", {"missed": missed}, f"{self._epoch}-{before}")
                for entry in entries:
                    yield entry.shown(caller, self._epoch)
        finally:
            self._readers.discard(reader)

    def close(self) -> None:
        """Let every reader go; the server can then shut down without waiting for them."""
        self._closed = True
        for reader in tuple(self._readers):
            reader.wake()

    def _go_on(self, reader: "_Reader", after: str) -> bool:
        """Give a reader what came after a place; say whether something came that is not known any more."""
        epoch, _, number = after.partition("-")
        if epoch != self._epoch or not number.isdecimal() or int(number) > self._latest:
            return True
        for entry in self._kept:
            if entry.number > int(number):
                reader.append(entry)
        oldest = self._kept[0].number if self._kept else self._latest + 1
        return int(number) < oldest - 1

    def _publish(self, of: Case | ServiceOrder) -> None:
        with self._order:  # places grow in the order in which readers hear of them
            self._latest += 1
            entry = _Entry(self._latest, of)
            self._kept.append(entry)
            for reader in tuple(self._readers):
                reader.put(entry)


class _Reader:
    """The changes that wait for one subscriber."""

    def __init__(self, loop: asyncio.AbstractEventLoop, backlog: int, caller: Principal | None) -> None:
        self._loop = loop
        self._waiting: deque[_Entry] = deque()
        self._backlog = backlog
        self._tenants = None if caller is None else caller.tenants(Role.VIEWER)
        self._missed = 0
        self._arrived = asyncio.Event()

    def put(self, entry: _Entry) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.append, entry)

    def wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    def append(self, entry: _Entry) -> None:
        if self._tenants is not None and entry.of.tenant not in self._tenants:
            return
        if len(self._waiting) == self._backlog:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append(entry)
        self._arrived.set()

    async def take(self) -> tuple[int, list[_Entry]]:
        """Wait for changes; return how many were missed before them, and them."""
        await self._arrived.wait()
        self._arrived.clear()
        taken, missed = list(self._waiting), self._missed
        self._waiting.clear()
        self._missed = 0
        return missed, taken
