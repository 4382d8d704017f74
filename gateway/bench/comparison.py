"""Twenty comparison rules over the same messages: forewarn, plain Python, and two engines from PyPI.

The others see a message as a dict and say which rules are true for it. forewarn does that and more: it keeps
each device's values and rule states, and says what changed; here, how many rules were true after each
message is put together from that.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import yaml

from rules.batch import Float64, Kind, ReadingBatch
from rules.engine import Engine
from rules.findings import Finding
from rules.loader import RuleSet, load_rules
from rules.symbols import DeviceId, Symbols

Message = dict[str, float]

_SIGNALS = (
    "cpu.load",
    "cpu.temperature",
    "inlet.temperature",
    "disk.temperature",
    "power.active",
    "drum.rpm",
)
_OPERATORS = (">", "<", ">=", "<=")
#: Every value is drawn evenly from 0 to 100 in steps of this, exactly representable...
_STEP = 0.25
#: ...and limits stand between two steps, so that no engine's arithmetic decides who is right.
_BETWEEN = 0.125
#: The oracle of the tests is made to be obviously right, not fast: it gets fewer messages.
_ORACLE_MESSAGES = 2_000


@dataclass(frozen=True, slots=True)
class Term:
    """signal operator limit."""

    signal: str
    operator: str
    limit: float

    def __str__(self) -> str:
        """Return the term as forewarn spells it."""
        return f"{self.signal} {self.operator} {self.limit}"


#: Its terms are joined by `and`.
Condition = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """What all engines are given.

    Attributes:
        conditions: twenty, true for about one message in a hundred each.
        values: [rounds, D, 6] float64, of every device in every round.
        order: [rounds, D] int64, devices in the order in which they speak.
    """

    conditions: tuple[Condition, ...]
    values: Float64
    order: np.ndarray[Any, np.dtype[np.int64]]

    def messages(self, rounds: range) -> list[Message]:
        """Return the messages of some rounds as dicts, in order."""
        names = [_plain(signal) for signal in _SIGNALS]
        return [
            dict(zip(names, row, strict=True))
            for number in rounds
            for row in self.values[number][self.order[number]].tolist()
        ]


def draw_workload(devices: int, rounds: int, seed: int) -> Workload:
    """Draw conditions and messages."""
    random = np.random.default_rng([seed, 4])
    conditions = tuple(_draw_condition(number, random) for number in range(20))
    steps = random.integers(0, int(100 / _STEP) + 1, (rounds, devices, len(_SIGNALS)))
    values = steps.astype(np.float64) * _STEP
    order = np.array([random.permutation(devices) for _ in range(rounds)], dtype=np.int64)
    return Workload(conditions, values, order)


def _draw_condition(number: int, random: np.random.Generator) -> Condition:
    """Draw one term, or for every third rule two that hold together as rarely as one does."""
    signals = random.choice(len(_SIGNALS), size=2, replace=False).tolist()
    count = 2 if number % 3 == 2 else 1
    tail = 1.0 if count == 1 else 10.0
    terms = []
    for signal in signals[:count]:
        operator = _OPERATORS[int(random.integers(len(_OPERATORS)))]
        edge = 100 - tail if operator.startswith(">") else tail
        terms.append(Term(_SIGNALS[signal], operator, float(np.floor(edge / _STEP)) * _STEP + _BETWEEN))
    return tuple(terms)


def _plain(signal: str) -> str:
    """Return a name that is one word in every language."""
    return signal.replace(".", "_")


def _text(condition: Condition) -> str:
    return " and ".join(f"{_plain(t.signal)} {t.operator} {t.limit}" for t in condition)


# forewarn


def measure_forewarn(workload: Workload, measured: range, batch_size: int) -> tuple[float, int]:
    """Return seconds and how many rules were true after the messages of the measured rounds."""
    symbols = Symbols()
    engine = Engine(_ruleset(workload.conditions), symbols)
    devices = workload.values.shape[1]
    for number in range(devices):
        symbols.devices.intern(DeviceId("acme", "server", f"srv-{number}"))
    channels = np.array([symbols.channel(signal) for signal in _SIGNALS], dtype=np.int32)
    seconds, matches, true_now = 0.0, 0, np.zeros(devices, dtype=np.int64)
    for number in range(measured.stop):
        speaking = workload.order[number]
        for first in range(0, devices, batch_size):
            chosen = speaking[first : first + batch_size]
            batch = _columns(workload.values[number], chosen, channels, number)
            begin = perf_counter()
            findings = engine.apply(batch).findings
            elapsed = perf_counter() - begin
            _note(findings, true_now, symbols)
            if number in measured:
                seconds += elapsed
                # Each device spoke once in this batch: what is true now was true after its message.
                matches += int(true_now[chosen].sum())
    return seconds, matches


def _note(
    findings: Iterable[Finding], true_now: np.ndarray[Any, np.dtype[np.int64]], symbols: Symbols
) -> None:
    """Keep count, by device, of the rules that are true."""
    step = {"suspected": 1, "cleared": -1}
    for finding in findings:
        true_now[symbols.devices.intern(finding.device)] += step.get(finding.kind, 0)


def _columns(
    values: Float64,
    devices: np.ndarray[Any, np.dtype[np.int64]],
    channels: np.ndarray[Any, np.dtype[np.int32]],
    number: int,
) -> ReadingBatch:
    count, width = len(devices), len(channels)
    at = np.full(count, 1_767_225_600_000 + number * 60_000, dtype=np.int64)
    return ReadingBatch(
        device=devices.astype(np.int32),
        ts=at,
        arrival=at,
        message=np.repeat(np.arange(count, dtype=np.int32), width),
        channel=np.tile(channels, count),
        value=values[devices].ravel(),
        kind=np.full(count * width, Kind.NUMBER, dtype=np.int8),
    )


def _ruleset(conditions: Iterable[Condition]) -> RuleSet:
    rules = [
        {
            "id": f"rule_{number:02d}",
            "fault": f"fault.{number:02d}",
            "when": " and ".join(map(str, condition)),
        }
        for number, condition in enumerate(conditions)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "twenty.yaml"
        path.write_text(yaml.safe_dump({"pack": "twenty", "rules": rules}), encoding="utf-8")
        return load_rules([path])


# Plain Python

_COMPILED: dict[str, Callable[[str, float], Callable[[Message], bool]]] = {
    ">": lambda name, limit: lambda message: message[name] > limit,
    "<": lambda name, limit: lambda message: message[name] < limit,
    ">=": lambda name, limit: lambda message: message[name] >= limit,
    "<=": lambda name, limit: lambda message: message[name] <= limit,
}


def plain_python(conditions: Iterable[Condition]) -> Callable[[list[Message]], int]:
    """Return a counter of matches: one closure a rule, called for one message after the other."""

    def compiled(condition: Condition) -> Callable[[Message], bool]:
        terms = [_COMPILED[term.operator](_plain(term.signal), term.limit) for term in condition]
        if len(terms) == 1:
            return terms[0]
        left, right = terms
        return lambda message: left(message) and right(message)

    rules = [compiled(condition) for condition in conditions]

    def count(messages: list[Message]) -> int:
        matches = 0
        for message in messages:
            for rule in rules:
                if rule(message):
                    matches += 1
        return matches

    return count


# The oracle of the tests


def scalar_oracle(conditions: Iterable[Condition]) -> Callable[[list[Message]], int] | None:
    """Return a counter of matches by ``tests/oracle.py``, None where its folder is not at hand.

    It is the engine in scalar lines that the property tests hold the real one against: it keeps readings and
    states, too. Every message is of a device of its own, so a rule that is true is one that is suspected.
    """
    folder = Path(__file__).parents[2] / "tests"
    if not (folder / "oracle.py").is_file():
        return None
    sys.path.insert(0, str(folder))
    try:
        oracle = importlib.import_module("oracle")
    finally:
        sys.path.remove(str(folder))
    ruleset = _ruleset(conditions)
    spelled = {_plain(signal): signal for signal in _SIGNALS}

    def count(messages: list[Message]) -> int:
        engine = oracle.Oracle(ruleset)
        # After each message it looks through all devices for silence. No rule here asks for it.
        engine.tick = lambda _now: None
        for number, message in enumerate(messages):
            values = {spelled[name]: value for name, value in message.items()}
            engine.message(DeviceId("acme", "server", f"srv-{number}"), number, number, values)
        return sum(finding[0] == "suspected" for finding in engine.out)

    return count


# Engines from PyPI


def zen_ways(conditions: Iterable[Condition]) -> dict[str, Callable[[list[Message]], int]]:
    """Return counters of matches by ``zen-engine``, one for each way in which its API can be asked.

    Raises:
        ImportError: it is not installed.
    """
    zen = importlib.import_module("zen")
    texts = [_text(condition) for condition in conditions]
    together = zen.compile_expression(f"[{', '.join(texts)}]")
    apart = [zen.compile_expression(text) for text in texts]
    table = zen.ZenEngine().create_decision(json.dumps(_decision_table(texts)))
    return {
        "one_expression": lambda messages: sum(sum(together.evaluate(message)) for message in messages),
        "expression_a_rule": lambda messages: sum(
            expression.evaluate(message) for message in messages for expression in apart
        ),
        "decision_table": lambda messages: sum(
            len(table.evaluate(message)["result"] or ()) for message in messages
        ),
    }


def _decision_table(texts: list[str]) -> dict[str, Any]:
    """Return the rules as a table that collects all rows that are true, in the JSON Decision Model."""
    place = {"x": 0, "y": 0}
    table = {
        "hitPolicy": "collect",
        "inputs": [{"id": "when", "name": "when", "type": "expression"}],
        "outputs": [{"id": "rule", "name": "rule", "field": "rule", "type": "expression"}],
        "rules": [{"_id": str(n), "when": text, "rule": str(n)} for n, text in enumerate(texts)],
    }
    return {
        "contentType": "application/vnd.gorules.decision",
        "nodes": [
            {"id": "in", "name": "in", "type": "inputNode", "position": place},
            {
                "id": "rules",
                "name": "rules",
                "type": "decisionTableNode",
                "position": place,
                "content": table,
            },
            {"id": "out", "name": "out", "type": "outputNode", "position": place},
        ],
        "edges": [
            {"id": "first", "sourceId": "in", "targetId": "rules", "type": "edge"},
            {"id": "second", "sourceId": "rules", "targetId": "out", "type": "edge"},
        ],
    }


def rule_engine_ways(conditions: Iterable[Condition]) -> dict[str, Callable[[list[Message]], int]]:
    """Return counters of matches by ``rule-engine``: a Rule object each, without and with declared types.

    Raises:
        ImportError: it is not installed.
    """
    rule_engine = importlib.import_module("rule_engine")
    texts = [_text(condition) for condition in conditions]
    types = {_plain(signal): rule_engine.DataType.FLOAT for signal in _SIGNALS}
    typed = rule_engine.Context(
        resolver=rule_engine.resolve_item, type_resolver=rule_engine.type_resolver_from_dict(types)
    )

    def counting(rules: list[Any]) -> Callable[[list[Message]], int]:
        return lambda messages: sum(rule.matches(message) for message in messages for rule in rules)

    return {
        "untyped": counting([rule_engine.Rule(text) for text in texts]),
        "typed": counting([rule_engine.Rule(text, context=typed) for text in texts]),
    }


# All of them


def compare(devices: int, rounds: int, batch_size: int, seed: int) -> dict[str, Any]:
    """Measure all engines; the first round only introduces the devices."""
    workload = draw_workload(devices, rounds + 1, seed)
    measured = range(1, rounds + 1)
    messages = workload.messages(measured)
    seconds, matches = measure_forewarn(workload, measured, batch_size)
    forewarn = seconds * 1e6 / len(messages)
    figures: dict[str, Any] = {
        "rules": len(workload.conditions),
        "messages": len(messages),
        "matches": matches,
        "forewarn": {"us_per_message": round(forewarn, 3)},
    }
    agreeing = []

    def timed(count: Callable[[list[Message]], int], given: list[Message], expected: int | None) -> float:
        count(given[:100])
        begin = perf_counter()
        found = count(given)
        elapsed = perf_counter() - begin
        agreeing.append(expected is None or found == expected)
        return round(elapsed * 1e6 / len(given), 3)

    python = plain_python(workload.conditions)
    figures["plain_python"] = {"us_per_message": timed(python, messages, matches)}
    oracle = scalar_oracle(workload.conditions)
    few = messages[:_ORACLE_MESSAGES]
    figures["scalar_oracle"] = oracle and {
        "us_per_message": timed(oracle, few, python(few)),
        "messages": len(few),
    }
    for name, package, ways_of in (
        ("zen_engine", "zen-engine", zen_ways),
        ("rule_engine", "rule-engine", rule_engine_ways),
    ):
        try:
            ways = ways_of(workload.conditions)
        except ImportError as error:
            figures[name] = None
            figures[f"{name}_why"] = f"{package} is not installed ({error}); pip install forewarn[bench]"
            continue
        times = {way: timed(count, messages, matches) for way, count in ways.items()}
        fastest = min(times, key=times.__getitem__)
        figures[name] = {
            "version": _version(package),
            "us_per_message": times[fastest],
            "fastest_way": fastest,
            "ways": times,
        }
    figures["same_matches"] = all(agreeing)
    figures["times_forewarn"] = {
        name: round(figure["us_per_message"] / forewarn, 2)
        for name in ("plain_python", "scalar_oracle", "zen_engine", "rule_engine")
        if (figure := figures[name]) is not None
    }
    return figures


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
