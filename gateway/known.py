"""What devices said of themselves, by their numbers.

Kept as columns and as lines of JSON, which are copied in no time: the state is saved while messages come.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
import numpy as np

from gateway.ports import DeviceRecord
from rules.batch import Bool, Int64
from rules.snapshot import Arrays
from rules.symbols import DeviceId, Symbols
from rules.times import MINUTE_MS

#: A device's ``last_seen`` is written to the ledger at most this often while nothing else of it changes.
SEEN_EVERY_MS = MINUTE_MS

_NEVER = np.iinfo(np.int64).min
_ONLINE = {None: -1, False: 0, True: 1}
_ONLINE_OF = {number: online for online, number in _ONLINE.items()}


class KnownDevices:
    """The devices that ever spoke.

    Memory a device: 17 bytes and the line with its name and its facts.
    """

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._last_seen = np.full(0, _NEVER, dtype=np.int64)
        self._written = np.full(0, _NEVER, dtype=np.int64)  # last_seen as the ledger has it
        self._online = np.full(0, -1, dtype=np.int8)
        self._lines: list[bytes] = []  # ["tenant", "class", "device", {facts}], empty before the first word

    def unknown(self, numbers: Int64) -> Bool:
        """Return [N] bool: the device never spoke before."""
        self._reserve()
        unknown: Bool = self._last_seen[numbers] == _NEVER
        return unknown

    def introduce(self, number: int, arrival: int) -> None:
        """Take in a device that speaks for the first time, at `arrival` in ms."""
        self._reserve()
        self._last_seen[number] = arrival
        self.state(number, {})

    def hear(self, numbers: Int64, arrivals: Int64) -> None:
        """Note when N different devices were heard, ms."""
        self._last_seen[numbers] = np.maximum(self._last_seen[numbers], arrivals)

    def due(self, numbers: Int64) -> Int64:
        """Return those of N devices whose last word has not been written to the ledger for a while."""
        new = self._written[numbers] == _NEVER
        old = self._last_seen[numbers] - np.where(new, 0, self._written[numbers]) >= SEEN_EVERY_MS
        chosen: Int64 = numbers[new | old]
        return chosen

    def last_seen(self, number: int) -> int | None:
        """Return the arrival of a device's last message, ms; None when it never spoke. Any thread may ask."""
        columns = self._last_seen
        return int(columns[number]) if number < len(columns) and columns[number] != _NEVER else None

    def unwritten(self) -> Int64:
        """Return the devices that spoke again since the ledger was told of them."""
        return np.flatnonzero(self._last_seen > self._written)

    def facts(self, number: int) -> dict[str, object]:
        """Return what a device has said of itself, a copy."""
        facts: dict[str, object] = msgspec.json.decode(self._lines[number])[len(DeviceId._fields)]
        return facts

    def state(self, number: int, facts: Mapping[str, object]) -> None:
        """Keep what a device says of itself in place of what it had said."""
        self._lines[number] = msgspec.json.encode([*self._symbols.devices[number], facts])

    def online(self, number: int) -> bool | None:
        """Return its last status, None when it never said."""
        return _ONLINE_OF[int(self._online[number])]

    def connect(self, number: int, online: bool) -> None:
        """Keep a device's status."""
        self._online[number] = _ONLINE[online]

    def write(self, numbers: Iterable[int]) -> list[DeviceRecord]:
        """Return the devices as the ledger is to have them."""
        records = []
        for number in numbers:
            self._written[number] = self._last_seen[number]
            records.append(
                DeviceRecord(
                    self._symbols.devices[number],
                    self.facts(number),
                    self.online(number),
                    int(self._last_seen[number]),
                )
            )
        return records

    def with_facts(self) -> Iterator[tuple[int, dict[str, object]]]:
        """Yield number and facts of every device that ever spoke."""
        for number, line in enumerate(self._lines):
            if line:
                yield number, self.facts(number)

    def snapshot(self) -> Arrays:
        """Return all that is known; the columns are views."""
        size = len(self._lines)
        return {
            "known/lines": np.frombuffer(b"\n".join(self._lines), dtype=np.uint8),
            "known/last_seen": self._last_seen[:size],
            "known/written": self._written[:size],
            "known/online": self._online[:size],
        }

    def restore(self, arrays: Arrays) -> None:
        """Take up what was saved."""
        written = arrays.get("known/written", arrays["known/last_seen"])  # which older states lack
        for row, line in enumerate(arrays["known/lines"].tobytes().split(b"\n")):
            if not line:
                continue
            names = msgspec.json.decode(line)[: len(DeviceId._fields)]
            number = self._symbols.devices.intern(DeviceId(*names))
            self._reserve()
            self._lines[number] = line
            self._last_seen[number] = arrays["known/last_seen"][row]
            self._written[number] = written[row]
            self._online[number] = arrays["known/online"][row]

    def _reserve(self) -> None:
        """Make room for every device that has a number."""
        size = len(self._symbols.devices)
        self._lines.extend(b"" for _ in range(size - len(self._lines)))
        missing = size - len(self._last_seen)
        if missing > 0:
            more = (0, max(missing, len(self._last_seen)))
            self._last_seen = np.pad(self._last_seen, more, constant_values=_NEVER)
            self._written = np.pad(self._written, more, constant_values=_NEVER)
            self._online = np.pad(self._online, more, constant_values=-1)


def merge(facts: dict[str, object], stated: Mapping[str, object]) -> bool:
    """Lay what a device states over what it had stated; return whether that changed anything."""
    changed = False
    for name, value in stated.items():
        before = facts.get(name)
        if name == "components" and isinstance(value, Mapping):
            components = facts.setdefault(name, {})
            assert isinstance(components, dict)
            for component, part in value.items():
                merged = {**components.get(component, {}), **part}
                changed |= merged != components.get(component)
                components[component] = merged
        elif name not in facts or before != value:
            facts[name] = value
            changed = True
    return changed
