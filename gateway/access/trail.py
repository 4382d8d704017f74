"""The audit trail as the rest of the gateway knows it: who looked at personal data, who changed what."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from gateway.access.principal import ALL_TENANTS, Principal


class Trail(Protocol):
    """Keeps who looked and who changed.

    Calls block, may come from any thread, and raise StoreUnavailableError when nothing was kept.
    """

    def looked(
        self,
        caller: Principal,
        what: str,
        targets: Iterable[tuple[str, str]],
        *,
        address: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> int:
        """Keep that somebody is about to be shown personal data in clear; return how many looks are new.

        A page that stays open renews what it shows: the same look again is none, within some minutes.

        Args:
            caller: who looks.
            what: such as ``order.look``.
            targets: what is looked at, with its tenant: ``("order:SO-...", "acme")``; a list is one look at
                ``order:*``.
            address: from where.
            detail: what else is to be known: how many a list held.
        """
        ...

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
        """Keep that somebody changed something: ``("case.dismiss", "case:C-...", tenant="acme")``."""
        ...


class NoTrail:
    """Keeps nothing: for those who own the files anyway, and for tests of other things."""

    def looked(
        self,
        caller: Principal,
        what: str,
        targets: Iterable[tuple[str, str]],
        *,
        address: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> int:
        """Keep nothing."""
        del caller, what, targets, address, detail
        return 0

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
        """Keep nothing."""
