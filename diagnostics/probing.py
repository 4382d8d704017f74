"""What is asked of devices: self tests and remedies on their way, their deadlines and their answers.

A probe is pending until the device answers or its deadline, which runs on arrival time, has passed.
"""

import heapq
from collections.abc import Iterable, Mapping
from typing import get_args

from diagnostics import wording
from diagnostics.case import Case, Command, Key, Probe, ReplyState
from diagnostics.decision import Outcome, Reason
from diagnostics.journal import Journal
from rules.times import MINUTE_MS

#: Contract section 9: a probe that is not answered within 30 minutes of arrival time has expired.
DEFAULT_PROBE_DEADLINE_MS = 30 * MINUTE_MS
REPLY_STATES: dict[str, ReplyState] = {state: state for state in get_args(ReplyState)}


class Probing:
    """The probes that have no final answer, by what their cases are about."""

    def __init__(self, deadline_ms: int) -> None:
        self._deadline_ms = deadline_ms
        self._pending: dict[str, Key] = {}  # by probe id
        self._deadlines: list[tuple[int, str]] = []  # heap of (deadline, probe id)

    def key_of(self, probe_id: str) -> Key | None:
        """Return whose probe it is, None when no such answer is waited for."""
        return self._pending.get(probe_id)

    def send(self, journal: Journal, case: Case, probe: Probe) -> None:
        """Ask something of the device of a case; its deadline is set here."""
        probe.deadline = probe.sent_at + self._deadline_ms
        case.probes = [*(p for p in case.probes if p.probe_id != probe.probe_id), probe]
        self._pending[probe.probe_id] = case.key
        heapq.heappush(self._deadlines, (probe.deadline, probe.probe_id))
        journal.commands.append(command(case, probe))
        note(journal, case, probe, probe.sent_at, sent_reason(probe))

    def answered(self, probe_id: str) -> None:
        """Be told that nothing more is waited for of a probe."""
        self._pending.pop(probe_id, None)

    def forget(self, case: Case) -> None:
        """Wait no more for the probes of a case that is over."""
        for probe in case.probes:
            self._pending.pop(probe.probe_id, None)

    def next_deadline(self, now: int) -> int | None:
        """Return the first deadline that was before `now`, ms; None when none was."""
        while self._deadlines and self._deadlines[0][1] not in self._pending:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines and self._deadlines[0][0] < now else None

    def take_overdue(self) -> tuple[int, str, Key]:
        """Return deadline, id and case of the probe whose deadline `next_deadline` returned."""
        deadline, probe_id = heapq.heappop(self._deadlines)
        return deadline, probe_id, self._pending[probe_id]

    def restore(self, case: Case) -> None:
        """Wait again for the probes of a case of a snapshot."""
        for probe in case.probes:
            if probe.pending or probe.state == "expired":
                self._pending[probe.probe_id] = case.key
            if probe.pending:
                heapq.heappush(self._deadlines, (probe.deadline, probe.probe_id))

    def waiting_commands(self, cases: Mapping[Key, Case], now: int) -> list[Command]:
        """Return the commands of probes that may still be answered; a crash may have swallowed them."""
        return [
            command(cases[key], probe)
            for key in set(self._pending.values())
            for probe in cases[key].probes
            if probe.state == "sent" and probe.deadline >= now
        ]


def command(case: Case, probe: Probe) -> Command:
    """Return what is published for a probe."""
    return Command(
        tenant=case.tenant,
        device_class=case.device_class,
        device=case.device,
        id=probe.probe_id,
        action=probe.action,
        component=probe.component,
        expires=probe.deadline,
    )


def sent_reason(probe: Probe) -> Reason:
    """Return the reason under which a probe is noted when it goes out."""
    return Reason.REMEDY_SENT if probe.kind == "remedy" else Reason.PROBE_SENT


def note(
    journal: Journal, case: Case, probe: Probe, at: int, reason: Reason, *, outcome: Outcome | None = None
) -> None:
    """Note what became of a probe; what people asked for decides nothing by itself."""
    journal.decide(
        case,
        probe.rule,
        at=at,
        outcome=outcome or ("note" if probe.kind == "remedy" or not case.is_open else "pending"),
        reason=reason,
        text=wording.PROBE_NOTES[reason](probe),
        values=wording.plain_result(probe) | ({"who": probe.asked_by} if probe.asked_by else {}),
        key=probe.probe_id if probe.asked_by else "",
    )


def latest(probes: Iterable[Probe], action: str) -> Probe | None:
    """Return the latest that was asked of that action."""
    found = [probe for probe in probes if probe.action == action]
    return found[-1] if found else None


def answerable(case: Case, probe: Probe) -> bool:
    """Return whether an answer still counts: past the deadline while the case is open."""
    return probe.pending or (probe.state == "expired" and case.is_open)
