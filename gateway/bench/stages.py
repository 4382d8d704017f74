"""Where the microseconds of a message go: the stages of the journey in one process, without a broker."""

import cProfile
import pstats
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.bench.machine import pin_to_one_core
from gateway.bench.traffic import Say, framed
from gateway.config import load_config
from gateway.fresh import duplicates, without
from gateway.history.duckdb_store import DuckDbHistory
from gateway.ledger.store import SqlLedger
from gateway.loading import build_decoder, build_pipeline, load_knowledge
from gateway.mqtt.framing import Framer, Publishes
from gateway.ports import Packets
from rules.symbols import Symbols

if TYPE_CHECKING:
    from gateway.bench.ingest import Settings

T = TypeVar("T")

_BATCH = 20_000
_READ = 262_144  # bytes of one read
_FUNCTIONS = 20


class _Stages:
    """Adds up what each stage took, in seconds of processor time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, action: Callable[[], T]) -> T:
        begun = time.process_time()
        result = action()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - begun
        return result


def measure(settings: "Settings", say: Say) -> dict[str, Any]:
    """Take a backlog through every stage, once by the clock and once under a profiler."""
    pin_to_one_core()
    say(f"taking {settings.messages:,} messages through the stages")
    stages = _journey(settings, None)
    say("the same under a profiler")
    profiler = cProfile.Profile()
    _journey(settings, profiler)
    count = settings.messages
    stats: Any = pstats.Stats(profiler)
    functions = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:_FUNCTIONS]
    return {
        "batch": _BATCH,
        "us_per_message": {name: round(s / count * 1e6, 2) for name, s in stages.seconds.items()},
        "sum": round(sum(stages.seconds.values()) / count * 1e6, 2),
        "functions_us_per_message": {
            _named(place): round(own / count * 1e6, 3) for place, (_, _, own, _, _) in functions
        },
    }


def _named(place: tuple[str, int, str]) -> str:
    path, _, name = place
    parts = Path(path).parts
    known = next((i for i, part in enumerate(parts) if part in ("gateway", "rules", "diagnostics")), None)
    where = "/".join(parts[known:]) if known is not None else parts[-1] if parts else ""
    return name if where in ("", "~") else f"{where}:{name}"


def _journey(settings: "Settings", profiler: cProfile.Profile | None) -> _Stages:
    stages, symbols, framer = _Stages(), Symbols(), Framer(262_144, version=5)
    with TemporaryDirectory() as name:
        path = Path(name) / "forewarn.toml"
        path.write_text(f'data_dir = "{name}/data"\n', encoding="utf-8")
        config = load_config(path, {})
        config.data_dir.mkdir()
        knowledge = load_knowledge(config)
        decoder = build_decoder(config, knowledge, symbols)
        pipeline = build_pipeline(config, knowledge, symbols, None)
        history = DuckDbHistory(config.history_path)
        ledger = SqlLedger(f"sqlite:///{config.ledger_path}", quarantine_limit=1_000)
        for stream in framed(settings.traffic().messages(settings.messages), _BATCH):
            if profiler is not None:
                profiler.enable()
            packets = stages.time("receive", lambda: _received(framer, stream))  # noqa: B023  (called at once)
            inbound = stages.time("decode", lambda: decoder.decode(packets))  # noqa: B023
            effects = stages.time("engine and cases", lambda: pipeline.push(inbound))  # noqa: B023
            seen = duplicates(effects.readings, effects.repeated, lambda r: history.known(symbols, r))
            readings, notices = without(effects.readings, effects.notices, seen)
            stages.time("history", lambda: history.append(symbols, readings, notices))  # noqa: B023
            stages.time("ledger", lambda: ledger.commit(effects.write))  # noqa: B023
            if profiler is not None:
                profiler.disable()
        history.close()
        ledger.close()
    return stages


def _received(framer: Framer, stream: bytes) -> Packets:
    """Cut a stream into packets as the receiver does, and join their acknowledgements."""
    packets, now = Packets(), time.time_ns() // 1_000_000
    for begin in range(0, len(stream), _READ):
        messages: Publishes = framer.feed(stream[begin : begin + _READ])[0]
        outstanding = dict.fromkeys(messages.identifiers, messages)
        packets.extend(
            Packets(messages.topics, messages.payloads, [now] * len(messages), [False] * len(messages))
        )
        b"\x40\x02".join(outstanding)
    return packets
