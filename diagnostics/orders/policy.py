"""Whether a confirmed case becomes an order at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from diagnostics.case import Case
from diagnostics.decision import Reason
from diagnostics.faults import Fault
from diagnostics.orders.entitlement import entitle
from diagnostics.orders.gaps import Gaps
from diagnostics.orders.household import owner_of, site_of
from diagnostics.orders.registry import Registry
from diagnostics.orders.subject import usable_name
from rules.symbols import DeviceId
from rules.times import DAY_MS

Policy = Literal["open", "hold"]


@dataclass(frozen=True, slots=True)
class OrderPolicies:
    """What is done in doubt: ``open`` an order all the same, or ``hold`` it and say why.

    Attributes:
        unknown_device: for a device that is not in the registry.
        out_of_warranty: for a device whose coverage is known to be over, or not to cover the fault.
        cancel_on_recovery: whether an order is cancelled when its fault clears and nobody has left for it.
        reopen_window_ms: how long after the repair the same fault opens the same order again.
    """

    unknown_device: Policy = "open"
    out_of_warranty: Policy = "open"
    cancel_on_recovery: bool = False
    reopen_window_ms: int = 7 * DAY_MS


def overruled(against: Reason) -> bool:
    """Whether a reason against an order is one of doubt, which an engineer's word settles."""
    return against in (Reason.DEVICE_UNKNOWN_POLICY, Reason.OUT_OF_WARRANTY_POLICY)


def decide(
    case: Case,
    fault: Fault | None,
    registry: Registry,
    policies: OrderPolicies,
    *,
    facts: Mapping[str, object] | None = None,
    kinds: Sequence[str] | None = None,
) -> Reason | None:
    """Return why no order is opened; None means open it.

    Args:
        case: what is broken. Coverage is that of the day on which it was confirmed, or else last changed.
        fault: its entry in the catalogue, None when it has none.
        registry: devices and coverage.
        policies: what is done in doubt.
        facts: what the device said of itself; its model decides on coverage by model.
        kinds: of the parts that the repair takes, which coverage may tell apart; None: not known.
    """
    if fault is not None and not fault.order:
        return Reason.NEVER_AN_ORDER
    device = DeviceId(case.tenant, case.device_class, case.device)
    entry = registry.devices.get(device)
    if policies.unknown_device == "hold" and entry is None:
        return Reason.DEVICE_UNKNOWN_POLICY
    if policies.out_of_warranty == "hold":
        unread = Gaps()
        site = site_of(entry, registry, unread)
        zone = site.time_zone or owner_of(entry, registry, unread).time_zone
        entitled = entitle(
            registry=registry,
            device=device,
            model=usable_name((facts or {}).get("model")) or (entry.model if entry else None),
            fault=case.fault,
            kinds=kinds,
            opened_at=case.updated if case.confirmed_at is None else case.confirmed_at,
            zone=zone,
            country=site.country,
            gaps=unread,
        )
        if entitled.section.status == "out_of_warranty":
            return Reason.OUT_OF_WARRANTY_POLICY
    return None
