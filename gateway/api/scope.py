"""The stores as one caller may read them: what is not of their tenants is not there.

Pages and routes read through these and cannot read past them. A viewer sees personal data masked; whoever is
shown it in clear stands in the audit trail.
"""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Unpack

from diagnostics.case import Case, CaseEvent
from diagnostics.decision import Decision
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import ServiceOrder
from diagnostics.silences import Silence, SilenceState
from gateway.access.principal import Principal, Role
from gateway.access.trail import Trail
from gateway.api.masking import masked_change, masked_decision, masked_order, personal_of
from gateway.api.views import RulesView
from gateway.ports import (
    CaseCounts,
    CaseFilters,
    CaseOrder,
    DeviceRecord,
    LedgerReads,
    Page,
    Quarantined,
    StoredReading,
    Telemetry,
)
from gateway.wire.ingest import INGEST
from rules.symbols import DeviceId

#: What a look at an order is called in the audit trail.
LOOK = "order.look"


class ScopedLedger:
    """Fulfils `LedgerReads` for one caller.

    Args:
        ledger: all of it.
        caller: who reads.
        trail: where looks at personal data are kept.
        root: the first level of the topics of devices.
    """

    def __init__(self, ledger: LedgerReads, caller: Principal, trail: Trail, *, root: str = "fw") -> None:
        self._ledger, self._caller, self._trail = ledger, caller, trail
        self._tenants = caller.tenants()
        self._within = None if self._tenants is None else quarantine_filters(self._tenants, root)

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
        return self._ledger.devices(
            tenant=tenant,
            device_class=device_class,
            tenants=self._seen(tenants),
            cursor=cursor,
            limit=limit,
        )

    def device(self, device: DeviceId) -> DeviceRecord | None:
        """Return one device, None when it never spoke."""
        return self._ledger.device(device) if self._sees(device.tenant) else None

    def cases(
        self,
        *,
        order: CaseOrder = "newest",
        cursor: str | None = None,
        limit: int = 100,
        **filters: Unpack[CaseFilters],
    ) -> Page[Case]:
        """Return cases, newest first or by urgency."""
        return self._ledger.cases(order=order, cursor=cursor, limit=limit, **self._filters(filters))

    def count_cases(self, **filters: Unpack[CaseFilters]) -> CaseCounts:
        """Count the cases that filters let through."""
        return self._ledger.count_cases(**self._filters(filters))

    def similar_cases(self, case: Case, limit: int) -> list[Case]:
        """Return earlier cases of the same fault and tenant."""
        return self._ledger.similar_cases(case, limit) if self._sees(case.tenant) else []

    def cases_of(self, case_ids: Sequence[str]) -> list[Case]:
        """Return those of these cases that there are, in the same order."""
        return [case for case in self._ledger.cases_of(case_ids) if self._sees(case.tenant)]

    def silences(
        self,
        *,
        state: SilenceState | None = None,
        tenants: Collection[str] | None = None,
        now: int,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Silence]:
        """Return silences, newest first."""
        return self._ledger.silences(
            state=state, tenants=self._seen(tenants), now=now, cursor=cursor, limit=limit
        )

    def silence(self, silence_id: str) -> Silence | None:
        """Return one silence."""
        silence = self._ledger.silence(silence_id)
        return silence if silence is not None and self._sees(silence.tenant) else None

    def case(self, case_id: str) -> Case | None:
        """Return one case."""
        case = self._ledger.case(case_id)
        return case if case is not None and self._sees(case.tenant) else None

    def events(self, case_id: str) -> list[CaseEvent]:
        """Return a case's events in order of time."""
        return [] if self.case(case_id) is None else self._ledger.events(case_id)

    def decisions(
        self,
        *,
        case_id: str | None = None,
        device: DeviceId | None = None,
        fault: str | None = None,
    ) -> list[Decision]:
        """Return decisions in order of time."""
        found = self._ledger.decisions(case_id=case_id, device=device, fault=fault)
        personal: dict[str, list[str]] = {}
        shown = []
        for decision in found:
            if not self._sees(decision.tenant):
                continue
            if self._caller.may(Role.ENGINEER, decision.tenant):
                shown.append(decision)
                continue
            if decision.case_id not in personal:
                personal[decision.case_id] = self._personal_of_case(decision.case_id)
            shown.append(masked_decision(decision, personal[decision.case_id]))
        return shown

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
        """Return orders, newest first; a page of them is one look."""
        page = self._ledger.orders(
            state=state,
            tenant=tenant,
            device=device,
            tenants=self._seen(tenants),
            cursor=cursor,
            limit=limit,
        )
        return Page(self._listed(page.items), page.next)

    def orders_of(self, order_ids: Sequence[str]) -> list[ServiceOrder]:
        """Return those of these orders that there are, in the same order; all of them are one look."""
        return self._listed([o for o in self._ledger.orders_of(order_ids) if self._sees(o.tenant)])

    def order(self, order_id: str) -> ServiceOrder | None:
        """Return one order."""
        order = self._ledger.order(order_id)
        if order is None or not self._sees(order.tenant):
            return None
        shown = self._shown(order)
        if personal_of(shown):
            self._trail.looked(self._caller, LOOK, [(f"order:{order_id}", order.tenant)])
        return shown

    def order_changes(self, order_id: str) -> list[OrderChange]:
        """Return what happened to an order since it was opened, in the order in which it was kept."""
        order = self._ledger.order(order_id)
        if order is None or not self._sees(order.tenant):
            return []
        changes = self._ledger.order_changes(order_id)
        if self._caller.may(Role.ENGINEER, order.tenant):
            return changes
        return [masked_change(change, personal_of(order)) for change in changes]

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
        """Return what could not be used, newest first; what tells no tenant is for those who see all."""
        if self._within is not None:
            within = self._within if within is None else self._within & set(within)
        return self._ledger.quarantine(
            reason=reason,
            topic=topic,
            since=since,
            within=within,
            cursor=cursor,
            limit=limit,
        )

    def _filters(self, filters: CaseFilters) -> CaseFilters:
        return {**filters, "tenants": self._seen(filters.get("tenants"))}

    def _sees(self, tenant: str) -> bool:
        return self._tenants is None or tenant in self._tenants

    def _seen(self, tenants: Collection[str] | None) -> Collection[str] | None:
        """Return those of some tenants that the caller sees."""
        if self._tenants is None or tenants is None:
            return self._tenants if tenants is None else tenants
        return self._tenants & set(tenants)

    def _listed(self, orders: Sequence[ServiceOrder]) -> list[ServiceOrder]:
        shown = [self._shown(order) for order in orders]
        clear = [order.tenant for order in shown if personal_of(order)]
        if clear:
            targets = [("order:*", whose) for whose in sorted(set(clear))]
            self._trail.looked(self._caller, LOOK, targets, detail={"number": len(clear)})
        return shown

    def _shown(self, order: ServiceOrder) -> ServiceOrder:
        return shown_to(self._caller, order)

    def _personal_of_case(self, case_id: str) -> list[str]:
        case = self._ledger.case(case_id)
        order = None if case is None or case.order_id is None else self._ledger.order(case.order_id)
        return [] if order is None else personal_of(order)


