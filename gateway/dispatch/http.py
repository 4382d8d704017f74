"""HTTP requests to targets: checked addresses only, no redirects, no proxies, bounded answers."""

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore

from gateway.dispatch.addresses import ForbiddenAddressError, resolve
from gateway.dispatch.sending import NotDeliveredError, shortened
from gateway.dispatch.targets import Target

#: Bytes of an answer that are read; more is of no use to us.
MOST_READ = 262_144

#: However long a target asks to be left alone, it is asked again after a day.
LONGEST_RETRY_AFTER = 86_400.0

#: Of the answers 400 to 499 those after which the same request may succeed: timeout, too early, too many.
_MAY_SUCCEED = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """Return the JSON object that it is, an empty one when it is none."""
        found = self.json()
        return found if isinstance(found, dict) else {}

    def json(self) -> object:
        """Return the JSON value that it is, None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def raise_for_status(self) -> None:
        """Raise NotDeliveredError unless it says that the request was taken (2xx).

        400 to 499 is final, but for 408, 425 and 429.
        """
        if 200 <= self.status < 300:
            return
        detail = f"answered {self.status}"
        if 300 <= self.status < 400:
            detail += f", a redirect to {shortened(self.headers.get('location', ''))!r}; none is followed"
        elif told := shortened(self.body.decode("utf-8", "replace")):
            detail += f": {told}"
        raise NotDeliveredError(
            detail,
            final=400 <= self.status < 500 and self.status not in _MAY_SUCCEED,
            retry_after=retry_after(self.headers.get("retry-after"), datetime.now(UTC)),
        )


def retry_after(text: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` header names, as a number or a date (RFC 9110, 10.2.3).

    None when there is none, or none that can be read.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


class HttpClient:
    """The connections to one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=target.tls,
            max_connections=target.in_flight,
            keepalive_expiry=15.0,
            network_backend=_CheckedBackend(allow_private=target.allow_private),
        )

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Send a request with the target's headers and return the answer, within the target's timeout.

        Raises:
            NotDeliveredError: there is no answer.
        """
        all_headers = [("User-Agent", "forewarn"), *self._target.headers, *headers.items()]
        encoded = [(name.encode("ascii"), value.encode("ascii")) for name, value in all_headers]
        try:
            async with (
                asyncio.timeout(self._target.timeout),
                self._pool.stream(method, url, headers=encoded, content=body) as response,
            ):
                return Answer(
                    response.status,
                    {
                        name.decode("latin-1").lower(): value.decode("latin-1")
                        for name, value in response.headers
                    },
                    await _beginning(response),
                )
        except TimeoutError:
            raise NotDeliveredError(f"no answer within {self._target.timeout:g} s") from None
        except ForbiddenAddressError as error:
            raise NotDeliveredError(str(error)) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise NotDeliveredError(f"no connection to {self._target.host}: {_told(error)}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


async def _beginning(response: httpcore.Response) -> bytes:
    found = b""
    async for chunk in response.aiter_stream():
        found += chunk
        if len(found) > MOST_READ:
            raise NotDeliveredError(f"answered {response.status} and more than {MOST_READ:,} bytes")
    return found


def _told(error: Exception) -> str:
    return shortened(str(error)) or type(error).__name__


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, and to no other that the name may lead to a moment later."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, *arguments: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of a name's addresses that answers."""
        try:
            addresses = await resolve(host, port, allow_private=self._allow_private)
        except socket.gaierror as error:
            raise httpcore.ConnectError(f"the name has no address: {error.strerror}") from None
        for place, address in enumerate(addresses, start=1):
            try:
                return await self._backend.connect_tcp(address, port, *arguments, **options)
            except httpcore.ConnectError:
                if place == len(addresses):
                    raise
        raise httpcore.ConnectError("the name has no address")
