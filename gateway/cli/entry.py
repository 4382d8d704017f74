"""The command ``forewarn``: light to import, so that Ctrl-C is answered from the first moment."""

import gc
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
    from gateway.cli.bench import bench_app
    from gateway.cli.commands import app
    from gateway.cli.outcome import exit_with

    app.add_typer(bench_app, name="bench")
    status = exit_with(app)
    # The interpreter's last collection goes through all that was ever imported: 2 s in which nothing is freed
    # that the end of the process does not free at once.
    gc.freeze()
    sys.exit(status)
