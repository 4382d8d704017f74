"""The pages of logins, accounts and the trail, on the application where it has accounts."""

from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Query
from nicegui import Client, ui

from gateway.access.visits import Visit, visit_of
from gateway.api.accessing import AccessDesk
from gateway.console.frame import Desk
from gateway.console.pages.account import account_page
from gateway.console.pages.accounts import accounts_page
from gateway.console.pages.audit import Filters, audit_page
from gateway.console.pages.login import router


def register_access(app: FastAPI, here: Callable[[], Desk]) -> None:
    """Add the pages, and let the gate know whose an open page is.

    Args:
        app: the application of the API.
        here: gives the desk of the reader whose page is being built.
    """
    access: AccessDesk | None = app.state.access
    if access is None:
        return
    app.include_router(router)
    access.access.page_owner = _owner

    @ui.page("/account")
    async def account() -> None:
        await account_page(here(), access)

    @ui.page("/accounts")
    async def accounts(name: str = "") -> None:
        await accounts_page(here(), access, name)

    @ui.page("/audit")
    async def audit(
        *,
        who: str = "",
        target: Annotated[str, Query(alias="object")] = "",
        start: Annotated[str, Query(alias="from")] = "",
        end: Annotated[str, Query(alias="to")] = "",
        cursor: str = "",
    ) -> None:
        await audit_page(here(), access, Filters(who, target, start, end, cursor))


def _owner(page: str) -> Visit | None:
    client = Client.instances.get(page)
    return None if client is None else visit_of(client.request)
