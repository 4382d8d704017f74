"""Backtests: both sides are what runs of their own would give, and what is not known is not invented."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from diagnostics.case import Command
from diagnostics.faults import load_faults
from diagnostics.orders.registry import Registry
from gateway.backtest.answers import AssumedAnswers, KnownAnswer
from gateway.backtest.figures import BacktestOrder, Tally
from gateway.backtest.plan import Backtest, Labelled, parse_moment
from gateway.backtest.process import ShareRun
from gateway.backtest.result import differences, score
from gateway.backtest.running import run_backtest, share_of_all
from gateway.bench.fleet import START, Fleet
from gateway.cli.commands import app
from gateway.cli.outcome import exit_with
from gateway.config import Config
from gateway.history.duckdb_store import DuckDbHistory
from gateway.loading import pipeline_settings
from gateway.pipeline import EMPTY, Pipeline
from gateway.ports import Inbound, Notice
from rules.batch import BatchBuilder
from rules.loader import load_files, read_packs
from rules.symbols import DeviceId, Symbols
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS

FOREWARN = Path(sys.executable).with_name("forewarn")
RULE = {
    "id": "hot",
    "fault": "cpu.overheating",
    "for_devices": {"class": "server", "model": "R*"},
    "when": "cpu.temperature > 95",
    "hold": "10m",
}


def pack(**changes):
    return yaml.safe_dump({"pack": "mine", "rules": [{**RULE, **changes}]})


@pytest.fixture(scope="module")
def fleet_history(tmp_path_factory):
    """Four hundred devices of all kinds, some with something broken, for eighteen hours."""
    path = tmp_path_factory.mktemp("fleet") / "h.duckdb"
    symbols = Symbols()
    fleet = Fleet(400, 1, symbols)
    fleet.introduce()
    history = DuckDbHistory(path)
    for number in range(72):
        for batch, _ in fleet.round(number, START + number * 15 * MINUTE_MS, 1000):
            history.append(symbols, batch, [])
    history.close()
    return path


def test_each_side_finds_what_an_engine_of_its_own_would_find(fleet_history):
    today = read_packs(["builtin"])
    grown = b"increase(disk.pending_sectors, 365d) > 0"
    candidate = [(name, text.replace(grown, grown[:-1] + b"2")) for name, text in today]
    since, to = START + 2 * HOUR_MS, START + DAY_MS
    history = DuckDbHistory.open_readonly(fleet_history)
    span = history.span(start=START, since=since, to=to)
    run = ShareRun(share_of_all(Backtest(today, candidate, since, to), span, Config()))
    for piece in span.pieces(3_700):
        run.take(piece)
    report = run.end()
    assert run.rules == 75  # what both have was evaluated once
    assert report.sides[0].orders != report.sides[1].orders
    for packs, figures in zip((today, candidate), report.sides, strict=True):
        symbols, tally = Symbols(), Tally()
        pipeline = Pipeline(
            symbols=symbols, ruleset=load_files(packs), faults=load_faults(), registry=Registry(),
            settings=pipeline_settings(Config(), None),
        )  # fmt: skip
        sequence = 0
        while (read := history.since(symbols, sequence, 5_000))[1] > sequence:
            inbound, sequence = read
            for part, counts in cut(inbound, since):
                tally.take(pipeline.push(part), counts=counts)
        tally.take(pipeline.tick(to), counts=True)
        expected = tally.figures(probes=figures.probes, answered=0, assumed=0)
        assert len(figures.orders) > 1
        assert sorted(figures.orders, key=repr) == sorted(expected.orders, key=repr)
        assert (figures.cases, figures.cases_by_rule, figures.no_orders) == (
            expected.cases, expected.cases_by_rule, expected.no_orders,
        )  # fmt: skip
    history.close()


def cut(inbound, since):
    """Cut what the history gave where the part that counts begins."""
    batch = inbound.readings
    number = int((batch.arrival < since).sum())
    for first, last, counts in ((0, number, False), (number, len(batch), True)):
        if first < last:
            chosen = (batch.message >= first) & (batch.message < last)
            yield Inbound(
                replace(
                    batch,
                    device=batch.device[first:last], ts=batch.ts[first:last],
                    arrival=batch.arrival[first:last], retained=batch.retained[first:last],
                    message=batch.message[chosen] - first, channel=batch.channel[chosen],
                    value=batch.value[chosen], kind=batch.kind[chosen],
                )
            ), counts  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A data folder whose history has two servers, one at 99 °C from 2:00 on, one at 93 °C."""
    symbols = Symbols()
    history = DuckDbHistory(tmp_path / "data" / "history.duckdb")
    for name in ("srv-1", "srv-2"):
        number = symbols.devices.intern(DeviceId("acme", "server", name))
        history.append(symbols, EMPTY, [Notice("facts", 0, number, START - DAY_MS, {"model": "R740"})])
    for minute in range(0, 360, 5):
        builder = BatchBuilder(symbols)
        at = START + minute * MINUTE_MS
        builder.add(0, at, at, {"cpu.temperature": 99.0 if minute >= 120 else 60.0})
        builder.add(1, at, at, {"cpu.temperature": 93.0})
        history.append(symbols, builder.build(), [])
    history.close()
    (tmp_path / "today").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "today" / "mine.yaml").write_text(pack())
    (tmp_path / "other" / "mine.yaml").write_text(pack(when="cpu.temperature > 90", hold="20m"))
    (tmp_path / "forewarn.toml").write_text('data_dir = "data"\n[rules]\npacks = ["today"]\n')
    (tmp_path / "truth.jsonl").write_text(
        json.dumps(
            {"kind": "fault", "device": "acme/server/srv-1", "component": None, "fault": "cpu.overheating",
             "onset": "2026-01-01T01:50:00Z", "onset_ms": START + 110 * MINUTE_MS, "course": "steep"}
        ) + "\n"
    )  # fmt: skip
    return tmp_path


