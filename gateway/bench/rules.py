"""The measurements of ``forewarn bench rules``; each runs in a process of its own."""

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from gateway.bench.comparison import compare
from gateway.bench.fleet import ROUND_MS, START, Arrived, Fleet
from gateway.bench.machine import peak_bytes, resident_bytes
from gateway.bench.packs import BenchRules, bench_rules, rules_a_message
from gateway.bench.profiles import PROFILES
from gateway.memory import give_back
from gateway.saving import Saving
from gateway.state import SavedState, load_state
from rules.engine import Engine
from rules.findings import Finding
from rules.symbols import DeviceId, Symbols
from rules.times import HOUR_MS

Progress = Callable[[str], None]
_MILLION = 1_000_000
#: The longest windows of the generated rules.
_LONGEST_MS = 6 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose.

    Attributes:
        devices: in the fleet.
        rules: shipped and generated.
        messages: measured, after those of the warm-up.
        batch: messages that the engine takes at once.
        warmup: rounds of one message of each device before measuring, so that windows fill.
        fill: rounds, spread over six hours, before measuring with full windows.
        seed: of everything that is chance.
    """

    devices: int = 100_000
    rules: int = 200
    messages: int = 400_000
    batch: int = 20_000
    warmup: int = 12
    fill: int = 240
    seed: int = 1

    @property
    def rounds(self) -> int:
        """Measured rounds, at least one."""
        return max(1, self.messages // self.devices)


@dataclass(slots=True)
class Pace:
    """How long the engine took for some messages; making them is not counted.

    Attributes:
        seconds: by the wall clock.
        cpu_seconds: of this process; less than `seconds` when others used the core, too.
    """

    messages: int = 0
    findings: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def us(self) -> float:
        """Microseconds a message."""
        return round(self.seconds * 1e6 / self.messages, 3)

    def figures(self) -> dict[str, Any]:
        """Return what is reported."""
        return {
            "messages": self.messages,
            "us_per_message": self.us,
            "cpu_us_per_message": round(self.cpu_seconds * 1e6 / self.messages, 3),
            "messages_per_second": round(self.messages / self.seconds),
            "findings_per_1000_messages": round(1000 * self.findings / self.messages, 2),
        }


@dataclass(slots=True)
class Run:
    """An engine, the fleet that speaks to it, and the rules that are suspected by now."""

    rules: BenchRules
    fleet: Fleet
    engine: Engine
    rounds: int = 0
    time: int = START
    suspected: set[tuple[str, DeviceId, str]] = field(default_factory=set)

    @classmethod
    def new(cls, rules: BenchRules, devices: int, seed: int) -> "Run":
        """Return an engine to which nobody has spoken yet."""
        symbols = Symbols()
        fleet = Fleet(devices, seed, symbols)
        fleet.introduce()
        return cls(rules, fleet, Engine(rules.ruleset, symbols))

    def play(self, batch: int, *, most: int | None = None, lasts: int = ROUND_MS) -> Pace:
        """Let every device speak once, or as many of them as `most`; then `lasts` ms have passed."""
        pace = Pace()
        for arrived in self.fleet.round(self.rounds, self.time, batch):
            self.apply(arrived, pace)
            if most is not None and pace.messages >= most:
                break
        self.rounds += 1
        self.time += lasts
        return pace

    def play_drawn(self, batch: int, messages: int) -> Pace:
        """Let devices speak that are drawn one by one, so that some are twice in a batch."""
        pace = Pace()
        for arrived in self.fleet.drawn(messages, self.time, batch):
            self.apply(arrived, pace)
        self.time += math.ceil(messages / self.fleet.size) * ROUND_MS
        return pace

    def apply(self, arrived: Arrived, pace: Pace) -> list[Finding]:
        """Let the engine take a batch and add what it took to the pace."""
        readings, facts = arrived
        begin, cpu_begin = perf_counter(), process_time()
        findings = self.engine.apply(readings, facts).findings
        pace.seconds += perf_counter() - begin
        pace.cpu_seconds += process_time() - cpu_begin
        pace.messages += len(readings)
        pace.findings += len(findings)
        for finding in findings:
            lane = (finding.rule.id, finding.device, finding.component)
            if finding.kind == "suspected":
                self.suspected.add(lane)
            elif finding.kind == "cleared":
                self.suspected.discard(lane)
        return findings

    def warm_up(self, settings: Settings) -> list[float]:
        """Play the rounds that are not measured; return microseconds a message of each."""
        return [self.play(settings.batch).us for _ in range(settings.warmup)]

    def fill_windows(self, settings: Settings) -> None:
        """Let the hours of the longest windows pass, in rounds further apart."""
        for _ in range(settings.fill):
            self.play(settings.batch, lasts=_LONGEST_MS // settings.fill)

    def active_share(self) -> float:
        """Return the part of the generated rules' lanes that is suspected."""
        generated = {rule.entry["id"] for rule in self.rules.generated}
        suspected = sum(rule in generated for rule, _, _ in self.suspected)
        return suspected / max(1, self.rules.generated_lanes(self.fleet))


