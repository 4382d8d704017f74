"""What the packs under test know: the names that scenarios may use."""

import difflib
from collections.abc import Collection

from rules.loader import RuleSet
from rules.scenario.spots import Spot
from rules.signals import Catalogue


class Known:
    """Signals, faults and rules of a rule set, and the reasons of decisions."""

    def __init__(self, ruleset: RuleSet, reasons: Collection[str]) -> None:
        self.catalogue: Catalogue = ruleset.catalogue
        self._reasons = reasons
        self._fault_of = {rule.id: rule.fault for rule in ruleset.rules}

    def fault(self, spot: Spot) -> str:
        """Return a fault that a rule of the packs can find."""
        return _known(spot, set(self._fault_of.values()), "fault of a rule of the packs")

    def rule(self, spot: Spot, fault: str | None) -> str:
        """Return a rule of the packs; of this fault, where one is named."""
        name = _known(spot, self._fault_of, "rule of the packs")
        if fault is not None and self._fault_of[name] != fault:
            raise spot.problem(f"expected a rule of {fault}, {name} is one of {self._fault_of[name]}")
        return name

    def reason(self, spot: Spot) -> str:
        """Return the reason of a decision."""
        return _known(spot, self._reasons, "reason of a decision")


def hint(nearest: list[str]) -> str:
    """Return the question whether something else was meant."""
    return f"; did you mean {', '.join(nearest)}?" if nearest else ""


def _known(spot: Spot, names: Collection[str], what: str) -> str:
    name = spot.text(f"a {what}")
    if name not in names:
        nearest = difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.6)
        raise spot.problem(f"expected a {what}, got {name!r}{hint(nearest)}")
    return name
