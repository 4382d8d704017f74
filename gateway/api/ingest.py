"""The route by which messages come in over HTTP: webhooks, Redfish subscriptions, devices without MQTT.

Behind it is the way of every message. A sender hears 202 only once its message is kept; whoever hears
anything else may send it again, for repetitions are dropped.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from gateway.access.principal import Role, Scope
from gateway.api.bodies import read_body
from gateway.api.callers import Caller
from gateway.api.documents import TakenDocument
from gateway.api.problems import Problem, ProblemError, later
from gateway.api.rights import needed_in, needs
from gateway.api.senders import check_sender
from gateway.api.views import Health, Intake
from gateway.clock import Clock
from gateway.errors import OutsideError
from gateway.ports import Packet
from gateway.wire.ingest import Offer

#: Seconds after which a message that is not kept yet is refused; senders of webhooks wait no longer than 15.
KEPT_WITHIN = 10.0
#: Requests that wait to be kept at one time; more would only fill memory, each with up to `max_payload`.
MOST_WAITING = 64

#: What forms of web pages send, and what no device sends; the rest is judged by what it holds.
_NOT_MESSAGES = ("multipart/", "application/x-www-form-urlencoded", "text/html", "image/", "audio/", "video/")

router = APIRouter(prefix="/api/v1", tags=["ingest"])


@dataclass
class Entrance:
    """Lets messages in: what it needs, and how many wait.

    Attributes:
        intake: None where no gateway is at work.
        offered: formats by name.
        max_payload: bytes.
    """

    intake: Intake | None
    offered: Mapping[str, Offer]
    max_payload: int
    clock: Clock
    health: Health
    waiting: int = 0

    async def take(self, topic: str, payload: bytes) -> None:
        """Return once a message is kept.

        Raises:
            ProblemError: 503: it is not, and may be sent again.
        """
        ready, why = self.health.ready()
        if not ready:
            raise later(why, seconds=5)
        if self.intake is None:
            raise later("no gateway is at work here", seconds=5)
        if self.waiting >= MOST_WAITING:
            raise later(f"{self.waiting} messages wait to be kept already", seconds=1)
        self.waiting += 1
        try:
            async with asyncio.timeout(KEPT_WITHIN):
                await self.intake.submit([Packet(topic, payload, self.clock.now())])
        except TimeoutError:
            raise later(f"not kept within {KEPT_WITHIN:g} s", seconds=10) from None
        except OutsideError as error:
            raise later(str(error), seconds=5) from None
        finally:
            self.waiting -= 1


def _entrance(request: Request) -> Entrance:
    entrance = request.app.state.entrance
    assert isinstance(entrance, Entrance)
    return entrance


@router.post(
    "/ingest/{codec}",
    dependencies=[needs(Role.ENGINEER, scope=Scope.INGEST)],
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The message as the format has it.",
            "content": {"application/json": {}, "application/octet-stream": {}, "text/plain": {}},
        }
    },
    responses={
        400: {"description": "There is no message in the request", "model": Problem},
        401: {"description": "It takes a token with the scope `ingest`", "model": Problem},
        403: {"description": "The token is not good for this tenant", "model": Problem},
        404: {"description": "There is no such format", "model": Problem},
        413: {"description": "The message is larger than `intake.max_payload`", "model": Problem},
        415: {"description": "The body is a form of a web page, a picture, or compressed", "model": Problem},
        422: {"description": "It is not told whose the message is", "model": Problem},
        429: {"description": "Too many messages; again after `Retry-After` seconds", "model": Problem},
        503: {"description": "Not kept; send it again after `Retry-After` seconds", "model": Problem},
    },
)
async def take_message(
    *,
    request: Request,
    caller: Caller,
    entrance: Annotated[Entrance, Depends(_entrance)],
    codec: Annotated[str, Path(description="a shipped profile, a codec, or `forewarn`: our own telemetry")],
    tenant: Annotated[str | None, Query(description="`default` when left out")] = None,
    device_class: Annotated[
        str | None, Query(alias="class", description="the profile's when left out")
    ] = None,
    device: Annotated[str | None, Query(description="left out where the message names its device")] = None,
) -> TakenDocument:
    """Take in one message of a format, as if it had come by MQTT.

    Answers once the message is kept. What of it is of no use is in the quarantine, as ever.
    """
    offer = entrance.offered.get(codec)
    if offer is None:
        names = ", ".join(sorted(entrance.offered))
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no format {codec!r}, only {names}")
    topic = offer.topic(tenant=tenant, device_class=device_class, device=device)
    needed_in(caller, Role.ENGINEER, topic.split("/")[2])
    check_sender(request, topic.split("/")[2])
    _check_type(request)
    payload = await read_body(request, entrance.max_payload)
    if not payload:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "expected a message, got an empty body")
    await entrance.take(topic, payload)
    return TakenDocument(topic=topic)


def _check_type(request: Request) -> None:
    kind = request.headers.get("content-type", "").strip().lower()
    if kind.startswith(_NOT_MESSAGES):
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected a message, with Content-Type application/json or its format's own, got {kind}",
        )
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected a body that is not compressed, got Content-Encoding {coding}",
        )
