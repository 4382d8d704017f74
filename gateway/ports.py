"""What the service needs of the world: protocols that MQTT, history and ledger fulfil."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, Protocol, TypedDict, TypeVar, Unpack

from diagnostics.case import Case, CaseEvent, Command
from diagnostics.decision import Decision
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import ServiceOrder
from diagnostics.silences import Silence, SilenceState
from gateway.fleetfigures import FleetCounts
from gateway.listing import Lists
from rules.batch import Int32, ReadingBatch
from rules.symbols import DeviceId, Symbols

NoticeKind = Literal["facts", "status", "reply", "instruction"]


@dataclass(frozen=True, slots=True)
class Packet:
    """A message as it came: nothing decoded, nothing judged.

    Attributes:
        topic: as published.
        payload: raw bytes.
        arrival: ms since 1970 UTC on the gateway's clock.
        retained: the broker kept it from before the subscription.
        resubmitted: number of its row in the quarantine when it comes from there again, else 0. It is dated
            by its first arrival, and says what was, as one that is retained does.
    """

    topic: str
    payload: bytes
    arrival: int
    retained: bool = False
    resubmitted: int = 0


@dataclass(slots=True)
class Packets:
    """Messages as they came, in order of arrival: columns of the same length.

    Attributes:
        topics: UTF-8 as published, not checked.
        payloads: raw bytes.
        arrivals: ms since 1970 UTC on the gateway's clock, never decreasing.
        retained: the broker kept it from before the subscription.
        resubmitted: by position, row of the quarantine from which a message comes again. Nearly always empty.
    """

    topics: list[bytes] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    retained: list[bool] = field(default_factory=list)
    resubmitted: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, packets: Sequence[Packet]) -> "Packets":
        """Return the columns of packets."""
        return cls(
            [packet.topic.encode("utf-8", "surrogatepass") for packet in packets],
            [packet.payload for packet in packets],
            [packet.arrival for packet in packets],
            [packet.retained for packet in packets],
            {place: packet.resubmitted for place, packet in enumerate(packets) if packet.resubmitted},
        )

    def __len__(self) -> int:
        return len(self.topics)

    def __iter__(self) -> Iterator[Packet]:
        return map(self.packet, range(len(self)))

    def packet(self, position: int) -> Packet:
        """Return one of them; what of its topic is not UTF-8 becomes U+FFFD."""
        return Packet(
            self.topics[position].decode("utf-8", "replace"),
            self.payloads[position],
            self.arrivals[position],
            self.retained[position],
            self.resubmitted.get(position, 0),
        )

    def extend(self, other: "Packets") -> None:
        """Append others, which arrived later."""
        begin = len(self)
        self.topics += other.topics
        self.payloads += other.payloads
        self.arrivals += other.arrivals
        self.retained += other.retained
        self.resubmitted |= {begin + position: row for position, row in other.resubmitted.items()}

    def cut(self, number: int) -> "Packets":
        """Take the first so many away and return them."""
        first = Packets(
            self.topics[:number],
            self.payloads[:number],
            self.arrivals[:number],
            self.retained[:number],
            {position: row for position, row in self.resubmitted.items() if position < number},
        )
        del self.topics[:number], self.payloads[:number], self.arrivals[:number], self.retained[:number]
        self.resubmitted = {p - number: row for p, row in self.resubmitted.items() if p >= number}
        return first


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a device said that is not telemetry, or that people said of one of its cases.

    Attributes:
        position: how many telemetry messages of the same inbound batch came before it.
        device: number in `Symbols.devices`.
        arrival: ms since 1970 UTC.
        body: the checked JSON object.
        packet: position of the packet that said it in its batch, -1 when it comes from the history.
        retained: the broker kept it from before the subscription: it says what was, not that it is now.
    """

    kind: NoticeKind
    position: int
    device: int
    arrival: int
    body: dict[str, object]
    packet: int = -1
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that cannot be used: kept with its reason, never dropped in silence.

    Attributes:
        reason: one lower-case word of the catalogue in gateway.wire.reasons, a metric label.
        detail: a sentence with what was expected and what stood there.
        payload: what was rejected, shortened to a few kilobytes.
        packet: position of the packet in its batch, -1 when it comes from the history.
        truncated: there was more of it.
        retained: the broker had kept it.
        resubmitted: number of the row of the quarantine that it was before, 0 when it is new.
    """

    topic: str
    reason: str
    detail: str
    payload: bytes
    arrival: int
    packet: int = -1
    truncated: bool = False
    retained: bool = False
    resubmitted: int = 0


@dataclass(frozen=True, slots=True)
class Inbound:
    """Decoded packets: telemetry as columns, notices between them, and what was of no use.

    Attributes:
        packets: [M] int32, position of the packet that brought each message; None when they come from the
            history.
    """

    readings: ReadingBatch
    notices: tuple[Notice, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    packets: Int32 | None = None


@dataclass(slots=True)
class DeviceRecord:
    """What the gateway knows of a device from its own words.

    Attributes:
        facts: the union of what its ``facts`` messages said, latest wins.
        online: its last ``status``; None when it never said.
        last_seen: arrival of its last live message, ms. What the broker had kept, and an ``offline``, which
            may be the last will, do not count.
        reconnects: how often it came online within the last minute, while that is too often; 0 when it is
            steady. The ledger does not keep it.
    """

    id: DeviceId
    facts: dict[str, object]
    online: bool | None
    last_seen: int
    reconnects: int = 0


@dataclass(slots=True)
class LedgerWrite:
    """All that one batch changes in the ledger; committed in one transaction or not at all."""

    cases: list[Case] = field(default_factory=list)
    events: list[CaseEvent] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    orders: list[ServiceOrder] = field(default_factory=list)
    changes: list[OrderChange] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    devices: list[DeviceRecord] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.cases
            or self.events
            or self.decisions
            or self.orders
            or self.changes
            or self.silences
            or self.rejected
            or self.devices
        )


class StoredReading(NamedTuple):
    """A reading as the history gives it back."""

    ts: int
    signal: str
    component: str
    value: float | bool | str | None
    arrival: int


class Telemetry(Protocol):
    """What people read of a history. Calls block."""

    def telemetry(
        self,
        device: DeviceId,
        *,
        signal: str | None = None,
        start: int | None = None,
        end: int | None = None,
        step: int | None = None,
        limit: int | None = None,
    ) -> list[StoredReading]:
        """Return one device's readings with start <= ts < end in order of time, each once.

        `signal` may carry a component (``disk.pending_sectors@sda``). `step` thins to the last reading of
        every so many ms. `limit` keeps the latest so many.
        """
        ...


class History(Telemetry, Protocol):
    """All readings ever accepted. One writer. Calls block; the service runs them on a thread."""

    def append(self, symbols: Symbols, readings: ReadingBatch, notices: Sequence[Notice]) -> int:
        """Keep a batch durably and return the sequence number that it ends with.

        Raises:
            StoreUnavailableError: nothing was kept; the same call may be made again.
        """
        ...

    def known(self, symbols: Symbols, readings: ReadingBatch) -> list[bool]:
        """Say for each reading whether one of the same device, channel and ts is stored already."""
        ...

    def since(self, symbols: Symbols, sequence: int, limit: int) -> tuple[Inbound, int]:
        """Return up to about `limit` messages kept after `sequence`, in order, and the last one's number.

        The number equals `sequence` when there is nothing more.
        """
        ...

    def close(self) -> None:
        """Write what is due and release the files."""
        ...


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list, newest first, and the cursor of the next page, None on the last."""

    items: list[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row of the quarantine; `number` grows.

    Attributes:
        retry_requested_at: ms, when somebody last asked for it to be submitted again.
        retried_at: ms, when it was; what was refused anew is a row of its own.
    """

    number: int
    message: Rejected
    retry_requested_at: int | None = None
    retried_at: int | None = None


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """What became of asking for rows to be submitted again.

    Attributes:
        marked: rows that will be.
        cut: rows that cannot be, since their payload was not kept whole.
        cut_numbers: the first of these.
        missing: numbers that no row has.
    """

    marked: int
    cut: int = 0
    cut_numbers: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()


CaseOrder = Literal["newest", "urgency"]


class CaseFilters(TypedDict, total=False):
    """What cases of a list have in common; None and what is not given are no filter.

    Attributes:
        state: of the case; ``open`` is suspected or confirmed.
        device: ``tenant/class/device``.
        tenants: one of these brands.
        assignee: who looks after it; ``""`` is nobody.
        acknowledged: whether somebody has seen it.
        find: words, each of which stands in device, model, site, component, fault, title, assignee or one
            of its numbers.
    """

    state: str | None
    severity: str | None
    tenant: str | None
    tenants: Collection[str] | None
    device_class: str | None
    device: str | None
    model: str | None
    site: str | None
    fault: str | None
    reason: str | None
    assignee: str | None
    acknowledged: bool | None
    find: str | None


@dataclass(frozen=True, slots=True)
class CaseCounts:
    """How many cases there are, in all and by their values, the most frequent first; ``""`` is none."""

    total: int
    severity: dict[str, int]
    state: dict[str, int]
    reason: dict[str, int]
    tenant: dict[str, int]
    device_class: dict[str, int]
    assignee: dict[str, int]
    acknowledged: dict[str, int]


class LedgerReads(Protocol):
    """What people and other systems read of a ledger. Calls block; callers run them on threads.

    A `device` filter is ``tenant/class/device``; `tenants` are those of which anything is returned, None for
    all. Cursors are opaque to callers.
    """

    def devices(
        self,
        *,
        tenant: str | None = None,
        device_class: str | None = None,
        tenants: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[DeviceRecord]:
        """Return the devices that ever spoke, by name."""
        ...

    def device(self, device: DeviceId) -> DeviceRecord | None:
        """Return one device, None when it never spoke."""
        ...

    def cases(
        self,
        *,
        order: CaseOrder = "newest",
        cursor: str | None = None,
        limit: int = 100,
        **filters: Unpack[CaseFilters],
    ) -> Page[Case]:
        """Return cases, newest first or by urgency: severity, then age."""
        ...

    def count_cases(self, **filters: Unpack[CaseFilters]) -> CaseCounts:
        """Count the cases that filters let through."""
        ...

    def similar_cases(self, case: Case, limit: int) -> list[Case]:
        """Return up to so many earlier cases of the same fault, same model first, then same class."""
        ...

    def silences(
        self,
        *,
        state: SilenceState | None = None,
        tenants: Collection[str] | None = None,
        now: int,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Silence]:
        """Return silences, newest first; where they stand is told at `now`, ms."""
        ...

    def silence(self, silence_id: str) -> Silence | None:
        """Return one silence."""
        ...

    def case(self, case_id: str) -> Case | None:
        """Return one case."""
        ...

    def cases_of(self, case_ids: Sequence[str]) -> list[Case]:
        """Return those of these cases that there are, in the same order."""
        ...

    def events(self, case_id: str) -> list[CaseEvent]:
        """Return a case's events in order of time."""
        ...

    def decisions(
        self,
        *,
        case_id: str | None = None,
        device: DeviceId | None = None,
        fault: str | None = None,
    ) -> list[Decision]:
        """Return decisions in order of time."""
        ...

    def orders(
        self,
        *,
        state: str | None = None,
        tenant: str | None = None,
        device: str | None = None,
        tenants: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceOrder]:
        """Return orders, newest first. `state` may also be ``open``."""
        ...

    def order(self, order_id: str) -> ServiceOrder | None:
        """Return one order."""
        ...

    def orders_of(self, order_ids: Sequence[str]) -> list[ServiceOrder]:
        """Return those of these orders that there are, in the same order."""
        ...

    def order_changes(self, order_id: str) -> list[OrderChange]:
        """Return what happened to an order since it was opened, in the order in which it was kept."""
        ...

    def quarantine(
        self,
        *,
        reason: str | None = None,
        topic: str | None = None,
        since: int | None = None,
        within: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Quarantined]:
        """Return what could not be used, newest first.

        `topic` is an MQTT filter, and so are those of `within`, of which one has to take the row's topic.
        `since` is the earliest arrival, ms.
        """
        ...


class Ledger(LedgerReads, Protocol):
    """Cases, orders, decisions, quarantine and devices. Calls block; the service runs them on a thread."""

    def commit(self, write: LedgerWrite) -> list[ServiceOrder]:
        """Write all of it in one transaction and return the orders that are new.

        Rows are keyed by what they are about: writing the same again changes nothing. An order whose fault
        has an open order already is not written.

        Raises:
            StoreUnavailableError: nothing was written; the same call may be made again.
        """
        ...

    @property
    def lists(self) -> Lists:
        """What answers the lists of orders and devices."""
        ...

    @property
    def fleet(self) -> FleetCounts:
        """What counts over the whole fleet."""
        ...

    def open_cases(self) -> list[Case]:
        """Return all cases that are not at their end, and those whose order is still open."""
        ...

    def to_retry(self, limit: int) -> list[Quarantined]:
        """Return the oldest rows of the quarantine that wait to be submitted again."""
        ...

    def mark_retried(self, numbers: Sequence[int]) -> None:
        """Note that rows of the quarantine were submitted again.

        Raises:
            StoreUnavailableError: nothing was written; the same call may be made again.
        """
        ...

    def close(self) -> None:
        """Release the files."""
        ...


DeliveryState = Literal["waiting", "delivered", "dead", "overtaken"]


@dataclass(frozen=True, slots=True)
class Owed:
    """An event of an order that is owed to a target.

    Attributes:
        number: of the delivery.
        target: name of the target.
        event_id: of the event; the same for all targets and attempts.
        sequence: grows from event to event.
        type: ``com.forewarn.order.opened``, ``updated`` or ``closed``.
        order_id: whose event it is.
        tenant: of the order.
        payload: the order as JSON, as it was when the event happened.
        created: ms since 1970 UTC, when the event was committed.
        attempts: that failed so far.
        ticket: the target's, where it has opened one.
        said_by: the repairer by whose word the order changed; None where it was another's.
        overtaken: a later event of the same order has been delivered already.
    """

    number: int
    target: str
    event_id: str
    sequence: int
    type: str
    order_id: str
    tenant: str
    payload: str
    created: int
    attempts: int = 0
    ticket: "Ticket | None" = None
    said_by: str | None = None
    overtaken: bool = False

    @property
    def first_event_id(self) -> str:
        """The id of the event by which the order was first opened."""
        return f"{self.order_id}/com.forewarn.order.opened"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A trouble ticket that a target opened for an order.

    Attributes:
        id: the target's.
        state: that it is in, in the target's words, if it said so.
        followed: the last of these that the order has followed, or that followed from the order.
        followed_at: ms, when the order last followed one.
    """

    id: str
    state: str | None = None
    followed: str | None = None
    followed_at: int | None = None


@dataclass(frozen=True, slots=True)
class TicketStanding:
    """A ticket as it was last seen, beside its order; `changed` is when that was, ms."""

    order_id: str
    order_state: str
    ticket: Ticket
    changed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    Attributes:
        owed: what was sent.
        state: ``waiting`` when it will be tried again.
        at: ms, when it ended.
        attempts: that failed so far.
        due: ms, not to be tried before.
        detail: why it failed, a sentence; None when it did not.
        ticket: what the target said of its ticket.
    """

    owed: Owed
    state: DeliveryState
    at: int
    attempts: int
    due: int = 0
    detail: str | None = None
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is listed.

    Attributes:
        due: ms, not tried before; of use while it waits.
        changed: ms, when it came to where it stands.
        behind: later events of the order that wait for this one.
    """

    owed: Owed
    state: DeliveryState
    due: int
    changed: int
    detail: str | None
    behind: int = 0


class Outbox(Protocol):
    """Events that are owed to other systems. Calls block; the dispatcher runs them on a thread.

    All of them raise StoreUnavailableError when the store cannot take or give: nothing was changed, and the
    same call may be made again.
    """

    def share_out(self, targets: Mapping[str, str]) -> None:
        """Owe the events since the last call to each target, by name and tenant, ``*`` for all tenants.

        A target that is new gets what comes from now on, one that was away all that came meanwhile.
        """
        ...

    def due(self, now: int, room: Mapping[str, int], busy: Collection[tuple[str, str]]) -> list[Owed]:
        """Return what may be sent at `now` (ms): up to so many by target, of each order the earliest only.

        `busy` are targets and orders of which something is under way.
        """
        ...

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what became of attempts."""
        ...

    def tickets_to_read(self, target: str, after: str, limit: int) -> list[TicketStanding]:
        """Return tickets of orders after `after` that may still go on, in order, but for those under way."""
        ...

    def keep_ticket(self, target: str, order_id: str, ticket: Ticket, at: int) -> None:
        """Keep how a ticket was found at `at` (ms); `followed` None leaves what it was."""
        ...

    def order_of_ticket(self, target: str, ticket_id: str) -> str | None:
        """Return the order of a target's ticket, None where there is none."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...


class Deliveries(Protocol):
    """What became of events that are owed to other systems, to look at and to try again. Calls block."""

    def deliveries(
        self,
        *,
        target: str | None = None,
        state: DeliveryState | None = None,
        order_id: str | None = None,
        tenants: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Delivery]:
        """Return deliveries, the latest event first; `tenants` None is all of them.

        Raises:
            UserError: no page gave that cursor.
        """
        ...

    def delivery(self, number: int, *, tenants: Collection[str] | None = None) -> Delivery | None:
        """Return one delivery."""
        ...

    def retry(
        self,
        *,
        numbers: Sequence[int] | None = None,
        target: str | None = None,
        order_id: str | None = None,
        tenants: Collection[str] | None = None,
    ) -> tuple[int, list[int]]:
        """Let dead letters be tried again as if for the first time: those of numbers, target, order, tenants.

        Returns:
            how many will be, and the numbers that no dead letter has.
        """
        ...


class Commander(Protocol):
    """Carries commands to devices."""

    async def send(self, command: Command) -> None:
        """Publish with QoS 1; returns once the broker has it.

        Raises:
            OutsideError: the broker is not there; the same call may be made again.
        """
        ...
