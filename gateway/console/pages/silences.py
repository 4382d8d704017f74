"""The silences: what is not ordered now and why, what was not, who asked for it; they are ended here."""

from dataclasses import dataclass
from typing import cast

from nicegui.element import Element

from diagnostics.silences import Silence, SilenceState
from gateway.console.actions import Actions, NotDoneError
from gateway.console.dialogs import Dialog, Field, Values
from gateway.console.filters import Change, choice, keep_address
from gateway.console.frame import Desk, frame
from gateway.console.language import msg, t
from gateway.console.links import case_path, with_filters
from gateway.console.live import Live
from gateway.console.parts import Time, box, link, press, text
from gateway.console.toasts import Toasts
from gateway.ports import Page

PAGE_SIZE = 200
STATES = {"active": msg("active"), "pending": msg("not begun"), "expired": msg("over")}

#: What a silence fits, by the name of the match.
FITS = {
    "class": msg("class"),
    "device": msg("device"),
    "component": msg("component"),
    "model": msg("model"),
    "site": msg("site"),
    "rule": msg("rule"),
    "fault": msg("fault"),
}


@dataclass
class Filters:
    """What the reader chose; ``""`` is everything."""

    state: str = "active"
    tenant: str = ""


async def silences_page(desk: Desk, filters: Filters) -> None:
    """Build the list of silences."""
    if filters.state not in STATES:
        filters.state = ""

    def ask() -> Page[Silence]:
        return desk.queries.silences(
            state=cast(SilenceState, filters.state) if filters.state else None,
            tenants=[filters.tenant] if filters.tenant else None,
            limit=PAGE_SIZE,
        )

    async with frame(desk, "silences", t("Silences"), style="dead-letters") as live:

        async def change(value: str) -> None:
            filters.state = value
            keep_address(with_filters("/silences", state=filters.state or "all", tenant=filters.tenant))
            await live.look()

        with box("div", "head"):
            text("h1", t("Silences"))
            summary = text("p", "", "summary")
            box("div", "spread")
            with box("div", "filters"):
                chosen: Change = change
                states = [("", t("all")), *((state, t(words)) for state, words in STATES.items())]
                choice(t("State"), states, filters.state, chosen)
        empty = text("p", "", "empty")
        table = _Table(desk, live)

        def show(page: Page[Silence]) -> None:
            number = str(len(page.items))
            newest = t("the newest {number}", number=number) if page.next else number
            summary.set_text(newest if page.items else "")
            empty.set_text(_empty(filters))
            empty.set_visibility(not page.items)
            table.show(page.items)

        await live.watch(ask, show)


class _Table:
    """The rows; one that stays is not drawn anew."""

    def __init__(self, desk: Desk, live: Live) -> None:
        self._desk = desk
        self._live = live
        self._actions = Actions(desk.caller, desk.instructed, desk.queries.trail)
        self._toasts = Toasts()
        self._rows: dict[tuple[str, str], Element] = {}
        self._ending: Silence | None = None
        self._dialog = Dialog(t("End the silence"), t("End it now"), [Field("note", t("Why"))], self._end)
        names = (
            t("What fits"),
            t("Brand"),
            t("State"),
            t("Why"),
            t("Asked for by"),
            t("From"),
            t("Until"),
            "",
        )
        self._table = box("div", "sheet")
        with self._table, box("table") as table:
            table.props["aria-label"] = t("Silences")
            with box("thead"), box("tr"):
                for name in names:
                    text("th", name).props["scope"] = "col"
            self._body = box("tbody")

    def show(self, silences: list[Silence]) -> None:
        """Show these rows."""
        now = self._desk.queries.now()
        self._table.set_visibility(bool(silences))
        wanted = {(silence.silence_id, silence.state(now)): silence for silence in silences}
        for key in [key for key in self._rows if key not in wanted]:
            self._rows.pop(key).delete()
        for place, (key, silence) in enumerate(wanted.items()):
            if key not in self._rows:
                with self._body:
                    self._rows[key] = self._row(silence, key[1])
                self._rows[key].move(target_index=place)

    def _row(self, silence: Silence, state: str) -> Element:
        fits = ", ".join(f"{t(FITS[name])} {pattern}" for name, pattern in silence.match.given().items())
        with box("tr") as row:
            with box("td", "wide"):
                if silence.case_id is None:
                    text("span", fits)
                else:
                    link(fits, case_path(silence.case_id))
                if silence.maintenance:
                    text("span", t("maintenance"), "sub")
            with box("td"):
                text("span", silence.tenant)
            with box("td"):
                text("span", t(STATES[state]))
                if silence.ended_by:
                    text("span", t("ended by {name}", name=silence.ended_by), "sub")
            with box("td", "wide"):
                text("span", silence.note)
                text("span", silence.end_note, "sub")
            with box("td"):
                text("span", silence.created_by)
            with box("td"):
                Time(silence.starts)
            with box("td"):
                Time(silence.over_at)
            with box("td"):
                if state != "expired" and self._actions.may(silence.tenant):
                    press(t("End"), "again").on("click", lambda: self._ask_end(silence))
        return row

    def _ask_end(self, silence: Silence) -> None:
        self._ending = silence
        self._dialog.ask(t("Whatever waits for its end is ordered then, if the fault still stands."))

    async def _end(self, values: Values) -> None:
        assert self._ending is not None
        try:
            await self._actions.end_silence(self._ending, note=values["note"])
        except NotDoneError as error:
            self._toasts.say(str(error), bad=True)
        else:
            self._toasts.say(t("The silence is over."))
        await self._live.look()


def _empty(filters: Filters) -> str:
    if filters.state == "active":
        return t("Nothing is silenced: whatever is confirmed is ordered.")
    if filters.state or filters.tenant:
        return t("No silence is like this.")
    return t("Nothing was ever silenced.")
