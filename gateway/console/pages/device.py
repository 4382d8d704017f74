"""A device: what it is and whose, whether it is there, what it measures right now and measured, its cases."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from nicegui import ui
from nicegui.element import Element

from diagnostics.case import Case
from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.registry import DeviceEntry
from diagnostics.silences import Silence
from gateway.api.installed import Entry, Installed
from gateway.api.queries import Queries
from gateway.console import devicefacts
from gateway.console.devicefacts import Neighbour, Neighbours
from gateway.console.filters import choice, keep_address
from gateway.console.frame import Desk, frame
from gateway.console.language import msg, t
from gateway.console.links import device_path, with_filters
from gateway.console.live import Live, Region, Shared
from gateway.console.multiples import Multiples, zoomed_span
from gateway.console.pages.cases import case_row
from gateway.console.pages.devices import online_cell
from gateway.console.pages.missing import nothing_here
from gateway.console.pages.orders import order_row
from gateway.console.panels import Marker, Panel, Span, device_panels, panels_of
from gateway.console.parts import Sheet, Time, box, column, link, press, section, text
from gateway.console.tail import LENGTH, Tail
from gateway.console.words import CLASSES, class_words, upper_first
from gateway.ports import DeviceRecord, StoredReading
from rules.selector import matches
from rules.symbols import DeviceId
from rules.times import HOUR_MS, MINUTE_MS, SECOND_MS, parse_duration, parse_instant, to_rfc3339

WINDOWS = ("15m", "1h", "6h", "24h", "7d", "30d")
#: Cases and orders of a device that are shown; all of them are behind a link.
MOST = 20
#: Neighbours of each kind, and the seconds for which they are remembered.
NEAR, NEAR_FOR = 12, 30.0
#: A device that was heard of within so many ms has perhaps measured something that is not shown yet.
TALKING_MS = 2 * MINUTE_MS
#: How far back the live tail looks from when the device was heard last.
TAIL_MS = HOUR_MS
#: The shortest span that the buttons zoom into.
SHORTEST_MS = 10 * SECOND_MS
#: Buttons that zoom: sign, what it does, part of the span that is shown then, and how far it moves.
ZOOMS = (
    ("\u2039", msg("Earlier"), 1.0, -0.5),
    ("+", msg("Closer"), 0.5, 0.0),
    ("\u2212", msg("Wider"), 2.0, 0.0),
    ("\u203a", msg("Later"), 1.0, 0.5),
)


@dataclass(frozen=True)
class View:
    """What the reader looks at: the last so long, or a span that was zoomed into; and the live tail."""

    window: str = "6h"
    start: int | None = None
    end: int | None = None
    paused: bool = False

    @classmethod
    def of(cls, *, window: str, start: str, end: str, tail: str) -> "View":
        """Return the view of an address; what it cannot mean is as if it were not there."""
        try:
            first, last = int(parse_instant(start)), int(parse_instant(end))
        except ValueError:
            first = last = 0
        view = cls(window if window in WINDOWS else cls.window, paused=tail == "off")
        return replace(view, start=first, end=last) if first < last else view

    @property
    def zoomed(self) -> Span | None:
        """The span that was zoomed into."""
        return None if self.start is None or self.end is None else zoomed_span(self.start, self.end)

    def address(self, device: DeviceId) -> str:
        """Return the page's address with the view in it."""
        start, end = (None if ms is None else to_rfc3339(ms) for ms in (self.start, self.end))
        window = None if start else self.window
        tail = "off" if self.paused else None
        return with_filters(device_path(device), window=window, **{"from": start}, to=end, tail=tail)


@dataclass(frozen=True)
class Answer:
    """What the page shows beside the charts."""

    record: DeviceRecord | None
    cases: list[Case]
    orders: list[ServiceOrder]
    silences: list[Silence]


async def device_page(desk: Desk, device: DeviceId, view: View) -> None:
    """Build the page of a device that spoke or stands in the registry."""
    installed = Installed(desk.queries.registry, desk.caller, desk.queries.trail)
    async with frame(desk, "devices", device.device, style="device") as live:
        record, known = await asyncio.gather(
            asyncio.to_thread(desk.queries.device, device), asyncio.to_thread(installed.knows, device)
        )
        if record is None and not known:
            ui.status_code(404)
            nothing_here(t("No device {device} ever spoke, and none stands in the registry.", device=device))
            return
        await _DevicePage(desk, live, device, view, installed).build()


