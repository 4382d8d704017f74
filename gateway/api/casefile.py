"""The documents of one case for who acts on it: history, what is possible, similar cases, silences."""

from typing import Literal, Self

from pydantic import Field

from diagnostics.orders.changes import PartUsed
from diagnostics.orders.lifecycle import OrderOutcome
from diagnostics.silences import Silence, SilenceMatch
from gateway.api.casework import Asking, Possible, SimilarCase
from gateway.api.documents import (
    CaseDocument,
    DecisionDocument,
    Document,
    EventDocument,
    Instant,
    case_fields,
)
from gateway.api.queries import Queries
from gateway.ports import CaseCounts


class SilenceDocument(Document):
    """A silence: nothing of what fits all of `match` is ordered between `starts` and `ends`."""

    silence_id: str
    tenant: str
    state: Literal["pending", "active", "expired"]
    match: SilenceMatch
    maintenance: bool = Field(description="somebody is at work there: the reason is `in_maintenance` then")
    starts: Instant
    ends: Instant
    note: str
    case_id: str | None = Field(description="the case that it was asked for at")
    created_at: Instant
    created_by: str
    ended_at: Instant | None = Field(description="when it was ended early")
    ended_by: str | None
    end_note: str

    @classmethod
    def of(cls, silence: Silence, now: int) -> Self:
        """Return the document of a silence as it stands at `now`, ms."""
        fields = silence.model_dump() | {"match": silence.match, "state": silence.state(now)}
        return cls(**fields)


class PossibleDocument(Document):
    """Whether something can be done now: `why_not` is null when it can."""

    why_not: str | None


class AskingDocument(PossibleDocument):
    """A self test or remedy that the device can be asked for by its `action`; `text` says what it does."""

    action: str
    text: str

    @classmethod
    def of(cls, asking: Asking) -> Self:
        """Return the document of something that can be asked for."""
        return cls(action=asking.test.action, text=asking.test.text, why_not=asking.why_not)


class PossibleActsDocument(Document):
    """What can be done with the case now."""

    acknowledge: PossibleDocument
    unacknowledge: PossibleDocument
    assign: PossibleDocument
    comment: PossibleDocument
    confirm: PossibleDocument
    dismiss: PossibleDocument
    reopen: PossibleDocument
    probe: list[AskingDocument]
    remedy: list[AskingDocument]

    @classmethod
    def of(cls, acts: Possible) -> Self:
        """Return the document of what is possible."""
        return cls(
            **{verb.value: PossibleDocument(why_not=why) for verb, why in acts.verbs.items()},
            probe=[AskingDocument.of(asking) for asking in acts.probes],
            remedy=[AskingDocument.of(asking) for asking in acts.remedies],
        )


class CaseFileDocument(CaseDocument):
    """A case with its history, and what can be done with it.

    The history are the steps of its life, and every decision about it in order of time.
    """

    timeline: list[EventDocument]
    ledger: list[DecisionDocument]
    possible: PossibleActsDocument
    silences: list[SilenceDocument] = Field(description="those that it falls under now")

    @classmethod
    def read(cls, reads: Queries, case_id: str) -> Self | None:
        """Return the document of a case, None when there is no such case."""
        file = reads.case_file(case_id)
        if file is None:
            return None
        case, now = file.case, reads.now()
        return cls(
            **case_fields(case),
            timeline=[EventDocument.of(event) for event in file.events],
            ledger=[DecisionDocument.of(decision) for decision in file.decisions],
            possible=PossibleActsDocument.of(reads.possible(case)),
            silences=[SilenceDocument.of(silence, now) for silence in reads.silences_of(case)],
        )


class SimilarCaseDocument(Document):
    """An earlier case of the same fault, what its order came to, and who said what of it."""

    case_id: str
    device_class: str = Field(alias="class")
    device: str
    component: str | None
    model: str | None
    same_model: bool
    title: str
    severity: Literal["minor", "major", "critical"]
    state: Literal["suspected", "confirmed", "refuted", "cleared", "dismissed"]
    reason: str
    onset: Instant
    ended_at: Instant | None
    order_id: str | None
    outcome: OrderOutcome | None
    closed_at: Instant | None
    who: str | None
    note: str | None
    parts_used: list[PartUsed]

    @classmethod
    def of(cls, similar: SimilarCase) -> Self:
        """Return the document of a similar case."""
        case, last = similar.case, similar.last
        return cls(
            case_id=case.case_id,
            device_class=case.device_class,
            device=case.device,
            component=case.component or None,
            model=case.model,
            same_model=similar.same_model,
            title=case.title,
            severity=case.severity,
            state=case.state.value,
            reason=case.reason.value,
            onset=case.onset,
            ended_at=case.ended_at,
            order_id=case.order_id,
            outcome=last.outcome if last else None,
            closed_at=last.at if last else None,
            who=last.who if last else None,
            note=last.why if last else None,
            parts_used=last.parts_used if last else [],
        )


class SimilarCasesDocument(Document):
    """Earlier cases of the same fault and brand, same model first, then same class."""

    items: list[SimilarCaseDocument]


class CaseCountsDocument(Document):
    """How many cases filters let through, in all and by their values; the key `""` is none."""

    total: int
    severity: dict[str, int]
    state: dict[str, int]
    reason: dict[str, int]
    tenant: dict[str, int]
    device_class: dict[str, int] = Field(alias="class")
    assignee: dict[str, int]
    acknowledged: dict[str, int]

    @classmethod
    def of(cls, counts: CaseCounts) -> Self:
        """Return the document of counts."""
        return cls(
            total=counts.total,
            severity=counts.severity,
            state=counts.state,
            reason=counts.reason,
            tenant=counts.tenant,
            device_class=counts.device_class,
            assignee=counts.assignee,
            acknowledged=counts.acknowledged,
        )
