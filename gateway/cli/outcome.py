"""How a command ends: a sentence on standard error and the exit status of the contract, never a traceback."""

import sys

import click
import typer

from gateway.errors import ForewarnError

USAGE = 2


def exit_with(app: typer.Typer) -> int:
    """Run a command line and return its exit status."""
    try:
        status = app(standalone_mode=False)
    except ForewarnError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # Whoever read our output has left; nothing is wrong with us, and nothing more can be written.
        sys.stderr.close()
        return 0
    return status if isinstance(status, int) else 0
