"""What changes while findings and replies are worked on: cases, events, decisions, commands, orders."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostics.case import Case, CaseEvent, Command
from diagnostics.decision import Decision, Outcome, Reason, Scalar
from diagnostics.naming import derived
from diagnostics.orders.changes import OrderChange
from diagnostics.silences import Silence
from diagnostics.wording import EventName
from rules.model import Rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case was confirmed and wants an order; the reason may still be one against it.

    Attributes:
        at: device time, or arrival time where a reply or a deadline decided.
        arrival: time of arrival of what decided, ms.
        confirmed_by: in plain words.
        insisted: an engineer confirmed it: a policy of doubt has nothing more to say.
    """

    case: Case
    rule: Rule
    at: int
    arrival: int
    confirmed_by: str
    insisted: bool = False


@dataclass(slots=True)
class Journal:
    """Collects what changed until it is taken."""

    cases: dict[str, Case] = field(default_factory=dict)
    events: list[CaseEvent] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    changes: list[OrderChange] = field(default_factory=list)
    silences: dict[str, Silence] = field(default_factory=dict)

    def event(self, case: Case, rule: str, event: EventName, at: int, reason: Reason) -> None:
        """Note a step in the life of a case."""
        self.cases[case.case_id] = case
        self.events.append(
            CaseEvent(
                event=event,
                at=at,
                tenant=case.tenant,
                device_class=case.device_class,
                device=case.device,
                component=case.component,
                rule=rule,
                fault=case.fault,
                case_id=case.case_id,
                reason=reason,
            )
        )

    def decide(
        self,
        case: Case,
        rule: str,
        *,
        at: int,
        outcome: Outcome,
        reason: Reason,
        text: str,
        values: Mapping[str, Scalar] | None = None,
        key: str = "",
    ) -> None:
        """Note a decision with the values that led to it; `key` tells those apart that are alike else."""
        self.cases[case.case_id] = case
        self.decisions.append(
            Decision(
                decision_id=derived("D-", case.case_id, rule, at, reason.value, *([key] if key else [])),
                case_id=case.case_id,
                tenant=case.tenant,
                device_class=case.device_class,
                device=case.device,
                component=case.component,
                fault=case.fault,
                rule=rule,
                at=at,
                outcome=outcome,
                reason=reason,
                text=text,
                values=dict(values or {}),
            )
        )
