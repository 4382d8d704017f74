"""A synthetic fleet: what its devices send, as the columns that the decoder would have made of it."""

from collections.abc import Iterator

import numpy as np

from gateway.bench.profiles import PROFILES, Counter, Gauge, Profile, Reading, Word
from rules.batch import Bool, Float64, Int32, Int64, ReadingBatch
from rules.engine import FactsUpdate
from rules.symbols import DeviceId, Symbols

#: 2026-01-01T00:00:00Z, when the first round of messages begins.
START = 1_767_225_600_000
#: Distance of a device's messages, ms; one round.
ROUND_MS = 60_000
#: Values that a message brings.
VALUES = 6
#: Devices of which something is broken. About half of the signals of such a device show it.
FAULTY_SHARE = 0.02
_SHOWN_SHARE = 0.5
#: A broken part shows now and then a good value.
_WAVERING = 0.01
#: Devices that state facts of their own: limits, for rules that ask for them.
FACTS_SHARE = 0.02

Arrived = tuple[ReadingBatch, list[FactsUpdate]]


class Fleet:
    """Devices of all profiles and where their signals stand.

    Attributes:
        size: how many; their numbers begin at 0, the profiles are mixed.
        symbols: of the engine they speak to; they must be introduced to it before they speak.
    """

    def __init__(self, size: int, seed: int, symbols: Symbols) -> None:
        self.size = size
        self.symbols = symbols
        self._random = np.random.default_rng([seed, 1])
        shares = [profile.share for profile in PROFILES]
        self._profile = self._random.choice(len(PROFILES), size=size, p=shares).astype(np.int8)
        self._place = np.empty(size, dtype=np.int32)  # by device, its row in its profile's group
        self._phase = self._random.integers(0, 4, size)
        self._groups = [
            _Group(profile, int((self._profile == index).sum()), self._random, symbols)
            for index, profile in enumerate(PROFILES)
        ]
        for index, group in enumerate(self._groups):
            self._place[self._profile == index] = np.arange(group.size)
        self._offset = self._random.integers(0, ROUND_MS, size).astype(np.int32)

    def introduce(self) -> None:
        """Give the devices their names in the symbols, which nobody else has used."""
        for number, index in enumerate(self._profile.tolist()):
            profile = PROFILES[index]
            name = f"{profile.name}-{number:07d}"
            self.symbols.devices.intern(DeviceId(f"tenant-{number % 20:02d}", profile.device_class, name))

    def devices(self, profile: str) -> int:
        """Return how many devices are of a profile."""
        return next(group.size for group in self._groups if group.profile.name == profile)

    def round(self, number: int, begin: int, batch_size: int) -> Iterator[Arrived]:
        """Yield the messages of a round, one of each device, in random order of devices.

        Args:
            number: from 0; in the first round some devices state facts before their message.
            begin: of the minute in which the devices send, each at its own second of it, ms.
            batch_size: of all batches but the last.
        """
        order = self._random.permutation(self.size).astype(np.int32)
        # All that devices sent within the minute arrives in the minute after it.
        arrival = begin + ROUND_MS + np.arange(self.size, dtype=np.int64) * ROUND_MS // self.size
        for first in range(0, self.size, batch_size):
            devices = order[first : first + batch_size]
            arrived = arrival[first : first + batch_size]
            ts = begin + self._offset[devices].astype(np.int64)
            batch = self._batch(devices, ts, arrived, (self._phase[devices] + number) % 4)
            yield batch, self._facts(devices, arrived) if number == 0 else []

    def drawn(self, count: int, begin: int, batch_size: int) -> Iterator[Arrived]:
        """Yield messages of devices drawn one by one, so that some stand twice in a batch and others in none.

        Args:
            count: messages; for as many as there are devices, as much time passes as in a round.
            begin: when the first is sent, ms.
            batch_size: of all batches but the last.
        """
        devices = self._random.integers(0, self.size, count).astype(np.int32)
        ts = begin + np.arange(count, dtype=np.int64) * ROUND_MS // self.size
        for first in range(0, count, batch_size):
            cut = slice(first, first + batch_size)
            turn = self._random.integers(0, 4, len(devices[cut]))
            yield self._batch(devices[cut], ts[cut], ts[cut] + ROUND_MS, turn), []

    def course(self, profile: str, *, faulty: bool, count: int, begin: int) -> ReadingBatch:
        """Return one batch in which a single device speaks `count` times, a second apart.

        Args:
            profile: its name; the first device of this profile that is faulty, or not, is taken.
            faulty: whether something of the device is broken.
            count: messages.
            begin: device time of the first, ms; those of the rounds before must lie before it.

        Raises:
            LookupError: the fleet has no such device.
        """
        index = next(i for i, known in enumerate(PROFILES) if known.name == profile)
        group = self._groups[index]
        places = np.flatnonzero(group.faulty.any(axis=1) == faulty)
        if not len(places):
            raise LookupError(
                f"none of {group.size} devices is {profile}, {'faulty' if faulty else 'healthy'}"
            )
        number = int(np.flatnonzero((self._profile == index) & (self._place == places[0]))[0])
        ts = begin + 1000 * np.arange(count, dtype=np.int64)
        devices = np.full(count, number, dtype=np.int32)
        return self._batch(devices, ts, ts + ROUND_MS, np.arange(count) % 4)

    def _batch(self, devices: Int32, ts: Int64, arrival: Int64, turn: Int64) -> ReadingBatch:
        """Return the messages of devices, each with the group of signals whose turn it is."""
        count = len(devices)
        channel = np.empty((count, VALUES), dtype=np.int32)
        value = np.empty((count, VALUES), dtype=np.float64)
        kind = np.empty((count, VALUES), dtype=np.int8)
        code = self._profile[devices] * 4 + turn
        for index, group in enumerate(self._groups):
            for k, columns in enumerate(group.profile.groups):
                rows = np.flatnonzero(code == index * 4 + k)
                if not len(rows):
                    continue
                places = self._place[devices[rows]]
                for position, column in enumerate(columns):
                    value[rows, position] = group.read(column, places, self._random)
                channel[rows] = group.channels[list(columns)]
                kind[rows] = group.kinds[list(columns)]
        message = np.repeat(np.arange(count, dtype=np.int32), VALUES)
        return ReadingBatch(devices, ts, arrival, message, channel.ravel(), value.ravel(), kind.ravel())

    def _facts(self, devices: Int32, arrival: Int64) -> list[FactsUpdate]:
        stating = np.flatnonzero(self._random.random(len(devices)) < FACTS_SHARE)
        return [
            FactsUpdate(
                position,
                int(devices[position]),
                int(arrival[position]),
                self._groups[self._profile[devices[position]]].facts,
            )
            for position in stating.tolist()
        ]


