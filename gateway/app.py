"""A whole gateway, put together: broker, stores, engine, API and console, and taken apart in reverse."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI

from gateway.api.app import create_app, create_waiting_app, use_catalogue
from gateway.api.feed import Feed
from gateway.clock import Clock
from gateway.config import Config
from gateway.console.mount import mount_console
from gateway.desks import Desks, dispatching, open_desks
from gateway.errors import StoreUnavailableError, UserError
from gateway.events import Events
from gateway.history.duckdb_store import DuckDbHistory
from gateway.http import HttpServer
from gateway.ledger.store import SqlLedger
from gateway.loading import (
    Knowledge,
    build_decoder,
    build_pipeline,
    load_knowledge,
    load_packs,
    load_targets,
)
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.commands import MqttCommander
from gateway.mqtt.embedded import EmbeddedBroker
from gateway.mqtt.receiver import VERSIONS_OF, Ours, Receiver
from gateway.pauses import Pauses
from gateway.ports import Ledger
from gateway.registry_patience import Patience, patient
from gateway.rulebook import Rulebook
from gateway.rulesview import RulePacks
from gateway.service import FIRST_ATTEMPT, Parts, Service
from gateway.starting import Door, Starting
from gateway.wire.ingest import offers
from gateway.wire.topics import Leaf, commands, subscriptions
from rules.symbols import Symbols
from rules.times import SECOND_MS, parse_duration

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that is running.

    Attributes:
        broker_url: where devices connect.
        http_url: where the API and the console answer.
        failed: done, with its exception, when a part of it has failed for good.
    """

    broker_url: str
    http_url: str
    service: Service
    feed: Feed
    ledger: Ledger
    failed: "asyncio.Future[None]"

    async def wait_ready(self) -> None:
        """Wait until it is subscribed and recovered.

        Raises:
            ForewarnError: it never will be.
        """
        while not self.service.ready()[0]:
            if self.failed.done():
                self.failed.result()
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running_gateway(config: Config, *, clock: Clock, demo: bool = False) -> AsyncIterator[Gateway]:
    """Run a gateway for as long as the block lasts; at its end it drains, commits and saves its state.

    In a demo nobody on this machine has to log in.

    Raises:
        UserError: configuration, rules, registry or a store's file are wrong.
        OutsideError: the embedded broker did not come up, or the broker refuses the subscription.
    """
    knowledge = load_knowledge(config)
    targets = load_targets(config)
    events = Events()
    async with contextlib.AsyncExitStack() as stack:
        make_folder(config)
        http = _bound(config)
        stack.callback(http.close)
        starting = Starting()
        door = Door(_waiting_application(config, starting, events))
        serving = asyncio.create_task(http.serve(door))
        stack.push_async_callback(http.stop, serving)
        symbols = Symbols()
        decoder = build_decoder(config, knowledge, symbols)
        broker_url = config.broker.url
        broker = None
        if broker_url == "embedded":
            starting.waits_for = "the embedded broker does not answer yet"
            filters = subscriptions(config.broker.topic_root, decoder.foreign)
            broker = await stack.enter_async_context(EmbeddedBroker(config.data_dir, filters=filters))
            broker_url = broker.url
        address = BrokerAddress.of(
            broker_url, username=config.broker.username, password=config.broker_password()
        )
        history = await _open(events, starting, lambda: DuckDbHistory(config.history_path), "history")
        stack.callback(history.close)
        ledger = await _open(
            events,
            starting,
            lambda: SqlLedger(
                f"sqlite:///{config.ledger_path}",
                quarantine_limit=config.intake.quarantine_limit,
                on_dropped=events.quarantine_dropped,
            ),
            "ledger",
        )
        stack.callback(ledger.close)
        patience = Patience(events) if knowledge.registry.is_looked_up else None
        at_work = knowledge
        if patience is not None:  # people who read are told at once
            at_work = replace(knowledge, registry=patient(knowledge.registry, patience))
        receiver, commander, listening = _clients(config, decoder.foreign, address, clock, events)
        parts = Parts(
            symbols=symbols,
            pipeline=build_pipeline(config, at_work, symbols, config.http.console_url or http.url),
            decoder=decoder,
            history=history,
            ledger=ledger,
            receiver=receiver,
            commander=commander,
            clock=clock,
            events=events,
            feed=Feed(),
            state_path=config.data_dir / "state.npz",
            max_batch=config.intake.max_batch,
            packs=partial(load_packs, config),
            patience=patience,
        )
        service = Service(parts)
        listening.append(service.listening)
        desks = await open_desks(
            stack,
            config,
            parts,
            service,
            targets,
            history=history,
            opened=partial(_open, events, starting),
            demo=demo,
        )
        application = _application(config, knowledge, parts, service, desks)
        await stack.enter_async_context(application.router.lifespan_context(application))
        stack.push_async_callback(http.stop, serving)  # before what it answers from is closed
        door.open(application)
        stack.callback(parts.feed.close)
        _announce(stack, config.data_dir, http.url, desks.access.access.local_token, events)
        background = [commander.run(), desks.access.access.run(), *([broker.watch()] if broker else [])]
        background += dispatching(desks, targets, events)
        failed = await _start(stack, service, receiver, background)
        yield Gateway(broker_url, http.url, service, parts.feed, ledger, failed)


def make_folder(config: Config) -> None:
    """Make the data folder where it is missing.

    Raises:
        UserError: it cannot be made.
    """
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{config.place('data_dir')}: {error.strerror}: {config.data_dir}") from None


