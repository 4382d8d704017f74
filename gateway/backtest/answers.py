"""How devices answered the self tests that they were really asked for, and what is assumed of others.

Other rules ask at other times, or ask what was never asked. An answer to the very same question stands in
the history and comes with the messages. Where the question is another, the same self test of the same part
of the same device, run within a day of it, is taken to have come out the same; it takes as long as it took
then. What nobody knows is not answered: the case waits for its deadline and then goes the rule's other ways.
"""

import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from diagnostics.case import Case, Command
from gateway.pipeline import Answer
from rules.symbols import DeviceId
from rules.times import DAY_MS

#: A self test is taken to have come out as one that was run so long before or after it, at most.
REACH_MS = DAY_MS
_FINAL = ("passed", "failed", "unsupported", "error")


class KnownAnswer(msgspec.Struct, frozen=True):
    """An answer that a device gave; instants are arrivals in ms."""

    probe_id: str
    device: tuple[str, str, str]
    component: str
    action: str
    asked_at: int
    answered_at: int
    state: str
    result: dict[str, object]


def known_answers(cases: Iterable[Case]) -> list[KnownAnswer]:
    """Return the final answers that stand in cases."""
    return [
        KnownAnswer(
            probe.probe_id,
            (case.tenant, case.device_class, case.device),
            probe.component,
            probe.action,
            probe.sent_at,
            probe.answered_at,
            probe.state,
            probe.result,
        )
        for case in cases
        for probe in case.probes
        if probe.state in _FINAL and probe.answered_at is not None
    ]


class AssumedAnswers:
    """Answers the self tests of one side; fulfils `gateway.pipeline.Answers`.

    Args:
        known: what devices really answered.
        deadline_ms: of self tests.
        since: only self tests asked from here on are counted, ms.

    Attributes:
        asked: self tests that the rules asked for.
        answered: of these, really, with the answer in the history.
        assumed: of these, by another run of the same test.
    """

    def __init__(self, known: Iterable[KnownAnswer], deadline_ms: int, since: int) -> None:
        self._deadline_ms = deadline_ms
        self._since = since
        self._asked: set[str] = set()
        self._ids: set[str] = set()
        self._known: dict[tuple[str, ...], list[KnownAnswer]] = defaultdict(list)
        self._coming: list[tuple[int, str, Answer]] = []
        self.asked = self.answered = self.assumed = 0
        for answer in known:
            self._ids.add(answer.probe_id)
            self._known[(*answer.device, answer.component, answer.action)].append(answer)

    def due(self, asked: Sequence[Command], now: int) -> list[Answer]:
        """Return the answers that arrive by `now` (ms), in order, each once."""
        for command in asked:
            if command.id not in self._asked:
                self._asked.add(command.id)
                self._foresee(command)
        number = bisect.bisect_right(self._coming, now, key=lambda coming: coming[0])
        due, self._coming = self._coming[:number], self._coming[number:]
        return [answer for _, _, answer in due]

    def _foresee(self, command: Command) -> None:
        asked_at = command.expires - self._deadline_ms
        counts = asked_at >= self._since
        self.asked += counts
        if command.id in self._ids:
            self.answered += counts
            return
        device = DeviceId(command.tenant, command.device_class, command.device)
        runs = self._known.get((*device, command.component, command.action), [])
        near = [run for run in runs if abs(run.asked_at - asked_at) <= REACH_MS]
        if not near:
            return
        self.assumed += counts
        run = min(near, key=lambda run: (abs(run.asked_at - asked_at), run.asked_at))
        arrival = asked_at + max(run.answered_at - run.asked_at, 0)
        body: dict[str, object] = {"id": command.id, "state": run.state, "result": run.result}
        bisect.insort(self._coming, (arrival, command.id, Answer(arrival, device, body)), key=_when)


def _when(coming: tuple[int, str, Answer]) -> tuple[int, str]:
    return coming[:2]
