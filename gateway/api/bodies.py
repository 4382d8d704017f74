"""Bodies of requests, read as far as they may be large."""

from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect

from gateway.api.problems import ProblemError


async def read_body(request: Request, most: int, *, otherwise: str = "") -> bytes:
    """Return the body; no more of it is read than may be taken.

    Args:
        request: whose.
        most: bytes.
        otherwise: what a sender of more could do, the end of a sentence.

    Raises:
        ProblemError: 413: it is larger. 400: the sender left before it was whole.
    """
    found = bytearray()
    try:
        async for part in request.stream():
            found += part
            if len(found) > most:
                detail = f"expected at most {most:,} bytes, got more{otherwise}"
                raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    except ClientDisconnect:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the sender left before the body was whole") from None
    return bytes(found)
