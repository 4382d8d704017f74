"""A simulated device: who it is, what it measures as time passes, and how it answers a self test."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.random import Generator

from rules.batch import Value
from rules.symbols import DeviceId
from simulators.faults import Fault, Lookalike

Values = dict[str, Value]
Facts = dict[str, object]
ReplyState = Literal["running", "passed", "failed", "unsupported", "error"]

#: A self test takes between half a minute and two minutes of device time.
_PROBE_MS = (30_000, 120_000)
#: Commands remembered, so that one that the broker delivers twice is run once.
_REMEMBERED = 100


class Telemetry(NamedTuple):
    """One message: device time in ms since 1970 UTC, and values by key (``signal@component``)."""

    ts: int
    values: Values


class Command(NamedTuple):
    """A command as it came down; `expires_ms` None when it never does."""

    id: str
    action: str
    component: str = ""
    expires_ms: int | None = None


class Reply(NamedTuple):
    """An answer to a command."""

    id: str
    state: ReplyState
    result: dict[str, object]


class Verdict(NamedTuple):
    """What a self test found: the state to reply with and the measurements behind it."""

    state: ReplyState
    result: dict[str, object]


def verdict(passed: bool, **result: object) -> Verdict:
    """Return the verdict of a test that ran to its end, with its measurements."""
    return Verdict("passed" if passed else "failed", dict(result))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device is.

    Attributes:
        facts: what it says of itself on its ``facts`` topic.
        parts: the names of its like parts by sort: ``{"disk": ("sda", "sdb"), "fan": ("1",)}``.
        faults: what goes wrong with it, and when.
        lookalikes: what will only look wrong, and when.
        seed: of everything that is chance in it.
    """

    id: DeviceId
    facts: Facts
    seed: int
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    lookalikes: tuple[Lookalike, ...] = ()


@dataclass(slots=True)
class _RunningProbe:
    command: Command
    due_ms: int
    test: Callable[[str], Verdict]