class ScopedHistory:
    """Fulfils `Telemetry` for one caller: devices of other tenants never said anything."""

    def __init__(self, history: Telemetry, caller: Principal) -> None:
        self._history, self._caller = history, caller

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
        """Return one device's readings."""
        if not self._caller.may(Role.VIEWER, device.tenant):
            return []
        return self._history.telemetry(device, signal=signal, start=start, end=end, step=step, limit=limit)


class ScopedRules:
    """Fulfils `RulesView` for one caller: rules and limits that are for other tenants alone are left out."""

    def __init__(self, rules: RulesView, caller: Principal) -> None:
        self._rules, self._tenants = rules, caller.tenants()

    def rules(self) -> list[dict[str, object]]:
        """Return every rule as its pack spells it."""
        if self._tenants is None:
            return self._rules.rules()
        shown = []
        for rule in self._rules.rules():
            if _is_for(rule, self._tenants):
                overrides = rule.get("overrides")
                if isinstance(overrides, list):
                    kept = [one for one in overrides if _is_for(one, self._tenants)]
                    shown.append(rule | {"overrides": kept})
                else:
                    shown.append(rule)
        return shown


def _is_for(rule: Mapping[str, Any], tenants: Collection[str]) -> bool:
    """Say whether a rule, or an override of its limits, can be for a device of one of the tenants."""
    wanted = rule.get("for_devices", {}).get("tenant")
    if wanted is None:
        return True
    patterns = wanted if isinstance(wanted, list) else [wanted]
    return any(fnmatchcase(tenant, str(pattern)) for tenant in tenants for pattern in patterns)


def shown_to(caller: Principal, order: ServiceOrder) -> ServiceOrder:
    """Return an order as a caller sees it: in clear to an engineer of its tenant, else masked."""
    return order if caller.may(Role.ENGINEER, order.tenant) else masked_order(order)


def quarantine_filters(tenants: Collection[str], root: str) -> frozenset[str]:
    """Return the MQTT filters of topics that tell that a message is of one of the tenants."""
    own = {f"{root}/{tenant}/#" for tenant in tenants}
    by_http = {f"{INGEST}/+/{tenant}/+/+" for tenant in tenants}
    return frozenset(own | by_http)
