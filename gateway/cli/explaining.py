"""``forewarn explain``: the ledger of a device in plain words."""

from collections.abc import Iterator

from diagnostics.wording import shown
from gateway.loading import Knowledge
from gateway.ports import Ledger
from rules.model import Rule
from rules.selector import classes_of, selects
from rules.symbols import DeviceId
from rules.times import to_rfc3339


def explanation_lines(
    ledger: Ledger, knowledge: Knowledge, device: DeviceId, fault: str | None
) -> Iterator[str]:
    """Yield why orders were opened for a device, and why not."""
    record = ledger.device(device)
    if record is None:
        yield f"{device} has never been heard of: no message of it was accepted. See the quarantine."
        return
    model = record.facts.get("model")
    yield f"{device}{f', {model}' if model else ''}, last heard of at {to_rfc3339(record.last_seen)}"
    decisions = ledger.decisions(device=device, fault=fault)
    told: set[str] = set()
    for decision in decisions:
        if decision.case_id not in told:
            told.add(decision.case_id)
            case = ledger.case(decision.case_id)
            if case is not None:
                part = f" ({case.component})" if case.component else ""
                order = f", order {case.order_id}" if case.order_id else ", no order"
                yield ""
                yield f"{case.title}{part}, {case.fault}: {case.state}{order}; because: {case.reason}"
        values = ", ".join(f"{name} = {shown(value)}" for name, value in decision.values.items())
        yield f"  {to_rfc3339(decision.at)}  {decision.text}{f' [{values}]' if values else ''}"
    if not decisions:
        watching = [rule for rule in knowledge.ruleset.rules if _watches(rule, device, record.facts, fault)]
        yield ""
        about = f"fault {fault}" if fault else "any fault"
        yield f"No suspicion of {about} so far, so no order. {len(watching)} rules watch this device:"
        for rule in watching:
            yield f"  {rule.fault}: {rule.text}"


def _watches(rule: Rule, device: DeviceId, facts: dict[str, object], fault: str | None) -> bool:
    if fault is not None and rule.fault != fault:
        return False
    return device.device_class in classes_of(rule) and selects(rule, device, facts)
