"""What is somebody's own: their password, language and tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from gateway.access.accounts import NEEDED
from gateway.access.principal import Scope
from gateway.access.records import Account, Token
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
from gateway.console.language import LANGUAGES, t
from gateway.console.parts import box, fact, section, text
from gateway.errors import UserError
from rules.times import parse_duration

DAYS = ("30", "90", "365", "730")
DAY = parse_duration("1d")


async def account_page(desk: Desk, access: AccessDesk) -> None:
    """Build the page of the reader's own account."""
    visit = visit_of(ui.context.client.request)
    async with frame(desk, "", t("Your account"), style="access"):
        with box("div", "head"):
            text("h1", t("Your account"))
        account = None
        if visit is not None and visit.caller.account is not None:
            account = await asyncio.to_thread(access.access.people.account_of, visit.caller.account)
        if visit is None or account is None:
            text("p", t("This is the built-in session of this machine; it has no account."))
            return
        if account.must_change:
            text("p", t("Your password was set by somebody else. Choose another to go on."), "note")
        with box("div", "access-columns"):
            _person(account, visit, access)
            if account.password is not None:
                _password(visit, access)
        if not account.must_change:
            await _tokens(visit, access)


def _person(account: Account, visit: Visit, access: AccessDesk) -> None:
    with section(t("Who you are")):
        with box("dl", "facts"):
            with fact(t("Name")):
                text("span", account.name)
            with fact(t("Shown as")):
                text("span", account.display_name)
            with fact(t("Roles")):
                for tenant, role in sorted(account.grants.items()):
                    text("div", f"{t('every tenant') if tenant == '*' else tenant}: {t(role.value)}")

        async def chosen(fields: Fields) -> None:
            language = one_of(fields, "language")
            await asyncio.to_thread(
                access.accounts.choose_language,
                visit.caller,
                language if language in LANGUAGES else None,
                address=visit.address,
            )
            ui.navigate.reload()

        with form(chosen, "form row"):
            options = [("", t("as the browser")), *LANGUAGES.items()]
            pick(t("Language"), "language", options, account.language or "")
            send(t("Keep"), "button")


def _password(visit: Visit, access: AccessDesk) -> None:
    with section(t("Password")):
        said = complaint()

        async def change(fields: Fields) -> None:
            new = one_of(fields, "new")
            if new != one_of(fields, "again"):
                said(t("The new password was not repeated alike."))
                return
            try:
                await access.logins.change_password(visit, one_of(fields, "present"), new)
            except UserError as error:
                said(str(error))
                return
            ui.navigate.to("/account")

        with form(change):
            own = {"type": "password", "required": "", "maxlength": "256"}
            field(t("Present password"), "present", **own, autocomplete="current-password")
            field(t("New password"), "new", **own, autocomplete="new-password", minlength="12")
            field(t("New password, again"), "again", **own, autocomplete="new-password")
            send(t("Change the password"))


async def _tokens(visit: Visit, access: AccessDesk) -> None:
    accounts = access.accounts
    with section(t("Tokens")):
        text(
            "p", t("A token lets a program act as you, in the API only, no further than its scopes."), "quiet"
        )
        secret = box("div")
        said = complaint()
        listed = box("div")

        async def show() -> None:
            found = await asyncio.to_thread(accounts.tokens, visit.caller)
            listed.clear()
            with listed:
                _table(found, revoke)

        async def revoke(token: Token) -> None:
            await asyncio.to_thread(
                accounts.revoke_token, visit.caller, token.token_id, address=visit.address
            )
            await show()

        async def make(fields: Fields) -> None:
            scopes = frozenset(Scope(scope) for scope in fields.get("scope", ()) if scope in list(Scope))
            days = one_of(fields, "days")
            lives = int(days) * DAY if days in DAYS else None
            try:
                _, told = await asyncio.to_thread(
                    accounts.make_token,
                    visit.caller,
                    one_of(fields, "name"),
                    scopes,
                    lives=lives,
                    address=visit.address,
                )
            except UserError as error:
                said(str(error))
                return
            said("")
            show_secret(secret, t("Copy it now: it is shown this once."), told)
            await show()

        await show()
        with form(make, "form row"):
            field(t("What it is for"), "name", required="", maxlength="100")
            pick(t("Good for"), "days", [(days, t("{days} days", days=days)) for days in DAYS], "90")
            with box("fieldset", "checks"):
                for scope in _possible(visit):
                    with box("label"):
                        box("input").props(f"type=checkbox name=scope value={scope.value}")
                        text("span", scope.value)
            send(t("Make a token"))


def _possible(visit: Visit) -> list[Scope]:
    return [scope for scope in Scope if visit.caller.may_anywhere(NEEDED[scope])]


def _table(tokens: list[Token], revoke: Callable[[Token], Awaitable[None]]) -> None:
    if not tokens:
        text("p", t("You have no tokens."), "empty")
        return
    with box("div", "sheet"), box("table"):
        with box("thead"), box("tr"):
            for heading in (t("For"), t("Begins with"), t("Scopes"), t("Expires"), t("Last used"), ""):
                text("th", heading)
        with box("tbody"):
            for token in tokens:
                with box("tr"):
                    text("td", token.name)
                    text("td", token.start, "code")
                    text("td", ", ".join(sorted(token.scopes)))
                    for at in (token.expires, token.used):
                        text("td", t("never") if at is None else moment(at))
                    with box("td"):
                        button(t("Revoke"), partial(revoke, token), "button risky")
