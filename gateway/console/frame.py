"""What surrounds every page: navigation with counts, the gateway's state and time, the line for trouble."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from gateway.access.principal import Principal
from gateway.api.queries import Queries, Totals
from gateway.api.views import Health
from gateway.console.live import Live, Shared
from gateway.console.parts import box, link, text

Section = Literal["cases", "orders", "devices", "rules", "quarantine", ""]

#: The console's own style and script; the script is not deferred, so that the theme is set before painting.
HEAD = (
    '<link rel="stylesheet" href="/console/console.css"><script src="/console/console.js"></script>'
    '<meta name="color-scheme" content="light dark">'
)

#: Seconds after which browsers are told the gateway's time again.
CLOCK_INTERVAL = 20.0

_TITLES: tuple[tuple[Section, str], ...] = (
    ("cases", "Cases"),
    ("orders", "Orders"),
    ("devices", "Devices"),
    ("rules", "Rules"),
    ("quarantine", "Quarantine"),
)


@dataclass(frozen=True, slots=True)
class Status:
    """What the frame shows of the gateway."""

    totals: Totals
    ready: bool
    why: str


class Desk:
    """What one reader's pages read from.

    Attributes:
        queries: the reads that the reader may make.
        caller: who it is.
    """

    def __init__(self, queries: Queries, health: Health, caller: Principal) -> None:
        self.queries = queries.seen_by(caller)
        self.caller = caller
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
        title: of the page.
        style: name of the page's own stylesheet in static/, without its ending.
    """
    ui.page_title(f"{title} · forewarn")
    ui.add_head_html(HEAD)
    if style is not None:
        ui.add_head_html(f'<link rel="stylesheet" href="/console/{style}.css">')
    ui.add_head_html(f"<script>window.forewarn.setClock({desk.queries.now()}, {desk.speed})</script>")
    with box("header", "bar"):
        link("Skip to content", "#main", "skip")
        with link("", "/cases", "brand"):
            box("img").props('src=/console/icon.svg alt="" width=22 height=22')
            text("span", "forewarn")
        counts = _navigation(active)
        box("div", "spread")
        pill = text("span", "", "pill")
        pill.props["role"] = "status"
        ui.element("fw-time").props("now").classes("clock")
        theme = text("button", "", "theme")
        theme.props('type=button aria-label="Light or dark" title="Light or dark"')
        theme.on("click", js_handler="() => window.forewarn.toggleTheme()")
    banner = text("p", "", "trouble")
    banner.props["role"] = "alert"
    banner.set_visibility(False)

    def trouble(sentence: str | None) -> None:
        banner.set_visibility(sentence is not None)
        banner.set_text(sentence or "")

    def show(status: Status) -> None:
        totals = status.totals
        numbers = (totals.open_cases, totals.open_orders, totals.devices, None, totals.quarantined)
        for count, number in zip(counts, numbers, strict=True):
            count.set_text("" if number is None else str(number))
        pill.set_text("Listening" if status.ready else f"Not ready: {status.why}")
        pill.classes(replace=f"pill {'good' if status.ready else 'bad'}")

    live = Live(trouble)
    with box("main", "main").props("id=main tabindex=-1"):
        yield live
        await live.watch(desk.status, show)
        live.start()
        ui.timer(CLOCK_INTERVAL, lambda: _set_clock(desk), immediate=False)


def _navigation(active: Section) -> list[TextElement]:
    """Build the links to the sections and return the elements of their counts."""
    counts = []
    with box("nav").props('aria-label="Main"'):
        for section, name in _TITLES:
            with link("", f"/{section}", "tab") as tab:
                if section == active:
                    tab.props["aria-current"] = "page"
                text("span", name)
                counts.append(text("span", "", "count"))
    return counts


def _set_clock(desk: Desk) -> None:
    ui.run_javascript(f"window.forewarn.setClock({desk.queries.now()}, {desk.speed})")
