"""Pages of lists: a cursor is the sort key of a page's last row, so rows that come in do not shift pages."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

import sqlalchemy as sa

from gateway.errors import UserError
from gateway.ports import Page

T = TypeVar("T")


def page(
    connection: sa.Connection,
    query: sa.Select[tuple[object, ...]],
    key: Sequence[sa.Column[int] | sa.Column[str]],
    *,
    newest_first: bool,
    cursor: str | None,
    limit: int,
    item: Callable[[sa.Row[tuple[object, ...]]], T],
) -> Page[T]:
    """Return the page of a query that begins after a cursor.

    Args:
        connection: where to ask.
        query: the rows, filtered, not sorted.
        key: columns that no two rows have alike, in order of weight.
        newest_first: sorted by falling keys.
        cursor: None for the first page.
        limit: rows of a page; at least one is given.
        item: makes an item of a row.

    Raises:
        UserError: no page gave that cursor.
    """
    limit = max(limit, 1)
    if cursor is not None:
        place = sa.tuple_(*(sa.literal(value, column.type) for value, column in _decode(cursor, key)))
        here = sa.tuple_(*key)
        query = query.where(here < place if newest_first else here > place)
    query = query.order_by(*(column.desc() if newest_first else column.asc() for column in key))
    rows = connection.execute(query.limit(limit + 1)).all()
    more = len(rows) > limit
    last = [rows[limit - 1]._mapping[column] for column in key] if more else []
    return Page([item(row) for row in rows[:limit]], _encode(last) if more else None)


def _encode(values: list[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _decode(
    cursor: str, key: Sequence[sa.Column[int] | sa.Column[str]]
) -> list[tuple[object, sa.Column[int] | sa.Column[str]]]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError):
        values = None
    if (
        not isinstance(values, list)
        or len(values) != len(key)
        or any(type(value) is not column.type.python_type for value, column in zip(values, key, strict=True))
    ):
        raise UserError(f"cursor: expected one that a page of this list gave, got {cursor!r}")
    return list(zip(values, key, strict=True))
