"""Laws of the history: what goes in comes out, in its order, each once."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.history.duckdb_store import DuckDbHistory
from gateway.history.memory import MemoryHistory
from gateway.ports import History, Inbound, Notice, NoticeKind
from rules.batch import BatchBuilder, Kind, ReadingBatch, Value
from rules.symbols import Channel, DeviceId, Symbols

DEVICES = [DeviceId("acme", "pc", "a"), DeviceId("acme", "server", "a"), DeviceId("other", "pc", "b:1.x")]
KEYS = ["cpu.temperature@0", "cpu.temperature@1", "cpu.temperature", "error.code", "x"]


@dataclass(frozen=True)
class Said:
    """A telemetry message or a notice, free of any numbering."""

    device: DeviceId
    ts: int
    arrival: int
    values: tuple[tuple[str, Value], ...] = ()
    kind: NoticeKind | None = None
    body: str = ""
    retained: bool = False


def batch_of(symbols: Symbols, said: list[Said]) -> tuple[ReadingBatch, list[Notice]]:
    builder = BatchBuilder(symbols)
    notices = []
    for one in said:
        device = symbols.devices.intern(one.device)
        if one.kind is None:
            builder.add(device, one.ts, one.arrival, dict(one.values), retained=one.retained)
        else:
            body: dict[str, object] = {"body": one.body}
            notices.append(Notice(one.kind, len(builder), device, one.arrival, body, retained=one.retained))
    return builder.build(), notices


def said_in(symbols: Symbols, inbound: Inbound) -> list[Said]:
    readings = inbound.readings
    values: list[list[tuple[str, Value]]] = [[] for _ in range(len(readings))]
    for row, channel, value, kind in zip(
        readings.message.tolist(), readings.channel, readings.value, readings.kind, strict=True
    ):
        values[row].append((str(symbols.channels[channel]), plain(symbols, float(value), int(kind))))
    told: list[Said] = []
    notices = list(inbound.notices)
    for row in range(len(readings) + 1):
        while notices and notices[0].position == row:
            notice = notices.pop(0)
            device = symbols.devices[notice.device]
            body = str(notice.body["body"])
            told.append(Said(device, 0, notice.arrival, (), notice.kind, body, notice.retained))
        if row < len(readings):
            told.append(
                Said(
                    symbols.devices[readings.device[row]],
                    int(readings.ts[row]),
                    int(readings.arrival[row]),
                    tuple(values[row]),
                    retained=bool(readings.retained[row]),
                )
            )
    assert not notices
    return told


def plain(symbols: Symbols, value: float, kind: int) -> Value:
    match kind:
        case Kind.TEXT:
            return symbols.texts[int(value)]
        case Kind.BOOLEAN:
            return bool(value)
        case Kind.UNKNOWN:
            assert math.isnan(value)
            return None
    return value


class Stage:
    """A history in a folder of its own that can be closed and opened anew."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "data" / "history.duckdb"
        self.history = DuckDbHistory(self.path, keep_free=0)

    def reopen(self, *, readonly: bool = False) -> None:
        self.history.close()
        self.history = (
            DuckDbHistory.open_readonly(self.path) if readonly else DuckDbHistory(self.path, keep_free=0)
        )


@contextmanager
def stage() -> Iterator[Stage]:
    with TemporaryDirectory() as folder:
        opened = Stage(Path(folder))
        try:
            yield opened
        finally:
            opened.history.close()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
values = st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), texts)
telemetry = st.builds(
    Said,
    device=st.sampled_from(DEVICES),
    ts=st.integers(0, 5).map(lambda n: n * 400_000),
    arrival=st.integers(0, 253_402_300_799_999),
    values=st.dictionaries(st.sampled_from(KEYS), values, max_size=4).map(lambda d: tuple(d.items())),
    retained=st.booleans(),
)
notice = st.builds(
    Said,
    device=st.sampled_from(DEVICES),
    ts=st.just(0),
    arrival=st.integers(0, 253_402_300_799_999),
    kind=st.sampled_from(["facts", "status", "reply"]),
    body=texts,
    retained=st.booleans(),
)
batches = st.lists(st.lists(telemetry | notice, max_size=8), max_size=5)


