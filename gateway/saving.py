"""Saving the state without stopping: a copy of the process writes it while the gateway goes on.

The copy is a fork: the kernel gives it the memory as it stands at that moment, and copies a page only once
the gateway changes it. So the gateway stops for the fork alone, some 20 ms a gigabyte, and the state needs no
second room in memory.
"""

import contextlib
import ctypes
import gc
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
#: Looked up here: in the copy the dynamic loader may be locked by a thread that is not there.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

#: What the copy tells when all went well. Its exit status may be lost: where the gateway was started with
#: SIGCHLD ignored, the kernel clears the copy away by itself.
_SAVED = b"saved"


class Saving:
    """A state on its way to the disk."""

    def __init__(self, pid: int, told: int) -> None:
        self._pid = pid
        self._told = told  # where the copy tells how it went

    @classmethod
    def begin(cls, path: Path, state: Callable[[], SavedState]) -> "Saving":
        """Begin to save what `state` returns, as of now. `wait` must follow.

        Args:
            path: the file.
            state: called in the copy; it must take no lock that another thread may hold.

        The copy ends with the thread that calls this: let it be one that lasts.

        Raises:
            StoreUnavailableError: the system gives no pipe or no second process; nothing is saved.
        """
        try:
            told, tell = os.pipe()
        except OSError as error:
            raise StoreUnavailableError(f"state not saved: {error.strerror}: pipe") from None
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
        """Wait until the state is on the disk and the copy has ended.

        Raises:
            StoreUnavailableError: it could not be written; the old one stands.
        """
        try:
            told = self._hear()
        finally:
            os.close(self._told)
            ended = _end_of(self._pid)
        if told != _SAVED:
            problem = told.decode(errors="replace") or f"the writing process ended with {ended}"
            raise StoreUnavailableError(problem if told else f"state not saved: {problem}")

    def _hear(self) -> bytes:
        """Return what the copy tells until it ends, or until patience does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        heard = select.poll()  # select() fails in a process with a thousand open files
        heard.register(self._told, select.POLLIN)
        told = b""
        while heard.poll(1000 * max(0.0, deadline - time.monotonic())):
            part = os.read(self._told, 4096)
            if not part:
                return told
            told += part
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        return f"state not saved: still writing after {PATIENCE_SECONDS:.0f} s".encode()


def _end_of(pid: int) -> str:
    """Wait for the end of the copy, clear it away and return its exit status in words."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return "an unknown status"
    return str(os.waitstatus_to_exitcode(status))


def _write_and_exit(path: Path, state: Callable[[], SavedState], tell: int, parent: int) -> None:
    """Write the state and end the copy; nothing of the gateway's own end may run in it."""
    status = 1
    try:
        gc.disable()  # what it would clear away may be a database's, and wait for threads that are not here
        _let_go(tell)
        _end_with(parent)
        save_state(path, state(), unless=lambda: os.getppid() != parent)
        os.write(tell, _SAVED)
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
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
