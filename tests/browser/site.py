"""The application over real stores that hold the console's morning."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browser.console_courses import NOW
from browser.console_seed import sown
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from diagnostics.orders.registry import Registry
from gateway.api.app import create_app
from gateway.api.feed import Feed
from gateway.api.views import RulesView
from gateway.clock import ManualClock
from gateway.events import Events
from gateway.history.duckdb_store import DuckDbHistory
from gateway.ledger.outbox import SqlOutbox
from gateway.ledger.store import SqlLedger
from gateway.ports import History, Ledger
from rules.symbols import Symbols

RULES: list[dict[str, object]] = [
    {
        "id": "pending_sectors_growing",
        "fault": "disk.media_wear",
        "when": "disk.pending_sectors > 0",
        "hold": "45m",
    }
]


@dataclass
class ToldHealth:
    """Health as a test tells it."""

    is_alive: bool = True
    readiness: tuple[bool, str] = (True, "")

    def alive(self) -> bool:
        return self.is_alive

    def ready(self) -> tuple[bool, str]:
        return self.readiness


class ShippedRules:
    def rules(self) -> list[dict[str, object]]:
        return RULES


@dataclass
class Site:
    """An application and what stands behind it."""

    ledger: Ledger
    history: History
    outbox: SqlOutbox
    symbols: Symbols = field(default_factory=Symbols)
    health: ToldHealth = field(default_factory=ToldHealth)
    events: Events = field(default_factory=Events)
    feed: Feed = field(default_factory=Feed)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    registry: Registry = field(default_factory=Registry)
    rules: RulesView = field(default_factory=ShippedRules)

    def app(self, *, listen_host: str = "127.0.0.1", console_url: str | None = None, **more: Any) -> FastAPI:
        return create_app(
            ledger=self.ledger,
            history=self.history,
            events=self.events,
            health=self.health,
            pipeline_rules=self.rules,
            changes=self.feed,
            clock=self.clock,
            registry=self.registry,
            outbox=self.outbox,
            listen_host=listen_host,
            console_url=console_url,
            **more,
        )

    def client(self, app: FastAPI | None = None) -> AsyncClient:
        transport = ASGITransport(app or self.app(), raise_app_exceptions=False)
        return AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")


def open_site(folder: Path, stack: ExitStack, *, seeded: bool = True) -> Site:
    """Open real stores in a folder, closed with the stack."""
    ledger = SqlLedger(f"sqlite:///{folder}/ledger.db")
    stack.callback(ledger.close)
    history = DuckDbHistory(folder / "history.duckdb")
    stack.callback(history.close)
    outbox = SqlOutbox(f"sqlite:///{folder}/ledger.db")
    stack.callback(outbox.close)
    site = Site(ledger, history, outbox)
    if seeded:
        outbox.share_out({"crm": "*"})  # which is owed what happens from now on
        site.symbols = sown(ledger, history)
    return site
