"""``forewarn backtest``: what other rules would have made of the stored history, beside today's."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from gateway.backtest.plan import USUAL_SPAN, Backtest, PackFiles, parse_moment
from gateway.backtest.plan import Progress as Step
from gateway.backtest.result import BacktestResult
from gateway.config import Config, load_config
from gateway.errors import OutsideError, StoreUnavailableError, UserError
from rules.loader import PackError, read_packs
from rules.times import parse_duration

#: Seconds between two lines of progress where there is no terminal.
_LINE_EVERY = 5.0
_WIDEST = 250

Show = Callable[[Step], None]


def backtest(
    rules: Annotated[
        list[str],
        typer.Option(help="Rule packs in place of the configured ones; may be given again, also builtin."),
    ],
    start: Annotated[
        str, typer.Option("--from", help="RFC 3339, ms since 1970, or a span up to now such as 30d.")
    ] = USUAL_SPAN,
    end: Annotated[str | None, typer.Option("--to", help="The same, exclusive; now when left out.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Labelled faults, as simulate --truth writes.")] = None,
    warm_up: Annotated[
        str | None, typer.Option(help="Read from so long before; as the rules need, at most 7d, without.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Try other rules on the stored history, beside today's: cases, orders, parts, owners contacted."""
    from gateway.backtest.truth import read_labels
    from gateway.cli.backtesttable import tables
    from gateway.clock import SystemClock

    loaded = load_config(config)
    now = SystemClock().now()
    try:
        since, to = parse_moment(start, now), now if end is None else parse_moment(end, now)
        warm_up_ms = None if warm_up is None else parse_duration(warm_up)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    asked = Backtest(
        today=_packs_in_force(loaded),
        candidate=_packs(rules),
        since=since,
        to=to,
        warm_up_ms=warm_up_ms,
        truth=None if truth is None else read_labels(truth),
    )
    with _progress() as show:
        result = _run(asked, loaded, show, (start, end))
    if as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
        return
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDEST)
    for table in tables(result):
        console.print(table)


def _packs_in_force(config: Config) -> PackFiles:
    from gateway.loading import pack_sources

    try:
        return read_packs(pack_sources(config))
    except PackError as error:
        raise UserError(str(error)) from None


def _packs(sources: list[str]) -> PackFiles:
    absent = [source for source in sources if source != "builtin" and not Path(source).exists()]
    if absent:
        raise UserError(f"--rules: expected builtin, a file or a folder, got {absent[0]!r}: there is none")
    try:
        return read_packs(sources)
    except PackError as error:
        raise UserError(str(error)) from None


def _run(asked: Backtest, config: Config, show: Show, written: tuple[str, str | None]) -> BacktestResult:
    """Run it over the file, or have the gateway run it that holds the file.

    `written` is the span as the user wrote it: the gateway's clock may be another than ours.
    """
    from gateway.backtest.evidence import answers_since
    from gateway.backtest.running import run_backtest
    from gateway.cli.history import running_gateway
    from gateway.history.duckdb_store import DuckDbHistory
    from gateway.ledger.store import SqlLedger

    if not config.history_path.exists():
        raise UserError(f"there is no history at {config.history_path}")
    try:
        history = DuckDbHistory.open_readonly(config.history_path)
    except StoreUnavailableError as error:
        from gateway.cli.backtestasking import ask

        running = running_gateway(config)
        if running is None:
            raise OutsideError(str(error)) from None
        return ask(running.url, asked, show, written, headers=running.headers)
    try:
        answers = []
        if config.ledger_path.exists():
            ledger = SqlLedger.open_readonly(f"sqlite:///{config.ledger_path}")
            try:
                answers = answers_since(ledger, asked.since)
            finally:
                ledger.close()
        return run_backtest(asked, history, config, answers=answers, progress=show)
    finally:
        history.close()


@contextmanager
def _progress() -> Iterator[Show]:
    """Show how far it is: a bar on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    columns = (BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress("{task.description}", *columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("backtest", total=None)
        yield lambda step: bar.update(task, completed=step.done, total=step.total or None)


class _Lines:
    """Progress in lines, for logs."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._told = self._begun

    def show(self, step: Step) -> None:
        """Tell how far it is, unless that was told a moment ago."""
        now = time.monotonic()
        if now - self._told < _LINE_EVERY or not step.done:
            return
        self._told = now
        left = (now - self._begun) / step.done * (step.total - step.done)
        sys.stderr.write(
            f"backtest: {step.done / step.total:.0%}, {step.done:,} of {step.total:,} messages,"
            f" about {left:.0f} s left\n"
        )
