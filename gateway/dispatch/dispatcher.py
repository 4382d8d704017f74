"""Brings the events of the outbox to their targets: at least once, and in order for each order."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from gateway.clock import Clock
from gateway.dispatch.circuit import FIRST_PROBE, LONGEST_PROBE, Circuit
from gateway.dispatch.files import FileSender
from gateway.dispatch.mail import MailSender
from gateway.dispatch.sending import NotDeliveredError, Sender
from gateway.dispatch.targets import Target
from gateway.dispatch.tmf621 import TicketSender
from gateway.dispatch.webhook import WebhookSender
from gateway.errors import StoreUnavailableError
from gateway.events import Events
from gateway.pauses import Pauses, pause_after
from gateway.ports import Outbox, Outcome, Owed
from rules.times import SECOND_MS

#: Seconds between two looks at the outbox.
LOOK_EVERY = 0.5

#: Seconds between attempts at one event: the first pause and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 3600.0

SENDERS: dict[str, Callable[[Target], Sender]] = {
    "webhook": WebhookSender,
    "tmf621": TicketSender,
    "email": MailSender,
    "file": FileSender,
}


@dataclass(slots=True)
class _Lane:
    """A target with its sender, its circuit, and the orders of which something is under way to it."""

    target: Target
    sender: Sender
    circuit: Circuit
    under_way: set[str] = field(default_factory=set)

    def room(self, now: float) -> int:
        return 0 if self.target.paused else self.circuit.room(now, len(self.under_way))


class Dispatcher:
    """Delivers what the outbox owes to the targets of the configuration.

    Args:
        outbox: what is owed, and where the outcome is kept.
        targets: of the configuration.
        clock: of real time.
        events: counters and log.
        first_pause: s, the pause after an event's first failure; each further one is twice as long.
        first_probe: s, the pause before a target that fails again and again is first probed; likewise.
    """

    def __init__(
        self,
        outbox: Outbox,
        targets: Sequence[Target],
        *,
        clock: Clock,
        events: Events,
        first_pause: float = FIRST_PAUSE,
        first_probe: float = FIRST_PROBE,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._events = events
        self._first_pause = first_pause
        self._tenants = {target.name: target.tenant for target in targets}
        self._lanes = {
            target.name: _Lane(
                target,
                SENDERS[target.kind](target),
                Circuit(target.in_flight, target.circuit, Pauses(first_probe, LONGEST_PROBE)),
            )
            for target in targets
        }
        self._outcomes: list[Outcome] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()  # some delivery has
        for target in targets:
            events.dispatch_target(target.name)

    async def run(self) -> None:
        """Deliver for ever; what is under way when this is cancelled is sent again after the next start."""
        pauses = Pauses()
        try:
            while True:
                self._ended.clear()
                try:
                    await self._turn()
                except StoreUnavailableError as error:
                    pause = pauses.take()
                    self._events.outage(what="ledger", detail=str(error), retry_in=pause)
                    await asyncio.sleep(pause)
                else:
                    pauses.reset()
                    # Not asyncio.wait_for: up to Python 3.11 it lets a cancellation go that comes together
                    # with what it waits for (python/cpython#86296).
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY):
                            await self._ended.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for lane in self._lanes.values():
                await lane.sender.close()

    async def _turn(self) -> None:
        """Keep what ended, and begin what may begin."""
        outcomes = list(self._outcomes)
        settled = {(outcome.owed.target, outcome.owed.order_id) for outcome in outcomes}
        busy = {(name, order) for name, lane in self._lanes.items() for order in lane.under_way} - settled
        now = time.monotonic()
        await asyncio.to_thread(self._outbox.settle, outcomes)
        del self._outcomes[: len(outcomes)]
        for target, order in settled:
            self._lanes[target].under_way.discard(order)
        room = {name: lane.room(now) for name, lane in self._lanes.items()}
        for owed in await asyncio.to_thread(self._look, room, busy):
            if owed.overtaken:
                self._note(Outcome(owed, "overtaken", self._clock.now(), owed.attempts), "overtaken")
                self._lanes[owed.target].under_way.add(owed.order_id)
                continue
            lane = self._lanes[owed.target]
            lane.under_way.add(owed.order_id)
            task = asyncio.create_task(self._deliver(lane, owed), name=f"dispatch to {owed.target}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _look(self, room: dict[str, int], busy: set[tuple[str, str]]) -> list[Owed]:
        self._outbox.share_out(self._tenants)
        return self._outbox.due(self._clock.now(), room, busy)

    async def _deliver(self, lane: _Lane, owed: Owed) -> None:
        outcome = partial(Outcome, owed)
        for news in lane.target.credentials.look():
            self._events.secret_reread(target=owed.target, path=str(news.path), problem=news.problem)
        try:
            sent = await lane.sender.send(owed)
        except NotDeliveredError as error:
            self._failed(lane, owed, error)
        except Exception as error:  # an order that a sender cannot put into words holds up no other
            self._failed(lane, owed, NotDeliveredError(f"cannot be sent: {error!r}", final=True))
        else:
            if lane.circuit.answered():
                self._events.circuit(target=owed.target, closed=True)
            self._note(
                outcome("delivered", self._clock.now(), owed.attempts, ticket=sent.ticket), "delivered"
            )

    def _failed(self, lane: _Lane, owed: Owed, error: NotDeliveredError) -> None:
        now, at, attempts = time.monotonic(), self._clock.now(), owed.attempts + 1
        if error.final:
            if lane.circuit.answered():
                self._events.circuit(target=owed.target, closed=True)
        elif (probe_in := lane.circuit.failed(now)) is not None:
            self._events.circuit(target=owed.target, closed=False, retry_in=probe_in)
        if error.retry_after is not None:
            lane.circuit.hold(now, error.retry_after)
        if error.final or attempts >= lane.target.attempts:
            self._note(Outcome(owed, "dead", at, attempts, detail=str(error)), "dead")
            return
        pause = max(pause_after(attempts, self._first_pause, LONGEST_PAUSE), error.retry_after or 0.0)
        due = at + int(pause * SECOND_MS)
        self._note(Outcome(owed, "waiting", at, attempts, due, str(error)), "retry", pause)

    def _note(self, outcome: Outcome, result: str, retry_in: float = 0.0) -> None:
        owed = outcome.owed
        self._events.dispatched(
            target=owed.target,
            result=result,
            event_id=owed.event_id,
            attempts=outcome.attempts,
            detail=outcome.detail,
            retry_in=retry_in,
        )
        self._outcomes.append(outcome)
        self._ended.set()
