"""The signal catalogue: every name that rules may use, with its kind, unit and plausible range."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import yaml

from rules.times import parse_duration

SignalKind = Literal["number", "boolean", "text"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One entry of the catalogue.

    Attributes:
        name: dotted lower-case name.
        kind: what its values are.
        unit: unit of a number, ``""`` for counts, booleans and texts.
        title: plain words for people.
        low: smallest plausible number, None when unbounded.
        high: largest plausible number, None when unbounded.
        values: texts that are expected, empty when any text may come.
        period_ms: declared distance of successive readings, None when devices differ.
        wraps: value at which a counter goes on from zero, None when a smaller value is a reset.
    """

    name: str
    kind: SignalKind
    unit: str
    title: str
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    period_ms: int | None = None
    wraps: float | None = None


class Catalogue:
    """The signals by name."""

    def __init__(self, signals: list[Signal]) -> None:
        self._signals = {signal.name: signal for signal in signals}

    def __contains__(self, name: str) -> bool:
        return name in self._signals

    def __iter__(self) -> Iterator[Signal]:
        return iter(self._signals.values())

    def extended(self, signals: Iterable[Signal]) -> "Catalogue":
        """Return a catalogue with further signals; one of the same name takes the place of ours."""
        return Catalogue([*self._signals.values(), *signals])

    def get(self, name: str) -> Signal | None:
        """Return the signal of that name, None when the catalogue has none."""
        return self._signals.get(name)

    def nearest(self, name: str) -> list[str]:
        """Return up to three names that look like `name`, best first."""
        return difflib.get_close_matches(name, self._signals, n=3, cutoff=0.6)


def load_catalogue() -> Catalogue:
    """Return the catalogue that is shipped with the package."""
    text = resources.files("rules").joinpath("catalogue", "signals.yaml").read_text(encoding="utf-8")
    entries = yaml.safe_load(text)
    return Catalogue(
        [
            Signal(
                name=name,
                kind=entry.get("kind", "number"),
                unit=entry.get("unit", ""),
                title=entry["title"],
                low=entry.get("low"),
                high=entry.get("high"),
                values=tuple(entry.get("values", ())),
                period_ms=parse_duration(entry["period"]) if "period" in entry else None,
                wraps=entry.get("wraps"),
            )
            for name, entry in entries.items()
        ]
    )
