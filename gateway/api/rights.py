"""Who may what, in one place: each route says what it needs, and what it acts on is looked up here.

A route under ``/api/v1`` carries `needs` or `open_to_all`; one that carries neither is found by a test. What
a path names is found by the name of its parameter: an object of a tenant that the caller does not see is not
there, in the same words, and one that they see but may not act on is refused.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as DependsParameter
from fastapi.routing import APIRoute, APIRouter
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from gateway.access.principal import ALL_TENANTS, Principal, Role, Scope
from gateway.api.callers import known
from gateway.api.problems import ProblemError
from gateway.ports import LedgerReads
from rules.symbols import DeviceId

#: Where the state of a request says how it is written down in the audit trail, once it is answered well.
DEED = "deed"


class Found:
    """What a path names: whose it is, and the words in which it is said not to be there."""

    __slots__ = ("missing", "tenant")

    def __init__(self, tenant: str | None, missing: str) -> None:
        self.tenant, self.missing = tenant, missing


def _case(ledger: LedgerReads, names: Mapping[str, str]) -> Found:
    case = ledger.case(names["case_id"])
    return Found(None if case is None else case.tenant, f"there is no case {names['case_id']}")


def _order(ledger: LedgerReads, names: Mapping[str, str]) -> Found:
    order = ledger.order(names["order_id"])
    return Found(None if order is None else order.tenant, f"there is no order {names['order_id']}")


def _silence(ledger: LedgerReads, names: Mapping[str, str]) -> Found:
    silence = ledger.silence(names["silence_id"])
    return Found(None if silence is None else silence.tenant, f"there is no silence {names['silence_id']}")


def _device(ledger: LedgerReads, names: Mapping[str, str]) -> Found:
    device = DeviceId(names["tenant"], names["device_class"], names["device"])
    record = ledger.device(device)
    return Found(None if record is None else device.tenant, f"no device {device} ever spoke")


#: Accounts are written down together with their change, in its transaction.
_OWN = "/api/v1/accounts"

#: One of a list by the list's name in an address.
KINDS = {"cases": "case", "orders": "order", "devices": "device", "silences": "silence"}

#: What a path names, by its parameters. Whoever adds a kind of object adds it here.
OBJECTS: dict[tuple[str, ...], Callable[[LedgerReads, Mapping[str, str]], Found]] = {
    ("case_id",): _case,
    ("order_id",): _order,
    ("silence_id",): _silence,
    ("tenant", "device_class", "device"): _device,
}


@dataclass(frozen=True)
class Need:
    """What a route asks of its caller; as a dependency it sees to it.

    Attributes:
        role: at least this one, in the tenant of what the path names; in any tenant where it names nothing.
        scope: that a token must have.
        everywhere: the role must hold in all tenants.
    """

    role: Role
    scope: Scope
    everywhere: bool = False

    async def __call__(self, request: Request) -> None:
        """Refuse whoever may not.

        Raises:
            ProblemError: 401: nobody asks. 403: the caller may not. 404: what the path names is not there
                for them.
        """
        caller = known(request)
        check_scope(caller, self.scope)
        if not (caller.may(self.role) if self.everywhere else caller.may_anywhere(self.role)):
            where = "in all tenants" if self.everywhere else "in a tenant"
            raise _forbidden(f"expected the role {self.role} {where}, {caller.name} has it not")
        found = await self._named(request)
        if found is None:
            return
        if found.tenant is None or not caller.may(Role.VIEWER, found.tenant):
            raise ProblemError(HTTPStatus.NOT_FOUND, found.missing)
        if not caller.may(self.role, found.tenant):
            has = caller.role_in(found.tenant)
            raise _forbidden(
                f"expected the role {self.role} in the tenant {found.tenant}, {caller.name} is {has} there"
            )

    async def _named(self, request: Request) -> Found | None:
        names = request.path_params
        for parameters, find in OBJECTS.items():
            if all(parameter in names for parameter in parameters):
                found = await asyncio.to_thread(find, request.app.state.queries.whole, names)
                if found.tenant is not None:
                    self._note(request, [names[name] for name in parameters], found.tenant)
                return found
        self._note(request, list(map(str, names.values())), ALL_TENANTS)
        return None

    def _note(self, request: Request, names: Sequence[str], tenant: str) -> None:
        """Leave word of what the request is about to change: ``case.dismiss`` of ``case:C-1``, and whose."""
        route = request.scope["route"]
        if request.method in ("GET", "HEAD") or self.scope is Scope.INGEST or route.path.startswith(_OWN):
            return
        levels = [level for level in route.path.removeprefix("/api/v1/").split("/") if "{" not in level]
        kind = KINDS.get(levels[0], levels[0])
        verb = ".".join(levels[1:]) or request.method.lower()
        note_deed(request, f"{kind}.{verb}", ":".join([kind, *(["/".join(names)] if names else [])]), tenant)


def check_scope(caller: Principal, scope: Scope) -> None:
    """See to it that a token has a scope; a login has no such bounds.

    Raises:
        ProblemError: 403.
    """
    if caller.scopes is not None and scope not in caller.scopes:
        has = ", ".join(sorted(caller.scopes)) or "none"
        raise _forbidden(f"expected a token with the scope {scope}, this one has {has}")


def note_deed(
    connection: HTTPConnection, what: str, target: str, tenant: str = ALL_TENANTS, **detail: object
) -> None:
    """Say how a change is written down: by whom is known, and it is kept once its answer goes out well."""
    setattr(connection.state, DEED, (what, target, tenant, detail))


def note_no_deed(connection: HTTPConnection) -> None:
    """Say that a request changes nothing, whatever it looks like."""
    note_deed(connection, "", "")


@dataclass(frozen=True)
class Open:
    """A route that needs nobody: why."""

    why: str

    def __call__(self) -> None:
        """Let everybody through."""


@dataclass(frozen=True)
class OwnAffairs:
    """A route about the caller's own: any caller, whatever their roles; of a token the scope bounds it."""

    def __call__(self, request: Request) -> None:
        """Refuse nobody's request, and a token's that is not good for it.

        Raises:
            ProblemError: 401, 403.
        """
        check_scope(known(request), Scope.READ if request.method in ("GET", "HEAD") else Scope.ACT)


