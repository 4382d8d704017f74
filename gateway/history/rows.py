"""Batches to the rows of the file and back; pure, so that its laws can be tested without a file.

Every message, telemetry or notice, has one running number, its sequence. Readings are rows with the sequence
of their message. A message that brought no reading leaves one marker row without a channel, because time
passes for a lane when its device speaks.
"""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from gateway.history.names import Names
from gateway.ports import Inbound, Notice
from rules.batch import Bool, Int32, Int64, Kind, ReadingBatch
from rules.symbols import Channel, DeviceId, Symbols


def number_messages(first: int, messages: int, notices: Sequence[Notice]) -> tuple[Int64, Int64]:
    """Return the sequences of telemetry messages [M] and of notices [N] in their common order.

    Args:
        first: the number of the first of them.
        messages: how many telemetry messages there are.
        notices: in order of position.
    """
    positions = np.array([notice.position for notice in notices], dtype=np.int64)
    rows = np.arange(messages, dtype=np.int64)
    of_messages = first + rows + np.searchsorted(positions, rows, side="right")
    of_notices = first + positions + np.arange(len(notices), dtype=np.int64)
    return of_messages, of_notices


def reading_rows(
    symbols: Symbols, readings: ReadingBatch, sequences: Int64, device: Int32, channel: Int32
) -> pa.Table:
    """Return the rows of table ``readings``.

    Args:
        symbols: where the texts of the readings stand.
        readings: M messages, R readings.
        sequences: [M] the messages' numbers.
        device: [M] the file's numbers of the devices.
        channel: [R] the file's numbers of the channels.
    """
    message = readings.message
    silent = np.setdiff1d(np.arange(len(readings), dtype=np.int32), message)
    row = np.concatenate([message, silent])
    markers = len(silent)
    is_marker = np.zeros(len(row), dtype=np.bool_)
    is_marker[len(message) :] = True
    item = np.arange(len(message), dtype=np.int32) - np.searchsorted(message, message).astype(np.int32)
    kind = np.concatenate([readings.kind, np.zeros(markers, dtype=np.int8)])
    value = np.concatenate([readings.value, np.zeros(markers)])
    wordless = is_marker | (kind == Kind.TEXT) | (kind == Kind.UNKNOWN)
    return pa.table(
        {
            "sequence": sequences[row],
            "item": np.concatenate([item, np.zeros(markers, dtype=np.int32)]),
            "device": device[row],
            "channel": pa.array(np.concatenate([channel, np.zeros(markers, dtype=np.int32)]), mask=is_marker),
            "ts": readings.ts[row],
            "arrival": readings.arrival[row],
            "value": pa.array(value, mask=wordless, from_pandas=False),
            "text": _texts(symbols, value, kind == Kind.TEXT),
            "kind": pa.array(kind, mask=is_marker),
            "retained": readings.retained[row],
        }
    )


def _texts(symbols: Symbols, value: np.ndarray[tuple[int], np.dtype[np.float64]], is_text: Bool) -> pa.Array:
    """Return a column with the text of each reading that is one, null elsewhere."""
    if not is_text.any():
        return pa.nulls(len(value), pa.string())
    numbers, place = np.unique(value[is_text].astype(np.int64), return_inverse=True)
    index = np.zeros(len(value), dtype=np.int64)
    index[is_text] = place
    words = pa.array([symbols.texts[number] for number in numbers.tolist()], pa.string())
    return words.take(pa.array(index, mask=~is_text))


def notice_rows(notices: Sequence[Notice], sequences: Int64, device: Int32) -> pa.Table:
    """Return the rows of table ``notices``; `sequences` and `device` (the file's numbers) are [N]."""
    return pa.table(
        {
            "sequence": sequences,
            "device": device,
            "arrival": pa.array([notice.arrival for notice in notices], pa.int64()),
            "kind": pa.array([notice.kind for notice in notices], pa.string()),
            "body": pa.array([json.dumps(notice.body) for notice in notices], pa.string()),
            "retained": pa.array([notice.retained for notice in notices], pa.bool_()),
        }
    )


def inbound(
    symbols: Symbols,
    readings: pa.Table,
    notices: pa.Table,
    devices: Names[DeviceId],
    channels: Names[Channel],
) -> Inbound:
    """Return what was kept, as it was taken in, with the numbers of `symbols`.

    Args:
        symbols: the caller's tables; devices, channels and texts are interned as they occur.
        readings: rows of table ``readings`` in order of sequence and item.
        notices: rows of table ``notices`` in order of sequence.
        devices: the file's numbers of devices.
        channels: the file's numbers of channels.
    """
    sequence = _column(readings, "sequence")
    sequences, first, message = np.unique(sequence, return_index=True, return_inverse=True)
    spoken = readings["channel"].is_valid().to_numpy()
    kept = readings.filter(pa.array(spoken))
    kind = _column(kept, "kind").astype(np.int8)
    value = kept["value"].fill_null(float("nan")).to_numpy()
    is_text = kind == Kind.TEXT
    if is_text.any():
        value = value.copy()
        value[is_text] = [symbols.texts.intern(text) for text in kept["text"].to_numpy()[is_text]]
    batch = ReadingBatch(
        device=devices.from_file(symbols.devices, _column(readings, "device")[first]),
        ts=_column(readings, "ts")[first],
        arrival=_column(readings, "arrival")[first],
        message=message[spoken].astype(np.int32),
        channel=channels.from_file(symbols.channels, _column(kept, "channel")),
        value=value,
        kind=kind,
        retained=_column(readings, "retained")[first].astype(np.bool_),
    )
    return Inbound(readings=batch, notices=tuple(_notices(symbols, notices, sequences, devices)))


def _notices(symbols: Symbols, rows: pa.Table, sequences: Int64, devices: Names[DeviceId]) -> list[Notice]:
    positions = np.searchsorted(sequences, _column(rows, "sequence")).tolist()
    numbers = devices.from_file(symbols.devices, _column(rows, "device")).tolist()
    return [
        Notice(
            kind=kind,
            position=position,
            device=device,
            arrival=arrival,
            body=json.loads(body),
            retained=retained,
        )
        for kind, position, device, arrival, body, retained in zip(
            rows["kind"].to_pylist(),
            positions,
            numbers,
            rows["arrival"].to_pylist(),
            rows["body"].to_pylist(),
            rows["retained"].to_pylist(),
            strict=True,
        )
    ]


def _column(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    array: np.ndarray[tuple[int], np.dtype[np.int64]] = table[name].to_numpy()
    return array
