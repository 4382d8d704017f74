"""The sentences of the ledger: what was decided, in the words of the person who reads it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from diagnostics.case import Case, Probe
from diagnostics.decision import Reason, Scalar
from diagnostics.silences import Silence
from rules.model import AlsoWay, HeldWay, ProbeWay, Rule, Severity
from rules.times import format_duration, to_rfc3339

EventName = Literal["suspected", "confirmed", "refuted", "cleared", "reopened"]

NO_CONFIRMATION_ASKED = "the finding itself: the rule asks for no further confirmation"
BY_ENGINEER = "an engineer"
SET_ASIDE = "Closed by the gateway: the fault came back after the reopen window and has an order of its own."


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
    by = f" by {probe.asked_by}" if probe.asked_by else ""
    until = to_rfc3339(probe.deadline)
    return f"The device was asked{by} to run the self test {probe.action}{of}; waiting until {until}."


def remedy_sent(probe: Probe) -> str:
    """Return that the device was told to try a remedy."""
    until = to_rfc3339(probe.deadline)
    return f"The device was told by {probe.asked_by} to try the remedy {probe.action}; waiting until {until}."


def remedy_answered(probe: Probe) -> str:
    """Return what a device says of a remedy."""
    said = {
        "passed": "is done; whether the fault is gone is for the rules to say",
        "failed": "was tried and failed",
        "unsupported": "is one that the device does not know",
        "error": "could not be tried",
    }
    return f"The remedy {probe.action} {said.get(probe.state, probe.state)}."


def probe_answered(probe: Probe) -> str:
    """Return what a self test said that no rule waits for."""
    found = "the part does its work" if probe.state == "passed" else "it found a fault"
    return (
        f"The self test {probe.action} {probe.state}: {found}. No rule decides by it; an engineer may "
        "confirm or dismiss the case."
    )


def probe_running(probe: Probe) -> str:
    """Return that the device is at it."""
    return f"The device is running the {_what(probe)} {probe.action}."


def probe_inconclusive(probe: Probe) -> str:
    """Return that a self test said nothing."""
    why = "does not know" if probe.state == "unsupported" else "could not run"
    return f"The device {why} the self test {probe.action}; the other ways of confirmation decide."


def probe_expired(probe: Probe) -> str:
    """Return that the device never answered."""
    text = f"The device did not answer the {_what(probe)} {probe.action} by {to_rfc3339(probe.deadline)}"
    return f"{text}." if probe.kind == "remedy" else f"{text}; the other ways of confirmation decide."


def _what(probe: Probe) -> str:
    return "remedy" if probe.kind == "remedy" else "self test"


def silence_begun(silence: Silence) -> str:
    """Return that somebody asked for silence."""
    what = "In maintenance" if silence.maintenance else "Silenced"
    fits = ", ".join(f"{name} {pattern}" for name, pattern in silence.match.given().items())
    return (
        f"{what} by {silence.created_by} from {to_rfc3339(silence.starts)} until "
        f"{to_rfc3339(silence.ends)}, for {fits}: {silence.note}"
    )


def held_by_silence(silence: Silence, confirmed_by: str) -> str:
    """Return that an order waits for the end of a silence."""
    what = "of maintenance that" if silence.maintenance else "of a silence that"
    return (
        f"Confirmed by {confirmed_by}. No order before the end {what} {silence.created_by} asked for, "
        f"{to_rfc3339(silence.over_at)}: {silence.note}"
    )


def refuted(probe: Probe, case: Case) -> str:
    """Return that a self test found nothing."""
    if case.has_open_order:
        return f"The self test {probe.action} passed: the part does its work, against order {case.order_id}."
    return f"The self test {probe.action} passed: the part does its work, so no order."


def cleared(rule: Rule, case: Case, waiting: bool, cancels: bool = False, remedy: Probe | None = None) -> str:
    """Return that a fault went away."""
    text = _cleared(rule, case, waiting, cancels)
    return text if remedy is None else f"{text} The remedy {remedy.action} had been done before."


def _cleared(rule: Rule, case: Case, waiting: bool, cancels: bool) -> str:
    if case.held is not None:
        return f"What rule {rule.id} had found went away in the silence, so no order."
    if waiting:
        return f"What rule {rule.id} had found went away before anything confirmed it, so no order."
    if cancels:
        return (
            f"What rule {rule.id} had found went away; order {case.order_id} is cancelled: nobody had left."
        )
    if case.has_open_order:
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


def by_engineer(who: str, note: str) -> str:
    """Return what an engineer's word is called as a confirmation."""
    return f"the engineer {who}" + (f" ({note.rstrip('.')})" if note else "")


