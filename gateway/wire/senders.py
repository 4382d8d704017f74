"""Who sends telemetry, and what the decoder remembers of each: by number, a batch at once."""

import numpy as np

from rules.batch import Int32, Int64
from rules.symbols import DeviceId, Interner, Symbols
from rules.times import MINUTE_MS

#: A clock that runs ahead by more is wrong (contract section 2).
MAX_AHEAD_MS = 5 * MINUTE_MS

#: More distinct texts no device has; a sender that makes them up would fill memory.
MAX_TEXTS = 2_000

_MAX_SHARED_SETS = 4_096
_NOTHING: frozenset[int] = frozenset()


class Senders:
    """The devices whose topics were seen, numbered in the order of their coming.

    A sender is one before anything that it sent was of use; only then it becomes a device of `Symbols`.
    """

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._devices: Interner[DeviceId] = Interner()
        self._known: list[frozenset[int]] = []  # channels named so far; equal sets are one object
        self._texts: list[int] = []  # how many texts it was the first to send
        self._dated: list[int] = []  # the time that its latest message without one was given
        self._numbers: Int32 = np.zeros(0, dtype=np.int32)  # in Symbols.devices, -1: not one yet
        self._layouts: Int32 = np.zeros(0, dtype=np.int32)  # of its latest message, -1: none
        self._shared_sets: dict[frozenset[int], frozenset[int]] = {}

    def sender(self, device: DeviceId) -> int:
        """Return the number of a sender, a new one where it was never seen."""
        number = self._devices.intern(device)
        if number == len(self._known):
            self._known.append(_NOTHING)
            self._texts.append(0)
            self._dated.append(-1)
            if number == len(self._numbers):
                more = (0, max(1_024, number))
                self._numbers = np.pad(self._numbers, more, constant_values=-1)
                self._layouts = np.pad(self._layouts, more, constant_values=-1)
        return number

    def device(self, sender: int) -> DeviceId:
        """Return who a sender is."""
        return self._devices[sender]

    def number(self, sender: int) -> int:
        """Return a sender's number among the devices; it becomes one now if it was none."""
        number = int(self._numbers[sender])
        if number < 0:
            number = self._numbers[sender] = self._symbols.devices.intern(self._devices[sender])
        return number

    def numbers(self, senders: Int64) -> Int32:
        """Return [M] int32 the devices' numbers of [M] senders; who is none yet becomes one now."""
        found = self._numbers[senders]
        for place in np.flatnonzero(found < 0).tolist():
            found[place] = self.number(int(senders[place]))
        return found

    def layouts(self, senders: Int64) -> Int32:
        """Return [M] int32 the layout of the latest message of [M] senders, -1 for none."""
        return self._layouts[senders]

    def lay_out(self, sender: int, layout: int) -> None:
        """Remember the layout of a sender's message."""
        self._layouts[sender] = layout

    def forget_layouts(self) -> None:
        """Forget all layouts: they are numbered anew."""
        self._layouts[:] = -1

    def known(self, sender: int) -> frozenset[int]:
        """Return the channels that a sender has named so far."""
        return self._known[sender]

    def remember(self, sender: int, channels: frozenset[int]) -> None:
        """Add channels to those the sender is known for; senders of one kind share one set."""
        if len(self._shared_sets) >= _MAX_SHARED_SETS:
            self._shared_sets.clear()
        known = self._known[sender] | channels
        self._known[sender] = self._shared_sets.setdefault(known, known)

    def may_name_text(self, sender: int) -> bool:
        """Say whether a sender may be the first to send one more text, and count it."""
        if self._texts[sender] >= MAX_TEXTS:
            return False
        self._texts[sender] += 1
        return True

    def date(self, sender: int, arrival: int) -> int:
        """Return the time of a message that has none: that of its arrival.

        What waited at the broker arrives at one instant. Messages of one device are told apart all the same,
        a millisecond each, or all but the first would be taken for repetitions of it.
        """
        self._dated[sender] = min(max(arrival, self._dated[sender] + 1), arrival + MAX_AHEAD_MS)
        return self._dated[sender]
