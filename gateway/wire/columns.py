"""The columns of a `ReadingBatch`, collected message by message without a loop over readings."""

from collections.abc import Iterable

import numpy as np

from rules.batch import ReadingBatch, Value


class Columns:
    """Messages and readings of the batch that is being decoded.

    Channels and kinds of a message come as the bytes of its int32 and int8 columns, so that joining them is
    one copy; the values wait as Python objects (float, bool, or None for unknown) for one conversion.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, bytes, bytes]] = []
        self._values: list[Value] = []
        self._retained: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: tuple[int, int, int, bytes, bytes], values: Iterable[Value]) -> None:
        """Append one message.

        Args:
            row: number of the device in `Symbols.devices`; device time and time of arrival, ms since 1970
                UTC, arrival not less than that of the row before; the readings' channels, int32 in the
                machine's order; their kinds, int8.
            values: the readings' values, as many; None for unknown, a text's number for a text.
        """
        self._rows.append(row)
        self._values.extend(values)

    def retain(self, first: int) -> None:
        """Note that the broker had kept the messages from row `first` on."""
        self._retained.extend(range(first, len(self._rows)))

    def build(self) -> ReadingBatch:
        """Return the columns."""
        device, ts, arrival, channels, kinds = zip(*self._rows, strict=True) if self._rows else ((),) * 5
        rows = np.arange(len(self._rows), dtype=np.int32)
        retained = np.zeros(len(self._rows), dtype=np.bool_)
        retained[self._retained] = True
        return ReadingBatch(
            device=np.array(device, dtype=np.int32),
            ts=np.array(ts, dtype=np.int64),
            arrival=np.array(arrival, dtype=np.int64),
            message=np.repeat(rows, [len(column) for column in kinds]) if self._rows else rows,
            channel=np.frombuffer(b"".join(channels), dtype=np.int32),
            value=np.array(self._values, dtype=np.float64),
            kind=np.frombuffer(b"".join(kinds), dtype=np.int8),
            retained=retained,
        )
