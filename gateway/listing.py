"""What the lists of orders and devices ask of a ledger, and the protocol that answers them by pages."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from rules.symbols import DeviceId

Due = Literal["overdue", "soon"]


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders.

    Attributes:
        state: one of TMF621's, ``open``, ``ended``; ``""`` is all.
        due: ``overdue``: to be resolved before now; ``soon``: within a day.
        missing: only those of which something is not known.
        words: all of them stand in the order's id, device, serial, fault or brand.
        tenants: only these; None is all of them.
        owners_of: tenants whose owners' names may be searched through; None is all of them.
    """

    state: str = ""
    due: Due | None = None
    missing: bool = False
    words: tuple[str, ...] = ()
    tenants: Collection[str] | None = None
    owners_of: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """Which devices.

    Attributes:
        device_class: ``""`` is all.
        state: ``online``, ``offline``, ``cases`` for those with open cases; ``""`` is all.
        words: all of them stand in the device's name or facts.
        tenants: only these; None is all of them.
    """

    device_class: str = ""
    state: str = ""
    words: tuple[str, ...] = ()
    tenants: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found, and how many there are in all."""

    keys: list[str]
    total: int


class Lists(Protocol):
    """Answers lists. Calls block, and raise StoreUnavailableError when the ledger cannot be read."""

    def orders(self, wanted: OrderFilter, *, now: int, skip: int, limit: int) -> Found:
        """Return ids of orders: open ones by when they are to be resolved, then the others, newest first."""
        ...

    def devices(self, wanted: DeviceFilter, *, skip: int, limit: int) -> tuple[list[DeviceId], int]:
        """Return devices by name, and how many there are in all."""
        ...

    def open_cases(self, devices: Collection[DeviceId]) -> dict[DeviceId, int]:
        """Count the open cases of some devices; those without any are left out."""
        ...
