"""What is counted over the whole fleet: the values, and the protocol by which a ledger counts them.

What each figure means stands in docs/fleet.md. All instants and spans are ms; a window holds
``since <= instant < until``.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from rules.symbols import DeviceId
from rules.times import DAY_MS

#: A repair is watched for so long; the same fault again within it is a redo.
REDO_SPANS = (30 * DAY_MS, 90 * DAY_MS)

FactName = Literal["model", "firmware"]


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at.

    Attributes:
        tenants: only these; None is all of them.
    """

    since: int
    until: int
    tenants: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Devices that are alike: `model` and `firmware` are what they say of themselves, ``""`` if they do not.

    By model alone `firmware` is ``""``.
    """

    tenant: str
    device_class: str
    model: str
    firmware: str = ""


@dataclass(frozen=True, slots=True)
class GroupFault:
    """How often a group had a fault."""

    group: Group
    fault: str
    faults: int


@dataclass(frozen=True, slots=True)
class GroupCount:
    """How many devices of a group there are, and on how many of them a case is open."""

    group: Group
    devices: int
    open: int


@dataclass(frozen=True, slots=True)
class DeviceFault:
    """How often a device had a fault."""

    device: DeviceId
    fault: str
    faults: int


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What became of the cases that a rule was first to suspect."""

    rule: str
    raised: int
    confirmed: int
    dismissed: int
    refuted: int
    cleared_early: int
    flapping: int
    ordered: int
    no_fault_found: int


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """What the orders of a fault were closed with, and which repairs did not hold.

    Attributes:
        watched: repairs that are as old as each of `REDO_SPANS`.
        redone: how many of these did not hold for that long.
    """

    fault: str
    repaired: int
    no_fault_found: int
    other_fault: int
    cancelled: int
    watched: tuple[int, ...]
    redone: tuple[int, ...]


class FleetCounts(Protocol):
    """Counts what stands in a ledger. Calls block, and raise StoreUnavailableError when it cannot be read."""

    def tenants(self) -> list[str]:
        """Return the tenants of the devices that ever spoke, by name."""
        ...

    def groups(self, window: Window, *, by: FactName) -> list[GroupCount]:
        """Count devices by what they say of themselves; the window's bounds do not matter."""
        ...

    def group_faults(self, window: Window, *, by: FactName) -> list[GroupFault]:
        """Count confirmed faults with an onset in the window by the same groups."""
        ...

    def device_faults(self, window: Window) -> list[DeviceFault]:
        """Count confirmed faults with an onset in the window by device."""
        ...

    def devices_with_open_cases(self, window: Window) -> list[DeviceId]:
        """Return the devices on which a case is open; the window's bounds do not matter."""
        ...

    def parts_of(self, device: DeviceId, limit: int) -> list[DeviceId]:
        """Return the devices that name this one, of the same tenant, as their parent."""
        ...

    def alike_with_open_cases(self, device: DeviceId, model: str, limit: int) -> list[tuple[DeviceId, int]]:
        """Return other devices of a model, tenant and class with how many cases are open on each."""
        ...

    def rules(self, window: Window) -> list[RuleCount]:
        """Count cases with an onset in the window by the rule that suspected first."""
        ...

    def outcomes(self, window: Window, now: int) -> list[OutcomeCount]:
        """Count orders closed in the window by fault."""
        ...

    def delays(self, window: Window) -> list[tuple[str, int]]:
        """Return fault and ms from first suspicion to order, for each order opened in the window."""
        ...