def forewarn(folder, *arguments):
    return subprocess.run(
        [FOREWARN, "backtest", *arguments, "--config", "forewarn.toml"],
        cwd=folder, check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def in_process(folder, monkeypatch, *arguments):
    """Run the command here, which spares its start, and return its exit status."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["forewarn", "backtest", *arguments, "--config", "forewarn.toml"])
    return exit_with(app)


SPAN = ("--from", "2026-01-01T01:00:00Z", "--to", str(START + 6 * HOUR_MS))


def test_the_command_shows_both_sides_and_what_differs(folder):
    done = forewarn(folder, "--rules", "other", *SPAN, "--truth", "truth.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    today, candidate = result["today"], result["candidate"]
    assert (today["orders"], candidate["orders"]) == (1, 1)
    # The one at 93 °C was ordered in the warm-up, and counts on neither side.
    assert [d["device"] for d in result["differences"]] == ["acme/server/srv-1"]
    (moved,) = result["differences"]
    assert (moved["kind"], moved["moved_s"]) == ("moved", 600.0)
    assert (moved["today"], moved["candidate"]) == ("2026-01-01T02:10:00Z", "2026-01-01T02:20:00Z")
    assert (today["score"]["precision"], today["score"]["recall"]) == (1.0, 1.0)
    assert (today["score"]["median_delay_s"], candidate["score"]["median_delay_s"]) == (1200.0, 1800.0)
    assert (result["changed"], result["warm_up_messages"]) == (["hot"], 24)


def test_the_table_lists_orders_that_only_one_side_has(folder, monkeypatch, capfd):
    status = in_process(
        folder, monkeypatch, "--rules", "other", "--from", "2026-01-01T00:00:00Z", "--to", SPAN[3]
    )
    assert status == 0
    assert "only candidate acme/server/srv-2" in " ".join(capfd.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("--rules", "nowhere"), 1, "--rules: expected builtin, a file or a folder, got 'nowhere'"),
        (("--rules", "other", "--from", "soon"), 2, "expected RFC 3339, ms since 1970, or a span"),
        (("--rules", "other", "--from", "2027-01-01", "--to", "2027-02-01"), 1, "no message from 2027"),
        (("--rules", "today", "--truth", "forewarn.toml"), 1, "forewarn.toml:1"),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(folder, monkeypatch, capfd, arguments, status, told):
    assert in_process(folder, monkeypatch, *arguments) == status
    printed = capfd.readouterr()
    assert printed.out == ""
    assert told in " ".join(printed.err.replace("│", " ").split())


def test_a_question_that_moved_is_answered_as_it_was_and_one_never_asked_is_not():
    def known(probe_id, asked_at, state):
        return KnownAnswer(
            probe_id,
            ("acme", "pc", "pc-1"),
            "sda",
            "disk.self_test",
            asked_at,
            asked_at + MINUTE_MS,
            state,
            {},
        )

    def command(number, asked_at, device="pc-1"):
        return Command(
            tenant="acme", device_class="pc", device=device, id=number, action="disk.self_test",
            component="sda", expires=asked_at + 30 * MINUTE_MS,
        )  # fmt: skip

    answers = AssumedAnswers(
        [known("P-1", 0, "passed"), known("P-2", 10 * DAY_MS, "failed")], 30 * MINUTE_MS, since=HOUR_MS
    )
    assert answers.due([command("P-1", 0)], DAY_MS) == []  # the very question: its answer is a message
    moved = command("P-9", 10 * DAY_MS - 2 * HOUR_MS)
    assert answers.due([moved], moved.expires - 30 * MINUTE_MS) == []
    (answer,) = answers.due([moved], moved.expires)
    assert (answer.arrival, answer.body["state"]) == (10 * DAY_MS - 2 * HOUR_MS + MINUTE_MS, "failed")
    assert answers.due([moved, command("P-8", 5 * DAY_MS), command("P-7", 0, "pc-2")], 20 * DAY_MS) == []
    assert (answers.asked, answers.answered, answers.assumed) == (2, 0, 1)


def test_an_assumed_answer_decides_the_case(tmp_path):
    """The device failed its self test three hours before the candidate would have asked for it."""
    probe = {"confirm": {"any_of": [{"probe": "cpu.test"}]}, "for_devices": {"class": "server"}}
    symbols = Symbols()
    history = DuckDbHistory(tmp_path / "h.duckdb")
    symbols.devices.intern(DeviceId("acme", "server", "srv-1"))
    builder = BatchBuilder(symbols)
    for minute in range(0, 600, 5):
        builder.add(0, START + minute * MINUTE_MS, START + minute * MINUTE_MS, {"cpu.temperature": 99.0})
    history.append(symbols, builder.build(), [])
    answered = KnownAnswer(
        "P-x", ("acme", "server", "srv-1"), "", "cpu.test", START + 10 * MINUTE_MS, START + 12 * MINUTE_MS,
        "failed", {},
    )  # fmt: skip
    asked = Backtest(
        [("mine", pack(**probe).encode())], [("mine", pack(**probe, hold="3h").encode())], START,
        START + DAY_MS, processes=1,
    )  # fmt: skip
    told = []
    result = run_backtest(asked, history, Config(), answers=[answered], progress=told.append)
    history.close()
    assert result.candidate.orders == result.today.orders == 1
    assert (result.candidate.probes.assumed, result.candidate.probes.unanswered) == (1, 0)
    (moved,) = result.differences
    assert moved.candidate == "2026-01-01T03:02:00Z"
    assert told[-1].done == told[-1].total == 120


def test_a_span_up_to_now_or_an_instant():
    assert parse_moment("30d", 40 * DAY_MS) == 10 * DAY_MS
    assert parse_moment("1767225600000", 0) == parse_moment("2026-01-01T00:00:00Z", 0) == START
    with pytest.raises(ValueError, match="expected RFC 3339"):
        parse_moment("yesterday", 0)


def order(opened_at, device="acme/pc/pc-1"):
    return BacktestOrder(
        order_id=f"SO-{opened_at}", case_id="C-1", device=device, component="sda", fault="disk.media_wear",
        title="", severity="major", rule="wear", opened_at=opened_at, state="submitted", why="", parts=1,
        value=None, currency=None, owner=None,
    )  # fmt: skip


def test_orders_are_held_against_labelled_faults():
    faults = [
        Labelled("acme/pc/pc-1", None, "disk.media_wear", 500),
        Labelled("acme/pc/pc-2", None, "disk.media_wear", 500),
    ]
    held = score([order(1_000), order(9_000)], faults, since=0, to=10_000)
    assert (held.true_orders, held.false_orders, held.recall, held.median_delay_s) == (2, 0, 0.5, 0.5)
    assert score([order(499)], faults, 0, 10_000).false_orders == 1
    # Of a fault that began before the span an order is true, and none is missed.
    later = score([order(1_000)], faults, 600, 10_000)
    assert (later.injected, later.false_orders, later.recall) == (0, 0, None)


def test_orders_of_one_part_are_paired_by_nearness():
    found = differences([order(1_000), order(9_000)], [order(9_001), order(5, "acme/pc/pc-2")])
    assert [(one.kind, one.device[-1]) for one in found] == [
        ("only_candidate", "2"), ("only_today", "1"), ("moved", "1"),
    ]  # fmt: skip
