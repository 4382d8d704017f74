"""The routes at the root that machines ask: is it alive, is it ready, what does it count."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import choose_encoder

from gateway.api.problems import Problem, problem_response
from gateway.api.rights import open_to_all
from gateway.api.views import Health
from gateway.events import Events

router = APIRouter(
    tags=["operation"],
    dependencies=[
        open_to_all("machines that watch over the gateway have no account; nothing of a tenant is told")
    ],
)


def _health(request: Request) -> Health:
    health: Health = request.app.state.health
    return health


@router.get("/healthz", response_class=PlainTextResponse, responses={503: {"model": Problem}})
async def alive(request: Request) -> Response:
    """Say whether the process does its work."""
    if _health(request).alive():
        return PlainTextResponse("alive\n")
    return problem_response("/healthz", 503, "the gateway's work has stopped")


@router.get("/readyz", response_class=PlainTextResponse, responses={503: {"model": Problem}})
async def ready(request: Request) -> Response:
    """Say whether the gateway is subscribed at the broker and recovered, else what is missing."""
    is_ready, why = _health(request).ready()
    if is_ready:
        return PlainTextResponse("ready\n")
    return problem_response("/readyz", 503, why or "not ready yet")


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Give the counters to Prometheus."""
    events = request.app.state.events
    assert isinstance(events, Events)
    encoder, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encoder(events.registry), media_type=content_type)
