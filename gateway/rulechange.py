"""What it means that other rules are in force: which are new, which say something else, which are gone."""

from collections.abc import Mapping
from dataclasses import dataclass

from rules.expression.tree import FactValue, Node, walk
from rules.loader import RuleSet
from rules.model import AlsoWay, Rule


@dataclass(frozen=True, slots=True)
class RuleChange:
    """Ids of rules, by what became of them.

    Attributes:
        changed: there before and now, and something that decides on its states is different: it starts quiet.
        kept: they go on where they stood.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    kept: frozenset[str]

    @classmethod
    def between(cls, before: Mapping[str, str], after: Mapping[str, str]) -> "RuleChange":
        """Compare rules by what they say: fingerprints by id."""
        common = before.keys() & after.keys()
        return cls(
            added=tuple(sorted(after.keys() - before.keys())),
            changed=tuple(sorted(rule for rule in common if before[rule] != after[rule])),
            removed=tuple(sorted(before.keys() - after.keys())),
            kept=frozenset(rule for rule in common if before[rule] == after[rule]),
        )


def facts_asked(ruleset: RuleSet) -> frozenset[str]:
    """Return which facts of devices the rules ask for; an engine remembers no others."""
    return frozenset(name for rule in ruleset.rules for name in _asked(rule))


def _asked(rule: Rule) -> set[str]:
    selectors = [rule.selector, *(override.selector for override in rule.overrides)]
    names = {name for selector in selectors for name, _ in selector if name not in ("class", "tenant")}
    names |= {node.name for tree in conditions(rule) for node in walk(tree) if isinstance(node, FactValue)}
    if rule.schedule is not None:
        names.add("time_zone")
    return names


def conditions(rule: Rule) -> list[Node]:
    """Return all that a rule asks: of suspicion, clearing, confirmation and severity."""
    ways = rule.confirm.ways if rule.confirm else ()
    return [
        rule.when,
        *([rule.clear_when] if rule.clear_when is not None else []),
        *(way.condition for way in ways if isinstance(way, AlsoWay)),
        *(step.condition for step in rule.severities),
    ]
