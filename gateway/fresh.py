"""Which readings of a batch are new: what came before is recognised and not kept twice."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gateway.ports import Notice
from rules.batch import Bool, ReadingBatch

if TYPE_CHECKING:
    from gateway.pipeline import Effects


def duplicates(batch: ReadingBatch, repeated: Bool, known: Callable[[ReadingBatch], list[bool]]) -> Bool:
    """Return [R] bool: the reading has come before, in this batch or in what is kept.

    Args:
        batch: M messages and R readings.
        repeated: [M] bool, messages not newer than their device's watermark. No other can hold a duplicate.
        known: says for the readings of a batch whether they are kept already.
    """
    doubted = repeated[batch.message] if len(batch.message) else np.zeros(0, dtype=np.bool_)
    if not doubted.any():
        return doubted
    owner = batch.message
    order = np.lexsort((np.arange(len(owner)), batch.channel, batch.ts[owner], batch.device[owner]))
    keys = (batch.device[owner][order], batch.ts[owner][order], batch.channel[order])
    again = np.zeros(len(owner), dtype=np.bool_)
    again[order[1:]] = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    seen = again & doubted
    asked = np.flatnonzero(doubted & ~again)
    if len(asked):
        seen[asked] = known(part(batch, np.isin(np.arange(len(owner)), asked))[0])
    return seen


def part(batch: ReadingBatch, readings: Bool, messages: Bool | None = None) -> tuple[ReadingBatch, Bool]:
    """Return the batch with some of its readings, and which messages stayed.

    Args:
        batch: M messages and R readings.
        readings: [R] bool, those that stay.
        messages: [M] bool, those that stay; left out, those that a reading stays of.
    """
    if messages is None:
        messages = np.zeros(len(batch), dtype=np.bool_)
        messages[batch.message[readings]] = True
    renumbered = np.cumsum(messages, dtype=np.int32) - 1
    return (
        ReadingBatch(
            device=batch.device[messages],
            ts=batch.ts[messages],
            arrival=batch.arrival[messages],
            message=renumbered[batch.message[readings]].astype(np.int32),
            channel=batch.channel[readings],
            value=batch.value[readings],
            kind=batch.kind[readings],
            retained=batch.retained[messages],
        ),
        messages,
    )


def without(
    batch: ReadingBatch, notices: tuple[Notice, ...], seen: Bool
) -> tuple[ReadingBatch, tuple[Notice, ...]]:
    """Return a batch without the readings that were seen, and without messages that held nothing else."""
    if not seen.any():
        return batch, notices
    held = np.bincount(batch.message, minlength=len(batch))
    left = np.bincount(batch.message[~seen], minlength=len(batch))
    kept, messages = part(batch, ~seen, (left > 0) | (held == 0))
    before = np.concatenate([[0], np.cumsum(messages)])
    moved = tuple(replace(notice, position=int(before[notice.position])) for notice in notices)
    return kept, moved


def repeated_packets(effects: "Effects", seen: Bool) -> set[int]:
    """Return the positions of the packets whose readings had all come before.

    Args:
        effects: of the batch.
        seen: [R] bool, readings that had come before.
    """
    if effects.packets is None or not seen.any():
        return set()
    old = np.bincount(effects.packets[effects.readings.message[seen]])
    all_of = np.bincount(effects.packets[effects.readings.message], minlength=len(old))
    return set(np.flatnonzero((old > 0) & (old == all_of[: len(old)])).tolist())
