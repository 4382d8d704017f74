"""ETags of what is edited: who has the present state need not read it again, who has another may not act.

The tag of a case or an order is a hash of its document as the caller sees it, so it is the same in the answer
to a read and in the answer to an act that led there.
"""

import hashlib
from http import HTTPStatus
from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel

from gateway.api.problems import ProblemError

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match", description="an `ETag`; the answer is 304 where it is still the present one"
    ),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="an `ETag`; the answer is 412 where it is not the present one"),
]

#: What a route that answers with a tag may say besides.
NOT_MODIFIED: dict[int | str, dict[str, object]] = {304: {"description": "It is what `If-None-Match` says"}}


def etag_of(document: BaseModel) -> str:
    """Return the strong tag of a document as its caller sees it."""
    text = document.model_dump_json(by_alias=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def tagged(request: Request, document: BaseModel) -> Response:
    """Return the answer to a read: the document with its tag, or 304 where the caller has it already."""
    tag = etag_of(document)
    headers = {"ETag": tag}
    if _names(request.headers.get("if-none-match"), tag, weakly=True):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    text = document.model_dump_json(by_alias=True)
    return Response(text, headers=headers, media_type="application/json")


def unchanged(wanted: str | None, document: BaseModel | None) -> None:
    """See to it that what is to be acted on is what the caller has seen.

    Args:
        wanted: the header ``If-Match``, None where it was not sent.
        document: as it now stands, None when it is not there.

    Raises:
        ProblemError: 412.
    """
    if wanted is None:
        return
    if document is None:
        raise ProblemError(HTTPStatus.PRECONDITION_FAILED, "If-Match: expected none, nothing is there yet")
    tag = etag_of(document)
    if not _names(wanted, tag, weakly=False):
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED,
            f"If-Match: expected {tag}, the present state, got {wanted[:100]}; read it again",
            headers={"ETag": tag},
        )


def _names(header: str | None, tag: str, *, weakly: bool) -> bool:
    """Say whether a list of tags names one (RFC 9110, 8.8.3.2); ``*`` names whatever there is."""
    if header is None:
        return False
    tags = [one.strip() for one in header.split(",")]
    return "*" in tags or tag in ([one.removeprefix("W/") for one in tags] if weakly else tags)
