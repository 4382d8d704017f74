"""What confirms a rule's suspicion, in words; nothing here changes anything."""

from diagnostics import wording
from diagnostics.case import Case, Standing
from diagnostics.probing import latest
from rules.model import AlsoWay, EngineerWay, HeldWay, ProbeWay, Rule


def confirmation(case: Case, rule: Rule, standing: Standing) -> str | None:
    """Return in words what confirms a suspicion now, None when it must wait."""
    if standing.engineer and not (rule.confirm and rule.confirm.every and _asks_engineer(rule)):
        return standing.engineer
    if rule.confirm is None:
        return wording.NO_CONFIRMATION_ASKED
    holding = []
    for way, held in zip(rule.confirm.ways, standing.ways, strict=True):
        probe = latest(case.probes, way.action) if isinstance(way, ProbeWay) else None
        if probe is not None and probe.pending:
            return None
        if isinstance(way, EngineerWay) and standing.engineer:
            holding.append(standing.engineer)
        elif held or (probe is not None and probe.state == "failed"):
            holding.append(_words(way))
    enough = len(rule.confirm.ways) if rule.confirm.every else 1
    return " and ".join(holding) if len(holding) >= enough else None


def _asks_engineer(rule: Rule) -> bool:
    return rule.confirm is not None and any(isinstance(way, EngineerWay) for way in rule.confirm.ways)


def _words(way: ProbeWay | AlsoWay | HeldWay | EngineerWay) -> str:
    match way:
        case ProbeWay():
            return wording.by_probe(way)
        case AlsoWay():
            return wording.by_second_signal(way)
        case HeldWay():
            return wording.by_time(way)
        case EngineerWay():
            return wording.BY_ENGINEER
