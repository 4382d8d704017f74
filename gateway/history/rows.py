"""Batches to the rows of the file and back; pure, so that its laws can be tested without a file.

Every message, telemetry or notice, has one running number, its sequence. A message is one row, with its
values as a list and the number of its layout, which says whose they are; also one that brought no reading,
because time passes for a lane when its device speaks.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gateway.history.layouts import Layouts
from gateway.history.names import Names
from gateway.ports import Inbound, Notice
from rules.batch import Bool, Float64, Int32, Int64, Kind, ReadingBatch
from rules.symbols import Channel, DeviceId, Symbols


class Stored(NamedTuple):
    """What a file calls devices, channels and lists of channels."""

    devices: Names[DeviceId]
    channels: Names[Channel]
    layouts: Layouts


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


def message_rows(
    symbols: Symbols, readings: ReadingBatch, sequences: Int64, device: Int32, layout: Int32
) -> pa.Table:
    """Return the rows of table ``messages``.

    Args:
        symbols: where the texts of the readings stand.
        readings: M messages, R readings.
        sequences: [M] the messages' numbers.
        device: [M] the file's numbers of the devices.
        layout: [M] the file's numbers of the layouts.
    """
    count = len(readings)
    sizes = np.bincount(readings.message, minlength=count)
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    kind = readings.kind
    special = np.flatnonzero(kind != Kind.NUMBER)
    is_text = kind == Kind.TEXT
    wordless = is_text | (kind == Kind.UNKNOWN) if len(special) else None
    return pa.table(
        {
            "sequence": sequences,
            "device": device,
            "ts": readings.ts,
            "arrival": readings.arrival,
            "retained": readings.retained,
            "layout": layout,
            "values": _lists(begins, pa.array(readings.value, mask=wordless, from_pandas=False)),
            "kinds": _lists_of_some(begins, readings.message[special], count, pa.array(kind)),
            "texts": _lists_of_some(
                begins,
                readings.message[is_text] if len(special) else special,
                count,
                _texts(symbols, readings.value, is_text),
            ),
        }
    )


def _lists(begins: Int32, items: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(begins), items)


def _lists_of_some(
    begins: Int32, message: npt.NDArray[np.signedinteger[Any]], count: int, items: pa.Array
) -> pa.Array:
    """Return a column with the items of those messages that are named, null for the others."""
    if not len(message):
        return pa.nulls(count, pa.list_(items.type))
    absent = np.ones(count, dtype=np.bool_)
    absent[message] = False
    return pa.ListArray.from_arrays(pa.array(begins), items, mask=pa.array(absent))


def _texts(symbols: Symbols, value: Float64, is_text: Bool) -> pa.Array:
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
    messages: pa.Table,
    notices: pa.Table,
    stored: Stored,
) -> Inbound:
    """Return what was kept, as it was taken in, with the numbers of `symbols`.

    Args:
        symbols: the caller's tables; devices, channels and texts are interned as they occur.
        messages: rows of table ``messages`` in order of sequence.
        notices: rows of table ``notices`` in order of sequence.
        stored: the file's numbers.
    """
    sequences = _column(messages, "sequence")
    channel, sizes = stored.layouts.channels(_column(messages, "layout"))
    value = _items(messages, "values", sizes).fill_null(float("nan")).to_numpy(zero_copy_only=False)
    kind = _items(messages, "kinds", sizes).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int8)
    is_text = kind == Kind.TEXT
    if is_text.any():
        value = value.copy()
        texts = _items(messages, "texts", sizes).to_numpy(zero_copy_only=False)
        value[is_text] = [symbols.texts.intern(text) for text in texts[is_text]]
    batch = ReadingBatch(
        device=stored.devices.from_file(symbols.devices, _column(messages, "device")),
        ts=_column(messages, "ts"),
        arrival=_column(messages, "arrival"),
        message=np.repeat(np.arange(len(sequences), dtype=np.int32), sizes),
        channel=stored.channels.from_file(symbols.channels, channel),
        value=value,
        kind=kind,
        retained=_column(messages, "retained").astype(np.bool_),
    )
    return Inbound(readings=batch, notices=tuple(_notices(symbols, notices, sequences, stored.devices)))


def _items(messages: pa.Table, name: str, sizes: Int64) -> pa.Array:
    """Return the items of a column of lists one after the other; those of a null are nulls."""
    column = messages[name].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    present = column.is_valid().to_numpy(zero_copy_only=False)
    items = column.flatten()  # those of nulls are not among them
    if present.all():
        return items
    owners = np.repeat(present, sizes)
    index = np.cumsum(owners) - 1
    return items.take(pa.array(np.where(owners, index, 0), mask=~owners))


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
