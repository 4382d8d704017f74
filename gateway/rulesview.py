"""The rules that are evaluated, as the API lists them."""

from rules.loader import RuleSet
from rules.model import DAYS, AlsoWay, HeldWay, ProbeWay, Rule
from rules.times import format_duration


class RulePacks:
    """Fulfils `gateway.api.views.RulesView` over a rule set."""

    def __init__(self, ruleset: RuleSet) -> None:
        self.use(ruleset)

    def use(self, ruleset: RuleSet) -> None:
        """Show other rules from now on."""
        self._rules = [_document(rule) for rule in ruleset.rules]

    def rules(self) -> list[dict[str, object]]:
        """Return every rule as its pack spells it."""
        return self._rules


def _document(rule: Rule) -> dict[str, object]:
    for_devices: dict[str, object] = {name: list(patterns) for name, patterns in rule.selector}
    if rule.each:
        for_devices["each"] = rule.each
    document: dict[str, object] = {
        "id": rule.id,
        "pack": rule.pack,
        "fault": rule.fault,
        "title": rule.title,
        "for_devices": for_devices,
        "when": rule.text,
        "hold": format_duration(rule.hold_ms),
        "clear_when": rule.clear_text,
        "clear_hold": format_duration(rule.clear_hold_ms),
        "severity": rule.severity,
        "severity_when": {step.severity: step.text for step in rule.severities},
        "limits": dict(rule.limits),
        "evidence": list(rule.evidence),
        "parts": list(rule.parts),
        "source": rule.source,
    }
    if rule.confirm:
        mode = "all_of" if rule.confirm.every else "any_of"
        document["confirm"] = {mode: [_way(way) for way in rule.confirm.ways]}
    if rule.flapping:
        document["flapping"] = {
            "window": format_duration(rule.flapping.window_ms),
            "start": rule.flapping.start,
            "stop": rule.flapping.stop,
        }
    if rule.schedule:
        document["schedule"] = {
            "days": [DAYS[day] for day in sorted(rule.schedule.days)],
            "from": _clock_time(rule.schedule.begin),
            "to": _clock_time(rule.schedule.end),
            "zone": rule.schedule.zone,
        }
    document["overrides"] = [
        {
            "for_devices": {name: list(patterns) for name, patterns in override.selector},
            "limits": dict(override.limits),
        }
        for override in rule.overrides
    ]
    return document


def _clock_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _way(way: object) -> dict[str, object]:
    match way:
        case ProbeWay(action=action):
            return {"probe": action}
        case AlsoWay(text=text):
            return {"also": text}
        case HeldWay(duration_ms=duration):
            return {"held": format_duration(duration)}
    return {"engineer": True}
