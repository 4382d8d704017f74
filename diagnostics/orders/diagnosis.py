"""Why the order exists: the case's evidence and self tests, the catalogue's causes and remedies."""

import math
from collections.abc import Sequence

from diagnostics.case import Case, Evidence, Probe
from diagnostics.decision import Scalar
from diagnostics.faults import Fault
from diagnostics.orders.model import Cause, Diagnosis, OrderEvidence, OrderProbe, OrderRemedy
from rules.times import to_rfc3339

#: Of a remedy that nobody is known to have tried.
PROPOSED = "proposed"


def diagnose(
    *, case: Case, fault: Fault | None, confirmed_by: str, explanation: str, confidence: float | None
) -> Diagnosis:
    """Return the diagnosis' section.

    Args:
        case: brings evidence and self tests.
        fault: brings causes and remedies; None when it is not in the catalogue.
        confirmed_by: what confirmed it, in plain words.
        explanation: what was seen, in plain words.
        confidence: 0 to 1, None when nothing defensible is known.
    """
    return Diagnosis(
        confidence=confidence,
        causes=[
            Cause(cause=cause.cause, probability=cause.probability)
            for cause in (fault.causes if fault else ())
        ],
        explanation=_explain(explanation, confirmed_by),
        evidence=evidence_section(case.evidence),
        probes=[
            OrderProbe(
                action=probe.action,
                state=probe.state,
                at=to_rfc3339(probe.sent_at if probe.answered_at is None else probe.answered_at),
            )
            for probe in case.probes
        ],
        remedies=_remedies(fault, case.probes),
    )


def evidence_section(evidence: Sequence[Evidence]) -> list[OrderEvidence]:
    """Return the values that spoke for a fault as an order has them."""
    return [
        OrderEvidence(
            rule=item.rule,
            signal=item.signal,
            at=to_rfc3339(item.at),
            value=_finite(item.value),
            limit=_finite(item.limit),
        )
        for item in evidence
    ]


def _explain(explanation: str, confirmed_by: str) -> str:
    seen, confirmed = explanation.strip(), confirmed_by.strip().rstrip(".")
    if not confirmed or confirmed.casefold() in seen.casefold():
        return seen
    if seen and seen[-1] not in ".!?":
        seen += "."
    return f"{seen} Confirmed by: {confirmed}.".strip()


def _finite(value: Scalar) -> Scalar:
    """Return a value that JSON can carry: nan and infinity are unknown."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _remedies(fault: Fault | None, probes: Sequence[Probe]) -> list[OrderRemedy]:
    """Return what can be tried: advice first; a remedy that is a self test has its last run's state."""
    if fault is None:
        return []
    runs = {probe.action: probe.state for probe in sorted(probes, key=lambda probe: probe.sent_at)}
    advice = [OrderRemedy(action=fault.advice, state=PROPOSED)] if fault.advice else []
    return advice + [
        OrderRemedy(action=remedy.text, state=runs.get(remedy.probe or "", PROPOSED))
        for remedy in fault.remedies
    ]
