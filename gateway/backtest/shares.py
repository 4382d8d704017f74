"""Which process works on which devices."""

from collections import defaultdict
from collections.abc import Sequence

from gateway.history.span import Span
from gateway.rulechange import conditions
from rules.expression.tree import PeerDistance, walk
from rules.loader import RuleSet
from rules.selector import classes_of


def shares_of(span: Span, rulesets: Sequence[RuleSet], processes: int) -> list[list[int]]:
    """Return the devices of each process, by number, so that each has about as many messages.

    Devices that a rule compares with each other stay together: what `peers` sees are those of one tenant and
    class.
    """
    compared = _compared_classes(rulesets)
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number in span.by_device:
        name = span.devices[number]
        groups[name[:2] if name.device_class in compared else name].append(number)
    weighed = sorted(
        ((sum(span.by_device[number] for number in group), group) for group in groups.values()),
        key=lambda pair: (-pair[0], pair[1]),
    )
    shares: list[list[int]] = [[] for _ in range(min(processes, len(weighed)))]
    loads = [0] * len(shares)
    for weight, group in weighed:
        least = loads.index(min(loads))
        shares[least] += group
        loads[least] += weight
    return shares


def _compared_classes(rulesets: Sequence[RuleSet]) -> set[str]:
    """Return the classes of which some rule compares devices with their peers."""
    compared: set[str] = set()
    for ruleset in rulesets:
        for rule in ruleset.rules:
            trees = conditions(rule)
            if any(isinstance(node, PeerDistance) for tree in trees for node in walk(tree)):
                compared.update(classes_of(rule))
    return compared
