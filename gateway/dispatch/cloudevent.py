"""An event of an order as a CloudEvent 1.0 in structured JSON (cloudevents.io)."""

import hashlib
import json
from datetime import UTC, datetime

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from gateway.ports import Owed

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


def public_id(owed: Owed) -> str:
    """Return the id of an event as receivers know it, the same at every attempt.

    It holds no full stop: Standard Webhooks joins what it signs by full stops.
    """
    return public_name(owed.event_id)


def public_name(event_id: str) -> str:
    """Return an event's id as receivers know it."""
    return f"evt_{hashlib.sha256(event_id.encode()).hexdigest()[:32]}"


def action_of(owed: Owed) -> str:
    """Return ``opened``, ``updated`` or ``closed``."""
    return owed.type.rpartition(".")[2]


def cloud_event(owed: Owed) -> bytes:
    """Return the event with the contract's order as its data.

    `sequence` grows from event to event and sorts as text (CloudEvents extension "sequence"): an order's
    later state has the greater one.
    """
    attributes = {
        "specversion": "1.0",
        "id": public_id(owed),
        "source": f"/forewarn/{owed.tenant}",
        "type": owed.type,
        "subject": owed.order_id,
        "time": datetime.fromtimestamp(owed.created / 1000, UTC),
        "datacontenttype": "application/json",
        "sequence": f"{owed.sequence:020d}",
    }
    return JSONFormat().write(CloudEvent(attributes, json.loads(owed.payload)))
