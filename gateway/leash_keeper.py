"""The small process between us and a program that must not outlive us; run as a file, never imported.

Usage: ``leash_keeper.py CONTROL REPORT GRACE PROGRAM [ARGUMENT...]``. CONTROL is the reading end of a pipe
whose writing end only the owner holds. The kernel closes it when the owner ends, however it ends, and the
keeper reads the end of the file: that cannot be missed, unlike a signal or a look at the parent's number.
The program is then told to terminate and killed after GRACE seconds. Its process id is written to REPORT.

Only the standard library's smallest parts are used, so that the keeper starts in milliseconds.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _die_with_keeper() -> None:
    """Let the kernel kill the program when the keeper is killed itself (Linux; elsewhere nothing)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415  (only in the child, after the fork)

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _KEEPER:  # it was killed before the request was in place
        os._exit(1)


_KEEPER = os.getpid()


def main(arguments: list[str]) -> int:
    """Run the program until it ends or the owner does; return its exit status."""
    control, report, grace = int(arguments[0]), int(arguments[1]), float(arguments[2])
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    try:
        # The keeper has one thread, so the hook between fork and exec is safe here.
        program = subprocess.Popen(arguments[3:], preexec_fn=_die_with_keeper, stdin=subprocess.DEVNULL)  # noqa: PLW1509, S603
    except OSError:
        return 127  # as a shell says it; the owner sees a report without a number
    os.write(report, b"%d\n" % program.pid)
    os.close(report)

    deadline = None
    while program.poll() is None:
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        watched = [woken] if deadline is not None else [woken, control]
        ready, _, _ = select.select(watched, [], [], wait)
        if woken in ready and set(os.read(woken, 64)) - {signal.SIGCHLD}:
            ready.append(control)  # somebody ends the keeper: the same as the owner's end
        if deadline is None and control in ready:
            program.terminate()
            deadline = time.monotonic() + grace
        elif deadline is not None and time.monotonic() >= deadline:
            program.kill()
            program.wait()
    status = program.returncode
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
