"""Readings as columns: what decoders build, the engine evaluates and the history stores."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from rules.symbols import Symbols

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Int8 = npt.NDArray[np.int8]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: What a telemetry value may be once it was checked.
Value = float | bool | str | None


class Kind(IntEnum):
    """What stands in the value column of a reading."""

    NUMBER = 0
    BOOLEAN = 1  # 0.0 or 1.0
    TEXT = 2  # the number of the text in Symbols.texts
    UNKNOWN = 3  # nan: the device could not read it


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Messages in order of arrival and their readings, M messages and R readings.

    Attributes:
        device: [M] int32, number of the device in `Symbols.devices`.
        ts: [M] int64, device time in ms since 1970 UTC.
        arrival: [M] int64, time of arrival in ms since 1970 UTC, never decreasing but for what comes from the
            quarantine again, which is retained.
        message: [R] int32, row of the message that brought the reading, never decreasing.
        channel: [R] int32, number of the channel in `Symbols.channels`.
        value: [R] float64, by kind; nan when unknown.
        kind: [R] int8, a `Kind`.
        retained: [M] bool, the broker had kept the message from before the subscription: it tells what was
            at `ts`, and not that the device speaks now. Left out, no message is.
    """

    device: Int32
    ts: Int64
    arrival: Int64
    message: Int32
    channel: Int32
    value: Float64
    kind: Int8
    retained: Bool = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __post_init__(self) -> None:
        if len(self.retained) != len(self.device):
            if len(self.retained):
                raise ValueError(f"retained: expected {len(self.device)} messages, got {len(self.retained)}")
            object.__setattr__(self, "retained", np.zeros(len(self.device), dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.device)


class BatchBuilder:
    """Collects checked messages row by row and hands them out as columns."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self._device: list[int] = []
        self._ts: list[int] = []
        self._arrival: list[int] = []
        self._retained: list[bool] = []
        self._message: list[int] = []
        self._channel: list[int] = []
        self._value: list[float] = []
        self._kind: list[int] = []

    def __len__(self) -> int:
        return len(self._device)

    def add(
        self, device: int, ts: int, arrival: int, values: dict[str, Value], *, retained: bool = False
    ) -> None:
        """Append one message. `values` maps keys such as ``disk.pending_sectors@sda`` to checked values."""
        row = len(self._device)
        self._device.append(device)
        self._ts.append(ts)
        self._arrival.append(arrival)
        self._retained.append(retained)
        symbols = self.symbols
        for key, value in values.items():
            self._message.append(row)
            self._channel.append(symbols.channel(key))
            if value is None:
                self._value.append(float("nan"))
                self._kind.append(Kind.UNKNOWN)
            elif value is True or value is False:
                self._value.append(float(value))
                self._kind.append(Kind.BOOLEAN)
            elif isinstance(value, str):
                self._value.append(float(symbols.texts.intern(value)))
                self._kind.append(Kind.TEXT)
            else:
                self._value.append(value)
                self._kind.append(Kind.NUMBER)

    def build(self) -> ReadingBatch:
        """Return the columns collected so far; the builder keeps them."""
        return ReadingBatch(
            device=np.array(self._device, dtype=np.int32),
            ts=np.array(self._ts, dtype=np.int64),
            arrival=np.array(self._arrival, dtype=np.int64),
            message=np.array(self._message, dtype=np.int32),
            channel=np.array(self._channel, dtype=np.int32),
            value=np.array(self._value, dtype=np.float64),
            kind=np.array(self._kind, dtype=np.int8),
            retained=np.array(self._retained, dtype=np.bool_),
        )
