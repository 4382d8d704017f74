"""The sentences of the ledger: what was decided, in the words of the person who reads it."""

from collections.abc import Callable, Mapping
from typing import Literal

from diagnostics.case import Case, Probe, Severity
from diagnostics.decision import Reason, Scalar
from rules.model import AlsoWay, HeldWay, ProbeWay, Rule
from rules.times import format_duration, to_rfc3339

EventName = Literal["suspected", "confirmed", "refuted", "cleared", "reopened"]

NO_CONFIRMATION_ASKED = "the finding itself: the rule asks for no further confirmation"
BY_ENGINEER = "an engineer"


def by_probe(way: ProbeWay) -> str:
    """Return what a failed self test is called as a confirmation."""
    return f"the self test {way.action}, which failed"


def by_second_signal(way: AlsoWay) -> str:
    """Return what a second condition is called as a confirmation."""
    return f"a second signal: {way.text}"


def by_time(way: HeldWay) -> str:
    """Return what time is called as a confirmation."""
    return f"time: suspected and not cleared for {format_duration(way.duration_ms)}"


def part_of(component: str, rule: Rule) -> str:
    """Return what a component is called: ``fan 1``, ``disk sda``; ``psu1`` stays as it is."""
    if not component or not rule.each or component.lower().startswith(rule.each):
        return component
    return f"{rule.each} {component}"


def named(case: Case, rule: Rule) -> str:
    """Return what a case is called, with the part that it is about."""
    part = part_of(case.component, rule)
    return f"{case.title} ({part})" if part else case.title


def suspected(case: Case, rule: Rule, reopened: bool) -> str:
    """Return why a fault is suspected and what is waited for."""
    held = f" for {format_duration(rule.hold_ms)}" if rule.hold_ms else ""
    begin = "Suspected again while its order is open" if reopened else "Suspected"
    text = f"{begin}: {named(case, rule)}. Rule {rule.id} was true{held}: {rule.text}."
    if rule.confirm is None:
        return text
    words = {
        ProbeWay: lambda way: f"the self test {way.action} fails",
        AlsoWay: lambda way: f"a second signal shows it ({way.text})",
        HeldWay: lambda way: f"it has not cleared for {format_duration(way.duration_ms)}",
    }
    ways = [
        words[type(way)](way) if type(way) in words else "an engineer says so" for way in rule.confirm.ways
    ]
    return f"{text} An order waits until {(' and ' if rule.confirm.every else ' or ').join(ways)}."


