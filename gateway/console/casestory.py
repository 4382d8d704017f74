"""The ledger of a case as a story: who did what when, with the values that led to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics.case import CaseEvent, Probe
from diagnostics.decision import Decision, Reason
from gateway.console.language import t
from gateway.console.parts import Time, box, text
from gateway.console.phrases import phrase
from gateway.console.words import (
    OUTCOMES,
    action_words,
    case_state_words,
    probe_state_words,
    signal_words,
    unit_of,
    upper_first,
    with_unit,
    words_of,
)
from rules.signals import Catalogue
from rules.symbols import Channel

#: What people said, and what devices answered; all else the gateway decided by its rules.
PEOPLE = frozenset(
    {
        Reason.ACKNOWLEDGED,
        Reason.UNACKNOWLEDGED,
        Reason.ASSIGNED,
        Reason.COMMENTED,
        Reason.DISMISSED_BY_ENGINEER,
        Reason.DISMISSAL_UNDONE,
    }
)
DEVICE = frozenset(
    {
        Reason.PROBE_RUNNING,
        Reason.PROBE_INCONCLUSIVE,
        Reason.PROBE_ANSWERED,
        Reason.REMEDY_ANSWERED,
        Reason.REFUTED_BY_PROBE,
    }
)


@dataclass(frozen=True)
class Story:
    """The decisions about a case, in order of time; `newest` first on the page, or as they came."""

    decisions: Sequence[Decision]
    newest: bool


def draw_story(story: Story, catalogue: Catalogue) -> None:
    """Draw a case's ledger."""
    if not story.decisions:
        text("li", t("Nothing was decided yet."), "empty")
    for decision in reversed(story.decisions) if story.newest else story.decisions:
        with box("li", decision.outcome):
            with box("p", "by"):
                text("span", t(OUTCOMES[decision.outcome]), "outcome")
                text("span", _who(decision), "who-did")
            with box("div"):
                text("p", decision.text)
                _draw_values(decision, catalogue)
            Time(decision.at)


def _who(decision: Decision) -> str:
    if decision.reason in PEOPLE:
        return t("a person")
    return t("the device") if decision.reason in DEVICE else t("the gateway")


def _draw_values(decision: Decision, catalogue: Catalogue) -> None:
    if not decision.values:
        return
    with box("dl", "values"):
        for name, value in decision.values.items():
            known = catalogue.get(Channel.parse(name).signal) is not None
            with box("div"):
                text("dt", upper_first(signal_words(catalogue, name) if known else words_of(name)))
                text("dd", with_unit(value, unit_of(catalogue, name)))


def draw_timeline(events: Sequence[CaseEvent]) -> None:
    """Draw the steps of a case's life, newest first."""
    for event in reversed(events):
        with box("li", event.event):
            text("span", case_state_words(event.event), "name")
            Time(event.at)


def draw_probes(probes: Sequence[Probe]) -> None:
    """Draw the self tests and remedies that the device was asked for."""
    if not probes:
        text("p", t("No self test was asked for."), "quiet")
    for probe in probes:
        with box("div", "probe"):
            text("span", upper_first(action_words(probe.action)), "name")
            text("span", probe_state_words(probe.state), f"chip {probe.state}")
            with box("p", "quiet"):
                _draw_times(probe)
            if probe.asked_by:
                text("p", t("asked for by {name}", name=probe.asked_by), "quiet")
            for name, value in probe.result.items():
                text("p", f"{words_of(name)}: {value}", "quiet")


def _draw_times(probe: Probe) -> None:
    if probe.pending:
        phrase(
            t("asked {when}, answer due {deadline}"),
            when=lambda: Time(probe.sent_at),
            deadline=lambda: Time(probe.deadline),
        )
    elif probe.answered_at:
        answered = probe.answered_at
        phrase(t("answered {when}"), when=lambda: Time(answered))
    else:
        phrase(t("asked {when}"), when=lambda: Time(probe.sent_at))
