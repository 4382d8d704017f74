"""The audit trail as the rest of the gateway knows it: who looked at personal data, who changed what."""

from typing import Protocol

from gateway.access.principal import Principal


class Trail(Protocol):
    """Keeps who looked and who changed.

    Calls block, may come from any thread, and raise StoreUnavailableError when nothing was kept: what was
    asked for is then not answered either.
    """

    def looked(
        self, caller: Principal, what: str, object_id: str, tenant: str, *, number: int = 1, of: str = ""
    ) -> None:
        """Keep that somebody was shown personal data in clear.

        Args:
            caller: who looked.
            what: kind of object in one word: ``order``, ``paper``, ``event``, ``registry``.
            object_id: its identifier; ``*`` for a list, which is one look however long it is.
            tenant: whose it is; ``*`` for a list over several tenants.
            number: how many objects the answer showed.
            of: what of it, where that is to be told: the paper's name, the registry's table.
        """
        ...

    def changed(
        self, caller: Principal, what: str, object_id: str, tenant: str, *, verb: str, detail: str = ""
    ) -> None:
        """Keep that somebody changed something, once the change is kept.

        Args:
            caller: who changed it.
            what: kind of object in one word: ``case``, ``order``, ``rules``, ``registry``, ``account``.
            object_id: its identifier.
            tenant: whose it is; ``*`` where it concerns all of them.
            verb: what was done, as the API spells it: ``acknowledge``, ``close``, ``put``, ``delete``.
            detail: what else is to be known, in plain words, without personal data.
        """
        ...


class NoTrail:
    """Keeps nothing: for one-off reads by those who own the files anyway, and for tests of other things."""

    def looked(
        self, caller: Principal, what: str, object_id: str, tenant: str, *, number: int = 1, of: str = ""
    ) -> None:
        """Keep nothing."""

    def changed(
        self, caller: Principal, what: str, object_id: str, tenant: str, *, verb: str, detail: str = ""
    ) -> None:
        """Keep nothing."""
