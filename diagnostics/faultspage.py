"""The page of what is shipped: ``python -m diagnostics.faultspage > docs/faults.md``."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

from diagnostics.conditions import PlainConditions, amount, clauses, length, name
from diagnostics.faults import Fault, FaultCatalogue, load_faults
from diagnostics.wording import shown
from rules.expression.tree import Node, walk
from rules.loader import RuleSet, load_rules
from rules.model import DAYS, DEVICE_CLASSES, AlsoWay, HeldWay, ProbeWay, Rule, Schedule, Selector, Way
from rules.selector import classes_of
from rules.signals import Catalogue

_CLASSES = {"phone": "phones", "pc": "PCs", "server": "servers", "appliance": "appliances"}
#: A line's code, in which # may stand in quotes, and its comment.
_COMMENT = re.compile(r'^((?:[^"#]|"(?:[^"\\]|\\.)*"|(?<=\S)#)*)(?<!\S)#\s?(.*)$')
#: The next rule, what stands above it, or another section.
_AFTER_RULE = re.compile(r"\s{0,3}\S")
_WHO = {"owner": "The owner", "staff": "Staff on site", "device": "The device"}
#: As many clauses as can be taken in at one reading; more stand in a list.
_IN_A_SENTENCE = 3
_HEAD = """\
# Faults and the rules that find them

<!-- written by diagnostics/faultspage.py from rules/packs and the catalogues; `make docs` writes it anew -->

