"""A backtest: the whole chain over a span of the history, with today's rules and with others.

The history is read here, by whoever has it open, and handed to processes that work on it: each has both rule
sets over a share of the devices. The command line and the console run this same function.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gateway.backtest.answers import KnownAnswer
from gateway.backtest.frames import Report, Share
from gateway.backtest.lookback import lookback
from gateway.backtest.plan import Backtest, CancelledError, PackFiles, Progress
from gateway.backtest.processes import Process
from gateway.backtest.result import BacktestResult, compare
from gateway.backtest.shares import shares_of
from gateway.config import Config
from gateway.errors import UserError
from gateway.history.span import Piece, Span
from rules.loader import PackError, RuleSet, load_files
from rules.times import to_rfc3339

#: Messages that a process takes at once; what is best was measured (docs/decisions/0012).
PIECE = 60_000
#: Messages from which on a second process does more than it costs to begin.
_WORTH_TWO = 200_000


class SpanSource(Protocol):
    """A history that can be read from a beginning to an end."""

    def span(self, *, start: int, since: int, to: int) -> Span:
        """Return what arrived in start <= arrival < to, ms."""
        ...


def run_backtest(
    asked: Backtest,
    history: SpanSource,
    config: Config,
    *,
    answers: Sequence[KnownAnswer] = (),
    progress: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> BacktestResult:
    """Run a backtest; blocks until it is done.

    Args:
        asked: rules and span.
        history: what was kept; another thread may append to it meanwhile.
        config: whose registry and policies decide on orders.
        answers: how devices answered self tests.
        progress: is told how far it is, on this thread.
        cancelled: asked now and then whether to leave off.

    Raises:
        UserError: the rules or the registry are wrong, or there is nothing in the span.
        OutsideError: the history cannot be read, or a process broke off.
        CancelledError: `cancelled` said so.
    """
    today, candidate = _loaded(asked.today), _loaded(asked.candidate)
    back = lookback([*today.rules, *candidate.rules], asked.warm_up_ms)
    if asked.since >= asked.to:
        raise UserError(f"expected a span of time, got {to_rfc3339(asked.since)} to {to_rfc3339(asked.to)}")
    progress(Progress(0, 0))
    span = history.span(start=asked.since - back.warm_up_ms, since=asked.since, to=asked.to)
    if span.messages == span.before:
        raise UserError(_nothing(asked, span))
    processes = 1 if span.messages < _WORTH_TWO else min(2, os.cpu_count() or 1)
    numbers = shares_of(span, [today, candidate], asked.processes or processes)
    whole = share_of_all(asked, span, config, answers, back.warm_up_ms)
    shares = [_part(whole, span, set(devices)) for devices in numbers]

    def look(done: int) -> None:
        progress(Progress(done, span.messages))
        if cancelled():
            raise CancelledError("the backtest was cancelled")

    reports = _work(span, numbers, shares, look)
    return compare(asked, span, back, (today, candidate), reports)


def _loaded(files: PackFiles) -> RuleSet:
    try:
        return load_files(files)
    except PackError as error:
        raise UserError(str(error)) from None


def _nothing(asked: Backtest, span: Span) -> str:
    text = f"the history has no message from {to_rfc3339(asked.since)} to {to_rfc3339(asked.to)}"
    if span.last_arrival is not None:
        text += f"; the last before it arrived at {to_rfc3339(span.last_arrival)}"
    return text


def share_of_all(
    asked: Backtest,
    span: Span,
    config: Config,
    answers: Sequence[KnownAnswer] = (),
    warm_up_ms: int = 0,
) -> Share:
    """Return what there is to do for all devices."""
    return Share(
        today=[(name, content.decode()) for name, content in asked.today],
        candidate=[(name, content.decode()) for name, content in asked.candidate],
        config=config.model_dump(
            mode="json", include={"data_dir": True, "orders": True, "broker": {"topic_root": True}}
        ),
        start=asked.since - warm_up_ms,
        since=asked.since,
        to=asked.to,
        devices=[(name.tenant, name.device_class, name.device) for name in span.devices],
        channels=[(channel.signal, channel.component) for channel in span.channels],
        layouts=span.layouts,
        standing=span.standing,
        answers=list(answers),
        niceness=asked.niceness,
    )


def _part(whole: Share, span: Span, devices: set[int]) -> Share:
    """Return what there is to do for some devices, by number."""
    names = {tuple(span.devices[number]) for number in devices}
    return msgspec.structs.replace(
        whole,
        standing=[entry for entry in whole.standing if entry.device in devices],
        answers=[answer for answer in whole.answers if answer.device in names],
    )


def _work(
    span: Span, numbers: list[list[int]], shares: list[Share], look: Callable[[int], None]
) -> list[Report]:
    """Let processes work on shares and return their reports; `look` is told how many messages are done."""
    owner = np.zeros(len(span.devices), dtype=np.int8)
    for number, devices in enumerate(numbers):
        owner[devices] = number
    with ExitStack() as stack:
        processes: list[Process] = []

        def looking() -> None:
            look(min(sum(process.done for process in processes), span.messages))

        for share in shares:
            process = Process(share)
            stack.callback(process.close)
            processes.append(process)
        for piece in span.pieces(PIECE * len(shares)):
            for number, process in enumerate(processes):
                process.put(_parted(piece, owner, number) if len(shares) > 1 else piece, looking)
            looking()
        for process in processes:
            process.put(None, looking)
        return [process.wait(looking) for process in processes]


def _parted(piece: Piece, owner: npt.NDArray[np.int8], number: int) -> Piece:
    """Return what of a piece belongs to a share; `owner` has the share of each device."""
    of_messages, of_notices = (
        pa.array(owner[rows["device"].to_numpy()] == number) for rows in (piece.messages, piece.notices)
    )
    return Piece(piece.messages.filter(of_messages), piece.notices.filter(of_notices), piece.counts)
