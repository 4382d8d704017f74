"""Who is logged in, in the frame of every page: what is theirs, and the way out."""

import json

from nicegui import ui

from gateway.access.principal import Principal, Role
from gateway.access.visits import visit_of
from gateway.console.language import t
from gateway.console.parts import box, link, text

#: Style of the menu and the pages of accounts, and what leaves the page when its login is over.
HEAD = '<link rel="stylesheet" href="/console/access.css"><script src="/console/access.js" defer></script>'


def account_menu(caller: Principal) -> None:
    """Show who is logged in, with a menu; the page is left when the login is over."""
    ui.add_head_html(HEAD)
    visit = visit_of(ui.context.client.request)
    menu = box("details", "who")
    if visit is not None:
        known = {"name": caller.name, "grants": {k: v.value for k, v in sorted(caller.grants.items())}}
        menu.props["data-caller"] = json.dumps(known | {"csrf_token": visit.csrf or None})
    with menu:
        text("summary", caller.name).props["aria-label"] = t("Logged in as {name}", name=caller.name)
        with box("div", "menu"):
            if caller.account is not None:
                link(t("Your account"), "/account")
            if caller.may_anywhere(Role.ADMIN):
                link(t("Accounts"), "/accounts")
                link(t("Audit trail"), "/audit")
            if visit is not None and visit.kind == "login":
                with box("form").props("method=post action=/logout"):
                    text("button", t("Log out")).props("type=submit")
            else:
                text("p", t("Nobody has to log in on this machine."), "quiet")
                if visit is not None:
                    link(t("Log in"), "/login")