@pytest.mark.slow
@given(batches=batches, limit=st.integers(1, 12), reopened=st.booleans())
@example(batches=[[Said(DEVICES[0], 0, 0)], [Said(DEVICES[0], 0, 0, (), "facts")]], limit=1, reopened=True)
@settings(max_examples=40, deadline=None)
def test_what_was_appended_comes_back_in_order_for_any_limit(
    batches: list[list[Said]], limit: int, reopened: bool
) -> None:
    with stage() as here:
        symbols = Symbols()
        ends = [here.history.append(symbols, *batch_of(symbols, batch)) for batch in batches]
        assert ends == sorted(ends)
        if reopened:
            here.reopen(readonly=True)
        mine = Symbols()
        mine.devices.intern(DeviceId("somebody", "pc", "else"))
        told: list[Said] = []
        sequence = 0
        while True:
            inbound, end = here.history.since(mine, sequence, limit)
            if end == sequence:
                assert said_in(mine, inbound) == []
                break
            part = said_in(mine, inbound)
            assert 0 < len(part) <= limit
            told += part
            sequence = end
        assert told == [one for batch in batches for one in batch]
        assert sequence == (ends[-1] if ends else 0)
        for batch, end in zip(batches, ends, strict=True):
            after, _ = here.history.since(mine, end - len(batch), len(batch) or 1)
            assert said_in(mine, after)[: len(batch)] == batch


# Few devices, channels and times, on both sides of what `known` takes for one stretch and for the present.
again_and_again = st.builds(
    Said,
    device=st.sampled_from(DEVICES[:2]),
    ts=st.builds(
        lambda step, hours: step * 400_000 + hours * 3_600_000, st.integers(0, 4), st.sampled_from([0, 9])
    ),
    arrival=st.just(0),
    values=st.sampled_from([(("x", 1.0),), (("x", 1.0), ("error.code", "E1"))]),
)
step = st.tuples(
    st.sampled_from(["append", "append", "known", "reopen"]),
    st.lists(again_and_again, min_size=1, max_size=3),
)


def at(ts: int) -> list[Said]:
    return [Said(DEVICES[0], ts, 0, (("x", 1.0),))]


@pytest.mark.slow
@given(st.lists(step, min_size=3, max_size=16))
@example([("append", at(400_000)), ("reopen", []), ("known", at(800_000)), ("known", at(400_000))])
@settings(max_examples=30, deadline=None)
def test_known_is_exact_before_and_after_a_restart(steps: list[tuple[str, list[Said]]]) -> None:
    with stage() as here:
        symbols = Symbols()
        stored: set[tuple[DeviceId, Channel, int]] = set()
        for action, said in steps:
            if action == "reopen":
                here.reopen()
                symbols = Symbols()
                continue
            readings, _ = batch_of(symbols, said)
            named = [(one.device, Channel.parse(key), one.ts) for one in said for key, _ in one.values]
            assert here.history.known(symbols, readings) == [name in stored for name in named]
            if action == "append":
                here.history.append(symbols, readings, ())
                stored.update(named)


bound = st.none() | st.integers(0, 5).map(lambda n: n * 400_000)


class Question(NamedTuple):
    signal: str | None
    start: int | None
    end: int | None
    step: int | None
    limit: int | None


questions = st.builds(
    Question,
    signal=st.none() | st.sampled_from([*KEYS, "cpu.temperature@7", "never.sent"]),
    start=bound,
    end=bound,
    step=st.none() | st.sampled_from([1, 1_000, 1_000_000, 10_000_000]),
    limit=st.none() | st.integers(0, 5),
)


