"""``forewarn explain``: the ledger of a device in plain words."""

from collections.abc import Iterator

from diagnostics.naming import part_words
from diagnostics.wording import shown
from gateway.errors import UserError
from gateway.loading import Knowledge
from gateway.ports import Ledger
from rules.expression.build import spelled_like
from rules.model import Rule
from rules.selector import classes_of, selects
from rules.symbols import DeviceId
from rules.times import to_rfc3339


def explanation_lines(
    ledger: Ledger, knowledge: Knowledge, device: DeviceId, fault: str | None, *, heard: int | None = None
) -> Iterator[str]:
    """Yield why orders were opened for a device, and why not.

    Args:
        ledger: what was decided.
        knowledge: the rules and faults that are loaded.
        device: whose decisions.
        fault: only of this one.
        heard: arrival of the device's last message as a running gateway knows it, ms; the ledger may lag.

    Raises:
        UserError: `fault` is none that a rule looks for or the catalogue knows.
    """
    record = ledger.device(device)
    if record is None:
        yield f"{device} has never been heard of: no message of it was accepted. See the quarantine."
        return
    decisions = ledger.decisions(device=device, fault=fault)
    if fault is not None and not decisions:
        known = {rule.fault for rule in knowledge.ruleset.rules} | {entry.code for entry in knowledge.faults}
        if fault not in known:
            raise UserError(
                f"--fault: expected a fault that is known, got {fault!r}{spelled_like(fault, known)}"
            )
    last_seen = max(record.last_seen, heard or 0)
    model = record.facts.get("model")
    yield f"{device}{f', {model}' if model else ''}, last heard of at {to_rfc3339(last_seen)}"
    told: set[str] = set()
    for decision in decisions:
        if decision.case_id not in told:
            told.add(decision.case_id)
            case = ledger.case(decision.case_id)
            if case is not None:
                named = part_words(case.component, (one.signal for one in case.evidence))
                part = f" ({named})" if named else ""
                order = f", order {case.order_id}" if case.order_id else ", no order"
                yield ""
                yield f"{case.title}{part}, {case.fault}: {case.state}{order}; because: {case.reason}"
        values = ", ".join(f"{name} = {shown(value)}" for name, value in decision.values.items())
        yield f"  {to_rfc3339(decision.at)}  {decision.text}{f' [{values}]' if values else ''}"
    if not decisions:
        watching = [rule for rule in knowledge.ruleset.rules if _watches(rule, device, record.facts, fault)]
        yield ""
        about = f"fault {fault}" if fault else "any fault"
        if not watching:
            yield f"No order: no rule that is loaded looks for {about} in this device."
            return
        rules_watch = "1 rule watches" if len(watching) == 1 else f"{len(watching)} rules watch"
        yield f"No suspicion of {about} so far, so no order. {rules_watch} this device:"
        for rule in watching:
            yield f"  {rule.fault}: {rule.text}"


def _watches(rule: Rule, device: DeviceId, facts: dict[str, object], fault: str | None) -> bool:
    if fault is not None and rule.fault != fault:
        return False
    return device.device_class in classes_of(rule) and selects(rule, device, facts)
