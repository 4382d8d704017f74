"""The columns of a `ReadingBatch`, collected in pieces and put in order of arrival at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.ports import Packets
from rules.batch import Bool, Float64, Int8, Int32, Int64, Kind, ReadingBatch, Value


@dataclass(frozen=True, slots=True)
class Piece:
    """Some messages of the batch that is being decoded, M messages and R readings.

    Attributes:
        order: [M] int64, `order_of` its packet and its place among the messages of that packet.
        device: [M] int32, number in `Symbols.devices`.
        ts: [M] int64, device time in ms since 1970 UTC.
        sizes: [M] int32, how many readings each brought.
        channel, value, kind: [R], as in a `ReadingBatch`.
    """

    order: Int64
    device: Int32
    ts: Int64
    sizes: Int32
    channel: Int32
    value: Float64
    kind: Int8


class Parts:
    """Messages that were looked at reading by reading, collected row by row."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int]] = []
        self._channels: list[int] = []
        self._kinds: list[Kind] = []
        self._values: list[Value] = []

    def add(
        self,
        row: tuple[int, int, int],
        channels: Sequence[int],
        kinds: Sequence[Kind],
        values: Sequence[Value],
    ) -> None:
        """Append one message.

        Args:
            row: its order, number of its device, its time.
            channels: the readings' channels, each with its kind and value.
            kinds: of the values.
            values: None for unknown, a text's number for a text.
        """
        self._rows.append((*row, len(channels)))
        self._channels.extend(channels)
        self._kinds.extend(kinds)
        self._values.extend(values)

    def piece(self) -> Piece | None:
        """Return what was collected; None when there is nothing."""
        if not self._rows:
            return None
        order, device, ts, sizes = np.array(self._rows, dtype=np.int64).T
        return Piece(
            order,
            device.astype(np.int32),
            ts,
            sizes.astype(np.int32),
            np.array(self._channels, dtype=np.int32),
            np.array(self._values, dtype=np.float64),
            np.array(self._kinds, dtype=np.int8),
        )


def batch_of(pieces: Sequence[Piece], packets: Packets) -> tuple[ReadingBatch, Int32]:
    """Return the messages of pieces in order of their packets, and [M] int32 the packet of each."""
    whole = _in_order(_joined(pieces)) if pieces else NOTHING
    rows = (whole.order >> PLACES).astype(np.int32)
    return _batch(whole, rows, packets), rows


def order_of(packet: int, place: int) -> int:
    """Return by what messages are ordered: the position of the packet, then the place in it."""
    return packet << PLACES | place


PLACES = 24  # bits; of sixteen million messages in one payload each would have less than a byte of it


def _joined(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    return Piece(
        np.concatenate([piece.order for piece in pieces]),
        np.concatenate([piece.device for piece in pieces]),
        np.concatenate([piece.ts for piece in pieces]),
        np.concatenate([piece.sizes for piece in pieces]),
        np.concatenate([piece.channel for piece in pieces]),
        np.concatenate([piece.value for piece in pieces]),
        np.concatenate([piece.kind for piece in pieces]),
    )


def _in_order(piece: Piece) -> Piece:
    """Return a piece whose messages are in order."""
    if (piece.order[1:] >= piece.order[:-1]).all():
        return piece
    order = np.argsort(piece.order, kind="stable")
    sizes = piece.sizes[order]
    ends = np.cumsum(sizes)
    starts = (np.cumsum(piece.sizes) - piece.sizes)[order]
    readings = np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1])
    return Piece(
        piece.order[order],
        piece.device[order],
        piece.ts[order],
        sizes,
        piece.channel[readings],
        piece.value[readings],
        piece.kind[readings],
    )


def _batch(piece: Piece, rows: Int32, packets: Packets) -> ReadingBatch:
    arrivals = np.array(packets.arrivals, dtype=np.int64)
    return ReadingBatch(
        device=piece.device,
        ts=piece.ts,
        arrival=arrivals[rows],
        message=np.repeat(np.arange(len(rows), dtype=np.int32), piece.sizes),
        channel=piece.channel,
        value=piece.value,
        kind=piece.kind,
        retained=_past(packets)[rows],
    )


def _past(packets: Packets) -> Bool:
    """Return [P] bool: the packet says what was and not that its device speaks now."""
    past = np.array(packets.retained, dtype=np.bool_)
    past[list(packets.resubmitted)] = True
    return past


NOTHING = Piece(
    order=np.zeros(0, dtype=np.int64),
    device=np.zeros(0, dtype=np.int32),
    ts=np.zeros(0, dtype=np.int64),
    sizes=np.zeros(0, dtype=np.int32),
    channel=np.zeros(0, dtype=np.int32),
    value=np.zeros(0, dtype=np.float64),
    kind=np.zeros(0, dtype=np.int8),
)
