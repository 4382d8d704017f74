"""The HTTP application: API, health, metrics; the console is mounted on the same application afterwards."""

from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from starlette.routing import Match, Route

from diagnostics.orders.registry import Registry
from gateway.access.trail import Trail
from gateway.api import (
    accounts,
    acting,
    answers,
    backtests,
    bulk,
    caselists,
    deliveries,
    fleetroutes,
    ingest,
    logins,
    operation,
    papers,
    registering,
    routes,
    silencing,
)
from gateway.api.accessing import AccessDesk, answer_refusals
from gateway.api.callers import Callers, Identify, Loopback
from gateway.api.described import described
from gateway.api.desk import Turns
from gateway.api.gate import Gate
from gateway.api.guard import Guard
from gateway.api.problems import ProblemError, answer_with_problems, later
from gateway.api.queries import Queries
from gateway.api.repeating import Answers, Repeating
from gateway.api.rights import open_to_all
from gateway.api.views import Changes, Health, Heard, Instructed, Intake, Reloads, RulesView
from gateway.backtest.jobs import Backtests
from gateway.clock import Clock, SystemClock
from gateway.events import Events
from gateway.ports import Deliveries, History, Ledger
from gateway.registry_desk import RegistryDesk
from gateway.wire.ingest import Offer, offers
from rules.signals import Catalogue, load_catalogue

DESCRIPTION = (
    "Remote diagnostics for after-sales service: devices, cases with their reasons, service orders. "
    "Instants are RFC 3339; readings carry ms since 1970 UTC. Errors are problem documents (RFC 9457). "
    "Lists page by cursor: pass `next` as `cursor`."
)

_NOTHING = open_to_all("there is nothing")
_ROUTERS = (
    caselists.router,  # before the routes of one case: "counts" is no case
    routes.router,
    fleetroutes.router,
    papers.router,
    acting.router,
    bulk.router,
    backtests.router,
    answers.router,
    deliveries.router,
    silencing.router,
    registering.router,
    ingest.router,
    logins.router,
    accounts.router,
    operation.router,
)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def create_app(
    *,
    ledger: Ledger,
    history: History,
    events: Events,
    health: Health,
    pipeline_rules: RulesView,
    changes: Changes,
    heard: Heard | None = None,
    registry: Registry | None = None,
    reloads: Reloads | None = None,
    instructed: Instructed | None = None,
    intake: Intake | None = None,
    offered: Mapping[str, Offer] | None = None,
    max_payload: int = 262_144,
    clock: Clock | None = None,
    catalogue: Catalogue | None = None,
    listen_host: str = "127.0.0.1",
    console_url: str | None = None,
    callers: Callers | None = None,
    access: AccessDesk | None = None,
    trail: Trail | None = None,
    repeats: Answers | None = None,
    registry_desk: RegistryDesk | None = None,
    topic_root: str = "fw",
    answer_desk: answers.AnswerDesk | None = None,
    outbox: Deliveries | None = None,
    tried: Backtests | None = None,
) -> FastAPI:
    """Return the application over stores that the caller opened and closes.

    Args:
        ledger: cases, orders, devices, quarantine.
        history: the readings.
        events: whose registry ``/metrics`` shows.
        health: what ``/healthz`` and ``/readyz`` say.
        pipeline_rules: what ``/api/v1/rules`` lists.
        changes: what ``/api/v1/events`` follows; `gateway.api.feed.Feed` fulfils it.
        heard: when devices were last heard of; None takes the ledger's word, which may lag by a minute.
        registry: what is known of devices that need not have spoken; empty when left out.
        reloads: what reads rule packs anew; None refuses to.
        instructed: what does as people say; None refuses to.
        intake: what keeps messages that come by HTTP; None refuses them.
        offered: the formats in which they may come; those of a configuration without sources when left out.
        max_payload: bytes of such a message.
        clock: the gateway's clock; the demo's runs faster than the wall's.
        catalogue: the signals; the shipped ones when left out.
        listen_host: where the server listens; on loopback, foreign ``Host`` headers are refused.
        console_url: public address, when a proxy stands in front.
        callers: tells who asks; when left out, `access` does, and without that whoever is on this machine is
            the built-in engineer.
        access: accounts and logins; None where there are none.
        trail: keeps who changed what and who looked at whose data; None keeps nothing.
        repeats: keeps what was answered under an ``Idempotency-Key``; None keeps nothing.
        registry_desk: the registry row by row; None has none.
        topic_root: where the topics of devices begin; below it they name their tenant.
        answer_desk: takes what repairers answer; without one there are no targets that could.
        outbox: what is owed to other systems; without one nothing ever was.
        tried: what runs backtests; None refuses to.
    """
    app = describe_app()
    app.state.queries = Queries(
        ledger=ledger,
        history=history,
        rules=pipeline_rules,
        clock=clock or SystemClock(),
        catalogue=catalogue or load_catalogue(),
        heard=heard,
        trail=trail or (None if access is None else access.access.trail),
        topic_root=topic_root,
        registry=registry,
        deliveries=outbox,
    )
    app.state.health = health
    app.state.events = events
    app.state.changes = changes
    app.state.reloads = reloads
    app.state.instructed = instructed
    app.state.registry = registry_desk
    app.state.answers = answer_desk
    app.state.deliveries = outbox
    app.state.backtests = tried
    app.state.turns = Turns()
    app.state.rulebook = None  # whoever has a gateway at work puts it here for the console
    app.state.entrance = ingest.Entrance(
        intake=intake,
        offered=offers() if offered is None else offered,
        max_payload=max_payload,
        clock=clock or SystemClock(),
        health=health,
    )
    app.state.access = access
    if repeats is not None:
        app.add_middleware(Repeating, answers=repeats, clock=SystemClock(), events=events)
    app.add_middleware(Gate)
    app.add_middleware(Identify, callers=callers or (access.access if access else Loopback()))
    app.add_middleware(Guard, listen_host=listen_host, console_url=console_url)
    return app