class Device(ABC):
    """The frame of all device models; a model fills in its physics, its readings and its self tests.

    Readings fall on a fixed grid of device time (the start, a phase of its own, then every `period_ms`), so
    the same seed gives the same readings however often `step` is called. Chance in probes has a stream of
    its own: being asked does not change what is measured.
    """

    #: Distance of successive readings, ms of device time.
    period_ms: ClassVar[int]
    #: Longest step of the physics, ms.
    substep_ms: ClassVar[int]
    #: Values that hardly change are sent when they did, and all of them every so many readings.
    slow_every: ClassVar[int] = 10

    def __init__(self, identity: Identity, start_ms: int) -> None:
        self.identity = identity
        physics, probes = np.random.SeedSequence(identity.seed).spawn(2)
        self.rng: Generator = np.random.default_rng(physics)
        self._probe_rng: Generator = np.random.default_rng(probes)
        self.now_ms = start_ms
        self._next_ms = start_ms + int(self.rng.integers(0, self.period_ms))
        self._count = 0
        self._sent: Values = {}
        self._running: list[_RunningProbe] = []
        self._answered: dict[str, Reply] = {}

    @property
    def id(self) -> DeviceId:
        """The device's name."""
        return self.identity.id

    @property
    def next_ms(self) -> int:
        """Device time at which there is something to do next: a reading or the verdict of a probe."""
        return min([self._next_ms, *(probe.due_ms for probe in self._running)])

    def facts(self) -> Facts:
        """Return what the device says of itself."""
        return self.identity.facts

    def step(self, now_ms: int) -> list[Telemetry]:
        """Let device time pass until `now_ms` and return the readings that fell due, oldest first."""
        readings = []
        while self._next_ms <= now_ms:
            self._advance_to(self._next_ms)
            values = self._sample()
            if values:
                readings.append(Telemetry(self._next_ms, values))
            self._next_ms += self.period_ms
        return readings

    def answer(self, command: Command, now_ms: int) -> list[Reply]:
        """Take a command and return what is said at once; the verdict comes from `verdicts`.

        A command that came before is not run again: its last reply is repeated. An expired one is not run.
        """
        if command.id in self._answered:
            return [self._answered[command.id]]
        test = self.probes().get(command.action)
        if command.expires_ms is not None and command.expires_ms < now_ms:
            reply = Reply(command.id, "error", {"reason": "expired before it arrived"})
        elif test is None:
            reply = Reply(command.id, "unsupported", {"reason": f"no such action: {command.action}"})
        else:
            duration = int(self._probe_rng.integers(*_PROBE_MS))
            self._running.append(_RunningProbe(command, now_ms + duration, test))
            reply = Reply(command.id, "running", {})
        return [self._remember(reply)]

    def verdicts(self, now_ms: int) -> list[Reply]:
        """Return the verdicts of the probes that end by `now_ms`, judged by the state of the parts now."""
        due = sorted((probe for probe in self._running if probe.due_ms <= now_ms), key=lambda p: p.due_ms)
        self._running = [probe for probe in self._running if probe.due_ms > now_ms]
        replies = []
        for probe in due:
            state, result = probe.test(probe.command.component)
            replies.append(self._remember(Reply(probe.command.id, state, result)))
        return replies

    def severity(self, code: str, component: str | None = None) -> float:
        """Return how far a fault of the device, or of one component, has come by now: 0 to 1."""
        for fault in self.identity.faults:
            if fault.code == code and (component is None or fault.component == component):
                return fault.severity(self.now_ms)
        return 0.0

    def lookalike(self, name: str, component: str | None = None) -> float | None:
        """Return for how many seconds a look-alike has been there, None when it is not."""
        for lookalike in self.identity.lookalikes:
            if lookalike.name == name and (component is None or lookalike.component == component):
                age_ms = self.now_ms - lookalike.onset_ms
                return age_ms / 1000 if age_ms >= 0 else None
        return None

    def has_trait(self, name: str, component: str | None = None) -> bool:
        """Say whether a look-alike is, or will be, in the device or one component of it."""
        return any(
            lookalike.name == name and component in (None, lookalike.component)
            for lookalike in self.identity.lookalikes
        )

    @abstractmethod
    def advance(self, dt_s: float) -> None:
        """Let the physics run for `dt_s` seconds, at most `substep_ms`; `now_ms` is the end of the step."""

    @abstractmethod
    def fast(self) -> Values:
        """Return the values of every reading; empty when the device is off."""

    @abstractmethod
    def slow(self) -> Values:
        """Return the values that hardly ever change: counters, states, limits."""

    @abstractmethod
    def probes(self) -> Mapping[str, Callable[[str], Verdict]]:
        """Return the self tests by action; each takes a component, ``""`` for all there are."""

    def _advance_to(self, instant_ms: int) -> None:
        while self.now_ms < instant_ms:
            dt_ms = min(self.substep_ms, instant_ms - self.now_ms)
            self.now_ms += dt_ms
            self.advance(dt_ms / 1000)

    def _sample(self) -> Values:
        values = self.fast()
        if not values:
            return values
        slow = self.slow()
        if self._count % self.slow_every == 0:
            values |= slow
        else:
            values |= {key: value for key, value in slow.items() if self._sent.get(key) != value}
        self._sent = slow
        self._count += 1
        return values

    def _remember(self, reply: Reply) -> Reply:
        self._answered[reply.id] = reply
        while len(self._answered) > _REMEMBERED:
            del self._answered[next(iter(self._answered))]
        return reply


def each_part(names: Sequence[str], component: str, test: Callable[[str], Verdict]) -> Verdict:
    """Run a test on one part, or on all of them when none is named: all have to pass.

    A part that the device does not have is an error, said with the names that it does have.
    """
    if component and component not in names:
        return Verdict("error", {"reason": f"no such component, there are {', '.join(names)}"})
    if component:
        return test(component)
    found = {name: test(name) for name in names}
    states = {finding.state for finding in found.values()}
    worst: ReplyState = "failed" if "failed" in states else "error" if "error" in states else "passed"
    return Verdict(worst, {name: finding.result for name, finding in found.items()})
