"""The command ``forewarn``: light to import, so that Ctrl-C is answered from the first moment."""

import atexit
import os
import signal
import sys
from types import FrameType


def leave(number: int, _frame: FrameType | None) -> None:
    """End at once, without a traceback: nothing has begun yet, or nothing is left to do."""
    os._exit(128 + number)


def main() -> None:
    """Run the command line; its exit status is contract, section 3."""
    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
    from gateway.cli.accounts import accounts_app
    from gateway.cli.bench import bench_app
    from gateway.cli.commands import app
    from gateway.cli.dispatch import dispatch_app
    from gateway.cli.outcome import exit_with
    from gateway.cli.quarantine import quarantine_app

    app.add_typer(bench_app, name="bench")
    app.add_typer(quarantine_app, name="quarantine")
    app.add_typer(dispatch_app, name="dispatch")
    app.add_typer(accounts_app, name="accounts")
    _end(exit_with(app))


def _end(status: int) -> None:
    """End the process with all that is registered for its end, but without taking the interpreter apart.

    That collects all that was ever imported, up to 2 s in which nothing is freed that the end of the process
    does not free at once; Ctrl-C has 5 s in all.
    """
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # it was not closed from the beginning
                stream.flush()
    except (BrokenPipeError, ValueError):
        pass  # whoever read it has left, or it was closed for that
    except OSError as error:
        os.write(2, f"standard output: {error.strerror}\n".encode())
        status = status or 3
    os._exit(status)
