"""A span of the history, read from its beginning to its end for a backtest: by arrival, in large pieces.

Nothing is held open between two pieces: what was kept is never changed, and numbers only grow, so a gateway
goes on appending meanwhile.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from gateway.history.file import HistoryFile
from gateway.history.layouts import Layouts
from gateway.history.names import Names
from gateway.known import merge
from gateway.ports import NoticeKind
from rules.symbols import Channel, DeviceId

_BOUNDS = """
SELECT min(sequence), max(sequence), count(*), count(*) FILTER (arrival < $from), min(arrival), max(arrival)
FROM messages WHERE arrival >= $start AND arrival < $to
"""
_NOTICE_BOUNDS = """
SELECT min(sequence), max(sequence), min(sequence) FILTER (arrival >= $from)
FROM notices WHERE arrival >= $start AND arrival < $to
"""
_FIRST_FROM = "SELECT min(sequence) FROM messages WHERE arrival >= $from AND arrival < $to"
_BY_DEVICE = "SELECT device, count(*) FROM messages WHERE sequence BETWEEN ? AND ? GROUP BY device"
_BEFORE = """
SELECT device, kind, body FROM notices WHERE sequence < ? AND kind IN ('facts', 'status') ORDER BY sequence
"""
_MESSAGES = "SELECT * FROM messages WHERE sequence BETWEEN ? AND ?"
_NOTICES = """
SELECT sequence, device, arrival, kind, body, retained FROM notices
WHERE sequence BETWEEN ? AND ? ORDER BY sequence
"""


class Standing(NamedTuple):
    """What a device had said of itself before a span; `body` as in a notice of the kind."""

    device: int
    kind: NoticeKind
    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some messages and notices of a span, in order.

    Attributes:
        messages: rows of table ``messages``, ascending by sequence.
        notices: rows of table ``notices``, ascending by sequence.
        counts: they lie in the part of the span that is asked about, not in that before it.
    """

    messages: pa.Table
    notices: pa.Table
    counts: bool


@dataclass(slots=True)
class Span:
    """What was kept of messages that arrived in start <= arrival < to, of which those since `since` count.

    Attributes:
        devices: names by the numbers of the file.
        channels: names by the numbers of the file.
        layouts: lists of channels by the numbers of the file.
        messages: in all.
        before: of them before `since`.
        by_device: messages by number of the device.
        standing: what the devices had said of themselves before.
        first_arrival: ms, of the earliest message; None when there is none.
        last_arrival: ms, of the latest message.
    """

    file: HistoryFile
    devices: list[DeviceId]
    channels: list[Channel]
    layouts: list[tuple[int, ...]]
    messages: int = 0
    before: int = 0
    by_device: dict[int, int] = field(default_factory=dict)
    standing: list[Standing] = field(default_factory=list)
    first_arrival: int | None = None
    last_arrival: int | None = None
    _first: int = 0
    _last: int = -1
    _counts_from: int = 0

    def pieces(self, size: int) -> Iterator[Piece]:
        """Yield all of it in pieces of about `size` messages, cut where the part that counts begins.

        Raises:
            StoreUnavailableError: the disk refuses.
        """
        begin = self._first
        while begin <= self._last:
            end = min(begin + size - 1, self._last)
            if begin < self._counts_from <= end:
                end = self._counts_from - 1
            with self.file.reading() as cursor:
                messages: pa.Table = cursor.sql(_MESSAGES, params=[begin, end]).to_arrow_table()
                notices: pa.Table = cursor.sql(_NOTICES, params=[begin, end]).to_arrow_table()
            if len(messages) or len(notices):
                yield Piece(_ascending(messages), notices, begin >= self._counts_from)
            begin = end + 1


def read_span(
    file: HistoryFile,
    devices: Names[DeviceId],
    channels: Names[Channel],
    layouts: Layouts,
    *,
    start: int,
    since: int,
    to: int,
) -> Span:
    """Return a span of a file; the instants are arrivals in ms, start <= since <= to.

    Raises:
        StoreUnavailableError: the disk refuses.
    """
    asked = {"start": start, "from": since, "to": to}
    with file.reading() as cursor:
        first, last, count, before, earliest, latest = cursor.execute(_BOUNDS, asked).fetchall()[0]
        n_first, n_last, n_from = cursor.execute(_NOTICE_BOUNDS, asked).fetchall()[0]
        m_from = cursor.execute(_FIRST_FROM, {"from": since, "to": to}).fetchall()[0][0]
        begin, end = _least(first, n_first), max(_or(last, -1), _or(n_last, -1))
        # The names are read after the bounds: whatever lies within them has one.
        span = Span(
            file,
            list(devices.stored.names),
            list(channels.stored.names),
            list(layouts.stored.names),
            messages=count,
            before=before,
            first_arrival=earliest,
            last_arrival=latest,
        )
        if begin is None:
            return span
        span._first, span._last = begin, end
        counts_from = _least(m_from, n_from)
        span._counts_from = end + 1 if counts_from is None else counts_from
        span.by_device = dict(cursor.execute(_BY_DEVICE, [begin, end]).fetchall())
        span.standing = _standing(cursor.execute(_BEFORE, [begin]).fetchall(), span.by_device)
    return span


def _standing(rows: list[tuple[int, NoticeKind, str]], speaking: dict[int, int]) -> list[Standing]:
    """Return what devices had said last, of those that speak within the span."""
    facts: dict[int, dict[str, object]] = {}
    status: dict[int, dict[str, object]] = {}
    for device, kind, text in rows:
        if device not in speaking:
            continue
        if kind == "facts":
            merge(facts.setdefault(device, {}), json.loads(text))
        else:
            status[device] = json.loads(text)
    stated = [Standing(device, "facts", body) for device, body in sorted(facts.items())]
    return stated + [Standing(device, "status", body) for device, body in sorted(status.items())]


def _ascending(messages: pa.Table) -> pa.Table:
    """Return the rows by sequence; a scan nearly always gives them so, and sorting costs more than it."""
    sequence = messages["sequence"].to_numpy()
    if len(sequence) and (sequence[1:] <= sequence[:-1]).any():
        return messages.take(pa.array(sequence.argsort(kind="stable")))
    return messages


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
