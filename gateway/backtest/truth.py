"""Labelled faults from a truth file, as `forewarn simulate --truth` and the demo write them."""

from pathlib import Path

from gateway.backtest.plan import Labelled
from gateway.errors import UserError
from simulators.truth import TruthFileError, read_truth


def read_labels(path: Path) -> tuple[Labelled, ...]:
    """Return the faults of a truth file; look-alikes are none.

    Raises:
        UserError: the file cannot be read; says which line is wrong, and what was expected.
    """
    try:
        entries = read_truth(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except TruthFileError as error:
        raise UserError(str(error)) from None
    return tuple(
        Labelled(entry.device, entry.component, entry.fault, entry.onset_ms)
        for entry in entries
        if entry.kind == "fault"
    )
