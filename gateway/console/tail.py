"""The live tail of a device: its newest readings as they come, until the reader pauses it."""

from collections.abc import Callable, Sequence

from gateway.console.language import t
from gateway.console.parts import Cell, Row, Sheet, box, column, press, text
from gateway.console.words import NONE, signal_words, unit_of, upper_first, value_words
from gateway.ports import StoredReading
from rules.signals import Catalogue

#: Readings that are shown.
LENGTH = 40


class Tail:
    """The newest readings.

    Args:
        catalogue: names signals.
        paused: as the address says.
        keep: is told when the reader pauses or goes on, to keep it in the address.
    """

    def __init__(self, catalogue: Catalogue, *, paused: bool, keep: Callable[[bool], None]) -> None:
        self._catalogue, self._keep = catalogue, keep
        self.paused = paused
        self._latest: Sequence[StoredReading] = []
        with box("div", "tail") as outer, box("div", "tail-head"):
            self._button = press("", "action")
            self._button.props["data-shortcut"] = "p"
            self._button.on("click", self._turn)
            self._note = text("span", "", "quiet").props("role=status")
        with outer:
            self._sheet = Sheet(
                [
                    column("at", t("Measured"), "number"),
                    column("signal", t("Signal"), "wide"),
                    column("value", t("Value"), "number"),
                ],
                label=t("Newest readings"),
                empty=t("It has measured nothing lately."),
            )
        self._label()

    def show(self, readings: Sequence[StoredReading]) -> None:
        """Show these readings, the newest first; while it is paused it stays as it is."""
        self._latest = readings
        if not self.paused:
            self._sheet.show([self._row(reading) for reading in reversed(readings)])

    def _turn(self) -> None:
        self.paused = not self.paused
        self._label()
        self.show(self._latest)
        self._keep(self.paused)

    def _label(self) -> None:
        self._button.set_text(t("Go on") if self.paused else t("Pause"))
        self._note.set_text(t("Paused: nothing new is shown.") if self.paused else "")

    def _row(self, reading: StoredReading) -> Row:
        name = f"{reading.signal}@{reading.component}" if reading.component else reading.signal
        known = reading.value is not None
        cells: dict[str, Cell | None] = {
            "at": {"ms": reading.ts},
            "signal": {"text": upper_first(signal_words(self._catalogue, name)), "sub": name},
            "value": {
                "text": value_words(reading.value) if known else NONE,
                "unit": unit_of(self._catalogue, name) if known else "",
            },
        }
        return {"key": f"{reading.ts} {name}", "cells": cells}
