"""How a command ends: a sentence on standard error and the exit status of the contract, never a traceback."""

import errno
import sys
import traceback
from typing import cast

import typer

from gateway.errors import ForewarnError

FAILED = 3

#: What typer raises for wrong usage. It carries its own copy of click, or uses the installed one: which of
#: the two only its own names tell.
_UsageError = cast(type[typer.BadParameter], typer.BadParameter.__base__)


def exit_with(app: typer.Typer) -> int:
    """Run a command line and return its exit status.

    A fault of our own is one sentence, too, with the place for whoever is told of it; Python's development
    mode (``PYTHONDEVMODE=1``) shows the traceback.
    """
    try:
        status = app(standalone_mode=False)
    except ForewarnError as error:
        print(error, file=sys.stderr)
        status = error.exit_status
    except _UsageError as error:
        error.show()
        status = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        status = 130
    except SystemExit as end:  # typer's own way out when its reader has left
        if not isinstance(end.__context__, OSError):
            raise
        status = _not_written(end.__context__)
    except OSError as error:
        status = _not_written(error)
    except Exception as error:
        status = _own_fault(error)
    return status if isinstance(status, int) else 0


def _not_written(error: OSError) -> int:
    """Return the exit status when the output could not be written, which is what an OSError means here."""
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has left; nothing is wrong with us, and nothing more can be written.
        sys.stderr.close()
        return 0
    if error.errno != errno.ENOSPC:
        return _own_fault(error)
    print(f"standard output: {error.strerror}", file=sys.stderr)
    return FAILED


def _own_fault(error: Exception) -> int:
    """Say that something failed that nobody foresaw, and return the exit status."""
    if sys.flags.dev_mode:
        raise error
    place = traceback.extract_tb(error.__traceback__)[-1]
    name = type(error).__name__
    print(
        f"forewarn failed, and it is its own fault: {name}: {error} ({place.filename}:{place.lineno})."
        " Please report it; PYTHONDEVMODE=1 shows more.",
        file=sys.stderr,
    )
    return FAILED
