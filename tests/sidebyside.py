"""The engine and its oracle side by side: the same story told to both."""

import json

import yaml
from hypothesis import strategies as st
from oracle import Oracle

from rules.batch import BatchBuilder
from rules.engine import Engine, FactsUpdate
from rules.loader import load_rules
from rules.symbols import DeviceId, Symbols

MINUTE = 60_000


def splits(words):
    """Draw where a story of so many words is cut: anywhere, or after each word, where none meets another."""
    return st.one_of(st.sets(st.integers(0, words)), st.just(frozenset(range(words + 1))))


def write_pack(folder, entries):
    rules = [{"id": f"r{i}", "limits": {"top": 2}, **entry} for i, entry in enumerate(entries)]
    plain = {"title": "A number without a unit, so that all may be compared with all"}
    signals = {
        "disk.pending_sectors": {**plain, "wraps": 4},
        "cpu.load": {**plain, "period": "5m"},
        "fan.rpm": plain,
        "cpu.temperature": plain,
    }
    overrides = [{"rule": "r0", "for_devices": {"model": "M1"}, "limits": {"top": 1}}]
    pack = {"pack": "p", "rules": rules, "signals": signals, "overrides": overrides}
    path = folder / "p.yaml"
    path.write_text(yaml.safe_dump(pack))
    return load_rules([path])


def reborn(engine, ruleset):
    """Return another engine, with other numbers for all names, that goes on from a snapshot."""
    arrays, document = engine.snapshot()
    symbols = Symbols()
    symbols.texts.intern("something else")
    symbols.devices.intern(DeviceId("acme", "phone", "p"))
    successor = Engine(ruleset, symbols)
    successor.restore({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(document)))
    return successor, symbols


def clocked(words, devices):
    """Give (device, minutes of its clock, minutes of arrival, values, retained) and (device, facts) times.

    `retained`, that the broker had kept the message, may be left out.
    """
    clocks = dict.fromkeys(devices, 1000 * MINUTE)
    arrival = 2000 * MINUTE
    for word in words:
        if len(word) == 2:
            yield ("facts", word[0], word[1], arrival)
            continue
        device, step, wait, values, *retained = word
        arrival += wait * MINUTE
        clocks[device] += step * MINUTE
        yield ("telemetry", device, clocks[device], arrival, values, any(retained))


def told(findings):
    """Return findings as the oracle spells them."""
    return [
        (f.kind, f.at, f.rule.id, str(f.device), f.component, f.ways, f.severity, f.changes) for f in findings
    ]


def run_engine(ruleset, story, cuts, restarts=()):
    """Return the engine's findings for a story that is cut into batches after the words at `cuts`.

    At `restarts`, a part of the cuts, the engine is replaced by one that was restored from a snapshot.
    """
    symbols = Symbols()
    engine = Engine(ruleset, symbols)
    out = []
    builder, updates = BatchBuilder(symbols), []

    def flush():
        out.extend(told(engine.apply(builder.build(), updates).findings))

    for index, word in enumerate(story):
        number = symbols.devices.intern(word[1])
        if word[0] == "facts":
            updates.append(FactsUpdate(len(builder), number, word[3], word[2]))
        else:
            builder.add(number, word[2], word[3], word[4], retained=any(word[5:]))
        if index in cuts:
            flush()
            if index in restarts:
                engine, symbols = reborn(engine, ruleset)
            builder, updates = BatchBuilder(symbols), []
    flush()
    # Time has passed for all up to the last word, whoever said it.
    out.extend(told(engine.tick(max((word[3] for word in story), default=0))))
    return out


def run_oracle(ruleset, story):
    oracle = Oracle(ruleset)
    for word in story:
        if word[0] == "facts":
            oracle.facts(word[1], word[2], word[3])
        else:
            oracle.message(*word[1:])
    oracle.tick(max((word[3] for word in story), default=0))
    return oracle.out


def by_lane(findings):
    """Order within a lane is meaning; order between lanes is not."""
    return sorted(findings, key=lambda f: (f[3], f[2], f[4]))
