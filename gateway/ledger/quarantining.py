"""The quarantine's rows: which are meant, and which are to be submitted again."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from gateway.ledger.tables import quarantine
from gateway.ports import Quarantined, Rejected, RetryRequest
from gateway.wire.topics import pattern_of

#: Rows that cannot be retried, or are not there, are named up to so many.
MOST_NAMED = 20

#: SQL takes a bounded number of values in a list.
_NUMBERS_AT_ONCE = 500


def conditions(
    *, reason: str | None = None, topic: str | None = None, since: int | None = None
) -> list[sa.ColumnElement[bool]]:
    """Return what is true of rows of a reason, of topics that an MQTT filter takes, since a time (ms)."""
    found: list[sa.ColumnElement[bool]] = []
    if reason is not None:
        found.append(quarantine.c.reason == reason)
    if topic is not None:
        found.append(quarantine.c.topic.regexp_match(pattern_of(topic)))
    if since is not None:
        found.append(quarantine.c.arrival >= since)
    return found


def taken_by(filters: Collection[str]) -> sa.ColumnElement[bool]:
    """Return what is true of rows whose topic one of the MQTT filters takes; of none without filters."""
    patterns = (quarantine.c.topic.regexp_match(pattern_of(one)) for one in sorted(filters))
    return sa.or_(sa.false(), *patterns)


def request_retries(
    connection: sa.Connection,
    now: int,
    *,
    numbers: Sequence[int] | None = None,
    reason: str | None = None,
    topic: str | None = None,
    since: int | None = None,
) -> RetryRequest:
    """Mark rows that are to be submitted again.

    Rows that are named by their numbers are marked even when they were retried before; those that filters
    find are not.
    """
    if numbers is not None:
        return _request_by_number(connection, now, sorted(set(numbers)))
    meant = conditions(reason=reason, topic=topic, since=since)
    meant.append(quarantine.c.retry_requested_at.is_(None))
    cut = sa.select(quarantine.c.number).where(*meant, quarantine.c.truncated)
    count = connection.execute(sa.select(sa.func.count()).select_from(cut.subquery())).scalar_one()
    named = list(connection.scalars(cut.order_by(quarantine.c.number).limit(MOST_NAMED)))
    return RetryRequest(_mark(connection, now, meant), cut=count, cut_numbers=tuple(named))


def _request_by_number(connection: sa.Connection, now: int, numbers: Sequence[int]) -> RetryRequest:
    marked, cut = 0, []
    missing = set(numbers)
    for begin in range(0, len(numbers), _NUMBERS_AT_ONCE):
        meant = quarantine.c.number.in_(numbers[begin : begin + _NUMBERS_AT_ONCE])
        for row in connection.execute(sa.select(quarantine.c.number, quarantine.c.truncated).where(meant)):
            missing.discard(row.number)
            if row.truncated:
                cut.append(row.number)
        marked += _mark(connection, now, [meant])
    return RetryRequest(
        marked,
        cut=len(cut),
        cut_numbers=tuple(cut[:MOST_NAMED]),
        missing=tuple(sorted(missing)),
    )


def _mark(connection: sa.Connection, now: int, meant: Sequence[sa.ColumnElement[bool]]) -> int:
    marking = sa.update(quarantine).where(*meant, ~quarantine.c.truncated)
    return connection.execute(marking.values(retry_requested_at=now, retried_at=None)).rowcount


def to_retry(connection: sa.Connection, limit: int) -> list[Quarantined]:
    """Return the oldest rows that wait to be submitted again."""
    query = (
        sa.select(quarantine)
        .where(quarantine.c.retry_requested_at.is_not(None), quarantine.c.retried_at.is_(None))
        .order_by(quarantine.c.number)
        .limit(limit)
    )
    return [row_of(row) for row in connection.execute(query)]


def mark_retried(connection: sa.Connection, numbers: Sequence[int], now: int) -> None:
    """Note that rows were submitted again."""
    for begin in range(0, len(numbers), _NUMBERS_AT_ONCE):
        meant = quarantine.c.number.in_(numbers[begin : begin + _NUMBERS_AT_ONCE])
        connection.execute(sa.update(quarantine).where(meant).values(retried_at=now))


def row_of(row: sa.Row[tuple[object, ...]]) -> Quarantined:
    """Return what a row holds."""
    message = Rejected(
        row.topic,
        row.reason,
        row.detail,
        row.payload,
        row.arrival,
        truncated=row.truncated,
        retained=row.retained,
    )
    return Quarantined(row.number, message, row.retry_requested_at, row.retried_at)
