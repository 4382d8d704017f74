"""Callers whom a test names in the request: ``Authorization: Bearer NAME``; without it, nobody."""

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from gateway.access.principal import ALL_TENANTS, Principal, Role, Scope
from gateway.api.callers import Callers

PEOPLE = {
    "viewer": Principal("viewer", {"acme": Role.VIEWER}, account="u1"),
    "engineer": Principal("engineer", {"acme": Role.ENGINEER}, account="u2"),
    "admin": Principal("admin", {"acme": Role.ADMIN}, account="u3"),
    "mixed": Principal("mixed", {"acme": Role.VIEWER, "nordfrost": Role.ENGINEER}, account="u4"),
    "stranger": Principal("stranger", {"globex": Role.ADMIN}, account="u5"),
    "everywhere": Principal("everywhere", {ALL_TENANTS: Role.ADMIN}, account="u6"),
    "watcher": Principal("watcher", {ALL_TENANTS: Role.VIEWER}, account="u7"),
    "reader": Principal("reader", {"acme": Role.ADMIN}, frozenset({Scope.READ}), "u3"),
    "actor": Principal("actor", {"acme": Role.ADMIN}, frozenset({Scope.ACT}), "u3"),
    "sender": Principal("sender", {"acme": Role.ENGINEER}, frozenset({Scope.INGEST}), "u2"),
    "nothing": Principal("nothing", {}, account="u8"),
}


class Named:
    """Fulfils `gateway.api.callers.Callers`."""

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        return PEOPLE.get(connection.headers.get("authorization", "").removeprefix("Bearer "))


class Someone(Named):
    """As a test says, and without a word of it whoever others find."""

    def __init__(self, others: Callers) -> None:
        self._others = others

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        return await super().identify(connection) or await self._others.identify(connection)


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


@dataclass
class KeptTrail:
    """Fulfils `gateway.access.trail.Trail` and remembers."""

    looks: list[tuple[object, ...]] = field(default_factory=list)
    changes: list[tuple[object, ...]] = field(default_factory=list)

    def looked(self, caller, what, targets, *, address="", detail=None):
        told = (address, *(detail or {}).values())
        self.looks += [(caller.name, what, *target, *filter(None, told)) for target in targets]
        return 1

    def changed(self, caller, what, target="", *, tenant="*", address="", **detail):
        self.changes.append((caller.name, what, target, tenant, address, detail))