class _DevicePage:
    """One open page of a device."""

    def __init__(self, desk: Desk, live: Live, device: DeviceId, view: View, installed: Installed) -> None:
        self.queries, self.live, self.device, self.view = desk.queries, live, device, view
        self.installed = installed
        self.near = Shared(self._ask_near, seconds=NEAR_FOR)
        self.reader = _Reader(desk.queries, device)
        self.markers: list[Marker] = []

    async def build(self) -> None:
        """Build all of it."""
        self.headline: Region[DeviceRecord | None] = Region(box("div", "headline"), self._draw_headline)
        self.silences = Region(box("div"), devicefacts.draw_silences)
        with box("div", "columns"):
            with box("div", "main-column"):
                charts = self._charts_section()
                with section(t("Newest readings")):
                    self.tail = Tail(self.queries.catalogue, paused=self.view.paused, keep=self._paused)
            with box("aside", "side-column") as side:
                with section(t("Cases")):
                    self.cases = Sheet(_case_columns(), label=t("Cases"), empty=t("No case so far."))
                    link(t("All its cases"), with_filters("/cases", state="all", find=self.device.device))
                with section(t("Orders")):
                    self.orders = Sheet(_order_columns(), label=t("Orders"), empty=t("No order so far."))
                    link(t("All its orders"), with_filters("/orders", state="all", find=str(self.device)))
                with section(t("What it says of itself")):
                    self.facts = Region(box("dl", "facts"), devicefacts.draw_facts)
                with section(t("Components")) as self.parts:
                    self.components = Sheet(devicefacts.component_columns(), label=t("Components"))
                with section(t("Registry")):
                    self.entry: Region[Entry | None] = Region(box("div", "entry"), devicefacts.draw_entry)
                with section(t("What stands near")):
                    self.neighbours = Region(box("div", "neighbours"), devicefacts.draw_neighbours)
        await self.live.watch(self._ask, self._show)
        with charts:
            await self.live.watch(self._ask_panels, self._show_panels)
            await self.live.watch(self._ask_tail, self.tail.show)
        with side:
            await self.live.watch(self._ask_entry, self.entry.show)
            await self.live.watch(self.near.get, self.neighbours.show)

    def _charts_section(self) -> Element:
        with section(t("What it measures"), "with-filters") as outer:
            with box("div", "filters"):
                self.zoom_note = text("span", "", "zoom-note quiet").props("role=status")
                self.back = press(t("Show the latest"), "action")
                self.back.on("click", self._latest)
                for words, label, factor, shift in ZOOMS:
                    button = press(words, "action zoom")
                    button.props["aria-label"] = button.props["title"] = t(label)
                    button.on("click", self._stepper(factor, shift))
                windows = [(one, t("last {window}", window=one)) for one in WINDOWS]
                choice(t("Window"), windows, self.view.window, self._change_window)
            self.multiples = Multiples(self._zoom, self.live.look)
            self.nothing = text("p", t("It has measured nothing in this time."), "empty")
            self.nothing.set_visibility(False)
        return outer

    async def _change_window(self, value: str) -> None:
        await self._look_at(View(value if value in WINDOWS else View.window, paused=self.view.paused))

    async def _zoom(self, start: int, end: int) -> None:
        await self._look_at(replace(self.view, start=start, end=max(end, start + SECOND_MS)))

    async def _latest(self) -> None:
        await self._look_at(replace(self.view, start=None, end=None))

    def _stepper(self, factor: float, shift: float) -> Callable[[], Awaitable[None]]:
        """Return what shows a part of the present span: `factor` of its length, moved by `shift` of it."""

        async def step() -> None:
            span = self.reader.span
            if span is None:
                return
            length = span.end - span.start
            middle = span.start + length / 2 + shift * length
            half = max(SHORTEST_MS, length * factor) / 2
            await self._zoom(int(middle - half), int(middle + half))

        return step

    async def _look_at(self, view: View) -> None:
        self.view = view
        keep_address(view.address(self.device))
        await self.live.look()

    def _paused(self, paused: bool) -> None:
        self.view = replace(self.view, paused=paused)
        keep_address(self.view.address(self.device))

    def _ask(self) -> Answer:
        name = str(self.device)
        record = self.queries.device(self.device)
        return Answer(
            record,
            self.queries.cases(device=name, limit=MOST).items,
            self.queries.orders(device=name, limit=MOST).items,
            self._fitting_silences(record),
        )

    def _fitting_silences(self, record: DeviceRecord | None) -> list[Silence]:
        entry = self.queries.registry.devices.get(self.device)
        model = _model_of(record, entry)
        own = {
            "class": self.device.device_class,
            "device": self.device.device,
            "model": model,
            "site": None if entry is None else entry.site,
        }
        active = self.queries.silences(state="active", tenants=[self.device.tenant], limit=500).items
        return [silence for silence in active if _fits(silence, own)]

    def _show(self, answer: Answer) -> None:
        record = answer.record
        facts: Mapping[str, object] = {} if record is None else record.facts
        self.headline.show(record)
        self.silences.show(answer.silences)
        self.facts.show(dict(facts))
        components = devicefacts.component_rows(facts)
        self.parts.set_visibility(bool(components))
        self.components.show(components)
        self.cases.show([case_row(case) for case in answer.cases])
        self.orders.show([order_row(order) for order in answer.orders])
        self.markers = sorted(chain.from_iterable(map(_markers, answer.cases)), key=lambda one: one.at)

    def _ask_panels(self) -> tuple[list[Panel], list[Marker], frozenset[str]]:
        # Which charts are in sight decides what is sent, so a change of that is one of the answer.
        return self.reader.panels(self.view), self.markers, self.multiples.seen

    def _show_panels(self, answer: tuple[list[Panel], list[Marker], frozenset[str]]) -> None:
        panels, markers, _ = answer
        self.multiples.show(panels, markers)
        self.multiples.set_visibility(bool(panels))
        self.nothing.set_visibility(not panels)
        span = self.view.zoomed
        self.back.set_visibility(span is not None)
        words = "" if span is None else f"{_exact(span.start)} \u2013 {_exact(span.end)}"
        self.zoom_note.set_text(words)

    def _ask_tail(self) -> list[StoredReading]:
        return self.reader.tail()

    def _ask_entry(self) -> Entry | None:
        record = self.queries.device(self.device)
        model = None if record is None else record.facts.get("model")
        today = devicefacts.today_of(self.queries.now())
        return self.installed.entry(self.device, None if model is None else str(model), today)

    def _ask_near(self) -> Neighbours:
        return neighbours_of(self.queries, self.installed, self.device)

    def _draw_headline(self, record: DeviceRecord | None) -> None:
        device = self.device
        with box("p", "crumbs"):
            link(t("Devices"), "/devices")
            text("span", str(device), "code")
        online = online_cell(None if record is None else record.online)
        with box("div", "title"):
            text("h1", device.device)
            if record is None:
                text("span", t("never spoke"), "chip")
            elif record.reconnects:
                text("span", t("reconnecting"), "chip reconnecting")
            else:
                text("span", t(online["text"]), f"chip {online['tone']}")
        with box("p", "lead"):
            model = "" if record is None else f" {record.facts.get('model', '')}".rstrip()
            text("span", f"{upper_first(t(class_words(device.device_class)))}{model} ({device.tenant}). ")
            if record is None:
                text("span", t("It stands in the registry and has not been heard of."))
                return
            text("span", f"{t('Last heard of')} ")
            Time(record.last_seen)
            text("span", ".")
            if record.reconnects:
                times = t("It came online {number} times within the last minute.", number=record.reconnects)
                text("span", f" {times}")


