"""What was seen, for the technician who reads the order: values, their units, what makes them wrong."""

import re
from collections.abc import Iterator, Mapping

from diagnostics.case import Case, Evidence
from diagnostics.conditions import PlainConditions, amount
from diagnostics.decision import Scalar
from diagnostics.wording import named, shown
from rules.expression.tree import (
    Choice,
    Comparison,
    Conjunction,
    Constant,
    Disjunction,
    FactValue,
    Inversion,
    Node,
    SignalValue,
    WindowValue,
    walk,
)
from rules.model import Rule
from rules.selector import fits
from rules.signals import Catalogue
from rules.symbols import Channel, DeviceId
from rules.times import format_duration

#: What the pages of documentation add to names and limits.
_MARKS = re.compile(r" \(limit `[^`]*`\)|`")


def explanation(case: Case, rule: Rule, catalogue: Catalogue, facts: Mapping[str, object]) -> str:
    """Return what a rule saw in a case.

    Args:
        case: brings the values.
        rule: which of them it looked at, and what for.
        catalogue: of the signals; brings the units.
        facts: what is known of the device; they decide which limits are its own.
    """
    device = DeviceId(case.tenant, case.device_class, case.device)
    asked = _Asked(rule, PlainConditions(catalogue, limits_of(rule, device, facts)))
    seen = "; ".join(
        asked.beside(evidence, _measured(evidence.value, evidence.signal, catalogue), catalogue)
        for evidence in case.evidence
        if evidence.rule == rule.id
    )
    held = f" for {format_duration(rule.hold_ms)}" if rule.hold_ms else ""
    return f"{named(case, rule)}. Seen{held}: {seen or 'no single value'}. Rule {rule.id}."


def limits_of(rule: Rule, device: DeviceId, facts: Mapping[str, object]) -> dict[str, float]:
    """Return the thresholds of a rule for one device; the last override that fits counts."""
    limits = dict(rule.limits)
    for override in rule.overrides:
        if fits(override.selector, device, facts):
            limits.update(override.limits)
    return limits


class _Asked:
    """What a rule asks of signals that it does not hold against a number, each told once."""

    def __init__(self, rule: Rule, plain: PlainConditions) -> None:
        self._clauses = list(dict.fromkeys(_clauses(rule.when, negated=False)))
        self._plain = plain

    def beside(self, evidence: Evidence, value: str, catalogue: Catalogue) -> str:
        """Return a value with its limit, or else with the conditions that speak of its signal."""
        text, limit = f"{evidence.signal} {value}", evidence.limit
        if isinstance(limit, str | bool):
            return text  # words speak for themselves
        if limit is not None:
            return f"{text} (limit {_measured(limit, evidence.signal, catalogue)})"
        channel = Channel.parse(evidence.signal)
        about = [clause for clause in self._clauses if _concerns(clause[0], channel)]
        self._clauses = [clause for clause in self._clauses if clause not in about]
        told = "; ".join(self._plain.condition(node, negated=negated) for node, negated in about)
        return f"{text} (condition: {_MARKS.sub('', told)})" if told else text


def _measured(value: Scalar, signal: str, catalogue: Catalogue) -> str:
    """Return a value with its unit."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown(value)
    known = catalogue.get(Channel.parse(signal).signal)
    return amount(float(value), known.unit if known else "")


def _clauses(node: Node, *, negated: bool) -> Iterator[tuple[Node, bool]]:
    """Yield what a condition joins, and whether it must be false; not what only asks whether values came."""
    match node:
        case Conjunction() | Disjunction():
            yield from _clauses(node.left, negated=negated)
            yield from _clauses(node.right, negated=negated)
        case Inversion():
            yield from _clauses(node.operand, negated=not negated)
        case Choice():
            yield from _clauses(node.value, negated=negated)
            yield from _clauses(node.other, negated=negated)
        case Comparison(left=WindowValue(function="count"), right=Constant()):
            return
        case Constant() | SignalValue() | FactValue():
            return
        case _:
            yield node, negated


def _concerns(clause: Node, channel: Channel) -> bool:
    """Whether a clause speaks of a signal; one without a component means that of the lane."""
    return any(
        getattr(part, "signal", None) == channel.signal
        and getattr(part, "component", "") in ("", channel.component)
        for part in walk(clause)
    )
