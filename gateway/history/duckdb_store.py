"""The history in one DuckDB file: appended to, never changed, without indexes (docs/decisions/0002)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gateway.history.file import MIB, HistoryFile
from gateway.history.layouts import Layouts
from gateway.history.names import Names
from gateway.history.rows import Stored, inbound, message_rows, notice_rows, number_messages
from gateway.history.span import Span, read_span
from gateway.ports import Inbound, Notice, StoredReading
from rules.batch import Bool, Int32, Int64, Kind, ReadingBatch, Value
from rules.symbols import Channel, DeviceId, Symbols
from rules.times import HOUR_MS, MINUTE_MS

#: `known` asks separately for readings whose times lie further apart than this, so that one device with a
#: backlog of a week does not make it read that week.
_GAP_MS = 10 * MINUTE_MS

#: How far behind the newest reading a batch may lie for `known` to look everything up that came since.
_RECENT_MS = HOUR_MS

_NEVER = int(np.iinfo(np.int64).min)
_FOREVER = int(np.iinfo(np.int64).max)

_ASKED_AND_STORED = """
SELECT DISTINCT place FROM messages JOIN asked USING (device, ts) JOIN layouts ON number = layout
WHERE ts BETWEEN $first AND $last AND list_contains(channels, channel)
"""

_NEWEST_SINCE = """
SELECT device, max(ts) AS ts FROM messages JOIN strangers USING (device) WHERE ts >= ? GROUP BY device
"""

_LAST_SEQUENCE = """
SELECT greatest((SELECT max(sequence) FROM messages), (SELECT max(sequence) FROM notices), 0)
"""

_MESSAGES_BETWEEN = "SELECT * FROM messages WHERE sequence > ? AND sequence <= ? ORDER BY sequence"
_NOTICES_BETWEEN = "SELECT * FROM notices WHERE sequence > ? AND sequence <= ? ORDER BY sequence"

_TELEMETRY = """
WITH mine AS (
    SELECT sequence, ts, arrival, channels, "values", kinds, texts,
        unnest(range(1, len(channels) + 1)) AS item
    FROM messages JOIN layouts ON number = layout
    WHERE device = $device AND ts >= $start AND ts < $end
), once AS (
    SELECT ts, mine.channels[item] AS channel, signal, component, coalesce(kinds[item], 0) AS kind,
        "values"[item] AS value, texts[item] AS text, arrival
    FROM mine JOIN channels ON channels.number = mine.channels[item]
    WHERE ($signal IS NULL OR signal = $signal) AND ($component IS NULL OR component = $component)
    QUALIFY row_number() OVER (PARTITION BY ts, mine.channels[item] ORDER BY sequence, item) = 1
)
SELECT ts, signal, component, kind, value, text, arrival FROM once
QUALIFY row_number() OVER (PARTITION BY channel, ts // $step ORDER BY ts DESC) = 1
ORDER BY ts DESC, signal DESC, component DESC LIMIT $limit
"""


class DuckDbHistory:
    """All readings ever accepted, in a DuckDB file that one process may write.

    Any thread may read while another appends; appends take their turns.

    Args:
        path: the file; made, with its folder, where it is not there.
        checkpoint_bytes: the size of the write-ahead log that is folded into the file.
        keep_free: bytes of the file system below which nothing is taken any more, so that there is room left
            for a checkpoint and for the ledger.
        memory_limit: what DuckDB may use, in its notation.

    Raises:
        UserError: the file is not a history, or one of another version.
        StoreUnavailableError: another process has it open, or the disk refuses.
    """

    def __init__(
        self,
        path: Path,
        *,
        checkpoint_bytes: int = 32 * MIB,
        keep_free: int = 64 * MIB,
        memory_limit: str = "512MB",
    ) -> None:
        self._start(
            HistoryFile(
                path,
                readonly=False,
                checkpoint_bytes=checkpoint_bytes,
                keep_free=keep_free,
                memory_limit=memory_limit,
            )
        )

    @classmethod
    def open_readonly(cls, path: Path, *, memory_limit: str = "512MB") -> "DuckDbHistory":
        """Open a history for reading while no gateway runs; several processes may.

        Raises:
            UserError: there is no history at that path, or it is of another version.
            StoreUnavailableError: a gateway has it open; the text says which process.
        """
        history = cls.__new__(cls)
        history._start(
            HistoryFile(path, readonly=True, checkpoint_bytes=0, keep_free=0, memory_limit=memory_limit)
        )
        return history

    def _start(self, file: HistoryFile) -> None:
        self._file = file
        self._devices: Names[DeviceId] = Names()
        self._channels: Names[Channel] = Names()
        self._layouts = Layouts()
        self._sequence = 0  # the last number that stands in the file
        self._newest = _NEVER  # the largest ts that this process appended
        try:
            with file.reading() as cursor:
                self._load(cursor)
        except BaseException:
            file.close()
            raise
        self._numbered = self._sequence  # the last number that was given, also by an append that failed
        file.on_reopened = self._discard_unacknowledged

    def _load(self, cursor: duckdb.DuckDBPyConnection) -> None:
        for row in cursor.execute("SELECT tenant, class, device FROM devices ORDER BY number").fetchall():
            self._devices.stored.intern(DeviceId(*row))
        for row in cursor.execute("SELECT signal, component FROM channels ORDER BY number").fetchall():
            self._channels.stored.intern(Channel(*row))
        self._devices.mark_saved()
        for _, channels in cursor.execute("SELECT number, channels FROM layouts ORDER BY number").fetchall():
            self._layouts.stored.intern(tuple(channels))
        self._channels.mark_saved()
        self._layouts.mark_saved()
        # [device in the file] no reading of the device is newer; _FOREVER until it was looked up
        self._latest: Int64 = np.full(self._devices.saved, _FOREVER, dtype=np.int64)
        for (last,) in cursor.execute(_LAST_SEQUENCE).fetchall():
            self._sequence = last

    def append(self, symbols: Symbols, readings: ReadingBatch, notices: Sequence[Notice]) -> int:
        """Keep a batch durably and return the sequence number that it ends with.

        Raises:
            StoreUnavailableError: nothing was kept; the same call may be made again.
        """
        if not len(readings) and not notices:
            return self._sequence
        with self._file.turn:
            with self._file.transaction() as connection:
                self._insert(connection, symbols, readings, sorted(notices, key=lambda n: n.position))
            self._sequence = self._numbered
            self._devices.mark_saved()
            self._channels.mark_saved()
            self._layouts.mark_saved()
            self._latest = _grown(self._latest, self._devices.saved)
            speakers = self._devices.to_file(symbols.devices, readings.device, add=False)
            np.maximum.at(self._latest, speakers, readings.ts)
            self._newest = int(readings.ts.max(initial=self._newest))
            self._file.checkpoint_when_due()
            return self._sequence

    def known(self, symbols: Symbols, readings: ReadingBatch) -> list[bool]:
        """Say for each reading whether one of the same device, channel and ts is stored already.

        Readings newer than all that is stored of their device, which is nearly all, are answered from memory.

        Raises:
            StoreUnavailableError: the same call may be made again.
        """
        with self._file.turn:
            device = self._devices.to_file(symbols.devices, readings.device, add=False)[readings.message]
            channel = self._channels.to_file(symbols.channels, readings.channel, add=False)
            ts = readings.ts[readings.message]
            old = np.flatnonzero((device >= 0) & (device < len(self._latest)) & (channel >= 0))
            old = old[ts[old] <= self._latest[device[old]]]
            answer: Bool = np.zeros(len(ts), dtype=np.bool_)
            if len(old):
                with self._file.reading() as cursor:
                    for places in _close_in_time(old, ts):
                        answer[_stored(cursor, places, device, channel, ts)] = True
                    self._learn_latest(cursor, device[places], int(ts[places[0]]))
        known: list[bool] = answer.tolist()
        return known

    def since(self, symbols: Symbols, sequence: int, limit: int) -> tuple[Inbound, int]:
        """Return up to `limit` messages and notices kept after `sequence` in order, and the last number.

        The number equals `sequence` when there is nothing more.

        Raises:
            StoreUnavailableError: the same call may be made again.
        """
        last = max(self._sequence, sequence)
        end = sequence
        with self._file.reading() as cursor:
            while True:
                start, end = end, min(end + max(limit, 1), last)
                messages: pa.Table = cursor.sql(_MESSAGES_BETWEEN, params=[start, end]).to_arrow_table()
                notices: pa.Table = cursor.sql(_NOTICES_BETWEEN, params=[start, end]).to_arrow_table()
                # Numbers of failed appends are nobody's: a window may be empty before the end.
                if len(messages) or len(notices) or end == last:
                    stored = Stored(self._devices, self._channels, self._layouts)
                    return inbound(symbols, messages, notices, stored), end

    def telemetry(
        self,
        device: DeviceId,
        *,
        signal: str | None = None,
        start: int | None = None,
        end: int | None = None,
        step: int | None = None,
        limit: int | None = None,
    ) -> list[StoredReading]:
        """Return one device's readings with start <= ts < end in order of time, each once.

        A reading that was stored twice counts as it came first. `signal` may carry a component
        (``disk.pending_sectors@sda``); without one it means all its components. `step` thins every signal of
        every component to its last reading of every so many ms, counted from 1970. `limit` keeps the latest
        so many readings.

        Raises:
            StoreUnavailableError: the same call may be made again.
        """
        channel = Channel.parse(signal) if signal is not None else None
        asked = {
            "device": self._devices.stored.index.get(device, -1),
            "signal": channel.signal if channel else None,
            "component": channel.component if channel and "@" in str(signal) else None,
            "start": _NEVER if start is None else start,
            "end": _FOREVER if end is None else end,
            "step": step or 1,
            "limit": _FOREVER if limit is None else limit,
        }
        with self._file.reading() as cursor:
            rows = cursor.execute(_TELEMETRY, asked).fetchall()
        return [
            StoredReading(ts, signal, component, _value(kind, value, text), arrival)
            for ts, signal, component, kind, value, text, arrival in reversed(rows)
        ]

    def span(self, *, start: int, since: int, to: int) -> Span:
        """Return what arrived in start <= arrival < to, ms, to be read in order; see `Span`.

        Raises:
            StoreUnavailableError: the same call may be made again.
        """
        return read_span(
            self._file, self._devices, self._channels, self._layouts, start=start, since=since, to=to
        )

    def close(self) -> None:
        """Fold the log into the file where there is room, and release both."""
        self._file.close()

    def _insert(
        self,
        connection: duckdb.DuckDBPyConnection,
        symbols: Symbols,
        readings: ReadingBatch,
        notices: Sequence[Notice],
    ) -> None:
        of_messages, of_notices = number_messages(self._numbered + 1, len(readings), notices)
        # A number is never given twice: should rows of a failed commit turn up after all, they are a message
        # that came twice and not half of another one.
        self._numbered += len(readings) + len(notices)
        device = self._devices.to_file(symbols.devices, readings.device, add=True)
        channel = self._channels.to_file(symbols.channels, readings.channel, add=True)
        layout = self._layouts.to_file(readings.message, channel, len(readings))
        speakers = np.array([notice.device for notice in notices], dtype=np.int32)
        speaker = self._devices.to_file(symbols.devices, speakers, add=True)
        for statement, incoming in (
            ("INSERT INTO devices SELECT * FROM incoming", self._devices.unsaved_rows(DeviceId._fields)),
            ("INSERT INTO channels SELECT * FROM incoming", self._channels.unsaved_rows(Channel._fields)),
            ("INSERT INTO layouts SELECT * FROM incoming", self._layouts.unsaved_rows()),
            (
                "INSERT INTO messages SELECT * FROM incoming",
                message_rows(symbols, readings, of_messages, device, layout),
            ),
            ("INSERT INTO notices SELECT * FROM incoming", notice_rows(notices, of_notices, speaker)),
        ):
            if len(incoming):
                connection.execute(statement)  # DuckDB finds the variable by its name

    def _discard_unacknowledged(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take out what a commit that was reported as failed may have left behind."""
        connection.execute("DELETE FROM messages WHERE sequence > ?", [self._sequence])
        connection.execute("DELETE FROM notices WHERE sequence > ?", [self._sequence])
        connection.execute("DELETE FROM devices WHERE number >= ?", [self._devices.saved])
        connection.execute("DELETE FROM channels WHERE number >= ?", [self._channels.saved])
        connection.execute("DELETE FROM layouts WHERE number >= ?", [self._layouts.saved])

    def _learn_latest(self, cursor: duckdb.DuckDBPyConnection, device: Int32, first: int) -> None:
        """Learn when devices that were stored before this process began were heard last.

        Only what is stored from `first` on is read; who does not stand there was heard before. An old `first`
        would make that much: then they stay unknown, and their readings are looked up, until they speak of
        the present.
        """
        strangers = np.unique(device[self._latest[device] == _FOREVER])
        if not len(strangers) or first < self._newest - _RECENT_MS:
            return
        cursor.register("strangers", pa.table({"device": strangers}))
        newest: pa.Table = cursor.sql(_NEWEST_SINCE, params=[first]).to_arrow_table()
        self._latest[strangers] = first - 1
        self._latest[newest["device"].to_numpy()] = newest["ts"].to_numpy()


def _grown(latest: Int64, length: int) -> Int64:
    """Return the array with room for `length` devices, those that are new not heard before."""
    if length <= len(latest):
        return latest
    room = np.full(2 * length, _NEVER, dtype=np.int64)
    room[: len(latest)] = latest
    return room


def _close_in_time(places: npt.NDArray[np.int64], ts: Int64) -> Iterator[npt.NDArray[np.int64]]:
    """Cut the places of readings into groups without a gap of more than `_GAP_MS` in their times."""
    ordered = places[np.argsort(ts[places], kind="stable")]
    cuts = np.flatnonzero(np.diff(ts[ordered]) > _GAP_MS) + 1
    yield from np.split(ordered, cuts)


def _stored(
    cursor: duckdb.DuckDBPyConnection,
    places: npt.NDArray[np.int64],
    device: Int32,
    channel: Int32,
    ts: Int64,
) -> npt.NDArray[np.int64]:
    """Return those of the places, in order of time, whose device (in the file), channel and ts are stored."""
    asked = pa.table(
        {"place": places, "device": device[places], "channel": channel[places], "ts": ts[places]}
    )
    cursor.register("asked", asked)
    bounds = {"first": int(ts[places[0]]), "last": int(ts[places[-1]])}
    rows = cursor.sql(_ASKED_AND_STORED, params=bounds)
    stored: pa.Table = rows.to_arrow_table()
    found: npt.NDArray[np.int64] = stored["place"].to_numpy()
    return found


def _value(kind: int, value: float | None, text: str | None) -> Value:
    match kind:
        case Kind.TEXT:
            return text
        case Kind.BOOLEAN:
            return bool(value)
        case _:
            return value