def _bound(config: Config) -> HttpServer:
    """Return a server that has taken the address of ``http.listen``.

    Raises:
        UserError: it is taken, or not ours.
    """
    try:
        return HttpServer(config.http.host, config.http.port)
    except OSError as error:
        raise UserError(f"{config.place('http.listen')}: {config.http.listen}: {error.strerror}") from None


async def _open(events: Events, starting: Starting, action: Callable[[], T], what: str) -> T:
    """Open a store, again and again until it is there."""
    pauses, failed = Pauses(FIRST_ATTEMPT), False
    starting.waits_for = f"the {what} is being opened"
    while True:
        try:
            opened = await asyncio.to_thread(action)
        except StoreUnavailableError as error:
            failed = True
            starting.waits_for = f"the {what} cannot be opened: {error}"
            pause = pauses.take()
            events.outage(what=what, detail=str(error), retry_in=pause)
            await asyncio.sleep(pause)
        else:
            if failed:
                events.restored(what=what)
            return opened


def _clients(
    config: Config, foreign: list[str], address: BrokerAddress, clock: Clock, events: Events
) -> tuple[Receiver, MqttCommander, list[Callable[[bool, int], None]]]:
    """Return the MQTT clients, which hear `foreign` filters too, and a list of who is told of silences.

    Its members are told when messages begin and cease to come.
    """
    root = config.broker.topic_root
    keepalive = parse_duration(config.broker.keepalive) // SECOND_MS
    listening: list[Callable[[bool, int], None]] = []

    def tell(begun: bool, at: int) -> None:
        for listener in listening:
            listener(begun, at)

    receiver = Receiver(
        address,
        client_id=config.broker.client_id,
        filters=subscriptions(root, foreign),
        clock=clock,
        events=events,
        keepalive=keepalive,
        max_payload=config.intake.max_payload,
        ours=Ours(f"/{Leaf.COMMAND.value}".encode(), commands(root)),
        on_listening=tell,
        versions=VERSIONS_OF[config.broker.protocol],
    )
    commander = MqttCommander(
        address, client_id=config.broker.client_id, root=root, events=events, keepalive=keepalive
    )
    return receiver, commander, listening


def _waiting_application(config: Config, starting: Starting, events: Events) -> FastAPI:
    """Return what answers until the stores are open."""
    return create_waiting_app(
        events=events,
        health=starting,
        listen_host=config.http.host,
        console_url=config.http.console_url,
    )


def _application(
    config: Config,
    knowledge: Knowledge,
    parts: Parts,
    service: Service,
    desks: Desks,
) -> FastAPI:
    """Return the API with the console on it."""
    packs = RulePacks(knowledge.ruleset)
    app = create_app(
        ledger=parts.ledger,
        history=parts.history,
        events=parts.events,
        health=service,
        pipeline_rules=packs,
        reloads=service,
        instructed=service,
        answer_desk=desks.answers,
        outbox=desks.outbox,
        intake=service,
        offered=offers(config.sources),
        max_payload=config.intake.max_payload,
        changes=parts.feed,
        heard=parts.pipeline,
        registry=knowledge.registry,
        clock=parts.clock,
        catalogue=knowledge.ruleset.catalogue,
        listen_host=config.http.host,
        console_url=config.http.console_url,
        access=desks.access,
        topic_root=config.broker.topic_root,
        tried=desks.backtests,
        repeats=desks.repeats,
        registry_desk=desks.registry,
    )
    book = Rulebook(
        config,
        knowledge.ruleset,
        knowledge.faults,
        service=service,
        backtests=desks.backtests,
        events=parts.events,
    )
    app.state.rulebook = book
    desks.on_registry.append(app.state.queries.use_registry)
    service.on_rules += [packs.use, book.use, lambda ruleset: use_catalogue(app, ruleset.catalogue)]
    mount_console(app)
    return app


def _announce(stack: contextlib.AsyncExitStack, data_dir: Path, url: str, token: str, events: Events) -> None:
    """Leave word in the data folder where the running gateway answers, for the command line.

    Whoever may read the stores there may read this word, and with its token what the gateway knows of them.
    """
    path = data_dir / "gateway.json"
    word = json.dumps({"pid": os.getpid(), "url": url, "token": token})
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(word)
    except OSError as error:
        events.log.warning("address_not_written", detail=f"{error.strerror}: {path}")
    stack.callback(path.unlink, missing_ok=True)


async def _start(
    stack: contextlib.AsyncExitStack,
    service: Service,
    receiver: Receiver,
    background: list[Coroutine[Any, Any, None]],
) -> "asyncio.Future[None]":
    """Start the tasks; the future that is returned ends with the first of them that fails."""
    stop = asyncio.Event()
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def live() -> None:
        await service.recover(stop)
        if stop.is_set():
            return
        receiving = asyncio.create_task(receiver.run(), name="receiver")
        receiving.add_done_callback(report)
        try:
            await service.run(stop)
        finally:
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await receiving

    def report(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) and not failed.done():
            failed.set_exception(error)

    living = asyncio.create_task(live(), name="service")
    others = [asyncio.create_task(coroutine) for coroutine in background]
    for task in (living, *others):
        task.add_done_callback(report)

    async def end() -> None:
        stop.set()
        service.give_up()
        await asyncio.wait({living}, timeout=10)
        for task in (living, *others):
            task.cancel()
        await asyncio.gather(living, *others, return_exceptions=True)
        if failed.done():
            failed.exception()

    stack.push_async_callback(end)
    return failed