def create_waiting_app(
    *, events: Events, health: Health, listen_host: str = "127.0.0.1", console_url: str | None = None
) -> FastAPI:
    """Return the application of a gateway whose stores are not open: health, metrics, else 503.

    The arguments are those of `create_app`.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    answer_with_problems(app)
    app.include_router(operation.router)
    app.add_api_route("/{rest:path}", _not_yet, methods=_METHODS, include_in_schema=False)
    app.state.health = health
    app.state.events = events
    app.add_middleware(Guard, listen_host=listen_host, console_url=console_url)
    return app


async def _not_yet(request: Request) -> None:
    """Answer what needs the stores."""
    _, why = request.app.state.health.ready()
    raise later(why)


def use_catalogue(app: FastAPI, catalogue: Catalogue) -> None:
    """Name signals by another catalogue from now on."""
    app.state.queries.catalogue = catalogue


def describe_app() -> FastAPI:
    """Return the application with its routes and nothing behind them: enough for the OpenAPI document."""
    app = Application(
        title="forewarn",
        version=version("forewarn"),
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the stock pages load their scripts from a foreign host
        redoc_url=None,
    )
    answer_with_problems(app)
    answer_refusals(app)
    for router in _ROUTERS:
        app.include_router(router)
    for path in ("/api/{rest:path}", "/healthz", "/readyz", "/metrics"):
        app.add_api_route(
            path, _nothing_here, methods=_METHODS, include_in_schema=False, dependencies=[_NOTHING]
        )
    return app


class Application(FastAPI):
    """The application; its description tells who may what, and how it fails."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = described(self, super().openapi())
        return self.openapi_schema


async def _nothing_here(request: Request) -> None:
    """Answer what no route took: 405 where another method would do, else 404.

    Without this the console, mounted at the root, would answer with a page.
    """
    allowed: set[str] = set()
    for route in (route for router in _ROUTERS for route in router.routes):
        match, _ = route.matches(request.scope)
        if match is Match.PARTIAL and isinstance(route, Route):
            allowed |= route.methods or set()
    path = request.url.path
    if allowed:
        listed = ", ".join(sorted(allowed))
        raise ProblemError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"{request.method} is not possible on {path}, only {listed}",
            headers={"Allow": listed},
        )
    raise ProblemError(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")
