"""Who may come in, for admins: their accounts, roles, passwords."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from urllib.parse import quote

from nicegui import ui

from gateway.access.errors import NotThereError
from gateway.access.principal import ALL_TENANTS, Role
from gateway.access.records import Account
from gateway.access.visits import Visit, visit_of
from gateway.api.accessing import AccessDesk
from gateway.console.forms import (
    Fields,
    button,
    complaint,
    field,
    form,
    moment,
    one_of,
    pick,
    send,
    show_secret,
)
from gateway.console.frame import Desk, frame
from gateway.console.language import t
from gateway.console.parts import Row, Sheet, box, column, link, section, text
from gateway.errors import UserError

T = TypeVar("T")

PATH = "/accounts"


async def accounts_page(desk: Desk, access: AccessDesk, name: str) -> None:
    """Build the list of accounts, and what can be done with the one that is named in the address."""
    visit = visit_of(ui.context.client.request)
    async with frame(desk, "", t("Accounts"), style="access"):
        with box("div", "head"):
            text("h1", t("Accounts"))
        if visit is None or not desk.caller.may_anywhere(Role.ADMIN):
            ui.status_code(403)
            text("p", t("Accounts are seen to by admins."))
            return
        found = await asyncio.to_thread(access.accounts.all_of, visit.caller)
        columns = (
            column("name", t("Name")),
            column("shown", t("Shown as")),
            column("roles", t("Roles"), "wide"),
            column("state", t("State")),
            column("created", t("Made")),
        )
        Sheet(columns, label=t("Accounts"), empty=t("There is no account yet.")).show(
            [_row(account) for account in found]
        )
        with box("div", "access-columns"):
            if name:
                await _one(access, visit, name)
            _new(access, visit)


def _row(account: Account) -> Row:
    if account.disabled:
        state = t("may not log in")
    else:
        state = account.issuer or (t("has to choose a password") if account.must_change else t("local"))
    return {
        "key": account.name,
        "tone": "over" if account.disabled else "",
        "cells": {
            "name": {
                "text": account.name,
                "href": f"{PATH}?name={quote(account.name, safe='')}",
                "main": True,
            },
            "shown": {"text": account.display_name},
            "roles": {
                "text": ", ".join(f"{_tenant(k)}: {t(v.value)}" for k, v in sorted(account.grants.items()))
            },
            "state": {"text": state},
            "created": {"text": moment(account.created)},
        },
    }


def _tenant(tenant: str) -> str:
    return t("every tenant") if tenant == ALL_TENANTS else tenant


async def _one(access: AccessDesk, visit: Visit, name: str) -> None:
    accounts, caller, address = access.accounts, visit.caller, visit.address
    try:
        account = await asyncio.to_thread(accounts.shown, caller, name)
    except NotThereError as error:
        text("p", str(error), "wrong")
        return
    here = f"{PATH}?name={quote(account.name, safe='')}"
    with section(account.name):
        say = complaint()
        secret = box("div")

        async def done(action: Callable[[], T], then: str | None = here) -> T | None:
            try:
                result = await asyncio.to_thread(action)
            except UserError as error:
                say(str(error))
                return None
            if then is not None:
                ui.navigate.to(then)
            return result

        async def take(tenant: str) -> None:
            await done(partial(accounts.grant, caller, name, {tenant: None}, address=address))

        async def give(fields: Fields) -> None:
            grants = {one_of(fields, "tenant").strip(): one_of(fields, "role")}
            await done(partial(accounts.grant, caller, name, grants, address=address))

        async def reset() -> None:
            made = await done(partial(accounts.set_password, caller, name, address=address), None)
            if made is not None and made.temporary is not None:
                show_secret(secret, _temporary_words(), made.temporary)

        async def disable() -> None:
            disabled = not account.disabled
            await done(partial(accounts.disable, caller, name, disabled=disabled, address=address))

        async def remove() -> None:
            question = t("Remove {name} for good?", name=account.name)
            if await ui.run_javascript(f"confirm({json.dumps(question)})", timeout=60):
                await done(partial(accounts.remove, caller, name, address=address), PATH)

        with box("ul", "roles"):
            for tenant, role in sorted(account.grants.items()):
                with box("li"):
                    text("span", f"{_tenant(tenant)}: {t(role.value)}")
                    button(t("Take away"), partial(take, tenant))
        with form(give, "form row"):
            _role_fields()
            send(t("Give the role"), "button")
        with box("div", "form row"):
            if account.issuer is None:
                button(t("Temporary password"), reset)
            button(t("Let log in again") if account.disabled else t("Keep from logging in"), disable)
            button(t("Remove"), remove, "button risky")
            link(t("What they did"), f"/audit?who={quote(account.name, safe='')}")


def _new(access: AccessDesk, visit: Visit) -> None:
    with section(t("New account")):
        say = complaint()
        secret = box("div")

        async def make(fields: Fields) -> None:
            grants = {one_of(fields, "tenant").strip(): one_of(fields, "role")}
            try:
                made = await asyncio.to_thread(
                    access.accounts.make,
                    visit.caller,
                    one_of(fields, "name"),
                    grants=grants,
                    display_name=one_of(fields, "shown")[:100],
                    address=visit.address,
                )
            except UserError as error:
                say(str(error))
                return
            say("")
            words = f"{made.account.name}: {_temporary_words()}"
            show_secret(secret, words, made.temporary or "")

        with form(make):
            field(t("Name"), "name", required="", maxlength="64", autocapitalize="none", autocomplete="off")
            field(t("Shown as"), "shown", maxlength="100", autocomplete="off")
            _role_fields()
            send(t("Make the account"))


def _temporary_words() -> str:
    return t("a password for the first login, good for three days. It is shown this once.")


def _role_fields() -> None:
    hint = t("acme, or * for every tenant")
    field(t("Tenant"), "tenant", required="", maxlength="64", placeholder=hint, autocomplete="off")
    pick(t("Role"), "role", [(role.value, t(role.value)) for role in Role], Role.VIEWER.value)
