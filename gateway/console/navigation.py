"""The sections of the console: where they are, who may see them, and by which key they are reached.

A section shows in the frame once a page is registered at its path, for readers who may see it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from nicegui import app as nicegui_app
from starlette.routing import Route

from gateway.access.principal import Principal, Role
from gateway.api.queries import Count, Totals
from gateway.console.language import msg

Section = Literal[
    "cases",
    "orders",
    "devices",
    "fleet",
    "rules",
    "quarantine",
    "dead-letters",
    "silences",
    "account",
    "accounts",
    "audit",
    "",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A section.

    Attributes:
        section: what its pages name themselves to the frame.
        title: English; shown in the reader's language.
        key: leads there after ``g``; ``""`` for none.
        role: what a reader has to have, in any tenant.
        count: the number beside the title.
        account: it stands under the reader's name instead of in the bar.
    """

    section: Section
    path: str
    title: str
    key: str = ""
    role: Role = Role.VIEWER
    count: Callable[[Totals], Count] | None = None
    account: bool = False


#: All of them, in the order of the bar.
ENTRIES: tuple[Entry, ...] = (
    Entry("cases", "/cases", msg("Queue"), "q", count=lambda totals: totals.open_cases),
    Entry("orders", "/orders", msg("Orders"), "o", count=lambda totals: totals.open_orders),
    Entry("devices", "/devices", msg("Devices"), "d", count=lambda totals: totals.devices),
    Entry("fleet", "/fleet", msg("Fleet"), "f"),
    Entry("rules", "/rules", msg("Rules"), "r"),
    Entry("quarantine", "/quarantine", msg("Quarantine"), "u", count=lambda totals: totals.quarantined),
    Entry("dead-letters", "/dead-letters", msg("Dead letters"), "l"),
    Entry("silences", "/silences", msg("Silences"), "s"),
    Entry("account", "/account", msg("My account"), account=True),
    Entry("accounts", "/accounts", msg("Accounts"), "a", role=Role.ADMIN, account=True),
    Entry("audit", "/audit", msg("Audit"), "t", role=Role.ADMIN, account=True),
)


def entries_for(caller: Principal, *, account: bool) -> Sequence[Entry]:
    """Return the sections that there are pages of and that somebody may see."""
    paths = {route.path for route in nicegui_app.routes if isinstance(route, Route)}
    return [
        entry
        for entry in ENTRIES
        if entry.account is account and entry.path in paths and caller.may_anywhere(entry.role)
    ]
