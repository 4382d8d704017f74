"""What a gateway's API works with beside stores and engine: people, registry, backtests, other systems."""

import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from diagnostics.instruction import Instruction, RefusedError
from diagnostics.orders.registry import Registry
from gateway.answering import Answering
from gateway.api.accessing import AccessDesk
from gateway.api.answers import AnswerDesk
from gateway.api.views import Word
from gateway.backtest.jobs import Backtests
from gateway.backtest.running import SpanSource
from gateway.clock import SystemClock
from gateway.config import Config
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.readback import TicketReader
from gateway.dispatch.targets import Target
from gateway.events import Events
from gateway.ledger.answers import SqlAnswers
from gateway.ledger.outbox import SqlOutbox
from gateway.ledger.people import SqlPeople
from gateway.letting_in import open_access
from gateway.registry import load_registry
from gateway.registry_desk import RegistryDesk
from gateway.registry_patience import Patience, patient
from gateway.service import Parts, Service
from rules.symbols import DeviceId

T = TypeVar("T")


class Opens(Protocol):
    """Opens a store of the ledger's file, again and again until it is there."""

    async def __call__(self, action: Callable[[], T], what: str) -> T:
        """Return what `action` opens; `what` is said to be waited for."""
        ...


@dataclass(frozen=True, slots=True)
class Desks:
    """What the API works with.

    Attributes:
        access: accounts and logins.
        repeats: what was answered under an ``Idempotency-Key``.
        registry: the registry row by row.
        on_registry: are given the registry whenever the API has changed it.
        outbox: what is owed to other systems.
        answering: lets what they answer have its effect.
        answers: takes their webhooks.
    """

    access: AccessDesk
    repeats: SqlAnswers
    registry: RegistryDesk
    on_registry: list[Callable[[Registry], None]]
    backtests: Backtests
    outbox: SqlOutbox
    answering: Answering
    answers: AnswerDesk


async def open_desks(
    stack: contextlib.AsyncExitStack,
    config: Config,
    parts: Parts,
    service: Service,
    targets: list[Target],
    *,
    history: SpanSource,
    opened: Opens,
    demo: bool,
) -> Desks:
    """Open them all; they are closed with the stack.

    Raises:
        UserError: a secret cannot be read, or a file of the registry is wrong.
    """
    url = f"sqlite:///{config.ledger_path}"
    people = await opened(lambda: SqlPeople(url), "ledger")
    stack.callback(people.close)
    access = await open_access(config, people, parts.events, demo=demo)
    repeats = await opened(lambda: SqlAnswers(url), "ledger")
    stack.callback(repeats.close)
    on_registry: list[Callable[[Registry], None]] = [parts.pipeline.use_registry]
    registry = _registry(config, parts.patience, on_registry)
    stack.callback(registry.close)
    backtests = Backtests(history, parts.ledger, config, parts.clock)
    stack.callback(backtests.close)
    outbox = await opened(lambda: _outbox(url, targets), "ledger")
    stack.callback(outbox.close)
    answering = Answering(parts.ledger, partial(_tell, service))
    answers = AnswerDesk(targets, answering, parts.events, outbox.order_of_ticket)
    return Desks(access, repeats, registry, on_registry, backtests, outbox, answering, answers)


def dispatching(desks: Desks, targets: list[Target], events: Events) -> list[Coroutine[Any, Any, None]]:
    """Return what delivers to targets and what reads their tickets back.

    Other systems live in real time, also where the gateway's own runs faster.
    """
    clock = SystemClock()
    readers = [
        TicketReader(target, desks.outbox, desks.answering, clock=clock, events=events).run()
        for target in targets
        if target.kind == "tmf621" and target.poll and not target.paused
    ]
    return [Dispatcher(desks.outbox, targets, clock=clock, events=events).run(), *readers] if targets else []


def _registry(
    config: Config, patience: Patience | None, on_registry: list[Callable[[Registry], None]]
) -> RegistryDesk:
    """Return the registry row by row; what is changed there is known to the next order."""

    def changed() -> None:
        registry = load_registry(config.registry_dir, config.registry_path, config.regions)
        if patience is not None and registry.is_looked_up:
            registry = patient(registry, patience)
        for take in on_registry:
            take(registry)

    return RegistryDesk(
        config.registry_dir,
        config.registry_path,
        config.regions,
        ledger_url=f"sqlite:///{config.ledger_path}",
        on_change=changed,
    )


def _outbox(url: str, targets: list[Target]) -> SqlOutbox:
    """Open the outbox; targets are owed what happens from now on."""
    outbox = SqlOutbox(url)
    outbox.share_out({target.name: target.tenant for target in targets})
    return outbox


async def _tell(service: Service, device: DeviceId, instruction: Instruction) -> None:
    """Let one instruction have its effect; return once that is kept.

    Raises:
        RefusedError: not as things stand.
        OutsideError: the gateway is not at work.
    """
    (refused,) = await service.instruct([Word(device, instruction)])
    if refused is not None:
        raise RefusedError(refused)