{rules} shipped rules for {faults} faults, in plain words. The rules themselves stand in
[rules/packs](../rules/packs), the faults in [the fault catalogue](../diagnostics/catalogue/faults.yaml), the
language and what unknown does in it in [rules.md](rules.md). A signal that a device does not send is
unknown: "was not reported" in a condition lets devices without it be judged, too.
"""


def faults_page(ruleset: RuleSet, faults: FaultCatalogue, packs: Mapping[str, str]) -> str:
    """Return the page as Markdown that ends with a newline.

    Args:
        ruleset: the shipped rules.
        faults: the fault catalogue.
        packs: text of the packs by file, as in the places of the rules; for their comments.
    """
    rules: dict[str, list[Rule]] = {}
    for rule in ruleset.rules:
        rules.setdefault(rule.fault, []).append(rule)
    parts = [_HEAD.format(rules=len(ruleset.rules), faults=len(rules))]
    groups: dict[tuple[str, ...], list[str]] = {}
    for code, found in rules.items():
        groups.setdefault(_classes(faults.get(code), found), []).append(code)
    for classes in sorted(groups, key=_place):
        heading = _and([_many(device_class) for device_class in classes])
        parts.append(f"## {heading[0].upper()}{heading[1:]}\n")
        for code in sorted(groups[classes]):
            parts.append(_fault(code, faults, rules[code]))
            parts += [_rule(rule, ruleset.catalogue, faults, _comments(rule, packs)) for rule in rules[code]]
    parts.append(_self_tests(ruleset.rules))
    parts.append(_without_rules([fault for fault in faults if fault.code not in rules]))
    return "\n".join(part for part in parts if part)


def _classes(fault: Fault | None, rules: Sequence[Rule]) -> tuple[str, ...]:
    found = set(fault.classes) if fault else {c for rule in rules for c in classes_of(rule)}
    return tuple(c for c in DEVICE_CLASSES if c in found)


def _place(classes: tuple[str, ...]) -> tuple[int, ...]:
    """Return where a group of classes stands: after that of its first class alone."""
    return tuple(DEVICE_CLASSES.index(device_class) for device_class in classes)


def _many(device_class: str) -> str:
    """Return devices of a class, or of a pattern of classes, within a sentence."""
    return _CLASSES.get(device_class, f"`{device_class}`")


def _and(words: Sequence[str], last: str = "and") -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def _sentence(text: str) -> str:
    """Return a text that begins with a capital letter and ends with a full stop."""
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


# A fault


def _fault(code: str, faults: FaultCatalogue, rules: Sequence[Rule]) -> str:
    fault = faults.get(code)
    if fault is None:
        title = next((rule.title for rule in rules if rule.title), code)
        return f"### {title} (`{code}`)\n\nNot in the fault catalogue.\n"
    lines = [f"### {fault.title} (`{code}`)", "", _sentence(fault.symptom), ""]
    lines += [f"- {item}" for item in _fault_items(fault, faults)]
    return "\n".join([*lines, ""])


def _fault_items(fault: Fault, faults: FaultCatalogue) -> Iterator[str]:
    if fault.danger:
        yield "**Danger**: told at once, whatever is still unconfirmed."
    times = faults.times(fault.urgency)
    other = "".join(
        f" {when.urgency} when {_urgency_when(when.signal, when.equals, when.any_bit)}."
        for when in fault.urgency_when
    )
    yield (
        f"**Severity** {fault.severity}. **Urgency** {fault.urgency}: answered within {times.respond}, "
        f"mended within {times.resolve}.{other}"
    )
    causes = [
        f"{cause.cause} ({cause.probability:.0%})" if cause.probability is not None else cause.cause
        for cause in fault.causes
    ]
    yield f"**Causes**, most likely first: {'; '.join(causes)}."
    if not fault.order:
        yield "**No order**: the owner can put this right."
    needs = [f"{need.kind.replace('_', ' ')}{_times(need.quantity)}" for need in fault.parts]
    yield f"**Parts**: {', '.join(needs) or 'none'}."
    for remedy in fault.remedies:
        probe = f" (`{remedy.probe}`)" if remedy.probe else ""
        yield f"**Remedy**, {_WHO[remedy.by].lower()}: {_sentence(remedy.text)}{probe}"
    if fault.advice:
        yield f"**Advice**: {_sentence(fault.advice)}"


def _times(quantity: int) -> str:
    return "" if quantity == 1 else f" ({quantity})"


def _urgency_when(signal: str, equals: object, bits: tuple[int, ...]) -> str:
    if bits:
        return f"bit {_and([str(bit) for bit in bits], 'or')} of `{signal}` is set"
    text = equals if isinstance(equals, bool | int | float | str) else None
    return f"`{signal}` is {shown(text)}"


# A rule


def _rule(rule: Rule, catalogue: Catalogue, faults: FaultCatalogue, comments: Sequence[str]) -> str:
    items = [f"- {item}" for item in rule_items(rule, catalogue, faults)]
    notes = [f"- **Note**: {_sentence(_naming_limits(comment, rule))}" for comment in comments]
    source = [f"- **Source**: {_sentence(rule.source)}"] if rule.source else []
    title = f"#### {rule.title} (`{rule.id}`)" if rule.title else f"#### `{rule.id}`"
    return "\n".join([title, "", *items, *notes, *source, ""])


def rule_items(rule: Rule, catalogue: Catalogue, faults: FaultCatalogue) -> Iterator[str]:
    """Yield what a rule says in plain words, as Markdown: ``**Suspected** when ...``, lists below it."""
    plain = PlainConditions(catalogue, dict(rule.limits))
    yield f"**For** {_for_devices(rule)}."
    yield f"**Suspected** when {_clauses(plain, rule.when, rule.hold_ms)}"
    if rule.clear_when:
        yield f"**Over** when {_clauses(plain, rule.clear_when, rule.clear_hold_ms)}"
    else:
        yield f"**Over** when that is no longer so{_held(rule.clear_hold_ms)}."
    yield _confirmation(rule, plain)
    if rule.schedule:
        yield f"**Looks** {_schedule(rule.schedule)}."
    steps = "".join(f"; {step.severity} while {plain.condition(step.condition)}" for step in rule.severities)
    yield f"**Severity** {rule.severity}{steps}."
    if rule.flapping:
        within = length(rule.flapping.window_ms)
        yield (
            f"**Flapping**: not believed from {rule.flapping.start} changes within {within} until "
            f"{rule.flapping.stop} or fewer are left."
        )
    yield f"**Signals**: {', '.join(_signals(rule, catalogue))}."
    yield from _limits(rule, plain)
    fault = faults.get(rule.fault)
    parts = [faults.kind_of(part, fault).replace("_", " ") for part in rule.parts]
    if parts:
        yield f"**Parts**: {', '.join(parts)}."


def _for_devices(rule: Rule) -> str:
    each = f"each `{rule.each}` of " if rule.each else ""
    return f"{each}{_selected(rule.selector)}"


def _selected(selector: Selector) -> str:
    """Return in words which devices a selector is for."""
    classes = "devices of all classes"
    asked = []
    for key, patterns in selector:
        if key == "class":
            classes = _and([_many(str(pattern)) for pattern in patterns])
        else:
            asked.append(f"`{key}` is {_and([f'`{shown(p)}`' for p in patterns], 'or')}")
    return f"{classes} whose {' and whose '.join(asked)}" if asked else classes


def _held(milliseconds: int) -> str:
    return f", for {length(milliseconds)}" if milliseconds else ""


def _clauses(plain: PlainConditions, tree: Node, hold_ms: int) -> str:
    """Return a condition and for how long it holds: a sentence's end, or a list of many clauses."""
    every, parts = plain.parts(tree)
    if len(parts) == 1 or clauses(tree) <= _IN_A_SENTENCE:
        return f"{plain.condition(tree)}{_held(hold_ms)}."
    which = "all of these are so" if every else "one of these is so"
    return "\n".join([f"{which}{_held(hold_ms)}:", *[f"  - {_sentence(part)}" for part in parts]])


