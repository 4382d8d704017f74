"""What surrounds every page: navigation with counts, the gateway's state and time, the line for trouble."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from gateway.access.principal import Principal, Role
from gateway.api.queries import Queries, Totals
from gateway.api.views import Health, Instructed
from gateway.console.account import account_end
from gateway.console.keys import keys_dialog
from gateway.console.language import LANGUAGES, language, msg, t
from gateway.console.live import Live, Shared
from gateway.console.navigation import Entry, Section, entries_for
from gateway.console.parts import box, link, press, text

__all__ = ["Desk", "Section", "Status", "frame"]

#: The console's own style and script; the script is not deferred, so that the theme is set before painting.
HEAD = (
    '<link rel="stylesheet" href="/console/console.css"><script src="/console/console.js"></script>'
    '<meta name="color-scheme" content="light dark">'
)

#: Seconds after which browsers are told the gateway's time again.
CLOCK_INTERVAL = 20.0

THEMES = (("", msg("As the system")), ("light", msg("Light")), ("dark", msg("Dark")))


@dataclass(frozen=True, slots=True)
class Status:
    """What the frame shows of the gateway."""

    totals: Totals
    ready: bool
    why: str


class Desk:
    """What one reader's pages read from, and act through.

    Attributes:
        queries: the reads that the reader may make.
        caller: who it is.
        instructed: takes what people say; None where no gateway is at work.
    """

    def __init__(
        self, queries: Queries, health: Health, caller: Principal, instructed: Instructed | None = None
    ) -> None:
        self.queries = queries.seen_by(caller)
        self.caller = caller
        self.instructed = instructed
        self._health = health
        self._totals = Shared(self.queries.totals, seconds=0.9)

    def totals(self) -> Totals:
        """Return the counts, a moment old at most."""
        return self._totals.get()

    def status(self) -> Status:
        """Return what the frame shows."""
        ready, why = self._health.ready()
        return Status(self.totals(), ready, why)

    @property
    def speed(self) -> float:
        """How many times faster than the wall's the gateway's clock runs."""
        return float(getattr(self.queries.clock, "speed", 1.0))


@asynccontextmanager
async def frame(desk: Desk, active: Section, title: str, *, style: str | None = None) -> AsyncIterator[Live]:
    """Build the frame, open its main part for content, and start the updates once that is built.

    Args:
        desk: the reader's.
        active: the section that the page belongs to.
        title: of the page, in the reader's language.
        style: name of the page's own stylesheet in static/, without its ending.
    """
    ui.page_title(f"{title} · forewarn")
    ui.add_head_html(HEAD)
    if style is not None:
        ui.add_head_html(f'<link rel="stylesheet" href="/console/{style}.css">')
    ui.add_head_html(f"<script>window.forewarn.setClock({desk.queries.now()}, {desk.speed})</script>")
    around = ui.context.client.content.parent_slot
    assert around is not None
    around.parent.props["role"] = "none"  # the framework's main holds the bar too; the page has its own
    with box("header", "bar"):
        show = _bar(desk, active)
    banner = text("p", "", "trouble")
    banner.props["role"] = "alert"
    banner.set_visibility(False)
    keys_dialog(entries_for(desk.caller, account=False), entries_for(desk.caller, account=True))

    def trouble(sentence: str | None) -> None:
        banner.set_visibility(sentence is not None)
        banner.set_text(sentence or "")

    live = Live(trouble)
    with box("main", "main").props("id=main tabindex=-1"):
        yield live
        await live.watch(desk.status, show)
        live.start()
        ui.timer(CLOCK_INTERVAL, lambda: _set_clock(desk), immediate=False)


def _bar(desk: Desk, active: Section) -> Callable[[Status], None]:
    """Build the bar and return what shows the gateway's state in it."""
    link(t("Skip to content"), "#main", "skip")
    menu = press("", "burger")
    menu.props("popovertarget=nav aria-haspopup=true")
    menu.props["aria-label"] = t("Menu")
    with link("", "/cases", "brand"):
        box("img").props('src=/console/icon.svg alt="" width=22 height=22')
        text("span", "forewarn")
    counts = _navigation(entries_for(desk.caller, account=False), active)
    box("div", "spread")
    pill = text("span", "", "pill")
    pill.props["role"] = "status"
    ui.element("fw-time").props("now").classes("clock")
    _account(desk.caller, active)

    def show(status: Status) -> None:
        for entry, count in counts:
            assert entry.count is not None
            count.set_text(str(entry.count(status.totals)))
        said = t("Listening") if status.ready else t("Not ready: {why}", why=status.why)
        pill.set_text(said)
        pill.props["title"] = said
        pill.classes(replace=f"pill {'good' if status.ready else 'bad'}")

    return show


