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

#: A device that comes online so often within a minute is reconnecting; it is steady again once a minute holds
#: fewer than `STEADY_BELOW`. (15 a minute: the flapping limit of issue 4.)
RECONNECTS = 15
STEADY_BELOW = 5

_NEVER = np.iinfo(np.int64).min
_ONLINE = {None: -1, False: 0, True: 1}
_ONLINE_OF = {number: online for online, number in _ONLINE.items()}


class KnownDevices:
    """The devices that ever spoke.

    Memory a device: 17 bytes and the line with its name and its facts; of those that came online within the
    last minute the last `RECONNECTS` times, too.
    """

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._last_seen = np.full(0, _NEVER, dtype=np.int64)
        self._written = np.full(0, _NEVER, dtype=np.int64)  # last_seen as the ledger has it
        self._online = np.full(0, -1, dtype=np.int8)
        self._connects: dict[
            int, tuple[int, ...]
        ] = {}  # arrivals of the last `RECONNECTS`, of the last minute
        self._reconnecting: set[int] = set()  # reported, and not steady since
        self._swept = _NEVER  # when what is older than a minute was forgotten last
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

    def back(self, numbers: Int64) -> Int64:
        """Note that N devices speak, and return those of them that had been said to be gone."""
        gone: Int64 = numbers[self._online[numbers] == _ONLINE[False]]
        self._online[gone] = _ONLINE[True]
        return gone

    def due(self, numbers: Int64) -> Int64:
        """Return those of N devices whose last word has not been written to the ledger for a while."""
        new = self._written[numbers] == _NEVER
        old = self._last_seen[numbers] - np.where(new, 0, self._written[numbers]) >= SEEN_EVERY_MS
        chosen: Int64 = numbers[new | old]
        return chosen

    def last_seen(self, number: int) -> int | None:
        """Return the arrival of a device's last live message, ms; None when it never spoke. On any thread."""
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

    def came_online(self, number: int, arrival: int) -> bool:
        """Count that a device came online at `arrival`; return whether that makes it a reconnecting one."""
        self._sweep(arrival)
        before = self._connects.get(number, ())
        if self._rate(before, arrival) < STEADY_BELOW - 1:
            self._reconnecting.discard(number)
        connects = self._connects[number] = (*before, arrival)[-RECONNECTS:]
        if number in self._reconnecting or self._rate(connects, arrival) < RECONNECTS:
            return False
        self._reconnecting.add(number)
        return True

    def reconnects(self, number: int, now: int) -> int:
        """Return how often a reconnecting device came online within a minute, 0 when steady. On any thread.

        No more than `RECONNECTS` are counted.
        """
        rate = self._rate(self._connects.get(number, ()), now)
        return rate if number in self._reconnecting and rate >= STEADY_BELOW else 0

    @staticmethod
    def _rate(connects: tuple[int, ...], now: int) -> int:
        return sum(at > now - MINUTE_MS for at in connects)

    def _sweep(self, now: int) -> None:
        """Forget, once a minute, the devices that did not come online within the last one."""
        if self._swept != _NEVER and now - self._swept < MINUTE_MS:
            return
        self._swept = now
        self._connects = {n: connects for n, connects in self._connects.items() if self._rate(connects, now)}
        self._reconnecting &= self._connects.keys()

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
            "known/connects": np.array(
                [(number, at) for number, connects in self._connects.items() for at in connects],
                dtype=np.int64,
            ).reshape(-1, 2),
            "known/reconnecting": np.array(sorted(self._reconnecting), dtype=np.int64),
        }

    def restore(self, arrays: Arrays) -> None:
        """Take up what was saved."""
        connects: dict[int, list[int]] = {}
        for row, at in arrays.get("known/connects", np.empty((0, 2), dtype=np.int64)).tolist():
            connects.setdefault(row, []).append(at)
        reconnecting = set(arrays.get("known/reconnecting", np.empty(0, dtype=np.int64)).tolist())
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
            if row in connects:
                self._connects[number] = tuple(connects[row])
            if row in reconnecting:
                self._reconnecting.add(number)

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


def unstated(facts: Mapping[str, object], older: Mapping[str, object]) -> dict[str, object]:
    """Return of what a device stated before what it has not stated since."""
    left = {name: value for name, value in older.items() if name != "components" and name not in facts}
    before, since = older.get("components"), facts.get("components", {})
    if isinstance(before, Mapping) and isinstance(since, Mapping):
        components = {
            component: {name: value for name, value in part.items() if name not in since.get(component, {})}
            for component, part in before.items()
        }
        left |= {"components": {name: part for name, part in components.items() if part}}
    return left
