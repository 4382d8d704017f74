"""How well orders hit the injected truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import NamedTuple

import msgspec

from rules.symbols import DeviceId
from rules.times import parse_instant
from simulators.truth import Truth


@dataclass(frozen=True, slots=True)
class Missed:
    """A fault without an order; `age_s` is how long it had been there at the end, s of device time."""

    device: str
    component: str | None
    fault: str
    onset: str
    age_s: float


@dataclass(frozen=True, slots=True)
class Score:
    """The result.

    Attributes:
        injected: faults that had begun by the end.
        ordered: those of them with an order.
        false_orders: orders that no begun fault explains.
        median_delay_s: from a fault's onset to its first order, s of device time; None without any.
        missed: the faults without an order.
    """

    injected: int
    ordered: int
    false_orders: int
    median_delay_s: float | None
    missed: tuple[Missed, ...]

    def as_event(self) -> dict[str, object]:
        """Return the last line that the demo prints as JSON."""
        return {"event": "score", **asdict(self), "missed": [asdict(fault) for fault in self.missed]}


class _OrderDevice(msgspec.Struct, frozen=True, rename={"device_class": "class"}):
    device_class: str
    device: str
    component: str | None = None


class _OrderFault(msgspec.Struct, frozen=True):
    code: str


class _Order(msgspec.Struct, frozen=True):
    """What of an order says who, what and when."""

    tenant: str
    device: _OrderDevice
    fault: _OrderFault
    opened_at: str


class _Claim(NamedTuple):
    """What an order says is broken, and since when it says so (device time, ms)."""

    device: str
    component: str | None
    fault: str
    opened_at: int


def score(truth: Iterable[Truth], orders: Sequence[Mapping[str, object]], ended_at_ms: int) -> Score:
    """Hold orders against the truth.

    An order hits a fault of the same device and code, of the same component where the truth names one, that
    began before the order was opened. Look-alikes in the truth count for nothing: an order for one is false.

    Args:
        truth: entries of the truth file.
        orders: service orders in the contract's shape.
        ended_at_ms: device time at which the run ended, ms since 1970 UTC.

    Raises:
        ValueError: an order is not in the contract's shape; says what is missing.
    """
    faults = [entry for entry in truth if entry.kind == "fault" and entry.onset_ms < ended_at_ms]
    claims = [_claim(order) for order in orders]
    delays: list[float] = []
    missed: list[Missed] = []
    for fault in faults:
        opened = [claim.opened_at for claim in claims if _hits(claim, fault)]
        if opened:
            delays.append((min(opened) - fault.onset_ms) / 1000)
        else:
            age_s = (ended_at_ms - fault.onset_ms) / 1000
            missed.append(Missed(fault.device, fault.component, fault.fault, fault.onset, age_s))
    return Score(
        injected=len(faults),
        ordered=len(delays),
        false_orders=sum(not any(_hits(claim, fault) for fault in faults) for claim in claims),
        median_delay_s=median(delays) if delays else None,
        missed=tuple(missed),
    )


def _hits(claim: _Claim, fault: Truth) -> bool:
    return (
        claim.device == fault.device
        and claim.fault == fault.fault
        and fault.component in (None, claim.component)
        and fault.onset_ms <= claim.opened_at
    )


def _claim(document: Mapping[str, object]) -> _Claim:
    try:
        order = msgspec.convert(document, _Order)
    except msgspec.ValidationError as error:
        raise ValueError(f"order {document.get('order_id')!r}: {error}") from None
    device = DeviceId(order.tenant, order.device.device_class, order.device.device)
    component = order.device.component or None
    return _Claim(str(device), component, order.fault.code, parse_instant(order.opened_at))
