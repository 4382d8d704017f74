"""Cases as rows: the columns that lists are filtered, sorted and counted by, and the conditions on them."""

from collections import Counter
from typing import cast

import sqlalchemy as sa

from diagnostics.case import OPEN_CASE_STATES, Case
from gateway.ledger.tables import cases
from gateway.ports import CaseCounts, CaseFilters, CaseOrder
from rules.symbols import DeviceId

_OPEN = sorted(state.value for state in OPEN_CASE_STATES)
#: Most urgent first.
RANKS = {"critical": 0, "major": 1, "minor": 2}

#: The keys by which pages are sorted, and whether they fall.
SORTED: dict[CaseOrder, tuple[list[sa.Column[int] | sa.Column[str]], bool]] = {
    "newest": ([cases.c.onset, cases.c.case_id], True),
    "urgency": ([cases.c.rank, cases.c.onset, cases.c.case_id], False),
}

_LIKE = ("severity", "tenant", "device_class", "model", "site", "reason", "fault")
_FACETS = ("severity", "state", "reason", "tenant", "device_class", "assignee", "acknowledged")


def case_row(case: Case) -> dict[str, object]:
    """Return the row of a case."""
    words = (
        f"{case.tenant}/{case.device_class}/{case.device}",
        case.component,
        case.model,
        case.site,
        case.fault,
        case.title,
        case.assignee,
        case.case_id,
        case.order_id,
    )
    return {
        "case_id": case.case_id,
        "tenant": case.tenant,
        "device_class": case.device_class,
        "device": case.device,
        "state": case.state.value,
        "severity": case.severity,
        "rank": RANKS[case.severity],
        "is_open": case.is_open,
        "fault": case.fault,
        "reason": case.reason.value,
        "model": case.model,
        "site": case.site,
        "assignee": case.assignee,
        "acknowledged": case.acknowledged_by is not None,
        "has_outcome": case.order is not None and case.order.outcome is not None,
        "search": " ".join(word for word in words if word).lower(),
        "onset": case.onset,
        "updated": case.updated,
        "order_id": case.order_id,
        "document": case.model_dump_json(),
    }


def case_conditions(filters: CaseFilters) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of filters; all of them must hold."""
    found: list[sa.ColumnElement[bool]] = []
    state = filters.get("state")
    if state is not None:
        found.append(cases.c.is_open == sa.literal(state in ("open", *_OPEN)))
        if state != "open":
            found.append(cases.c.state == state)
    for name in _LIKE:
        value = cast(str | None, filters.get(name))
        if value is not None:
            found.append(cases.c[name] == value)
    tenants = filters.get("tenants")
    if tenants is not None:
        found.append(cases.c.tenant.in_(sorted(tenants)))
    assignee = filters.get("assignee")
    if assignee is not None:
        found.append(cases.c.assignee == assignee if assignee else cases.c.assignee.is_(None))
    acknowledged = filters.get("acknowledged")
    if acknowledged is not None:
        found.append(cases.c.acknowledged == sa.literal(acknowledged))
    device = filters.get("device")
    if device is not None:
        names = device.split("/")
        if len(names) != len(DeviceId._fields):
            return [sa.false()]
        found += [cases.c[column] == name for column, name in zip(DeviceId._fields, names, strict=True)]
    for word in (filters.get("find") or "").lower().split():
        found.append(cases.c.search.contains(word, autoescape=True))
    return found


def count_cases(connection: sa.Connection, filters: CaseFilters) -> CaseCounts:
    """Count the cases that filters let through, in all and by what the other filters could be."""
    columns = [cases.c[name] for name in _FACETS]
    query = sa.select(*columns, sa.func.count()).where(*case_conditions(filters)).group_by(*columns)
    counters: dict[str, Counter[str]] = {name: Counter() for name in _FACETS}
    total = 0
    for row in connection.execute(query):
        *values, number = row
        total += number
        for name, value in zip(_FACETS, values, strict=True):
            counters[name][_word(value)] += number
    return CaseCounts(
        total=total, **{name: dict(counter.most_common()) for name, counter in counters.items()}
    )


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def similar_cases(connection: sa.Connection, case: Case, limit: int) -> list[Case]:
    """Return earlier cases of the same fault and tenant: same model first, then same class.

    Of both, those come first whose order was closed with an outcome, and of these the newest. Every step
    reads about `limit` rows by an index, however many cases there are.
    """
    same = [
        cases.c.tenant == case.tenant,
        cases.c.fault == case.fault,
        cases.c.device_class == case.device_class,
    ]
    found: dict[str, Case] = {}
    models = [[cases.c.model == case.model]] if case.model is not None else []
    for narrower in (*models, []):
        for has_outcome in (True, False):
            conditions = [*same, *narrower, cases.c.has_outcome == sa.literal(has_outcome)]
            query = sa.select(cases.c.document).where(*conditions, cases.c.onset <= case.onset)
            rows = connection.scalars(query.order_by(cases.c.onset.desc()).limit(2 * limit + 1)).all()
            for other in map(Case.model_validate_json, rows):
                if other.case_id != case.case_id:
                    found.setdefault(other.case_id, other)
            if len(found) >= limit:
                return list(found.values())[:limit]
    return list(found.values())