class _Reader:
    """Reads what a device measured; what cannot have changed is not read again. Used by one page."""

    def __init__(self, queries: Queries, device: DeviceId) -> None:
        self._queries, self._device = queries, device
        self._asked: tuple[object, ...] = ()
        self._panels: list[Panel] = []
        self._tail_asked: int | None = None
        self._tail: list[StoredReading] = []
        self.span: Span | None = None

    def panels(self, view: View) -> list[Panel]:
        """Return the charts of a view."""
        now, seen = self._queries.now(), self._seen()
        window = parse_duration(view.window)
        zoomed = view.zoomed
        span = zoomed or Span.of(now - window, now)
        asked = (span, seen)
        ended = zoomed is not None and seen is not None and seen > zoomed.end + TALKING_MS
        if (asked != self._asked and not (ended and self._asked[:1] == (span,))) or self._talking(
            seen, now, span
        ):
            self._asked = asked
            if zoomed is None:
                self._panels = device_panels(self._queries, self._device, window)
            else:
                readings = self._queries.history.telemetry(
                    self._device, start=span.start, end=span.end, step=span.step
                )
                self._panels = panels_of(readings, self._queries.catalogue, span)
            self.span = self._panels[0].span if self._panels else span
        return self._panels

    def tail(self) -> list[StoredReading]:
        """Return the newest readings, in order of time."""
        seen = self._seen()
        if seen is None:
            return []
        if seen != self._tail_asked or self._queries.now() - seen < TALKING_MS:
            self._tail_asked = seen
            self._tail = self._queries.history.telemetry(self._device, start=seen - TAIL_MS, limit=LENGTH)
        return self._tail

    def _seen(self) -> int | None:
        record = self._queries.device(self._device)
        return None if record is None else record.last_seen

    @staticmethod
    def _talking(seen: int | None, now: int, span: Span) -> bool:
        """Whether a reading of the span may have come that is not read yet."""
        return seen is not None and now - seen < TALKING_MS and span.end >= seen


