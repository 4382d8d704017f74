"""What is worked out about one case for who acts on it: what can be done now, and what was found before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diagnostics.case import Case
from diagnostics.faults import FaultCatalogue
from diagnostics.instruction import Verb
from diagnostics.naming import Traits
from diagnostics.orders.changes import OrderChange
from diagnostics.possible import SelfTest, Tester, remedies, self_tests, why_not, why_not_asked
from diagnostics.silences import Silence
from gateway.ports import LedgerReads
from rules.model import DEVICE_CLASSES
from rules.selector import matches

#: What can be done with a case and needs nothing but the case; silences are possible at any time.
VERBS = (
    Verb.ACKNOWLEDGE,
    Verb.UNACKNOWLEDGE,
    Verb.ASSIGN,
    Verb.COMMENT,
    Verb.CONFIRM,
    Verb.DISMISS,
    Verb.REOPEN,
)


@dataclass(frozen=True, slots=True)
class Asking:
    """A self test or a remedy that the device can be asked for; `why_not` is None when it can be now."""

    test: SelfTest
    why_not: str | None


@dataclass(frozen=True, slots=True)
class Possible:
    """What can be done with a case now.

    Attributes:
        verbs: by verb why not; None when it can be done.
        probes: self tests.
        remedies: what the device can try.
    """

    verbs: Mapping[Verb, str | None]
    probes: Sequence[Asking]
    remedies: Sequence[Asking]


@dataclass(frozen=True, slots=True)
class SimilarCase:
    """An earlier case of the same fault.

    Attributes:
        same_model: of a device of the same model.
        last: what was last said of its order with an outcome; None when nothing was.
    """

    case: Case
    same_model: bool
    last: OrderChange | None


def possible_acts(
    case: Case, rules: Sequence[Mapping[str, Any]], faults: FaultCatalogue, *, online: bool | None, now: int
) -> Possible:
    """Return what can be done with a case.

    Args:
        case: as the ledger has it.
        rules: those in force, as their packs spell them.
        faults: the catalogue.
        online: the device's last status.
        now: ms.
    """
    fault = faults.get(case.fault)
    tests = self_tests(case, testers_of(rules), fault)
    tries = remedies(case, fault)
    return Possible(
        verbs={verb: why_not(case, verb, now) for verb in VERBS},
        probes=[Asking(t, why_not_asked(case, "probe", t.action, tests, online)) for t in tests],
        remedies=[Asking(t, why_not_asked(case, "remedy", t.action, tries, online)) for t in tries],
    )


def testers_of(rules: Sequence[Mapping[str, Any]]) -> list[Tester]:
    """Return the self tests that rules ask for, as `diagnostics.possible.testers` does of parsed ones."""
    found = []
    for rule in rules:
        ways = [way for ways in rule.get("confirm", {}).values() for way in ways]
        actions = tuple(way["probe"] for way in ways if "probe" in way)
        patterns = rule.get("for_devices", {}).get("class")
        classes = tuple(c for c in DEVICE_CLASSES if patterns is None or matches(tuple(patterns), c))
        if actions:
            found.append(Tester(str(rule["fault"]), classes, actions))
    return found


def similar(ledger: LedgerReads, case: Case, limit: int) -> list[SimilarCase]:
    """Return earlier cases of the same fault with what was found then, same model first."""
    found = []
    for other in ledger.similar_cases(case, limit):
        said = [c for c in _changes(ledger, other) if c.outcome is not None]
        same_model = case.model is not None and other.model == case.model
        found.append(SimilarCase(other, same_model, said[-1] if said else None))
    return found


def _changes(ledger: LedgerReads, case: Case) -> list[OrderChange]:
    if case.order_id is None or case.order is None or case.order.outcome is None:
        return []
    return ledger.order_changes(case.order_id)


def silences_for(silences: Sequence[Silence], case: Case) -> list[Silence]:
    """Return those of silences that a case falls under, whichever of its rules is confirmed."""
    traits = Traits(case.model, case.site)
    rules = list(case.standings) or [case.rule]
    return [s for s in silences if any(s.fits(case, rule, traits) for rule in rules)]
