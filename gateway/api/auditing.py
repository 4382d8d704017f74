"""What requests change is written into the audit trail in one place, behind every route."""

import asyncio

from starlette.requests import HTTPConnection

from gateway.access.access import Access
from gateway.access.visits import Visit
from gateway.api.rights import DEED


async def write_down(connection: HTTPConnection, visit: Visit, access: Access) -> None:
    """Write down what a request has changed, as its route noted it."""
    told: tuple[str, str, str, dict[str, object]] | None = getattr(connection.state, DEED, None)
    if told is None or not told[0]:
        return
    what, target, tenant, detail = told
    await asyncio.to_thread(
        access.trail.changed, visit.caller, what, target, tenant=tenant, address=visit.address, **detail
    )