def _navigation(entries: Sequence[Entry], active: Section) -> list[tuple[Entry, TextElement]]:
    """Build the links to the sections and return the elements of their counts."""
    counts = []
    with box("nav", "nav").props("id=nav popover=auto") as nav:
        nav.props["aria-label"] = t("Sections")
        for entry in entries:
            with _tab(entry, active):
                text("span", t(entry.title))
                if entry.count is not None:
                    counts.append((entry, text("span", "", "count")))
    return counts


def _tab(entry: Entry, active: Section) -> TextElement:
    tab = link("", entry.path, "tab")
    if entry.section == active:
        tab.props["aria-current"] = "page"
    if entry.key:
        tab.props["data-go"] = entry.key
    return tab


def _account(caller: Principal, active: Section) -> None:
    """Build what stands under the reader's name: pages about people, the theme, the language."""
    opener = press("", "account")
    opener.props("popovertarget=account aria-haspopup=true")
    opener.props["aria-label"] = t("{name}: account, theme, language", name=caller.name)
    with opener:
        box("span", "initial").props["data-initial"] = caller.name[:1].upper()
        text("span", caller.name, "who")
    with box("div", "menu").props("id=account popover=auto"):
        with box("p", "whoami"):
            text("b", caller.name)
            text("span", _rights(caller), "quiet")
        with box("nav", "menu-links") as nav:
            nav.props["aria-label"] = t("Account")
            for entry in entries_for(caller, account=True):
                with _tab(entry, active):
                    text("span", t(entry.title))
        with _choices(t("Theme")):
            for value, words in THEMES:
                choice = press(
                    t(words), "choice", "(event) => window.forewarn.theme(event.currentTarget.value)"
                )
                choice.props["value"] = choice.props["data-theme"] = value
        with _choices(t("Language")):
            for tag, name in LANGUAGES.items():
                choice = press(name, "choice", "(event) => window.forewarn.speak(event.currentTarget.value)")
                choice.props["value"] = choice.props["lang"] = tag
                choice.props["aria-pressed"] = "true" if tag == language() else "false"
        press(t("Keyboard shortcuts"), "plain", "() => window.forewarn.showKeys()")
        account_end(caller)


def _choices(label: str) -> Element:
    """Return a labelled place for buttons of which one is pressed."""
    with box("div", "choices"):
        text("span", label)
        group = box("div").props("role=group")
        group.props["aria-label"] = label
    return group


def _rights(caller: Principal) -> str:
    """Return what somebody may do, by role and tenant."""
    role = caller.role_in("*")
    if role is not None:
        return t("{role}, all brands", role=role_words(role))
    return "; ".join(
        t("{role} of {brand}", role=role_words(role), brand=tenant)
        for tenant, role in sorted(caller.grants.items())
    )


def role_words(role: Role) -> str:
    """Return what a role is called."""
    return {
        Role.VIEWER: t("viewer"),
        Role.ENGINEER: t("engineer"),
        Role.ADMIN: t("admin"),
    }[role]


def _set_clock(desk: Desk) -> None:
    ui.run_javascript(f"window.forewarn.setClock({desk.queries.now()}, {desk.speed})")
