"""Fills in a service order from a case, the device's facts, the registry and the fault catalogue.

Nothing is guessed: what is not known is None and stands in `missing` with the reason, so that whoever
dispatches sees at once what to ask.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence

from diagnostics.case import Case
from diagnostics.faults import Fault, FaultCatalogue, Urgency
from diagnostics.orders.diagnosis import diagnose
from diagnostics.orders.entitlement import entitle
from diagnostics.orders.estimate import estimate
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.household import owner_of, site_of, site_section
from diagnostics.orders.logistics import destination_of, route
from diagnostics.orders.model import (
    Iris,
    Links,
    OrderFault,
    OrderState,
    Provider,
    Service,
    ServiceOrder,
)
from diagnostics.orders.provider import Assignment, Work, assign, note_promise, promised_first
from diagnostics.orders.registry import Registry
from diagnostics.orders.sla import Due, due
from diagnostics.orders.subject import identify
from diagnostics.orders.supply import kinds_of, needs_of, supply
from diagnostics.orders.texts import write_texts
from rules.times import to_rfc3339

#: Why an order has no confidence: a share of right diagnoses can only be learnt from what repairers found.
NO_CONFIDENCE = "no repairers' findings are known yet from which it could be worked out"

#: Why an order has no IRIS code.
NO_IRIS = "no IRIS code is known that says exactly this"


def order_id(case: Case) -> str:
    """Return ``SO-`` and 12 letters and digits, derived from device, component, fault and onset.

    The same case gives the same id whenever and wherever it is worked on. 60 bits of SHA-256: among ten
    million orders two share an id with a probability of about 1 in 20,000.
    """
    named = (case.tenant, case.device_class, case.device, case.component, case.fault, str(case.onset))
    digest = hashlib.sha256("\0".join(named).encode("utf-8", "surrogatepass")).digest()
    return "SO-" + base64.b32encode(digest[:8]).decode("ascii")[:12]


def prefill(
    *,
    case: Case,
    confirmed_by: str,
    explanation: str,
    confidence: float | None,
    facts: Mapping[str, object],
    registry: Registry,
    faults: FaultCatalogue,
    opened_at: int,
    reason: str,
    console_url: str | None,
    parts_hint: Sequence[str] = (),
    load: Mapping[str, int] | None = None,
) -> ServiceOrder:
    """Return the service order of a case.

    Args:
        case: what is broken, with evidence and self tests.
        confirmed_by: what confirmed it, in plain words.
        explanation: what was seen, in plain words.
        confidence: 0 to 1; None when nothing defensible is known.
        facts: what the device said of itself; any JSON, what cannot be used counts as not said.
        registry: owners, sites, coverage, parts, stock, repairers; may be empty.
        faults: the fault catalogue.
        opened_at: ms since 1970 UTC.
        reason: why it is opened, a `diagnostics.decision.Reason`.
        console_url: what links begin with; None for no link.
        parts_hint: the rule's ``parts``: part numbers or kinds in its own words, in place of the catalogue's.
        load: orders that repairers have open now, by their id; None: none that is known.
    """
    gaps = Gaps()
    fault = faults.get(case.fault)
    if fault is None:
        gaps.add("fault.symptom", f"fault {case.fault} is not in the fault catalogue")
    coded = _fault(case, fault, gaps)
    subject = identify(case, facts, registry, returns=fault is not None and fault.returns, gaps=gaps)
    customer = owner_of(subject.entry, registry, gaps)
    site = site_of(subject.entry, registry, gaps)
    zone = site.time_zone or customer.time_zone
    needs = needs_of(fault=fault, hints=parts_hint, faults=faults, registry=registry, tenant=case.tenant)
    entitled = entitle(
        registry=registry,
        device=subject.id,
        model=subject.model,
        fault=case.fault,
        kinds=kinds_of(needs),
        opened_at=opened_at,
        zone=zone,
        country=site.country,
        gaps=gaps,
    )
    entitlement = entitled.section
    skills = faults.skills(fault, case.device_class)
    urgency = fault.urgency_for(case.evidence) if fault else faults.urgency_of(case.severity)
    dates = due(
        registry=registry,
        faults=faults,
        tenant=case.tenant,
        country=site.country,
        region=site.region,
        zone=zone,
        severity=case.severity,
        urgency=urgency,
        opened_at=opened_at,
        gaps=gaps,
    )
    minutes = fault.minutes if fault else None
    gaps.require("service.minutes", minutes, "the fault catalogue does not say how long the repair takes")
    work = Work(
        tenant=case.tenant,
        device_class=case.device_class,
        channels=promised_first(faults.channels(fault, case.device_class), entitled.channels),
        skills=skills,
        minutes=minutes,
        opened_at=opened_at,
        resolve_by=dates.resolve,
        load=load or {},
    )
    assignment = assign(registry=registry, site=site, work=work, gaps=gaps)
    note_promise(assignment, entitled.channels, gaps)
    destination = destination_of(assignment, site)
    supplied = supply(
        needs=needs, registry=registry, subject=subject, destination=destination.country, gaps=gaps
    )
    logistics = route(
        supply=supplied,
        needed=needs is None or bool(needs),
        fault=fault,
        assignment=assignment,
        site=site,
        destination=destination,
        gaps=gaps,
    )
    service = _service(assignment, work, dates, urgency)
    costs = estimate(supply=supplied, assignment=assignment, minutes=minutes, entitled=entitled, gaps=gaps)
    gaps.require("diagnosis.confidence", confidence, NO_CONFIDENCE)
    number = order_id(case)
    parts = [line.section() for line in supplied.lines]
    texts = write_texts(
        number=number,
        device=subject.section,
        fault=coded,
        known=fault,
        customer=customer,
        site=site_section(site),
        zone=zone,
        entitlement=entitlement,
        service=service,
        parts=parts,
        parts_complete=supplied.complete,
        logistics=logistics,
        estimate=costs,
        gaps=gaps,
    )
    return ServiceOrder(
        order_id=number,
        tenant=case.tenant,
        state=OrderState.SUBMITTED,
        opened_at=to_rfc3339(opened_at),
        case_id=case.case_id,
        reason=reason,
        device=subject.section,
        fault=coded,
        diagnosis=diagnose(
            case=case,
            fault=fault,
            confirmed_by=confirmed_by,
            explanation=explanation,
            confidence=confidence,
        ),
        customer=customer,
        site=site_section(site),
        entitlement=entitlement,
        service=service,
        parts=parts,
        logistics=logistics,
        estimate=costs,
        missing=gaps.entries(),
        choices=gaps.choices(),
        texts=texts,
        links=Links(console=f"{console_url.rstrip('/')}/orders/{number}" if console_url else None),
    )


def _fault(case: Case, fault: Fault | None, gaps: Gaps) -> OrderFault:
    iris = None
    if fault is None or not (fault.iris.condition or fault.iris.symptom):
        gaps.add("fault.iris", NO_IRIS)
    else:
        iris = Iris(condition=fault.iris.condition, symptom=fault.iris.symptom)
        gaps.require("fault.iris.condition", iris.condition, NO_IRIS)
        gaps.require("fault.iris.symptom", iris.symptom, NO_IRIS)
    return OrderFault(
        code=case.fault,
        title=fault.title if fault else case.title,
        severity=case.severity,
        symptom=fault.symptom if fault else None,
        iris=iris,
        danger=fault is not None and fault.danger,
    )


def _service(assignment: Assignment, work: Work, dates: Due, urgency: Urgency) -> Service:
    repairer = assignment.repairer
    return Service(
        channel=assignment.channel,
        provider=Provider(id=repairer.id, name=repairer.name) if repairer else None,
        skills=list(work.skills),
        minutes=work.minutes,
        respond_by=dates.respond_by,
        resolve_by=dates.resolve_by,
        urgency=urgency,
    )