def shown(value: Scalar) -> str:
    """Return a value as people write it."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def order_opened(order_id: str, confirmed_by: str) -> str:
    """Return that an order was opened."""
    return f"Confirmed by {confirmed_by}. Order {order_id} was opened."


#: Why a confirmed fault opens no order, by reason.
NO_ORDER = {
    Reason.NEVER_AN_ORDER: "The owner can put this right; it is never a service order.",
    Reason.DEVICE_UNKNOWN_POLICY: "The device is not in the registry, and orders.unknown_device says hold.",
    Reason.OUT_OF_WARRANTY_POLICY: "The device is out of warranty, and orders.out_of_warranty says hold.",
}


def probe_sent(probe: Probe) -> str:
    """Return that a self test was asked of the device."""
    of = f" of {probe.component}" if probe.component else ""
    until = to_rfc3339(probe.deadline)
    return f"The device was asked to run the self test {probe.action}{of}; waiting until {until}."


def probe_running(probe: Probe) -> str:
    """Return that the device is at it."""
    return f"The device is running the self test {probe.action}."


def probe_inconclusive(probe: Probe) -> str:
    """Return that a self test said nothing."""
    why = "does not know" if probe.state == "unsupported" else "could not run"
    return f"The device {why} the self test {probe.action}; the other ways of confirmation decide."


def probe_expired(probe: Probe) -> str:
    """Return that the device never answered."""
    return (
        f"The device did not answer the self test {probe.action} by {to_rfc3339(probe.deadline)}; "
        "the other ways of confirmation decide."
    )


def refuted(probe: Probe) -> str:
    """Return that a self test found nothing."""
    return f"The self test {probe.action} passed: the part does its work, so no order."


def cleared(rule: Rule, case: Case, waiting: bool) -> str:
    """Return that a fault went away."""
    if waiting:
        return f"What rule {rule.id} had found went away before anything confirmed it, so no order."
    if case.order_id:
        return (
            f"What rule {rule.id} had found went away; order {case.order_id} stays open until it is closed."
        )
    return f"What rule {rule.id} had found went away."


def already_open(case: Case, confirmed_by: str) -> str:
    """Return that a further confirmation opens nothing new."""
    joined = (
        f"order {case.order_id} is open for it already" if case.order_id else "the case is confirmed already"
    )
    return f"Confirmed by {confirmed_by}; {joined}."


def by_rule(rule: Rule, severity: Severity) -> str:
    """Return why a rule gives a fault this severity."""
    steps = [step.text for step in rule.severities if step.severity == severity]
    if steps:
        return f"rule {rule.id} finds {steps[0]}"
    return f"rule {rule.id} finds nothing that makes it more or less"


def suspects_too(rule: Rule, severity: Severity) -> str:
    """Return that a severity is that of a rule which came to suspect the fault."""
    return f"rule {rule.id} suspects it and says {severity}"


def suspects_no_longer(rule: str) -> str:
    """Return that the severity is what the other rules say."""
    return f"rule {rule} no longer suspects it"


def severity_changed(before: Severity, after: Severity, why: str, values: Mapping[str, Scalar]) -> str:
    """Return that the severity of a case is another one now, with the values that say so."""
    seen = ", ".join(f"{name} {shown(value)}" for name, value in values.items())
    return f"From {before} to {after}: {why}{f'; {seen}' if seen else ''}."


def flapping(rule: Rule, changes: int, waiting: bool) -> str:
    """Return that a rule changes too often to be believed, and what follows from that."""
    within = f" within {format_duration(rule.flapping.window_ms)}" if rule.flapping else ""
    text = f"Rule {rule.id} changed {changes} times between suspected and cleared{within}."
    if waiting:
        return f"{text} It comes and goes too often to be believed: no order until it is steady."
    return f"{text} Until it is steady it confirms nothing new; what is confirmed stays."


def steady(rule: Rule, changes: int, waiting: bool) -> str:
    """Return that a rule no longer flaps."""
    times = "once" if changes == 1 else f"{changes} times"
    within = f" within {format_duration(rule.flapping.window_ms)}" if rule.flapping else ""
    text = f"Rule {rule.id} is steady again: it changed {times}{within}."
    return f"{text} It still suspects the fault and is judged as it stands." if waiting else text


def withdrawn(rule: str, case: Case, *, changed: bool, confirmed: bool) -> str:
    """Return that the rule behind a suspicion is gone or says something else now."""
    what = f"Rule {rule} was changed and starts anew" if changed else f"Rule {rule} is no longer in the packs"
    if not confirmed:
        return f"{what}: its suspicion is withdrawn."
    order = f"; order {case.order_id} stays open until it is closed" if case.order_id else ""
    return f"{what}. What it had confirmed stays confirmed{order}."


#: What is said of a probe, by reason.
PROBE_NOTES: dict[Reason, Callable[[Probe], str]] = {
    Reason.PROBE_SENT: probe_sent,
    Reason.PROBE_RUNNING: probe_running,
    Reason.PROBE_INCONCLUSIVE: probe_inconclusive,
    Reason.PROBE_EXPIRED: probe_expired,
}


def plain_result(probe: Probe) -> dict[str, Scalar]:
    """Return the scalar parts of what a self test reported."""
    return {
        key: value
        for key, value in probe.result.items()
        if value is None or isinstance(value, str | int | float | bool)
    }
