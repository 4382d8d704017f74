"""Which channels messages bring, in order: the same few lists over and over, kept once in the file."""

import numpy as np
import pyarrow as pa

from rules.batch import Int32, Int64
from rules.symbols import Interner

#: Odd factors of a multiplicative hash (Knuth, The Art of Computer Programming 3, 6.4).
_OF_CHANNEL = np.uint64(0x9E37_79B9_7F4A_7C15)
_OF_PLACE = np.uint64(0xC2B2_AE3D_27D4_EB4F)


class Layouts:
    """The layouts of a file by number.

    Attributes:
        stored: every list of channels, by the file's numbers, with its number.
        saved: how many of them stand in the file; those after it are written with the next batch.
    """

    def __init__(self) -> None:
        self.stored: Interner[tuple[int, ...]] = Interner()
        self.saved = 0
        self._columns: tuple[Int32, Int64, Int64] | None = None

    def to_file(self, message: Int32, channel: Int32, count: int) -> Int32:
        """Return [M] int32 the layout of each of `count` messages; new ones are given a number.

        Args:
            message: [R] int32, the message of each reading, never decreasing.
            channel: [R] int32, the file's number of its channel.
            count: M.
        """
        sizes = np.bincount(message, minlength=count)
        begins = np.cumsum(sizes) - sizes
        place = np.arange(len(message)) - begins[message]
        mixed = channel.astype(np.uint64) * _OF_CHANNEL + place.astype(np.uint64) * _OF_PLACE
        mixed ^= mixed >> np.uint64(29)
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed * _OF_CHANNEL)])
        hashes = sums[begins + sizes] - sums[begins]
        _, first, alike = np.unique(hashes, return_index=True, return_inverse=True)
        numbers = np.array(
            [self.stored.intern(_listed(channel, begins[row], sizes[row])) for row in first], dtype=np.int32
        )
        layout: Int32 = numbers[alike] if count else np.zeros(0, dtype=np.int32)
        for row in self._mistaken(layout, message, channel, sizes):
            layout[row] = self.stored.intern(_listed(channel, begins[row], sizes[row]))
        return layout

    def _mistaken(self, layout: Int32, message: Int32, channel: Int32, sizes: Int64) -> list[int]:
        """Return the messages whose layout is another's of the same hash; chance nearly never brings one."""
        expected, lengths = self.channels(layout)
        wrong = lengths != sizes
        if wrong.any():
            return np.flatnonzero(sizes >= 0).tolist()
        wrong[message[expected != channel]] = True
        return np.flatnonzero(wrong).tolist()

    def channels(self, layout: Int32 | Int64) -> tuple[Int32, Int64]:
        """Return the channels of [M] layouts one after the other, [R] int32, and how many each has, [M]."""
        if self._columns is None or len(self._columns[1]) < len(self.stored):
            lengths = np.array([len(channels) for channels in self.stored.names], dtype=np.int64)
            flat = [channel for channels in self.stored.names for channel in channels]
            self._columns = np.array(flat, dtype=np.int32), np.cumsum(lengths) - lengths, lengths
        flat_channels, starts, all_lengths = self._columns
        sizes = all_lengths[layout]
        ends = np.cumsum(sizes)
        places = np.repeat(starts[layout] - (ends - sizes), sizes) + np.arange(int(sizes.sum()))
        return flat_channels[places], sizes

    def unsaved_rows(self) -> pa.Table:
        """Return the layouts that the file does not have yet, as rows of its table."""
        lists = [list(channels) for channels in self.stored.names[self.saved :]]
        numbers = np.arange(self.saved, len(self.stored), dtype=np.int32)
        return pa.table({"number": numbers, "channels": pa.array(lists, pa.list_(pa.int32()))})

    def mark_saved(self) -> None:
        """Take note that all layouts stand in the file."""
        self.saved = len(self.stored)


def _listed(channel: Int32, begin: int, size: int) -> tuple[int, ...]:
    return tuple(channel[begin : begin + size].tolist())