def neighbours_of(queries: Queries, installed: Installed, device: DeviceId) -> Neighbours:
    """Return what stands near a device: what it is a part of, its parts, its site, others of its model."""
    record, entry = queries.device(device), queries.registry.devices.get(device)
    said = None if record is None else record.facts.get("parent")
    name = str(said) if said is not None else None if entry is None else entry.parent
    parent = _named(queries, installed, device, name) if name else None
    model = _model_of(record, entry)
    site = None if entry is None else entry.site
    parts = {*queries.fleet.parts_of(device, NEAR), *installed.parts_of(device, NEAR)}
    at_site = installed.at_site(site, device.tenant, NEAR + 1) if site else []
    alike = queries.fleet.alike_with_open_cases(device, model, NEAR) if model else []
    return Neighbours(
        parent=(parent or DeviceId(device.tenant, "", name)) if name else None,
        parent_known=bool(parent),
        parts=_with_cases(queries, sorted(parts)[:NEAR]),
        at_site=_with_cases(queries, [one for one in at_site if one != device][:NEAR]),
        alike=tuple(Neighbour(one, number) for one, number in alike),
        site=site,
        model=model,
    )


def _model_of(record: DeviceRecord | None, entry: DeviceEntry | None) -> str | None:
    """Return a device's model: as it says itself, else as the registry has it."""
    said = None if record is None else record.facts.get("model")
    if said is not None:
        return str(said)
    return None if entry is None else entry.model


def _named(queries: Queries, installed: Installed, device: DeviceId, name: str) -> DeviceId | None:
    """Return the device of a name in the same tenant, whatever its class is."""
    for device_class in (device.device_class, *CLASSES):
        found = DeviceId(device.tenant, device_class, name)
        if queries.device(found) is not None or installed.knows(found):
            return found
    return None


def _with_cases(queries: Queries, devices: Sequence[DeviceId]) -> tuple[Neighbour, ...]:
    return tuple(
        Neighbour(one, len(queries.cases(state="open", device=str(one), limit=MOST).items)) for one in devices
    )


def _fits(silence: Silence, own: Mapping[str, str | None]) -> bool:
    """Whether what a silence says of devices fits one; what it says of faults only narrows it further."""
    return all(
        (value := own[name]) is not None and matches((pattern,), value)
        for name, pattern in silence.match.given().items()
        if name in own
    )


def _markers(case: Case) -> list[Marker]:
    marks = [Marker(case.onset, "suspected")]
    if case.confirmed_at is not None:
        marks.append(Marker(case.confirmed_at, "confirmed"))
    return marks


def _exact(ms: int) -> str:
    return to_rfc3339(ms)[:16].replace("T", " ")


def _case_columns() -> list[dict[str, str]]:
    return [
        column("fault", t("Fault"), "wide"),
        column("why", t("Order, or why not")),
        column("onset", t("Since"), "number"),
    ]


def _order_columns() -> list[dict[str, str]]:
    return [
        column("fault", t("Order"), "wide"),
        column("state", t("State")),
        column("resolve_by", t("Resolve by"), "number"),
    ]
