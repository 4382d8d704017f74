"""What people can do with a case as it stands, and why not what they cannot; nothing here changes anything.

The case book refuses by the same functions by which the API says what is possible.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from diagnostics.case import Case, CaseState
from diagnostics.faults import Fault, FaultRemedy
from diagnostics.instruction import Verb
from rules.model import ProbeWay, Rule
from rules.selector import classes_of
from rules.times import DAY_MS, HOUR_MS

#: For so long a dismissal can be taken back: the shift that did it, and the next morning.
REOPEN_DISMISSED_MS = DAY_MS
#: A device that says no more is asked all the same; one that said it goes cannot answer.
OFFLINE = "the device is offline"


class Tester(NamedTuple):
    """The self tests that a rule asks for, and whose.

    Attributes:
        fault: that the rule finds.
        classes: of devices that the rule is for.
        actions: that it asks for.
    """

    fault: str
    classes: tuple[str, ...]
    actions: tuple[str, ...]


class SelfTest(NamedTuple):
    """A self test or remedy that a device may be asked for; `text` says what it does, where that is known."""

    action: str
    component: str
    text: str = ""


def testers(rules: Iterable[Rule]) -> list[Tester]:
    """Return the self tests that rules ask for."""
    return [
        Tester(rule.fault, classes_of(rule), actions)
        for rule in rules
        if rule.confirm
        and (actions := tuple(way.action for way in rule.confirm.ways if isinstance(way, ProbeWay)))
    ]


def self_tests(case: Case, known: Sequence[Tester], fault: Fault | None) -> list[SelfTest]:
    """Return the self tests for a case: those of its fault, then those of its device's class.

    Args:
        case: whose.
        known: what the rules ask for.
        fault: its entry in the catalogue.
    """
    texts = {remedy.probe: remedy.text for remedy in fault.remedies if remedy.probe} if fault else {}
    own = [a for tester in known if tester.fault == case.fault for a in tester.actions]
    of_class = [
        action for tester in known if case.device_class in tester.classes for action in tester.actions
    ]
    found = {action: SelfTest(action, case.component, texts.get(action, "")) for action in (*own, *texts)}
    for action in sorted(set(of_class)):
        # A test for another fault is one of the device; this case's component may be no part of it.
        found.setdefault(action, SelfTest(action, ""))
    return list(found.values())


def remedies(case: Case, fault: Fault | None) -> list[SelfTest]:
    """Return the remedies for a case's fault that the device itself can try."""
    return [SelfTest(r.probe, case.component, r.text) for r in _by_device(fault) if r.probe]


def _by_device(fault: Fault | None) -> list[FaultRemedy]:
    return [remedy for remedy in (fault.remedies if fault else ()) if remedy.by == "device"]


def why_not_asked(
    case: Case,
    kind: Literal["probe", "remedy"],
    action: str,
    offered: Sequence[SelfTest],
    online: bool | None,
) -> str | None:
    """Return why a device cannot be asked for a self test or a remedy now; None when it can.

    Args:
        case: whose.
        kind: what `action` is meant as.
        action: such as ``disk.self_test``.
        offered: what `self_tests` or `remedies` return.
        online: the device's last status.
    """
    if not case.is_open:
        return is_over(case)
    known = [test.action for test in offered]
    if action not in known:
        what = "self tests" if kind == "probe" else "remedies"
        return f"{action!r} is none of the {what} for this case; possible: {', '.join(known) or 'none'}"
    pending = next((probe for probe in case.probes if probe.action == action and probe.pending), None)
    if pending is not None:
        return f"{action} is under way; the device has not answered yet"
    if online is False:
        return OFFLINE
    return None


def is_over(case: Case) -> str:
    """Return that a case is over, as it is said to who wants to do something with it."""
    return f"case {case.case_id} is {case.state}: expected one that is suspected or confirmed"


def why_not_reopened(case: Case, at: int) -> str | None:
    """Return why the dismissal of a case cannot be taken back at `at`, ms; None when it can."""
    if case.state != CaseState.DISMISSED or case.dismissal is None:
        return f"case {case.case_id} is {case.state}: expected one that was dismissed"
    if not any(standing.suspected for standing in case.standings.values()):
        return "the fault is not seen any more; when it comes back it is a case of its own"
    if at > case.dismissal.at + REOPEN_DISMISSED_MS:
        hours = REOPEN_DISMISSED_MS // HOUR_MS
        return f"it was dismissed more than {hours} hours ago"
    return None


def why_not(case: Case, verb: Verb, at: int) -> str | None:
    """Return why something cannot be done with a case at `at`, ms; None when it can.

    Self tests and remedies have `why_not_asked`; what is done with orders stands in
    `diagnostics.orders.lifecycle`.
    """
    match verb:
        case Verb.REOPEN:
            return why_not_reopened(case, at)
        case Verb.ACKNOWLEDGE:
            if case.is_open and case.acknowledged_by:
                return f"{case.acknowledged_by} has seen it"
        case Verb.UNACKNOWLEDGE:
            if case.is_open and not case.acknowledged_by:
                return "nobody has said that they have seen it"
        case Verb.CONFIRM:
            if case.has_open_order:
                return f"order {case.order_id} is open"
        case Verb.COMMENT:
            return None
    return None if case.is_open else is_over(case)
