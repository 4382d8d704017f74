"""What makes a rule the same rule."""

import hashlib

from rules.model import Rule


def fingerprint(rule: Rule) -> str:
    """Return what makes a rule the same rule: its id and all that decides on its states."""
    meaning = (
        rule.id,
        rule.fault,
        rule.selector,
        rule.each,
        rule.when,
        rule.hold_ms,
        rule.clear_when,
        rule.clear_hold_ms,
        rule.confirm,
        rule.severity,
        rule.severities,
        rule.limits,
        rule.overrides,
        rule.flapping,
        rule.schedule
        and (sorted(rule.schedule.days), rule.schedule.begin, rule.schedule.end, rule.schedule.zone),
    )
    return f"{rule.id}/{hashlib.sha256(repr(meaning).encode()).hexdigest()[:16]}"
