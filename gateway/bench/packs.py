"""Rules by the dozen: a pack in YAML, drawn by a seeded generator, beside the packs that are shipped."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from gateway.bench.fleet import Fleet, limit_fact
from gateway.bench.profiles import PROFILES, Counter, Gauge, Profile, Random
from rules.expression.tree import Absent, PeerDistance, SignalValue, WindowValue, walk
from rules.loader import RuleSet, load_rules
from rules.model import DEVICE_CLASSES, AlsoWay, Rule
from rules.selector import classes_of
from rules.symbols import Channel

#: Rules at which all that are shipped are among them. Below, they are thinned out evenly, so that the mix
#: stays the same; above, only generated ones are added.
FULL_MIX = 200


@dataclass(frozen=True, slots=True)
class GeneratedRule:
    """A rule as it is written into a pack.

    Attributes:
        entry: keys and values as in YAML.
        profile: whose devices send the signals, None when nobody does.
        kind: of component that makes its lanes, ``""`` for the device.
    """

    entry: dict[str, Any]
    profile: Profile | None
    kind: str

    def lanes(self, fleet: Fleet) -> int:
        """Return in how many lanes of a fleet it will have something to look at."""
        if self.profile is None:
            return 0
        return fleet.devices(self.profile.name) * (self.profile.components(self.kind) if self.kind else 1)


@dataclass(frozen=True, slots=True)
class BenchRules:
    """Rules for a measurement, of which some were generated."""

    ruleset: RuleSet
    generated: tuple[GeneratedRule, ...]

    def generated_lanes(self, fleet: Fleet) -> int:
        """Return how many lanes the generated rules have in a fleet, all together."""
        return sum(rule.lanes(fleet) for rule in self.generated)


def bench_rules(total: int, seed: int, *, idle: int = 0) -> BenchRules:
    """Return so many rules, shipped and generated, and `idle` more over signals that nobody sends."""
    shipped = load_rules(["builtin"]).rules
    kept = len(shipped) * min(total, FULL_MIX) // FULL_MIX
    names = {shipped[place * len(shipped) // kept].id for place in range(kept)} if kept else set()
    generated = list(islice(_touched(seed), max(total - kept, 0)))
    unsent = list(islice(_untouched(seed), idle))
    loaded = _load([*generated, *unsent])
    ours = {rule.entry["id"] for rule in (*generated, *unsent)}
    chosen = [rule for rule in loaded.rules if rule.id in names or rule.id in ours]
    rules = tuple(replace(rule, order=order) for order, rule in enumerate(chosen))
    return BenchRules(RuleSet(rules, loaded.catalogue), tuple(generated))


def rules_a_message(ruleset: RuleSet) -> float:
    """Return how many rules read a signal of a message, on average over a fleet's messages."""
    read = [(rule, _reads(rule)) for rule in ruleset.rules]
    sums = 0.0
    for profile in PROFILES:
        channels = _channels(profile)
        concerned = [(rule.each, reads) for rule, reads in read if profile.device_class in classes_of(rule)]
        for group in profile.groups:
            brought = [channels[column] for column in group]
            touched = sum(any(_touches(c, each, reads) for c in brought) for each, reads in concerned)
            sums += profile.share * touched / len(profile.groups)
    return sums


def _reads(rule: Rule) -> set[Channel]:
    """Return the signals that a rule is evaluated for."""
    confirming = rule.confirm.ways if rule.confirm else ()
    conditions = [
        rule.when,
        rule.clear_when,
        *(way.condition for way in confirming if isinstance(way, AlsoWay)),
    ]
    conditions += [step.condition for step in rule.severities]
    return {
        Channel(node.signal, node.component)
        for condition in conditions
        if condition is not None
        for node in walk(condition)
        if isinstance(node, SignalValue | WindowValue | PeerDistance | Absent)
    }


def _touches(channel: Channel, each: str, reads: set[Channel]) -> bool:
    return channel in reads or bool(each and channel.component and Channel(channel.signal, "") in reads)


def _load(generated: list[GeneratedRule]) -> RuleSet:
    """Read them from a file together with the shipped packs, as anybody's rules are."""
    signals = {
        signal.key: {"title": "a signal that nobody sends"}
        for profile in _UNSENT
        for signal in profile.signals
    }
    pack = {"pack": "bench", "signals": signals, "rules": [rule.entry for rule in generated]}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bench.yaml"
        path.write_text(yaml.safe_dump(pack, sort_keys=False), encoding="utf-8")
        return load_rules(["builtin", path])


