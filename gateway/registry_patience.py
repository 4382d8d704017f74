"""A registry that waits: what cannot be read now is read again with growing pauses, as stores are.

An order that was opened without its owner because of a passing fault of the disk would be wrong for ever. So
whoever asks waits, on a thread of its own, until the answer is there or the end is asked for.
"""

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from diagnostics.orders.registry import Registry
from gateway.errors import OutsideError, StoreUnavailableError
from gateway.events import Events
from gateway.pauses import Pauses

T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

FIRST_PAUSE = 0.5  # seconds; later ones grow


class GaveUpError(OutsideError):
    """The end was asked for before the registry could be read."""


class Patience:
    """Tries again until it succeeds or `end` is called. Any thread may call."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._ended = threading.Event()

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._ended.set()

    def keep_trying(self, action: Callable[[], T]) -> T:
        """Do something with the registry until it succeeds.

        Raises:
            GaveUpError: the end was asked for before it did.
        """
        pauses, failed = Pauses(FIRST_PAUSE), False
        while True:
            try:
                result = action()
            except StoreUnavailableError as error:
                failed, pause = True, pauses.take()
                self._events.outage(what="registry", detail=str(error), retry_in=pause)
                if self._ended.wait(pause):
                    raise GaveUpError(f"the gateway is ending, and {error}") from None
            else:
                if failed:
                    self._events.restored(what="registry")
                return result


def patient(registry: Registry, patience: Patience) -> Registry:
    """Return a registry whose look-ups wait until they can be answered."""
    elsewhere = registry.coverages_elsewhere
    return replace(
        registry,
        devices=_Patient(registry.devices, patience),
        owners=_Patient(registry.owners, patience),
        sites=_Patient(registry.sites, patience),
        coverages_elsewhere=(
            None if elsewhere is None else lambda device: patience.keep_trying(partial(elsewhere, device))
        ),
    )


class _Patient(Mapping[Key, Value]):
    """A mapping whose look-ups wait."""

    def __init__(self, mapping: Mapping[Key, Value], patience: Patience) -> None:
        self._mapping, self._patience = mapping, patience

    def __getitem__(self, key: Key) -> Value:
        return self._patience.keep_trying(partial(self._mapping.__getitem__, key))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._mapping)

    def __len__(self) -> int:
        return self._patience.keep_trying(partial(len, self._mapping))
