"""Backtests that run beside a gateway: one at a time, on processes of their own that give way to it."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gateway.backtest.evidence import answers_since
from gateway.backtest.plan import Backtest, CancelledError, PackFiles, Progress
from gateway.backtest.result import BacktestResult
from gateway.backtest.running import SpanSource, run_backtest
from gateway.clock import Clock
from gateway.config import Config
from gateway.errors import ForewarnError
from gateway.loading import pack_sources
from gateway.ports import Ledger
from rules.loader import load_files, read_packs

JobState = Literal["running", "done", "failed", "cancelled"]

#: Finished backtests that can still be asked for.
_KEPT = 20
#: By which the processes give way to the gateway.
_NICENESS = 10
_NOTHING_YET = Progress(0, 0)
#: Seconds that an ending gateway waits for a backtest that it cancels.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """A backtest that was begun.

    Attributes:
        began: ms since 1970 UTC.
        by: who asked for it.
        error: why it failed.
    """

    id: str
    asked: Backtest
    began: int
    by: str
    state: JobState = "running"
    progress: Progress = _NOTHING_YET
    result: BacktestResult | None = None
    error: str | None = None


class BusyError(ForewarnError):
    """Another backtest is running; the text says which."""


class Backtests:
    """The backtests of a gateway. Any thread may ask; a new one runs on a thread of its own.

    Args:
        history: what was kept.
        ledger: how devices answered self tests.
        config: whose packs are in force.
        clock: the gateway's.
    """

    def __init__(self, history: SpanSource, ledger: Ledger, config: Config, clock: Clock) -> None:
        self._history = history
        self._ledger = ledger
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._cancelled: set[str] = set()
        self._thread: threading.Thread | None = None

    def now(self) -> int:
        """Return the gateway's time, ms."""
        return self._clock.now()

    def pack_names(self) -> list[str]:
        """Return what the configuration names as packs."""
        return [str(source) for source in pack_sources(self._config)]

    def packs(self) -> list[tuple[str, bytes]]:
        """Return the packs of the configuration, names and contents, as they now stand on the disk.

        Raises:
            PackError: one is not there or cannot be read.
        """
        return read_packs(pack_sources(self._config))

    def candidate(self, packs: Sequence[str] | None, texts: dict[str, str]) -> PackFiles:
        """Return packs to be tried.

        Args:
            packs: ``builtin`` and others of ``rules.packs``; None for all that the configuration has.
            texts: further packs by name; one of a name that a file has stands in that file's place.

        Raises:
            PackError: what `packs` names is not there, or what came of it is wrong.
        """
        known = self.packs() if packs is None else read_packs(packs)
        files = dict(known) | {name: text.encode() for name, text in texts.items()}
        load_files(files.items())
        return list(files.items())

    def begin(self, asked: Backtest, *, by: str) -> Job:
        """Begin a backtest and return at once.

        Raises:
            BusyError: one is running.
        """
        with self._lock:
            running = next((job for job in self._jobs.values() if job.state == "running"), None)
            if running is not None:
                raise BusyError(f"backtest {running.id} of {running.by} is running; one at a time")
            job = Job(f"B-{secrets.token_hex(8)}", replace(asked, niceness=_NICENESS), self.now(), by)
            self._jobs[job.id] = job
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
            self._thread = threading.Thread(target=self._run, args=(job,), name="backtest", daemon=True)
            self._thread.start()
        return job

    def job(self, number: str) -> Job | None:
        """Return a backtest, None when there is none of that id any more."""
        with self._lock:
            return self._jobs.get(number)

    def running(self) -> Job | None:
        """Return the one that is running, None when none is."""
        with self._lock:
            return next((job for job in self._jobs.values() if job.state == "running"), None)

    def cancel(self, number: str) -> Job | None:
        """Ask a backtest to leave off; one that is over stays as it is. None when there is none."""
        with self._lock:
            job = self._jobs.get(number)
            if job is not None and job.state == "running":
                self._cancelled.add(number)
            return job

    def wait(self, seconds: float) -> None:
        """Wait until nothing runs, so many seconds at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    def close(self) -> None:
        """Leave off whatever runs."""
        job = self.running()
        if job is not None:
            self.cancel(job.id)
        self.wait(_PATIENCE)

    def _run(self, job: Job) -> None:
        try:
            result = run_backtest(
                job.asked,
                self._history,
                self._config,
                answers=answers_since(self._ledger, job.asked.since),
                progress=lambda progress: self._change(job.id, lambda now: replace(now, progress=progress)),
                cancelled=lambda: job.id in self._cancelled,
            )
        except CancelledError:
            self._change(job.id, lambda now: replace(now, state="cancelled"))
        except ForewarnError as error:
            problem = str(error)
            self._change(job.id, lambda now: replace(now, state="failed", error=problem))
        except Exception as error:  # its thread ends; whoever asked is told
            problem = f"the backtest failed, and it is forewarn's own fault: {error!r}"
            self._change(job.id, lambda now: replace(now, state="failed", error=problem))
        else:
            self._change(job.id, lambda now: replace(now, state="done", result=result))

    def _change(self, number: str, change: Callable[[Job], Job]) -> None:
        with self._lock:
            if number in self._jobs:
                self._jobs[number] = change(self._jobs[number])
