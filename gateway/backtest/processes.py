"""A process that works on a share of a backtest, as whoever runs the backtest sees it."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, cast

import msgspec

from gateway.backtest.frames import Report, Share, write_end, write_piece, write_share
from gateway.errors import OutsideError, UserError
from gateway.history.span import Piece

#: Pieces that wait for a process.
_WAITING = 2
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Process:
    """A process at work, with a thread that hands it pieces and one that hears what it says."""

    def __init__(self, share: Share) -> None:
        environment = os.environ | dict.fromkeys(_THREADS, "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway.backtest.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for whoever runs the backtest; it ends when that one goes
        )
        self._pieces: queue.Queue[Piece | None] = queue.Queue(_WAITING)
        self.done = 0
        self.report: Report | None = None
        self.ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._hand, args=(share,), daemon=True),
            threading.Thread(target=self._hear, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _hand(self, share: Share) -> None:
        pipe = cast(BinaryIO, self._process.stdin)
        with suppress(BrokenPipeError, ValueError):  # it has ended; what it said tells why
            write_share(pipe, share)
            while (piece := self._pieces.get()) is not None:
                write_piece(pipe, piece)
            write_end(pipe)
        while not self.ended.is_set():  # nobody waits for room that will not come
            with suppress(queue.Empty):
                self._pieces.get(timeout=0.1)

    def _hear(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        decoder = msgspec.json.Decoder(Report)
        for line in pipe:
            report = decoder.decode(line)
            self.done = max(self.done, report.done)
            if report.sides is not None or report.error is not None:
                self.report = report
        self._process.wait()
        self.ended.set()

    def close(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self.ended.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def result(self) -> Report:
        """Return what it came to.

        Raises:
            OutsideError: it broke off.
            UserError: what it was given is wrong.
        """
        if self.report is None:
            raise OutsideError(f"a process of the backtest broke off with status {self._process.returncode}")
        if self.report.error is not None:
            raise (UserError if self.report.status == 1 else OutsideError)(self.report.error)
        return self.report

    def put(self, piece: Piece | None, look: Callable[[], None]) -> None:
        """Hand over a piece, or None for the end, as soon as there is room; `look` is called while waiting.

        Raises:
            OutsideError: it broke off.
            UserError: what it was given is wrong.
        """
        while not self.ended.is_set():
            try:
                self._pieces.put(piece, timeout=0.2)
            except queue.Full:
                look()
            else:
                return
        self.result()

    def wait(self, look: Callable[[], None]) -> Report:
        """Return what it came to once it has ended; `look` is called while waiting. Raises as `put` does."""
        while not self.ended.wait(0.2):
            look()
        return self.result()
