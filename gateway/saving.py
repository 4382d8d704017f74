"""Saving the state without stopping: a copy of the process writes it while the gateway goes on.

The copy is a fork: the kernel gives it the memory as it stands at that moment, and copies a page only once
the gateway changes it. So the gateway stops for the fork alone, some 20 ms a gigabyte, and the state needs no
second room in memory.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from gateway.errors import StoreUnavailableError
from gateway.state import SavedState, save_state

#: Seconds after which a copy that still writes is given up.
PATIENCE_SECONDS = 120.0

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Saving:
    """A state on its way to the disk."""

    def __init__(self, pid: int, told: int) -> None:
        self._pid = pid
        self._told = told  # where the copy tells what went wrong; its end when nothing did

    @classmethod
    def begin(cls, path: Path, state: Callable[[], SavedState]) -> "Saving":
        """Begin to save what `state` returns, as of now.

        Raises:
            StoreUnavailableError: the system gives no second process; nothing is saved.
        """
        told, tell = os.pipe()
        # A signal that reached the copy would wake up the gateway's loop, which it shares.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            parent = os.getpid()
            with warnings.catch_warnings():
                # Other threads are not in the copy, and it takes no lock that they may have held.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                _write_and_exit(path, state, tell, parent)
        except OSError as error:
            os.close(told)
            raise StoreUnavailableError(f"state not saved: {error.strerror}: fork") from None
        finally:
            os.close(tell)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return cls(pid, told)

    def wait(self) -> None:
        """Wait until the state is on the disk.

        Raises:
            StoreUnavailableError: it could not be written; the old one stands.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        problem = b""
        try:
            while select.select([self._told], [], [], max(0.0, deadline - time.monotonic()))[0]:
                part = os.read(self._told, 4096)
                if not part:
                    break
                problem += part
            else:
                os.kill(self._pid, signal.SIGKILL)
                problem = f"state not saved: still writing after {PATIENCE_SECONDS:.0f} s".encode()
        finally:
            os.close(self._told)
            _, status = os.waitpid(self._pid, 0)
        if problem or status:
            ended = f"state not saved: the writing process ended with {os.waitstatus_to_exitcode(status)}"
            raise StoreUnavailableError(problem.decode(errors="replace") or ended)


def _write_and_exit(path: Path, state: Callable[[], SavedState], tell: int, parent: int) -> None:
    """Write the state and end the copy; nothing of the gateway's own end may run in it."""
    status = 1
    try:
        _let_go(tell)
        _end_with(parent)
        save_state(path, state(), unless=lambda: os.getppid() != parent)
        status = 0
    except StoreUnavailableError as error:
        os.write(tell, str(error).encode())
    except BaseException as error:  # whatever it is: this process must not become a second gateway
        with contextlib.suppress(OSError):
            os.write(tell, f"state not saved: {error!r}"[:4000].encode())
    finally:
        os._exit(status)


def _let_go(kept: int) -> None:
    """Close what the gateway has open, but one: a port, a lock, a pipe must not outlive it."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _end_with(parent: int) -> None:
    """Let the kernel end this process with its parent: the next one saves states of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