def needs(role: Role, *, scope: Scope | None = None, everywhere: bool = False) -> DependsParameter:
    """Return the dependency of a route that needs a role; see `Need`.

    Args:
        role: at least this one.
        scope: of a token; when left out ``read`` for viewers, ``act`` for engineers, ``admin`` for admins.
        everywhere: in all tenants.
    """
    usual = {Role.VIEWER: Scope.READ, Role.ENGINEER: Scope.ACT, Role.ADMIN: Scope.ADMIN}
    dependency: DependsParameter = Depends(Need(role, scope or usual[role], everywhere))
    return dependency


def open_to_all(why: str) -> DependsParameter:
    """Return the dependency of a route that answers everybody, with the reason."""
    dependency: DependsParameter = Depends(Open(why))
    return dependency


def own_affairs() -> DependsParameter:
    """Return the dependency of a route about the caller's own account, which asks for no role."""
    dependency: DependsParameter = Depends(OwnAffairs())
    return dependency


def needed_in(caller: Principal, role: Role, tenant: str) -> None:
    """See to it that a caller has a role in a tenant that no path names: it stands in the query or a body.

    Raises:
        ProblemError: 403.
    """
    if not caller.may(role, tenant):
        raise _forbidden(f"expected the role {role} in the tenant {tenant}, {caller.name} has it not")


def _forbidden(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.FORBIDDEN, detail)


def api_routes(app: FastAPI | APIRouter) -> Iterator[APIRoute]:
    """Yield every route of an application, also those of the routers that it includes."""
    yield from _routes(app.routes)


def _routes(routes: list[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner.routes)


def declared(route: APIRoute) -> Need | OwnAffairs | Open | None:
    """Return what a route says that it needs, None when it says nothing."""
    found = [call for call in _calls(route.dependant) if isinstance(call, Need | OwnAffairs | Open)]
    return found[-1] if found else None


def _calls(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)
