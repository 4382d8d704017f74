"""One engine for two rule sets: what both have is evaluated once.

A rule's findings depend on the readings and on what devices state, never on other rules. So an engine with
the rules of both sides, each that is the same in both only once, finds for either what an engine of its own
would find. A backtest of one changed rule costs little more than a run of one rule set.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rules.batch import ReadingBatch
from rules.engine import Applied, Engine, FactsUpdate, in_order
from rules.findings import Finding
from rules.fingerprint import fingerprint
from rules.loader import RuleSet
from rules.model import Rule
from rules.signals import Catalogue, Signal
from rules.symbols import Symbols

_NO_MESSAGES = np.zeros(0, dtype=np.bool_)


class Side:
    """What one rule set's pipeline sees of the shared engine; fulfils `gateway.pipeline.Evaluator`.

    All sides are given the same batches, facts and ticks in the same order.
    """

    def __init__(self, shared: "SharedEngine", rules: dict[int, Rule]) -> None:
        self._shared = shared
        self._rules = rules  # by their place in the shared engine
        self.pending: deque[Applied] = deque()  # what was worked out when another side came first

    def apply(self, batch: ReadingBatch, facts: Sequence[FactsUpdate] = ()) -> Applied:
        """Take in a batch, with what devices say of themselves between its messages."""
        if not self.pending:
            self._shared.give(self._shared.engine.apply(batch, facts))
        return self._mine(self.pending.popleft())

    def tick(self, now: int) -> list[Finding]:
        """Let arrival time pass."""
        if not self.pending:
            findings = self._shared.engine.tick(now)
            self._shared.give(Applied(findings, _NO_MESSAGES, _NO_MESSAGES))
        return self._mine(self.pending.popleft()).findings

    def not_listening(self, gap_ms: int) -> None:
        """Leave a span of arrival time out of every silence."""
        if not self.pending:
            self._shared.engine.not_listening(gap_ms)
            self._shared.give(Applied([], _NO_MESSAGES, _NO_MESSAGES))
        self.pending.popleft()

    def _mine(self, applied: Applied) -> Applied:
        """Return the findings of this side's rules, in its own order of rules."""
        findings = [
            replace(finding, rule=self._rules[finding.rule.order])
            for finding in applied.findings
            if finding.rule.order in self._rules
        ]
        findings.sort(key=in_order)
        return replace(applied, findings=findings)


class SharedEngine:
    """Evaluates the rules of several rule sets.

    Attributes:
        sides: one for each rule set, in their order.
        rules: that are evaluated.
    """

    def __init__(self, rulesets: Sequence[RuleSet], catalogue: Catalogue, symbols: Symbols) -> None:
        places: dict[tuple[str, tuple[str, ...]], int] = {}
        rules: list[Rule] = []
        self.sides: list[Side] = []
        for ruleset in rulesets:
            own: dict[int, Rule] = {}
            for rule in ruleset.rules:
                # The evidence decides on no state, but on what a finding tells.
                key = (fingerprint(rule), rule.evidence)
                if key not in places:
                    places[key] = len(rules)
                    rules.append(replace(rule, order=len(rules)))
                own[places[key]] = rule
            self.sides.append(Side(self, own))
        self.rules = tuple(rules)
        self.engine = Engine(RuleSet(self.rules, catalogue), symbols)

    def give(self, applied: Applied) -> None:
        """Let every side have what was worked out."""
        for side in self.sides:
            side.pending.append(applied)


def common_catalogue(rulesets: Sequence[RuleSet]) -> Catalogue | None:
    """Return the signals of all rule sets, None where one name means different things in two of them."""
    signals: dict[str, Signal] = {}
    for ruleset in rulesets:
        for signal in ruleset.catalogue:
            if signals.setdefault(signal.name, signal) != signal:
                return None
    return Catalogue(list(signals.values()))