@pytest.mark.slow
@given(st.lists(st.lists(telemetry, max_size=8), max_size=4), questions)
@settings(max_examples=40, deadline=None)
def test_telemetry_is_each_reading_once_in_order_of_time(
    batches: list[list[Said]], question: Question
) -> None:
    signal, start, end, step, limit = question
    expected: dict[tuple[int, str, str], tuple[Value, int]] = {}
    for one in (one for batch in batches for one in batch if one.device == DEVICES[0]):
        for key, value in one.values:
            channel = Channel.parse(key)
            wanted = signal is None or signal in (str(channel), channel.signal)
            if wanted and (start is None or one.ts >= start) and (end is None or one.ts < end):
                expected.setdefault((one.ts, *channel), (value, one.arrival))
    if step is not None:
        last_of = {(*key[1:], key[0] // step): key for key in sorted(expected)}
        expected = {key: expected[key] for key in last_of.values()}
    rows = [(*key, *expected[key]) for key in sorted(expected)]
    if limit is not None:
        rows = rows[len(rows) - min(limit, len(rows)) :]
    with stage() as here:
        symbols = Symbols()
        for batch in batches:
            here.history.append(symbols, *batch_of(symbols, batch))
        got = here.history.telemetry(DEVICES[0], **question._asdict())
    assert [tuple(reading) for reading in got] == rows
    assert [type(reading.value) for reading in got] == [type(row[3]) for row in rows]


def test_a_device_that_never_spoke_has_no_telemetry() -> None:
    with stage() as here:
        assert here.history.telemetry(DeviceId("acme", "pc", "never")) == []


def test_facts_come_back_with_every_kind_of_json() -> None:
    body: dict[str, object] = {
        "model": "W900 \u00e4\u0000",
        "components": {"sda": {"serial": None, "size": 2**63, "worn": 0.1, "ok": True, "list": [1, []]}},
    }
    with stage() as here:
        symbols = Symbols()
        readings, _ = batch_of(symbols, [])
        device = symbols.devices.intern(DEVICES[0])
        here.history.append(symbols, readings, [Notice("facts", 0, device, 5, body)])
        inbound, end = here.history.since(Symbols(), 0, 10)
    assert end == 1
    assert inbound.notices[0].body == body


def test_checkpoints_while_appending_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    history = DuckDbHistory(path, keep_free=0, checkpoint_bytes=2_000)
    symbols = Symbols()
    told = [Said(DEVICES[n % 3], n, n, (("x", float(n)), ("error.code", f"E{n}"))) for n in range(300)]
    sizes = []
    for start in range(0, 300, 10):
        history.append(symbols, *batch_of(symbols, told[start : start + 10]))
        log = path.with_name("h.duckdb.wal")
        sizes.append(log.stat().st_size if log.exists() else 0)
    assert 0 in sizes, "never folded its log"
    inbound, end = history.since(symbols, 0, 1_000)
    assert said_in(symbols, inbound) == told
    assert end == 300
    history.close()
    assert [file.name for file in tmp_path.iterdir()] == ["h.duckdb"]


def test_closing_twice_is_closing_once() -> None:
    with stage() as here:
        here.history.close()
        here.history.close()


@pytest.mark.parametrize("make", [MemoryHistory, lambda: DuckDbHistory(Path("unused.duckdb"))])
def test_every_history_is_a_history(
    make: type[MemoryHistory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    history: History = make()
    symbols = Symbols()
    readings, notices = batch_of(
        symbols,
        [Said(DEVICES[0], 1, 1, (("x", 1.0),)), Said(DEVICES[0], 0, 1, (), "status"), Said(DEVICES[1], 2, 2)],
    )
    assert history.known(symbols, readings) == [False]
    assert history.append(symbols, readings, notices) == 3
    assert history.append(symbols, *batch_of(symbols, [])) == 3
    assert history.append(symbols, readings, ()) == 5
    inbound, end = history.since(symbols, 5, 10)
    assert (len(inbound.readings), inbound.notices, end) == (0, (), 5)
    history.close()
