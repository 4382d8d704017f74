"""The one loop: take what has arrived, work it out, keep it, acknowledge it, send commands.

    history appended -> ledger committed -> MQTT acknowledged -> commands published

What cannot be kept is tried again with growing pauses and acknowledged only then; meanwhile the broker holds
what comes. Recovery is the same journey over what the history kept since the last saved state: identifiers
are derived from what they name, so work done twice writes the same rows.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from diagnostics.case import Command
from diagnostics.orders.model import ServiceOrder
from gateway.api.feed import Feed
from gateway.api.views import Word
from gateway.clock import Clock
from gateway.errors import OutsideError, StoreUnavailableError
from gateway.events import Events
from gateway.fresh import duplicates, repeated_packets, without
from gateway.memory import give_back
from gateway.mqtt.receiver import Batch, Receiver
from gateway.pauses import Pauses
from gateway.pipeline import EMPTY, Effects, Pipeline
from gateway.ports import Commander, History, Inbound, Ledger, Notice, Packet, Rejected
from gateway.registry_patience import GaveUpError, Patience
from gateway.resubmission import Resubmission
from gateway.rulechange import RuleChange
from gateway.saving import Saving
from gateway.state import SavedState, UnusableStateError, load_state
from gateway.wire.decoder import Decoder
from rules.batch import Bool
from rules.loader import PackError, RuleSet
from rules.symbols import Symbols
from rules.tally import RuleTally

T = TypeVar("T")

IDLE_SECONDS = 1.0  # between looks at the clock while nothing arrives
STATE_SECONDS = 60.0  # between saved states
RECOVERY_MESSAGES = 20_000  # of one step of recovery
FIRST_ATTEMPT = 0.5  # seconds until a batch is tried again; later pauses grow
DRAIN_SECONDS = 2.0  # for what has arrived when the end is asked for; the broker keeps the rest
COMMAND_PAUSE = 5.0  # seconds between attempts to publish a command


class Parts(NamedTuple):
    """What a service works with; whoever builds it opens and closes them."""

    symbols: Symbols
    pipeline: Pipeline
    decoder: Decoder
    history: History
    ledger: Ledger
    receiver: Receiver
    commander: Commander
    clock: Clock
    events: Events
    feed: Feed
    state_path: Path
    max_batch: int
    packs: Callable[[], RuleSet]
    patience: Patience | None = None  # of look-ups in a registry that may have to be waited for


class _Swap(NamedTuple):
    """Rules that wait for their turn between two batches, and who waits for them."""

    ruleset: RuleSet
    done: "asyncio.Future[RuleChange]"


class _Told(NamedTuple):
    """What somebody said of cases, orders or silences, waiting for its turn between two batches."""

    words: Sequence[Word]
    done: "asyncio.Future[list[str | None]]"


class _Count(NamedTuple):
    """Somebody who wants to know where the rules stand, waiting for a turn between two batches."""

    done: "asyncio.Future[list[RuleTally]]"


class Service:
    """Runs the journey of messages until it is stopped.

    Fulfils `gateway.api.views.Health`, `Reloads`, `Instructed` and `Tallies`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pipeline = parts.pipeline
        self._recovered = False
        self._sequence = 0
        self._saved_at = time.monotonic()
        self._saving: asyncio.Task[None] | None = None  # the latest state on its way to the disk
        self._deaf_since: int | None = None  # when messages ceased to be received
        self._gaps: list[tuple[int, int]] = []  # (when they began again, length) not yet taken into account
        self._commands: set[asyncio.Task[None]] = set()
        self._turns: asyncio.Queue[_Swap | _Told | _Count] = asyncio.Queue()
        self._reloading = asyncio.Lock()
        self._ended = False
        self.on_rules: list[Callable[[RuleSet], None]] = []  # are told of other rules once they are in force
        self._ahead = False  # the pipeline has taken in what was not kept when the end was asked for

    # Health

    def alive(self) -> bool:
        """Whether the process does its work."""
        return True

    def ready(self) -> tuple[bool, str]:
        """Whether it is subscribed at the broker and recovered."""
        if not self._recovered:
            return False, "recovering: reading what the history kept since the last saved state"
        receiver = self._parts.receiver
        if not receiver.subscribed:
            why = f": {receiver.trouble}" if receiver.trouble else ""
            return False, f"not subscribed at the broker{why}"
        return True, "ready"

    def listening(self, begun: bool, at: int) -> None:
        """Be told that messages begin or cease to be received; silence does not count between."""
        if not begun:
            self._deaf_since = at
        elif self._deaf_since is not None:
            self._gaps.append((at, at - self._deaf_since))
            self._deaf_since = None

    async def submit(self, packets: Sequence[Packet]) -> None:
        """Take in packets that did not come from the broker; returns once they are kept.

        Raises:
            OutsideError: the gateway is ending.
        """
        if self._ended:
            raise OutsideError("the gateway is ending")
        await self._parts.receiver.submit(packets)

    # Rules

    async def reload(self) -> RuleChange:
        """Read the rule packs anew and let them take the place of the rules in force, between two batches.

        What they are made of is read on a thread, while messages are worked on; rules that stay the same go
        on where they stood. Returns once they are in force and the state that they go on from is saved.

        Raises:
            PackError: a pack is wrong; the rules are those of before.
            OutsideError: the gateway is not at work yet, or no more.
        """
        async with self._reloading:
            try:
                ruleset = await asyncio.to_thread(self._parts.packs)
            except PackError as error:
                self._parts.events.rules_refused(error.problems)
                raise
            if self._ended:
                raise OutsideError("the gateway is ending")
            done: asyncio.Future[RuleChange] = asyncio.get_running_loop().create_future()
            self._turns.put_nowait(_Swap(ruleset, done))
            return await done

    async def _swap(self, swap: _Swap, stop: asyncio.Event) -> None:
        """Let other rules take over. Nothing is worked on meanwhile; what arrives waits for them."""
        try:
            change, effects = await asyncio.to_thread(self._pipeline.reload, swap.ruleset)
        except GaveUpError as error:
            self._ahead = True
            if not swap.done.done():
                swap.done.set_exception(error)
            return
        except Exception as error:  # the engine's own; it goes on with the rules of before
            problem = f"the state could not be taken over: {error!r}"
            self._parts.events.rules_refused([problem])
            if not swap.done.done():
                swap.done.set_exception(OutsideError(problem))
            return
        self._parts.events.rules_taken(
            rules=len(swap.ruleset.rules),
            added=change.added,
            changed=change.changed,
            removed=change.removed,
        )
        self._parts.decoder.use(swap.ruleset.catalogue)
        for listener in self.on_rules:
            listener(swap.ruleset)
        if effects.write and await self._perform(effects, stop, messages=0):
            self._announce(effects)
        if not self._ahead:
            await self._save()  # the history does not tell of other rules
        if not swap.done.done():
            swap.done.set_result(change)

    def _refuse_turns(self) -> None:
        self._ended = True
        while not self._turns.empty():
            turn = self._turns.get_nowait()
            if not turn.done.done():
                turn.done.set_exception(OutsideError("the gateway is ending"))

    async def _take(self, turn: _Swap | _Told | _Count, stop: asyncio.Event) -> None:
        """Do between two batches what waits for it."""
        match turn:
            case _Swap():
                await self._swap(turn, stop)
            case _Told():
                await self._follow(turn, stop)
            case _Count():
                tallies = await asyncio.to_thread(self._pipeline.tally)
                if not turn.done.done():
                    turn.done.set_result(tallies)

    async def tally(self) -> list[RuleTally]:
        """Return in how many lanes each rule stands where, counted between two batches.

        Raises:
            OutsideError: the gateway is not at work yet, or no more.
        """
        self._require_work()
        done: asyncio.Future[list[RuleTally]] = asyncio.get_running_loop().create_future()
        self._turns.put_nowait(_Count(done))
        return await done

    def _require_work(self) -> None:
        if not self._recovered or self._ended:
            raise OutsideError("the gateway is ending" if self._ended else self.ready()[1])

    # People

    async def instruct(self, words: Sequence[Word]) -> list[str | None]:
        """Let people's words have their effect, between two batches; returns once that is kept.

        Returns:
            Of each word why it was refused and is not kept, None where it was not.

        Raises:
            OutsideError: the gateway is not at work yet, or no more.
        """
        self._require_work()
        done: asyncio.Future[list[str | None]] = asyncio.get_running_loop().create_future()
        self._turns.put_nowait(_Told(words, done))
        return await done

    async def _follow(self, told: _Told, stop: asyncio.Event) -> None:
        """Let words go the way of messages: they are kept in the history, and recovery finds them there.

        They are dated before whatever waits to be worked on, so that recovery takes them at the same place.
        """
        waiting = self._parts.receiver.waiting
        at = self._pipeline.now if waiting else max(self._pipeline.now, self._parts.clock.now())
        intern = self._parts.symbols.devices.intern
        notices = tuple(
            Notice("instruction", 0, intern(device), at, said.model_dump(mode="json", by_alias=True))
            for device, said in told.words
        )
        effects = await self._worked_out(lambda: self._pipeline.push(Inbound(EMPTY, notices)))
        if effects is None:
            if not told.done.done():
                told.done.set_exception(OutsideError("the gateway is ending"))
            return
        kept = await self._perform(effects, stop, messages=0)
        if kept:
            self._announce(effects)
        if told.done.done():
            return
        if kept:
            told.done.set_result([effects.refused.get(said.instruction_id) for _, said in told.words])
        else:
            told.done.set_exception(OutsideError("the gateway is ending"))

    # Life

    async def recover(self, stop: asyncio.Event) -> None:
        """Take up the saved state and what the history kept since, unless the end is asked for meanwhile."""
        parts = self._parts
        saved = None
        try:
            saved = await asyncio.to_thread(load_state, parts.state_path)
        except UnusableStateError as error:
            parts.events.log.warning("state_not_used", detail=f"{error}; reading the history from its start")
        alive_at = 0
        if saved is not None:
            arrays, document = saved.arrays, saved.document
            effects = await self._worked_out(lambda: self._pipeline.restore(arrays, document))
            parts.decoder.restore(saved.document.get("announced", []))
            self._sequence, alive_at = saved.sequence, saved.alive_at
            if effects is None or not await self._recommit(
                effects, stop
            ):  # the rules may be others than at the end
                return
        while True:
            read = await self._keep_trying(
                lambda: parts.history.since(parts.symbols, self._sequence, RECOVERY_MESSAGES), "history", stop
            )
            if read is None or stop.is_set():
                self._ahead = True
                return
            inbound, sequence = read
            if sequence == self._sequence:
                break
            effects = await self._worked_out(partial(self._pipeline.push, inbound))
            if effects is None or not await self._recommit(effects, stop):
                return
            latest = inbound.readings.arrival.max(initial=alive_at)
            arrivals = [int(latest), *(n.arrival for n in inbound.notices[-1:])]
            alive_at = max([alive_at, *arrivals])
            self._sequence = sequence
        self._deaf_since = alive_at or None
        for command in self._pipeline.waiting_commands(parts.clock.now()):
            self._send(command)
        self._recovered = True

    async def _recommit(self, effects: Effects, stop: asyncio.Event) -> bool:
        """Write what a batch of the history led to; nearly always it stands there already."""
        parts = self._parts
        opened = await self._keep_trying(lambda: parts.ledger.commit(effects.write), "ledger", stop)
        if opened is None:
            self._ahead = True
            return False
        for order in opened:
            parts.events.order_opened(
                order_id=order.order_id, fault=order.fault.code, device=order.device.device, seconds=None
            )
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what has arrived and save the state.

        When the stores are out of reach at the end, the last saved state stays the one to begin with: a state
        that has taken in what they have not would take it for a repetition when the broker sends it again.
        """
        receiver = self._parts.receiver
        resubmission = Resubmission(
            self._parts.ledger, lambda packets: self._resubmit(packets, stop), self._parts.events
        )
        stopping = asyncio.create_task(stop.wait())
        waiting = asyncio.create_task(self._turns.get())
        try:
            while not stop.is_set():
                taking = asyncio.create_task(receiver.take(self._parts.max_batch))
                waited: set[asyncio.Task[Any]] = {taking, stopping, waiting}
                await asyncio.wait(waited, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if taking.done():
                    await self._work(taking.result(), stop)
                else:
                    taking.cancel()
                    if not waiting.done():
                        await self._let_time_pass(stop)
                        await resubmission.look()
                if waiting.done() and not self._ahead:
                    turn = waiting.result()
                    waiting = asyncio.create_task(self._turns.get())
                    await self._take(turn, stop)
                if resubmission.due and not self._ahead:
                    await resubmission.look()
                if time.monotonic() - self._saved_at >= STATE_SECONDS and self._is_saved():
                    self._begin_save()
            await self._drain(stop)
        finally:
            if waiting.done():
                self._turns.put_nowait(waiting.result())
            waiting.cancel()
            self._refuse_turns()
            receiver.refuse("the gateway is ending")
            stopping.cancel()
            for task in self._commands:
                task.cancel()
        if not self._ahead:
            await self._save()
            unwritten = self._pipeline.unwritten()
            await self._keep_trying(lambda: self._parts.ledger.commit(unwritten), "ledger", stop)

    async def _drain(self, stop: asyncio.Event) -> None:
        receiver = self._parts.receiver
        deadline = time.monotonic() + DRAIN_SECONDS
        while receiver.waiting and not self._ahead and time.monotonic() < deadline:
            await self._work(await receiver.take(self._parts.max_batch), stop)

    # A batch

    async def _work(self, batch: Batch, stop: asyncio.Event) -> None:
        self._mind_gaps(batch.packets.arrivals[0])
        inbound = self._parts.decoder.decode(batch.packets)
        effects = await self._worked_out(lambda: self._pipeline.push(inbound))
        if effects is not None and await self._perform(effects, stop, messages=len(batch)):
            batch.acknowledge()
            self._announce(effects)

    async def _resubmit(self, packets: Sequence[Packet], stop: asyncio.Event) -> bool:
        """Work out what comes from the quarantine again, and return whether it is kept."""
        self._parts.events.received(len(packets))
        inbound = self._parts.decoder.decode(packets)
        effects = await self._worked_out(lambda: self._pipeline.push(inbound))
        if effects is None or not await self._perform(effects, stop, messages=len(packets)):
            return False
        self._announce(effects)
        return True

    async def _let_time_pass(self, stop: asyncio.Event) -> None:
        """Nothing has arrived: silences and deadlines may be due."""
        receiver = self._parts.receiver
        now = self._parts.clock.now()
        if receiver.waiting or not receiver.subscribed:
            return
        self._mind_gaps(now)
        effects = await self._worked_out(lambda: self._pipeline.tick(now))
        if effects is not None and effects.write and await self._perform(effects, stop, messages=0):
            self._announce(effects)
            await self._save()  # the history does not tell of what time alone brought

    async def _worked_out(self, action: Callable[[], Effects]) -> Effects | None:
        """Let the pipeline work, on a thread where it may have to wait for the registry.

        Returns None when the end was asked for while it waited: what it has half taken in is not kept, and
        not acknowledged.
        """
        if self._parts.patience is None:
            return action()
        try:
            return await asyncio.to_thread(action)
        except GaveUpError:
            self._ahead = True
            return None

    def give_up(self) -> None:
        """Wait no longer for the registry: the end is asked for."""
        if self._parts.patience is not None:
            self._parts.patience.end()

    def _mind_gaps(self, now: int) -> None:
        while self._gaps and self._gaps[0][0] <= now:
            _, length = self._gaps.pop(0)
            self._pipeline.not_listening(length)
            self._saved_at = -STATE_SECONDS  # history does not tell of gaps: save a state that knows it

    async def _perform(self, effects: Effects, stop: asyncio.Event, *, messages: int) -> bool:
        """Keep a batch, however long it takes; False when the end was asked for before it was kept."""
        parts = self._parts
        begun = time.monotonic()
        kept = await self._keep(effects, stop)
        if kept is None:
            self._ahead = True
            return False
        seen, opened = kept
        late = effects.late[effects.readings.message] & ~seen if len(seen) else seen
        parts.events.readings(accepted=int((~seen).sum()), duplicate=int(seen.sum()), late=int(late.sum()))
        quarantined = self._tell_quarantined(effects.write.rejected)
        duplicate = len(repeated_packets(effects, seen) - quarantined)
        parts.events.committed(
            processed=messages - duplicate - len(quarantined),
            duplicate=duplicate,
            seconds=time.monotonic() - begun,
        )
        for order in opened:
            waited = (parts.clock.now() - effects.decided_at[order.order_id]) / 1000
            parts.events.order_opened(
                order_id=order.order_id, fault=order.fault.code, device=order.device.device, seconds=waited
            )
            parts.feed.order_changed(order)
        await self._tell_changes(effects)
        return True

    def _tell_quarantined(self, rejected: Sequence[Rejected]) -> set[int]:
        """Tell what was put aside, a line a reason; return the positions of the packets concerned."""
        told: set[int] = set()
        by_reason: dict[str, list[Rejected]] = {}
        for refusal in rejected:
            by_reason.setdefault(refusal.reason, []).append(refusal)
        for reason, refusals in by_reason.items():
            packets = {refusal.packet for refusal in refusals} - {-1} - told
            told |= packets
            self._parts.events.quarantined(
                reason=reason,
                messages=len(packets),
                rows=len(refusals),
                topic=refusals[0].topic,
                detail=refusals[0].detail,
            )
        return told

    async def _tell_changes(self, effects: Effects) -> None:
        """Tell the console of orders to which something happened; when this fails it finds them by itself."""
        for order_id in {change.order_id for change in effects.write.changes}:
            with contextlib.suppress(StoreUnavailableError):
                order = await asyncio.to_thread(self._parts.ledger.order, order_id)
                if order is not None:
                    self._parts.feed.order_changed(order)

    async def _keep(self, effects: Effects, stop: asyncio.Event) -> tuple[Bool, list[ServiceOrder]] | None:
        """Write history, then ledger; return which readings were known already, and the orders that are new.

        None when the end was asked for before both had taken it.
        """
        parts = self._parts
        seen = await self._keep_trying(
            lambda: duplicates(
                effects.readings,
                effects.repeated,
                lambda readings: parts.history.known(parts.symbols, readings),
            ),
            "history",
            stop,
        )
        if seen is None:
            return None
        readings, notices = without(effects.readings, effects.notices, seen)
        if len(readings) or notices:
            sequence = await self._keep_trying(
                lambda: parts.history.append(parts.symbols, readings, notices), "history", stop
            )
            if sequence is None:
                return None
            self._sequence = sequence
        opened = await self._keep_trying(lambda: parts.ledger.commit(effects.write), "ledger", stop)
        return None if opened is None else (seen, opened)

    async def _keep_trying(self, action: Callable[[], T], what: str, stop: asyncio.Event) -> T | None:
        """Do something with a store on a thread, again and again until it succeeds.

        Returns None when the end was asked for before it did: nothing was kept, nothing is acknowledged.
        """
        pauses, failed = Pauses(FIRST_ATTEMPT), False
        while True:
            try:
                result = await asyncio.to_thread(action)
            except StoreUnavailableError as error:
                failed = True
                pause = pauses.take()
                self._parts.events.outage(what=what, detail=str(error), retry_in=pause)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await stop.wait()
                if stop.is_set():
                    return None
            else:
                if failed:
                    self._parts.events.restored(what=what)
                return result

    def _announce(self, effects: Effects) -> None:
        """Tell the device, the metrics and the console what was committed."""
        for device in effects.reconnecting:
            self._parts.events.reconnecting(device=str(device))
        for case in effects.write.cases:
            self._parts.feed.case_changed(case)
        for event in effects.write.events:
            self._parts.events.case(
                state=event.event, case_id=event.case_id, fault=event.fault, device=event.device
            )
        for command in effects.commands:
            self._send(command)

    def _send(self, command: Command) -> None:
        task = asyncio.create_task(self._send_until_it_expires(command))
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)

    async def _send_until_it_expires(self, command: Command) -> None:
        parts = self._parts
        while parts.clock.now() < command.expires:
            try:
                await parts.commander.send(command)
            except OutsideError as error:
                parts.events.outage(what="broker_commands", detail=str(error), retry_in=COMMAND_PAUSE)
                await asyncio.sleep(COMMAND_PAUSE)
            else:
                parts.events.command_sent(command_id=command.id, action=command.action, device=command.device)
                return

    # The state

    async def _save(self) -> None:
        """Save the state as it now stands, and wait until it is on the disk."""
        await self._save_done()
        self._begin_save()
        await self._save_done()

    def _begin_save(self) -> None:
        """Begin to save the state; a failure costs time at the next start and nothing else."""
        self._saved_at = time.monotonic()
        sequence, alive_at = self._sequence, self._parts.clock.now()
        try:
            saving = Saving.begin(
                self._parts.state_path,
                lambda: self._state(sequence, alive_at),
            )
        except StoreUnavailableError as error:
            self._not_saved(error)
        else:
            self._saving = asyncio.create_task(self._finish(saving))

    def _state(self, sequence: int, alive_at: int) -> SavedState:
        arrays, document = self._pipeline.snapshot()
        return SavedState(
            sequence, alive_at, arrays, {**document, "announced": self._parts.decoder.announced()}
        )

    async def _finish(self, saving: Saving) -> None:
        give_back()
        try:
            await asyncio.to_thread(saving.wait)
        except StoreUnavailableError as error:
            self._not_saved(error)

    def _not_saved(self, error: StoreUnavailableError) -> None:
        self._parts.events.outage(what="state", detail=str(error), retry_in=STATE_SECONDS)

    def _is_saved(self) -> bool:
        return self._saving is None or self._saving.done()

    async def _save_done(self) -> None:
        """Wait for the state that is on its way, if one is."""
        if self._saving is not None:
            await asyncio.shield(self._saving)