def _touched(seed: int) -> Iterator[GeneratedRule]:
    """Yield rules for ever, the classes in turn; the first n are the same however many are asked for."""
    random = np.random.default_rng([seed, 2])
    by_class = [[p for p in PROFILES if p.device_class == name] for name in DEVICE_CLASSES]
    for number in count():
        profiles = by_class[number % len(by_class)]
        profile = profiles[number // len(by_class) % len(profiles)]
        yield _draw(f"bench_{number:03d}", profile, profile, random)


def _untouched(seed: int) -> Iterator[GeneratedRule]:
    random = np.random.default_rng([seed, 3])
    for number in count():
        yield _draw(f"idle_{number:03d}", _UNSENT[number % len(_UNSENT)], None, random)


#: Signals like all others, but no device has them.
_UNSENT = tuple(
    Profile(
        f"unsent {name}",
        name,
        0.0,
        (
            *(Gauge(f"unsent.gauge_{i:02d}", 50, 3, 2) for i in range(12)),
            *(Counter(f"unsent.counter_{i:02d}", 0, 0.0) for i in range(8)),
        ),
    )
    for name in DEVICE_CLASSES
)


def _draw(rule_id: str, profile: Profile, sender: Profile | None, random: Random) -> GeneratedRule:
    """Draw one rule over signals of a profile."""
    place = float(random.random())
    kinds = sorted({c.signal.partition(".")[0] for c in _channels(profile) if c.component})
    kind = ""
    if kinds and place < 0.25:
        kind = "disk" if "disk" in kinds else str(random.choice(kinds))
    pool = _Pool(profile, kind, random)
    form = _FORMS[int(random.choice(len(_FORMS), p=_SHARES))]
    keys = form(pool)
    entry = {
        "id": rule_id,
        "fault": f"bench.{rule_id}",
        "title": f"Generated: {form.__name__.strip('_').replace('_', ' ')}",
        "for_devices": {"class": profile.device_class} | ({"each": kind} if kind else {}),
        **keys,
        "severity": "minor",
    }
    return GeneratedRule(entry, sender, kind)


def _channels(profile: Profile) -> list[Channel]:
    return [Channel.parse(signal.key) for signal in profile.signals]


class _Pool:
    """The signals that a rule may be about, and how it spells them."""

    def __init__(self, profile: Profile, kind: str, random: Random) -> None:
        signals = [s for s in profile.signals if not kind or (s.key.startswith(f"{kind}.") and "@" in s.key)]
        self.random = random
        self._kind = kind
        self._gauges = [s for s in signals if isinstance(s, Gauge) and s.within + s.between > 0]
        self._counters = [s for s in signals if isinstance(s, Counter) and s.faulty_chance > s.chance]

    def name(self, key: str) -> str:
        """Return the signal as the rule spells it: in lanes of components without theirs."""
        return key.partition("@")[0] if self._kind else key

    def gauge(self) -> Gauge | None:
        """Draw a gauge, None where the component has none."""
        return self._gauges[int(self.random.integers(len(self._gauges)))] if self._gauges else None

    def counter(self) -> Counter | None:
        """Draw a counter, None where the component has none."""
        return self._counters[int(self.random.integers(len(self._counters)))] if self._counters else None

    def window(self) -> str:
        """Draw the length of a window."""
        return str(self.random.choice(["5m", "10m", "30m", "1h", "6h"]))

    def beyond(self, gauge: Gauge, spelled: str | None = None, limit: str | None = None) -> str:
        """Return the comparison that is true for a faulty device."""
        # Thresholds of different rules differ a little, as those of different authors do.
        spread = 0.05 * (gauge.bad - gauge.mean) * float(self.random.random())
        number = limit or f"{gauge.limit + spread:.6g}"
        return f"{spelled or self.name(gauge.key)} {'>' if gauge.rises else '<'} {number}"

    def grown(self) -> str | None:
        """Return a comparison of a counter's growth, None where there is no counter."""
        counter = self.counter()
        if counter is None:
            return None
        function = str(self.random.choice(["increase", "delta", "changes"]))
        return f"{function}({self.name(counter.key)}, {self.window()}) > {self.random.integers(1, 4)}"


def _comparison(pool: _Pool) -> dict[str, Any]:
    gauge = pool.gauge()
    return {"when": pool.beyond(gauge)} if gauge else _growth(pool)


def _two_signals(pool: _Pool) -> dict[str, Any]:
    """One signal beyond its limit while another is in its usual range."""
    gauge, other = pool.gauge(), pool.gauge()
    if gauge is None or other is None or gauge is other:
        return _comparison(pool)
    usual = f"{pool.name(other.key)} {'<' if other.rises else '>'} {other.bad:.6g}"
    return {"when": f"{pool.beyond(gauge)} and {usual}"}


def _hold(pool: _Pool) -> dict[str, Any]:
    """A comparison that must last, with a second limit for its end."""
    gauge = pool.gauge()
    if gauge is None:
        return _growth(pool)
    over = f"{pool.name(gauge.key)} {'<' if gauge.rises else '>'} {(gauge.limit + gauge.mean) / 2:.6g}"
    hold = str(pool.random.choice(["2m", "5m", "10m"]))
    return {"when": pool.beyond(gauge), "hold": hold, "clear_when": over, "clear_hold": "5m"}


def _window(pool: _Pool) -> dict[str, Any]:
    """A comparison of a window's mean or extreme, with enough readings in it."""
    gauge = pool.gauge()
    if gauge is None:
        return _growth(pool)
    function = str(pool.random.choice(["avg", "min" if gauge.rises else "max", "avg"]))
    name, window = pool.name(gauge.key), pool.window()
    condition = pool.beyond(gauge, f"{function}({name}, {window})")
    if pool.random.random() < 0.5:
        condition += f" and count({name}, {window}) >= 2"
    return {"when": condition}


def _growth(pool: _Pool) -> dict[str, Any]:
    """The growth of a counter within a window."""
    grown = pool.grown()
    return {"when": grown} if grown else _comparison(pool)


def _fact(pool: _Pool) -> dict[str, Any]:
    """A limit that the device itself states."""
    gauge = pool.gauge()
    if gauge is None:
        return _growth(pool)
    return {"when": pool.beyond(gauge, limit=f'fact("{limit_fact(gauge)}")')}


_FORMS = (_comparison, _two_signals, _hold, _window, _growth, _fact)
_SHARES = (0.25, 0.20, 0.15, 0.20, 0.15, 0.05)
