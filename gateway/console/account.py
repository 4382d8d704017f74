"""Who is logged in, in the frame of every page: the way out, and the way in."""

import json

from nicegui import ui

from gateway.access.principal import Principal
from gateway.access.visits import visit_of
from gateway.console.language import t
from gateway.console.parts import box, link, text

#: Style of the pages of accounts, and what leaves a page when its login is over.
HEAD = '<link rel="stylesheet" href="/console/access.css"><script src="/console/access.js" defer></script>'


def account_end(caller: Principal) -> None:
    """Build the end of the reader's menu: log out, or log in; the page is left when the login is over."""
    ui.add_head_html(HEAD)
    visit = visit_of(ui.context.client.request)
    with box("div", "account-end") as end:
        if visit is None:
            return
        known = {"name": caller.name, "grants": {k: v.value for k, v in sorted(caller.grants.items())}}
        end.props["data-caller"] = json.dumps(known | {"csrf_token": visit.csrf or None})
        if visit.kind == "login":
            with box("form").props("method=post action=/logout"):
                text("button", t("Log out"), "button").props("type=submit")
        else:
            text("p", t("Nobody has to log in on this machine."), "quiet")
            link(t("Log in"), "/login")
