"""Every question that the API and the console ask of the stores. Calls block; callers run them on threads."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeVar, Unpack

from diagnostics.case import Case, CaseEvent, CaseState
from diagnostics.decision import Decision
from diagnostics.faults import FaultCatalogue, load_faults
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import OrderState, ServiceOrder
from diagnostics.orders.registry import Registry
from diagnostics.silences import Silence, SilenceState
from gateway.access.principal import Principal
from gateway.access.trail import NoTrail, Trail
from gateway.api.casework import Possible, SimilarCase, possible_acts, silences_for, similar
from gateway.api.scope import ScopedHistory, ScopedLedger, ScopedRules, quarantine_filters
from gateway.api.views import Heard, RulesView
from gateway.clock import Clock
from gateway.errors import UserError
from gateway.ports import (
    CaseCounts,
    CaseFilters,
    CaseOrder,
    Deliveries,
    Delivery,
    DeliveryState,
    DeviceRecord,
    Ledger,
    LedgerReads,
    Page,
    Quarantined,
    StoredReading,
    Telemetry,
)
from gateway.wire.topics import is_filter
from rules.signals import Catalogue
from rules.symbols import DeviceId

#: Rows of one look into the ledger while it is searched or counted.
SCAN_PAGE = 500
#: Counting stops here and says "more than"; a search through names looks at so many devices.
COUNT_LIMIT = 5_000
#: What takes long to count is counted anew after so many ms.
COUNT_AGAIN_MS = 60_000
SEARCH_LIMIT = 50_000

CASE_STATES = ("open", *(state.value for state in CaseState))
ORDER_STATES = ("open", *(state.value for state in OrderState))
SEVERITIES = ("minor", "major", "critical")


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with its history."""

    case: Case
    events: list[CaseEvent]
    decisions: list[Decision]


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; `more` when counting stopped before the end."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}+" if self.more else f"{self.number:,}"


@dataclass(frozen=True, slots=True)
class Totals:
    """What is open and what is watched."""

    open_cases: Count
    open_orders: Count
    devices: Count
    quarantined: Count


