"""What a backtest and its processes say to each other.

Frames of a JSON head and Arrow rows go one way, JSON lines the other.
"""

import struct
from typing import BinaryIO

import msgspec
import pyarrow as pa

from gateway.backtest.answers import KnownAnswer
from gateway.backtest.figures import Figures
from gateway.history.span import Piece, Standing

_LENGTHS = struct.Struct("<QQQ")


class Share(msgspec.Struct, frozen=True):
    """What one process is to work out: the rules of both sides over some of the devices.

    Attributes:
        today: names and texts of the packs in force.
        candidate: names and texts of the others.
        config: what of the configuration decides on orders.
        start: of the warm-up, arrival, ms.
        since: from here on counts, arrival, ms.
        to: the end, excluded, arrival, ms.
        devices: names by the numbers of the rows; so are `channels` and `layouts`.
        standing: device, kind and body of what devices had said before.
        answers: what devices really answered to self tests.
        niceness: by which the process gives way to others.
    """

    today: list[tuple[str, str]]
    candidate: list[tuple[str, str]]
    config: dict[str, object]
    start: int
    since: int
    to: int
    devices: list[tuple[str, str, str]]
    channels: list[tuple[str, str]]
    layouts: list[tuple[int, ...]]
    standing: list[Standing]
    answers: list[KnownAnswer]
    niceness: int = 0


class PieceHead(msgspec.Struct, frozen=True):
    """Goes before the rows of a piece."""

    counts: bool


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a process.

    Attributes:
        done: messages worked on so far.
        sides: of today and candidate, with the last line.
        rules: evaluated, each that both sides have once; with the last line.
        error: why it cannot go on, for the user's eyes.
        status: exit status that goes with `error`.
    """

    done: int = 0
    sides: tuple[Figures, Figures] | None = None
    rules: int = 0
    error: str | None = None
    status: int = 1


def write_share(pipe: BinaryIO, share: Share) -> None:
    """Send the first frame."""
    _write(pipe, msgspec.json.encode(share), b"", b"")


def read_share(pipe: BinaryIO) -> Share:
    """Receive the first frame.

    Raises:
        EOFError: whoever began this has gone.
    """
    head, _, _ = _read(pipe)
    return msgspec.json.decode(head, type=Share)


def write_piece(pipe: BinaryIO, piece: Piece) -> None:
    """Send rows."""
    head = msgspec.json.encode(PieceHead(piece.counts))
    _write(pipe, head, _serialized(piece.messages), _serialized(piece.notices))


def write_end(pipe: BinaryIO) -> None:
    """Say that there is no more."""
    _write(pipe, b"null", b"", b"")


def read_piece(pipe: BinaryIO) -> Piece | None:
    """Receive rows; None at the end.

    Raises:
        EOFError: whoever began this has gone.
    """
    head, messages, notices = _read(pipe)
    said = msgspec.json.decode(head, type=PieceHead | None)
    if said is None:
        return None
    return Piece(_deserialized(messages), _deserialized(notices), said.counts)


def _serialized(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _deserialized(body: bytes) -> pa.Table:
    with pa.ipc.open_stream(body) as reader:
        table: pa.Table = reader.read_all()
    return table


def _write(pipe: BinaryIO, *parts: "bytes | pa.Buffer") -> None:
    pipe.write(_LENGTHS.pack(*(len(part) for part in parts)))
    for part in parts:
        pipe.write(memoryview(part))
    pipe.flush()


def _read(pipe: BinaryIO) -> tuple[bytes, bytes, bytes]:
    lengths = _LENGTHS.unpack(_exactly(pipe, _LENGTHS.size))
    head, messages, notices = (_exactly(pipe, length) for length in lengths)
    return head, messages, notices


def _exactly(pipe: BinaryIO, length: int) -> bytes:
    content = pipe.read(length)
    if len(content) < length:
        raise EOFError
    return content
