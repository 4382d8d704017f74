"""What routes of logins, accounts and the trail share: who asks, of whom, and how refusals are answered."""

import math
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from gateway.access.access import Access
from gateway.access.accounts import Accounts
from gateway.access.errors import LimitedError, LoginRefusedError, NotAllowedError, NotThereError
from gateway.access.guests import Guests
from gateway.access.logins import Logins
from gateway.access.oidc import Provider
from gateway.access.principal import Principal
from gateway.access.visits import Visit, visit_of
from gateway.api.callers import Caller
from gateway.api.problems import ProblemError, problem_response


class AccessDesk:
    """What the routes and pages of logins and accounts work with.

    Attributes:
        access: finds out who somebody is.
        logins: lets them in and out.
        accounts: administers.
        guests: lets in whom a provider of identities knows; None without one.
        public_url: where browsers find the console, None where they use the gateway's own address.
    """

    def __init__(
        self,
        access: Access,
        logins: Logins | None = None,
        *,
        provider: Provider | None = None,
        public_url: str | None = None,
    ) -> None:
        self.access = access
        self.logins = logins or Logins(access)
        self.guests = None if provider is None else Guests(provider, access, self.logins)
        self.public_url = public_url
        self.accounts = Accounts(access.people, access.trail, access.clock, access.forget)


def _desk(request: Request) -> AccessDesk:
    desk: AccessDesk | None = getattr(request.app.state, "access", None)
    if desk is None:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "there are no accounts here")
    return desk


def _visit(request: Request, caller: Caller) -> Visit:
    visit = visit_of(request)
    return visit or Visit(caller, "built-in", request.client.host if request.client else "")


Desk = Annotated[AccessDesk, Depends(_desk)]
#: The caller of a route, and how it is known who it is.
Visitor = Annotated[Visit, Depends(_visit)]


def answer_refusals(app: FastAPI) -> None:
    """Answer what may not be with problem documents of the status that says so."""

    @app.exception_handler(LoginRefusedError)
    async def refused(request: Request, error: LoginRefusedError) -> JSONResponse:
        return problem_response(request.url.path, HTTPStatus.UNAUTHORIZED, str(error))

    @app.exception_handler(NotAllowedError)
    async def not_allowed(request: Request, error: NotAllowedError) -> JSONResponse:
        return problem_response(request.url.path, HTTPStatus.FORBIDDEN, str(error))

    @app.exception_handler(NotThereError)
    async def not_there(request: Request, error: NotThereError) -> JSONResponse:
        return problem_response(request.url.path, HTTPStatus.NOT_FOUND, str(error))

    @app.exception_handler(LimitedError)
    async def limited(request: Request, error: LimitedError) -> JSONResponse:
        seconds = max(1, math.ceil(error.seconds))
        return problem_response(
            request.url.path,
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{error}: try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )


def grants_of(caller: Principal) -> dict[str, str]:
    """Return a caller's roles by tenant, as documents have them."""
    return {tenant: role.value for tenant, role in sorted(caller.grants.items())}