def total(paces: list[Pace]) -> Pace:
    """Return several paces as one."""
    return Pace(
        sum(p.messages for p in paces),
        sum(p.findings for p in paces),
        sum(p.seconds for p in paces),
        sum(p.cpu_seconds for p in paces),
    )


def measure_engine(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure the engine alone: first rounds, steady state, and batches of other sizes."""
    rules = bench_rules(settings.rules, settings.seed)
    run = Run.new(rules, settings.devices, settings.seed)
    progress(f"engine: {settings.warmup} rounds to fill the windows")
    first = run.warm_up(settings)
    progress(f"engine: {settings.rounds} rounds measured")
    rounds = [run.play(settings.batch) for _ in range(settings.rounds)]
    active = run.active_share()
    progress("engine: devices drawn one by one")
    drawn = run.play_drawn(settings.batch, max(1, settings.messages // 2))
    others: dict[str, Any] = {}
    for size, part in ((50_000, 1), (1_000, 4), (100, 20)):
        progress(f"engine: batches of {size}")
        others[str(size)] = run.play(size, most=max(size, settings.messages // part)).figures()
    progress("engine: six hours to fill all windows")
    run.fill_windows(settings)
    full = total([run.play(settings.batch) for _ in range(max(1, settings.rounds // 2))])
    return {
        "devices": settings.devices,
        "shares": {profile.name: profile.share for profile in PROFILES},
        "rules": len(rules.ruleset.rules),
        "rules_shipped": len(rules.ruleset.rules) - len(rules.generated),
        "rules_generated": len(rules.generated),
        "rules_read_a_message": round(rules_a_message(rules.ruleset), 2),
        "batch": settings.batch,
        **total(rounds).figures(),
        "rounds_us_per_message": [pace.us for pace in rounds],
        "warmup_us_per_message": first,
        "active_share_of_generated_lanes": round(active, 4),
        "suspected_lanes": len(run.suspected),
        "full_windows": full.figures(),
        "drawn_devices": drawn.figures(),
        "other_batches": others,
    }


def measure_scaling(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure what further rules cost, touched by messages or over signals that nobody sends."""
    few = max(1, settings.rules // 4)
    sizes = (few, 2 * few, 4 * few, 8 * few)

    def us(rules: int, idle: int) -> float:
        progress(f"scaling: {rules} rules and {idle} over signals that nobody sends")
        run = Run.new(bench_rules(rules, settings.seed, idle=idle), settings.devices, settings.seed)
        run.warm_up(settings)
        return total([run.play(settings.batch) for _ in range(max(1, settings.rounds // 2))]).us

    touched = {rules: us(rules, 0) for rules in sizes}
    untouched = {rules - few: us(few, rules - few) for rules in sizes[1:]}
    most, added = sizes[-1], sizes[-1] - few
    least_us = touched[few]
    return {
        "us_per_message_by_rules": {str(rules): figure for rules, figure in touched.items()},
        "us_per_message_by_untouched_rules": {"0": least_us} | {str(n): f for n, f in untouched.items()},
        "us_per_touched_rule": round((touched[most] - least_us) / added, 5),
        "us_per_untouched_rule": round((untouched[added] - least_us) / added, 5),
        # 1 would be linear: eight times the rules at eight times the cost.
        "growth_touched": round(touched[most] / least_us / (most / few), 4),
        "growth_untouched": round(untouched[added] / least_us / (most / few), 4),
    }


def measure_memory(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure what a device takes that sends twenty signals, under a quarter of the rules (50 of 200)."""
    rules = bench_rules(max(1, settings.rules // 4), settings.seed)
    symbols = Symbols()
    fleet = Fleet(settings.devices, settings.seed, symbols)
    for _ in fleet.round(0, START, settings.batch):
        pass  # so that what making messages takes is not counted
    gc.collect()
    before = resident_bytes()
    progress(f"memory: {settings.devices} devices, {settings.warmup} rounds")
    fleet.introduce()
    run = Run(rules, fleet, Engine(rules.ruleset, symbols))
    run.warm_up(settings)
    early = _taken(run, before)
    progress("memory: six hours to fill all windows")
    run.fill_windows(settings)
    full = _taken(run, before)
    return {
        "devices": settings.devices,
        "rules": len(rules.ruleset.rules),
        "signals_a_device": len(PROFILES[0].signals),
        "rounds": settings.warmup,
        **full,
        "before_windows_are_full": early,
        "resident_bytes": resident_bytes(),
        "resident_bytes_before": before,
        "peak_bytes": peak_bytes(),
    }


def _taken(run: Run, before: int) -> dict[str, int]:
    """Return bytes a device: what the process grew by, and the part of it that is the engine's arrays."""
    run.suspected.clear()
    gc.collect()
    give_back()  # as the service does whenever it saves its state
    grown = resident_bytes() - before
    arrays, _ = run.engine.snapshot()
    return {
        "resident_bytes_a_device": round(grown / run.fleet.size),
        "array_bytes_a_device": round(sum(array.nbytes for array in arrays.values()) / run.fleet.size),
    }


def measure_million(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure the memory of a million devices."""
    return measure_memory(replace(settings, devices=_MILLION), progress)


def measure_snapshot(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure how long intake stops for a snapshot, and how long saving and taking it up again last."""
    rules = bench_rules(settings.rules, settings.seed)
    run = Run.new(rules, settings.devices, settings.seed)
    progress(f"snapshot: {settings.warmup} rounds to fill the windows")
    run.warm_up(settings)
    progress("snapshot: saving and restoring")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.npz"
        # As the service does it: a copy of the process writes, and this one goes on.
        begin = perf_counter()
        saving = Saving.begin(path, lambda: SavedState(0, 0, *run.engine.snapshot()))
        stopped = perf_counter() - begin
        saving.wait()
        saved = perf_counter() - begin
        size = path.stat().st_size
        begin = perf_counter()
        symbols = Symbols()
        restored = Engine(rules.ruleset, symbols)
        built = perf_counter() - begin
        state = load_state(path)
        assert state is not None
        loaded = perf_counter() - begin
        restored.restore(state.arrays, state.document)
        taken_up = perf_counter() - begin
    return {
        "devices": settings.devices,
        "rules": len(rules.ruleset.rules),
        "intake_stops_ms": round(stopped * 1e3, 2),
        "save_s": round(saved, 3),
        "file_bytes": size,
        "array_bytes": sum(array.nbytes for array in state.arrays.values()),
        "restore_s": round(taken_up, 3),
        "restore_parts_s": {
            "engine": round(built, 3),
            "load": round(loaded - built, 3),
            "restore": round(taken_up - loaded, 3),
        },
        "same_findings_after": _same_findings(run, restored, symbols, settings.batch),
    }


def _same_findings(run: Run, restored: Engine, symbols: Symbols, batch: int) -> bool:
    """Return whether both engines say the same of a further round, device by device."""
    same = len(symbols.devices) == len(run.fleet.symbols.devices)
    for readings, facts in run.fleet.round(run.rounds, run.time, batch):
        ours = run.engine.apply(readings, facts).findings
        theirs = restored.apply(readings, facts).findings
        same = same and [_essence(f) for f in ours] == [_essence(f) for f in theirs]
    return same


def _essence(finding: Finding) -> tuple[str, str, int, DeviceId, str]:
    return (finding.kind, finding.rule.id, finding.at, finding.device, finding.component)


def measure_worst_order(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure a batch in which a single device speaks all the time, in a fleet that is known already."""
    run = Run.new(bench_rules(settings.rules, settings.seed), settings.devices, settings.seed)
    for _ in range(4):  # after four messages a device has reported all its signals
        run.play(settings.batch)
    figures: dict[str, Any] = {"devices": settings.devices, "batch": settings.batch}
    for name, faulty in (("quiet", False), ("active", True)):
        progress(f"worst order: {settings.batch} messages of one {name} device")
        batch = run.fleet.course("server", faulty=faulty, count=settings.batch, begin=run.time)
        pace = Pace()
        run.apply((batch, []), pace)
        figures[name] = pace.figures()
    return figures


def measure_comparison(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Measure other engines beside ours."""
    devices = max(1, min(settings.devices, settings.messages // 20))
    progress(f"comparison: {devices} devices")
    return compare(devices, 2, settings.batch, settings.seed)


Measurement = Callable[[Settings, Progress], dict[str, Any]]

#: By name; those with True run unless others are asked for.
MEASUREMENTS: dict[str, tuple[Measurement, bool]] = {
    "engine": (measure_engine, True),
    "scaling": (measure_scaling, True),
    "memory": (measure_memory, True),
    "snapshot": (measure_snapshot, True),
    "worst_order": (measure_worst_order, True),
    "comparison": (measure_comparison, True),
    "million": (measure_million, False),
}
