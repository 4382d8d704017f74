"""A backtest's result as tables for a terminal."""

from collections.abc import Iterator

from rich.table import Table

from gateway.backtest.result import BacktestResult, Difference, SideResult
from gateway.backtest.words import HEADINGS, lines_of, notes_of

#: Differences that are shown; all of them stand in the JSON.
MOST_SHOWN = 50

_KINDS = {"only_today": "only today", "only_candidate": "only candidate", "moved": "moved"}


def tables(result: BacktestResult) -> Iterator[Table | str]:
    """Yield what is printed: both sides, what differs, and what is assumed."""
    yield (
        f"{result.start} to {result.to}: {result.messages - result.warm_up_messages:,} messages of"
        f" {result.devices:,} devices"
    )
    yield _sides(result.today, result.candidate)
    if result.differences:
        yield _differences(result.differences)
        if len(result.differences) > MOST_SHOWN:
            yield f"... and {len(result.differences) - MOST_SHOWN} more differences; --json has all of them"
    else:
        yield "Both open the same orders at the same times."
    yield from map(str, notes_of(result))


def _sides(today: SideResult, candidate: SideResult) -> Table:
    table = Table(box=None, pad_edge=False)
    what, *sides = HEADINGS
    table.add_column(what)
    for side in sides:
        table.add_column(side, justify="right")
    for name, one, other in lines_of(today, candidate):
        table.add_row(name, one, other)
    return table


def _differences(found: list[Difference]) -> Table:
    table = Table(box=None, pad_edge=False, title="Orders that differ", title_justify="left")
    for name in ("which", "device", "fault", "today", "candidate", "rule"):
        table.add_column(name, no_wrap=True)
    table.add_column("why")
    for one in found[:MOST_SHOWN]:
        device = f"{one.device} {one.component}".rstrip()
        table.add_row(
            _KINDS[one.kind], device, one.fault, one.today or "-", one.candidate or "-", one.rule, one.why
        )
    return table
