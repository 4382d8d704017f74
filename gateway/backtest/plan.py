"""What a backtest is asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.errors import ForewarnError
from rules.times import parse_duration, parse_instant

PackFiles = Sequence[tuple[str, bytes]]

#: What is asked about unless something else is said: the last so many.
USUAL_SPAN = "30d"


def parse_moment(text: str, now: int) -> int:
    """Return the ms since 1970 UTC of RFC 3339, of ms as a text, or of a span up to `now` such as ``30d``.

    Raises:
        ValueError: it is none of them; says what was expected.
    """
    if re.fullmatch(r"(\d+[smhd])+", text):
        return max(now - parse_duration(text), 0)
    try:
        return parse_instant(int(text) if text.isdigit() else text)
    except ValueError:
        raise ValueError(
            f"expected RFC 3339, ms since 1970, or a span up to now such as 30d, got {text!r}"
        ) from None


class Labelled(NamedTuple):
    """A fault that really was there; `component` None when it is the whole device. `onset` in ms."""

    device: str
    component: str | None
    fault: str
    onset: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """What is to be found out.

    Attributes:
        today: the packs in force, names and contents.
        candidate: the packs to be tried.
        since: arrival, ms; from here on counts.
        to: arrival, ms, excluded.
        warm_up_ms: how long before `since` reading begins; None: as the rules need, at most a week.
        truth: labelled faults to be held against; None for none.
        niceness: by which the processes give way to others.
        processes: at most; None for as many as there are cores, two at most.
    """

    today: PackFiles
    candidate: PackFiles
    since: int
    to: int
    warm_up_ms: int | None = None
    truth: tuple[Labelled, ...] | None = None
    niceness: int = 0
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backtest is: messages worked on, of how many; both 0 while the span is looked up."""

    done: int
    total: int


class CancelledError(ForewarnError):
    """Whoever asked for a backtest does not want it any more."""

    exit_status = 130
