"""A rule's life in one lane, as a table.

An evaluation makes an event of the condition that matters in the present state (`when` until the lane is
suspected, `clear_when` from then on): FALSE, TRUE, UNKNOWN, or DUE, which is TRUE for the hold that is asked.

    QUIET     --TRUE-->  PENDING    --DUE-->  SUSPECTED  --TRUE-->  CLEARING  --DUE-->  QUIET
      ^                     |                     ^                     |
      +-------FALSE---------+                     +--------FALSE--------+

UNKNOWN neither starts nor ends anything: a hold that runs is paused, and goes on where it stood when the
condition is true again. A hold of zero is DUE at its first TRUE, so PENDING and CLEARING are passed over.
"""

from enum import IntEnum

import numpy as np


class State(IntEnum):
    """Where a rule stands in a lane. Every state from SUSPECTED on counts as suspected."""

    QUIET = 0
    PENDING = 1
    PENDING_PAUSED = 2
    SUSPECTED = 3
    CLEARING = 4
    CLEARING_PAUSED = 5


class Event(IntEnum):
    """What an evaluation means for the lane."""

    FALSE = 0
    TRUE = 1
    UNKNOWN = 2
    DUE = 3


#: TABLE[state, event] is the next state.
TABLE = np.array(
    [
        # FALSE            TRUE             UNKNOWN                DUE
        [State.QUIET, State.PENDING, State.QUIET, State.SUSPECTED],  # QUIET
        [State.QUIET, State.PENDING, State.PENDING_PAUSED, State.SUSPECTED],  # PENDING
        [State.QUIET, State.PENDING, State.PENDING_PAUSED, State.SUSPECTED],  # PENDING_PAUSED
        [State.SUSPECTED, State.CLEARING, State.SUSPECTED, State.QUIET],  # SUSPECTED
        [State.SUSPECTED, State.CLEARING, State.CLEARING_PAUSED, State.QUIET],  # CLEARING
        [State.SUSPECTED, State.CLEARING, State.CLEARING_PAUSED, State.QUIET],  # CLEARING_PAUSED
    ],
    dtype=np.int8,
)

#: States in which a hold runs or is paused.
RUNNING = (False, True, True, False, True, True)
_PAUSED = (False, False, True, False, False, True)
_FOLLOWING: tuple[tuple[int, ...], ...] = tuple(tuple(row) for row in TABLE.tolist())


def advance(
    *, state: int, since: int, paused: int, condition: bool | None, t: int, need_ms: int
) -> tuple[int, int, int]:
    """Take a lane one evaluation further.

    Args:
        state: a `State`.
        since: device time at which the running hold began, later by what it was paused, ms.
        paused: device time at which it was paused, ms.
        condition: the one that matters in the state; None is unknown.
        t: device time of the evaluation, ms.
        need_ms: the hold that is asked in the state.

    Returns:
        The new state, since and paused.
    """
    if not RUNNING[state]:
        since = t
    elif condition and _PAUSED[state]:
        since += t - paused
    if condition is None:
        event = Event.UNKNOWN
    elif condition:
        event = Event.DUE if t - since >= need_ms else Event.TRUE
    else:
        event = Event.FALSE
    following = _FOLLOWING[state][event]
    if _PAUSED[following] and not _PAUSED[state]:
        paused = t
    return following, since, paused
