"""The audit trail: who changed what, and who looked at personal data. Written before the answer is given."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from gateway.access.principal import ALL_TENANTS, Principal
from gateway.access.records import Deed
from gateway.clock import Clock
from gateway.errors import StoreUnavailableError
from gateway.ledger.people import SqlPeople
from rules.times import parse_duration

#: A page asks again every second; looks of one caller at one thing within this time are one look.
ONE_LOOK = parse_duration("10m")
MOST_LOOKS = 50_000


class Trail:
    """Writes the audit trail. Any thread may call any method.

    Args:
        people: where it is kept.
        clock: wall time.
        on_lost: is told, by ``what``, ``target``, ``who`` and ``detail``, of a change that could not be
            written down. Without it that raises.
    """

    def __init__(self, people: SqlPeople, clock: Clock, on_lost: Callable[..., None] | None = None) -> None:
        self._people = people
        self._clock = clock
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._looks: OrderedDict[tuple[str | None, str, str, str, str], int] = OrderedDict()

    def deed(
        self,
        caller: Principal | None,
        what: str,
        target: str = "",
        *,
        tenant: str = ALL_TENANTS,
        address: str = "",
        **detail: object,
    ) -> Deed:
        """Return a row of the trail that is not written yet: for stores that write it with the change."""
        who, account = ("", None) if caller is None else (caller.name, caller.account)
        return Deed(self._clock.now(), who, account, what, target, tenant, address, detail)

    def changed(
        self,
        caller: Principal | None,
        what: str,
        target: str = "",
        *,
        tenant: str = ALL_TENANTS,
        address: str = "",
        **detail: object,
    ) -> None:
        """Write down a change, such as ``("case.dismiss", "case:C-...", tenant="acme", reason="...")``.

        Raises:
            StoreUnavailableError: it is not written, and there is nobody to tell.
        """
        deed = self.deed(caller, what, target, tenant=tenant, address=address, **detail)
        try:
            self._people.record([deed])
        except StoreUnavailableError as error:
            if self._on_lost is None:
                raise
            # The change is made: whoever made it is not to be told that it failed.
            self._on_lost(what=what, target=target, who=deed.who, detail=str(error))

    def looked(
        self,
        caller: Principal,
        what: str,
        targets: Iterable[tuple[str, str]],
        *,
        address: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> int:
        """Write down a look at personal data, before it is shown; return how many rows were written.

        Args:
            caller: who looks.
            what: such as ``order.look``.
            targets: what is looked at, with its tenant: ``[("order:SO-...", "acme")]``.
            address: from which.
            detail: which fields, say.

        Raises:
            StoreUnavailableError: it is not written, and nothing may be shown.
        """
        now = self._clock.now()
        with self._lock:
            new = [
                pair for pair in dict.fromkeys(targets) if self._is_new(caller, what, pair[0], address, now)
            ]
        account, told = caller.account, dict(detail or {})
        deeds = [
            Deed(now, caller.name, account, what, target, tenant, address, told) for target, tenant in new
        ]
        self._people.record(deeds)
        with self._lock:
            for target, _tenant in new:
                self._looks[caller.account, caller.name, what, target, address] = now
            while len(self._looks) > MOST_LOOKS:
                self._looks.popitem(last=False)
        return len(deeds)

    def _is_new(self, caller: Principal, what: str, target: str, address: str, now: int) -> bool:
        seen = self._looks.get((caller.account, caller.name, what, target, address))
        return seen is None or now - seen >= ONE_LOOK