def _confirmation(rule: Rule, plain: PlainConditions) -> str:
    if rule.confirm is None:
        return "**Confirmed** by the finding itself."
    ways = [_way(way, plain) for way in rule.confirm.ways]
    if len(ways) == 1:
        return f"**Confirmed** when {ways[0]}."
    which = "all of these are so" if rule.confirm.every else "one of these is so"
    return "\n".join([f"**Confirmed** when {which}:", *[f"  - {_sentence(way)}" for way in ways]])


def _way(way: Way, plain: PlainConditions) -> str:
    match way:
        case ProbeWay(action=action):
            return f"the self test `{action}` fails; a passed one refutes it"
        case AlsoWay(condition=condition):
            return plain.condition(condition)
        case HeldWay(duration_ms=duration):
            return f"it has not cleared for {length(duration)}"
    return "a person says so"


def _schedule(schedule: Schedule) -> str:
    days = [DAYS[day] for day in sorted(schedule.days)]
    every = "every day" if len(days) == len(DAYS) else f"on {_and(days)}"
    begin, end = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (schedule.begin, schedule.end))
    zone = f", {schedule.zone} where it states none" if schedule.zone else ""
    return f"{every} from {begin} to {end}, in the time zone that the device states{zone}"


def _trees(rule: Rule) -> list[Node]:
    ways = rule.confirm.ways if rule.confirm else ()
    return [
        rule.when,
        *([rule.clear_when] if rule.clear_when else []),
        *(step.condition for step in rule.severities),
        *(way.condition for way in ways if isinstance(way, AlsoWay)),
    ]


def _signals(rule: Rule, catalogue: Catalogue) -> list[str]:
    """Return every signal that a rule reads or shows, with unit or kind."""
    found: dict[str, None] = {}
    for tree in _trees(rule):
        for node in walk(tree):
            if (signal := getattr(node, "signal", None)) is not None:
                found.setdefault(signal)
    for evidence in rule.evidence:
        found.setdefault(evidence.partition("@")[0])
    told = []
    for signal in found:
        entry = catalogue.get(signal)
        kind = (entry.unit or ("" if entry.kind == "number" else entry.kind)) if entry else ""
        told.append(f"{name(signal, '')} ({kind})" if kind else name(signal, ""))
    return told


