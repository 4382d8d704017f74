"""Devices of the same tenant, class and model, side by side: what ``peers(x)`` compares.

A distance is taken from the latest values at that moment, in the order in which messages came. So this is
kept apart from the lanes, where devices do not meet: a batch's readings stand in a story, and whoever asks
for a distance at a row of the batch is answered from the state before it and the story up to that row.

The distance is robust: ``|x - median| / (1.4826 MAD)``, in which a few broken devices among many change
little (Leys et al.: Detecting outliers, Journal of Experimental Social Psychology 49, 2013). 1.4826 makes it
equal standard deviations where values are normally distributed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rules.batch import Bool, Float64, Int64, ReadingBatch
from rules.lanes import NEVER, Column
from rules.symbols import Channel, Symbols

#: Fewer say nothing, contract section 9.
LEAST_PEERS = 8
#: A device is compared with the first so many of its model: more would say the same, and cost more.
MOST_PEERS = 1000
_NORMAL = 1.4826

#: A lane: number of the device, and of its component, -1 for the device itself.
Member = tuple[int, int]
#: Tenant and model.
GroupName = tuple[str, str]


class _Group:
    """The latest values of the lanes of one tenant and model."""

    def __init__(self) -> None:
        self.place: dict[Member, int] = {}
        self.value = np.full(LEAST_PEERS, np.nan)
        self.time = np.full(LEAST_PEERS, NEVER, dtype=np.int64)

    def copy(self) -> "_Group":
        other = _Group()
        other.place, other.value, other.time = dict(self.place), self.value.copy(), self.time.copy()
        return other

    def set(self, member: Member, value: float, time: int) -> None:
        place = self.place.get(member)
        if place is None:
            if len(self.place) >= MOST_PEERS:
                return
            place = self.place[member] = len(self.place)
            if place >= len(self.value):
                self.value = np.append(self.value, np.full(len(self.value), np.nan))
                self.time = np.append(self.time, np.full(len(self.time), NEVER))
        self.value[place], self.time[place] = value, time

    def drop(self, member: Member) -> None:
        """Leave a member out; the last one takes its place."""
        place = self.place.pop(member, None)
        if place is None:
            return
        last = len(self.place)
        if place != last:
            moved = next(m for m, p in self.place.items() if p == last)
            self.place[moved] = place
            self.value[place], self.time[place] = self.value[last], self.time[last]
        self.value[last] = np.nan

    def distance(self, value: float, t: int, column: Column) -> float:
        count = len(self.place)
        values = self.value[:count]
        values = values[column.is_fresh(self.time[:count], t) & ~np.isnan(values)]
        if len(values) < LEAST_PEERS:
            return np.nan
        middle = float(np.median(values))
        spread = float(np.median(np.abs(values - middle)))
        if spread == 0.0:
            return 0.0 if value == middle else np.inf
        return abs(value - middle) / (_NORMAL * spread)


class _State:
    """The latest readings of a signal, and the groups that they make.

    A state that lies over another begins as that one and leaves it as it is.
    """

    def __init__(self, below: "_State | None" = None) -> None:
        self._below = below
        # By device and then by lane: value and time of the latest reading, with a model or without.
        self._latest: dict[int, dict[Member, tuple[float, int]]] = {}
        self._groups: dict[GroupName, _Group] = {}
        self._models: dict[int, str] = {}

    def _lanes(self, device: int) -> dict[Member, tuple[float, int]]:
        lanes = self._latest.get(device)
        if lanes is None:
            lanes = self._latest[device] = dict(self._below._lanes(device)) if self._below else {}
        return lanes

    def _group(self, name: GroupName) -> _Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = self._below._group(name).copy() if self._below else _Group()
        return group

    def model(self, device: int) -> str | None:
        """Return the model of a device, None when it never said."""
        model = self._models.get(device)
        return self._below.model(device) if model is None and self._below else model

    def take(self, tenant: str, member: Member, value: float, time: int) -> None:
        """Take a reading; one that repeats the time of the last is left out."""
        lanes = self._lanes(member[0])
        before = lanes.get(member)
        if before is not None and before[1] == time:
            return
        lanes[member] = (value, time)
        model = self.model(member[0])
        if model is not None:
            self._group((tenant, model)).set(member, value, time)

    def move(self, tenant: str, device: int, model: str) -> None:
        """Take note that a device is of a model."""
        before = self.model(device)
        self._models[device] = model
        if model == before:
            return
        for member, (value, time) in self._lanes(device).items():
            if before is not None:
                self._group((tenant, before)).drop(member)
            self._group((tenant, model)).set(member, value, time)

    def distance(self, tenant: str, device: int, value: float, t: int, column: Column) -> float:
        """Return how far a value is from the device's group, nan where that says nothing."""
        model = self.model(device)
        return np.nan if model is None else self._group((tenant, model)).distance(value, t, column)


@dataclass(frozen=True, slots=True)
class _Read:
    """A reading of the batch."""

    moment: int
    member: Member
    value: float
    time: int


