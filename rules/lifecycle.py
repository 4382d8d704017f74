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

from rules.batch import Float64, Int8, Int64


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
RUNNING = np.array([False, True, True, False, True, True])
_PAUSED = np.array([False, False, True, False, False, True])


def advance(
    *, state: Int8, since: Int64, paused: Int64, condition: Float64, t: Int64, need_ms: Int64
) -> tuple[Int8, Int64, Int64]:
    """Take N lanes one evaluation further.

    Args:
        state: [N] int8, a `State`.
        since: [N] int64, device time at which the running hold began, later by what it was paused.
        paused: [N] int64, device time at which it was paused.
        condition: [N] float64, 1 true, 0 false, nan unknown; the one that matters in the state.
        t: [N] int64, device time of the evaluation.
        need_ms: [N] int64, the hold that is asked in the state.

    Returns:
        The new state, since and paused.
    """
    true = condition == 1.0
    since = np.where(RUNNING[state], since, t)
    since = np.where(true & _PAUSED[state], since + (t - paused), since)
    event = np.where(true, Event.TRUE, np.where(condition == 0.0, Event.FALSE, Event.UNKNOWN))
    event = np.where(true & (t - since >= need_ms), Event.DUE, event)
    following = TABLE[state, event]
    paused = np.where(_PAUSED[following] & ~_PAUSED[state], t, paused)
    return following, since, paused
