"""The JSON documents of the API. Instants are RFC 3339; readings carry ms, as devices send them."""

import base64
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from diagnostics.case import Case, CaseEvent, Evidence, Probe
from diagnostics.decision import Decision, Scalar
from gateway.ports import DeviceRecord, Quarantined
from gateway.rulechange import RuleChange
from rules.times import to_rfc3339

T = TypeVar("T")

Instant = Annotated[
    int,
    PlainSerializer(to_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


class Document(BaseModel):
    """A document of the API."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)


class PageDocument(Document, Generic[T]):
    """A page of a list; `next` is the ``cursor`` of the following page, null on the last."""

    items: list[T]
    next: str | None = None


class DeviceDocument(Document):
    """A device that ever spoke."""

    tenant: str
    device_class: str = Field(alias="class")
    device: str
    online: bool | None
    last_seen: Instant
    reconnects: int = Field(
        description="how often it came online within the last minute, while that is too often; else 0"
    )
    facts: dict[str, object]

    @classmethod
    def of(cls, record: DeviceRecord) -> Self:
        """Return the document of a record."""
        return cls(
            tenant=record.id.tenant,
            device_class=record.id.device_class,
            device=record.id.device,
            online=record.online,
            last_seen=record.last_seen,
            reconnects=record.reconnects,
            facts=record.facts,
        )


class ReadingDocument(Document):
    """One reading: `ts` and `arrival` in ms since 1970 UTC; component null is the device itself."""

    ts: int
    signal: str
    component: str | None
    value: Scalar
    arrival: int


class EvidenceDocument(Document):
    """A value that spoke for the fault, with the limit it was held against."""

    rule: str
    signal: str
    at: Instant
    value: Scalar
    limit: Scalar

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """Return the document of a piece of evidence."""
        return cls(**evidence.model_dump())


class ProbeDocument(Document):
    """A self test or a remedy that was asked of the device."""

    probe_id: str
    rule: str
    action: str
    component: str | None
    state: Literal["sent", "running", "passed", "failed", "unsupported", "error", "expired"]
    sent_at: Instant
    deadline: Instant
    answered_at: Instant | None
    result: dict[str, object]
    kind: Literal["probe", "remedy"] = Field(description="a remedy is tried; then the rules say how it is")
    asked_by: str | None = Field(description="who asked for it; null when a rule did")

    @classmethod
    def of(cls, probe: Probe) -> Self:
        """Return the document of a probe."""
        return cls(
            **probe.model_dump() | {"component": probe.component or None, "asked_by": probe.asked_by or None}
        )


class EventDocument(Document):
    """A step in the life of a case."""

    event: Literal["suspected", "confirmed", "refuted", "cleared", "reopened"]
    at: Instant
    rule: str
    reason: str

    @classmethod
    def of(cls, event: CaseEvent) -> Self:
        """Return the document of an event."""
        return cls(event=event.event, at=event.at, rule=event.rule, reason=event.reason.value)


class DecisionDocument(Document):
    """A line of the ledger: `text` says it in plain words, `values` led to it."""

    at: Instant
    outcome: Literal["order", "no_order", "pending", "note"]
    reason: str
    text: str
    values: dict[str, Scalar]

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """Return the document of a decision."""
        return cls(
            at=decision.at,
            outcome=decision.outcome,
            reason=decision.reason.value,
            text=decision.text,
            values=decision.values,
        )


class CaseDocument(Document):
    """A case as it stands. `reason` is the last reason: why there is an order, or why not (yet)."""

    case_id: str
    tenant: str
    device_class: str = Field(alias="class")
    device: str
    component: str | None
    fault: str
    title: str
    rule: str
    severity: Literal["minor", "major", "critical"]
    state: Literal["suspected", "confirmed", "refuted", "cleared", "dismissed"]
    onset: Instant
    updated: Instant
    confirmed_at: Instant | None
    ended_at: Instant | None
    reason: str
    order_id: str | None
    acknowledged_by: str | None = Field(description="who has seen it, and was first to say so")
    assignee: str | None = Field(description="who looks after it")
    model: str | None = Field(description="of the device, when the fault was suspected")
    site: str | None = Field(description="of the device in the registry, when the fault was suspected")
    held_by: str | None = Field(description="the silence for whose end its order waits")
    evidence: list[EvidenceDocument]
    probes: list[ProbeDocument]

    @classmethod
    def of(cls, case: Case) -> Self:
        """Return the document of a case."""
        return cls(**case_fields(case))


def case_fields(case: Case) -> dict[str, object]:
    """Return the fields of the document of a case."""
    return case.model_dump() | {
        "component": case.component or None,
        "held_by": None if case.held is None else case.held.silence_id,
        "state": case.state.value,
        "reason": case.reason.value,
        "evidence": [EvidenceDocument.of(evidence) for evidence in case.evidence],
        "probes": [ProbeDocument.of(probe) for probe in case.probes],
    }


class ReloadDocument(Document):
    """What became of the rules when the packs were read anew; the lists hold ids."""

    rules: int = Field(description="how many are in force")
    added: list[str]
    changed: list[str] = Field(description="they start quiet; what they had suspected is withdrawn")
    removed: list[str]
    kept: int = Field(description="how many go on where they stood")

    @classmethod
    def of(cls, change: RuleChange) -> Self:
        """Return the document of a change."""
        return cls(
            rules=len(change.added) + len(change.changed) + len(change.kept),
            added=list(change.added),
            changed=list(change.changed),
            removed=list(change.removed),
            kept=len(change.kept),
        )


class TakenDocument(Document):
    """A message that was taken in and kept; what of it is of no use stands in the quarantine."""

    topic: str = Field(description="how the message is called in the quarantine")


class QuarantineDocument(Document):
    """A message, or a part of one, that could not be used."""

    number: int
    topic: str
    reason: str
    detail: str
    arrival: Instant
    payload: str = Field(description="as text; what is not UTF-8 is shown as U+FFFD")
    payload_b64: str = Field(description="the bytes, shortened to a few kilobytes")
    truncated: bool = Field(description="there was more of the payload; it cannot be submitted again")
    retry_requested_at: Instant | None = Field(
        description="when somebody last asked for it to be submitted again"
    )
    retried_at: Instant | None = Field(description="when it was; what was refused anew is a row of its own")

    @classmethod
    def of(cls, row: Quarantined) -> Self:
        """Return the document of a row of the quarantine."""
        message = row.message
        return cls(
            number=row.number,
            topic=message.topic,
            reason=message.reason,
            detail=message.detail,
            arrival=message.arrival,
            payload=message.payload.decode("utf-8", errors="replace"),
            payload_b64=base64.b64encode(message.payload).decode("ascii"),
            truncated=message.truncated,
            retry_requested_at=row.retry_requested_at,
            retried_at=row.retried_at,
        )
