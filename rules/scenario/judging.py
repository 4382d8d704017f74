"""What happened against what was expected."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rules.engine import RuleStanding
from rules.model import Severity
from rules.scenario.model import LISTED, Event, Expectation, InState, Kind, Never, Scenario
from rules.symbols import DeviceId
from rules.times import SECOND_MS, format_duration


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that came of a scenario's readings.

    Attributes:
        at: ms since 1970.
        severity: of the fault by then, None where it is not known.
        reason: why, a word of the ledger.
        final: it is not just that something is waited for.
    """

    kind: Kind
    at: int
    fault: str
    rule: str
    component: str
    device: DeviceId
    severity: Severity | None = None
    reason: str = ""
    final: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met.

    Attributes:
        place: of the expectation, ``file:line``.
        points: instants to look at, ms since 1970, the expected one first.
        fault: that it is about, None when about none.
        rule: that it is about, None when about all of the fault.
        device: that it is about.
    """

    place: str
    expected: str
    got: str
    points: tuple[int, ...]
    fault: str | None
    rule: str | None
    device: DeviceId


#: How much of what happened to a fault is told.
_MOST_STEPS = 6

States = Callable[[int, DeviceId], Sequence[RuleStanding]]


def judge(scenario: Scenario, happenings: Sequence[Happening], states: States) -> list[Failure]:
    """Return what of a scenario's expectations was not met, in the order of the file.

    Args:
        scenario: with its expectations.
        happenings: all of it, in order of time.
        states: where the rules of a device stand at an instant that a `InState` names.
    """
    judge_ = _Judge(scenario, happenings)
    failures: list[Failure | None] = []
    for expectation in scenario.expectations:
        match expectation.what:
            case Event() as event:
                failures.append(judge_.event(expectation, event))
            case Never() as never:
                failures.append(judge_.never(expectation, never))
            case InState() as in_state:
                failures.append(judge_.in_state(expectation, in_state, states))
    return [failure for failure in (*failures, *judge_.unlisted()) if failure is not None]


class _Judge:
    def __init__(self, scenario: Scenario, happenings: Sequence[Happening]) -> None:
        self._scenario = scenario
        self._happenings = happenings
        self._explained: set[Happening] = set()  # told beside the expectation that they missed

    def event(self, expectation: Expectation, event: Event) -> Failure | None:
        """Judge an event that must happen."""
        if any(self._fits(event, happening) for happening in self._happenings):
            return None
        got, points = self._instead(event)
        scenario = self._scenario
        return Failure(
            expectation.place,
            f"{_worded(event)} at {told(event.at, scenario)}",
            got,
            (event.at, *points),
            event.fault,
            event.rule,
            event.device or scenario.devices[0].id,
        )

    def _fits(self, event: Event, happening: Happening) -> bool:
        return (
            happening.kind == event.kind
            and happening.fault == event.fault
            and happening.at == event.at
            and happening.device == (event.device or self._scenario.devices[0].id)
            and event.rule in (None, happening.rule)
            and event.component in (None, happening.component)
            and event.severity in (None, happening.severity)
            and (happening.final if event.reason is None else event.reason == happening.reason)
        )

    def _instead(self, event: Event) -> tuple[str, list[int]]:
        """Return what happened in the place of an event: the nearest of its kind, or what else did."""
        of_fault = [happening for happening in self._happenings if happening.fault == event.fault]
        alike = [
            happening
            for happening in of_fault
            if happening.kind == event.kind
            and happening not in self._explained
            and not self._listed(happening)
        ]
        if alike:
            nearest = min(alike, key=lambda other: self._distance(event, other))
            self._explained.add(nearest)
            return self._told(nearest), [nearest.at]
        steps = [self._told(happening) for happening in of_fault if happening.final]
        if not steps:
            return f"nothing happened to {event.fault}", []
        more = f"; and {len(steps) - _MOST_STEPS} more" if len(steps) > _MOST_STEPS else ""
        return (
            f"no {_KIND_WORDS[event.kind]} of {event.fault} but: {'; '.join(steps[:_MOST_STEPS])}{more}",
            [],
        )

    def _distance(self, event: Event, other: Happening) -> tuple[int, bool, int]:
        """Return how far another event is from what was expected; what is most alike comes first."""
        device = event.device or self._scenario.devices[0].id
        unlike = (
            other.device != device,
            event.component not in (None, other.component),
            event.rule not in (None, other.rule),
            event.reason not in (None, other.reason),
        )
        return (sum(unlike), not other.final, abs(other.at - event.at))

    def never(self, expectation: Expectation, never: Never) -> Failure | None:
        """Judge that nothing happens."""
        against = [
            happening
            for happening in self._happenings
            if happening.final
            and never.fault in (None, happening.fault)
            and never.rule in (None, happening.rule)
            and never.component in (None, happening.component)
            and never.device in (None, happening.device)
        ]
        if not against:
            return None
        first = against[0]
        further = f", the first of {len(against)} events" if len(against) > 1 else ""
        narrowed = _narrowed(never.rule, never.component, never.device)
        return Failure(
            expectation.place,
            f"nothing of {never.fault or 'any fault'}{narrowed} over the whole test",
            f"{self._told(first)}{further}",
            (first.at,),
            first.fault,
            first.rule,
            first.device,
        )

    def in_state(self, expectation: Expectation, expected: InState, states: States) -> Failure | None:
        """Judge where a rule stands."""
        device = expected.device or self._scenario.devices[0].id
        lanes = [
            standing
            for standing in states(expected.at, device)
            if standing.rule.id == expected.rule and expected.component in (None, standing.component)
        ]
        if any(standing.state.name == expected.state for standing in lanes):
            return None
        narrowed = _narrowed(None, expected.component, expected.device)
        return Failure(
            expectation.place,
            f"rule {expected.rule}{narrowed} is {expected.state} at {told(expected.at, self._scenario)}",
            "; ".join(standing_words(standing, self._scenario) for standing in lanes)
            or f"rule {expected.rule} is not evaluated for {device}: it is not for this device, "
            "or no reading of the part had come",
            (expected.at,),
            lanes[0].rule.fault if lanes else None,
            expected.rule,
            device,
        )

    def unlisted(self) -> Iterable[Failure]:
        """Return events of a kind and fault of which others are listed."""
        listed: dict[tuple[Kind, str], Expectation] = {}
        for expectation in self._scenario.expectations:
            event = expectation.what
            if isinstance(event, Event) and event.kind in LISTED:
                listed.setdefault((event.kind, event.fault), expectation)
        for happening in self._happenings:
            first = listed.get((happening.kind, happening.fault))
            if first is None or happening in self._explained or self._listed(happening):
                continue
            kind = _KIND_WORDS[happening.kind]
            yield Failure(
                first.place,
                f"no {kind} of {happening.fault} but those listed",
                f"also {self._told(happening)}",
                (happening.at,),
                happening.fault,
                happening.rule,
                happening.device,
            )

    def _listed(self, happening: Happening) -> bool:
        return any(
            isinstance(expectation.what, Event) and self._fits(expectation.what, happening)
            for expectation in self._scenario.expectations
        )

    def _told(self, happening: Happening) -> str:
        """Return a happening in words."""
        scenario = self._scenario
        parts = [f"rule {happening.rule}"]
        parts += [f"component {happening.component}"] if happening.component else []
        parts += [f"device {happening.device.device}"] if len(scenario.devices) > 1 else []
        parts += [happening.severity] if happening.severity and happening.kind != "severity" else []
        parts += [happening.reason] if happening.kind == "no_order" else []
        what = _of_kind(happening.kind, happening.fault, happening.severity)
        return f"{what} at {told(happening.at, scenario)} ({', '.join(parts)})"


_KIND_WORDS: dict[Kind, str] = {
    "suspected": "suspicion",
    "confirmed": "confirmation",
    "refuted": "refutation",
    "cleared": "clearing",
    "reopened": "reopening",
    "order": "order",
    "no_order": "decision against an order",
    "severity": "change of severity",
    "flapping": "flapping",
    "steady": "end of flapping",
}


def _of_kind(kind: Kind, fault: str, severity: Severity | None) -> str:
    match kind:
        case "severity":
            return f"severity {severity} of {fault}"
        case "order":
            return f"an order for {fault}"
        case "no_order":
            return f"no order for {fault}"
    return f"{kind} {fault}"


def _worded(event: Event) -> str:
    words = _of_kind(event.kind, event.fault, event.severity)
    narrowed = _narrowed(event.rule, event.component, event.device)
    severity = f", {event.severity}" if event.severity and event.kind != "severity" else ""
    reason = f", reason {event.reason}" if event.reason else ""
    return f"{words}{narrowed}{severity}{reason}"


def _narrowed(rule: str | None, component: str | None, device: DeviceId | None) -> str:
    parts = [f"rule {rule}"] if rule else []
    parts += [f"component {component}"] if component else []
    parts += [f"device {device.device}"] if device else []
    return f" ({', '.join(parts)})" if parts else ""


def standing_words(standing: RuleStanding, scenario: Scenario) -> str:
    """Return where a rule stands in words."""
    component = f" ({standing.component})" if standing.component else ""
    since = f" since {told(standing.since, scenario)}" if standing.since is not None else ""
    return f"rule {standing.rule.id}{component} is {standing.state.name}{since}"


def told(at: int, scenario: Scenario) -> str:
    """Return an instant as a time from the scenario's start on."""
    sign = "-" if at < scenario.start else ""
    passed = abs(at - scenario.start)
    rest = f"{passed % SECOND_MS}ms" if passed % SECOND_MS else ""
    whole = format_duration(passed)
    return sign + (rest if rest and whole == "0s" else whole + rest)
