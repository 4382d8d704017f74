"""The forms in which an answer may come: plain JSON, the same in a CloudEvent, a TMF621 notification."""

import contextlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from diagnostics.orders.lifecycle import OrderOutcome, state_of
from gateway.api.acting import Part
from gateway.api.desk import Body, Name, Text
from gateway.dispatch.ticketstates import TicketNews, event_news

#: Types of the events that the gateway itself sends; one that comes back is no answer.
_OURS = "com.forewarn.order."

Said = Literal[
    "acknowledged", "inProgress", "pending", "held", "resolved", "rejected", "cancelled", "closed"
]  # fmt: skip


class AnswerBody(Body):
    """What a repairer says of an order: a state, or what it came to, or a note alone."""

    order_id: Name
    state: Said | None = None
    outcome: OrderOutcome | None = Field(None, description="closes the order; `cancelled` cancels it")
    parts_used: list[Part] = Field(
        default=[],
        max_length=100,
        validation_alias=AliasChoices("parts_used", "parts"),
        description="parts that were built in: `{part, quantity}`, or the part's number alone",
    )
    note: Text = ""
    who: Name | None = Field(None, description="the technician's or the system's name")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.outcome is not None:
            ends = state_of(self.outcome)
            if self.state not in (None, ends):
                raise ValueError(f"expected the state {ends} with this outcome, or none, got {self.state}")
        elif self.state == "closed":
            raise ValueError("expected an outcome with the state closed, but it is not there")
        elif self.parts_used:
            raise ValueError("expected an outcome with parts_used, but it is not there")
        elif self.state is None and not self.note:
            raise ValueError("expected a state, an outcome or a note")
        return self


class _Event(BaseModel):
    """A CloudEvent 1.0 in structured JSON; `subject` is the order when `data` does not name it."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    subject: str | None = None
    data: dict[str, Any]


def said_in(body: bytes) -> AnswerBody | TicketNews:
    """Return what a body says.

    Raises:
        ValueError: what was expected, and where.
    """
    document = _object(body)
    try:
        if "specversion" in document:
            event = _Event.model_validate(document)
            if event.type.startswith(_OURS):
                raise ValueError(f"type: {event.type} is an event of the gateway's own, and no answer")
            if (news := event_news(event.data)) is not None:
                return news
            named = {} if event.subject is None else {"order_id": event.subject}
            return AnswerBody.model_validate(named | event.data)
        return event_news(document) or AnswerBody.model_validate(document)
    except ValidationError as error:
        wrong = (
            ": ".join(
                filter(None, (".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")))
            )
            for one in error.errors(include_url=False, include_input=False)
        )
        raise ValueError("; ".join(wrong)) from None


def _object(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(body)
        if isinstance(document, dict):
            return document
    raise ValueError("expected a JSON object")


def answer_schema() -> dict[str, Any]:
    """Return the JSON Schema of an answer with nothing to look up elsewhere, for the OpenAPI document."""
    schema = AnswerBody.model_json_schema()
    definitions = schema.pop("$defs")

    def whole(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return whole(definitions[part["$ref"].rpartition("/")[2]])
            return {key: whole(value) for key, value in part.items()}
        return [whole(each) for each in part] if isinstance(part, list) else part

    found: dict[str, Any] = whole(schema)
    return found
