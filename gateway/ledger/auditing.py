"""The audit trail's rows: added, listed and, when they are old, let go; never changed."""

import json
from collections.abc import Sequence

import sqlalchemy as sa

from gateway.access.records import Deed
from gateway.ledger.access_tables import audit
from gateway.ledger.paging import page
from gateway.ports import Page

#: Rows that one transaction lets go; the gateway's commits wait no longer than for these.
PRUNED_AT_ONCE = 2_000


def write_deeds(connection: sa.Connection, deeds: Sequence[Deed]) -> None:
    """Add what was done, in this order."""
    if not deeds:
        return
    rows = [
        {
            "at": deed.at,
            "who": deed.who,
            "account": deed.account,
            "what": deed.what,
            "target": deed.target,
            "tenant": deed.tenant,
            "address": deed.address,
            "detail": json.dumps(deed.detail, ensure_ascii=False),
        }
        for deed in deeds
    ]
    connection.execute(sa.insert(audit), rows)


def read_deeds(
    connection: sa.Connection,
    *,
    tenants: frozenset[str] | None,
    who: str | None,
    target: str | None,
    since: int | None,
    until: int | None,
    cursor: str | None,
    limit: int,
) -> Page[Deed]:
    """Return what was done, newest first.

    Args:
        connection: where to ask.
        tenants: only theirs; None is all.
        who: by name.
        target: exactly, or what begins with it where it ends in ``*``.
        since: not before, ms since 1970 UTC.
        until: before, ms since 1970 UTC.
        cursor: None for the first page.
        limit: rows of a page.
    """
    query = sa.select(audit)
    if tenants is not None:
        query = query.where(audit.c.tenant.in_(sorted(tenants)))
    if who is not None:
        query = query.where(audit.c.who == who)
    if target is not None and target.endswith("*"):
        query = query.where(audit.c.target.startswith(target[:-1], autoescape=True))
    elif target is not None:
        query = query.where(audit.c.target == target)
    if since is not None:
        query = query.where(audit.c.at >= since)
    if until is not None:
        query = query.where(audit.c.at < until)
    return page(
        connection, query, [audit.c.number], newest_first=True, cursor=cursor, limit=limit, item=_deed
    )


def prune_deeds(connection: sa.Connection, before: int) -> int:
    """Let the oldest rows from before a time (ms since 1970 UTC) go; return how many went."""
    old = sa.select(audit.c.number).where(audit.c.at < before).order_by(audit.c.at).limit(PRUNED_AT_ONCE)
    return connection.execute(sa.delete(audit).where(audit.c.number.in_(old.scalar_subquery()))).rowcount


def _deed(row: sa.Row[tuple[object, ...]]) -> Deed:
    return Deed(
        at=row.at,
        who=row.who,
        account=row.account,
        what=row.what,
        target=row.target,
        tenant=row.tenant,
        address=row.address,
        detail=json.loads(row.detail),
        number=row.number,
    )
