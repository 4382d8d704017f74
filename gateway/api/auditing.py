"""What requests change is written into the audit trail in one place, behind every route."""

import asyncio
from collections.abc import Callable

from starlette.requests import HTTPConnection

from gateway.access.access import Access
from gateway.access.principal import ALL_TENANTS
from gateway.access.visits import Visit, access_of, visit_of
from gateway.errors import StoreUnavailableError
from gateway.ports import Ledger

_STATE = "deed"
_API = "/api/v1/"

#: What writes itself down together with its change, or is no change: a look in a POST, a message of a device.
_OWN = ("login", "logout", "me", "accounts", "ingest")

#: One of a list by the list's name in the address.
_ONE_OF = {
    "cases": "case",
    "orders": "order",
    "devices": "device",
    "quarantine": "quarantine",
    "rules": "rules",
    "silences": "silence",
}


def note_deed(
    connection: HTTPConnection, what: str, target: str, tenant: str = ALL_TENANTS, **detail: object
) -> None:
    """Say how a change is written down, once its answer goes out well.

    Without it the trail has what the address tells: ``POST /api/v1/cases/C-1/dismiss`` is ``case.dismiss`` of
    ``case:C-1``.
    """
    setattr(connection.state, _STATE, (what, target, tenant, detail))


async def write_down(connection: HTTPConnection, visit: Visit, access: Access) -> None:
    """Write down what a request has changed. The change is made, so a trail that fails is told of loudly."""
    told: tuple[str, str, str, dict[str, object]] | None = getattr(connection.state, _STATE, None)
    what, target, tenant, detail = told or _by_address(connection)
    if not what:
        return

    def write() -> None:
        whose = tenant if tenant != ALL_TENANTS else access.tenant_of(target) or ALL_TENANTS
        access.trail.changed(visit.caller, what, target, tenant=whose, address=visit.address, **detail)

    try:
        await asyncio.to_thread(write)
    except StoreUnavailableError as error:
        access.events.audit_lost(what=what, target=target, who=visit.caller.name, detail=str(error))


def tenants_in(ledger: Ledger) -> Callable[[str], str | None]:
    """Return what tells whose a case or an order is: ``case:C-1``, ``order:SO-1``."""

    def tenant_of(target: str) -> str | None:
        kind, _, name = target.partition(":")
        if kind == "case":
            case = ledger.case(name)
            return None if case is None else case.tenant
        if kind == "order":
            order = ledger.order(name)
            return None if order is None else order.tenant
        return None

    return tenant_of


def looked_at(connection: HTTPConnection, what: str, *targets: tuple[str, str]) -> None:
    """Write down that personal data is about to be shown; on a thread, not on the event loop.

    Args:
        connection: whose answer it will be.
        what: such as ``order.look``.
        targets: what is shown, with its tenant: ``("order:SO-...", "acme")``.

    Raises:
        StoreUnavailableError: it is not written, and nothing may be shown.
    """
    visit, access = visit_of(connection), access_of(connection)
    if visit is not None and access is not None and targets:
        access.trail.looked(visit.caller, what, targets, address=visit.address)


def _by_address(connection: HTTPConnection) -> tuple[str, str, str, dict[str, object]]:
    path, method = connection.url.path, connection.scope["method"]
    parts = path.removeprefix(_API).strip("/").split("/")
    if not path.startswith(_API) or parts[0] in _OWN:
        return "", "", ALL_TENANTS, {}
    kind = _ONE_OF.get(parts[0], parts[0])
    length = 3 if kind == "device" else 1
    of, verbs = parts[1 : 1 + length], parts[1 + length :]
    if kind in ("rules", "quarantine") and not verbs:
        of, verbs = [], parts[1:]
    target = f"{kind}:{'/'.join(of)}" if of else kind
    tenant = of[0] if kind == "device" and of else ALL_TENANTS
    return f"{kind}.{'.'.join(verbs) or method.lower()}", target, tenant, {"request": f"{method} {path}"}