class Queries:
    """Reads of ledger, history and rules.

    Attributes:
        ledger: as the caller may read it, and so are `history` and `rules`; all of it without one.
        whole: all of the ledger, to find out whose something is; what is shown comes from `ledger`.
        trail: keeps who looked at whose data.
        caller: who reads; None is the gateway itself.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        history: Telemetry,
        rules: RulesView,
        clock: Clock,
        catalogue: Catalogue,
        heard: Heard | None = None,
        registry: Registry | None = None,
        trail: Trail | None = None,
        topic_root: str = "fw",
        deliveries: Deliveries | None = None,
    ) -> None:
        self.ledger: LedgerReads = ledger
        # Who reads may see less: those who ask these say of which tenants.
        self.fleet, self.lists = ledger.fleet, ledger.lists
        self._known = [registry or Registry()]  # one for all who read, as it may be changed
        self.history: Telemetry = history
        self.rules = rules
        self._history, self._rules = self.history, rules
        self.clock = clock
        self.catalogue = catalogue
        self.whole: LedgerReads = ledger
        self._heard = heard
        self.trail: Trail = trail or NoTrail()
        self._topic_root = topic_root
        self._quarantined: tuple[int, Count] | None = None
        self._deliveries = deliveries
        self.caller: Principal | None = None

    def seen_by(self, caller: Principal) -> Self:
        """Return these reads as somebody may make them: what is not of their tenants is not there.

        Personal data is masked where they are a viewer; elsewhere their looks at it are kept.
        """
        seen = copy(self)
        seen.caller = caller
        seen.ledger = ScopedLedger(self.whole, caller, self.trail, root=self._topic_root)
        seen.history = ScopedHistory(self._history, caller)
        seen.rules = ScopedRules(self._rules, caller)
        return seen

    @property
    def registry(self) -> Registry:
        """What is known of devices, owners and all else; who reads it sees to masking."""
        return self._known[0]

    def use_registry(self, registry: Registry) -> None:
        """Read another registry from now on."""
        self._known[0] = registry

    @cached_property
    def faults(self) -> FaultCatalogue:
        """The fault catalogue."""
        return load_faults()

    def now(self) -> int:
        """Return the gateway's time, ms since 1970 UTC."""
        return self.clock.now()

    def cases(
        self,
        *,
        order: CaseOrder = "newest",
        cursor: str | None = None,
        limit: int = 100,
        **filters: Unpack[CaseFilters],
    ) -> Page[Case]:
        """Return cases, newest first, or by ``urgency``: severity, then age, the oldest first.

        Raises:
            UserError: a filter that cannot match anything, or a cursor that no page gave.
        """
        filters["device"] = self._full_name(filters.get("device"), filters.get("tenant"))
        if filters["device"] == "":
            return Page([])
        return self.ledger.cases(order=order, cursor=cursor, limit=limit, **filters)

    def cases_of(self, case_ids: Sequence[str]) -> list[Case]:
        """Return those of these cases that there are, in the same order."""
        return self.ledger.cases_of(case_ids)

    def count_cases(self, **filters: Unpack[CaseFilters]) -> CaseCounts:
        """Count the cases that filters let through, in all and by severity, state, reason and so on.

        Raises:
            UserError: a filter that cannot match anything.
        """
        filters["device"] = self._full_name(filters.get("device"), filters.get("tenant"))
        return self.ledger.count_cases(**filters)

    def similar_cases(self, case: Case, limit: int = 10) -> list[SimilarCase]:
        """Return earlier cases of the same fault and brand, same model first, with what was found then."""
        return similar(self.ledger, case, limit)

    def possible(self, case: Case) -> Possible:
        """Return what can be done with a case now, and why not what cannot."""
        device = self.ledger.device(DeviceId(case.tenant, case.device_class, case.device))
        online = None if device is None else device.online
        return possible_acts(case, self.rules.rules(), self.faults, online=online, now=self.now())

    def silences(
        self,
        *,
        state: SilenceState | None = None,
        tenants: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Silence]:
        """Return silences, newest first.

        Raises:
            UserError: a cursor that no page gave.
        """
        return self.ledger.silences(state=state, tenants=tenants, now=self.now(), cursor=cursor, limit=limit)

    def silence(self, silence_id: str) -> Silence | None:
        """Return one silence."""
        return self.ledger.silence(silence_id)

    def silences_of(self, case: Case) -> list[Silence]:
        """Return the silences that a case falls under now."""
        active = self.ledger.silences(state="active", tenants=[case.tenant], now=self.now(), limit=SCAN_PAGE)
        return silences_for(active.items, case)

    def case_file(self, case_id: str) -> CaseFile | None:
        """Return a case with its history, None when there is no such case."""
        case = self.ledger.case(case_id)
        if case is None:
            return None
        return CaseFile(case, self.ledger.events(case_id), self.ledger.decisions(case_id=case_id))

    def orders(
        self,
        *,
        state: str | None = None,
        tenant: str | None = None,
        device: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceOrder]:
        """Return orders, newest first.

        Raises:
            UserError: a filter that cannot match anything, or a cursor that no page gave.
        """
        name = self._full_name(device, tenant)
        if name == "":
            return Page([])
        return self.ledger.orders(state=state, tenant=tenant, device=name, cursor=cursor, limit=limit)

    def order(self, order_id: str) -> ServiceOrder | None:
        """Return one order."""
        return self.ledger.order(order_id)

    def order_changes(self, order_id: str) -> list[OrderChange]:
        """Return what happened to an order since it was opened, in the order in which it was kept."""
        return self.ledger.order_changes(order_id)

    def deliveries(
        self,
        *,
        target: str | None = None,
        state: DeliveryState | None = None,
        order_id: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Delivery]:
        """Return what became of events on their way to other systems, the latest event first.

        Raises:
            UserError: a cursor that no page gave.
        """
        if self._deliveries is None:
            return Page([])
        return self._deliveries.deliveries(
            target=target,
            state=state,
            order_id=order_id,
            tenants=self._tenants(),
            cursor=cursor,
            limit=limit,
        )

    def deliveries_of(self, order_id: str, *, limit: int = 200) -> list[Delivery]:
        """Return where the events of one order went and what became of them, the latest `limit` first."""
        return self.deliveries(order_id=order_id, limit=limit).items

    def delivery(self, number: int) -> Delivery | None:
        """Return one delivery, None when there is none that the reader may see."""
        if self._deliveries is None:
            return None
        return self._deliveries.delivery(number, tenants=self._tenants())

    def devices(
        self,
        *,
        tenant: str | None = None,
        device_class: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[DeviceRecord]:
        """Return the devices that ever spoke, by name."""
        page = self.ledger.devices(tenant=tenant, device_class=device_class, cursor=cursor, limit=limit)
        return Page([self._as_heard(record) for record in page.items], page.next)

    def search_devices(
        self, find: str, *, device_class: str | None = None, limit: int = 100
    ) -> list[DeviceRecord]:
        """Return up to `limit` devices whose name or facts contain every word of `find`, by name."""
        words = find.lower().split()
        found = []
        for record in self._every_device(device_class=device_class):
            haystack = " ".join((str(record.id), *map(str, record.facts.values()))).lower()
            if all(word in haystack for word in words):
                found.append(self._as_heard(record))
                if len(found) == limit:
                    break
        return found

    def device(self, device: DeviceId) -> DeviceRecord | None:
        """Return one device, None when it never spoke."""
        record = self.ledger.device(device)
        return None if record is None else self._as_heard(record)

    def telemetry(
        self,
        device: DeviceId,
        *,
        signal: str | None = None,
        start: int | None = None,
        end: int | None = None,
        step: int | None = None,
        cursor: str | None = None,
        limit: int = 10_000,
    ) -> Page[StoredReading]:
        """Return readings with start <= ts < end: the latest `limit`, the next page holds those before.

        Each page is in order of time and never parts the readings of one instant.

        Raises:
            UserError: the cursor is of no page.
        """
        if cursor is not None:
            if not cursor.isdecimal():
                raise UserError(f"cursor: expected one that a page gave as next, got {cursor!r}")
            end = int(cursor)
        readings = self.history.telemetry(
            device, signal=signal, start=start, end=end, step=step, limit=limit + 1
        )
        if len(readings) <= limit:
            return Page(readings)
        oldest = readings[0].ts
        whole = [reading for reading in readings if reading.ts > oldest]
        if not whole:
            whole = self.history.telemetry(device, signal=signal, start=oldest, end=end, step=step)
        return Page(whole, str(whole[0].ts))

    def open_cases_by_device(self) -> dict[DeviceId, int]:
        """Count the open cases of each device that has any; counting stops at `COUNT_LIMIT` cases."""
        counts: Counter[DeviceId] = Counter()
        cursor = None
        while counts.total() < COUNT_LIMIT:
            page = self.ledger.cases(state="open", cursor=cursor, limit=SCAN_PAGE)
            counts.update(DeviceId(case.tenant, case.device_class, case.device) for case in page.items)
            cursor = page.next
            if cursor is None:
                break
        return dict(counts)

    def quarantine(
        self,
        *,
        reason: str | None = None,
        topic: str | None = None,
        tenant: str | None = None,
        since: int | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Quarantined]:
        """Return what could not be used, newest first; of a tenant, what names it in its topic.

        Raises:
            UserError: `topic` is no MQTT filter, or a cursor that no page gave.
        """
        if topic is not None and not is_filter(topic):
            raise UserError(f"topic: expected an MQTT topic filter such as fw/acme/#, got {topic!r}")
        within = None if tenant is None else quarantine_filters([tenant], self._topic_root)
        return self.ledger.quarantine(
            reason=reason, topic=topic, since=since, within=within, cursor=cursor, limit=limit
        )

    def totals(self) -> Totals:
        """Count what is open and what is watched."""
        # Counted is not shown: orders are not looked at one by one, and none of it is in the audit trail.
        whole, tenants = self.whole, None if self.caller is None else self.caller.tenants()
        return Totals(
            open_cases=Count(whole.count_cases(state="open", tenants=tenants).total),
            open_orders=_count(
                lambda cursor: whole.orders(state="open", tenants=tenants, cursor=cursor, limit=SCAN_PAGE)
            ),
            devices=_count(lambda cursor: whole.devices(tenants=tenants, cursor=cursor, limit=SCAN_PAGE)),
            quarantined=self._count_quarantined(tenants),
        )

    def _count_quarantined(self, tenants: Collection[str] | None) -> Count:
        """Count what could not be used: all that ever came, or what there is of some tenants.

        The rows of a tenant are found by their topics, one by one, so they are counted once in a while.
        """
        if tenants is None:
            newest = self.ledger.quarantine(limit=1).items
            return Count(newest[0].number if newest else 0)
        now = self.now()
        if self._quarantined is None or not 0 <= now - self._quarantined[0] < COUNT_AGAIN_MS:
            page = self.ledger.quarantine(limit=SCAN_PAGE)
            self._quarantined = now, Count(len(page.items), more=page.next is not None)
        return self._quarantined[1]

    def _tenants(self) -> frozenset[str] | None:
        """Return the tenants whose things the reader may see, None for all of them."""
        return None if self.caller is None else self.caller.tenants()

    def _as_heard(self, record: DeviceRecord) -> DeviceRecord:
        """Return what the ledger has of a device, with what the gateway knows since."""
        heard = None if self._heard is None else self._heard.last_seen(record.id)
        if self._heard is None or heard is None:
            return record
        reconnects = self._heard.reconnects(record.id, self.now())
        return replace(record, last_seen=max(record.last_seen, heard), reconnects=reconnects)

    def _every_device(
        self, *, tenant: str | None = None, device_class: str | None = None
    ) -> Iterator[DeviceRecord]:
        cursor = None
        for _ in range(SEARCH_LIMIT // SCAN_PAGE):
            page = self.ledger.devices(
                tenant=tenant, device_class=device_class, cursor=cursor, limit=SCAN_PAGE
            )
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def _full_name(self, device: str | None, tenant: str | None) -> str | None:
        """Return ``tenant/class/device`` of a filter that may be the bare name, ``""`` when nobody has it."""
        if device is None:
            return None
        if device.count("/") == 2:
            return device
        if "/" in device:
            raise UserError(f"device: expected tenant/class/device or the device's name, got {device!r}")
        named = [str(record.id) for record in self._every_device(tenant=tenant) if record.id.device == device]
        if len(named) > 1:
            raise UserError(f"device: {device!r} is the name of several: {', '.join(named[:5])}")
        return named[0] if named else ""


def _count(page_after: Callable[[str | None], Page[T]]) -> Count:
    number, cursor = 0, None
    while number < COUNT_LIMIT:
        page = page_after(cursor)
        number += len(page.items)
        cursor = page.next
        if cursor is None:
            return Count(number)
    return Count(number, more=True)