def _limits(rule: Rule, plain: PlainConditions) -> Iterator[str]:
    units = plain.limit_units(*_trees(rule))

    def told(limits: tuple[tuple[str, float], ...]) -> str:
        return ", ".join(f"`{limit}` {amount(value, units.get(limit, ''))}" for limit, value in limits)

    if rule.limits:
        yield f"**Limits**: {told(rule.limits)}."
    for override in rule.overrides:
        yield f"**Limits** for {_selected(override.selector)}: {told(override.limits)}."


def _comments(rule: Rule, packs: Mapping[str, str]) -> list[str]:
    """Return what a pack says in comments at a rule: why a guard is there, what it keeps out.

    Comments on lines of their own, above the rule or in it, are joined to paragraphs; one that ends a line
    begins with what it speaks of.
    """
    file, _, line = rule.place.rpartition(":")
    found: list[str] = []
    running = False
    for text in _rule_lines(packs.get(file, "").splitlines(), int(line) - 1):
        comment = _COMMENT.match(text)
        alone = comment is not None and not comment[1].strip()
        if comment is not None and alone and running:
            found[-1] += f" {comment[2]}"
        elif comment is not None:
            found.append(comment[2] if alone else f"{_beside(comment[1])}: {comment[2]}")
        running = alone
    return found


def _naming_limits(comment: str, rule: Rule) -> str:
    """Return a comment in which the limits that it explains (``low: why``) are set apart as names."""
    for limit, _ in rule.limits:
        comment = re.sub(rf"(^|[.,;] ){re.escape(limit)}: ", rf"\1`{limit}`: ", comment)
    return comment


def _rule_lines(lines: Sequence[str], first: int) -> Sequence[str]:
    """Return the lines of a rule that begins at this index, and comments directly above it."""
    begin = first
    while begin > 0 and lines[begin - 1].lstrip().startswith("#"):
        begin -= 1
    after = (i for i, text in enumerate(lines[first + 1 :], first + 1) if _AFTER_RULE.match(text))
    return lines[begin : next(after, len(lines))]


def _beside(code: str) -> str:
    """Return what a comment at the end of a line speaks of: an entry that is short, else its key."""
    entry = code.strip().removeprefix("- ").strip("{}")
    return f"`{entry}`" if len(entry) <= 40 else f"`{entry.partition(':')[0]}`"


def _self_tests(rules: Sequence[Rule]) -> str:
    asking: dict[str, dict[str, None]] = {}
    for rule in rules:
        for way in rule.confirm.ways if rule.confirm else ():
            if isinstance(way, ProbeWay):
                asking.setdefault(way.action, {}).setdefault(rule.fault)
    lines = [
        f"| `{action}` | {', '.join(f'`{code}`' for code in asking[action])} |" for action in sorted(asking)
    ]
    told = "What the rules ask devices to run, and for which faults:"
    return "\n".join(["## Self tests", "", told, "", "| self test | faults |", "|---|---|", *lines, ""])


def _without_rules(faults: Sequence[Fault]) -> str:
    lines = [
        f"- {fault.title} (`{fault.code}`): {_and([_many(c) for c in fault.classes])}" for fault in faults
    ]
    return "\n".join(["## Faults without a rule", "", *(lines or ["None."]), ""])


def faults_text() -> str:
    """Return the page of what is shipped."""
    folder = resources.files("rules").joinpath("packs")
    packs = {f"builtin/{pack.name}": pack.read_text(encoding="utf-8") for pack in folder.iterdir()}
    return faults_page(load_rules(["builtin"]), load_faults(), packs)


if __name__ == "__main__":
    sys.stdout.write(faults_text())