@dataclass(frozen=True, slots=True)
class _Moved:
    """A device of the batch that states its model."""

    moment: int
    device: int
    model: str


@dataclass(slots=True)
class _Followed:
    """A signal that rules compare, in the lanes of a kind, and what the batch says of it, in order."""

    kind: str
    signal: str
    component: str
    state: _State = field(default_factory=_State)
    story: list[_Read | _Moved] = field(default_factory=list)

    def is_about(self, channel: Channel) -> bool:
        """Return whether a channel is of the signal."""
        if channel.signal != self.signal:
            return False
        if self.kind and not self.component:
            return bool(channel.component)
        return channel.component == self.component


@dataclass(frozen=True, slots=True)
class Asked:
    """N lanes whose distances are asked for.

    Attributes:
        device: [N] int64, numbers of the lanes' devices.
        value: [N] float64, their own fresh values.
        t: [N] int64, at which values must be fresh.
        upto: [N] int64, the last row of the batch that is seen.
    """

    device: Int64
    value: Float64
    t: Int64
    upto: Int64


class PeerBook:
    """The compared signals of one class."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._followed: dict[tuple[str, str, str], _Followed] = {}

    def follow(self, kind: str, signal: str, component: str) -> None:
        """Compare a signal in the lanes of a kind; declared before the first lane comes."""
        key = (kind, signal, component)
        self._followed.setdefault(key, _Followed(kind, signal, component))

    @property
    def idle(self) -> bool:
        """Whether no rule compares anything."""
        return not self._followed

    # A batch

    def begin(self, batch: ReadingBatch, kept: Bool, moves: Sequence[tuple[int, int, str]]) -> None:
        """Note what a batch brings.

        Args:
            batch: of all classes.
            kept: [M] bool, the message is of this class and is not late.
            moves: (row before which, device, model) as devices state it.
        """
        chosen = np.flatnonzero(kept[batch.message]) if len(batch.message) else np.empty(0, dtype=np.int64)
        channels = batch.channel[chosen]
        present = [(number, self._symbols.channels[number]) for number in np.unique(channels).tolist()]
        for followed in self._followed.values():
            wanted = [number for number, channel in present if followed.is_about(channel)]
            rows = chosen[np.isin(channels, wanted)]
            messages = batch.message[rows]
            story: list[_Read | _Moved] = [
                _Read(2 * message + 1, (device, self._component(followed, channel)), value, time)
                for message, device, channel, value, time in zip(
                    messages.tolist(),
                    batch.device[messages].tolist(),
                    batch.channel[rows].tolist(),
                    batch.value[rows].tolist(),
                    batch.ts[messages].tolist(),
                    strict=True,
                )
            ]
            story += [_Moved(2 * row, device, model) for row, device, model in moves]
            followed.story = sorted(story, key=lambda entry: entry.moment)

    def _component(self, followed: _Followed, channel: int) -> int:
        if not followed.kind or followed.component:
            return -1
        return self._symbols.components.intern(self._symbols.channels[channel].component)

    def end(self) -> None:
        """Keep what the batch brought."""
        for followed in self._followed.values():
            for entry in followed.story:
                self._play(followed.state, entry)
            followed.story = []

    def restore(self, kind: str, column: Column, members: list[Member], models: dict[int, str]) -> None:
        """Take up the latest values of a column's lanes, whose devices have these models."""
        followed = self._followed.get((kind, column.signal, column.component or ""))
        if followed is None:
            return
        for device, model in models.items():
            followed.state.move(self._tenant(device), device, model)
        if column.empty:
            return
        values, times = column.arrays["values"].tolist(), column.arrays["times"].tolist()
        for row, member in enumerate(members):
            if times[row] != NEVER:
                followed.state.take(self._tenant(member[0]), member, values[row], times[row])

    # Distances

    def distances(self, kind: str, column: Column, asked: "Asked") -> Float64:
        """Return how many scaled MADs lanes are from the median of their peers, themselves among them.

        Args:
            kind: of the lanes.
            column: of the signal.
            asked: lanes with a fresh value of their own.
        """
        followed = self._followed[(kind, column.signal, column.component or "")]
        result = np.full(len(asked.device), np.nan)
        seen = _State(followed.state) if followed.story else followed.state
        told = 0
        for place in np.argsort(asked.upto, kind="stable").tolist():
            while (
                told < len(followed.story) and followed.story[told].moment <= 2 * int(asked.upto[place]) + 1
            ):
                self._play(seen, followed.story[told])
                told += 1
            device = int(asked.device[place])
            value, t = float(asked.value[place]), int(asked.t[place])
            result[place] = seen.distance(self._tenant(device), device, value, t, column)
        return result

    def _play(self, state: _State, entry: _Read | _Moved) -> None:
        if isinstance(entry, _Moved):
            state.move(self._tenant(entry.device), entry.device, entry.model)
        else:
            state.take(self._tenant(entry.member[0]), entry.member, entry.value, entry.time)

    def _tenant(self, device: int) -> str:
        return self._symbols.devices[device].tenant