def engineer_confirmed(who: str, note: str) -> str:
    """Return that an engineer's word is there and other ways of confirmation are still to come."""
    return (
        f"Confirmed by {by_engineer(who, note)}; the rule asks for more than that, so an order still waits."
    )


def with_note(text: str, said: str) -> str:
    """Return a sentence with what somebody added to it."""
    return f"{text} {said}" if said else text


def dismissed(who: str, note: str) -> str:
    """Return that an engineer decided that there is no fault."""
    return f"Dismissed by {who}: {note}"


def order_reopened(ended_at: int, confirmed_by: str) -> str:
    """Return why an order is submitted again."""
    return f"The fault is back, confirmed by {confirmed_by}; the repair ended at {to_rfc3339(ended_at)}."


def recently_repaired(order_id: str, ended_at: int, confirmed_by: str) -> str:
    """Return that a fault which came back opens its order again."""
    return (
        f"Confirmed by {confirmed_by}. It was repaired at {to_rfc3339(ended_at)}, so order {order_id} is "
        "open again and no second one is opened."
    )


def order_ended(case: Case, confirmed_by: str) -> str:
    """Return that a further confirmation changes nothing, since the order of the case has ended."""
    standing = case.order_standing
    state = f"is {standing.state}" if standing else "has ended"
    came_to = f" with the outcome {standing.outcome}" if standing and standing.outcome else ""
    return (
        f"Confirmed by {confirmed_by}; order {case.order_id} {state}{came_to}, and what was found then has "
        "not gone away since. An engineer may confirm the case to open it again."
    )


def order_recovered(cancel: bool) -> str:
    """Return what recovery means for an order."""
    if cancel:
        return "The fault is no longer seen, and nobody had left."
    return "The fault is no longer seen."


def order_refuted(probe: Probe, cancel: bool) -> str:
    """Return what a passed self test means for an order."""
    text = f"The self test {probe.action} passed: the part does its work."
    return text if cancel else f"{text} Somebody is at work on the order, so it is not cancelled."


def order_more_evidence(rule: str) -> str:
    """Return that an order has more evidence than before."""
    return f"Rule {rule} has seen more."


def said(who: str, state: str, outcome: str | None) -> str:
    """Return what somebody made of an order, where they said no more."""
    return f"{who} said {state}" + (f", {outcome}." if outcome else ".")


def filled(who: str, fields: Iterable[str]) -> str:
    """Return that somebody filled in fields of an order."""
    return f"{who} filled in {', '.join(fields)}."


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
    order = f"; order {case.order_id} stays open until it is closed" if case.has_open_order else ""
    return f"{what}. What it had confirmed stays confirmed{order}."


#: What is said of a probe, by reason.
PROBE_NOTES: dict[Reason, Callable[[Probe], str]] = {
    Reason.PROBE_SENT: probe_sent,
    Reason.PROBE_RUNNING: probe_running,
    Reason.PROBE_INCONCLUSIVE: probe_inconclusive,
    Reason.PROBE_EXPIRED: probe_expired,
    Reason.PROBE_ANSWERED: probe_answered,
    Reason.REMEDY_SENT: remedy_sent,
    Reason.REMEDY_ANSWERED: remedy_answered,
}


def plain_result(probe: Probe) -> dict[str, Scalar]:
    """Return the scalar parts of what a self test reported."""
    return {
        key: value
        for key, value in probe.result.items()
        if value is None or isinstance(value, str | int | float | bool)
    }
