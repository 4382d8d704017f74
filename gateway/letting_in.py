"""Puts together who comes into a gateway: accounts, logins, the door of this machine, the first admin."""

import asyncio

from gateway.access.access import Access, OpenDoor
from gateway.access.accounts import COMMAND_LINE, Accounts
from gateway.access.audit import Trail
from gateway.access.oidc import Provider
from gateway.access.passwords import is_password
from gateway.access.principal import ALL_TENANTS, Role
from gateway.api.accessing import AccessDesk
from gateway.clock import SystemClock
from gateway.config import Config
from gateway.errors import UserError
from gateway.events import Events
from gateway.ledger.people import SqlPeople


async def open_access(config: Config, people: SqlPeople, events: Events, *, demo: bool) -> AccessDesk:
    """Return what lets people in; makes the first admin where the configuration names one.

    Raises:
        UserError: a secret cannot be read from its file, or the first admin's password is not good enough.
    """
    url = config.http.console_url
    access = Access(
        people,
        config.access,
        events=events,
        door=OpenDoor.of(config.http.host, url, always=demo),
        secure=url is not None and url.lower().startswith("https://"),
    )
    await asyncio.to_thread(_make_first_admin, config, people)
    # The first look at a name that nobody has takes as long as the others.
    await asyncio.to_thread(is_password, "", None)
    return AccessDesk(access, provider=_provider(config), public_url=url)


def _provider(config: Config) -> Provider | None:
    oidc = config.access.oidc
    return None if oidc is None else Provider(oidc, config.oidc_secret())


def _make_first_admin(config: Config, people: SqlPeople) -> None:
    path = config.access.first_admin_password_file
    if path is None or people.has_accounts():
        return
    key = "access.first_admin_password_file"
    password = config.read_secret(key, path)
    clock = SystemClock()
    accounts = Accounts(people, Trail(people, clock), clock)
    try:
        accounts.make(
            COMMAND_LINE, config.access.first_admin, grants={ALL_TENANTS: Role.ADMIN}, password=password
        )
    except UserError as error:
        raise UserError(f"{config.place(key)}: {path}: {error}") from None