class _Group:
    """The devices of one profile.

    Attributes:
        channels: [S] int32, number of each signal's channel.
        kinds: [S] int8, a `Kind` each.
        faulty: [N, S] bool, whether the signal shows what is broken.
    """

    def __init__(self, profile: Profile, size: int, random: np.random.Generator, symbols: Symbols) -> None:
        self.profile = profile
        self.size = size
        signals = profile.signals
        self.channels = np.array([symbols.channel(s.key) for s in signals], dtype=np.int32)
        self.kinds = np.array([s.kind for s in signals], dtype=np.int8)
        self.faulty: Bool = np.zeros((size, len(signals)), dtype=np.bool_)
        broken = np.flatnonzero(random.random(size) < FAULTY_SHARE)
        self.faulty[broken] = random.random((len(broken), len(signals))) < _SHOWN_SHARE
        self._stands = np.empty((len(signals), size), dtype=np.float32)  # own values, or what was counted
        for column, signal in enumerate(signals):
            self._stands[column] = signal.first(random, size)
        self._texts: dict[int, Float64] = {
            column: np.array([symbols.texts.intern(text) for text in signal.texts], dtype=np.float64)
            for column, signal in enumerate(signals)
            if isinstance(signal, Word)
        }
        self.facts: dict[str, object] = {
            limit_fact(signal): signal.limit for signal in signals if isinstance(signal, Gauge)
        }

    def read(self, column: int, places: Int32, random: np.random.Generator) -> Float64:
        """Return the next reading of a signal of N devices, in order of time where one stands twice."""
        signal = self.profile.signals[column]
        faulty = self.faulty[places, column]
        broken = np.flatnonzero(faulty)
        faulty[broken] = random.random(len(broken)) >= _WAVERING
        own: Float64 = self._stands[column][places].astype(np.float64)
        if isinstance(signal, Counter):
            counted: Float64 = own + _so_far(places, signal.steps(random, faulty))
            self._stands[column][places] = counted
            return counted
        values = signal.read(random, own, faulty)
        if isinstance(signal, Word):
            values = self._texts[column][values.astype(np.int64)]
        return values


def _so_far(places: Int32, steps: Float64) -> Float64:
    """Return for each step the sum of those of the same place up to it."""
    order = np.argsort(places, kind="stable")
    sums = np.cumsum(steps[order])
    first = np.flatnonzero(np.diff(places[order], prepend=-1))
    before = (sums - steps[order])[first]
    result = np.empty_like(steps)
    result[order] = sums - np.repeat(before, np.diff(first, append=len(places)))
    return result


def limit_fact(signal: Reading) -> str:
    """Return the name of the fact with which a device states a limit of its own for a signal."""
    return f"limit.{signal.key.partition('@')[0]}"
