"""Who may send messages by HTTP: holders of a token for it, where they may act, at a bounded rate."""

from http import HTTPStatus

from fastapi import Request

from gateway.access.principal import Role
from gateway.access.visits import access_of, visit_of
from gateway.api.problems import ProblemError


def check_sender(request: Request, tenant: str) -> None:
    """Let a request bring a message of a tenant.

    Raises:
        ProblemError: 403: it comes without a token for it, or not for this tenant.
        LimitedError: too many came at once.
    """
    visit, access = visit_of(request), access_of(request)
    if visit is None or access is None:
        return
    if visit.kind == "login":
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "messages come with a token of the scope `ingest`, not with a login's cookie",
        )
    if not visit.caller.may(Role.ENGINEER, tenant):
        raise ProblemError(
            HTTPStatus.FORBIDDEN, f"{visit.caller.name} is no engineer in the tenant {tenant!r}"
        )
    access.take_intake(visit)
