"""What requests change is written into the audit trail in one place, behind every route."""

import asyncio

from starlette.requests import HTTPConnection

from gateway.access.access import Access
from gateway.access.visits import Visit, access_of, visit_of
from gateway.api.rights import DEED
from gateway.errors import StoreUnavailableError


async def write_down(connection: HTTPConnection, visit: Visit, access: Access) -> None:
    """Write down what a request has changed. The change is made, so a trail that fails is told of loudly."""
    told: tuple[str, str, str, dict[str, object]] | None = getattr(connection.state, DEED, None)
    if told is None or not told[0]:
        return
    what, target, tenant, detail = told
    try:
        await asyncio.to_thread(
            access.trail.changed, visit.caller, what, target, tenant=tenant, address=visit.address, **detail
        )
    except StoreUnavailableError as error:
        access.events.audit_lost(what=what, target=target, who=visit.caller.name, detail=str(error))


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
